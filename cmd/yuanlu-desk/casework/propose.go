package casework

import "slices"

// proposeArgs is what one person asks another to approve (casework.md § 5, Propose).
type proposeArgs struct {
	commands []Order
	text     string
}

func readPropose(f *form) args {
	a := &proposeArgs{}
	f.list("commands", func(v value) {
		o := object(v)
		do := o.text("do", 1, 64)
		a.commands = append(a.commands, o.order(do))
		f.check(o.done())
	})
	f.check(len(a.commands) >= 1 && len(a.commands) <= 5)
	var names []string
	for _, o := range a.commands {
		names = append(names, o.Do)
	}
	distinct(f, names)
	a.text = f.words()
	return a
}

func (a *proposeArgs) has(do string) bool {
	return slices.ContainsFunc(a.commands, func(o Order) bool { return o.Do == do })
}

func (a *proposeArgs) run(d *Desk, p *Person, c *Case) Refusal {
	switch {
	case c.proposal != nil:
		return ProposalOpen
	case len(a.commands) == 1 && a.has("request"):
		return NotTwo
	case c.owner != "" && c.owner != p.ID && !a.has("reopen"):
		return NotOwner
	}
	trial := c.copy()
	claims := c.owner == "" && c.open()
	if claims {
		trial.take(d, trial.event(p.ID, "claimed"), &claimed{p.ID})
	}
	if _, refusal := d.try(trial, p, of{}, p.ID, a.commands); refusal != "" {
		return refusal
	}
	if claims {
		d.write(c.No, p.ID, "claimed", &claimed{p.ID})
	}
	x := &proposed{Commands: a.commands, Text: a.text, Base: c.hash}
	by, ends := d.cal.after(d.clock, d.set.ApproveMin*minute), d.cal.days(d.clock, d.set.ExpireDays)
	if i := slices.IndexFunc(a.commands, func(o Order) bool { return o.Route == "void" }); i >= 0 {
		until := d.voidUntil(c)
		by, ends = min(by, halfway(d.clock, until)), min(ends, until)
	}
	x.ApproveBy, x.Expires = d.cal.Format(min(by, ends)), d.cal.Format(ends)
	d.write(c.No, p.ID, "proposed", x)
	return ""
}

// event is the next event of a copy of a case; it is never written.
func (c *Case) event(by, what string) *Event {
	return &Event{Case: c.No, Seq: c.version + 1, By: by, What: what}
}

// caused is an event that an approved command causes.
type caused struct {
	what string
	data change
}

// try runs commands on a copy of a case, each on what those before it leave, and returns
// their events; or the first refusal (casework.md § 5, Propose). viewer is who must see
// the case into which it is merged.
func (d *Desk) try(trial *Case, viewer *Person, from of, maker string, commands []Order) ([]caused, Refusal) {
	var out []caused
	for i := range commands {
		o := &commands[i]
		if trial.isMerged() {
			return nil, Merged
		}
		if !slices.Contains(statesOf(o.Do), trial.state) {
			return nil, WrongState
		}
		one, refusal := d.tryOne(trial, viewer, from, o)
		if refusal != "" {
			return nil, refusal
		}
		trial.take(d, trial.event(maker, one.what), one.data)
		out = append(out, one)
	}
	return out, ""
}

// statesOf returns the states in which a command of a proposal can be done.
func statesOf(do string) []string {
	switch do {
	case "finding", "close":
		return atWork
	case "reopen":
		return []string{stateClosed}
	}
	return []string{stateWorking}
}

func (d *Desk) tryOne(c *Case, viewer *Person, from of, o *Order) (caused, Refusal) {
	switch o.Do {
	case "finding":
		x, refusal := c.tryFinding(from, o)
		return caused{"found", x}, refusal
	case "request":
		x, refusal := d.tryRequest(c, o)
		if refusal == "" {
			x.of = from
		}
		return caused{"requested", x}, refusal
	case "reissue":
		x, refusal := d.tryReissue(c, from, o)
		return caused{"reissue_approved", x}, refusal
	case "write_off":
		if c.recovery.state != trackToRequest && c.recovery.state != trackRefused {
			return caused{}, TrackState
		}
		return caused{"written_off", &writtenOff{from, c.money.stake - c.money.recovered, o.Bearer}}, ""
	case "close":
		x, refusal := d.tryClose(c, viewer, from, o)
		return caused{"closed", x}, refusal
	}
	return caused{"reopened", &reopened{from}}, ""
}

