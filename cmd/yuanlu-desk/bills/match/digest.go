package match

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/protocol/strictjson"
)

// Refund is a refund or void as a terminal reported it (bills.md § 5).
type Refund struct {
	ID            string
	Terminal      string
	Day           string // of the digest
	Kind          string
	Outcome       string
	Recipient     string // of its newest verdict
	Undone        bool
	Channel       string
	MerchantID    string
	TerminalID    string
	At            time.Time
	Amount        int64 // fen
	Currency      string
	STAN          string
	Batch         string
	RRN           string
	RefundNo      string
	ChannelRefund string
	OriginalTxn   string
	OriginalOrder string
}

// Sums are counts and amounts in fen of one side.
type Sums struct{ SaleCount, SaleAmount, RefundCount, RefundAmount int64 }

// total is what a digest sums for one channel and terminal_id.
type total struct {
	channel, merchantID, terminalID string
	sums                            Sums
}

// Digest is one part of a digest of a terminal's day (bills.md § 5).
type Digest struct {
	Terminal, Day    string
	Rev, Part, Parts int64
	Complete         bool
	totals           []total
	refunds          []*Refund
	sales            []string
}

// field is a member of an object that is read.
type field struct {
	name     string
	required bool
	read     func() bool
}

// object reads an object with at least the required fields. Unknown members are passed
// over, and so are others that are null.
func object(r *strictjson.Reader, fields []field) bool {
	known := func(name []byte) int {
		return slices.IndexFunc(fields, func(f field) bool { return f.name == string(name) })
	}
	seen, ok := r.Object(known, func(m strictjson.Member) bool {
		switch {
		case m.Index < 0, !fields[m.Index].required && r.Peek('n'):
			return r.Skip()
		}
		return fields[m.Index].read()
	})
	for i, f := range fields {
		ok = ok && (!f.required || seen&(1<<i) != 0)
	}
	return ok
}

func text(r *strictjson.Reader, name string, v *string) field {
	return field{name, false, func() bool {
		b, ok := r.Quoted("a text")
		*v = string(b)
		return ok
	}}
}

// loose is a text that matching does without: anything else in its place is passed over.
func loose(r *strictjson.Reader, name string, v *string) field {
	read := text(r, name, v).read
	return field{name, false, func() bool {
		if r.Peek('"') {
			return read()
		}
		return r.Skip()
	}}
}

// needed is a text that must be there and not be empty.
func needed(r *strictjson.Reader, name string, v *string) field {
	f := text(r, name, v)
	return field{name, true, func() bool { return f.read() && *v != "" }}
}

func integer(r *strictjson.Reader, name string, required bool, v *int64) field {
	return field{name, required, func() bool { return r.Integer(v, true) }}
}

// ParseDigest reads one line; false if it is none that bills.md § 6 takes.
func ParseDigest(line []byte) (d *Digest, ok bool) {
	d = &Digest{}
	r := strictjson.New(line, 0, &strictjson.Form{End: "the end of the line", Twice: "a second one", Depth: 100})
	ok = object(&r, []field{
		needed(&r, "terminal", &d.Terminal), needed(&r, "day", &d.Day), integer(&r, "rev", true, &d.Rev), integer(&r, "part", true, &d.Part), integer(&r, "parts", true, &d.Parts),
		{"complete", true, func() bool { return r.Bool(&d.Complete) }},
		{"totals", true, func() bool { return r.List(func(int) bool { return d.total(&r) }) }},
		{"refunds", true, func() bool { return r.List(func(int) bool { return d.refund(&r) }) }},
		{"sales", false, func() bool { return d.sold(&r) }},
	}) && r.End("the end of the line")
	_, err := time.Parse(time.DateOnly, d.Day)
	if !ok || err != nil || d.Rev < 1 || d.Part < 1 || d.Part > d.Parts {
		return nil, false
	}
	for _, refund := range d.refunds {
		refund.Terminal, refund.Day = d.Terminal, d.Day
	}
	return d, true
}

func (d *Digest) total(r *strictjson.Reader) bool {
	var t total
	ok := object(r, []field{needed(r, "channel", &t.channel), loose(r, "merchant_id", &t.merchantID), text(r, "terminal_id", &t.terminalID), integer(r, "sale_count", false, &t.sums.SaleCount),
		integer(r, "sale_amount", false, &t.sums.SaleAmount), integer(r, "refund_count", false, &t.sums.RefundCount), integer(r, "refund_amount", false, &t.sums.RefundAmount)})
	d.totals = append(d.totals, t)
	return ok
}

