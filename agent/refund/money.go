package refund

import (
	"cmp"
	"slices"
	"time"
)

// Money is what verdicts.md § 3 asks about a refund or void and its original. Amounts are in
// minor units; pointers are nil where there is no such event.
type Money struct {
	// Base is the original's amount as the last approved adjust left it, or its
	// payer_amount if ByPayer.
	Base    int64
	ByPayer bool   // original, refund and every counted refund state payer_amount
	Adjust  *Event // the adjust that left the amount so
	Amount  int64  // of the original, as adjusted
	This    int64  // of this refund, in the same measure as Base
	Counted int64  // of the refunds counted before it, in the same measure
	// CountedRefunds are those, by seq; LeftOut the different and approved ones
	// that a corrected refund leaves out.
	CountedRefunds []*Event
	LeftOut        []*Event
	LossOpen       *Event // the last of LeftOut that is not payer_not_repaid
	Repeats        *Event // the last counted refund of the same amount
	// RoomWithoutGuesses: without those of CountedRefunds whose original was found by
	// its payer alone, base − counted is not less than this refund.
	RoomWithoutGuesses bool
	// EarlierDifferent is the last earlier refund of this original whose recipient
	// is different and whose money may have moved (verdicts.md § 4, reissue).
	EarlierDifferent *Event
	// VoidedBy is the last approved void before this one, RefundedBy the last refund
	// whose money may have moved; of a guess only where all of them are guesses.
	VoidedBy, RefundedBy           *Event
	VoidedByGuess, RefundedByGuess bool
	CurrencyDiffers                bool // both stated and different
	Days                           int  // local calendar days from the original to this one
	Window                         int  // days that the original's channel allows
	// Early is how long this one lies before its original by the clock; negative
	// or zero if it does not.
	Early time.Duration
}

// Excess is the way in which more goes back than was paid.
type Excess uint8

const (
	ExcessNone     Excess = iota
	ExcessUndone          // the original is undone
	ExcessVoided          // it was voided before
	ExcessRefunded        // a void of what was refunded before
	ExcessSum             // base − counted is less than this refund
	ExcessRepeat          // likewise, and an earlier counted refund has the same amount
)

// Excess returns whether more goes back than was paid (verdicts.md § 3; § 4, Voids). byGuess: only
// refunds and voids whose original was found by its payer alone make it so, and this
// one's was not: a guess accuses no one.
func (c *Case) Excess() (e Excess, byGuess bool) {
	m := &c.Money
	if c.Original == nil || noMoneyMoved(c.Original.Record.Outcome) || m.CurrencyDiffers {
		return ExcessNone, false
	}
	voided, refunded := m.VoidedBy != nil, m.RefundedBy != nil && !c.IsRefund()
	sum := c.IsRefund() && m.Base-m.Counted < m.This
	switch {
	case c.Original.UndoneBy != 0:
		return ExcessUndone, false
	case voided && (!m.VoidedByGuess || !refunded || m.RefundedByGuess):
		e, byGuess = ExcessVoided, m.VoidedByGuess
	case refunded:
		e, byGuess = ExcessRefunded, m.RefundedByGuess
	case sum && m.Repeats != nil:
		e, byGuess = ExcessRepeat, m.RoomWithoutGuesses
	case sum:
		e, byGuess = ExcessSum, m.RoomWithoutGuesses
	}
	return e, byGuess && c.Search.FoundBy != FoundByParty
}

// WrongVoid returns what is unlike a void (verdicts.md § 4, Voids): amount, it states another
// amount than its original's; batch, both state a batch and they differ.
func (c *Case) WrongVoid() (amount, batch bool) {
	if c.IsRefund() || c.Original == nil {
		return false, false
	}
	r, own, orig := &c.Refund.Record, c.Refund.Record.Batch, c.Original.Record.Batch
	return r.HasAmount && r.Amount != c.Money.Amount, Given(own) && Given(orig) && own != orig
}

// faulty reports whether the amounts do not fit the original (verdicts.md § 2, step f of key party).
func (c *Case) faulty() bool {
	excess, _ := c.Excess()
	amount, batch := c.WrongVoid()
	return excess != ExcessNone || c.Money.CurrencyDiffers || amount || batch
}

// related is what the store knows that may concern some sales: the refunds and
// voids found to be theirs, and adjusts. One is shared by sales asked for together.
type related struct {
	judged  []*Event
	adjusts []*Event
}

