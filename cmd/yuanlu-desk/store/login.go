package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// Login is what is stored about the password of a person.
type Login struct {
	Hash       string // PHC string; "": there is none
	MustChange bool   // before anything else is done
}

// Login returns that of a person; a zero one if there is none.
func (s *Store) Login(ctx context.Context, person string) (l Login, err error) {
	err = s.read(ctx, func(t *tx) error {
		_, err := t.row(`SELECT password, must_change FROM work_login WHERE person = ?`, []any{person}, &l.Hash, &l.MustChange)
		return err
	})
	return l, err
}

// SetLogin stores a password and ends the sessions of the person.
func (s *Store) SetLogin(ctx context.Context, person string, l Login) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO work_login(person, password, must_change) VALUES(?,?,?) ON CONFLICT(person) DO UPDATE
 SET password = excluded.password, must_change = excluded.must_change`, person, l.Hash, flag(l.MustChange)); err != nil {
			return err
		}
		return t.endSessions(person)
	})
}

// FirstLogin stores a password that must be changed at first use, of a person who has not chosen
// one, and ends his sessions. ErrHand: he has.
func (s *Store) FirstLogin(ctx context.Context, person, hash string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO work_login(person, password, must_change) VALUES(?,?,1) ON CONFLICT(person) DO UPDATE
 SET password = excluded.password WHERE work_login.must_change = 1`, person, hash)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: %s has chosen a password", ErrHand, person)
		}
		if err != nil {
			return err
		}
		return t.endSessions(person)
	})
}

// OwnPasswords returns who has chosen a password.
func (l *Looking) OwnPasswords() (map[string]bool, error) {
	chosen := map[string]bool{}
	err := l.t.rows(`SELECT person FROM work_login WHERE must_change = 0`, nil, func(r *sql.Rows) error {
		var person string
		err := r.Scan(&person)
		chosen[person] = true
		return err
	})
	return chosen, err
}

func (t *tx) endSessions(person string) error {
	_, err := t.exec(`DELETE FROM work_session WHERE person = ?`, person)
	return err
}

// Session is one login of a person, by the hash of its token.
type Session struct {
	Hash, Person, CSRF string
	Identified         bool // by a provider, not by a password
	Made, Seen         time.Time
}

// How long a session lasts (casework.md § 13).
const (
	SessionLasts = 12 * time.Hour
	SessionIdle  = 60 * time.Minute
)

// Begin stores a session.
func (s *Store) Begin(ctx context.Context, one Session) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM work_session WHERE made < ? OR seen < ?`, millis(one.Made.Add(-SessionLasts)), millis(one.Made.Add(-SessionIdle))); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO work_session(hash, person, csrf, identified, made, seen) VALUES(?,?,?,?,?,?)`, one.Hash, one.Person, one.CSRF, flag(one.Identified), millis(one.Made), millis(one.Made))
		return err
	})
}

// seenEvery is how often the last use of a session is stored.
const seenEvery = time.Minute

// Lasts returns the session of a hash that lasts still, and does not count as its use.
// ErrNotFound.
func (s *Store) Lasts(ctx context.Context, hash string, now time.Time) (one Session, err error) {
	err = s.read(ctx, func(t *tx) error {
		var made, seen int64
		found, err := t.row(`SELECT person, csrf, identified, made, seen FROM work_session WHERE hash = ?`, []any{hash}, &one.Person, &one.CSRF, &one.Identified, &made, &seen)
		if err != nil {
			return err
		}
		one.Hash, one.Made, one.Seen = hash, timeOf(made), timeOf(seen)
		if !found || !now.Before(one.Made.Add(SessionLasts)) || !now.Before(one.Seen.Add(SessionIdle)) {
			return ErrNotFound
		}
		return nil
	})
	return one, err
}

// Session is Lasts, and notes that the session is used.
func (s *Store) Session(ctx context.Context, hash string, now time.Time) (one Session, err error) {
	if one, err = s.Lasts(ctx, hash, now); err != nil || now.Sub(one.Seen) < seenEvery {
		return one, err
	}
	return one, s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE work_session SET seen = ? WHERE hash = ?`, millis(now), hash)
		return err
	})
}

// End ends a session.
func (s *Store) End(ctx context.Context, hash string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM work_session WHERE hash = ?`, hash)
		return err
	})
}

// Limits of failed logins, within FailureTime (casework.md § 13).
const (
	FailureTime     = 15 * time.Minute
	LoginFailures   = 5
	AddressFailures = 20
)

// Failed notes a failed login.
func (s *Store) Failed(ctx context.Context, login, address string, now time.Time) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM work_failure WHERE at <= ?`, millis(now.Add(-FailureTime))); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO work_failure(login, address, at) VALUES(?,?,?)`, login, address, millis(now))
		return err
	})
}

// Barred reports whether a login or an address has failed too often; a login "" never has.
func (s *Store) Barred(ctx context.Context, login, address string, now time.Time) (barred bool, err error) {
	err = s.read(ctx, func(t *tx) error {
		var byLogin, byAddress int
		since := millis(now.Add(-FailureTime))
		if _, err := t.row(`SELECT count(*) FROM work_failure WHERE login = ? AND login <> '' AND at > ?`, []any{login, since}, &byLogin); err != nil {
			return err
		}
		_, err := t.row(`SELECT count(*) FROM work_failure WHERE address = ? AND at > ?`, []any{address, since}, &byAddress)
		barred = byLogin >= LoginFailures || byAddress >= AddressFailures
		return err
	})
	return barred, err
}

// Person returns somebody that the case desk knows. ErrNotFound.
func (s *Store) Person(ctx context.Context, id string) (p casework.Person, err error) {
	err = s.look(ctx, func(d *casework.Desk) error {
		var ok bool
		if p, ok = d.Person(id); !ok {
			return ErrNotFound
		}
		return nil
	})
	return p, err
}

// People returns everybody that the case desk knows, by id.
func (s *Store) People(ctx context.Context) (list []casework.Person, err error) {
	err = s.look(ctx, func(d *casework.Desk) error {
		list = d.People()
		return nil
	})
	return list, err
}

// look reads the case desk as it is now.
func (s *Store) look(ctx context.Context, do func(*casework.Desk) error) error {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	return s.read(ctx, func(t *tx) error {
		d, err := s.desk(t)
		if err != nil {
			return err
		}
		return do(d)
	})
}
