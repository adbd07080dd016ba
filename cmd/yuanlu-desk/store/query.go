package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"yuanlu/protocol/topics"
)

// MaxLimit is the most rows that one question gets.
const MaxLimit = 500

// EventRow is one event as it is stored.
type EventRow struct {
	N        int64           `json:"n"`
	Terminal string          `json:"terminal"`
	Kind     string          `json:"kind"`              // case or event
	Seq      int64           `json:"sequence,omitzero"` // of a case event
	Received time.Time       `json:"received"`
	Future   bool            `json:"future,omitzero"` // of a version this desk does not know
	Event    json.RawMessage `json:"event"`           // CloudEvents, as it came first
}

// EventFilter picks events; zero members do not restrict.
type EventFilter struct {
	After  int64 // n greater than this, ascending; BySequence: sequence
	Stream string
	// BySequence returns them in the order of their sequence; only for one stream of
	// one terminal, whose case events these are.
	BySequence bool
	Terminal   string
	Kind       string
	Type       string
	CaseID     string
	Limit      int // 1 to MaxLimit, 0: 100
}

// where collects conditions.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string, args ...any) {
	w.conds = append(w.conds, cond)
	w.args = append(w.args, args...)
}

func (w *where) text(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

func limitOf(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, MaxLimit)
}

// Events returns events in the order of n.
func (s *Store) Events(ctx context.Context, f EventFilter) (list []EventRow, err error) {
	w := &where{}
	order := "n"
	if f.BySequence {
		order = "seq, n"
		w.add("seq > ?", f.After)
	} else {
		w.add("n > ?", f.After)
	}
	w.text("terminal", f.Terminal)
	w.text("stream", f.Stream)
	w.text("kind", f.Kind)
	w.text("type", f.Type)
	w.text("case_id", f.CaseID)
	err = s.read(ctx, func(t *tx) error {
		list, err = t.events(w.String()+" ORDER BY "+order+" LIMIT ?", append(w.args, limitOf(f.Limit)))
		return err
	})
	return list, err
}

func (t *tx) events(rest string, args []any) (list []EventRow, err error) {
	list = []EventRow{}
	err = t.rows(`SELECT n, terminal, kind, seq, received, future, payload FROM event`+rest, args, func(r *sql.Rows) error {
		var e EventRow
		var received int64
		var future int
		var payload string
		if err := r.Scan(&e.N, &e.Terminal, &e.Kind, &e.Seq, &received, &future, &payload); err != nil {
			return err
		}
		e.Received, e.Future, e.Event = timeOf(received), future != 0, json.RawMessage(payload)
		list = append(list, e)
		return nil
	})
	return list, err
}

// CaseRow is one case as its newest event has it.
type CaseRow struct {
	N         int64           `json:"n"` // of its newest event here: cases are paged by it
	Terminal  string          `json:"terminal"`
	CaseID    string          `json:"case_id"`
	State     string          `json:"state"` // open or cleared
	Severity  string          `json:"severity"`
	Decision  string          `json:"decision"`
	Recipient string          `json:"recipient"`
	Merchant  string          `json:"merchant_id"`
	Opened    time.Time       `json:"opened"`
	Changed   time.Time       `json:"changed"`
	Events    int64           `json:"events"`
	Stream    string          `json:"stream"`
	Seq       int64           `json:"sequence"`
	Data      json.RawMessage `json:"data"`              // the newest event's data
	History   []EventRow      `json:"history,omitempty"` // Case only
}

// CaseFilter picks cases; zero members do not restrict.
type CaseFilter struct {
	Before      int64 // n less than this, descending; 0: from the newest
	Terminal    string
	CaseID      string
	State       string
	Decision    string
	Recipient   string
	Merchant    string
	MinSeverity int       // SeverityRank
	Since       time.Time // changed at or after
	Until       time.Time // changed before
	Limit       int       // 1 to MaxLimit, 0: 100
}

