package casework

import (
	"maps"
	"slices"
)

// The states of both tracks (casework.md § 6).
const (
	trackToRequest   = "to_request"
	trackRequested   = "requested"
	trackRefused     = "refused"
	trackRecovered   = "recovered"
	trackWrittenOff  = "written_off"
	trackNotOwed     = "not_owed"
	trackSettled     = "settled"
	trackSent        = "sent"
	trackApproved    = "approved"
	trackDeclined    = "declined"
	trackUnreachable = "unreachable"
	trackToPay       = "to_pay"
)

// money is what happened to the money of a case, and its sums now.
type money struct {
	requested   int64  // when last
	last        string // of requested, refused
	received    int64  // sum
	receipts    bool
	billed      map[string]int64 // of each refund: what bills show to be back
	writtenOff  bool
	payments    []payment
	settled     []string // ids of refunds that a settled covered
	proved      []string // ids of refunds that a bill shows to have arrived, whatever the terminal reports
	returned    []string // ids of refunds that a bill shows to have failed
	approvals   []approval
	declined    bool
	unreachable bool

	stake, recovered, paid, arrived int64
}

// payment is one `sent`.
type payment struct {
	amount          int64
	number          string
	row             string // of a bill, where that showed it first
	failed, settled bool
}

// approval is one that the payer be paid.
type approval struct {
	seq, ends    int64
	amount       int64
	number       string
	used, lapsed bool
}

func (m *money) copy() money {
	n := *m
	n.payments, n.settled, n.approvals = slices.Clone(m.payments), slices.Clone(m.settled), slices.Clone(m.approvals)
	n.billed, n.proved, n.returned = maps.Clone(m.billed), slices.Clone(m.proved), slices.Clone(m.returned)
	return n
}

// approved returns the approval that is open, if there is one.
func (m *money) approved() *approval {
	if n := len(m.approvals); n > 0 && !m.approvals[n-1].used && !m.approvals[n-1].lapsed {
		return &m.approvals[n-1]
	}
	return nil
}

// tracks computes sums and states (casework.md § 6); restart sets the beginning of both.
func (c *Case) tracks(now int64, restart bool) {
	m := &c.money
	if c.finding == nil {
		m.stake, m.recovered, m.paid, m.arrived = 0, 0, 0, 0
		c.recovery, c.payer = track{state: none}, track{state: none}
		return
	}
	m.stake = c.finding.Stake
	back := m.received
	for _, r := range c.refunds {
		switch {
		case !c.wrong(r.id):
		case r.back():
			back += r.last.Refund.Amount
		default:
			back += min(m.billed[r.id], r.last.Refund.Amount)
		}
	}
	m.recovered = min(m.stake, back)
	before := m.paid
	m.paid, m.arrived = c.sums()
	if a := m.approved(); a != nil && m.paid > before {
		a.used = true
	}
	c.recovery.move(c.recoveryState(), now, restart)
	c.payer.move(c.payerState(), now, restart)
}

func (t *track) move(state string, now int64, restart bool) {
	if state != t.state || restart {
		t.state, t.since = state, now
	}
}

func (c *Case) lostNow() int64 {
	if c.finding == nil || !c.money.writtenOff {
		return 0
	}
	return c.money.stake - c.money.recovered
}

func (c *Case) recoveryState() string {
	m := &c.money
	switch {
	case m.recovered == m.stake:
		return trackRecovered
	case m.writtenOff:
		return trackWrittenOff
	case m.last != "":
		return m.last
	}
	return trackToRequest
}

func (c *Case) payerState() string {
	m, owed := &c.money, c.finding.Owed
	switch {
	case owed == 0:
		return trackNotOwed
	case m.arrived >= owed:
		return trackSettled
	case m.paid >= owed:
		return trackSent
	case m.approved() != nil:
		return trackApproved
	case m.declined:
		return trackDeclined
	case m.unreachable:
		return trackUnreachable
	}
	return trackToPay
}

// pays reports whether a refund counts as paid to the payer.
func (c *Case) pays(r *refund) bool {
	if r.role != roleReissue || c.wrong(r.id) || slices.Contains(c.money.returned, r.id) {
		return false
	}
	return !r.back() || !r.last.Cancelled && slices.Contains(c.money.proved, r.id)
}

// seen returns the refund that the terminal saw of a payment; nil if it counts itself.
func (c *Case) seen(p *payment) *refund {
	for _, r := range c.refunds {
		if c.pays(r) && r.last.Refund.numbered(p.number) {
			return r
		}
	}
	return nil
}

// counts reports whether a payment is counted.
func (c *Case) counts(p *payment) bool { return !p.failed && c.seen(p) == nil }

// arrived reports whether a refund that pays is settled.
func (c *Case) arrived(r *refund) bool {
	s := &r.last.Refund
	if s.Outcome == "approved" && wallet(s.Channel) || slices.Contains(c.money.settled, r.id) {
		return true
	}
	return slices.ContainsFunc(c.money.payments, func(p payment) bool { return p.settled && s.numbered(p.number) })
}

// sums returns what was paid to the payer, and what of it is settled.
func (c *Case) sums() (paid, arrived int64) {
	for _, r := range c.refunds {
		if !c.pays(r) {
			continue
		}
		paid += r.last.Refund.Amount
		if c.arrived(r) {
			arrived += r.last.Refund.Amount
		}
	}
	for i := range c.money.payments {
		p := &c.money.payments[i]
		if !c.counts(p) {
			continue
		}
		paid += p.amount
		if p.settled {
			arrived += p.amount
		}
	}
	return paid, arrived
}

// settle marks all that was paid and is unsettled.
func (c *Case) settle() {
	for _, r := range c.refunds {
		if c.pays(r) && !c.arrived(r) {
			c.money.settled = append(c.money.settled, r.id)
		}
	}
	for i := range c.money.payments {
		if p := &c.money.payments[i]; c.counts(p) {
			p.settled = true
		}
	}
}

// unsettled returns the counted payments that are not settled.
func (c *Case) unsettled() []*payment {
	var out []*payment
	for i := range c.money.payments {
		if p := &c.money.payments[i]; c.counts(p) && !p.settled {
			out = append(out, p)
		}
	}
	return out
}

// bothDone reports whether both tracks are as closing as wrong needs (casework.md § 7).
func (c *Case) bothDone() bool {
	return among(c.recovery.state, []string{trackRecovered, trackWrittenOff}) &&
		among(c.payer.state, []string{trackSettled, trackDeclined, trackUnreachable, trackNotOwed})
}
