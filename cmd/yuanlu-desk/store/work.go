package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// work is the case desk in this process: what the journals in the database make of it. The
// transactions that may use it hold mu from before they begin until they have ended. A
// transaction that fails leaves it nil: the next one builds it again.
type work struct {
	mu    sync.Mutex
	desk  *casework.Desk
	upto  int64 // everything up to this number is in desk
	built bool  // desk has just been made, with the set-up of this transaction
}

// ErrWork is the class of errors of a case desk whose journals cannot be read.
var ErrWork = errors.New("store: the journals of the case desk cannot be read")

// setupNames are the lines of set-up, in the order in which they are given (casework.md § 10).
var setupNames = []string{"settings", "calendar", "stores"}

// worked is what another process may have stored, in the order of its numbers.
const worked = `SELECT n, 'event' AS kind, body FROM work_event WHERE n > ? UNION ALL
 SELECT n, 'input', body FROM work_input WHERE n > ? UNION ALL
 SELECT n, 'gone', case_no FROM work_gone WHERE n > ? UNION ALL
 SELECT n, 'setup', name FROM work_setup WHERE n > ? ORDER BY 1, 2 DESC`

// desk returns the case desk as it is at this moment of the transaction.
func (s *Store) desk(t *tx) (*casework.Desk, error) {
	w := &s.work
	if w.desk == nil {
		if err := s.build(t); err != nil {
			w.desk = nil
			return nil, err
		}
	}
	if err := s.follow(t); err != nil {
		w.desk = nil
		return nil, err
	}
	return w.desk, nil
}

// desk is the case desk in this transaction, which holds the desk's row: nothing else is
// stored meanwhile, so it is brought up to date once.
func (a *applying) desk(s *Store) (*casework.Desk, error) {
	if a.current && s.work.desk != nil {
		return s.work.desk, nil
	}
	d, err := s.desk(a.tx)
	a.current = err == nil
	return d, err
}

// build makes an empty desk with the set-up.
func (s *Store) build(t *tx) error {
	s.work.desk, s.work.upto, s.work.built = casework.New(), 0, true
	for _, name := range setupNames {
		var body string
		found, err := t.row(`SELECT body FROM work_setup WHERE name = ?`, []any{name}, &body)
		if err != nil {
			return err
		}
		if found {
			if a := s.work.desk.Line(0, []byte(`{"`+name+`":`+body+`}`)); a.Refused != "" {
				return fmt.Errorf("%w: set-up %s: %s", ErrWork, name, a.Refused)
			}
		}
	}
	return t.rows(`SELECT year, last FROM work_year`, nil, func(r *sql.Rows) error {
		var year string
		var last int64
		err := r.Scan(&year, &last)
		s.work.desk.Numbered(year, last)
		return err
	})
}

// follow takes in what was stored since; by this process at the start, later by others.
func (s *Store) follow(t *tx) error {
	w := &s.work
	from, built := w.upto, w.built
	w.built = false
	err := t.rows(worked, []any{from, from, from, from}, func(r *sql.Rows) error {
		var n int64
		var kind, body string
		if err := r.Scan(&n, &kind, &body); err != nil {
			return err
		}
		w.upto = n
		switch kind {
		case "event":
			if err := w.desk.Apply([]byte(body)); err != nil {
				return fmt.Errorf("%w: number %d: %w", ErrWork, n, err)
			}
		case "input":
			e, err := casework.Recall([]byte(body))
			if err == nil {
				w.desk.Remember(e)
			}
			return err
		case "gone":
			w.desk.Forget(body)
		case "setup":
			if !built {
				return errSetup
			}
		}
		return nil
	})
	if errors.Is(err, errSetup) { // it decides to which store a refund belongs: from the beginning
		if err := s.build(t); err != nil {
			return err
		}
		return s.follow(t)
	}
	if err != nil {
		return err
	}
	return t.rows(`SELECT person, name, command, n FROM work_key WHERE n > ?`, []any{from}, func(r *sql.Rows) error {
		var k casework.Key
		err := r.Scan(&k.Person, &k.Key, &k.Command, &k.Line)
		w.desk.RememberKey(k)
		return err
	})
}

// errSetup: another process has changed the set-up.
var errSetup = errors.New("store: the set-up of the case desk changed")

