package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"yuanlu/agent/dryrun"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/explain"
)

// explained is one message of `replay --explain --json`.
type explained struct {
	Offset  int64             `json:"offset"` // -1: the end of the file
	Bytes   int               `json:"bytes"`
	Fields  []explain.Field   `json:"fields"`
	Records []json.RawMessage `json:"records"`
	LeftOut []ingest.LeftOut  `json:"left_out"`
	Ignored string            `json:"ignored,omitempty"`
	Refused string            `json:"refused,omitempty"`
}

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
		one := explained{Offset: e.Offset, Bytes: e.Bytes, Fields: append([]explain.Field{}, e.Fields...), Records: []json.RawMessage{},
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
		return p.printExplained(out, &one)
	})
	return got, errors.Join(err, out.Flush())
}

// printExplained writes one message for people.
func (p *program) printExplained(out io.Writer, e *explained) error {
	t := p.lang.t
	if e.Offset < 0 {
		fmt.Fprintf(out, "%s\n", t("end of the file", "文件结束"))
	} else {
		fmt.Fprintf(out, t("frame at byte %d, %d bytes\n", "帧位于字节 %d，长 %d 字节\n"), e.Offset, e.Bytes)
	}
	table := tabwriter.NewWriter(out, 0, 1, 2, ' ', 0)
	if len(e.Fields) > 0 {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", t("at", "位置"), t("length", "长度"), t("field", "域"), t("value", "值"), t("became", "去向"))
	}
	for _, f := range e.Fields {
		value := f.Value
		if value == "" && f.Kind != "" {
			value = "(" + f.Kind + ")"
		}
		fmt.Fprintf(table, "  %d\t%d\t%s\t%s\t%s\n", f.At, f.Length, f.Name, value, f.Became)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range e.Records {
		fmt.Fprintf(out, "  %s %s\n", t("makes", "生成记录"), r)
	}
	for _, l := range e.LeftOut {
		fmt.Fprintf(out, "  left out: %s\n", l)
	}
	if e.Ignored != "" {
		fmt.Fprintf(out, "  %s %s\n", t("not used:", "未使用："), e.Ignored)
	}
	if e.Refused != "" {
		fmt.Fprintf(out, "  %s %s\n", t("refused:", "拒绝："), e.Refused)
	}
	_, err := io.WriteString(out, "\n")
	return err
}
