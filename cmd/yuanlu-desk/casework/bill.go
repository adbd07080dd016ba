package casework

import (
	"regexp"
	"slices"
)

// Link is what a bill shows of a refund (bills.md § 7): the data of a bill_link. Amount is in fen. Transition names a step of
// both tracks, Fact the event of casework.md § 5 that the link stands for; "": it is advice, or a note.
type Link struct {
	Result     string `json:"result"`
	Key        string `json:"key"`
	Refund     string `json:"refund"`
	Row        string `json:"row"`
	Bill       string `json:"bill"` // SHA-256
	Line       int64  `json:"line"`
	Amount     int64  `json:"amount"`
	BillStatus string `json:"bill_status"`
	SettledAt  string `json:"settled_at"`
	Certain    bool   `json:"certain"`
	Transition string `json:"transition"`
	Fact       string `json:"fact"`
}

// The results of bills.md § 6 that become links; of no_bill there is nothing to link.
const (
	linkRecovered     = "recovered"
	linkAmbiguous     = "ambiguous"
	linkStatus        = "status_differs"
	linkAmount        = "amount_differs"
	linkRerouted      = "rerouted"
	linkConfirmed     = "confirmed"
	linkMissingBill   = "missing_on_bill"
	linkMissingRefund = "missing_on_terminal"
)

const (
	fromBill = "bill"
	// RowPrefix stands before the row that a refund is named by which no terminal reported.
	RowPrefix = "B-"
	// stepReopen is the step that a link advises on a closed case.
	stepReopen = "T19"

	billSuccess = "success"
)

// billed is a link with what is stated of its refund beside it, where something is.
type billed struct {
	link      Link
	refund    *RefundSide
	original  *Side
	terminal  string
	recipient string
}

var rowForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// readBill reads a line {"at","bill":{…}} (bills.md § 7). Beside the link may stand what terminal or row state of the refund,
// as in a report (casework.md § 4), and its terminal and recipient: without them no case is opened. Transition and fact may
// be left out: the case decides them.
func (d *Desk) readBill(f *form) func(*Answer) {
	f.must("at")
	b := &billed{terminal: f.optional("terminal", 128)}
	o := object(f.get("bill"))
	l := &b.link
	*l = Link{Result: o.one("result", linkRecovered, linkAmbiguous, linkStatus, linkAmount, linkRerouted, linkConfirmed, linkMissingBill, linkMissingRefund),
		Key: o.text("key", 0, 64), Refund: o.text("refund", 0, 64), Row: o.text("row", 0, 32), Bill: o.text("bill", 0, 64), Line: o.integer("line", 0, most),
		Amount: o.integer("amount", 0, largest), BillStatus: o.text("bill_status", 0, 64), SettledAt: o.text("settled_at", 0, 64), Certain: o.bool("certain")}
	o.optional("transition", 64)
	o.optional("fact", 64)
	o.check(l.Row == "" || rowForm.MatchString(l.Row) && hashForm.MatchString(l.Bill))
	f.check(o.done())
	if r, ok := f.maybe("refund"); ok {
		refund := object(r)
		b.refund = &RefundSide{Side: refund.side()}
		f.check(!refund.bad)
	}
	if v, ok := f.maybe("original"); ok && v.kind != 'n' {
		original := object(v)
		side := original.side()
		b.original = &side
		f.check(!original.bad)
	}
	if b.recipient = "unverifiable"; b.refund != nil {
		if _, ok := f.v.member("recipient"); ok {
			b.recipient = f.one("recipient", "same", "equivalent", "different", "doubtful", "unverifiable", "none")
		}
	}
	return func(*Answer) { d.bill(b) }
}

// bill links what a bill shows with the case that it is about; each once.
func (d *Desk) bill(b *billed) {
	c, held := d.linkHome(b)
	if c == nil {
		if code, severity := b.opens(); code != "" {
			d.openForBill(b, code, severity)
		}
		return
	}
	b.link.Refund = held
	if held == "" {
		d.linkPayment(c, b)
		return
	}
	d.link(c, c.refund(held), b.link)
}

// linkHome returns the case that a link is about, and the id of the refund there; "" if the refund is none of the case's but
// pays its payer (bills.md § 7, of a reissue).
func (d *Desk) linkHome(b *billed) (c *Case, held string) {
	for _, id := range []string{b.link.Refund, RowPrefix + b.link.Row} {
		if c := d.home[id]; c != nil && c.refund(id) != nil {
			return c, id
		}
	}
	if b.refund == nil {
		return nil, ""
	}
	for _, n := range []string{b.refund.RefundNo, b.refund.ChannelRefund, b.refund.RRN} {
		for _, no := range d.paying[n] {
			if c := d.cases[no]; c != nil && c.paysUnder(n) && !c.isMerged() && c.of(b.refund.MerchantID) {
				return c, ""
			}
		}
	}
	if b.original == nil {
		return nil, ""
	}
	for _, c := range d.casesOf(d.index.sales(b.original), func(r *refund) bool { return sameSale(r.original, b.original) }) {
		if c.open() && c.before(b.refund.At) {
			return c, ""
		}
	}
	return nil, ""
}

