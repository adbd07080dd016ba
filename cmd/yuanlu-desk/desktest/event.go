package desktest

import (
	"encoding/json"
	"fmt"
	"time"

	"yuanlu/protocol/topics"
)

// Case is what a case event is like; the zero value of a member is something
// usual.
type Case struct {
	Terminal string // "t-1"
	Stream   string // "S1"
	Seq      int64  // 1
	ID       string // from stream and seq
	CaseID   string // from seq
	Kind     string // opened
	Severity string // high
	Attempt  int    // 1
	Merchant string // 898000000000001
	Token    string // of who got the money; the case id
	Time     time.Time
}

// CaseID is a case id made from a number.
func CaseID(n int64) string { return fmt.Sprintf("01J9ABCDEFGHJKMNPQ%08d", n) }

// EventID is an event id made from a stream and a sequence.
func EventID(stream string, seq int64) string { return fmt.Sprintf("E-%s-%d", stream, seq) }

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// JSON is the event as a terminal sends it.
func (c Case) JSON() []byte {
	seq, stream := or(c.Seq, 1), or(c.Stream, "S1")
	id := or(c.CaseID, CaseID(seq))
	decision, recipient := "alarm", "different"
	kind := or(c.Kind, "opened")
	if kind == "cleared" {
		decision, recipient = "pass", "same"
	}
	severity, found := or(c.Severity, "high"), or(c.Severity, "high")
	if found == "none" {
		found = "info"
	}
	data := fmt.Sprintf(`{"case_id":%q,"severity":%q,"decision":%q,"verdict":{"type":"verdict","seq":2,"rev":1,"kind":"refund","recipient":%q,"reason":"","evidence":"strong","decision":%q,"cancelled":false,"original":null,"findings":[{"code":"recipient_mismatch","rule":"RC-101","severity":%q,"text":{"en":"other card","zh":"卡号不同"}}]},"refund":{"link":"pos","kind":"refund","outcome":"approved","merchant_id":%q,"terminal_id":"10000001","channel":"card","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"%06d","batch":"000001","party":{"scheme":"pan","shown":"620550*********0004","token":"k1:%s"}},"original":null,"evidence":[{"record":2}]}`,
		id, severity, decision, recipient, decision, found, or(c.Merchant, "898000000000001"), seq%1_000_000, or(c.Token, id))
	at := c.Time
	if at.IsZero() {
		at = time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC).Add(time.Duration(seq%1_000_000) * time.Second)
	}
	return topics.AppendEvent(nil, &topics.Fields{ID: or(c.ID, EventID(stream, seq)), Source: "urn:yuanlu:terminal:" + or(c.Terminal, "t-1"),
		Type: "yuanlu.case." + kind + ".v1", Subject: "case/" + id, Stream: stream, Time: at, Sequence: seq, Attempt: or(c.Attempt, 1),
		ClockSynced: true, Data: []byte(data)})
}

// Event is an event of another kind.
func Event(terminal, id, typ string, data any) []byte {
	b, err := json.Marshal(data)
	if err != nil {
		b = []byte(`{}`)
	}
	return topics.AppendEvent(nil, &topics.Fields{ID: id, Source: "urn:yuanlu:terminal:" + terminal, Type: typ, Subject: "outbox", Stream: "S1",
		Time: time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC), Attempt: 1, ClockSynced: true, Data: b})
}
