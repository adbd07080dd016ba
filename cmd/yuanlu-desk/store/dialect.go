package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

// Classes of errors of a store.
var (
	ErrUnavailable = errors.New("store: not available")
	ErrData        = errors.New("store: a message cannot be stored")
	ErrNotFound    = errors.New("store: not found")
	ErrVersion     = errors.New("store: made by a newer version")
	ErrPlace       = errors.New("store: bad place")
	ErrHand        = errors.New("not done")
)

// dialect is what differs between the two databases.
type dialect struct {
	postgres bool
}

// sql returns a statement as the database wants it: ? becomes $1, $2 … for
// PostgreSQL. Statements of this package hold no other question marks.
func (d dialect) sql(q string) string {
	if !d.postgres {
		return q
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(q, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		q = after
	}
}

// classify wraps an error of the database in its class.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrData) || errors.Is(err, ErrNotFound) ||
		errors.Is(err, context.Canceled) {
		return err
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		// 22: data exception, 23: integrity, 54: program limit exceeded. The
		// message is left out: it may repeat a value.
		switch pe.Code[:min(2, len(pe.Code))] {
		case "22", "23", "54":
			return fmt.Errorf("%w: SQLSTATE %s", ErrData, pe.Code)
		}
		return fmt.Errorf("%w: SQLSTATE %s: %s", ErrUnavailable, pe.Code, pe.Message)
	}
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		switch se.Code() & 0xff {
		case 18, 19, 20: // TOOBIG, CONSTRAINT, MISMATCH
			return fmt.Errorf("%w: SQLite code %d", ErrData, se.Code())
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// isPostgres reports whether a place is a PostgreSQL URL.
func isPostgres(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

// Shared reports whether several desks, on several machines, can use this place.
func Shared(place string) bool { return isPostgres(place) }

// Named is a place as it may be printed: a URL without its password.
func Named(place string) string {
	if u, err := url.Parse(place); isPostgres(place) && err == nil {
		return u.Redacted()
	}
	if isPostgres(place) {
		return "postgres://…"
	}
	return place
}

// Exists reports whether there can be a store at a place, without making one: an
// SQLite file must be there. fs.ErrNotExist, ErrPlace.
func Exists(place string) error {
	if isPostgres(place) {
		return nil
	}
	if place == "" || strings.Contains(place, "://") {
		return fmt.Errorf("%w: want a file, or postgres://…", ErrPlace)
	}
	if _, err := os.Stat(place); err != nil {
		return fmt.Errorf("no store: %w; name the desk's with --store", err)
	}
	return nil
}

// connect opens the database of a place.
func connect(place string) (*sql.DB, dialect, error) {
	if isPostgres(place) {
		c, err := pgx.ParseConfig(place)
		if err != nil { // its text may hold the password
			return nil, dialect{}, fmt.Errorf("%w: not a PostgreSQL URL as libpq knows it", ErrPlace)
		}
		c.RuntimeParams["application_name"] = "yuanlu-desk"
		c.RuntimeParams["synchronous_commit"] = "on"
		c.RuntimeParams["lock_timeout"] = "10000"
		c.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
		db := stdlib.OpenDB(*c)
		db.SetMaxOpenConns(8)
		return db, dialect{postgres: true}, nil
	}
	if place == "" || strings.Contains(place, "://") {
		return nil, dialect{}, fmt.Errorf("%w: want a file, or postgres://…", ErrPlace)
	}
	path, err := filepath.Abs(place)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("%w: %w", ErrPlace, err)
	}
	// What is in it is about customers: no one else may read it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := f.Close(); err != nil {
		return nil, dialect{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(OFF)&_pragma=journal_size_limit(16777216)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	db.SetMaxOpenConns(8)
	return db, dialect{}, nil
}
