package casework

// of stands before what the commands of an approved proposal cause.
type of struct {
	Proposal int64  `json:"proposal,omitempty"`
	Checker  string `json:"checker,omitempty"`
}

// The data of proposals, their ends, and of both tracks (casework.md § 5). Members are in
// the order of the page.
type (
	requested struct {
		of
		Route string `json:"route"`
		Ref   string `json:"ref"`
	}
	received struct {
		Amount int64 `json:"amount"`
		File   int64 `json:"file"`
	}
	refused struct {
		Why     string `json:"why"`
		Contact int64  `json:"contact,omitempty"`
		File    int64  `json:"file,omitempty"`
		Text    string `json:"text,omitempty"`
	}
	sent struct {
		Amount int64  `json:"amount"`
		Number string `json:"number"`
	}
	settled struct {
		Contact int64 `json:"contact,omitempty"`
		File    int64 `json:"file,omitempty"`
	}
	failed struct {
		Text string `json:"text"`
	}
	declined struct {
		Contact int64 `json:"contact,omitempty"`
		File    int64 `json:"file,omitempty"`
	}
	unreachable struct{}
	proposed    struct {
		Commands  []Order `json:"commands"`
		Text      string  `json:"text"`
		Base      string  `json:"base"`
		ApproveBy string  `json:"approve_by"`
		Expires   string  `json:"expires"`
	}
	approved struct {
		Proposal int64 `json:"proposal"`
	}
	rejected struct {
		Proposal int64  `json:"proposal"`
		Text     string `json:"text"`
	}
	withdrawn struct {
		Proposal int64 `json:"proposal"`
	}
	lapsed struct {
		Proposal int64  `json:"proposal"`
		Why      string `json:"why"`
	}
	found struct {
		of
		Wrong    []string `json:"wrong"`
		Owed     int64    `json:"owed"`
		Stake    int64    `json:"stake"`
		Currency string   `json:"currency"`
	}
	reissueApproved struct {
		of
		Amount  int64  `json:"amount"`
		Way     string `json:"way"`
		Number  string `json:"number"`
		Expires string `json:"expires"`
	}
	reissueLapsed struct {
		Approved int64 `json:"approved"`
	}
	writtenOff struct {
		of
		Amount int64  `json:"amount"`
		Bearer string `json:"bearer"`
	}
	closed struct {
		of
		Outcome string `json:"outcome"`
		Into    string `json:"into"`
		Lost    int64  `json:"lost"`
		Payable int64  `json:"payable"`
	}
	merged struct {
		From string   `json:"from"`
		IDs  []string `json:"ids"`
	}
	reopened struct{ of }
)

// Order is one of the commands that a proposal holds (casework.md § 5, Propose). Members
// that its command does not have are nil or zero.
type Order struct {
	Do      string   `json:"do"`
	Wrong   []string `json:"wrong,omitempty"`
	Owed    *int64   `json:"owed,omitempty"`
	Route   string   `json:"route,omitempty"`
	Ref     *string  `json:"ref,omitempty"`
	Amount  int64    `json:"amount,omitempty"`
	Way     string   `json:"way,omitempty"`
	Number  *string  `json:"number,omitempty"`
	Bearer  string   `json:"bearer,omitempty"`
	Outcome string   `json:"outcome,omitempty"`
	Into    string   `json:"into,omitempty"`
	Contact int64    `json:"contact,omitempty"`
	File    int64    `json:"file,omitempty"`
}

func (x *requested) apply(d *Desk, c *Case, _ *Event) {
	c.money.last, c.money.requested = trackRequested, d.clock
	c.refs = append(c.refs, x.Ref)
}

func (x *received) apply(_ *Desk, c *Case, _ *Event) {
	c.money.received += x.Amount
	c.money.receipts = true
}

func (x *refused) apply(_ *Desk, c *Case, _ *Event) { c.money.last = trackRefused }