func (c *Case) tryFinding(from of, o *Order) (*found, Refusal) {
	x := &found{of: from, Wrong: o.Wrong, Owed: *o.Owed}
	seen := map[string]bool{}
	for _, id := range o.Wrong {
		r := c.refund(id)
		if r == nil || seen[id] {
			return nil, BadRefund
		}
		seen[id] = true
		x.Stake += r.last.Refund.Amount
	}
	switch {
	case len(o.Wrong) == 0:
		return nil, BadRefund
	case c.payer.state == trackApproved:
		return nil, TrackState
	}
	for i, id := range o.Wrong {
		currency := c.refund(id).last.Refund.Currency
		if currency == "" {
			currency = "CNY"
		}
		if i > 0 && currency != x.Currency {
			return nil, Currencies
		}
		x.Currency = currency
	}
	if x.Owed > x.Stake {
		return nil, TooMuch
	}
	return x, ""
}

func (d *Desk) tryReissue(c *Case, from of, o *Order) (*reissueApproved, Refusal) {
	switch {
	case !among(c.payer.state, []string{trackToPay, trackDeclined, trackUnreachable}):
		return nil, TrackState
	case o.Amount > c.finding.Owed-c.money.paid:
		return nil, TooMuch
	case slices.ContainsFunc(c.refunds, func(r *refund) bool {
		return c.wrong(r.id) && among(r.last.Refund.Outcome, []string{"unknown", "pending"}) && !r.last.Cancelled
	}):
		return nil, OutcomeOpen
	case o.Way == "other" && c.identified == "":
		return nil, NotIdentified
	}
	return &reissueApproved{from, o.Amount, o.Way, *o.Number, d.cal.Format(d.clock + d.set.SendHours*hour)}, ""
}

type (
	approveArgs  struct{ proposal int64 }
	rejectArgs   struct{ rejected }
	withdrawArgs struct{ proposal int64 }
)

// judges reports why a person may not judge the open proposal (casework.md § 3).
func (d *Desk) judges(p *Person, c *Case, approves bool) Refusal {
	switch {
	case c.proposal.Maker == p.ID:
		return SamePerson
	case d.involved(p, c):
		return Involved
	case approves && !p.has(supervisor) && slices.ContainsFunc(c.proposal.Commands, func(o Order) bool {
		return o.Do == "write_off" || o.Do == "reopen" || o.Outcome == outcomeLegal
	}):
		return NeedsSupervisor
	}
	return ""
}

func (a *approveArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.proposal == nil || c.proposal.Seq != a.proposal {
		return NoProposal
	}
	if refusal := d.judges(p, c, true); refusal != "" {
		return refusal
	}
	trial, maker := c.copy(), c.proposal.Maker
	trial.take(d, trial.event(p.ID, "approved"), &approved{a.proposal})
	events, refusal := d.try(trial, p, of{a.proposal, p.ID}, maker, c.proposal.Commands)
	if refusal != "" {
		return refusal
	}
	d.write(c.No, p.ID, "approved", &approved{a.proposal})
	for _, e := range events {
		d.write(c.No, maker, e.what, e.data)
		if x, ok := e.data.(*closed); ok && x.Into != "" {
			ids := []string{}
			for _, r := range c.moved {
				ids = append(ids, r.id)
			}
			d.write(x.Into, maker, "merged", &merged{c.No, ids})
		}
	}
	return ""
}

func (a *rejectArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.proposal == nil || c.proposal.Seq != a.Proposal {
		return NoProposal
	}
	if refusal := d.judges(p, c, false); refusal != "" {
		return refusal
	}
	d.write(c.No, p.ID, "rejected", &a.rejected)
	return ""
}

func (a *withdrawArgs) run(d *Desk, p *Person, c *Case) Refusal {
	switch {
	case c.proposal == nil || c.proposal.Seq != a.proposal:
		return NoProposal
	case c.proposal.Maker != p.ID:
		return NotMaker
	}
	d.write(c.No, p.ID, "withdrawn", &withdrawn{a.proposal})
	return ""
}
