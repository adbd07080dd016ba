package casework

import "slices"

// Offer is a command that somebody may give by his role; Refusal is why it cannot be given
// now, "" if it can.
type Offer struct {
	Do      string  `json:"do"`
	Refusal Refusal `json:"refusal"`
}

// caseCommands are the commands of casework.md § 5 on one case, in its order.
func caseCommands() []string {
	return []string{"claim", "assign", "release", "note", "file", "contact", "identify", "wait", "resume", "count", "request", "received", "refused",
		"sent", "settled", "failed", "declined", "unreachable", "escalate", "answered", "propose", "approve", "reject", "withdraw"}
}

// Offers returns the commands that somebody may give on a case by his role, each with what
// its checks 8 to 11 refuse (casework.md § 5) whatever its arguments are; nil if he does not
// see the case. Nothing changes.
func (d *Desk) Offers(by, no string) (out []Offer) {
	p, ok := d.people.active(by)
	c := d.cases[no]
	if !ok || c == nil || !p.sees(c) {
		return nil
	}
	for _, do := range caseCommands() {
		k, _ := kindOf(do)
		if !p.has(k.roles...) {
			continue
		}
		refusal := k.fits(&command{expect: -1}, p, c)
		if refusal == "" {
			refusal = d.probe(p, c, d.trials(do, c))
		}
		out = append(out, Offer{do, refusal})
	}
	return out
}

// probe runs the guards of a command with several arguments: "" if some pass, else what
// refused the first. Nothing is written.
func (d *Desk) probe(p *Person, c *Case, trials []args) (first Refusal) {
	d.dry = true
	defer func() { d.dry = false }()
	for i, a := range trials {
		refusal := a.run(d, p, c)
		if refusal == "" {
			return ""
		}
		if i == 0 {
			first = refusal
		}
	}
	return first
}

// trials returns arguments of which some pass if any do.
func (d *Desk) trials(do string, c *Case) []args {
	proposal := int64(0)
	if c.proposal != nil {
		proposal = c.proposal.Seq
	}
	switch do {
	case "claim":
		return []args{&claimArgs{}}
	case "assign":
		out := []args{&assignArgs{c.owner}, &assignArgs{""}}
		for _, id := range d.Owners(c.No) {
			out = append(out, &assignArgs{id})
		}
		return out
	case "release":
		return []args{&releaseArgs{}}
	case "note":
		return []args{&noteArgs{}}
	case "file":
		return []args{&fileArgs{filed{Type: FileTypes()[0]}}}
	case "contact":
		return []args{&contactArgs{}}
	case "wait":
		return []args{&waitArgs{until: d.clock + 1}}
	case "resume":
		return []args{&resumeArgs{}}
	case "escalate":
		return []args{&escalateArgs{}}
	case "propose":
		return c.proposals()
	case "approve":
		return []args{&approveArgs{proposal}}
	case "reject":
		return []args{&rejectArgs{rejected{Proposal: proposal}}}
	case "withdraw":
		return []args{&withdrawArgs{proposal}}
	}
	return c.moneyTrials(do)
}

// moneyTrials is trials for the tracks and what needs evidence.
func (c *Case) moneyTrials(do string) []args {
	switch do {
	case "request":
		ref := ""
		return []args{&requestArgs{Order{Do: do, Route: "acquirer", Ref: &ref}}}
	case "failed":
		return []args{&failedArgs{}}
	case "unreachable":
		return []args{&unreachableArgs{}}
	case "sent":
		a := &sentArgs{sent{Amount: 1, Number: "1"}}
		if ok := c.money.approved(); ok != nil {
			a.Amount = ok.amount
			if ok.number != "" {
				a.Number = ok.number
			}
		}
		return []args{a}
	case "count":
		out := []args{&countArgs{}}
		for _, r := range c.refunds {
			as := roleReissue
			if r.role == roleReissue {
				as = roleRefund
			}
			out = append(out, &countArgs{counted{Refund: r.id, As: as}})
		}
		return out
	}
	out := evidenceArgs(do, 0, 0)
	for i := range c.contacts {
		out = append(out, evidenceArgs(do, c.contacts[i].seq, 0)...)
	}
	for i := range c.files {
		out = append(out, evidenceArgs(do, 0, c.files[i].seq)...)
	}
	return out
}

