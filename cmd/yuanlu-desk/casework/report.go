package casework

import (
	"bytes"
	"fmt"
	"slices"
)

// streams is the order in which the streams of each source were first seen.
type streams map[string][]string

// place returns the number of a stream of a source, a new one if it was not seen.
func (s streams) place(source, stream string) int {
	if i := slices.Index(s[source], stream); i >= 0 {
		return i
	}
	s[source] = append(s[source], stream)
	return len(s[source]) - 1
}

// taken names an event of a terminal.
type taken struct{ source, id string }

// verdict numbers the verdict of an event: the record it is about, and which one about it.
type verdict struct{ seq, rev int64 }

// terminal takes an event of a terminal (casework.md § 4).
func (d *Desk) terminal(e *TerminalEvent) {
	if !d.note(e) {
		return
	}
	switch {
	case e.kind == "":
	case e.tally != nil:
		d.count(e)
	case e.report != nil:
		d.report(e)
	default:
		d.addition(e)
	}
}

// note registers that an event was taken; false if it was before.
func (d *Desk) note(e *TerminalEvent) bool {
	t := taken{e.Source, e.ID}
	if _, before := d.taken[t]; before {
		return false
	}
	d.taken[t] = verdict{e.seq, e.rev}
	d.streams.place(e.Source, e.Stream)
	return true
}

// addition appends an addition, or lets it wait for its case.
func (d *Desk) addition(e *TerminalEvent) {
	c := d.home[e.caseID]
	if c == nil {
		d.waiting[e.caseID] = append(d.waiting[e.caseID], e)
		return
	}
	what := map[string]string{"undone": "undone", "settled": "void_closed", "payer_seen": "payer_seen"}[e.what]
	d.write(c.No, byTerminal, what, e.addition)
}

// report finds the home of a report, and appends it (casework.md § 4, A report).
func (d *Desk) report(e *TerminalEvent) {
	r := *e.report
	home := d.homeOf(&r, e)
	switch {
	case home == nil && e.kind == typeFollowed:
		d.waiting[e.caseID] = append(d.waiting[e.caseID], e)
		return
	case home == nil:
		d.openFor(e)
		return
	}
	known := home.refund(r.ID)
	if known != nil && known.source == e.Source && !d.orderOf(&r).newer(known.order) {
		return
	}
	d.writeReport(home, &r)
	if known == nil {
		d.takeIn(r.ID)
	}
}

// writeReport appends a report to its home, with its role there; ● unless it repeats the
// refund's last.
func (d *Desk) writeReport(home *Case, r *reported) {
	known := home.refund(r.ID)
	r.Role = roleRefund
	switch {
	case known != nil && known.fixed:
		r.Role = known.role
	case r.corrected() && len(home.refunds) > 0 && home.refunds[0].id != r.ID:
		r.Role = roleReissue
	}
	d.write(home.No, byTerminal, "reported", r)
	if home.news {
		home.changed = home.changed || home.proposal != nil
		home.wakes = home.wait != nil
	}
}

// repeats reports whether two reports are equal in all but event, stream, sequence, type.
func (r *reported) repeats(last *reported) bool {
	a, b := *r, *last
	a.Event, a.Stream, a.Sequence, a.Type = "", "", "", ""
	b.Event, b.Stream, b.Sequence, b.Type = "", "", "", ""
	return bytes.Equal(encode(a), encode(b))
}

func (x *reported) apply(d *Desk, c *Case, _ *Event) {
	r := c.refund(x.ID)
	c.news = r == nil || !x.repeats(&r.last)
	c.lateReport = c.lateReport || c.news && !c.open()
	if r == nil {
		r = &refund{id: x.ID, codes: x.Codes, severity: none}
		c.refunds = append(c.refunds, r)
		d.home[x.ID] = c
	}
	r.role, r.last = x.Role, *x
	r.at, r.dated = moment(x.Refund.At)
	switch x.Type {
	case fromHand:
		r.store = d.named(c)
	case fromBill:
		r.store = d.storeOf(&x.Refund.Side)
	default:
		r.source = terminalURN + x.Terminal
		r.store = d.storeOf(&x.Refund.Side)
		r.order = d.orderOf(x)
	}
	if x.Original != nil {
		r.original = x.Original
	}
	if x.Type != typeCleared {
		r.severity = x.Severity
	}
	if !slices.Contains(r.stores, r.store) {
		r.stores = append(r.stores, r.store)
	}
	c.put(r.store)
	d.index.put(r)
}

// named is the store that a person named who opened a case by hand.
func (d *Desk) named(c *Case) string {
	for s := range c.stores {
		return s // it has just been opened, and has that one only
	}
	return ""
}

