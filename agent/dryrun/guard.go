package dryrun

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// holdFor is how long after its ask's own time a hold is open in a journal (guard.md § 3).
const holdFor = 300 * time.Second

// guard is what a run knows of asks besides the store: by which line a hold has ended, and
// the lines that are printed at the end.
type guard struct {
	final   bool // only the last lines are printed
	answers []finalLine
	holds   map[ask.Key]*heldLine
	news    []ask.Key // holds that have changed and were not printed since
	open    int
	line    int64 // by which what happens now happens; 0: by the record that is stored
}

type heldLine struct {
	held  ask.Held
	ended int64
}

func newGuard(final bool) *guard { return &guard{final: final, holds: map[ask.Key]*heldLine{}} }

// changed notes that the store has a new hold, or has changed one.
func (g *guard) changed(h ask.Held) {
	one := g.holds[h.Key]
	if one == nil {
		one = &heldLine{}
		g.holds[h.Key] = one
	}
	switch {
	case one.held.State == h.State:
	case h.State == ask.Open:
		g.open++
	default:
		if one.held.State == ask.Open {
			g.open--
		}
		if one.ended = g.line; one.ended == 0 {
			one.ended = h.Record
		}
	}
	one.held = h
	if !g.final && !slices.Contains(g.news, h.Key) {
		g.news = append(g.news, h.Key)
	}
}

// finalLines returns the answers and the holds as they stand, by place; a hold after its
// answer.
func (g *guard) finalLines() []finalLine {
	lines := slices.Clone(g.answers)
	for _, h := range g.holds {
		lines = append(lines, finalLine{h.held.Seq, h.held.Line(h.ended)})
	}
	return lines
}

// changedBy takes out the holds that have changed because of the record seq, or, with 0,
// because of anything, by place.
func (g *guard) changedBy(seq int64) []*heldLine {
	var due []*heldLine
	rest := g.news[:0]
	for _, k := range g.news {
		if h := g.holds[k]; seq == 0 || h.held.Record == seq {
			due = append(due, h)
		} else {
			rest = append(rest, k)
		}
	}
	g.news = rest
	slices.SortFunc(due, func(a, b *heldLine) int { return cmp.Compare(a.held.Seq, b.held.Seq) })
	return due
}

// printHolds prints the first of these holds, those before a line about seq, and returns the
// others.
func (r *Run) printHolds(holds []*heldLine, seq int64) []*heldLine {
	for len(holds) > 0 && holds[0].held.Seq < seq {
		r.line(holds[0].held.Line(holds[0].ended))
		holds = holds[1:]
	}
	return holds
}

// printAllHolds prints what has changed.
func (r *Run) printAllHolds() { r.printHolds(r.guard.changedBy(0), math.MaxInt64) }

// expire ends the holds whose time is over before line seq, which states this time.
func (r *Run) expire(ctx context.Context, seq int64, at string) error {
	t, ok := refund.ParseTime(at)
	if !ok || r.guard.open == 0 {
		return nil
	}
	if err := r.judge(ctx); err != nil {
		return err
	}
	due, err := r.db.OverdueHolds(ctx, t, holdFor)
	if err != nil {
		return err
	}
	for _, k := range due {
		if err := r.end(ctx, seq, k, ask.Ending{State: ask.Expired}); err != nil {
			return err
		}
	}
	r.printAllHolds()
	return nil
}

// end ends a hold by a line.
func (r *Run) end(ctx context.Context, seq int64, k ask.Key, by ask.Ending) error {
	r.guard.line = seq
	defer func() { r.guard.line = 0 }()
	_, _, err := r.db.EndHold(ctx, k, by)
	return err
}

// Ask answers the ask on line seq, as at level hold. refused: its id is that of another ask;
// the line is as one that could not be read.
func (r *Run) Ask(ctx context.Context, seq int64, a *refund.Ask) (refused bool, err error) {
	if err := r.judge(ctx); err != nil {
		return false, err
	}
	known, err := r.db.FindAsk(ctx, ask.KeyOf(a))
	if err == nil && !known.Entry.Ask.SameAs(a) {
		return true, nil
	}
	if err != nil && !errors.Is(err, ledger.ErrAskUnknown) {
		return false, err
	}
	if err := r.expire(ctx, seq, a.Record.At); err != nil {
		return false, err
	}
	if err := r.fill(ctx, seq); err != nil {
		return false, err
	}
	if err := r.judge(ctx); err != nil {
		return false, err
	}
	r.guard.line = seq
	got, err := r.db.Ask(ctx, a, ledger.AskHow{Link: link, Level: ask.HoldLevel, HoldFor: holdFor})
	r.guard.line = 0
	if err != nil {
		return false, err
	}
	answer := got.Entry.Answer
	answer.Seq = seq
	if r.final {
		r.guard.answers = append(r.guard.answers, finalLine{seq, answer.Line()})
	}
	holds := r.printHolds(r.guard.changedBy(0), seq)
	if !r.final {
		r.line(answer.Line())
	}
	r.printHolds(holds, math.MaxInt64)
	return false, r.flush()
}

// EndHold does what the hold_end on line seq states: nothing, if that ask is not there or
// held no more. One that never was held can be cancelled: it is not being made (guard.md § 3).
func (r *Run) EndHold(ctx context.Context, seq int64, h *refund.HoldEnd) error {
	if err := r.judge(ctx); err != nil {
		return err
	}
	if err := r.expire(ctx, seq, h.At); err != nil {
		return err
	}
	k := ask.Key{Merchant: h.MerchantID, Terminal: h.TerminalID, ID: h.Ask}
	err := r.end(ctx, seq, k, ask.Ending{State: ask.State(h.State), By: h.By})
	if errors.Is(err, ledger.ErrAskUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	r.printAllHolds()
	return r.flush()
}