// relatedKeys appends the keys by which the refunds, voids and adjusts of a sale are found.
func relatedKeys(keys []Key, sale *Event) []Key {
	r := &sale.Record
	keys = append(keys, refundsOfKey(sale.Seq))
	if r.ChannelTxn != "" {
		keys = append(keys, oneKey(KeyChannelTxn, r.ChannelTxn))
	}
	if r.OrderNo != "" {
		keys = append(keys, oneKey(KeyOrderNo, r.OrderNo))
	}
	if r.RRN != "" {
		keys = append(keys, oneKey(KeyRRN, r.RRN))
	}
	if r.Stan != "" && r.Batch != "" {
		keys = append(keys, stanKey(r.TerminalID, r.Stan, r.Batch, false))
	}
	return keys
}

// relate reads what may concern the sales, in as few calls as possible.
func (w *work) relate(sales []*Event) error {
	var keys []Key
	var todo []*Event
	for _, s := range sales {
		if _, ok := w.relatedTo[s.Seq]; ok {
			continue
		}
		todo = append(todo, s)
		keys = relatedKeys(keys, s)
	}
	if len(todo) == 0 {
		return nil
	}
	if len(todo) > 1 { // many sales may share a number
		slices.SortFunc(keys, func(a, b Key) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value)) })
		keys = slices.Compact(keys)
	}
	found, err := w.askMore(keys)
	if err != nil {
		return err
	}
	rel := &related{}
	for _, e := range found {
		switch {
		case e.Record.Kind.Judged():
			rel.judged = append(rel.judged, e)
		case e.Record.Kind == KindAdjust:
			rel.adjusts = append(rel.adjusts, e)
		}
	}
	if w.relatedTo == nil {
		w.relatedTo = map[int64]*related{}
	}
	for _, s := range todo {
		w.relatedTo[s.Seq] = rel
	}
	return nil
}

// refundsOf returns the refunds and voids before seq whose original is the sale, by
// seq, with the verdicts they have now.
func (w *work) refundsOf(sale *Event, before int64) (events []*Event, verdicts []*Verdict, err error) {
	if err := w.relate([]*Event{sale}); err != nil {
		return nil, nil, err
	}
	for _, e := range w.current(w.relatedTo[sale.Seq].judged, false) {
		if e.Seq >= before || !e.Record.Kind.Judged() || e.Record.Training || w.passed[e.Seq] {
			continue
		}
		if hasKey(&e.Record) && !pointsAt(&e.Record, &sale.Record) {
			continue // of these no verdict has the sale as its original, so none is read
		}
		j, err := w.verdict(e.Seq)
		if err != nil {
			return nil, nil, err
		}
		if j != nil && j.Verdict.Original != nil && j.Verdict.Original.Seq == sale.Seq {
			events, verdicts = append(events, e), append(verdicts, &j.Verdict)
		}
	}
	return events, verdicts, nil
}

// voidedBy returns the last approved void of the sale before seq, nil if none (verdicts.md § 2).
func (w *work) voidedBy(sale *Event, before int64) (*Event, error) {
	events, _, err := w.refundsOf(sale, before)
	var last *Event
	for _, e := range events {
		if voids(e) {
			last = e
		}
	}
	return last, err
}

// voids reports whether an event is a void with effect: approved and not undone.
func voids(e *Event) bool {
	return e.Record.Kind.IsVoid() && e.Record.Outcome == Approved && e.UndoneBy == 0
}

// amountOf returns a sale's amount as the last approved adjust that names it left it,
// and that adjust (verdicts.md § 3, Base).
func (w *work) amountOf(sale *Event) (int64, *Event, error) {
	if err := w.relate([]*Event{sale}); err != nil {
		return 0, nil, err
	}
	amount := sale.Record.Amount
	var last *Event
	for _, a := range w.current(w.relatedTo[sale.Seq].adjusts, false) {
		if a.Seq <= sale.Seq || !adjusts(a) || a.Record.MerchantID != sale.Record.MerchantID {
			continue
		}
		target, err := w.adjusted(a)
		if err != nil {
			return 0, nil, err
		}
		if target != nil && target.Seq == sale.Seq {
			amount, last = a.Record.Amount, a
		}
	}
	return amount, last, nil
}

// adjusts reports whether an event is an adjust with effect.
func adjusts(e *Event) bool {
	return e.Record.Kind == KindAdjust && e.Record.Outcome == Approved && e.UndoneBy == 0 &&
		!e.Record.Training && unusable(&e.Record) == ""
}

// adjusted returns the sale or completion that an adjust names, nil if none: batch
// and stan at its own terminal, else rrn; the latest before it (verdicts.md § 3, Base).
func (w *work) adjusted(a *Event) (*Event, error) {
	events, err := w.find(wantedKeys(nil, &a.Record))
	if err != nil {
		return nil, err
	}
	return latest(namedByAdjust(a, events)), nil
}