// line lets the desk answer a line of casework.md § 10, and stores what it caused.
func (a *applying) line(s *Store, text []byte) (casework.Answer, error) {
	d, err := a.desk(s)
	if err != nil {
		return casework.Answer{}, err
	}
	n := a.w + 1
	got := d.Line(n, text)
	reads := d.TakeReads()
	if len(got.Events)+len(reads) == 0 {
		return got, nil
	}
	a.w = n
	if err := a.journal(s, d, got.Events); err != nil {
		return got, err
	}
	if k, ok := d.NewKey(n); ok {
		answer, err := json.Marshal(Worked{Events: got.Events})
		if err != nil {
			return got, err
		}
		if _, err := a.exec(`INSERT INTO work_key(person, name, n, command, answer) VALUES(?,?,?,?,?)`, k.Person, k.Key, n, k.Command, string(answer)); err != nil {
			return got, err
		}
	}
	for _, r := range reads {
		a.w++
		if _, err := a.exec(`INSERT INTO work_read(n, at, person, what, about) VALUES(?,?,?,?,?)`, a.w, r.At, r.By, r.What, r.Of); err != nil {
			return got, err
		}
	}
	s.work.upto = a.w
	return got, nil
}

// journal stores events and what is found by them.
func (a *applying) journal(s *Store, d *casework.Desk, events []casework.Event) error {
	cases := map[string]bool{}
	a.journaled = a.journaled || len(events) > 0
	for i := range events {
		e := &events[i]
		a.w++
		own, err := a.ownLog()
		if err != nil {
			return err
		}
		place, err := own.append(e.Bytes())
		if err != nil {
			return err
		}
		if _, err := a.exec(`INSERT INTO work_event(case_no, seq, n, body, place) VALUES(?,?,?,?,?)`, e.Case, e.Seq, a.w, string(e.Bytes()), place); err != nil {
			return err
		}
		cases[e.Case] = true
		if err := a.heldNow(time.Unix(d.Clock(), 0), e); err != nil {
			return err
		}
		switch e.What {
		case "filed":
			if err := a.filed(e); err != nil {
				return err
			}
		case "person_set": // what he may do is another now
			if err := a.changed(e); err != nil {
				return err
			}
		}
	}
	for no := range cases {
		if f, ok := d.Facts(no); ok {
			if err := a.found(no, f); err != nil {
				return err
			}
		}
	}
	s.work.upto = a.w
	return nil
}

// found stores what a case is found by: its refunds, the number given last in its year.
func (a *applying) found(no string, f casework.Fact) error {
	if _, err := a.exec(`INSERT INTO work_case(case_no, closed, merged_into) VALUES(?,?,?)
 ON CONFLICT(case_no) DO UPDATE SET closed = excluded.closed, merged_into = excluded.merged_into`, no, f.Closed, f.Into); err != nil {
		return err
	}
	for _, id := range f.Refunds {
		if _, err := a.exec(`INSERT INTO work_refund(refund, case_no) VALUES(?,?) ON CONFLICT(refund) DO UPDATE SET case_no = excluded.case_no`, id, no); err != nil {
			return err
		}
	}
	if year, last, ok := strings.Cut(strings.TrimPrefix(no, "C-"), "-"); ok {
		if _, err := a.exec(`INSERT INTO work_year(year, last) VALUES(?, CAST(? AS BIGINT)) ON CONFLICT(year) DO UPDATE
 SET last = CASE WHEN excluded.last > work_year.last THEN excluded.last ELSE work_year.last END`, year, last); err != nil {
			return err
		}
	}
	return nil
}

// filed notes which case holds a file.
func (a *applying) filed(e *casework.Event) error {
	var f struct {
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(e.Data, &f); err != nil {
		return err
	}
	_, err := a.exec(`INSERT INTO work_filed(case_no, sha256) VALUES(?,?) ON CONFLICT DO NOTHING`, e.Case, f.SHA256)
	return err
}

// changed ends the sessions of a person who was changed.
func (a *applying) changed(e *casework.Event) error {
	var p struct {
		Person casework.Person `json:"person"`
	}
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return err
	}
	return a.endSessions(p.Person.ID)
}

