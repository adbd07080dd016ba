package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"yuanlu/firmware-sim/scenario"
)

// line is the row of one station in the table.
type line struct {
	Terminal   string `json:"terminal"`
	Wire       string `json:"wire"`
	Records    int    `json:"records"`
	Refunds    int    `json:"refunds"`
	Wrong      int    `json:"wrong"`
	Right      int    `json:"right"`
	CannotTell int    `json:"cannot_tell"`
	Received   int    `json:"cases_received"`
	Missed     int    `json:"cases_missed"`
	False      int    `json:"cases_false"`
	Other      int    `json:"other_recipient"`
	Asked      int    `json:"asked"`     // refunds that the guard was asked about
	Held       int    `json:"held"`      // of these
	Prevented  int    `json:"prevented"` // not made
	Released   int    `json:"released"`
	Bypassed   int    `json:"bypassed"` // made although held
}

// result is how cases and truth compare.
type result struct {
	lines  []line
	differ []string // one sentence for each difference
	notes  []string
	leaks  []string
}

func (r *result) ok() bool {
	t := r.total()
	return len(r.differ) == 0 && len(r.leaks) == 0 && t.Wrong > 0 && t.Right > 0 && t.CannotTell > 0
}

func (r *result) total() line {
	t := line{Terminal: "all"}
	for _, l := range r.lines {
		t.Records += l.Records
		t.Refunds += l.Refunds
		t.Wrong += l.Wrong
		t.Right += l.Right
		t.CannotTell += l.CannotTell
		t.Received += l.Received
		t.Missed += l.Missed
		t.False += l.False
		t.Other += l.Other
		t.Asked += l.Asked
		t.Held += l.Held
		t.Prevented += l.Prevented
		t.Released += l.Released
		t.Bypassed += l.Bypassed
	}
	return t
}

// compare sets the cases against the truth.
func compare(c *crew, desk *backOffice) *result {
	desk.mu.Lock()
	defer desk.mu.Unlock()
	r := &result{}
	known := map[string]bool{}
	for _, s := range c.stations {
		r.lines = append(r.lines, r.station(s, desk, known))
		r.followed(s, desk)
		if note := s.stalls(); note != "" {
			r.notes = append(r.notes, note)
		}
	}
	for key, e := range desk.cases {
		if !known[key] {
			r.differ = append(r.differ, fmt.Sprintf("case %s is about no refund of any terminal", e.Data.CaseID))
		}
	}
	r.differ = append(r.differ, desk.faults...)
	if n := desk.gaps(); n > 0 {
		r.differ = append(r.differ, fmt.Sprintf("%d case events never came", n))
	}
	if desk.repeats > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%d case events came again and were recognised", desk.repeats))
	}
	for kind, n := range desk.events {
		if strings.Contains(kind, "capture_gap") {
			r.differ = append(r.differ, fmt.Sprintf("%d settlements did not add up for the agent (%s)", n, kind))
		}
	}
	return r
}

// station compares one terminal's truth with the cases, and adds to known what it refunded.
func (r *result) station(s *station, desk *backOffice, known map[string]bool) line {
	l := line{Terminal: s.title(), Wire: s.wire}
	all := s.ledger()
	for i, e := range all {
		if e.Record.Copy == "reprint" || e.Record.Copy == "upload" {
			continue
		}
		if e.Guard != nil {
			r.guarded(&l, &e, desk)
		}
		if e.Silent && e.Truth == nil {
			continue // it was not made
		}
		l.Records++
		if e.Truth == nil {
			continue
		}
		l.Refunds++
		known[keyOf(&e)] = true
		if _, undone := happenedAfter(&e, all[i+1:]); undone > 0 && s.first(i).Case {
			r.undone(&l, &e, desk.cases[keyOf(&e)])
			continue
		}
		r.one(&l, &e, desk.cases[keyOf(&e)])
	}
	return l
}

