package ask

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

var a0 = time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC)

// heldEntry is an ask to refund sale 1, held or not, some minutes after nine.
func heldEntry(id string, minute int, held bool) *Entry {
	r := refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: "M", TerminalID: "T", Amount: 400, HasAmount: true,
		Original: refund.Original{RRN: "1"}, At: fmt.Sprintf("2026-08-23T09:%02d:00+08:00", minute)}
	e := &Entry{Ask: refund.Ask{ID: id, Record: r}, Answer: Answer{Ask: id, Action: Proceed, Original: &refund.Found{Seq: 1, FoundBy: "rrn"}}, Arrived: true}
	if held {
		e.Answer.Action = Hold
		e.Held = &Held{Key: e.Key(), State: Open, Level: HoldLevel}
	}
	return e
}

// fingerprint is all that a book would decide by.
func fingerprint(b *Book, probe *refund.Record) string {
	s := ""
	for _, e := range b.All() {
		s += fmt.Sprintf("%s %d %v %v %v", e.Ask.ID, e.Record, e.Cancelled, e.replaced, e.Answer.Action)
		if e.Held != nil {
			s += fmt.Sprintf(" %+v", *e.Held)
		}
	}
	for _, e := range b.Open() {
		s += " open " + e.Ask.ID
	}
	c := b.Claim(probe)
	if c.Entry != nil {
		s += " claims " + c.Entry.Ask.ID
	}
	next := heldEntry("next", 1, false)
	if e := b.BeingMade(&next.Ask, next.Answer.Original); e != nil {
		s += " being made " + e.Ask.ID
	}
	return s + fmt.Sprint(" ", len(b.free), len(b.about), len(b.entries), len(b.open), len(b.passing))
}

// TestCrowd: the oldest without a hold go first, wherever they are remembered.
func TestCrowd(t *testing.T) {
	b := NewBook()
	for i := range 10 {
		_, undo := b.Add(heldEntry(fmt.Sprint("a-", i), i, i%3 == 0), a0) // 0, 3, 6, 9 are held
		if i == 8 {
			undo()
		}
	}
	if n := b.Crowd(5); n != 0 {
		t.Errorf("%d forgotten of 5", n)
	}
	if n := b.Crowd(2); n != 3 {
		t.Errorf("%d forgotten", n)
	}
	var left []string
	for _, e := range b.All() {
		left = append(left, e.Ask.ID)
	}
	if got := strings.Join(left, " "); got != "a-0 a-3 a-5 a-6 a-7 a-9" {
		t.Error(got)
	}
	b.Forget(b.Find(Key{"M", "T", "a-7"}))
	if len(b.passing) != 1 || len(b.free[day{"M", false, dayOf(b.passing[0].at)}]) != 5 {
		t.Errorf("%d without a hold, %v", len(b.passing), b.free)
	}
}

// TestUndo: what a change returns takes it back, whatever it was.
func TestUndo(t *testing.T) {
	record := heldEntry("x", 1, false).Ask.Record
	correcting := heldEntry("a-3", 1, false)
	correcting.Ask.Replaces = "a-1"
	for _, c := range []struct {
		name   string
		change func(b *Book) Undo
	}{
		{"an ask", func(b *Book) Undo { _, u := b.Add(heldEntry("a-3", 1, true), a0); return u }},
		{"an ask that corrects", func(b *Book) Undo {
			ended, u := b.Add(correcting, a0)
			if ended == nil || ended.Held.State != Corrected || ended.Held.By != "a-3" {
				t.Errorf("%+v", ended)
			}
			return u
		}},
		{"a release", func(b *Book) Undo {
			return b.End(b.Find(Key{"M", "T", "a-1"}), Ending{State: Released, By: "s-1", At: a0})
		}},
		{"a cancel without a hold", func(b *Book) Undo { return b.End(b.Find(Key{"M", "T", "a-2"}), Ending{State: Cancelled}) }},
		{"a record", func(b *Book) Undo {
			c := b.Claim(&record)
			_, u := b.Settle(&c, 7, a0)
			return u
		}},
		{"a record that bypasses", func(b *Book) Undo {
			r := record
			r.Ask = "a-1"
			c := b.Claim(&r)
			bypassed, u := b.Settle(&c, 7, a0)
			if !bypassed || c.Entry.Held.State != Bypassed || c.Entry.Held.Record != 7 {
				t.Errorf("%+v", c.Entry.Held)
			}
			return u
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBook()
			b.Add(heldEntry("a-1", 0, true), a0)
			b.Add(heldEntry("a-2", 0, false), a0)
			before := fingerprint(b, &record)
			undo := c.change(b)
			if fingerprint(b, &record) == before {
				t.Error("nothing has changed")
			}
			undo()
			if after := fingerprint(b, &record); after != before {
				t.Errorf("\n got %s\nwant %s", after, before)
			}
		})
	}
}

// TestForget: what is forgotten is asked about as if it never had been.
func TestForget(t *testing.T) {
	record := heldEntry("x", 1, false).Ask.Record
	b := NewBook()
	empty := fingerprint(b, &record)
	for i := range 3 {
		b.Add(heldEntry(fmt.Sprint("a-", i), i, i == 1), a0)
	}
	for _, e := range b.All() {
		b.Forget(e)
	}
	if got := fingerprint(b, &record); got != empty {
		t.Error(got)
	}
}
