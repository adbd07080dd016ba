package casework

import (
	"slices"
	"strconv"
)

// Desk is the back office's work: its set-up, its people, its cases.
type Desk struct {
	set    Settings
	cal    Calendar
	places []Place
	people people

	begun bool            // a line that is no set-up was taken
	given map[string]bool // lines of set-up
	clock int64

	version int64 // of the journal desk
	hash    string

	cases   map[string]*Case
	order   []*Case // by number
	numbers map[string]int64
	home    map[string]*Case // of each refund
	index   index
	paying  map[string][]string // cases by the numbers under which payers are paid; one may not have it any more
	queue   queue               // when cases do something by themselves
	fresh   []*Case             // that changed since

	taken   map[taken]verdict
	streams streams
	waiting map[string][]*TerminalEvent
	tallies map[tallyKey]*tally
	keys    map[personKey]keyed
	reads   []Reading

	// Of the line that is looked at.
	events  []Event
	touched []string
	key     string
	newKey  Key
	dry     bool // guards alone: nothing is written
}

type personKey struct{ person, key string }

// keyed is a command that was done under a key.
type keyed struct {
	command string // a hash of all but at and expect
	line    int64
}

// New returns a desk with the default set-up and without people; its clock stands at the
// beginning of 1970.
func New() *Desk {
	return &Desk{set: DefaultSettings(), cal: DefaultCalendar(), people: newPeople(), given: map[string]bool{}, hash: noHash,
		cases: map[string]*Case{}, numbers: map[string]int64{}, home: map[string]*Case{}, index: index{}, paying: map[string][]string{}, taken: map[taken]verdict{}, streams: streams{},
		waiting: map[string][]*TerminalEvent{}, tallies: map[tallyKey]*tally{}, keys: map[personKey]keyed{}}
}

// add makes a case known.
func (d *Desk) add(c *Case) {
	d.cases[c.No] = c
	d.order = append(d.order, c)
	if n, err := strconv.ParseInt(c.No[7:], 10, 64); err == nil {
		d.Numbered(c.No[2:6], n)
	}
}

// touch notes that a case had an event in this line.
func (d *Desk) touch(no string) {
	if !slices.Contains(d.touched, no) {
		d.touched = append(d.touched, no)
	}
}

// consequences writes what follows of the events before, case by case in the order in
// which they were touched (casework.md § 10).
func (d *Desk) consequences() {
	d.key = ""
	for i := 0; i < len(d.touched); i++ {
		c := d.cases[d.touched[i]]
		if c.changed && c.proposal != nil {
			d.write(c.No, bySystem, "lapsed", &lapsed{c.proposal.Seq, "changed"})
		}
		c.changed = false
		if c.wakes && c.wait != nil {
			d.write(c.No, byTerminal, "woke", &woke{"event"})
		}
		c.wakes = false
		d.advise(c)
	}
	d.touched = nil
}

// advise writes the advice whose condition holds for the first time since the case was
// opened or reopened (casework.md § 6).
func (d *Desk) advise(c *Case) {
	for _, a := range d.advice(c) {
		if !c.advised[a.Advice+"/"+a.Why] {
			d.write(c.No, bySystem, "advised", &a)
		}
	}
}

// advice returns all conditions that hold now, in the order of casework.md § 6.
func (d *Desk) advice(c *Case) []advised {
	var out []advised
	when := func(holds bool, advice, why string) {
		if holds {
			out = append(out, advised{advice, why})
		}
	}
	switch {
	case c.isMerged():
		return nil
	case !c.open():
		when(c.lateReport, "reopen", "late_event")
		when(c.payable > 0 && c.payerBack, "reopen", "payer_back")
		return out
	}
	when((c.state == stateNew || c.state == stateVerifying) && c.allPass(), "close", "terminal_cleared")
	when(c.state == stateWorking && slices.ContainsFunc(c.refunds, func(r *refund) bool {
		return c.wrong(r.id) && r.last.Decision == "pass" && !r.last.Cancelled
	}), "recheck", "terminal_cleared")
	when(c.recovery.state == trackRefused, "escalate", "recovery_refused")
	when(c.failures("payer") >= 3 || c.failures("recipient") >= 3, "escalate", "contacts_failed")
	when(c.finding != nil && c.money.stake >= d.set.EscalateAmount, "escalate", "amount")
	when(slices.ContainsFunc(c.contacts, func(k contact) bool { return k.Direction == "in" && k.Party == "authority" }), "escalate", "complaint")
	when(c.finding != nil && c.money.paid > c.finding.Owed, "check", "overpaid")
	allowed := int64(0)
	for _, a := range c.money.approvals {
		if !a.lapsed {
			allowed += a.amount
		}
	}
	when(c.finding != nil && c.money.paid > allowed, "check", "unapproved")
	return out
}

// allPass reports whether there are refunds with role refund, and all have decision pass.
func (c *Case) allPass() bool {
	n := 0
	for _, r := range c.refunds {
		if r.role == roleRefund {
			if n++; r.last.Decision != "pass" {
				return false
			}
		}
	}
	return n > 0
}

// failures counts the contacts with a party that were not answered.
func (c *Case) failures(party string) (n int) {
	for _, k := range c.contacts {
		if k.Party == party && k.Result == noAnswer {
			n++
		}
	}
	return n
}
