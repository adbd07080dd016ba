package follow

import (
	"cmp"
	"slices"
	"time"

	"yuanlu/agent/refund"
)

// Day is what a tally is of: a date at one terminal of a merchant.
type Day struct {
	Merchant, Terminal string
	Date               string // YYYY-MM-DD: the date part of `at` as written
}

// Operator is how many sales and refunds one operator made on a Day.
type Operator struct {
	Operator string `json:"operator"`
	Sales    int64  `json:"sales"`
	Refunds  int64  `json:"refunds"`
}

// DateOf returns the date part of `at` as written, "" if that is no time.
func DateOf(r *refund.Record) string {
	if _, ok := r.Time(); !ok {
		return ""
	}
	return r.At[:len(time.DateOnly)]
}

// Counted reports whether a tally counts a record that is not undone: an approved one of
// which money is known to have moved.
func Counted(r *refund.Record) bool {
	return (r.Kind.IsSale() || r.Kind.Judged()) && r.Outcome == refund.Approved && !r.Training && refund.Usable(r)
}

// Tallies counts events by day and operator. The zero value has counted none.
type Tallies struct{ days map[Day]map[string]*Operator }

// Add counts an event.
func (t *Tallies) Add(e *refund.Event) {
	r := &e.Record
	if e.UndoneBy != 0 || !Counted(r) {
		return
	}
	d := Day{r.MerchantID, r.TerminalID, DateOf(r)}
	if t.days == nil {
		t.days = map[Day]map[string]*Operator{}
	}
	if t.days[d] == nil {
		t.days[d] = map[string]*Operator{}
	}
	o := t.days[d][r.Operator]
	if o == nil {
		o = &Operator{Operator: r.Operator}
		t.days[d][r.Operator] = o
	}
	if r.Kind.IsSale() {
		o.Sales++
	} else {
		o.Refunds++
	}
}

// Days returns what has been counted, by merchant, terminal and date.
func (t *Tallies) Days() []Day {
	days := make([]Day, 0, len(t.days))
	for d := range t.days {
		days = append(days, d)
	}
	slices.SortFunc(days, func(a, b Day) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Terminal, b.Terminal), cmp.Compare(a.Date, b.Date))
	})
	return days
}

// Of returns the operators of a day, by operator, and how many refunds they made in all.
func (t *Tallies) Of(d Day) (operators []Operator, refunds int64) {
	operators = []Operator{}
	for _, o := range t.days[d] {
		operators = append(operators, *o)
		refunds += o.Refunds
	}
	slices.SortFunc(operators, func(a, b Operator) int { return cmp.Compare(a.Operator, b.Operator) })
	return operators, refunds
}
