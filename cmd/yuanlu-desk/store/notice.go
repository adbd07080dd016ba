package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// Notice is what somebody is notified of: a step that is overdue, or a proposal that waits for
// approval (step approve). It holds no word about people or money.
type Notice struct {
	N    int64  // number of its event
	ID   string // C-2026-000001/7: case and seq of its event
	Case string
	Step string
	Due  string // as the journal has it
	Late bool   // it is overdue
}

// place is how far a channel has got, kept in meta: what it has to send is in the journals, so
// that nothing is queued twice and nothing can be lost.
type place struct {
	N     int64  `json:"n"`     // of the newest event that was sent, or is nothing to send
	Next  int64  `json:"next"`  // no desk sends before
	Tries int    `json:"tries"` // that failed, one after the other
	Since int64  `json:"since"` // the first of them
	Error string `json:"error"`
}

// Channel is one way of notifying, by its name.
type Channel struct {
	s    *Store
	name string
}

// Channel returns a way of notifying; one that is new begins with what happens from now on.
func (s *Store) Channel(ctx context.Context, name string) (*Channel, error) {
	c := &Channel{s, name}
	return c, s.write(ctx, func(t *tx) error {
		var p place
		if _, err := t.row(`SELECT n FROM desk WHERE id = 2`, nil, &p.N); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO meta(name, value) VALUES(?,?) ON CONFLICT DO NOTHING`, c.key(), p.text())
		return err
	})
}

const channelKey = "notices of "

func (c *Channel) key() string { return channelKey + c.name }

func (p place) text() string {
	b, err := json.Marshal(p)
	if err != nil { // numbers and a text can always be written
		return "{}"
	}
	return string(b)
}

func (c *Channel) read(t *tx) (p place, text string, err error) {
	if _, err = t.row(`SELECT value FROM meta WHERE name = ?`, []any{c.key()}, &text); err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	return p, text, err
}

// passed is how many events that notify of nothing are passed over at once.
const passed = 1000

// Take returns what is to be sent now, the oldest first, and keeps other desks on this store
// from sending it until a moment. Nothing: there is nothing, or it is not yet time.
func (c *Channel) Take(ctx context.Context, now, until time.Time) (list []Notice, err error) {
	var p place
	var before string
	var newest int64
	err = c.s.read(ctx, func(t *tx) error {
		if p, before, err = c.read(t); err != nil || p.Next > millis(now) {
			return err
		}
		if _, err := t.row(`SELECT n FROM desk WHERE id = 2`, nil, &newest); err != nil || newest == p.N {
			return err
		}
		list, err = t.notices(p.N)
		return err
	})
	switch {
	case err != nil || len(list) == 0 && newest-p.N < passed:
		return nil, err
	case len(list) == 0: // so that they are not looked at each time
		p.N = newest
	default:
		p.Next = millis(until)
	}
	taken := int64(0)
	err = c.s.write(ctx, func(t *tx) error {
		taken, err = t.exec(`UPDATE meta SET value = ? WHERE name = ? AND value = ?`, p.text(), c.key(), before)
		return err
	})
	if taken == 0 {
		return nil, err
	}
	return list, err
}

// notices are those behind a number, some of them.
func (t *tx) notices(after int64) (list []Notice, err error) {
	err = t.rows(`SELECT n, body FROM work_event WHERE n > ? AND (body LIKE '%"what":"overdue"%' OR body LIKE '%"what":"proposed"%') ORDER BY n LIMIT ?`, []any{after, MaxLimit}, func(r *sql.Rows) error {
		var n int64
		var body string
		if err := r.Scan(&n, &body); err != nil {
			return err
		}
		one, ok, err := noticeOf(n, body)
		if ok {
			list = append(list, one)
		}
		return err
	})
	return list, err
}

func noticeOf(n int64, body string) (Notice, bool, error) {
	var e casework.Event
	var data struct {
		Step      string `json:"step"`
		Due       string `json:"due"`
		ApproveBy string `json:"approve_by"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return Notice{}, false, fmt.Errorf("%w: number %d: %w", ErrWork, n, err)
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return Notice{}, false, fmt.Errorf("%w: number %d: %w", ErrWork, n, err)
	}
	one := Notice{N: n, ID: fmt.Sprintf("%s/%d", e.Case, e.Seq), Case: e.Case, Step: data.Step, Due: data.Due, Late: true}
	if e.What == "proposed" {
		one.Step, one.Due, one.Late = "approve", data.ApproveBy, false
	}
	return one, e.What == "overdue" || e.What == "proposed", nil
}

// Sent notes that everything up to a notice was sent.
func (c *Channel) Sent(ctx context.Context, one Notice, until time.Time) error {
	return c.set(ctx, func(p *place) { *p = place{N: max(p.N, one.N), Next: millis(until)} })
}

// Failed notes why nothing could be sent, and when it is tried again. It returns how often it
// has failed, one after the other.
func (c *Channel) Failed(ctx context.Context, now time.Time, why string, wait func(tries int) time.Duration) (tries int, err error) {
	err = c.set(ctx, func(p *place) {
		p.Tries++
		if p.Since == 0 {
			p.Since = millis(now)
		}
		tries, p.Error, p.Next = p.Tries, why, millis(now.Add(wait(p.Tries)))
	})
	return tries, err
}

// Done lets the next be taken at once.
func (c *Channel) Done(ctx context.Context) error {
	return c.set(ctx, func(p *place) { p.Next = 0 })
}

func (c *Channel) set(ctx context.Context, change func(*place)) error {
	return c.s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE meta SET value = value WHERE name = ?`, c.key()); err != nil { // takes the row
			return err
		}
		p, _, err := c.read(t)
		if err != nil {
			return err
		}
		change(&p)
		_, err = t.exec(`UPDATE meta SET value = ? WHERE name = ?`, p.text(), c.key())
		return err
	})
}

// Unsent is what waits on all channels that fail: how much, since when, why the last time.
func (s *Store) Unsent(ctx context.Context) (n int64, since time.Time, why string, err error) {
	err = s.read(ctx, func(t *tx) error {
		var places []place
		if err := t.rows(`SELECT value FROM meta WHERE name LIKE ?`, []any{channelKey + "%"}, func(r *sql.Rows) error {
			var text string
			var p place
			if err := r.Scan(&text); err != nil {
				return err
			}
			err := json.Unmarshal([]byte(text), &p)
			places = append(places, p)
			return err
		}); err != nil {
			return err
		}
		for _, p := range places {
			list, err := t.notices(p.N)
			if err != nil {
				return err
			}
			if p.Tries == 0 || len(list) == 0 {
				continue
			}
			n += int64(len(list))
			if at := timeOf(p.Since); since.IsZero() || at.Before(since) {
				since, why = at, p.Error
			}
		}
		return nil
	})
	return n, since, why, err
}