// of reports whether a case is about a merchant.
func (c *Case) of(merchant string) bool {
	return slices.ContainsFunc(c.refunds, func(r *refund) bool { return r.last.Refund.MerchantID == merchant })
}

// before reports whether a refund of the case is earlier than a time.
func (c *Case) before(at string) bool {
	when, ok := moment(at)
	return ok && slices.ContainsFunc(c.refunds, func(r *refund) bool { return r.role == roleRefund && r.dated && r.at < when })
}

// opens returns the code and the severity of the case that a link without one opens; "" if it opens none (bills.md § 7, last
// column). A refund that was undone at the terminal stands on a bill beside what undid it: that is no money behind a refusal.
func (b *billed) opens() (code, severity string) {
	l := &b.link
	if b.refund == nil || !l.Certain {
		return "", ""
	}
	switch l.Result {
	case linkStatus:
		if l.moved() && among(b.refund.Outcome, []string{"declined", "closed", "abnormal"}) {
			return "bill_status_differs", "high"
		}
	case linkAmount:
		return "bill_amount_differs", "high"
	case linkRerouted:
		return "bill_rerouted", "medium"
	case linkMissingRefund:
		return "refund_unseen", "high"
	}
	return "", ""
}

// moved reports whether the bill shows that the money moved.
func (l *Link) moved() bool { return among(l.BillStatus, []string{billSuccess, "processing"}) }

// openForBill opens a case about a refund that only a bill shows, or shows otherwise.
func (d *Desk) openForBill(b *billed, code, severity string) {
	no, id := d.nextNumber(), b.link.Refund
	if id == "" {
		id = RowPrefix + b.link.Row
	}
	r := &reported{ID: id, Terminal: b.terminal, Type: fromBill, Role: roleRefund, Decision: "review", Recipient: b.recipient, Severity: severity,
		Codes: []string{code}, Refund: *b.refund, Original: b.original}
	if o := b.original; o != nil {
		r.Refund.PointsTo = pointer{o.ChannelTxn, o.OrderNo, o.RRN}
	}
	d.write(no, bySystem, "opened", &opened{From: fromBill, Store: d.storeOf(&b.refund.Side)})
	d.write(no, bySystem, "reported", r)
	c := d.cases[no]
	d.suggest(c)
	b.link.Refund = id
	d.link(c, c.refund(id), b.link)
	d.takeIn(id)
}

// link writes a link about a refund of a case.
func (d *Desk) link(c *Case, r *refund, l Link) {
	waits := false
	if r.role == roleReissue {
		l.Transition, l.Fact, waits = c.meansToReissue(r, &l)
	} else {
		l.Transition, l.Fact = c.meansToRefund(r, &l)
	}
	if !waits {
		d.writeLink(c, &l)
	}
}

// writeLink writes a link, once for case, result and row. On a closed case it is no fact but advice to open it again.
func (d *Desk) writeLink(c *Case, l *Link) {
	if c.linked[l.name()] {
		return
	}
	if !l.Certain {
		l.Fact = ""
	}
	if l.Fact != "" && !c.open() {
		l.Transition, l.Fact = stepReopen, ""
	}
	d.write(c.No, bySystem, "bill_link", l)
}

// name is what a case has once: results without a row by their refund.
func (l *Link) name() string {
	if l.Row == "" {
		return keyOf(l.Result, l.Refund)
	}
	return keyOf(l.Result, l.Row)
}

// meansToRefund returns what a link is to the refund that a case is about (bills.md § 7, of a wrong refund). Where a person
// has recorded money as received, or the terminal has, a row may be about the same money: it is advice.
func (c *Case) meansToRefund(r *refund, l *Link) (transition, fact string) {
	switch l.Result {
	case linkRecovered:
		if fact = "received"; c.money.received > 0 || r.back() {
			fact = ""
		}
		if c.money.billed[r.id]+l.Amount < r.last.Refund.Amount {
			return "R5", fact
		}
		return "R3", fact
	case linkMissingBill:
		return "R14", ""
	case linkStatus:
		switch {
		case !l.moved():
			return "R14", ""
		case !c.open():
			return stepReopen, ""
		}
		return "T16", ""
	}
	return "", ""
}

