package page

import (
	"net/http"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/holds"
	"yuanlu/cmd/yuanlu-desk/store"
)

// mostReads is how many entries of the reading log are shown.
const mostReads = 500

// figures are the statistics of a time.
type figures struct {
	From, To string
	*casework.Stats
	Prevented holds.Prevention
}

// stats shows the statistics of casework.md § 9; without dates, of this month.
func (q *request) stats() error {
	now := q.p.o.Now()
	d := figures{From: q.r.URL.Query().Get("from"), To: q.r.URL.Query().Get("to")}
	if d.From == "" {
		d.From = now.AddDate(0, 0, 1-now.Day()).Format(time.DateOnly)
	}
	if d.To == "" {
		d.To = now.Format(time.DateOnly)
	}
	f := frame{Title: q.say.text("title.stats"), Place: "stats"}
	ok, err := q.ask(`"stats":{"from":`+quoted(d.From)+`,"to":`+quoted(d.To)+`}`, &f, func(l *store.Looking, a casework.Answer) (err error) {
		d.Stats = a.Stats
		d.Prevented, err = l.Prevented(q.who.Person.ID, d.From, d.To, now)
		return err
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "stats", f, d)
}

// office is who works at the desk.
type office struct {
	List     []casework.Person
	Provider bool
	Subs     map[string]string // by person: the identity at the provider
	Chosen   map[string]bool   // who has a password of his own
}

// people shows who works at the desk, to an admin.
func (q *request) people() error {
	if !q.who.has("admin") {
		return q.refused(casework.NotAllowed)
	}
	f := frame{Title: q.say.text("title.people"), Place: "people"}
	d := office{Provider: q.p.o.Provider != ""}
	ok, err := q.ask(`"show":"desk"`, &f, func(l *store.Looking, _ casework.Answer) (err error) {
		d.List = l.Desk.People()
		if d.Subs, err = l.Subjects(q.p.o.Provider); err != nil {
			return err
		}
		d.Chosen, err = l.OwnPasswords()
		return err
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "people", f, d)
}

// reads shows the reading log, to auditors and supervisors.
func (q *request) reads() error {
	f := frame{Title: q.say.text("title.reads"), Place: "reads"}
	var list []casework.Reading
	ok, err := q.ask(`"reads":true`, &f, func(l *store.Looking, _ casework.Answer) (err error) {
		list, err = l.Reads(mostReads)
		return err
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "reads", f, list)
}

func (q *request) help() error {
	return q.write(http.StatusOK, "help", frame{Title: q.say.text("title.help"), Place: "help"}, nil)
}

func (q *request) login() error {
	return q.write(http.StatusOK, "login", frame{Title: q.say.text("title.login"), Place: "login"}, q.p.o.Provider != "")
}

func (q *request) password() error {
	return q.write(http.StatusOK, "password", frame{Title: q.say.text("title.password"), Place: "password"}, nil)
}
