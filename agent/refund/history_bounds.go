package refund

import (
	"slices"
	"time"
)

// everyTerminal stands in Bounds.Terminals once a journal record without `from`
// and without a list has been seen, so that "all" is not forgotten.
const everyTerminal = "*"

// Covers reports whether the journal covers a terminal (verdicts.md § 2, line 5). Without a
// journal record it covers all.
func (b *Bounds) Covers(terminal string) bool {
	return b.AllTerminals || b.From == "" && b.Terminals == nil || slices.Contains(b.Terminals, terminal)
}

// begin returns the journal's first day and whether it begins at 00:00:00 of it; ok
// false if nothing is known (verdicts.md § 2, The journal).
func (b *Bounds) begin() (first day, midnight, ok bool) {
	at := b.From
	if at == "" {
		at = b.FirstAt
	}
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		first, ok = dayOf(t), true
		midnight = t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0
	}
	if removed, given := parseDay(b.RemovedDay); given && (!ok || removed >= first) {
		return removed + 1, true, true
	}
	return first, midnight, ok
}

// cover takes a journal record into the bounds (verdicts.md § 2, The journal): the earliest
// `from`, the union of the lists, one without a list means all.
func (b *Bounds) cover(c *Coverage) {
	first := b.From == "" && b.Terminals == nil // no journal record before this one
	if from, err := time.Parse(time.RFC3339Nano, c.From); err == nil {
		known, err := time.Parse(time.RFC3339Nano, b.From)
		if err != nil || from.Before(known) {
			b.From = c.From
		}
	}
	if first {
		b.AllTerminals = false
	}
	if c.Terminals == nil {
		b.AllTerminals = true
		if b.From == "" {
			b.Terminals = []string{everyTerminal}
		}
		return
	}
	all := append(slices.Clone(b.Terminals), c.Terminals...)
	slices.Sort(all)
	b.Terminals = slices.Compact(all)
	if b.Terminals == nil {
		b.Terminals = []string{}
	}
}

func (b *Bounds) equal(o *Bounds) bool {
	return b.From == o.From && b.AllTerminals == o.AllTerminals && b.FirstAt == o.FirstAt && b.FirstSeq == o.FirstSeq &&
		b.RemovedDay == o.RemovedDay && slices.Equal(b.Terminals, o.Terminals) && (b.Terminals == nil) == (o.Terminals == nil)
}

// beginsLike reports whether o covers the same terminals from the same moment, so
// that no verdict that depends on the coverage can change.
func (b *Bounds) beginsLike(o *Bounds) bool {
	first, midnight, ok := b.begin()
	first2, midnight2, ok2 := o.begin()
	return first == first2 && midnight == midnight2 && ok == ok2 && b.AllTerminals == o.AllTerminals &&
		slices.Equal(b.Terminals, o.Terminals) && (b.Terminals == nil) == (o.Terminals == nil)
}