// orderOf is the order of a report among those of its source.
func (d *Desk) orderOf(x *reported) order {
	n := d.taken[taken{terminalURN + x.Terminal, x.Event}]
	return order{stream: d.streams.place(terminalURN+x.Terminal, x.Stream), sequence: x.Sequence, seq: n.seq, rev: n.rev}
}

// storeOf returns the first store whose merchant and terminal fit; "" if none does.
func (d *Desk) storeOf(s *Side) string { return d.shop(s.MerchantID, s.TerminalID) }

func (d *Desk) shop(merchant, terminal string) string {
	for i := range d.places {
		p := &d.places[i]
		if p.MerchantID == merchant && (len(p.Terminals) == 0 || slices.Contains(p.Terminals, terminal)) {
			return p.Store
		}
	}
	return ""
}

// homeOf returns the case of a report; nil if it has none.
func (d *Desk) homeOf(r *reported, e *TerminalEvent) *Case {
	if c := d.home[r.ID]; c != nil {
		return c
	}
	held := d.casesOf(d.index.sales(r.Original), func(h *refund) bool { return sameSale(h.original, r.Original) })
	for _, c := range held {
		if c.open() {
			return c
		}
	}
	for _, c := range slices.Backward(held) {
		if r.corrected() && !c.isMerged() {
			return c
		}
	}
	if e.kind == typeFollowed {
		return d.home[e.caseID]
	}
	return nil
}

// openFor opens a case for a report that has no home.
func (d *Desk) openFor(e *TerminalEvent) {
	r := *e.report
	no := d.nextNumber()
	d.write(no, byTerminal, "opened", &opened{From: fromTerminal, Store: d.storeOf(&r.Refund.Side)})
	d.writeReport(d.cases[no], &r)
	d.suggest(d.cases[no])
	d.takeIn(r.ID)
}

// nextNumber returns the number of the next case of the year (casework.md § 1).
func (d *Desk) nextNumber() string {
	year := d.cal.Format(d.clock)[:4]
	return fmt.Sprintf("C-%s-%06d", year, d.numbers[year]+1)
}

// takeIn takes in what waits for a case, in order of arrival.
func (d *Desk) takeIn(id string) {
	waits := d.waiting[id]
	delete(d.waiting, id)
	for _, e := range waits {
		if e.report != nil {
			d.report(e)
		} else {
			d.addition(e)
		}
	}
}

// suggest compares a new case with the other open ones (casework.md § 4).
func (d *Desk) suggest(c *Case) {
	mine := c.refunds[0]
	for _, other := range d.casesOf(d.index.like(mine), func(r *refund) bool { return r != mine }) {
		if other == c || !other.open() {
			continue
		}
		if why := likely(mine, other); why != "" {
			d.write(c.No, bySystem, "suggested", &suggested{other.No, why})
		}
	}
}

// likely returns the first reason why a refund may belong to a case; "" if there is none.
func likely(mine *refund, other *Case) string {
	a := &mine.last.Refund
	for _, reason := range []struct {
		why  string
		fits func(*refund) bool
	}{
		{"number", func(r *refund) bool {
			b := &r.last.Refund
			return mine.last.Type == fromHand && b.numbered(a.RefundNo) || r.last.Type == fromHand && a.numbered(b.RefundNo)
		}},
		{"points_to", func(r *refund) bool {
			p, o := a.PointsTo, r.original
			return o != nil && (p.ChannelTxn != "" && p.ChannelTxn == o.ChannelTxn || p.OrderNo != "" && p.OrderNo == o.OrderNo || p.RRN != "" && p.RRN == o.RRN)
		}},
		{"recipient", func(r *refund) bool {
			return mine.source == r.source && a.Token != "" && a.Token == r.last.Refund.Token && r.role == roleRefund
		}},
	} {
		if slices.ContainsFunc(other.refunds, func(r *refund) bool { return r.last.Refund.MerchantID == a.MerchantID && reason.fits(r) }) {
			return reason.why
		}
	}
	return ""
}

// tallyKey names a tally; the newest of each source, merchant, terminal and date.
type tallyKey struct{ source, merchant, terminal, date string }

// count takes a tally if it is newer than the last.
func (d *Desk) count(e *TerminalEvent) {
	o := order{stream: d.streams.place(e.Source, e.Stream), sequence: e.Sequence}
	k := tallyKey{e.Source, e.tally.merchant, e.tally.terminal, e.tally.date}
	if old := d.tallies[k]; old != nil && !o.newer(old.order) {
		return
	}
	e.tally.order = o
	d.tallies[k] = e.tally
}
