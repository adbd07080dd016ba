package desktest

import (
	"fmt"
	"strings"
	"time"

	"yuanlu/protocol/topics"
)

// Day is what one part of a digest of a day is like; the zero value of a member is something
// usual.
type Day struct {
	Terminal   string // "t-1"
	Stream     string // "D1"
	Seq        int64  // 1
	Date       string // 2026-08-23
	Rev        int64  // 1
	Part       int64  // 1
	Parts      int64  // 1
	Incomplete string // why; "": it is complete
	Refunds    []string
	Sales      string
}

// Data is the object of bills.md § 5.
func (d Day) Data() []byte {
	date := or(d.Date, "2026-08-23")
	var refunds []string
	for i, id := range d.Refunds {
		refunds = append(refunds, fmt.Sprintf(`{"id":%q,"kind":"refund","outcome":"approved","undone":false,"channel":"wechat","merchant_id":"1900000109","terminal_id":"10000001","at":"%sT15:%02d:%02d+08:00","amount":350,"payer_amount":350,"currency":"CNY","stan":"","batch":"","rrn":"","refund_no":"R-%s","channel_refund":"","original":{"order_no":"","channel_txn":"","stan":"","batch":"","rrn":"","date":""},"route":"","recipient":"same","decision":"pass"}`,
			id, date, i/60%60, i%60, id))
	}
	why := "[]"
	if d.Incomplete != "" {
		why = fmt.Sprintf("[%q]", d.Incomplete)
	}
	return fmt.Appendf(nil, `{"terminal":%q,"day":%q,"rev":%d,"part":%d,"parts":%d,"complete":%t,"why":%s,"totals":[],"refunds":[%s],"sales":%q}`,
		or(d.Terminal, "t-1"), date, or(d.Rev, 1), or(d.Part, 1), or(d.Parts, 1), d.Incomplete == "", why, strings.Join(refunds, ","), d.Sales)
}

// JSON is the event as a terminal sends it.
func (d Day) JSON() []byte {
	kind := "closed"
	if d.Rev > 1 {
		kind = "revised"
	}
	date, stream := or(d.Date, "2026-08-23"), or(d.Stream, "D1")
	return topics.AppendEvent(nil, &topics.Fields{ID: fmt.Sprintf("D-%s-%s-%d-%d", date, stream, or(d.Rev, 1), or(d.Part, 1)),
		Source: "urn:yuanlu:terminal:" + or(d.Terminal, "t-1"), Type: "yuanlu.day." + kind + ".v1", Subject: "day/" + date, Stream: stream,
		Time: time.Date(2026, 8, 23, 18, 0, 0, 0, time.UTC), Sequence: or(d.Seq, 1), Attempt: 1, ClockSynced: true, Data: d.Data()})
}
