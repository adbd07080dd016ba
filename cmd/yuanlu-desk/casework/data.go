package casework

import "slices"

// The data of the events that a person, the terminal or the clock causes directly
// (casework.md §§ 4, 5, 8). Members are in the order of the page.
type (
	opened struct {
		From  string `json:"from"`
		Store string `json:"store"`
		Text  string `json:"text"`
	}
	suggested struct {
		Case string `json:"case"`
		Why  string `json:"why"`
	}
	undone struct {
		ID     string `json:"id"`
		Kind   string `json:"kind"`
		Number string `json:"number"`
		At     string `json:"at"`
	}
	voidClosed struct {
		ID    string `json:"id"`
		Batch string `json:"batch"`
		At    string `json:"at"`
	}
	payerSeen struct {
		ID      string `json:"id"`
		Channel string `json:"channel"`
		Shown   string `json:"shown"`
		At      string `json:"at"`
	}
	claimed struct {
		Owner string `json:"owner"`
	}
	assigned struct {
		Owner string `json:"owner"`
	}
	noted struct {
		Text string `json:"text"`
	}
	filed struct {
		Name   string `json:"name"`
		Type   string `json:"type"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
		Kind   string `json:"kind"`
	}
	contacted struct {
		Party     string `json:"party"`
		Direction string `json:"direction"`
		Channel   string `json:"channel"`
		Number    string `json:"number"`
		OnFile    bool   `json:"on_file"`
		Result    string `json:"result"`
		Text      string `json:"text"`
		File      int64  `json:"file,omitempty"`
	}
	identified struct {
		Method  string `json:"method"`
		Contact int64  `json:"contact,omitempty"`
		File    int64  `json:"file,omitempty"`
	}
	waiting struct {
		For   string `json:"for"`
		Until string `json:"until"`
		Text  string `json:"text"`
	}
	woke struct {
		Why string `json:"why"`
	}
	counted struct {
		Refund string `json:"refund"`
		As     string `json:"as"`
		Text   string `json:"text"`
	}
	escalated struct {
		Body     string `json:"body"`
		Ref      string `json:"ref"`
		AnswerBy string `json:"answer_by,omitempty"`
		Text     string `json:"text"`
	}
	answered struct {
		File int64  `json:"file"`
		Text string `json:"text"`
	}
	advised struct {
		Advice string `json:"advice"`
		Why    string `json:"why"`
	}
	overdue struct {
		Step string `json:"step"`
		Due  string `json:"due"`
	}
	personSet struct {
		Person Person `json:"person"`
	}
)

func (x *opened) apply(d *Desk, c *Case, _ *Event) {
	c.state, c.opened, c.byHand = stateNew, d.clock, x.From == fromHand
	c.put(x.Store)
}

// put adds a store to those of the case.
func (c *Case) put(store string) {
	if store != "" {
		c.stores[store] = true
	}
}

func (x *suggested) apply(*Desk, *Case, *Event) {}
func (x *undone) apply(*Desk, *Case, *Event)    {}
func (x *noted) apply(*Desk, *Case, *Event)     {}

func (x *voidClosed) apply(_ *Desk, c *Case, _ *Event) {
	if r := c.refund(x.ID); r != nil {
		r.batchClosed = true
	}
}

func (x *payerSeen) apply(_ *Desk, c *Case, _ *Event) { c.identified = "presented" }

func (x *claimed) apply(d *Desk, c *Case, _ *Event) { c.own(d, x.Owner) }

func (x *assigned) apply(d *Desk, c *Case, _ *Event) { c.own(d, x.Owner) }

// own sets the owner; a new case becomes verifying with its first.
func (c *Case) own(d *Desk, owner string) {
	if c.owner = owner; owner != "" && c.state == stateNew {
		c.state, c.verifying = stateVerifying, d.clock
	}
}

func (x *filed) apply(_ *Desk, c *Case, e *Event) { c.files = append(c.files, file{e.Seq, *x}) }

func (x *contacted) apply(d *Desk, c *Case, e *Event) {
	c.contacts = append(c.contacts, contact{e.Seq, d.clock, *x})
	if x.Party != "payer" || x.Result == noAnswer {
		return
	}
	if c.open() {
		c.money.unreachable = false
	} else {
		c.payerBack = true
	}
}

func (x *identified) apply(_ *Desk, c *Case, _ *Event) { c.identified = x.Method }

func (x *waiting) apply(_ *Desk, c *Case, _ *Event) {
	c.wait = x
	c.waits++
}

func (x *woke) apply(d *Desk, c *Case, _ *Event) { c.wait, c.woke = nil, d.clock }

func (x *counted) apply(_ *Desk, c *Case, _ *Event) {
	if r := c.refund(x.Refund); r != nil {
		r.role, r.fixed = x.As, true
	}
}

func (x *escalated) apply(d *Desk, c *Case, _ *Event) {
	c.escalation = &escalation{at: d.clock, escalated: *x}
	c.refs = append(c.refs, x.Ref)
}

func (x *answered) apply(_ *Desk, c *Case, _ *Event) {
	if c.escalation != nil {
		c.escalation.answered = true
	}
}

func (x *advised) apply(_ *Desk, c *Case, _ *Event) { c.advised[x.Advice+"/"+x.Why] = true }

func (x *overdue) apply(_ *Desk, c *Case, _ *Event) { c.overdue[*x] = true }

func (x *personSet) apply(d *Desk, _ *Case, _ *Event) {
	one := x.Person
	one.Roles, one.Stores, one.Operators = slices.Clone(one.Roles), slices.Clone(one.Stores), slices.Clone(one.Operators)
	d.people.set(one)
}
