package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Patience is how long a gap must have been there before it may be closed by hand
// without insisting: a terminal sends again after 15 minutes at the latest.
const Patience = 30 * time.Minute

// Hand is who does something by hand, and why. Both are needed, at most 128 and
// 512 bytes.
type Hand struct {
	Who string
	Why string
	At  time.Time
}

func (h *Hand) check() error {
	switch {
	case h.Who == "" || len(h.Who) > 128:
		return fmt.Errorf("%w: say who does it, in at most 128 bytes", ErrHand)
	case h.Why == "" || len(h.Why) > 512:
		return fmt.Errorf("%w: say why, in at most 512 bytes", ErrHand)
	}
	return nil
}

// What is done by hand.
const (
	ActionClose   = "gap.close"
	ActionRelease = "quarantine.release"
	ActionDiscard = "quarantine.discard"
)

// Action is one thing that was done by hand. They are kept as long as events.
type Action struct {
	N        int64     `json:"n"`
	At       time.Time `json:"at"`
	Who      string    `json:"who"`
	What     string    `json:"what"`
	Terminal string    `json:"terminal"`
	Stream   string    `json:"stream,omitzero"`
	First    int64     `json:"first,omitzero"`
	Last     int64     `json:"last,omitzero"`
	Why      string    `json:"why"`
	Sent     bool      `json:"told"` // the terminal was sent an acknowledgement since
}

// note stores an action. One that concerns a stream leads to an acknowledgement, which
// UnsentAcks returns until it was sent; one without a stream leads to none.
func (a *applying) note(h Hand, what, terminal, stream string, first, last int64) error {
	a.n++
	sent := stream == ""
	_, err := a.exec(`INSERT INTO action VALUES(?,?,?,?,?,?,?,?,?,?)`, a.n, millis(h.At), h.Who, what, terminal, stream, first, last, h.Why, flag(sent))
	return err
}

// CloseGap settles everything of a stream up to last, because a person states that
// what is missing will not come: from then on acknowledgements cover it, and the
// terminal forgets it if it has it after all. What was missing stays listed as a
// hole. It returns the first and last sequence that were missing. ErrNotFound, or
// ErrHand: nothing is missing there, or the gap is younger than Patience and force
// is not set.
func (s *Store) CloseGap(ctx context.Context, terminal, name string, last int64, force bool, h Hand) (closed Range, err error) {
	if err := h.check(); err != nil {
		return Range{}, err
	}
	_, err = s.change(ctx, func(a *applying) error {
		var settled, highest, since int64
		found, err := a.row(`SELECT settled, highest, gap_since FROM stream WHERE terminal = ? AND stream = ?`, []any{terminal, name}, &settled, &highest, &since)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%w: terminal %q has no stream %q here", ErrNotFound, terminal, name)
		case last <= settled || highest <= settled:
			return fmt.Errorf("%w: nothing is missing up to %d; the stream is complete to %d", ErrHand, last, settled)
		case last >= highest:
			return fmt.Errorf("%w: %d is beyond the last gap; the newest event here is %d", ErrHand, last, highest)
		case h.At.Sub(timeOf(since)) < Patience && !force:
			return fmt.Errorf("%w: the gap is there since %s; what is missing may still come until %s: wait, or insist (force)", ErrHand,
				timeOf(since).Format(time.RFC3339), timeOf(since).Add(Patience).Format(time.RFC3339))
		}
		st, err := a.stream(terminal, name, timeOf(0))
		if err != nil {
			return err
		}
		if err := st.jump(a, last, h.At, HoleByHand+h.Why); err != nil {
			return err
		}
		st.ackDue, closed = true, Range{First: settled + 1, Last: last, Why: h.Why}
		return a.note(h, ActionClose, terminal, name, settled+1, last)
	})
	return closed, err
}

// Kept is a message in quarantine with its payload, as far as it is kept.
type Kept struct {
	Refused
	Payload []byte `json:"payload"`
}

