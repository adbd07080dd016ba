-- Evidence (evidence.md): the logs of terminals and what the desk co-signed of them, leaves of cases with
-- their proofs, the desk's own log, its time stamps, and the packs that were handed out.
-- place is the number of an event or a note in the desk's current log, -1 if it is not in it.
-- +goose Up
CREATE TABLE log(origin TEXT PRIMARY KEY, terminal TEXT NOT NULL, vkey TEXT NOT NULL, public_key TEXT NOT NULL, first_seen BIGINT NOT NULL,
 trusted TEXT NOT NULL, closed INTEGER NOT NULL, n BIGINT NOT NULL, size BIGINT NOT NULL, before BIGINT NOT NULL);
CREATE INDEX log_terminal ON log(terminal, n);
CREATE INDEX log_key ON log(public_key);
CREATE TABLE log_note(origin TEXT NOT NULL, size BIGINT NOT NULL, root TEXT NOT NULL, n BIGINT NOT NULL, received BIGINT NOT NULL, cosigned BIGINT NOT NULL,
 place BIGINT NOT NULL, note TEXT NOT NULL, PRIMARY KEY(origin, size, root));
CREATE INDEX log_note_n ON log_note(origin, cosigned, n);
CREATE INDEX log_note_number ON log_note(n);
CREATE TABLE log_step(origin TEXT NOT NULL, size BIGINT NOT NULL, from_size BIGINT NOT NULL, proof TEXT NOT NULL, PRIMARY KEY(origin, size, from_size));
CREATE TABLE log_leaf(origin TEXT NOT NULL, n BIGINT NOT NULL, size BIGINT NOT NULL, leaf TEXT NOT NULL, proof TEXT NOT NULL, PRIMARY KEY(origin, n));
CREATE TABLE log_alarm(n BIGINT PRIMARY KEY, terminal TEXT NOT NULL, code TEXT NOT NULL, origin TEXT NOT NULL, ours TEXT NOT NULL, theirs TEXT NOT NULL, why TEXT NOT NULL,
 newest INTEGER NOT NULL, times BIGINT NOT NULL, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, ended BIGINT NOT NULL, ended_by TEXT NOT NULL);
CREATE INDEX log_alarm_terminal ON log_alarm(terminal, code, ended);
CREATE TABLE case_leaf(case_id TEXT NOT NULL, origin TEXT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY(case_id, origin, n));
CREATE TABLE leaf_ask(terminal TEXT NOT NULL, case_id TEXT NOT NULL, event TEXT NOT NULL, asked BIGINT NOT NULL, due INTEGER NOT NULL, taken BIGINT NOT NULL,
 answer TEXT NOT NULL, PRIMARY KEY(terminal, case_id, event));
CREATE INDEX leaf_ask_due ON leaf_ask(due, asked);
CREATE TABLE desk_log(id BIGINT PRIMARY KEY, origin TEXT NOT NULL, vkey TEXT NOT NULL, cosigner TEXT NOT NULL, begun BIGINT NOT NULL, ended BIGINT NOT NULL, size BIGINT NOT NULL);
CREATE TABLE desk_leaf(log BIGINT NOT NULL, n BIGINT NOT NULL, hashes TEXT NOT NULL, PRIMARY KEY(log, n));
CREATE TABLE desk_stamp(log BIGINT NOT NULL, size BIGINT NOT NULL, at BIGINT NOT NULL, note TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY(log, size));
CREATE TABLE export(pack TEXT PRIMARY KEY, case_no TEXT NOT NULL, seq BIGINT NOT NULL, place BIGINT NOT NULL, event TEXT NOT NULL, sha256 TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX export_case ON export(case_no);
ALTER TABLE work_event ADD COLUMN place BIGINT NOT NULL DEFAULT -1;
UPDATE meta SET value = '8' WHERE name = 'version';