// namedByAdjust returns the events that the first of an adjust's keys hits.
func namedByAdjust(a *Event, events []*Event) []*Event {
	o := &a.Record.Original
	byStan := Given(o.Stan) && Given(o.Batch)
	var stan, rrn []*Event
	for _, e := range events {
		r := &e.Record
		if e.Seq >= a.Seq || !r.Kind.IsSale() || r.Training || r.MerchantID != a.Record.MerchantID || unusable(r) != "" {
			continue
		}
		if byStan && r.TerminalID == a.Record.TerminalID && r.Stan == o.Stan && r.Batch == o.Batch {
			stan = append(stan, e)
		}
		if Given(o.RRN) && r.RRN == o.RRN {
			rrn = append(rrn, e)
		}
	}
	if len(stan) > 0 {
		return stan
	}
	return rrn
}

// money gathers verdicts.md § 3 for a refund or void whose original and recipient are known.
func (w *work) money(c *Case) error {
	m, r, o := &c.Money, &c.Refund.Record, &c.Original.Record
	var err error
	if m.Amount, m.Adjust, err = w.amountOf(c.Original); err != nil {
		return err
	}
	m.CurrencyDiffers = o.Currency != "" && r.Currency != "" && o.Currency != r.Currency
	w.times(c)
	events, verdicts, err := w.refundsOf(c.Original, c.Refund.Seq)
	if err != nil {
		return err
	}
	currency := o.Currency
	if currency == "" {
		currency = r.Currency
	}
	var guessed []*Event
	for i, e := range events {
		guess := verdicts[i].Original.FoundBy == FoundByParty
		if voids(e) && (!guess || m.VoidedBy == nil || m.VoidedByGuess) {
			m.VoidedBy, m.VoidedByGuess = e, guess
		}
		if e.Record.Kind != KindRefund || !moneyMayMove(e.Record.Outcome) || e.UndoneBy != 0 {
			continue
		}
		if !guess || m.RefundedBy == nil || m.RefundedByGuess {
			m.RefundedBy, m.RefundedByGuess = e, guess
		}
		if c.countRefund(e, verdicts[i], currency) && guess {
			guessed = append(guessed, e)
		}
	}
	m.measure(r, o)
	if m.Base-m.Counted < m.This {
		m.roomWithoutGuesses(r, o, guessed)
	}
	return nil
}

// countRefund counts an earlier refund e with verdict v of the same original, and reports
// whether it did: one in another currency does not count, and one that went to somebody
// else is left out where this refund goes to the payer.
func (c *Case) countRefund(e *Event, v *Verdict, currency string) bool {
	m, wrong := &c.Money, v.Recipient == Different
	if wrong {
		m.EarlierDifferent = e
	}
	if e.Record.Currency != "" && currency != "" && e.Record.Currency != currency {
		return false
	}
	if wrong && e.Record.Outcome == Approved && c.Recipient.Match() {
		m.LeftOut = append(m.LeftOut, e)
		if !v.Has(CodePayerNotRepaid) {
			m.LossOpen = e
		}
		return false
	}
	m.CountedRefunds = append(m.CountedRefunds, e)
	if e.Record.Amount == c.Refund.Record.Amount {
		m.Repeats = e
	}
	return true
}

// roomWithoutGuesses adds up again without the guesses.
func (m *Money) roomWithoutGuesses(r, o *Record, guessed []*Event) {
	sure := Money{Amount: m.Amount}
	for _, e := range m.CountedRefunds {
		if !slices.Contains(guessed, e) {
			sure.CountedRefunds = append(sure.CountedRefunds, e)
		}
	}
	sure.measure(r, o)
	m.RoomWithoutGuesses = sure.Base-sure.Counted >= sure.This
}

// measure adds up by payer_amount if everybody states it, else by amount.
func (m *Money) measure(r, o *Record) {
	m.ByPayer = o.HasPayerAmount && r.HasPayerAmount
	for _, e := range m.CountedRefunds {
		m.ByPayer = m.ByPayer && e.Record.HasPayerAmount
	}
	of := func(r *Record) int64 {
		if m.ByPayer {
			return r.PayerAmount
		}
		return r.Amount
	}
	m.Base, m.This = m.Amount, of(r)
	if m.ByPayer {
		m.Base = o.PayerAmount
	}
	for _, e := range m.CountedRefunds {
		m.Counted += of(&e.Record)
	}
}

// times gathers what verdicts.md § 3 asks of calendar and clock.
func (w *work) times(c *Case) {
	made, _ := c.Refund.Record.Time()
	sold, _ := c.Original.Record.Time()
	c.Money.Days = int(dayOf(made) - dayOf(sold))
	c.Money.Early = sold.Sub(made)
	channel := c.Original.Record.Channel
	if !channelKnown(channel) {
		channel = c.Refund.Record.Channel
	}
	c.Money.Window = w.j.settings.window(channel)
}