func (x *sent) apply(d *Desk, c *Case, _ *Event) {
	c.money.payments = append(c.money.payments, payment{amount: x.Amount, number: x.Number})
	d.pays(c, x.Number)
}

func (x *settled) apply(_ *Desk, c *Case, _ *Event) { c.settle() }

func (x *failed) apply(_ *Desk, c *Case, _ *Event) {
	for _, p := range c.unsettled() {
		p.failed = true
	}
}

func (x *declined) apply(_ *Desk, c *Case, _ *Event)    { c.money.declined = true }
func (x *unreachable) apply(_ *Desk, c *Case, _ *Event) { c.money.unreachable = true }

func (x *proposed) apply(_ *Desk, c *Case, e *Event) {
	p := &Proposal{Seq: e.Seq, Maker: e.By, Commands: x.Commands, Base: x.Base, ApproveBy: x.ApproveBy, Expires: x.Expires}
	p.by, _ = written(x.ApproveBy)
	p.ends, _ = written(x.Expires)
	c.proposal = p
}

func (x *approved) apply(_ *Desk, c *Case, _ *Event)  { c.proposal = nil }
func (x *rejected) apply(_ *Desk, c *Case, _ *Event)  { c.proposal = nil }
func (x *withdrawn) apply(_ *Desk, c *Case, _ *Event) { c.proposal = nil }
func (x *lapsed) apply(_ *Desk, c *Case, _ *Event)    { c.proposal, c.changed = nil, false }

func (x *found) apply(_ *Desk, c *Case, _ *Event) {
	c.finding, c.state, c.wait = x, stateWorking, nil
	c.money.writtenOff, c.money.declined, c.money.unreachable = false, false, false
}

func (x *reissueApproved) apply(d *Desk, c *Case, e *Event) {
	a := approval{seq: e.Seq, amount: x.Amount, number: x.Number}
	a.ends, _ = written(x.Expires)
	c.money.approvals = append(c.money.approvals, a)
	d.pays(c, x.Number)
	c.money.declined, c.money.unreachable = false, false
}

func (x *reissueLapsed) apply(_ *Desk, c *Case, _ *Event) {
	for i := range c.money.approvals {
		if c.money.approvals[i].seq == x.Approved {
			c.money.approvals[i].lapsed = true
		}
	}
}

func (x *writtenOff) apply(_ *Desk, c *Case, _ *Event) { c.money.writtenOff = true }

func (x *closed) apply(d *Desk, c *Case, _ *Event) {
	c.state, c.owner, c.wait, c.proposal = stateClosed, "", nil, nil
	c.closedAt, c.outcome, c.into, c.lost, c.payable = d.clock, x.Outcome, x.Into, x.Lost, x.Payable
	c.lateReport, c.payerBack = false, false
	switch classOf(x.Outcome) {
	case classWrong:
		if x.Outcome == outcomeLegal {
			c.money.writtenOff = true
		}
	case classNone:
		c.moved, c.refunds = c.refunds, nil
	default:
		c.finding = nil
	}
}

func (x *merged) apply(d *Desk, c *Case, _ *Event) {
	from := d.cases[x.From]
	if from == nil {
		return
	}
	for _, r := range from.moved {
		one := *r
		c.refunds = append(c.refunds, &one)
		d.home[r.id] = c
		if n := from.money.billed[r.id]; n > 0 {
			c.money.receipts = true
			c.money.bill(r.id, n)
		}
		for _, s := range r.stores {
			c.put(s)
		}
	}
	from.moved = nil
}

func (x *reopened) apply(d *Desk, c *Case, e *Event) {
	c.owner, c.outcome, c.lost, c.payable, c.closedAt = e.By, "", 0, 0, 0
	c.lateReport, c.payerBack = false, false
	clear(c.advised)
	if c.finding != nil {
		c.state = stateWorking
		return
	}
	c.state, c.verifying = stateVerifying, d.clock
}
