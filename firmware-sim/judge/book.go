package judge

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"yuanlu/firmware-sim/wire"
)

// Book is a journal and the verdicts that the page demands for it. Not safe for concurrent
// use.
type Book struct {
	seq      int // of the last record added
	events   []*event
	unusable []*event
	coverage []*wire.Journal
	first    time.Time // of the first usable event

	index    map[string][]*event // by a number that they state: index.go
	pointers map[string][]*event // refunds and voids by a number of their original
	keyless  []*event            // refunds and voids that state none
	acts     []*event            // reversals, void_refunds and adjusts

	undone   map[*event]bool
	adjusted map[*event]int64 // amounts of sales as adjusts left them

	revised []*Verdict
	gaps    []Gap
}

// event is what happened, completed by its copies; seq is that of the first sighting.
type event struct {
	seq int
	wire.Record
	verdict  *Verdict // of a refund or void
	original *event   // of a refund or void, by its verdict
	backs    []*event // of a sale: the refunds and voids whose original it is
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{index: map[string][]*event{}, pointers: map[string][]*event{}, undone: map[*event]bool{}, adjusted: map[*event]int64{}}
}

// Add takes the next record of the journal. For a refund or void seen for the first time it
// returns the verdict; nil for everything else. Verdicts are not changed later: a changed one
// is another value (Revised).
func (b *Book) Add(r wire.Record) *Verdict {
	b.seq++
	if r.Training {
		return nil
	}
	if e := b.copyOf(&r); e != nil {
		b.take(e, &r)
		return nil
	}
	e := &event{seq: b.seq, Record: r}
	switch {
	case !usable(&r, false):
		return b.takeUnusable(e)
	case r.Kind == "journal":
		if r.Journal != nil {
			b.coverage = append(b.coverage, r.Journal)
		} else {
			b.coverage = append(b.coverage, &wire.Journal{})
		}
		b.settle(b.withoutOriginal())
		return nil
	}
	if b.first.IsZero() {
		b.first = r.At
	}
	b.events = append(b.events, e)
	b.enter(e, &wire.Record{})
	switch {
	case judged(r.Kind):
		b.settle([]*event{e})
		return e.verdict
	case isSale(r.Kind):
		b.settle(b.touching(&e.Record))
	case r.Kind == "settlement":
		b.count(e)
	case acts(r.Kind):
		b.acts = append(b.acts, e)
		b.settle(b.undo())
	}
	return nil
}

// Preview returns the verdict that a refund or void would get if it came next and were no copy; nil if it cannot be
// judged. The book stays as it is.
func (b *Book) Preview(r wire.Record) *Verdict {
	if r.Training || !usable(&r, false) || !judged(r.Kind) {
		return nil
	}
	v, _ := b.judge(&event{seq: b.seq + 1, Record: r})
	return v
}

// Revised returns the earlier refunds and voids whose verdicts records since the last call
// have changed.
func (b *Book) Revised() []*Verdict {
	out := b.revised
	b.revised = nil
	return out
}

// Gaps returns the settlements that do not add up, in their order: verdicts.md § 6.
func (b *Book) Gaps() []Gap { return b.gaps }

func acts(kind string) bool { return kind == "reversal" || kind == "void_refund" || kind == "adjust" }

// take completes an event by a copy and judges again what that changes.
func (b *Book) take(e *event, r *wire.Record) {
	was := e.Record
	complete(&e.Record, r)
	if reflect.DeepEqual(was, e.Record) {
		return
	}
	b.enter(e, &was)
	work := b.undo()
	switch {
	case judged(e.Kind):
		work = append(work, b.concerned(e)...)
	case isSale(e.Kind):
		work = slices.Concat(work, e.backs, b.touching(&was), b.touching(&e.Record))
	}
	b.settle(work)
}

// takeUnusable keeps a record that is no event, and returns its verdict if it is a refund or
// void.
func (b *Book) takeUnusable(e *event) *Verdict {
	b.unusable = append(b.unusable, e)
	b.settle(b.withoutOriginal())
	if !judged(e.Kind) {
		return nil
	}
	v := &Verdict{Seq: e.seq, Kind: e.Kind, Recipient: "none", Reason: "data_error"}
	if noMoney(e.Outcome) {
		v.Reason, v.Cancelled = "cancelled", true
	} else {
		v.find("data_error", Medium)
	}
	v.seal()
	return v
}

