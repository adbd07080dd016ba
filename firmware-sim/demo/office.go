package demo

import (
	"cmp"
	"context"
	"strings"
	"time"

	"yuanlu/firmware-sim/office"
	"yuanlu/firmware-sim/scenario"
)

// work lets the people of the office work some of the cases that came; nil without a desk of its own.
func (d *outsideDesk) work(ctx context.Context, c *crew, desk *backOffice, out *output) (*office.Day, error) {
	if d == nil {
		return nil, nil
	}
	out.line("\nthe people of the office work at %s", d.url)
	return office.Work(ctx, office.Options{URL: d.url, Passwords: d.passwords, Refunds: candidates(c, desk), Now: time.Now, Line: out.line})
}

// candidates lists the refunds whose cases came: those that certainly went to somebody else, those that their terminal
// reversed, and those that the wire does not let anyone decide.
func candidates(c *crew, desk *backOffice) []office.Refund {
	desk.mu.Lock()
	defer desk.mu.Unlock()
	var list []office.Refund
	for _, s := range c.stations {
		all := s.ledger()
		for i, e := range all {
			came := desk.cases[keyOf(&e)]
			if came == nil || e.Truth == nil || e.Record.Copy != "" {
				continue
			}
			wrong := e.Truth.Label == scenario.Wrong
			_, undone := happenedAfter(&e, all[i+1:])
			if wrong && e.Truth.Recipient != "different" || !wrong && undone == 0 && e.Truth.Label != scenario.CannotTell {
				continue
			}
			list = append(list, office.Refund{CaseID: came.Data.CaseID, TerminalID: e.Record.TerminalID, At: e.Record.At.Format(time.RFC3339),
				Number: cmp.Or(e.Record.RRN, e.Record.RefundNo), Wrong: wrong, Undone: undone > 0})
		}
	}
	return list
}

// office prints how the cases ended and the money of the day; nothing without a day.
func (s *output) office(day *office.Day) {
	if day == nil {
		return
	}
	if s.o.JSON {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.json(map[string]any{"closed": day.Closed, "money": day.Money, "refused": day.Refused})
		return
	}
	s.line("\n%-14s  %-20s %9s  %s", "case", "outcome", "amount", "what happened")
	for _, c := range day.Closed {
		s.line("%-14s  %-20s %9s  %s", c.Case, c.Outcome, yuan(c.Amount), c.Title)
	}
	s.line("\n%-8s %9s %9s %9s %9s %9s", "money", "stake", "recovered", "lost", "repaid", "payable")
	for _, m := range day.Money {
		s.line("%-8s %9s %9s %9s %9s %9s", m.Currency, yuan(m.Stake), yuan(m.Recovered), yuan(m.Lost), yuan(m.Repaid), yuan(m.Payable))
	}
	if len(day.Differ) == 0 {
		s.line("the office worked %d cases, was refused %d times, and journals and money are as scripted", len(day.Closed), day.Refused)
	}
}

// open prints where the page of the desk is and who may log in.
func (s *output) open(url string, day *office.Day) {
	lines := []string{"\nthe desk goes on: " + url + "/ until Ctrl-C; log in as"}
	for _, l := range day.Logins {
		lines = append(lines, "  "+l.ID+" ("+l.Title+")  password "+l.Password)
	}
	s.line("%s", strings.Join(lines, "\n"))
}
