package casework

import (
	"maps"
	"slices"
)

// View is a case as it is shown (casework.md § 10). Members are in the order of the page.
type View struct {
	No         string          `json:"no"`
	Version    int64           `json:"version"`
	Hash       string          `json:"hash"`
	State      string          `json:"state"`
	Severity   string          `json:"severity"`
	Opened     string          `json:"opened"`
	Owner      string          `json:"owner"`
	Stores     []string        `json:"stores"`
	VoidUntil  *string         `json:"void_until"`
	Waiting    *WaitView       `json:"waiting"`
	Refunds    []RefundView    `json:"refunds"`
	Finding    *FindingView    `json:"finding"`
	Recovery   RecoveryView    `json:"recovery"`
	Payer      PayerView       `json:"payer"`
	Identified string          `json:"identified"`
	Proposal   *Proposal       `json:"proposal"`
	Escalation *EscalationView `json:"escalation"`
	Outcome    string          `json:"outcome"`
	MergedInto string          `json:"merged_into"`
	Payable    int64           `json:"payable"`
	Advice     []string        `json:"advice"`
	Steps      []StepView      `json:"steps"`
	Contacts   int             `json:"contacts"`
	Files      int             `json:"files"`
}

// WaitView is what a case waits for.
type WaitView struct {
	For   string `json:"for"`
	Until string `json:"until"`
}

// RefundView is a refund of a case by its last report; Amount is in minor units.
type RefundView struct {
	ID        string   `json:"id"`
	Role      string   `json:"role"`
	Wrong     bool     `json:"wrong"`
	Decision  string   `json:"decision"`
	Recipient string   `json:"recipient"`
	Severity  string   `json:"severity"`
	Codes     []string `json:"codes"`
	Outcome   string   `json:"outcome"`
	Amount    int64    `json:"amount"`
	Currency  string   `json:"currency"`
	Cancelled bool     `json:"cancelled"`
	Back      bool     `json:"back"`
}

// FindingView is what two people found to be wrong; amounts are in minor units.
type FindingView struct {
	Wrong    []string `json:"wrong"`
	Owed     int64    `json:"owed"`
	Stake    int64    `json:"stake"`
	Currency string   `json:"currency"`
}

// RecoveryView is the track of the money that comes back, in minor units.
type RecoveryView struct {
	State     string `json:"state"`
	Since     string `json:"since"`
	Recovered int64  `json:"recovered"`
	Lost      int64  `json:"lost"`
}

// PayerView is the track of what the payer gets, in minor units.
type PayerView struct {
	State   string `json:"state"`
	Since   string `json:"since"`
	Paid    int64  `json:"paid"`
	Settled int64  `json:"settled"`
}

// EscalationView is the last escalation.
type EscalationView struct {
	Body     string `json:"body"`
	Ref      string `json:"ref"`
	Answered bool   `json:"answered"`
}

// StepView is a step and when it is due.
type StepView struct {
	Step string `json:"step"`
	Due  string `json:"due"`
}

// DeskView is the desk's own journal as it is shown.
type DeskView struct {
	No      string `json:"no"`
	Version int64  `json:"version"`
	Hash    string `json:"hash"`
}

// show returns what a person sees of a case, or of the desk; p nil sees all.
func (d *Desk) show(p *Person, no string) (any, Refusal) {
	if no == DeskJournal {
		if p != nil && !p.has(deskLookers...) {
			return nil, NotAllowed
		}
		return DeskView{DeskJournal, d.version, d.hash}, ""
	}
	if p != nil && !p.has(lookers...) {
		return nil, NotAllowed
	}
	c := d.cases[no]
	if c == nil || p != nil && !p.sees(c) {
		return nil, NotFound
	}
	return d.view(c), ""
}

func (d *Desk) view(c *Case) *View {
	f := d.cal.Format
	v := &View{No: c.No, Version: c.version, Hash: c.hash, State: c.state, Severity: c.severity, Opened: f(c.opened), Owner: c.owner,
		Stores: append([]string{}, slices.Sorted(maps.Keys(c.stores))...), Refunds: []RefundView{},
		Recovery:   RecoveryView{c.recovery.state, d.cal.since(c.recovery), c.money.recovered, c.lostNow()},
		Payer:      PayerView{c.payer.state, d.cal.since(c.payer), c.money.paid, c.money.arrived},
		Identified: c.identified, Proposal: c.proposal, Outcome: c.outcome, MergedInto: c.into, Payable: c.payable, Advice: []string{}, Steps: []StepView{},
		Contacts: len(c.contacts), Files: len(c.files)}
	if until := d.voidUntil(c); until > 0 {
		text := f(until)
		v.VoidUntil = &text
	}
	if c.wait != nil {
		v.Waiting = &WaitView{c.wait.For, c.wait.Until}
	}
	for _, r := range c.refunds {
		l := &r.last
		v.Refunds = append(v.Refunds, RefundView{r.id, r.role, c.wrong(r.id), l.Decision, l.Recipient, r.severity, l.Codes, l.Refund.Outcome,
			l.Refund.Amount, l.Refund.Currency, l.Cancelled, r.back()})
	}
	if w := c.finding; w != nil {
		v.Finding = &FindingView{w.Wrong, w.Owed, w.Stake, w.Currency}
	}
	if e := c.escalation; e != nil {
		v.Escalation = &EscalationView{e.Body, e.Ref, e.answered}
	}
	for _, a := range d.advice(c) {
		v.Advice = append(v.Advice, a.Advice+"/"+a.Why)
	}
	for _, s := range d.steps(c) {
		v.Steps = append(v.Steps, StepView{s.name, f(s.due)})
	}
	return v
}
