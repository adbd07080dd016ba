package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// File is one that was filed in a case.
type File struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	SHA256 string `json:"sha256"`
	Body   []byte `json:"-"`
}

// WorkFile is Work for the command file: the file itself is stored in the same transaction,
// if the command is not refused.
func (s *Store) WorkFile(ctx context.Context, now time.Time, by, members, hash, kind string, body []byte) (got casework.Answer, done Worked, err error) {
	return s.workWith(ctx, now, by, members, func(a *applying, _ casework.Answer) error {
		_, err := a.exec(`INSERT INTO work_file(sha256, type, added, body) VALUES(?,?,?,?) ON CONFLICT(sha256) DO NOTHING`, hash, kind, millis(now), body)
		return err
	})
}

// File returns the file of an event `filed` of a case. ErrNotFound.
func (s *Store) File(ctx context.Context, no string, seq int64) (f File, err error) {
	err = s.read(ctx, func(t *tx) error {
		var body string
		found, err := t.row(`SELECT body FROM work_event WHERE case_no = ? AND seq = ?`, []any{no, seq}, &body)
		if err != nil {
			return err
		}
		var e casework.Event
		if !found || json.Unmarshal([]byte(body), &e) != nil || e.What != "filed" {
			return ErrNotFound
		}
		if err := json.Unmarshal(e.Data, &f); err != nil {
			return err
		}
		if found, err = t.row(`SELECT body FROM work_file WHERE sha256 = ?`, []any{f.SHA256}, &f.Body); err == nil && !found {
			err = ErrNotFound
		}
		return err
	})
	return f, err
}

// FileBytes is the size that a file of a case may have, in bytes.
func (s *Store) FileBytes(ctx context.Context) (most int64, err error) {
	err = s.look(ctx, func(d *casework.Desk) error {
		most = d.FileBytes()
		return nil
	})
	return most, err
}

// Journal returns the events of a case behind a seq, at most MaxLimit, as they are stored.
func (s *Store) Journal(ctx context.Context, no string, after int64) (list []json.RawMessage, err error) {
	list = []json.RawMessage{}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT body FROM work_event WHERE case_no = ? AND seq > ? ORDER BY seq LIMIT ?`, []any{no, after, MaxLimit}, func(r *sql.Rows) error {
			var body string
			err := r.Scan(&body)
			list = append(list, json.RawMessage(body))
			return err
		})
	})
	return list, err
}

// Sided is both sides of a refund of a case, with what the terminal's verdict says.
type Sided struct {
	casework.Sides
	Verdict json.RawMessage `json:"verdict"` // as the terminal sent it last; null: by hand
}

// Sides returns both sides of each refund of a case.
func (s *Store) Sides(ctx context.Context, no string) (list []Sided, err error) {
	list = []Sided{}
	err = s.look(ctx, func(d *casework.Desk) error {
		for _, one := range d.Sides(no) {
			list = append(list, Sided{Sides: one})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, s.read(ctx, func(t *tx) error {
		for i := range list {
			one, err := t.report(list[i].Terminal, list[i].Event)
			if err != nil {
				return err
			}
			list[i].Verdict = one.Verdict
		}
		return nil
	})
}
