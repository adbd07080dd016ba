package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
)

// version of the schema; a store of a greater one is left alone, one of a lesser
// one is brought up to it.
const version = 2

// schemaLock keeps two desks from making the schema at once (PostgreSQL advisory
// lock, any number of our own).
const schemaLock = 0x7975616e

// schema is the same for both databases but for the type of bytes.
const schema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE desk(id INTEGER PRIMARY KEY, n BIGINT NOT NULL);
CREATE TABLE stream(terminal TEXT NOT NULL, stream TEXT NOT NULL, settled BIGINT NOT NULL, highest BIGINT NOT NULL,
 events BIGINT NOT NULL, repeats BIGINT NOT NULL, reused BIGINT NOT NULL, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL,
 gap_since BIGINT NOT NULL, gap_n BIGINT NOT NULL, PRIMARY KEY(terminal, stream));
CREATE INDEX stream_gap ON stream(gap_n);
CREATE TABLE ahead(terminal TEXT NOT NULL, stream TEXT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY(terminal, stream, seq));
CREATE TABLE hole(terminal TEXT NOT NULL, stream TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, why TEXT NOT NULL,
 noted BIGINT NOT NULL, PRIMARY KEY(terminal, stream, first));
CREATE TABLE event(n BIGINT PRIMARY KEY, terminal TEXT NOT NULL, id TEXT NOT NULL, stream TEXT NOT NULL, seq BIGINT NOT NULL,
 kind TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, case_id TEXT NOT NULL, time BIGINT NOT NULL, received BIGINT NOT NULL,
 attempt BIGINT NOT NULL, future INTEGER NOT NULL, digest TEXT NOT NULL, payload TEXT NOT NULL, UNIQUE(terminal, kind, id));
CREATE INDEX event_case ON event(case_id, n);
CREATE INDEX event_seq ON event(terminal, stream, seq);
CREATE TABLE cases(terminal TEXT NOT NULL, case_id TEXT NOT NULL, stream TEXT NOT NULL, seq BIGINT NOT NULL, first_n BIGINT NOT NULL,
 last_n BIGINT NOT NULL, newest_n BIGINT NOT NULL, events BIGINT NOT NULL, state TEXT NOT NULL, severity INTEGER NOT NULL,
 decision TEXT NOT NULL, recipient TEXT NOT NULL, merchant TEXT NOT NULL, opened BIGINT NOT NULL, changed BIGINT NOT NULL,
 PRIMARY KEY(terminal, case_id));
CREATE INDEX cases_last ON cases(last_n);
CREATE TABLE terminal(terminal TEXT PRIMARY KEY, n BIGINT NOT NULL, state TEXT NOT NULL, session TEXT NOT NULL, reason TEXT NOT NULL,
 since BIGINT NOT NULL, state_seen BIGINT NOT NULL, verdict TEXT NOT NULL, interval_s BIGINT NOT NULL, health_seen BIGINT NOT NULL,
 health TEXT NOT NULL, info TEXT NOT NULL, config TEXT NOT NULL, summary TEXT NOT NULL);
CREATE INDEX terminal_n ON terminal(n);
CREATE TABLE link(terminal TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, seen BIGINT NOT NULL,
 payload TEXT NOT NULL, PRIMARY KEY(terminal, name));
CREATE TABLE quarantine(n BIGINT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, terminal TEXT NOT NULL, topic TEXT NOT NULL,
 stream TEXT NOT NULL, seq BIGINT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, size BIGINT NOT NULL, times BIGINT NOT NULL,
 first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX quarantine_terminal ON quarantine(terminal, n);
INSERT INTO desk VALUES(1, 0);
INSERT INTO meta VALUES('version', '1')`

// second brings a store of version 1 to version 2: how much each terminal takes up,
// what people have done by hand, and the store's own name.
const second = `
CREATE TABLE held(terminal TEXT PRIMARY KEY, events BIGINT NOT NULL, bytes BIGINT NOT NULL);
INSERT INTO held SELECT terminal, count(*), CAST(sum(octet_length(payload)) AS BIGINT) FROM event WHERE kind = 'case' GROUP BY terminal;
CREATE TABLE action(n BIGINT PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, terminal TEXT NOT NULL,
 stream TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, why TEXT NOT NULL, told INTEGER NOT NULL);
CREATE INDEX event_kind ON event(terminal, kind, n);
CREATE INDEX event_received ON event(received);
UPDATE meta SET value = '2' WHERE name = 'version'`

// prepare makes the schema in an empty database and checks the version of any
// other.
func (s *Store) prepare(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		exists := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'`
		if s.d.postgres {
			if _, err := t.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
				return err
			}
			exists = `SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'meta'`
		}
		var there int
		if err := t.QueryRowContext(ctx, exists).Scan(&there); err != nil {
			return err
		}
		have := 0
		if there > 0 {
			var err error
			if have, err = versionOf(ctx, t.Tx); err != nil {
				return err
			}
		}
		for i, text := range []string{schema, second} {
			if i < have {
				continue
			}
			if err := t.run(text); err != nil {
				return err
			}
		}
		if have < 2 {
			if _, err := t.exec(`INSERT INTO meta VALUES('id', ?)`, rand.Text()); err != nil {
				return err
			}
		}
		_, err := t.row(`SELECT value FROM meta WHERE name = 'id'`, nil, &s.id)
		return err
	})
}

// run runs statements without values, separated by semicolons.
func (t *tx) run(text string) error {
	if t.d.postgres {
		text = strings.ReplaceAll(text, " BLOB ", " BYTEA ")
	}
	for one := range strings.SplitSeq(text, ";") {
		if _, err := t.ExecContext(t.ctx, one); err != nil {
			return err
		}
	}
	return nil
}

func versionOf(ctx context.Context, t *sql.Tx) (have int, err error) {
	if err := t.QueryRowContext(ctx, `SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'version'`).Scan(&have); err != nil {
		return 0, err
	}
	if have < 1 || have > version {
		return 0, fmt.Errorf("%w: version %d, this desk knows 1 to %d", ErrVersion, have, version)
	}
	return have, nil
}