func (d *Digest) refund(r *strictjson.Reader) bool {
	v := &Refund{}
	at := ""
	original := func() bool {
		return object(r, []field{text(r, "channel_txn", &v.OriginalTxn), text(r, "order_no", &v.OriginalOrder)})
	}
	ok := object(r, []field{
		needed(r, "id", &v.ID), needed(r, "outcome", &v.Outcome), needed(r, "channel", &v.Channel), integer(r, "amount", true, &v.Amount), needed(r, "at", &at),
		{"undone", false, func() bool { return r.Bool(&v.Undone) }}, loose(r, "merchant_id", &v.MerchantID), text(r, "terminal_id", &v.TerminalID), text(r, "currency", &v.Currency),
		loose(r, "kind", &v.Kind), loose(r, "recipient", &v.Recipient),
		text(r, "stan", &v.STAN), text(r, "batch", &v.Batch), text(r, "rrn", &v.RRN), text(r, "refund_no", &v.RefundNo), text(r, "channel_refund", &v.ChannelRefund),
		{"original", false, original},
	})
	var err error
	v.At, err = time.Parse(time.RFC3339Nano, at)
	d.refunds = append(d.refunds, v)
	return ok && err == nil
}

// sold reads the keys of the day's sales, 12 characters each.
func (d *Digest) sold(r *strictjson.Reader) bool {
	b, ok := r.Quoted("the keys of sales")
	keys := []rune(string(b))
	if !ok || len(keys)%12 != 0 {
		return false
	}
	for key := range slices.Chunk(keys, 12) {
		d.sales = append(d.sales, string(key))
	}
	return true
}

// ParseDigests reads the lines of a file; those that are none are refused as TerminalDay.
func ParseDigests(file string, data []byte, refused func(*bills.Refusal)) (all []*Digest) {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if d, ok := ParseDigest(line); ok {
			all = append(all, d)
		} else {
			refused(&bills.Refusal{File: bills.Printable(file), Line: n, Code: bills.TerminalDay})
		}
	}
	return all
}

// terminalDay is the digest of a terminal's day that counts: its parts of one rev.
type terminalDay struct {
	terminal, day   string
	whole, complete bool // every part is there; each is complete
	parts           []*Digest
}

// terminalDays returns the digest that counts of each terminal and day, ordered by both:
// the highest rev that is whole, else the highest (bills.md § 6).
func terminalDays(all []*Digest) (days []*terminalDay) {
	type place struct{ terminal, day string }
	revs := map[place]map[int64][]*Digest{}
	for _, d := range all {
		at := place{d.Terminal, d.Day}
		if revs[at] == nil {
			revs[at] = map[int64][]*Digest{}
		}
		if parts := revs[at][d.Rev]; !slices.ContainsFunc(parts, func(p *Digest) bool { return p.Part == d.Part }) {
			revs[at][d.Rev] = append(parts, d)
		}
	}
	for at, byRev := range revs {
		var best *terminalDay
		rev := int64(0)
		for n, parts := range byRev {
			t := &terminalDay{terminal: at.terminal, day: at.day, whole: true, complete: true, parts: parts}
			for _, p := range parts {
				t.whole = t.whole && p.Parts == int64(len(parts)) // different numbers up to that: all of them
				t.complete = t.complete && p.Complete
			}
			if best == nil || t.whole && !best.whole || t.whole == best.whole && n > rev {
				best, rev = t, n
			}
		}
		slices.SortFunc(best.parts, func(a, b *Digest) int { return cmp.Compare(a.Part, b.Part) })
		days = append(days, best)
	}
	slices.SortFunc(days, func(a, b *terminalDay) int {
		return cmp.Or(cmp.Compare(a.terminal, b.terminal), cmp.Compare(a.day, b.day))
	})
	return days
}

// refundsOf returns the refunds of all days that take part, each id once, ordered by
// terminal, time and id.
func refundsOf(days []*terminalDay) (refunds []*Refund) {
	for _, d := range days {
		for _, p := range d.parts {
			refunds = append(refunds, p.refunds...)
		}
	}
	slices.SortStableFunc(refunds, func(a, b *Refund) int {
		return cmp.Or(cmp.Compare(a.Terminal, b.Terminal), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(refunds, func(r *Refund) bool {
		again := seen[r.ID]
		seen[r.ID] = true
		return again || r.Channel == "cash"
	})
}
