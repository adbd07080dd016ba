package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Identity is a person as a provider of OpenID Connect knows him (casework.md § 13).
type Identity struct {
	Person  string    `json:"person"`
	Issuer  string    `json:"issuer"`
	Subject string    `json:"sub"`
	By      string    `json:"by"` // who bound it
	At      time.Time `json:"at"`
}

// Bind binds an identity to a person, in place of the one that he had at this issuer, or takes
// it from him if Subject is "". His sessions end. ErrNotFound: no such person; ErrHand: the
// identity is another's.
func (s *Store) Bind(ctx context.Context, one Identity) error {
	if _, err := s.Person(ctx, one.Person); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		var other string
		if _, err := t.row(`SELECT person FROM work_identity WHERE issuer = ? AND sub = ?`, []any{one.Issuer, one.Subject}, &other); err != nil {
			return err
		}
		if other != "" && other != one.Person {
			return fmt.Errorf("%w: this identity is another person's", ErrHand)
		}
		if _, err := t.exec(`DELETE FROM work_identity WHERE issuer = ? AND person = ?`, one.Issuer, one.Person); err != nil {
			return err
		}
		if one.Subject != "" {
			if _, err := t.exec(`INSERT INTO work_identity(issuer, sub, person, bound_by, bound) VALUES(?,?,?,?,?)`, one.Issuer, one.Subject, one.Person, one.By, millis(one.At)); err != nil {
				return err
			}
		}
		return t.endSessions(one.Person)
	})
}

// Identified returns the person to whom an identity is bound. ErrNotFound.
func (s *Store) Identified(ctx context.Context, issuer, subject string) (person string, err error) {
	err = s.read(ctx, func(t *tx) error {
		found, err := t.row(`SELECT person FROM work_identity WHERE issuer = ? AND sub = ?`, []any{issuer, subject}, &person)
		if err == nil && !found {
			err = ErrNotFound
		}
		return err
	})
	return person, err
}

// Identities returns all that are bound, by person and issuer.
func (s *Store) Identities(ctx context.Context) (list []Identity, err error) {
	list = []Identity{}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT person, issuer, sub, bound_by, bound FROM work_identity ORDER BY person, issuer`, nil, func(r *sql.Rows) error {
			var one Identity
			var at int64
			err := r.Scan(&one.Person, &one.Issuer, &one.Subject, &one.By, &at)
			one.At = timeOf(at)
			list = append(list, one)
			return err
		})
	})
	return list, err
}

// Subjects returns the identities at an issuer, by person.
func (l *Looking) Subjects(issuer string) (map[string]string, error) {
	subs := map[string]string{}
	err := l.t.rows(`SELECT person, sub FROM work_identity WHERE issuer = ?`, []any{issuer}, func(r *sql.Rows) error {
		var person, sub string
		err := r.Scan(&person, &sub)
		subs[person] = sub
		return err
	})
	return subs, err
}
