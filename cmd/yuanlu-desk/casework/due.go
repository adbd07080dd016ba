package casework

import (
	"cmp"
	"container/heap"
	"slices"
)

// step is what somebody has to do in a case until a time (casework.md § 8).
type step struct {
	name string
	due  int64
}

// voidEnd returns when the void of a refund ends; 0 if it has no store with a cutoff, or
// is no wrong one.
func (d *Desk) voidEnd(r *refund) int64 {
	if r.role != roleRefund || !r.dated {
		return 0
	}
	for i := range d.places {
		if p := &d.places[i]; p.Store == r.store && p.Cutoff != "" {
			return d.cal.cutoff(r.at, p.Cutoff)
		}
	}
	return 0
}

// voidUntil returns the end of the void window of a case; 0 if it is not open.
func (d *Desk) voidUntil(c *Case) int64 {
	until := int64(0)
	for _, r := range c.refunds {
		if r.back() || r.batchClosed {
			continue
		}
		if end := d.voidEnd(r); end > d.clock && (until == 0 || end < until) {
			until = end
		}
	}
	return until
}

// steps returns what is to be done in a case, by due, then name.
func (d *Desk) steps(c *Case) []step {
	var out []step
	add := func(name string, due int64) { out = append(out, step{name, due}) }
	if p := c.proposal; p != nil {
		add("approve", p.by)
	}
	switch {
	case c.state == stateNew:
		add("claim", d.claimBy(c))
	case c.state == stateVerifying && c.wait == nil && c.proposal == nil:
		add("decide", d.cal.days(max(c.verifying, c.woke), d.set.DecideDays))
	case c.wait != nil:
		until, _ := written(c.wait.Until)
		add("wait", until)
	}
	if c.open() {
		d.trackSteps(c, add)
		if e := c.escalation; e != nil && !e.answered {
			add("body", d.bodyBy(e))
		}
	}
	slices.SortStableFunc(out, func(a, b step) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.name, b.name)) })
	return out
}

func (d *Desk) bodyBy(e *escalation) int64 {
	if days, ok := date(e.AnswerBy); ok {
		return d.cal.at(days, d.cal.to)
	}
	return d.cal.days(e.at, d.set.BodyDays)
}

// claimBy is when a new case must have an owner.
func (d *Desk) claimBy(c *Case) int64 {
	due := d.cal.days(c.since, d.set.ClaimDays)
	switch c.severity {
	case "critical":
		due = d.cal.after(c.since, d.set.ClaimCriticalMin*minute)
	case "high":
		due = d.cal.after(c.since, d.set.ClaimHighMin*minute)
	}
	first := int64(0)
	for _, r := range c.refunds {
		if end := d.voidEnd(r); end > 0 && (first == 0 || end < first) {
			first = end
		}
	}
	if first > c.since {
		due = min(due, halfway(c.since, first))
	}
	return due
}

// halfway is the middle of two times, rounded down.
func halfway(from, to int64) int64 { return from + (to-from)/2 }

// trackSteps adds the steps of both tracks.
func (d *Desk) trackSteps(c *Case, add func(string, int64)) {
	s := &d.set
	switch r := c.recovery; r.state {
	case trackToRequest:
		add("request", d.cal.days(r.since, s.RequestDays))
	case trackRequested:
		add("chase", d.cal.days(r.since, s.ChaseDays))
	case trackRefused:
		add("decide_loss", d.cal.days(r.since, s.WriteOffDays))
	}
	switch p := c.payer; p.state {
	case trackToPay:
		if slices.ContainsFunc(c.contacts, func(k contact) bool { return k.Party == "payer" }) {
			add("pay", p.since+s.PayHours*hour)
		} else {
			add("contact_payer", p.since+s.ContactHours*hour)
		}
	case trackApproved:
		add("send", c.money.approved().ends)
	case trackSent:
		if r := c.refund(c.finding.Wrong[0]); r != nil && wallet(r.last.Refund.Channel) {
			add("arrive", p.since+s.ArriveWalletMin*minute)
		} else {
			add("arrive", d.cal.days(p.since, s.ArriveDays))
		}
	}
	if c.bothDone() && c.proposal == nil {
		add("close", max(c.recovery.since, c.payer.since)+s.CloseDays*day)
	}
}

