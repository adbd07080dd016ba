package page

import (
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// rowsShown is how many cases of a list are drawn at once.
const rowsShown = 50

// row is a case in a list.
type row struct {
	*casework.View
	Overdue bool // its first step
	Channel string
	Account string
	More    int // refunds beside the first
}

// rows is a list of cases, or what was found.
type rows struct {
	Name   string
	Rows   []row
	All    int
	Next   int // how many are shown after "more"; 0: all are
	Offers []string
	Shops  []casework.Place
}

// home shows the list that a visitor works from.
func (q *request) home() error {
	switch {
	case q.who.has("manager", "analyst", "supervisor"):
		return q.listed("next")
	case q.who.has("checker"):
		return q.listed("approve")
	case q.who.has("cashier", "finance", "auditor"):
		return q.listed("overdue")
	case q.who.has("admin"):
		return q.people()
	}
	return q.write(http.StatusOK, "message", frame{Title: q.say.text("title.home")}, q.say.html("home.nothing", nil))
}

func (q *request) list() error {
	name := q.r.PathValue("name")
	if !slices.Contains(casework.ListNames(), name) {
		return q.refused(casework.NotFound)
	}
	return q.listed(name)
}

// wanted is how many rows are asked for.
func (q *request) wanted() int {
	n, err := strconv.Atoi(q.r.URL.Query().Get("n"))
	if err != nil || n < rowsShown || n > 1000 {
		return rowsShown
	}
	return n
}

func (q *request) listed(name string) error {
	f := frame{Title: q.say.text("list." + name), Place: name}
	data := rows{Name: name}
	ok, err := q.ask(`"list":`+quoted(name), &f, func(l *store.Looking, a casework.Answer) error {
		data.fill(l.Desk, a.Cases, q.wanted())
		data.Shops = l.Desk.Shops(q.who.Person.ID)
		return nil
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "list", f, data)
}

func (q *request) find() error {
	text := q.r.URL.Query().Get("text")
	f := frame{Title: q.say.text("title.find"), Place: "find", Found: text}
	data := rows{Name: "find"}
	if n := utf8.RuneCountInString(text); n < 3 || n > 64 {
		return q.write(http.StatusBadRequest, "message", f, q.say.html("find.short", nil))
	}
	ok, err := q.ask(`"find":`+quoted(text), &f, func(l *store.Looking, a casework.Answer) error {
		data.fill(l.Desk, a.Cases, q.wanted())
		return nil
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "list", f, data)
}

// fill takes the first cases of a list.
func (d *rows) fill(desk *casework.Desk, cases *[]string, most int) {
	d.Rows, d.Next = nil, 0
	if cases == nil {
		return
	}
	if d.All = len(*cases); d.All > most {
		d.Next = min(most*2, 1000)
	}
	for _, no := range (*cases)[:min(d.All, most)] {
		v, ok := desk.Show(no)
		if !ok {
			continue
		}
		one := row{View: v}
		if len(v.Steps) > 0 {
			one.Overdue = past(v.Steps[0].Due, desk.Now())
		}
		if len(v.Refunds) > 0 {
			one.More = len(v.Refunds) - 1
			side := desk.Sides(no)[0].Refund
			one.Channel, one.Account = side.Channel, side.Shown
		}
		d.Rows = append(d.Rows, one)
	}
}

// past reports whether a time is not after another.
func past(at, now string) bool {
	a, err := time.Parse(time.RFC3339, at)
	n, err2 := time.Parse(time.RFC3339, now)
	return err == nil && err2 == nil && !a.After(n)
}
