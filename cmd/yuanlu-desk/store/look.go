package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// Looking is what may be read in the transaction of one question of a person. It is valid
// until the function that got it returns.
type Looking struct {
	Desk *casework.Desk
	t    *tx
	upto int64
}

// Upto is the number up to which everything is in what is read; what changes later is behind
// it (WorkChanges).
func (l *Looking) Upto() int64 { return l.upto }

// Look answers a question of a person as Work does, and lets more read what else is shown
// with the answer, in the same transaction; not if the question is refused. more may run
// again where the transaction does.
func (s *Store) Look(ctx context.Context, now time.Time, by, members string, more func(*Looking, casework.Answer) error) (casework.Answer, error) {
	got, _, err := s.workWith(ctx, now, by, members, func(a *applying, got casework.Answer) error { return more(&Looking{s.work.desk, a.tx, a.w}, got) })
	return got, err
}

// Journal returns the events of a case behind a seq, the oldest first.
func (l *Looking) Journal(no string, after int64) (list []casework.Event, err error) {
	err = l.t.rows(`SELECT body FROM work_event WHERE case_no = ? AND seq > ? ORDER BY seq`, []any{no, after}, func(r *sql.Rows) error {
		var body string
		if err := r.Scan(&body); err != nil {
			return err
		}
		var e casework.Event
		err := json.Unmarshal([]byte(body), &e)
		list = append(list, e)
		return err
	})
	return list, err
}

// Report is what the terminal sent last of a refund, as it stands: verdict and explanation.
type Report struct {
	Verdict json.RawMessage `json:"verdict"`
	Explain json.RawMessage `json:"explain"`
}

// Sides returns both sides of each refund of a case, with what the terminal sent last.
func (l *Looking) Sides(no string) (sides []casework.Sides, reports []Report, err error) {
	sides = l.Desk.Sides(no)
	for i := range sides {
		one, err := l.t.report(sides[i].Terminal, sides[i].Event)
		if err != nil {
			return nil, nil, err
		}
		reports = append(reports, one)
	}
	return sides, reports, nil
}

// report reads an event of up/case; a zero one if it is kept no longer, or was none.
func (t *tx) report(terminal, id string) (one Report, err error) {
	var payload string
	found, err := t.row(`SELECT payload FROM event WHERE terminal = ? AND kind = 'case' AND id = ?`, []any{terminal, id}, &payload)
	var e struct{ Data Report }
	if err == nil && found && json.Unmarshal([]byte(payload), &e) == nil {
		one = e.Data
	}
	return one, err
}

// Reads returns the newest entries of the reading log, the newest first.
func (l *Looking) Reads(most int) (list []casework.Reading, err error) {
	err = l.t.rows(`SELECT at, person, what, about FROM work_read ORDER BY n DESC LIMIT ?`, []any{most}, func(r *sql.Rows) error {
		var one casework.Reading
		err := r.Scan(&one.At, &one.By, &one.What, &one.Of)
		list = append(list, one)
		return err
	})
	return list, err
}
