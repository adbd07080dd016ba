package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// Bounds of what a screen shows at once: a case that is like a thousand others, or that is
// worked for years, must still be one.
const (
	eventsShown      = 100 // of the timeline, the newest
	suggestionsShown = 5
)

// screen is a case on one screen (casework.md § 14, 2).
type screen struct {
	*casework.View
	Currency  string
	Overdue   bool // its first step
	Sides     []sideBySide
	Timeline  []entry
	Earlier   int // events of the journal before the timeline
	Contacts  []contact
	Files     []filed
	Offered   actions
	Proposed  *proposal
	Suggested []suggestion
	MoreLike  int // suggested beside these
	Owners    []string
	Left      int64 // owed and not paid
	Out       int64 // at stake, and neither recovered nor written off
	Owing     int64 // what a finding would most likely find owed
	Approvals []entry
	Approved  *approved
	ByHand    bool
}

// contact is one of a case's contacts.
type contact struct {
	Seq       int64
	At, By    string
	Party     string `json:"party"`
	Direction string `json:"direction"`
	Channel   string `json:"channel"`
	Number    string `json:"number"`
	OnFile    bool   `json:"on_file"`
	Result    string `json:"result"`
	Text      string `json:"text"`
	File      int64  `json:"file"`
	After     bool   // the open proposal
}

// filed is one of a case's files.
type filed struct {
	Seq    int64
	At, By string
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Kind   string `json:"kind"`
	After  bool   // the open proposal
}

// suggestion is another case that may belong to this one.
type suggestion struct {
	Case string `json:"case"`
	Why  string `json:"why"`
}

// approved is what two people allowed to be paid.
type approved struct {
	Amount  int64  `json:"amount"`
	Number  string `json:"number"`
	Expires string `json:"expires"`
}

func (q *request) oneCase() error {
	q.whole = q.r.URL.Query().Has("all")
	f, c, ok, err := q.look()
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "case", f, c)
}

// printed is a case for paper, in both languages (casework.md § 14, 12).
func (q *request) printed() error {
	chosen := q.say.lang
	q.say, q.whole = q.p.texts.speaker(both), true
	f, c, ok, err := q.look()
	if q.say = q.p.texts.speaker(chosen); !ok || err != nil {
		return err
	}
	for _, e := range c.Timeline {
		switch e.What {
		case "proposed", "approved", "rejected", "withdrawn", "lapsed":
			c.Approvals = append(c.Approvals, e)
		}
	}
	return q.write(http.StatusOK, "print", f, c)
}

// look reads a case and all that its screen shows, in one transaction.
func (q *request) look() (f frame, c *screen, ok bool, err error) {
	no := q.r.PathValue("no")
	f = frame{Title: no, Place: "case", Case: no}
	ok, err = q.ask(`"show":`+quoted(no), &f, func(l *store.Looking, a casework.Answer) error {
		v, is := a.Case.(*casework.View)
		if !is { // the journal desk is no case
			c = nil
			return nil
		}
		f.Version = v.Version
		c, err = q.screen(l, v)
		return err
	})
	if ok && err == nil && c == nil {
		return f, nil, false, q.refused(casework.NotFound)
	}
	return f, c, ok, err
}

func (q *request) screen(l *store.Looking, v *casework.View) (*screen, error) {
	c := &screen{View: v, Currency: "CNY", Owners: l.Desk.Owners(v.No)}
	if len(v.Refunds) > 0 {
		c.Currency = code(v.Refunds[0].Currency)
	}
	if v.Finding != nil {
		c.Currency, c.Left, c.Owing = v.Finding.Currency, max(0, v.Finding.Owed-v.Payer.Paid), v.Finding.Owed
		c.Out = v.Finding.Stake - v.Recovery.Recovered - v.Recovery.Lost
	} else {
		for _, r := range v.Refunds {
			if r.Role == "refund" {
				c.Owing += r.Amount
			}
		}
	}
	if len(v.Steps) > 0 {
		c.Overdue = past(v.Steps[0].Due, l.Desk.Now())
	}
	sides, reports, err := l.Sides(v.No)
	if err != nil {
		return nil, err
	}
	for i := range sides {
		one := q.say.beside(v.Refunds[i], sides[i], reports[i].Verdict, reports[i].Explain)
		c.ByHand = c.ByHand || one.ByHand
		c.Sides = append(c.Sides, one)
	}
	journal, err := l.Journal(v.No, 0)
	if err != nil {
		return nil, err
	}
	if err := c.collect(journal); err != nil {
		return nil, err
	}
	if over := len(c.Suggested) - suggestionsShown; over > 0 && !q.whole {
		c.Suggested, c.MoreLike = c.Suggested[:suggestionsShown], over
	}
	c.Timeline, c.Earlier = q.newest(journal, c.Currency)
	me := q.who.Person.ID
	c.Offered = q.who.actions(v, l.Desk.Offers(me, v.No))
	c.propose(q, l, journal)
	return c, nil
}

// collect takes contacts, files, suggestions and what may be paid out of the journal.
func (c *screen) collect(journal []casework.Event) error {
	open := int64(1 << 62)
	if c.Proposal != nil {
		open = c.Proposal.Seq
	}
	for i := range journal {
		var err error
		switch e := &journal[i]; e.What {
		case "contacted":
			one := contact{Seq: e.Seq, At: e.At, By: e.By, After: e.Seq > open}
			err = json.Unmarshal(e.Data, &one)
			c.Contacts = append(c.Contacts, one)
		case "filed":
			one := filed{Seq: e.Seq, At: e.At, By: e.By, After: e.Seq > open}
			err = json.Unmarshal(e.Data, &one)
			c.Files = append(c.Files, one)
		case "suggested":
			var one suggestion
			err = json.Unmarshal(e.Data, &one)
			c.Suggested = append(c.Suggested, one)
		case "reissue_approved":
			c.Approved = &approved{}
			err = json.Unmarshal(e.Data, c.Approved)
		}
		if err != nil {
			return fmt.Errorf("page: %s, event %d: %w", c.No, journal[i].Seq, err)
		}
	}
	if c.Payer.State != "approved" {
		c.Approved = nil
	}
	return nil
}

// newest puts the newest events of a journal into words, or all where the whole case is asked
// for, and counts those before them.
func (q *request) newest(journal []casework.Event, currency string) (list []entry, earlier int) {
	if !q.whole {
		earlier = max(0, len(journal)-eventsShown)
	}
	return q.say.entries(journal[earlier:], currency), earlier
}

// changes are the events of a case behind a version, for who has typed something meanwhile.
func (q *request) changes() error {
	no := q.r.PathValue("no")
	after, err := strconv.ParseInt(q.r.URL.Query().Get("after"), 10, 64)
	if err != nil || after < 0 {
		return q.refused(casework.BadInput)
	}
	f := frame{Title: no, Place: "case", Case: no}
	var list []entry
	ok, err := q.ask(`"show":`+quoted(no), &f, func(l *store.Looking, a casework.Answer) error {
		v, is := a.Case.(*casework.View)
		if !is {
			return nil
		}
		f.Version = v.Version
		currency := "CNY"
		if len(v.Refunds) > 0 {
			currency = code(v.Refunds[0].Currency)
		}
		journal, err := l.Journal(no, after)
		list, _ = q.newest(journal, currency)
		return err
	})
	if !ok || err != nil {
		return err
	}
	return q.write(http.StatusOK, "changes", f, list)
}

// Pay is what a proposal to pay the payer would most likely be about, in minor units.
func (c *screen) Pay() int64 {
	if c.Finding != nil {
		return c.Left
	}
	return c.Owing
}