// guarded compares what the guard was asked about one refund with what the contract demands, and what became of it with
// the case: every wrong refund is held, no right one is, and a bypass is a critical case.
func (r *result) guarded(l *line, e *scenario.Entry, desk *backOffice) {
	g, c := e.Guard, desk.cases[keyOf(e)]
	differs := func(format string, args ...any) {
		r.differ = append(r.differ, fmt.Sprintf("%s %s %s, ask %s (%s, %s): ", l.Terminal, e.Record.Kind, yuan(e.Record.Amount), g.Ask, g.Label, g.End)+
			fmt.Sprintf(format, args...))
	}
	l.Asked++
	switch {
	case g.Action == "" || g.Action == "refused":
		differs("it was not answered (%s)", g.Action)
	case g.Label == scenario.Wrong && g.MustHold && g.Action != "hold":
		differs("it was to be held, and answered %s", g.Action)
	case g.Label == scenario.Wrong && g.Action == "proceed":
		differs("it is wrong, and answered proceed")
	case g.Label == scenario.Right && g.Action == "hold":
		differs("it is right, and was held")
	}
	if g.Action == "hold" {
		l.Held++
	}
	switch g.End {
	case scenario.Prevented:
		l.Prevented++
	case scenario.ReleasedRightly, scenario.ReleasedWrongly:
		l.Released++
	case scenario.Bypassed:
		l.Bypassed++
		if e.Truth != nil && e.Truth.Case && (c == nil || c.Data.Severity != "critical" || !strings.Contains(codes(c), "hold_bypassed")) {
			differs("it was made although it was held, and no critical case says so")
		}
	}
}

// one compares one refund with its case, nil if none came.
func (r *result) one(l *line, e *scenario.Entry, c *caseEvent) {
	t := e.Truth
	differs := func(format string, args ...any) {
		r.differ = append(r.differ, fmt.Sprintf("%s %s %s, %s (%s: %s): ", l.Terminal, e.Record.Kind,
			yuan(e.Record.Amount), keyOf(e), t.Label, t.Why)+fmt.Sprintf(format, args...))
	}
	if c != nil {
		l.Received++
	}
	switch t.Label {
	case scenario.Wrong:
		l.Wrong++
		if c == nil {
			l.Missed++
			differs("no case came")
		}
	case scenario.Right:
		l.Right++
		if c != nil {
			l.False++
			differs("a case came: recipient %s, %s", c.Data.Verdict.Recipient, codes(c))
		}
	default:
		l.CannotTell++
		switch {
		case t.Case && c == nil:
			l.Missed++
			differs("no case came, which must say recipient %s", t.Recipient)
		case !t.Case && c != nil:
			l.False++
			differs("a case came: recipient %s, %s", c.Data.Verdict.Recipient, codes(c))
		case c != nil && (c.Data.Verdict.Recipient != t.Recipient || c.Data.Verdict.Reason != t.Reason):
			l.Other++
			differs("recipient %s %s, must be %s %s", c.Data.Verdict.Recipient, c.Data.Verdict.Reason, t.Recipient, t.Reason)
		}
	}
}

// undone is one for a refund that had to become a case, and that its terminal reversed then: no money moved in the end, and
// the case is cleared.
func (r *result) undone(l *line, e *scenario.Entry, c *caseEvent) {
	l.Right++
	got := "no case came"
	if c != nil {
		l.Received++
		got = "the newest event of its case is " + c.Type
	}
	if got != "the newest event of its case is "+typeCleared {
		l.Other++
		r.differ = append(r.differ, fmt.Sprintf("%s %s %s, %s was reversed: %s, want %s", l.Terminal, e.Record.Kind, yuan(e.Record.Amount), keyOf(e), got, typeCleared))
	}
}

func codes(e *caseEvent) string {
	var out []string
	for _, f := range e.Data.Verdict.Findings {
		out = append(out, f.Code)
	}
	return strings.Join(out, " ")
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// output prints what happens in the demo; it may be used from several goroutines.
type output struct {
	o  Options
	mu sync.Mutex
}

func (s *output) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.JSON {
		s.json(map[string]string{"note": fmt.Sprintf(format, args...)})
		return
	}
	fmt.Fprintf(s.o.Out, format+"\n", args...)
}

