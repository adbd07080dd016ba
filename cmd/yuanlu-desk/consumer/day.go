package consumer

import (
	"strconv"
	"strings"

	"yuanlu/cmd/yuanlu-desk/bills/match"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// day reads one message of up/day: one part of a digest of a day (bills.md § 5).
func (in *incoming) day() store.Message {
	const schema = "day-event.v1"
	if len(in.payload) > topics.MaxMessage*2 {
		return in.refuse("too_large", strconv.Itoa(len(in.payload))+" bytes")
	}
	var e envelope
	if topics.Exact(in.payload, &e) != nil {
		return in.refuse(in.broken(true, schema))
	}
	in.place(true, e.Sequence, e.Stream)
	if err := in.d.check.Check(schema, in.payload); err != nil {
		return in.refuse("schema", err.Error())
	}
	d, ok := match.ParseDigest(e.Data)
	switch {
	case in.seq == 0:
		return in.refuse("sequence", "sequence and stream must be 20 digits from 1, and a name")
	case e.Source != "urn:yuanlu:terminal:"+in.terminal:
		return in.refuse("source", "source is not the terminal of the topic")
	case !ok:
		return in.refuse("schema", "data is no digest of a day as bills.md § 6 takes it")
	case d.Terminal != in.terminal:
		return in.refuse("source", "data.terminal is not the terminal of the topic")
	case e.Subject != "day/"+d.Day:
		return in.refuse("schema", "subject and data.day are different days")
	case plain(e.ID, 128) != e.ID, strings.Contains(string(e.Data), `\u0000`): // which a database need not hold
		return in.refuse("schema", "a control character in id or data")
	}
	return store.Message{Day: &store.DayPart{Terminal: in.terminal, Stream: e.Stream, Seq: in.seq, ID: e.ID, Day: d.Day, Rev: d.Rev, Part: d.Part, Parts: d.Parts,
		Complete: d.Complete, Received: in.received, Digest: e.lasting(), Data: e.Data, Payload: in.payload}}
}