// meansToReissue returns what a link is to a refund that pays the payer (bills.md § 7, of a reissue). waits: nothing yet.
func (c *Case) meansToReissue(r *refund, l *Link) (transition, fact string, waits bool) {
	switch l.Result {
	case linkRecovered:
		if l.Amount < r.last.Refund.Amount {
			return "M5", "", false
		}
		return "M5", "failed", false
	case linkStatus, linkConfirmed:
		switch {
		case !l.moved():
			return "M5", "failed", false
		case l.BillStatus != billSuccess:
			return "", "", true
		}
		return "M4", "settled", false
	case linkAmount:
		return "M5", "", false
	case linkMissingBill:
		return "T16", "", false
	}
	return "", "", false
}

// linkPayment links a refund that none of the case's reports is about: made in a portal, or at another terminal. It is sent
// if that was approved so, and then what the bill shows of it.
func (d *Desk) linkPayment(c *Case, b *billed) {
	l := b.link
	numbers := []string{b.refund.RefundNo, b.refund.ChannelRefund, b.refund.RRN, l.Row}
	known := slices.ContainsFunc(c.money.payments, func(p payment) bool { return p.number != "" && slices.Contains(numbers, p.number) })
	if l.Result == linkMissingRefund && l.moved() {
		one := l
		one.Transition = "M3"
		if ok := c.money.approved(); !known && ok != nil && ok.amount == l.Amount && (ok.number == "" || slices.Contains(numbers, ok.number)) {
			one.Fact = "sent"
		}
		d.writeLink(c, &one)
		if !known && one.Fact == "" {
			return // it was not approved: advice
		}
		l.Result = linkConfirmed
	}
	switch {
	case l.Result == linkConfirmed && l.BillStatus == billSuccess:
		l.Transition, l.Fact = "M4", "settled"
	case l.Result == linkConfirmed:
		return // it waits
	case l.Result == linkRecovered, l.Result == linkStatus && !l.moved():
		l.Transition, l.Fact = "M5", "failed"
	case l.Result == linkAmount:
		l.Transition = "M5"
	case l.Result == linkMissingBill, l.Result == linkStatus:
		l.Transition = "T16"
	}
	if !known && !c.paidBy(l.Row) {
		l.Fact = ""
	}
	d.writeLink(c, &l)
}

// paidBy reports whether a row is a payment of the case.
func (c *Case) paidBy(row string) bool {
	return slices.ContainsFunc(c.money.payments, func(p payment) bool { return p.row != "" && p.row == row })
}

func (x *Link) apply(d *Desk, c *Case, _ *Event) {
	if c.linked == nil {
		c.linked = map[string]bool{}
	}
	c.linked[x.name()] = true
	c.lateReport = c.lateReport || x.Transition == stepReopen && !c.open()
	m, r := &c.money, c.refund(x.Refund)
	switch x.Fact {
	case "received":
		m.receipts = true
		m.bill(x.Refund, x.Amount)
	case "sent":
		number := x.Row
		if a := m.approved(); a != nil && a.number != "" {
			number = a.number
		}
		m.payments = append(m.payments, payment{amount: x.Amount, number: number, row: x.Row})
		d.pays(c, number)
	case "settled":
		if r != nil {
			m.settled, m.proved = append(m.settled, r.id), append(m.proved, r.id)
		} else if p := c.paymentOf(x); p != nil {
			p.settled = true
		}
	case "failed":
		if r != nil {
			m.returned = append(m.returned, r.id)
		} else if p := c.paymentOf(x); p != nil {
			p.failed = true
		}
	}
}

// paymentOf returns the payment that a link is about: that of its row, else the first unsettled one of its amount.
func (c *Case) paymentOf(l *Link) *payment {
	for i := range c.money.payments {
		if p := &c.money.payments[i]; p.row != "" && p.row == l.Row {
			return p
		}
	}
	for _, p := range c.unsettled() {
		if p.amount == l.Amount {
			return p
		}
	}
	return nil
}

// pays makes a case findable by the number under which its payer is paid.
func (d *Desk) pays(c *Case, number string) {
	if number != "" && !slices.Contains(d.paying[number], c.No) {
		d.paying[number] = append(d.paying[number], c.No)
	}
}

// paysUnder reports whether the payer of a case is, or may be, paid under a number.
func (c *Case) paysUnder(number string) bool {
	return slices.ContainsFunc(c.money.payments, func(p payment) bool { return p.number == number }) ||
		slices.ContainsFunc(c.money.approvals, func(a approval) bool { return a.number == number && !a.lapsed })
}

// bill counts what bills show to be back of a refund.
func (m *money) bill(refund string, amount int64) {
	if m.billed == nil {
		m.billed = map[string]int64{}
	}
	m.billed[refund] += amount
}

// Holds reports whether a case holds a refund, or the one that a row is named by.
func (d *Desk) Holds(refund, row string) bool {
	return refund != "" && d.home[refund] != nil || row != "" && d.home[RowPrefix+row] != nil
}