// Kept returns one message in quarantine; ErrNotFound.
func (s *Store) Kept(ctx context.Context, n int64) (k Kept, err error) {
	err = s.read(ctx, func(t *tx) error {
		found := false
		err := t.rows(`SELECT `+refusedColumns+`, payload FROM quarantine WHERE n = ?`, []any{n}, func(r *sql.Rows) (err error) {
			found = true
			k.Refused, err = scanRefused(r, &k.Payload)
			return err
		})
		if err == nil && !found {
			err = fmt.Errorf("%w: nothing in quarantine has the number %d", ErrNotFound, n)
		}
		return err
	})
	return k, err
}

// Discard takes a message out of quarantine for good. ErrNotFound, ErrHand.
func (s *Store) Discard(ctx context.Context, n int64, h Hand) error {
	if err := h.check(); err != nil {
		return err
	}
	_, err := s.change(ctx, func(a *applying) error {
		terminal, err := a.unquarantine(n)
		if err != nil {
			return err
		}
		return a.note(h, ActionDiscard, terminal, "", n, n)
	})
	return err
}

func (a *applying) unquarantine(n int64) (terminal string, err error) {
	found, err := a.row(`DELETE FROM quarantine WHERE n = ? RETURNING terminal`, []any{n}, &terminal)
	if err == nil && !found {
		err = fmt.Errorf("%w: nothing in quarantine has the number %d", ErrNotFound, n)
	}
	return terminal, err
}

// Release takes a message out of quarantine and stores the event that it was found
// to be: the desk knows more than when it was refused. ErrNotFound, or ErrHand where
// the event cannot be stored: it is there already, or its terminal has no room.
func (s *Store) Release(ctx context.Context, n int64, e *Event, h Hand) error {
	if err := h.check(); err != nil {
		return err
	}
	_, err := s.change(ctx, func(a *applying) error {
		if _, err := a.unquarantine(n); err != nil {
			return err
		}
		if err := a.event(s, e); err != nil {
			return err
		}
		switch {
		case a.answer.Repeats > 0:
			return fmt.Errorf("%w: an event with this id is stored already; discard this one", ErrHand)
		case a.answer.New == 0:
			return fmt.Errorf("%w: the terminal has no room left here", ErrHand)
		}
		return a.note(h, ActionRelease, e.Terminal, e.Stream, e.Seq, e.Seq)
	})
	return err
}

// Actions returns what was done by hand, the newest first; before 0: from the newest.
func (s *Store) Actions(ctx context.Context, terminal string, before int64, limit int) (list []Action, err error) {
	w := &where{}
	w.text("terminal", terminal)
	if before > 0 {
		w.add("n < ?", before)
	}
	list = []Action{}
	err = s.read(ctx, func(t *tx) error {
		q := `SELECT n, at, who, what, terminal, stream, first, last, why, told FROM action` + w.String() + ` ORDER BY n DESC LIMIT ?`
		return t.rows(q, append(w.args, limitOf(limit)), func(r *sql.Rows) error {
			var one Action
			var at int64
			var sent int
			if err := r.Scan(&one.N, &at, &one.Who, &one.What, &one.Terminal, &one.Stream, &one.First, &one.Last, &one.Why, &sent); err != nil {
				return err
			}
			one.At, one.Sent = timeOf(at), sent != 0
			list = append(list, one)
			return nil
		})
	})
	return list, err
}

// UnsentAcks returns the acknowledgements that follow from what was done by hand and that
// no desk has sent yet, and the newest action they follow from.
func (s *Store) UnsentAcks(ctx context.Context) (acks []Ack, upTo int64, err error) {
	err = s.read(ctx, func(t *tx) error {
		if _, err := t.row(`SELECT coalesce(max(n), 0) FROM action WHERE told = 0`, nil, &upTo); err != nil || upTo == 0 {
			return err
		}
		return t.rows(`SELECT terminal, stream, settled FROM stream s WHERE settled > 0 AND EXISTS(SELECT 1 FROM action a
 WHERE a.told = 0 AND a.terminal = s.terminal AND a.stream = s.stream)`, nil, func(r *sql.Rows) error {
			var one Ack
			err := r.Scan(&one.Terminal, &one.Stream, &one.Seq)
			acks = append(acks, one)
			return err
		})
	})
	return acks, upTo, err
}

// AcksSent notes that the acknowledgements of UnsentAcks were sent.
func (s *Store) AcksSent(ctx context.Context, upTo int64) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE action SET told = 1 WHERE told = 0 AND n <= ?`, upTo)
		return err
	})
}
