package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"yuanlu/agent/dryrun"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/protocol/explain"
)

// replayExplain prints every message of a capture as its decoder saw it, field by field,
// and what came of it; identities masked, records as --records prints them. refuse is
// called for every message that was refused.
func (p *program) replayExplain(ctx context.Context, in io.Reader, wire ingest.Wire, clock ingest.Clock, refuse func(error)) (ingest.Replayed, error) {
	keys, err := dryrun.NewKeys()
	if err != nil {
		return ingest.Replayed{}, err
	}
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	got, err := ingest.Explain(ctx, in, wire, clock, func(e ingest.Explained) error {
		// Lists that are empty, not null, where there is nothing.
		one := screen.Explained{Offset: e.Offset, Bytes: e.Bytes, Fields: append([]explain.Field{}, e.Fields...), Records: []json.RawMessage{},
			LeftOut: append([]ingest.LeftOut{}, e.LeftOut...), Ignored: e.Ignored}
		for _, d := range e.Records {
			sealed := refund.Seal(d.Record, keys)
			one.Records = append(one.Records, sealed.AppendJSON(nil))
		}
		if e.Err != nil {
			one.Refused = e.Err.Error()
			refuse(e.Err)
		}
		if p.json {
			return json.NewEncoder(out).Encode(one)
		}
		return (&screen.Screen{W: out, Lang: p.lang}).Explained(&one)
	})
	return got, errors.Join(err, out.Flush())
}