func (f *CaseFilter) where() *where {
	w := &where{}
	w.text("c.terminal", f.Terminal)
	w.text("c.case_id", f.CaseID)
	w.text("c.state", f.State)
	w.text("c.decision", f.Decision)
	w.text("c.recipient", f.Recipient)
	w.text("c.merchant", f.Merchant)
	if f.Before > 0 {
		w.add("c.last_n < ?", f.Before)
	}
	if f.MinSeverity > 0 {
		w.add("c.severity >= ?", f.MinSeverity)
	}
	if !f.Since.IsZero() {
		w.add("c.changed >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		w.add("c.changed < ?", f.Until.UnixMilli())
	}
	return w
}

// Cases returns cases, those that changed last first.
func (s *Store) Cases(ctx context.Context, f CaseFilter) (list []CaseRow, err error) {
	err = s.read(ctx, func(t *tx) error {
		list, err = t.cases(&f)
		return err
	})
	return list, err
}

func (t *tx) cases(f *CaseFilter) ([]CaseRow, error) {
	w := f.where()
	list := []CaseRow{}
	q := `SELECT c.last_n, c.terminal, c.case_id, c.state, c.severity, c.decision, c.recipient, c.merchant, c.opened, c.changed, c.events, c.stream, c.seq, e.payload
 FROM cases c JOIN event e ON e.n = c.newest_n` + w.String() + ` ORDER BY c.last_n DESC LIMIT ?`
	err := t.rows(q, append(w.args, limitOf(f.Limit)), func(r *sql.Rows) error {
		var c CaseRow
		var severity int
		var opened, changed int64
		var payload string
		if err := r.Scan(&c.N, &c.Terminal, &c.CaseID, &c.State, &severity, &c.Decision, &c.Recipient, &c.Merchant, &opened, &changed,
			&c.Events, &c.Stream, &c.Seq, &payload); err != nil {
			return err
		}
		c.Severity, c.Opened, c.Changed = SeverityName(severity), timeOf(opened), timeOf(changed)
		var e struct {
			Data json.RawMessage `json:"data"`
		}
		if err := topics.Exact([]byte(payload), &e); err != nil {
			return fmt.Errorf("event %d: %w", c.N, err)
		}
		c.Data = e.Data
		list = append(list, c)
		return nil
	})
	return list, err
}

// Case returns the cases with this id, one as a rule, each with its history.
// ErrNotFound where there is none.
func (s *Store) Case(ctx context.Context, id, terminal string) (list []CaseRow, err error) {
	err = s.read(ctx, func(t *tx) error {
		if list, err = t.cases(&CaseFilter{CaseID: id, Terminal: terminal, Limit: MaxLimit}); err != nil {
			return err
		}
		for i := range list {
			list[i].History, err = t.events(` WHERE case_id = ? AND terminal = ? ORDER BY n LIMIT ?`, []any{id, list[i].Terminal, MaxLimit})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: case %q", ErrNotFound, id)
	}
	return list, err
}

// Refused is one message in quarantine, without its payload.
type Refused struct {
	N        int64     `json:"n"`
	Terminal string    `json:"terminal"`
	Topic    string    `json:"topic"`
	Stream   string    `json:"stream,omitzero"`
	Seq      int64     `json:"sequence,omitzero"`
	Code     string    `json:"code"`
	Message  string    `json:"message"`
	Size     int64     `json:"size"` // bytes
	Times    int64     `json:"times"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// RefusedFilter picks messages in quarantine; zero members do not restrict.
type RefusedFilter struct {
	Before   int64 // n less than this, descending; 0: from the newest
	Terminal string
	Code     string
	Limit    int // 1 to MaxLimit, 0: 100
}

// Quarantine returns what did not fit, the newest first.
func (s *Store) Quarantine(ctx context.Context, f RefusedFilter) (list []Refused, err error) {
	w := &where{}
	w.text("terminal", f.Terminal)
	w.text("code", f.Code)
	if f.Before > 0 {
		w.add("n < ?", f.Before)
	}
	list = []Refused{}
	err = s.read(ctx, func(t *tx) error {
		q := `SELECT ` + refusedColumns + ` FROM quarantine` + w.String() + ` ORDER BY n DESC LIMIT ?`
		return t.rows(q, append(w.args, limitOf(f.Limit)), func(r *sql.Rows) error {
			one, err := scanRefused(r)
			list = append(list, one)
			return err
		})
	})
	return list, err
}

const refusedColumns = `n, terminal, topic, stream, seq, code, message, size, times, first_seen, last_seen`

func scanRefused(r *sql.Rows, more ...any) (one Refused, err error) {
	var first, last int64
	err = r.Scan(append([]any{&one.N, &one.Terminal, &one.Topic, &one.Stream, &one.Seq, &one.Code, &one.Message, &one.Size, &one.Times, &first, &last}, more...)...)
	one.First, one.Last = timeOf(first), timeOf(last)
	return one, err
}

// Totals are numbers of the whole store.
type Totals struct {
	N           int64          `json:"n"`
	Events      int64          `json:"events"`
	Cases       int64          `json:"cases"`
	Open        map[string]int `json:"open"` // open cases by severity
	Terminals   int64          `json:"terminals"`
	Streams     int64          `json:"streams"`
	Incomplete  int64          `json:"streams_with_gaps"`
	Repeats     int64          `json:"repeats"`
	Quarantined int64          `json:"quarantined"`
}

// Totals counts.
func (s *Store) Totals(ctx context.Context) (c Totals, err error) {
	c.Open = map[string]int{}
	err = s.read(ctx, func(t *tx) error {
		for _, one := range []struct {
			q  string
			to *int64
		}{
			{`SELECT n FROM desk WHERE id = 1`, &c.N}, {`SELECT count(*) FROM event`, &c.Events}, {`SELECT count(*) FROM cases`, &c.Cases},
			{`SELECT count(*) FROM terminal`, &c.Terminals}, {`SELECT count(*) FROM stream`, &c.Streams},
			{`SELECT count(*) FROM stream WHERE highest > settled`, &c.Incomplete},
			{`SELECT CAST(coalesce(sum(repeats), 0) AS BIGINT) FROM stream`, &c.Repeats}, {`SELECT count(*) FROM quarantine`, &c.Quarantined},
		} {
			if _, err := t.row(one.q, nil, one.to); err != nil {
				return err
			}
		}
		return t.rows(`SELECT severity, count(*) FROM cases WHERE state = 'open' GROUP BY severity`, nil, func(r *sql.Rows) error {
			var severity, n int
			if err := r.Scan(&severity, &n); err != nil {
				return err
			}
			c.Open[SeverityName(severity)] = n
			return nil
		})
	})
	return c, err
}

// Newest is the newest number given out.
func (s *Store) Newest(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, func(t *tx) error {
		_, err := t.row(`SELECT n FROM desk WHERE id = 1`, nil, &n)
		return err
	})
	return n, err
}
