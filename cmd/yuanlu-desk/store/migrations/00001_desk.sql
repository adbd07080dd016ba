-- What terminals report. The same for both databases: BLOB is written BYTEA for PostgreSQL.
-- +goose Up
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
INSERT INTO meta VALUES('version', '1');
