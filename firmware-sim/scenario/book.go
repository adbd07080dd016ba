package scenario

import (
	"slices"
	"time"

	"yuanlu/firmware-sim/wire"
)

// Book is what an agent that received every message of a terminal could know: the records in their order, so that the
// verdicts the contract demands can be worked out. It holds one merchant. Not safe for concurrent use.
type Book struct {
	first  time.Time // the journal begins here
	deeds  []*deed
	byKey  map[string][]*deed // key name and value: sales and completions
	byStan map[string][]*deed // terminal and stan: any kind
	byBack map[string][]*deed // number name and value: refunds and voids
	// byPointer holds the refunds and voids by what they point at: key name and value.
	byPointer map[string][]*deed
	loose     []*deed // refunds and voids without an original, or with one by its payer alone
	news      []Revised
	before    int // while a deed of the book is judged again: its id; only what came before it counts. 0: all
}

// Revised is a changed verdict on an earlier refund or void: the one whose first verdict had that ID.
type Revised struct {
	ID      int
	Verdict *Verdict
}

// deed is one event with what later ones did to it.
type deed struct {
	rec      wire.Record
	amount   int64 // as adjusted
	undone   bool
	voided   []*deed
	refunds  []*deed
	verdict  verdict
	original *deed
	id       int // its place in the book, from 1
}

// verdict is the part of a verdict that later ones look at.
type verdict struct {
	recipient, reason, evidence, foundBy string
	findings                             map[string]int
	original                             *deed
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{byKey: map[string][]*deed{}, byStan: map[string][]*deed{}, byBack: map[string][]*deed{},
		byPointer: map[string][]*deed{}}
}

// Windows of verdicts.md § 3, in days.
func window(channel string) int {
	switch channel {
	case "unionpay_qr":
		return 360
	case "card":
		return 180
	}
	return 365
}

func isSale(kind string) bool { return kind == "sale" || kind == "completion" }

func moneyBack(kind string) bool {
	return kind == "refund" || kind == "void" || kind == "completion_void"
}

// Add takes the next record. For a refund or void seen for the first time it returns the verdict the contract demands;
// nil for everything else.
func (b *Book) Add(r wire.Record) *Verdict {
	if r.Training || r.Kind == "journal" {
		return nil
	}
	if b.first.IsZero() {
		b.first = r.At
	}
	if b.copyOf(&r) {
		return nil
	}
	d := &deed{rec: r, amount: r.Amount}
	switch r.Kind {
	case "reversal":
		if r.Outcome == "approved" {
			b.undo(r.TerminalID, r.Batch, r.Stan)
		}
	case "adjust":
		b.adjust(&r)
	case "refund", "void", "completion_void":
		d.verdict = b.judge(d)
		b.link(d)
	}
	b.keep(d)
	if !moneyBack(r.Kind) {
		b.settleLoose(d)
		return nil
	}
	b.sortLoose(d)
	v := d.verdict.public()
	v.ID = d.id
	return v
}

// News returns the earlier refunds and voids whose verdicts the last Add changed.
func (b *Book) News() []Revised {
	out := b.news
	b.news = nil
	return out
}

func (b *Book) revised(d *deed, v verdict) {
	b.news = append(b.news, Revised{d.id, v.public()})
}

// loose reports whether a sale that comes later may still be the original of a refund or void: it has none, or one that
// only its payer speaks for, of which the latest counts.
func (d *deed) loose() bool { return d.original == nil || d.verdict.foundBy == "party" }

// settleLoose judges refunds and voids again whose original may have come now: verdicts.md § 2 looks anywhere in the journal.
func (b *Book) settleLoose(sale *deed) {
	if !isSale(sale.rec.Kind) {
		return
	}
	work := b.pointing(sale)
	for _, d := range b.loose {
		if !pointsAt(&d.rec) && paidBy(&sale.rec, &d.rec) {
			work = append(work, d)
		}
	}
	b.judgeAgain(work)
}

func (b *Book) keep(d *deed) {
	b.deeds = append(b.deeds, d)
	d.id = len(b.deeds)
	r := &d.rec
	b.byStan[r.TerminalID+"/"+r.Stan] = append(b.byStan[r.TerminalID+"/"+r.Stan], d)
	b.index(d, &wire.Record{})
}

