package scenario

import (
	"slices"
	"time"

	"yuanlu/firmware-sim/wire"
)

// found is the result of looking for an original.
type found struct {
	hits    []*deed // what is left after narrowing
	dropped []*deed // what steps (f) and (g) left out
	by      string
	given   bool // the record states any key
	offDate []*deed
}

func given(s string) bool {
	for _, c := range s {
		if c != '0' && c != ' ' {
			return true
		}
	}
	return false
}

// find looks for the original of a refund or void: verdicts.md § 2.
func (b *Book) find(r *wire.Record) found {
	var f found
	on, dated := date(r)
	for _, key := range []struct{ name, value string }{{"channel_txn", r.Original.ChannelTxn},
		{"order_no", r.Original.OrderNo}, {"rrn", r.Original.RRN}, {"stan", r.Original.Stan}} {
		if !given(key.value) {
			continue
		}
		f.given = true
		var hits []*deed
		for _, d := range b.candidates(r, b.byKey[key.name+key.value]) {
			if key.name == "stan" && !stanFits(r, d) {
				continue
			}
			off := dated && (key.name == "rrn" || key.name == "stan") && abs(daysApart(d.rec.At, on)) > 1
			if a := Compare(d.rec.Party, r.Party); off && a.Recipient != "same" && a.Recipient != "equivalent" {
				f.offDate = append(f.offDate, d)
				continue
			}
			hits = append(hits, d)
		}
		if len(hits) > 0 {
			f.by = key.name
			f.hits = hits
			b.narrow(&f, r, on, dated)
			return f
		}
	}
	if f.given {
		return f
	}
	for _, d := range b.candidates(r, b.deeds) {
		a := Compare(d.rec.Party, r.Party)
		if (a.Recipient == "same" || a.Recipient == "equivalent") && a.Evidence == "strong" && b.effective(d) && d.amount >= r.Amount {
			f.hits = append(f.hits, d)
		}
	}
	if len(f.hits) > 0 {
		f.by = "party"
		b.narrow(&f, r, on, dated)
	}
	return f
}

func (b *Book) candidates(r *wire.Record, list []*deed) []*deed {
	var out []*deed
	for _, d := range list {
		if d.rec.Kind == "completion" || d.rec.Kind == "sale" && r.Kind != "completion_void" {
			out = append(out, d)
		}
	}
	return out
}

func stanFits(r *wire.Record, d *deed) bool {
	terminal := r.TerminalID
	if r.Original.TerminalID != "" {
		terminal = r.Original.TerminalID
	}
	return d.rec.TerminalID == terminal && (r.Original.Batch == "" || d.rec.Batch == r.Original.Batch)
}

// fits is step (f): the sale is large enough; where its payer alone speaks for it, its money speaks against nothing.
func (b *Book) fits(d *deed, r *wire.Record, by string) bool {
	if by != "party" {
		return d.amount >= r.Amount
	}
	v := verdict{findings: map[string]int{}, original: d, foundBy: by}
	if r.Kind == "refund" {
		b.recipient(&v, r)
		b.money(&v, r)
	} else {
		b.void(&v, r)
	}
	return v.findings["over_refund"]+v.findings["duplicate_refund"]+v.findings["currency_mismatch"]+v.findings["void_anomaly"] == 0
}

// narrow takes steps (a) to (g).
func (b *Book) narrow(f *found, r *wire.Record, on time.Time, dated bool) {
	step := func(keep func(*deed) bool) {
		var left, out []*deed
		for _, d := range f.hits {
			if keep(d) {
				left = append(left, d)
			} else {
				out = append(out, d)
			}
		}
		if len(left) > 0 {
			f.hits, f.dropped = left, append(f.dropped, out...)
		}
	}
	if dated {
		if slices.ContainsFunc(f.hits, func(d *deed) bool { return daysApart(d.rec.At, on) == 0 }) {
			step(func(d *deed) bool { return daysApart(d.rec.At, on) == 0 })
		} else {
			step(func(d *deed) bool { return abs(daysApart(d.rec.At, on)) <= 1 })
		}
	}
	if r.Original.TerminalID != "" {
		step(func(d *deed) bool { return d.rec.TerminalID == r.Original.TerminalID })
	}
	if known(r.Channel) {
		step(func(d *deed) bool { return d.rec.Channel == r.Channel })
	}
	step(func(d *deed) bool { return !d.rec.At.After(r.At.Add(5 * time.Minute)) })
	step(b.effective)
	f.dropped = nil
	step(func(d *deed) bool { return b.fits(d, r, f.by) })
	if f.by == "stan" && !dated || f.by == "party" {
		last := f.hits[0]
		for _, d := range f.hits {
			if !d.rec.At.Before(last.rec.At) {
				last = d
			}
		}
		step(func(d *deed) bool { return d == last })
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