// evidenceArgs are arguments that name a contact or a file.
func evidenceArgs(do string, contact, file int64) []args {
	switch do {
	case "identify":
		return []args{&identArgs{identified{callback, contact, file}}, &identArgs{identified{"document", contact, file}}}
	case "answered":
		return []args{&answeredArgs{answered{File: file}}}
	case "received":
		return []args{&receivedArgs{received{1, file}}}
	case "refused":
		return []args{&refusedArgs{refused{Why: answer, Contact: contact, File: file}}}
	case "settled":
		return []args{&settledArgs{settled{contact, file}}}
	}
	return []args{&declinedArgs{declined{contact, file}}}
}

// proposals are proposals of one command each.
func (c *Case) proposals() []args {
	owed, text := int64(0), ""
	orders := []Order{{Do: "close", Outcome: outcomeInconclusive}, {Do: "close", Outcome: outcomeWrong}, {Do: "write_off"},
		{Do: "reissue", Amount: 1, Way: "original", Number: &text}, {Do: "reopen"}}
	for _, r := range c.refunds {
		orders = append(orders, Order{Do: "finding", Wrong: []string{r.id}, Owed: &owed})
	}
	out := make([]args, 0, len(orders))
	for _, o := range orders {
		out = append(out, &proposeArgs{commands: []Order{o}})
	}
	return out
}

// Owners returns those who may own a case, by id (casework.md § 5, assign).
func (d *Desk) Owners(no string) (out []string) {
	c := d.cases[no]
	for _, id := range d.people.ids {
		if p := d.people.byID[id]; c != nil && p.mayOwn() && p.sees(c) {
			out = append(out, id)
		}
	}
	return out
}

// Foresee returns the case as it would be if somebody approved its open proposal now, or
// why its commands would be refused (casework.md § 5, approve); NoProposal if none is open.
func (d *Desk) Foresee(by, no string) (*View, Refusal) {
	p, c := d.people.byID[by], d.cases[no]
	if p == nil || c == nil || c.proposal == nil {
		return nil, NoProposal
	}
	trial, open := c.copy(), c.proposal
	trial.take(d, trial.event(by, "approved"), &approved{open.Seq})
	if _, refusal := d.try(trial, p, of{open.Seq, by}, open.Maker, open.Commands); refusal != "" {
		return nil, refusal
	}
	return d.view(trial), ""
}

// Hands returns as what somebody is, or ever was, registered for the refunds of a case:
// operator, approver, releaser (casework.md § 3, 2a).
func (d *Desk) Hands(by, no string) (out []string) {
	c := d.cases[no]
	if c == nil {
		return nil
	}
	for _, r := range c.refunds {
		s := &r.last.Refund
		for _, hand := range []struct{ as, operator string }{{"operator", s.Operator}, {"approver", s.Approver}, {"releaser", s.Releaser}} {
			if d.people.is(by, s.MerchantID, s.TerminalID, hand.operator) && !slices.Contains(out, hand.as) {
				out = append(out, hand.as)
			}
		}
	}
	return out
}

// Counts returns how many cases each list holds for somebody (casework.md § 9); lists that
// his role does not have are missing.
func (d *Desk) Counts(by string) map[string]int {
	p, ok := d.people.active(by)
	if !ok || !p.has(lookers...) {
		return nil
	}
	names := ListNames()
	if !p.has(working...) {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "next" })
	}
	found := make([]int, len(names))
	for _, c := range d.order {
		if !c.open() && c.proposal == nil || !p.sees(c) { // what is closed is in no list without a proposal
			continue
		}
		for i, name := range names {
			if d.listed(p, c, name) {
				found[i]++
			}
		}
	}
	n := map[string]int{}
	for i, name := range names {
		n[name] = found[i]
	}
	return n
}

// Shops returns the stores of the set-up that somebody works at, as casework.md § 2 has them.
func (d *Desk) Shops(by string) (out []Place) {
	p, ok := d.people.active(by)
	for _, one := range d.places {
		if ok && p.of(one.Store) {
			out = append(out, one)
		}
	}
	return out
}

// Now is the desk's clock as journals write it (casework.md § 1).
func (d *Desk) Now() string { return d.cal.Format(d.clock) }

// Written writes Unix seconds as casework.md § 1 does, in the desk's zone.
func (d *Desk) Written(t int64) string { return d.cal.Format(t) }