// takeOver takes what the desk stored before there was a case desk, in the order in which it
// came.
func (s *Store) takeOver(ctx context.Context) error {
	_, err := s.change(ctx, func(a *applying) error {
		var numbers []int64
		if err := a.rows(`SELECT n FROM event WHERE kind = 'case' AND NOT EXISTS(SELECT 1 FROM work_input) ORDER BY n`, nil, func(r *sql.Rows) error {
			var n int64
			err := r.Scan(&n)
			numbers = append(numbers, n)
			return err
		}); err != nil {
			return err
		}
		for _, n := range numbers {
			var payload string
			var received int64
			if _, err := a.row(`SELECT payload, received FROM event WHERE n = ?`, []any{n}, &payload, &received); err != nil {
				return err
			}
			if err := a.casework(s, []byte(payload), timeOf(received)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// casework takes a case event that was stored to the case desk. One that the desk does not
// understand is counted; it is stored all the same.
func (a *applying) casework(s *Store, payload []byte, received time.Time) error {
	if _, err := a.desk(s); err != nil {
		return err
	}
	e, err := casework.ReadEvent(payload)
	if err != nil {
		a.answer.Unworked++
		return nil
	}
	a.w++
	if _, err := a.exec(`INSERT INTO work_input(n, body) VALUES(?,?)`, a.w, string(e.Kept())); err != nil {
		return err
	}
	s.work.upto = a.w // it is taken by the line
	_, err = a.line(s, fmt.Appendf(nil, `{"at":%q,"event":%s}`, stamp(received), payload))
	return err
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Worked is what a command of the case desk caused (casework.md § 13).
type Worked struct {
	Events []casework.Event `json:"events"`
	Case   any              `json:"case"`
}

// Work answers a line of casework.md § 10 in one transaction: of the person by, or a tick.
// members are those of the line but at, which is now. Two commands at once are answered one after the
// other, whichever desk they came to.
func (s *Store) Work(ctx context.Context, now time.Time, by, members string) (got casework.Answer, done Worked, err error) {
	return s.workWith(ctx, now, by, members, func(*applying, casework.Answer) error { return nil })
}

// workWith is Work, and does something more where the command is not refused.
func (s *Store) workWith(ctx context.Context, now time.Time, by, members string, more func(*applying, casework.Answer) error) (got casework.Answer, done Worked, err error) {
	_, err = s.change(ctx, func(a *applying) error {
		var err error
		if got, err = a.line(s, fmt.Appendf(nil, `{"at":%q,%s}`, stamp(now), members)); err != nil || got.Refused != "" {
			return err
		}
		if err := more(a, got); err != nil {
			return err
		}
		done = Worked{Events: got.Events}
		if got.Again > 0 {
			var answer string
			if _, err := a.row(`SELECT answer FROM work_key WHERE n = ?`, []any{got.Again}, &answer); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(answer), &done); err != nil {
				return err
			}
		}
		for i := range done.Events { // behind what was due: the first that the person caused
			if v, ok := s.work.desk.Show(done.Events[i].Case); ok && done.Events[i].By == by {
				done.Case = v
				break
			}
		}
		return nil
	})
	return got, done, err
}

// Tick lets happen what is due in the case desk until now (casework.md § 8); of several desks
// on one database, one at a time. It returns the number of events.
func (s *Store) Tick(ctx context.Context, now time.Time) (int, error) {
	got, _, err := s.Work(ctx, now, "", `"tick":true`)
	return len(got.Events), err
}

// SetUp stores settings, calendar and stores, JSON Lines as in casework.md § 10. Lines that
// are not given stay as they were. ErrHand if they are not as they must be.
func (s *Store) SetUp(ctx context.Context, lines []byte) error {
	given := map[string]string{}
	for line := range strings.Lines(string(lines)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if a := casework.New().Line(1, []byte(line)); a.Refused != "" {
			return fmt.Errorf("%w: a line of the set-up: %s", ErrHand, a.Refused)
		}
		var one map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return fmt.Errorf("%w: %w", ErrHand, err)
		}
		for name, body := range one {
			if _, twice := given[name]; twice || name == "people" {
				return fmt.Errorf("%w: want settings, calendar, stores, each at most once; people come by people add", ErrHand)
			}
			given[name] = string(body)
		}
	}
	_, err := s.change(ctx, func(a *applying) error {
		for name, body := range given {
			a.w++
			if _, err := a.exec(`INSERT INTO work_setup(name, n, body) VALUES(?,?,?) ON CONFLICT(name) DO UPDATE SET n = excluded.n, body = excluded.body`, name, a.w, body); err != nil {
				return err
			}
		}
		s.work.desk = nil
		return nil
	})
	return err
}

// Hire makes or changes a person, as a JSON object of casework.md § 2, on the machine of the
// desk itself. A refusal is returned as ErrHand.
func (s *Store) Hire(ctx context.Context, now time.Time, person []byte) error {
	_, err := s.change(ctx, func(a *applying) error {
		d, err := a.desk(s)
		if err != nil {
			return err
		}
		events, refusal := d.Hire(now.Unix(), person)
		if refusal != "" {
			s.work.desk = nil
			return fmt.Errorf("%w: %s", ErrHand, refusal)
		}
		return a.journal(s, d, events)
	})
	return err
}

// Reads returns the reading log behind a number, at most MaxLimit entries, the oldest first.
func (s *Store) Reads(ctx context.Context, after int64) (list []casework.Reading, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT at, person, what, about FROM work_read WHERE n > ? ORDER BY n LIMIT ?`, []any{after, MaxLimit}, func(r *sql.Rows) error {
			var one casework.Reading
			err := r.Scan(&one.At, &one.By, &one.What, &one.Of)
			list = append(list, one)
			return err
		})
	})
	return list, err
}
