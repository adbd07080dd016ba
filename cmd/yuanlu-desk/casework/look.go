package casework

import (
	"cmp"
	"slices"
	"strings"
)

// Reading is an entry of the reading log (casework.md § 9).
type Reading struct {
	At   string `json:"at"`
	By   string `json:"by"`
	What string `json:"what"`
	Of   string `json:"of"`
}

var (
	lookers     = []string{cashier, manager, analyst, checker, supervisor, finance, auditor}
	deskLookers = []string{admin, auditor, supervisor} // of the desk's own journal
)

// read notes that somebody looked at something; by "" is the desk itself, which is not.
func (d *Desk) read(by, what, of string) {
	if by != "" {
		d.reads = append(d.reads, Reading{d.cal.Format(d.clock), by, what, of})
	}
}

// list returns a list of cases, in its order (casework.md § 9, Lists).
func (d *Desk) list(p *Person, name string) ([]*Case, Refusal) {
	if !p.has(lookers...) || name == "next" && !p.has(working...) {
		return nil, NotAllowed
	}
	var rows []row
	for _, c := range d.order {
		if p.sees(c) && d.listed(p, c, name) {
			rows = append(rows, row{c, rank(c.severity), d.voidSort(c)})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.end, b.end), cmp.Compare(a.c.opened, b.c.opened), cmp.Compare(a.c.No, b.c.No))
	})
	out := make([]*Case, len(rows))
	for i := range rows {
		out[i] = rows[i].c
	}
	return out, ""
}

// row is a case of a list with what it is sorted by, found once: lists are long.
type row struct {
	c    *Case
	rank int
	end  int64 // of the void window
}

// voidSort is the end of the void window; what has none comes last.
func (d *Desk) voidSort(c *Case) int64 {
	if until := d.voidUntil(c); until > 0 {
		return until
	}
	return 1 << 62
}

// ListNames are the lists of casework.md § 9.
func ListNames() []string { return []string{"next", "mine", "overdue", "approve"} }

func (d *Desk) listed(p *Person, c *Case, name string) bool {
	switch name {
	case "next":
		return c.open() && c.owner == "" && c.wait == nil
	case "mine":
		return c.open() && c.owner == p.ID
	case "overdue":
		d.next(c)
		return c.step > 0 && c.step <= d.clock
	}
	return c.proposal != nil && p.has(judges...) && d.judges(p, c, true) == ""
}

// find returns the cases that a text leads to, by number (casework.md § 9, Find).
func (d *Desk) find(p *Person, text string) ([]*Case, Refusal) {
	if !p.has(lookers...) {
		return nil, NotAllowed
	}
	var out []*Case
	for _, c := range d.order {
		if p.sees(c) && c.holds(text) {
			out = append(out, c)
		}
	}
	return out, ""
}

func (c *Case) holds(text string) bool {
	if strings.Contains(c.No, text) {
		return true
	}
	has := func(s string) bool { return strings.Contains(s, text) }
	side := func(s *Side) bool {
		return s != nil && slices.ContainsFunc([]string{s.RefundNo, s.ChannelRefund, s.RRN, s.OrderNo, s.ChannelTxn, s.Operator, s.Shown}, has)
	}
	return slices.ContainsFunc(c.refunds, func(r *refund) bool { return has(r.id) || side(&r.last.Refund.Side) || side(r.original) }) ||
		slices.ContainsFunc(c.refs, has) ||
		slices.ContainsFunc(c.money.payments, func(p payment) bool { return has(p.number) })
}

func numbersOf(cases []*Case) []string {
	out := []string{}
	for _, c := range cases {
		out = append(out, c.No)
	}
	return out
}
