package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"yuanlu/protocol/evidence"
)

// Store is an open store.
type Store struct {
	db       *sql.DB
	d        dialect
	id       string
	limits   Limits
	accounts map[string]string // of bills
	work     work
	signer   *evidence.Signer // of checkpoints; nil: none are co-signed. Set before the store is shared

	mu      sync.Mutex
	changed chan struct{} // guarded by mu: see Changed
}

// Open opens the store at place, a file for SQLite or a postgres:// URL, and
// makes its tables where there are none. ErrUnavailable, ErrVersion or ErrPlace.
// No error holds the URL's password.
func Open(ctx context.Context, place string) (*Store, error) {
	db, d, err := connect(place)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, d: d, limits: DefaultLimits(), changed: make(chan struct{})}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// Kind is "sqlite" or "postgresql".
func (s *Store) Kind() string {
	if s.d.postgres {
		return "postgresql"
	}
	return "sqlite"
}

// ID names this store: made with it, the same for all who share it.
func (s *Store) ID() string { return s.id }

// Changed is closed at the next commit of this process that changes what is shown: events,
// gaps, terminals, journals. What is only read does not close it, nor do commits of other desks
// on the same database.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// tx is one transaction. Its statements are written with ? for values.
type tx struct {
	*sql.Tx
	d   dialect
	ctx context.Context
	n   int64 // newest number given out
}

func (t *tx) exec(q string, args ...any) (int64, error) {
	r, err := t.ExecContext(t.ctx, t.d.sql(q), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row; found is false where there is none.
func (t *tx) row(q string, args []any, to ...any) (found bool, err error) {
	err = t.QueryRowContext(t.ctx, t.d.sql(q), args...).Scan(to...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// write runs do in a transaction and commits it. Errors are classified.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	raw, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	t := &tx{Tx: raw, d: s.d, ctx: ctx}
	if err := do(t); err != nil {
		_ = raw.Rollback() // what went wrong before is what counts
		if errors.Is(err, ErrVersion) || errors.Is(err, ErrHand) || errors.Is(err, ErrBackup) {
			return err
		}
		return classify(err)
	}
	return classify(raw.Commit())
}

// read runs do in a transaction that only reads and sees one moment.
func (s *Store) read(ctx context.Context, do func(*tx) error) error {
	o := &sql.TxOptions{ReadOnly: true}
	if s.d.postgres {
		o.Isolation = sql.LevelRepeatableRead
	}
	raw, err := s.db.BeginTx(ctx, o)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = raw.Rollback() }() // nothing was written
	return classify(do(&tx{Tx: raw, d: s.d, ctx: ctx}))
}

// rows runs a query and returns every row to scan.
func (t *tx) rows(q string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := t.QueryContext(t.ctx, t.d.sql(q), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
