package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// OpenAsItIs opens the store at a place and changes nothing: no tables are made, and those of
// an earlier version stay. It returns the version of the schema, 0 of an empty database.
// ErrUnavailable, ErrVersion, ErrPlace.
func OpenAsItIs(ctx context.Context, place string) (*Store, int, error) {
	db, d, err := connect(place)
	if err != nil {
		return nil, 0, err
	}
	s := &Store{db: db, d: d, limits: DefaultLimits(), changed: make(chan struct{})}
	have, err := s.versionBefore(ctx)
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return s, have, nil
}

// Version is that of the schema that this program makes.
func Version() int { return version }

// Sound has the database check itself: SQLite's quick_check, and of PostgreSQL that every
// table can be read. ErrUnavailable, with what is wrong.
func (s *Store) Sound(ctx context.Context) error {
	return s.read(ctx, func(t *tx) error {
		if s.d.postgres {
			tables, err := t.tables()
			for name := range tables {
				var n int64
				if _, bad := t.row(`SELECT count(*) FROM `+quote(name), nil, &n); bad != nil {
					err = errors.Join(err, bad)
					break // a transaction that failed answers nothing more
				}
			}
			return err
		}
		var faults []string
		err := t.rows(`PRAGMA quick_check(5)`, nil, func(r *sql.Rows) error {
			var one string
			err := r.Scan(&one)
			faults = append(faults, one)
			return err
		})
		if err == nil && (len(faults) != 1 || faults[0] != "ok") {
			err = fmt.Errorf("%w: quick_check: %s", ErrUnavailable, strings.Join(faults, "; "))
		}
		return err
	})
}

// Journals is what the case desk is, built of its journals.
type Journals struct {
	Cases  int
	Newest time.Time // of all events
	Due    time.Time // when something happens by itself next; zero: nothing does
}

// Journals builds the case desk, which checks that each event continues the one before it.
// ErrWork, or casework.ErrJournal, with the case and the event.
func (s *Store) Journals(ctx context.Context) (j Journals, err error) {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	err = s.read(ctx, func(t *tx) error {
		d, err := s.desk(t)
		if err != nil {
			return err
		}
		j.Cases, j.Newest = d.Count(), time.Unix(d.Clock(), 0)
		if at, ok := d.NextDue(); ok {
			j.Due = time.Unix(at, 0)
		}
		return nil
	})
	return j, err
}

// FileFault is a file of a case that is not as it was filed.
type FileFault struct {
	Case   string `json:"case"`
	SHA256 string `json:"sha256"`
	Gone   bool   `json:"gone"` // it is not there; else its hash is another
}

// Files checks the hash of every file of the cases. It returns how many are right, and the
// others.
func (s *Store) Files(ctx context.Context) (right int, amiss []FileFault, err error) {
	amiss = []FileFault{}
	err = s.read(ctx, func(t *tx) error {
		q := `SELECT f.case_no, f.sha256, w.body FROM work_filed f LEFT JOIN work_file w ON w.sha256 = f.sha256 ORDER BY f.case_no, f.sha256`
		return t.rows(q, nil, func(r *sql.Rows) error {
			f := FileFault{}
			var body []byte
			if err := r.Scan(&f.Case, &f.SHA256, &body); err != nil {
				return err
			}
			switch sum := sha256.Sum256(body); {
			case body == nil:
				f.Gone = true
				amiss = append(amiss, f)
			case hex.EncodeToString(sum[:]) != f.SHA256:
				amiss = append(amiss, f)
			default:
				right++
			}
			return nil
		})
	})
	return right, amiss, err
}

// Bytes is the size of the database on its disk.
func (s *Store) Bytes(ctx context.Context) (n int64, err error) {
	q := `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	if s.d.postgres {
		q = `SELECT pg_database_size(current_database())`
	}
	err = s.read(ctx, func(t *tx) error {
		_, err := t.row(q, nil, &n)
		return err
	})
	return n, err
}

// OldestGap is since when the stream that lacks something longest lacks it; zero: none does.
func (s *Store) OldestGap(ctx context.Context) (since time.Time, err error) {
	err = s.read(ctx, func(t *tx) error {
		var at int64
		_, err := t.row(`SELECT CAST(coalesce(min(gap_since), 0) AS BIGINT) FROM stream WHERE highest > settled AND gap_since > 0`, nil, &at)
		since = timeOf(at)
		return err
	})
	return since, err
}

// MustChange returns who has a password that was never changed, by id.
func (s *Store) MustChange(ctx context.Context) (ids []string, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT person FROM work_login WHERE must_change = 1 ORDER BY person`, nil, func(r *sql.Rows) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	return ids, err
}
