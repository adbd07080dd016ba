-- The case desk (casework.md): its set-up, its journals, and what a journal does not hold.
-- Its numbers n are its own, in the order of commits: in it everything is built again.
-- +goose Up
CREATE TABLE work_setup(name TEXT PRIMARY KEY, n BIGINT NOT NULL, body TEXT NOT NULL);
CREATE TABLE work_event(case_no TEXT NOT NULL, seq BIGINT NOT NULL, n BIGINT NOT NULL UNIQUE, body TEXT NOT NULL, PRIMARY KEY(case_no, seq));
CREATE TABLE work_input(n BIGINT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE work_case(case_no TEXT PRIMARY KEY, closed BIGINT NOT NULL, merged_into TEXT NOT NULL);
CREATE INDEX work_case_closed ON work_case(closed);
CREATE TABLE work_refund(refund TEXT PRIMARY KEY, case_no TEXT NOT NULL);
CREATE INDEX work_refund_case ON work_refund(case_no);
CREATE TABLE work_year(year TEXT PRIMARY KEY, last BIGINT NOT NULL);
CREATE TABLE work_gone(n BIGINT PRIMARY KEY, case_no TEXT NOT NULL);
CREATE TABLE work_key(person TEXT NOT NULL, name TEXT NOT NULL, n BIGINT NOT NULL, command TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY(person, name));
CREATE INDEX work_key_n ON work_key(n);
CREATE TABLE work_read(n BIGINT PRIMARY KEY, at TEXT NOT NULL, person TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL);
CREATE TABLE work_file(sha256 TEXT PRIMARY KEY, type TEXT NOT NULL, added BIGINT NOT NULL, body BLOB NOT NULL);
CREATE TABLE work_filed(case_no TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(case_no, sha256));
CREATE INDEX work_filed_hash ON work_filed(sha256);
CREATE TABLE work_login(person TEXT PRIMARY KEY, password TEXT NOT NULL, must_change INTEGER NOT NULL);
CREATE TABLE work_session(hash TEXT PRIMARY KEY, person TEXT NOT NULL, csrf TEXT NOT NULL, made BIGINT NOT NULL, seen BIGINT NOT NULL);
CREATE INDEX work_session_person ON work_session(person);
CREATE TABLE work_failure(login TEXT NOT NULL, address TEXT NOT NULL, at BIGINT NOT NULL);
CREATE INDEX work_failure_at ON work_failure(at);
INSERT INTO desk VALUES(2, 0);
UPDATE meta SET value = '3' WHERE name = 'version';