// concerned returns a refund or void, and those that its original has to do with.
func (b *Book) concerned(e *event) []*event {
	if e.original == nil {
		return []*event{e}
	}
	return append(b.touching(&e.original.Record), e)
}

// touching returns the refunds and voids that a sale may be the original of.
func (b *Book) touching(sale *wire.Record) []*event {
	var out []*event
	for _, key := range keys(sale) {
		out = append(out, b.pointers[key]...)
	}
	for _, e := range b.keyless {
		if compare(&sale.Party, &e.Party).strongMatch() {
			out = append(out, e)
		}
	}
	return out
}

func (b *Book) withoutOriginal() []*event {
	var out []*event
	for _, e := range b.events {
		if judged(e.Kind) && e.original == nil {
			out = append(out, e)
		}
	}
	return out
}

// settle judges refunds and voids, and those after them that a changed verdict concerns. A
// verdict depends on earlier refunds and voids only, so this ends.
func (b *Book) settle(work []*event) {
	todo := map[*event]bool{}
	for _, e := range work {
		todo[e] = true
	}
	for len(todo) > 0 {
		e := slices.MinFunc(slices.Collect(maps.Keys(todo)), func(x, y *event) int { return cmp.Compare(x.seq, y.seq) })
		delete(todo, e)
		old, was := e.original, e.verdict
		if old != nil {
			old.backs = slices.DeleteFunc(old.backs, func(x *event) bool { return x == e })
		}
		e.verdict, e.original = b.judge(e)
		if e.original != nil {
			e.original.backs = append(e.original.backs, e)
		}
		if was == nil || was.equal(e.verdict) {
			continue
		}
		b.revised = append(b.revised, e.verdict)
		for _, o := range []*event{old, e.original} {
			if o == nil {
				continue
			}
			for _, x := range b.touching(&o.Record) {
				if x.seq > e.seq {
					todo[x] = true
				}
			}
		}
	}
}

// undo works out again what reversals and void_refunds have undone (verdicts.md § 1.5) and
// what adjusts have changed (§ 3), and returns the refunds and voids that this concerns.
func (b *Book) undo() []*event {
	undone, adjusted := b.effects()
	var work []*event
	changed := func(e *event) {
		if judged(e.Kind) {
			work = append(work, b.concerned(e)...)
		} else if isSale(e.Kind) {
			work = slices.Concat(work, e.backs, b.touching(&e.Record))
		}
	}
	for _, sets := range [][2]map[*event]bool{{b.undone, undone}, {undone, b.undone}} {
		for e := range sets[0] {
			if !sets[1][e] {
				changed(e)
			}
		}
	}
	for _, sets := range [][2]map[*event]int64{{b.adjusted, adjusted}, {adjusted, b.adjusted}} {
		for e, amount := range sets[0] {
			if other, ok := sets[1][e]; !ok || other != amount {
				changed(e)
			}
		}
	}
	b.undone, b.adjusted = undone, adjusted
	return work
}

// effects returns the events that reversals and void_refunds undo, and the sales that
// adjusts change, with their new amounts in fen.
func (b *Book) effects() (undone map[*event]bool, adjusted map[*event]int64) {
	undone, adjusted = map[*event]bool{}, map[*event]int64{}
	note := func(e *event) {
		if e != nil {
			undone[e] = true
		}
	}
	for _, v := range b.acts {
		if v.Kind == "reversal" && v.Outcome == "approved" {
			note(b.before(v, place(&v.Record), func(e *event) bool {
				return e.Kind != "preauth" && e.Kind != "preauth_void" && e.Kind != "reversal" && e.Kind != "settlement" && at(e, v.TerminalID, v.Batch, v.Stan)
			}))
		}
	}
	for _, v := range b.acts {
		if v.Kind == "void_refund" && v.Outcome == "approved" && !undone[v] {
			note(b.namedRefund(v))
		}
	}
	for _, a := range b.acts {
		if a.Kind == "adjust" && a.Outcome == "approved" && !undone[a] {
			if s := b.namedSale(a); s != nil {
				adjusted[s] = a.Amount
			}
		}
	}
	return undone, adjusted
}

// amountOf returns the amount of a sale as adjusts left it.
func (b *Book) amountOf(s *event) int64 {
	if amount, ok := b.adjusted[s]; ok {
		return amount
	}
	return s.Amount
}