// index makes an event findable by the numbers that it states and did not state before.
func (b *Book) index(d *deed, before *wire.Record) {
	add := func(to map[string][]*deed, name, value, was string) {
		if value != "" && was == "" {
			to[name+value] = append(to[name+value], d)
		}
	}
	r := &d.rec
	switch {
	case isSale(r.Kind):
		add(b.byKey, "channel_txn", r.ChannelTxn, before.ChannelTxn)
		add(b.byKey, "order_no", r.OrderNo, before.OrderNo)
		add(b.byKey, "rrn", r.RRN, before.RRN)
		add(b.byKey, "stan", r.Stan, before.Stan)
	case moneyBack(r.Kind):
		add(b.byBack, "channel_refund", r.ChannelRefund, before.ChannelRefund)
		add(b.byBack, "refund_no", r.RefundNo, before.RefundNo)
		add(b.byPointer, "channel_txn", r.Original.ChannelTxn, before.Original.ChannelTxn)
		add(b.byPointer, "order_no", r.Original.OrderNo, before.Original.OrderNo)
		add(b.byPointer, "rrn", r.Original.RRN, before.Original.RRN)
		add(b.byPointer, "stan", r.Original.Stan, before.Original.Stan)
	}
}

// pointsAt reports whether a refund or void states any key of its original.
func pointsAt(back *wire.Record) bool {
	o := &back.Original
	return given(o.ChannelTxn) || given(o.OrderNo) || given(o.RRN) || given(o.Stan)
}

// paidBy reports whether who paid a sale may be who gets the money of a refund or void.
func paidBy(sale, back *wire.Record) bool {
	a := Compare(sale.Party, back.Party)
	return a.Recipient == "same" || a.Recipient == "equivalent"
}

func (b *Book) undo(terminal, batch, stan string) {
	for _, d := range slices.Backward(b.byStan[terminal+"/"+stan]) {
		if d.rec.Batch == batch && batch != "" && d.rec.Kind != "preauth" && d.rec.Kind != "reversal" {
			d.undone = true
			if moneyBack(d.rec.Kind) {
				b.judgeAgain([]*deed{d})
			} else {
				b.judgeAgain(d.back())
			}
			return
		}
	}
}

// adjust changes the amount of the sale that an approved adjust names by batch and number, or by its RRN.
func (b *Book) adjust(r *wire.Record) {
	if r.Outcome != "approved" {
		return
	}
	byNumber := given(r.Original.Stan) && given(r.Original.Batch)
	list := b.byKey["rrn"+r.Original.RRN]
	if byNumber {
		list = b.byKey["stan"+r.Original.Stan]
	}
	for _, d := range slices.Backward(list) {
		if !byNumber || d.rec.TerminalID == r.TerminalID && d.rec.Batch == r.Original.Batch {
			d.amount = r.Amount
			b.judgeAgain(append(d.back(), b.loose...))
			return
		}
	}
}

// link notes what a refund or void did to its original.
func (b *Book) link(d *deed) {
	d.original = d.verdict.original
	if d.original == nil {
		return
	}
	if d.rec.Kind == "refund" {
		d.original.refunds = append(d.original.refunds, d)
	} else {
		d.original.voided = append(d.original.voided, d)
	}
}

// voids reports whether an earlier void weighs on the one that is judged.
func (b *Book) voids(d *deed) bool { return b.counts(d) && d.rec.Outcome == "approved" }

// counts reports whether an earlier deed weighs on the one that is judged.
func (b *Book) counts(d *deed) bool { return !d.undone && (b.before == 0 || d.id < b.before) }

// effective is as in verdicts.md § 2, Effective, for the refund or void that is judged.
func (b *Book) effective(d *deed) bool {
	o := d.rec.Outcome
	return (o == "approved" || o == "unknown" || o == "pending") && !d.undone && !slices.ContainsFunc(d.voided, b.voids)
}

// day is the local date of a time, as a day without clock.
func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// date reads original.date of a record; ok is false if none was given.
func date(r *wire.Record) (time.Time, bool) {
	s := r.Original.Date
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return t, true
	}
	if len(s) != 4 || s == "0000" {
		return time.Time{}, false
	}
	last := day(r.At).AddDate(0, 0, 1)
	for y := last.Year(); y > last.Year()-9; y-- {
		t, err := time.Parse("20060102", time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006")+s)
		if err == nil && !t.After(last) {
			return t, true
		}
	}
	return time.Time{}, false
}

func daysApart(a, b time.Time) int { return int(day(a).Sub(day(b)).Hours() / 24) }
