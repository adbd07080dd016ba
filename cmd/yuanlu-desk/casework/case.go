package casework

import (
	"maps"
	"slices"
	"strings"
)

// The states of a case; these are all (casework.md § 1).
const (
	stateNew       = "new"
	stateVerifying = "verifying"
	stateWorking   = "working"
	stateClosed    = "closed"
)

// Case is what the events of one journal make of it.
type Case struct {
	// What every list asks of every case stands together at the beginning: a desk has many.
	state    string
	owner    string
	wait     *waiting
	proposal *Proposal
	step     int64           // when its first step is due, with due; 0: it has none
	stores   map[string]bool // of every refund it ever held

	No      string
	version int64
	hash    string
	// lastSeen is the last event that is no overdue: what a person must have seen.
	lastSeen int64

	opened   int64
	byHand   bool
	refunds  []*refund
	moved    []*refund // to the case it was merged into
	severity string
	since    int64 // when it got its severity

	verifying, woke int64 // when verifying began, and waiting ended last
	waits           int64

	contacts   []contact
	files      []file
	refs       []string // of requests and escalations
	identified string

	finding    *found
	money      money
	recovery   track
	payer      track
	escalation *escalation

	closedAt      int64
	outcome       string
	lost, payable int64
	into          string
	lateReport    bool // a new report came since it was closed
	payerBack     bool // a contact with the payer since

	keys []personKey // under which commands on it were done

	advised map[string]bool // since it was opened or reopened
	linked  map[string]bool // links of bills that it has
	overdue map[overdue]bool

	changed bool // an event ended the open proposal
	news    bool // the last report differs from the one before
	wakes   bool // a report ends waiting
	fresh   bool // changed since the queue was made
	due     *due // the first thing that happens by itself; nil: none, or not known
	dueDone bool // due is known
}

// refund is a refund in a case, by its last report.
type refund struct {
	id          string
	role        string
	fixed       bool // by a person
	source      string
	order       order
	last        reported
	store       string
	stores      []string // by each of its reports
	original    *Side    // the last known
	severity    string   // of the last report but cleared
	at          int64    // of the record, where dated
	dated       bool
	codes       []string // of the first report
	batchClosed bool     // no void any more
}

// track is what money.recompute makes of a track.
type track struct {
	state string
	since int64
}

type contact struct {
	seq, at int64
	contacted
}

type file struct {
	seq int64
	filed
}

type escalation struct {
	at int64
	escalated
	answered bool
}

// Proposal is what a person asks another to approve (casework.md § 3).
type Proposal struct {
	Seq       int64   `json:"seq"`
	Maker     string  `json:"maker"`
	Commands  []Order `json:"commands"`
	Base      string  `json:"base"`
	ApproveBy string  `json:"approve_by"`
	Expires   string  `json:"expires"`
	by, ends  int64
}

func newCase(no string) *Case {
	return &Case{No: no, hash: noHash, stores: map[string]bool{}, severity: none, advised: map[string]bool{}, overdue: map[overdue]bool{},
		recovery: track{state: none}, payer: track{state: none}}
}

// copy returns a case that can be changed without changing this one.
func (c *Case) copy() *Case {
	n := *c
	n.stores, n.advised, n.overdue = maps.Clone(c.stores), maps.Clone(c.advised), maps.Clone(c.overdue)
	n.refunds = nil
	for _, r := range c.refunds {
		one := *r
		n.refunds = append(n.refunds, &one)
	}
	n.contacts, n.files, n.refs = slices.Clone(c.contacts), slices.Clone(c.files), slices.Clone(c.refs)
	n.money = c.money.copy()
	if c.escalation != nil {
		e := *c.escalation
		n.escalation = &e
	}
	return &n
}

func (c *Case) open() bool { return c.state != stateClosed }

// merged reports whether the case was merged into another.
func (c *Case) isMerged() bool { return c.into != "" }

// refund returns the refund of an id; nil if the case does not hold it.
func (c *Case) refund(id string) *refund {
	for _, r := range c.refunds {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (c *Case) contact(seq int64) *contact {
	for i := range c.contacts {
		if c.contacts[i].seq == seq {
			return &c.contacts[i]
		}
	}
	return nil
}

func (c *Case) file(seq int64) *file {
	for i := range c.files {
		if c.files[i].seq == seq {
			return &c.files[i]
		}
	}
	return nil
}

// wrong reports whether the finding names a refund.
func (c *Case) wrong(id string) bool { return c.finding != nil && slices.Contains(c.finding.Wrong, id) }

// back reports whether a refund's money is back, or never moved (casework.md § 6).
func (r *refund) back() bool {
	return r.last.Cancelled || among(r.last.Refund.Outcome, []string{"declined", "closed", "abnormal"})
}

// wallet reports whether a channel says itself that the money arrived (casework.md § 6).
func wallet(channel string) bool {
	return among(channel, []string{"wechat", "alipay", "unionpay_qr", "jd", "ecny"})
}

// numbered reports whether a number is one that a refund bears.
func (s *Side) numbered(number string) bool {
	return number != "" && (s.RefundNo == number || s.ChannelRefund == number || s.RRN == number)
}

// number splits C-2026-000001; year and digits are also those of H-2026-000001.
func number(no string) string { return strings.TrimPrefix(no, "C-") }

// recompute finds what follows of an event: severity, tracks, advice that ended.
func (c *Case) recompute(d *Desk, e *Event) {
	severity := none
	for _, r := range c.refunds {
		if r.role == roleRefund && rank(r.severity) < rank(severity) {
			severity = r.severity
		}
	}
	if severity != c.severity || e.What == "opened" {
		c.severity, c.since = severity, d.clock
	}
	c.tracks(d.clock, e.What == "reopened")
	c.dueDone = false
}

// The severities, the worst first; none is the last.
func severities() []string { return []string{"critical", "high", "medium", "low", "info", none} }

const none = "none"

func rank(severity string) int { return slices.Index(severities(), severity) }