// due is what happens by itself at a time; kind orders those of one case and time.
type due struct {
	at    int64
	kind  int
	write func(*Desk, *Case)
}

// The kinds of what happens by itself (casework.md § 8, a to e).
const (
	dueLapse = iota
	dueReissue
	dueWake
	dueRefused
	dueOverdue
)

// next returns the first that happens by itself in a case; nil if there is none.
func (d *Desk) next(c *Case) *due {
	if c.dueDone {
		return c.due
	}
	c.due, c.dueDone = nil, true
	add := func(at int64, kind int, write func(*Desk, *Case)) {
		if c.due == nil || at < c.due.at || at == c.due.at && kind < c.due.kind {
			c.due = &due{at, kind, write}
		}
	}
	if p := c.proposal; p != nil {
		add(p.ends, dueLapse, func(d *Desk, c *Case) { d.write(c.No, bySystem, "lapsed", &lapsed{p.Seq, "expired"}) })
	}
	if c.open() {
		if a := c.money.approved(); a != nil {
			add(a.ends, dueReissue, func(d *Desk, c *Case) { d.write(c.No, bySystem, "reissue_lapsed", &reissueLapsed{a.seq}) })
		}
		if c.wait != nil {
			until, _ := written(c.wait.Until)
			add(until, dueWake, func(d *Desk, c *Case) { d.write(c.No, bySystem, "woke", &woke{"time"}) })
		}
		if c.recovery.state == trackRequested {
			add(d.cal.days(c.money.requested, d.set.AnswerDays), dueRefused, func(d *Desk, c *Case) {
				d.write(c.No, bySystem, "refused", &refused{Why: noAnswer})
			})
		}
	}
	c.step = 0
	for i, s := range d.steps(c) {
		if i == 0 {
			c.step = s.due
		}
		o := overdue{s.name, d.cal.Format(s.due)}
		if !c.overdue[o] {
			add(s.due, dueOverdue, func(d *Desk, c *Case) { d.write(c.No, bySystem, "overdue", &o) })
		}
	}
	return c.due
}

// run lets everything happen that is due until a time (casework.md § 8), and sets the clock.
func (d *Desk) run(until int64) {
	until = max(until, d.clock)
	for d.requeue(); len(d.queue) > 0 && d.queue[0].at <= until; d.requeue() {
		first, ok := heap.Pop(&d.queue).(queued)
		c := first.c
		if n := d.next(c); ok && d.cases[c.No] == c && n != nil && n.at == first.at { // else it has changed since
			d.clock = max(d.clock, n.at)
			n.write(d, c)
			d.consequences()
		}
	}
	d.clock = until
}

// requeue puts the cases that changed into the queue, at what they do next.
func (d *Desk) requeue() {
	for _, c := range d.fresh {
		c.fresh = false
		if n := d.next(c); n != nil {
			heap.Push(&d.queue, queued{n.at, c})
		}
	}
	d.fresh = d.fresh[:0]
}

// queued is when a case does something by itself, as it was when it changed last.
type queued struct {
	at int64
	c  *Case
}

// queue has the earliest first, and of one time the smallest number.
type queue []queued

// Len is one method of heap.Interface.
func (q queue) Len() int { return len(q) }

// Less is one method of heap.Interface.
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].c.No < q[j].c.No
}

// Swap is one method of heap.Interface.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is one method of heap.Interface.
func (q *queue) Push(x any) {
	if one, ok := x.(queued); ok {
		*q = append(*q, one)
	}
}

// Pop is one method of heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	one := (*q)[last]
	*q = (*q)[:last]
	return one
}
