package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// version of the schema; a store of a greater one is left alone, one of a lesser
// one is brought up to it. It is the number of the last migration.
const version = 8

// migrations are the steps of the schema, in order. What was released is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// prepare brings an empty database, or one of an earlier version, to this one, and leaves
// one of a later version alone.
func (s *Store) prepare(ctx context.Context) error {
	have, err := s.versionBefore(ctx)
	if err != nil {
		return err
	}
	steps, err := s.steps(ctx, have)
	if err != nil {
		return classify(err)
	}
	if _, err := steps.Up(ctx); err != nil {
		// Another process may have made the same step at the same time; then nothing is left.
		if _, again := steps.Up(ctx); again != nil {
			return classify(errors.Join(err, again))
		}
	}
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO meta VALUES('id', ?) ON CONFLICT DO NOTHING`, rand.Text()); err != nil {
			return err
		}
		_, err := t.row(`SELECT value FROM meta WHERE name = 'id'`, nil, &s.id)
		return err
	})
	if err != nil {
		return err
	}
	return s.takeOver(ctx)
}

// steps returns the migrations. A store of a desk before them has no list of those that it
// has: it is made.
func (s *Store) steps(ctx context.Context, have int) (*goose.Provider, error) {
	kind := database.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.d.postgres {
		kind = database.DialectPostgres
		only, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 30))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(only))
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(kind, s.db, steps{dir, s.d.postgres}, options...)
	if err != nil || have == 0 {
		return p, err
	}
	if done, err := p.GetDBVersion(ctx); err != nil || done >= int64(have) {
		return p, err
	}
	list, err := database.NewStore(kind, goose.DefaultTablename)
	if err != nil {
		return nil, err
	}
	for n := 1; n <= have; n++ {
		if err := list.Insert(ctx, s.db, database.InsertRequest{Version: int64(n)}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// versionBefore returns the version of the store, 0 of an empty one.
func (s *Store) versionBefore(ctx context.Context) (have int, err error) {
	exists := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'`
	if s.d.postgres {
		exists = `SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'meta'`
	}
	err = s.read(ctx, func(t *tx) error {
		var there int
		if err := t.QueryRowContext(ctx, exists).Scan(&there); err != nil || there == 0 {
			return err
		}
		have, err = versionOf(ctx, t.Tx)
		return err
	})
	return have, err
}

// steps are the files of the migrations as the database at hand wants them.
type steps struct {
	fs.FS
	postgres bool
}

// Open opens a file; for PostgreSQL with its name for bytes.
func (s steps) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil || !s.postgres || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	text, err := fs.ReadFile(s.FS, name)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &step{File: f, Reader: strings.NewReader(strings.ReplaceAll(string(text), " BLOB ", " BYTEA "))}, nil
}

// step is one file of the migrations.
type step struct {
	fs.File
	*strings.Reader
}

// Read reads the text of the step.
func (s *step) Read(b []byte) (int, error) { return s.Reader.Read(b) }

// Stat describes the step.
func (s *step) Stat() (fs.FileInfo, error) {
	info, err := s.File.Stat()
	return size{info, s.Reader.Size()}, err
}

// size is the length of a step that was rewritten.
type size struct {
	fs.FileInfo
	bytes int64
}

// Size returns the number of bytes.
func (s size) Size() int64 { return s.bytes }

func versionOf(ctx context.Context, t *sql.Tx) (have int, err error) {
	if err := t.QueryRowContext(ctx, `SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'version'`).Scan(&have); err != nil {
		return 0, err
	}
	if have < 1 || have > version {
		return 0, fmt.Errorf("%w: version %d, this desk knows 1 to %d", ErrVersion, have, version)
	}
	return have, nil
}