func (s *output) json(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		fmt.Fprintf(s.o.Out, "%s\n", b)
	}
}

// caseCame prints a case as it arrives: one line.
func (s *output) caseCame(model string, e *caseEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.JSON {
		s.json(map[string]any{"case": e.Data, "type": e.Type, "sequence": e.Sequence})
		return
	}
	what := strings.TrimSuffix(strings.TrimPrefix(e.Type, "yuanlu.case."), ".v1")
	text := ""
	if len(e.Data.Verdict.Findings) > 0 {
		text = e.Data.Verdict.Findings[0].Text.EN
	}
	severity := fmt.Sprintf("%-8s", e.Data.Severity)
	if s.o.Colour {
		colour := map[string]string{"critical": "\x1b[1;31m", "high": "\x1b[31m", "medium": "\x1b[33m"}[e.Data.Severity]
		severity = colour + severity + "\x1b[0m"
	}
	refund := e.Data.Refund
	fmt.Fprintf(s.o.Out, "%s %-11s %-7s %s %-6s %9s %-11s %-12s %s\n", time.Now().Format("15:04:05"), model, what,
		severity, refund.Kind, yuan(refund.Amount), refund.Channel, e.Data.Verdict.Recipient, text)
}

// followedCame prints what became of a case: one line.
func (s *output) followedCame(model string, e *caseEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.JSON {
		s.json(map[string]any{"followed": e.Data, "type": e.Type, "sequence": e.Sequence})
		return
	}
	fmt.Fprintf(s.o.Out, "%s %-11s %-7s %s\n", time.Now().Format("15:04:05"), model, e.Data.What, e.Data.Text.EN)
}

// holdCame prints that a hold was opened or has ended: one line.
func (s *output) holdCame(e *caseEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.JSON {
		s.json(map[string]any{"hold": e.Data.Hold, "ask": e.Data.Ask, "type": e.Type, "sequence": e.Sequence})
		return
	}
	refund := e.Data.Refund
	fmt.Fprintf(s.o.Out, "%s %-11s %-7s %-8s %-6s %9s %-11s %s\n", time.Now().Format("15:04:05"), "smart+guard", "hold", e.Data.Hold.State,
		refund.Kind, yuan(refund.Amount), refund.Channel, e.Data.Hold.By)
}

// tail prints the last lines of a log.
func (s *output) tail(name string, data []byte) {
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	lines = lines[max(0, len(lines)-8):]
	s.line("%s:\n  %s", name, strings.Join(lines, "\n  "))
}

// table prints the end of the demo.
func (s *output) table(r *result) {
	if s.o.JSON {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.json(map[string]any{"terminals": r.lines, "all": r.total(), "differences": r.differ, "leaks": r.leaks,
			"notes": r.notes, "ok": r.ok()})
		return
	}
	s.line("\n%-11s %-8s %8s %8s %6s %6s %12s %6s %7s %6s %6s %6s %5s %10s %9s %9s", "terminal", "wire", "records", "refunds", "wrong",
		"right", "cannot tell", "cases", "missed", "false", "other", "asked", "held", "prevented", "released", "bypassed")
	for _, l := range append(r.lines, r.total()) {
		s.line("%-11s %-8s %8d %8d %6d %6d %12d %6d %7d %6d %6d %6d %5d %10d %9d %9d", l.Terminal, l.Wire, l.Records, l.Refunds, l.Wrong,
			l.Right, l.CannotTell, l.Received, l.Missed, l.False, l.Other, l.Asked, l.Held, l.Prevented, l.Released, l.Bypassed)
	}
	for _, d := range r.differ {
		s.line("DIFFERS %s", d)
	}
	for _, d := range r.leaks {
		s.line("LEAKED clear identifiers: %s", d)
	}
	for _, d := range r.notes {
		s.line("note: %s", d)
	}
	if r.ok() {
		s.line("every wrong refund that was asked about was held, no right one was; every bypass is a critical case")
		s.line("every wrong refund came as a case, no right one did; no clear card number or openid left a terminal's line")
	}
}
