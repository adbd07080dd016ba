package casework

type (
	requestArgs  struct{ order Order }
	receivedArgs struct{ received }
	refusedArgs  struct{ refused }
	sentArgs     struct{ sent }
	settledArgs  struct{ settled }
	failedArgs   struct{ failed }
	declinedArgs struct{ declined }
	// unreachableArgs has no arguments.
	unreachableArgs struct{}
)

// answer is why recovery was refused, beside no_answer.
const answer = "answer"

// confirmed reports whether the payer confirmed (casework.md § 5, Confirmed).
func (k *contact) confirmed() bool { return k.Party == "payer" && k.Result == "confirmed" }

// answeredByPayer reports whether the payer was reached.
func (k *contact) reachedPayer() bool { return k.Party == "payer" && k.Result != noAnswer }

// evidence checks a contact and a file that may be given, the contact first; fits is what
// a contact must show.
func (c *Case) evidence(contact, file int64, fits func(*contact) bool) Refusal {
	if contact > 0 {
		if k := c.contact(contact); k == nil || fits != nil && !fits(k) {
			return BadContact
		}
	}
	if file > 0 && c.file(file) == nil {
		return BadFile
	}
	return ""
}

// needed is evidence of which one at least must be given.
func (c *Case) needed(contact, file int64, fits func(*contact) bool) Refusal {
	if refusal := c.evidence(contact, file, fits); refusal != "" {
		return refusal
	}
	if contact == 0 && file == 0 {
		return NoEvidence
	}
	return ""
}

func (a *requestArgs) run(d *Desk, p *Person, c *Case) Refusal {
	x, refusal := d.tryRequest(c, &a.order)
	if refusal == "" {
		d.write(c.No, p.ID, "requested", x)
	}
	return refusal
}

// tryRequest checks a request, as a command or in a proposal.
func (d *Desk) tryRequest(c *Case, o *Order) (*requested, Refusal) {
	switch {
	case c.recovery.state != trackToRequest && c.recovery.state != trackRefused:
		return nil, TrackState
	case o.Route == "void" && d.voidUntil(c) == 0:
		return nil, VoidWindowClosed
	}
	return &requested{Route: o.Route, Ref: *o.Ref}, ""
}

func (a *receivedArgs) run(d *Desk, p *Person, c *Case) Refusal {
	switch {
	case c.file(a.File) == nil:
		return BadFile
	case a.Amount > c.money.stake-c.money.recovered:
		return TooMuch
	}
	d.write(c.No, p.ID, "received", &a.received)
	return ""
}

func (a *refusedArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.recovery.state != trackRequested {
		return TrackState
	}
	if refusal := c.needed(a.Contact, a.File, nil); refusal != "" {
		return refusal
	}
	d.write(c.No, p.ID, "refused", &a.refused)
	return ""
}

func (a *sentArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.payer.state != trackApproved {
		return TrackState
	}
	if ok := c.money.approved(); a.Amount != ok.amount || ok.number != "" && a.Number != ok.number {
		return NotAsApproved
	}
	d.write(c.No, p.ID, "sent", &a.sent)
	return ""
}

func (a *settledArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.money.paid <= c.money.arrived {
		return TrackState
	}
	if refusal := c.needed(a.Contact, a.File, (*contact).confirmed); refusal != "" {
		return refusal
	}
	d.write(c.No, p.ID, "settled", &a.settled)
	return ""
}

func (a *failedArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if len(c.unsettled()) == 0 {
		return TrackState
	}
	d.write(c.No, p.ID, "failed", &a.failed)
	return ""
}

func (a *declinedArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.payer.state != trackToPay {
		return TrackState
	}
	if refusal := c.needed(a.Contact, a.File, (*contact).reachedPayer); refusal != "" {
		return refusal
	}
	d.write(c.No, p.ID, "declined", &a.declined)
	return ""
}

func (a *unreachableArgs) run(d *Desk, p *Person, c *Case) Refusal {
	if c.payer.state != trackToPay {
		return TrackState
	}
	tries, dates, channels := 0, map[int64]bool{}, map[string]bool{}
	for i := range c.contacts {
		switch k := &c.contacts[i]; {
		case k.reachedPayer():
			tries = 0
			clear(dates)
			clear(channels)
		case k.Party == "payer" && k.Direction == "out":
			on, _ := d.cal.date(k.at)
			tries, dates[on], channels[k.Channel] = tries+1, true, true
		}
	}
	if tries < 3 || len(dates) < 3 || len(channels) < 2 {
		return TooFewTries
	}
	d.write(c.No, p.ID, "unreachable", &unreachable{})
	return ""
}
