package page

import (
	"encoding/json"
	"html/template"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// proposal is an open one, as who approves must see it (casework.md § 14, 5).
type proposal struct {
	*casework.Proposal
	Reason  string
	Orders  []template.HTML
	Hands   string           // as what its maker is registered for the refund; ""
	After   *casework.View   // the case if it were approved now
	Blocked casework.Refusal // why its commands would be refused now
	Judges  bool             // the visitor's role may approve
	Mine    bool
	Why     casework.Refusal // why the visitor may not approve
	Rejects bool
	Added   []entry // since it was made
}

// propose reads the open proposal of a case.
func (c *screen) propose(q *request, l *store.Looking, journal []casework.Event) {
	if c.Proposal == nil {
		return
	}
	me := q.who.Person.ID
	p := &proposal{Proposal: c.Proposal, Mine: c.Proposal.Maker == me}
	for i := range p.Commands {
		p.Orders = append(p.Orders, q.say.order(&p.Commands[i], c.Currency))
	}
	p.Hands = q.say.names("hand", l.Desk.Hands(p.Maker, c.No))
	p.After, p.Blocked = l.Desk.Foresee(me, c.No)
	for _, o := range l.Desk.Offers(me, c.No) {
		switch o.Do {
		case "approve":
			p.Judges, p.Why = true, o.Refusal
		case "reject":
			p.Rejects = o.Refusal == ""
		}
	}
	for _, e := range journal {
		switch {
		case e.Seq == p.Seq:
			var said struct{ Text string }
			if json.Unmarshal(e.Data, &said) == nil {
				p.Reason = said.Text
			}
		case e.Seq > p.Seq && (e.What == "contacted" || e.What == "filed" || e.What == "noted"):
			p.Added = append(p.Added, q.say.entry(e, c.Currency))
		}
	}
	c.Proposed = p
}
