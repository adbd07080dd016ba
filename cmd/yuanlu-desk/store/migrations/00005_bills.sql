-- Bills of platforms and acquirers, their entries, and the digests of terminals' days
-- (bills.md § 7). The bills themselves are not kept. day is a date at +08:00.
-- +goose Up
CREATE TABLE bill(sha256 TEXT PRIMARY KEY, n BIGINT NOT NULL UNIQUE, received BIGINT NOT NULL, from_day TEXT NOT NULL, to_day TEXT NOT NULL, channels TEXT NOT NULL, refused TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX bill_days ON bill(to_day, from_day);
CREATE TABLE bill_entry(row_id TEXT PRIMARY KEY, n BIGINT NOT NULL UNIQUE, sha256 TEXT NOT NULL, day TEXT NOT NULL, back INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX bill_entry_day ON bill_entry(day);
CREATE INDEX bill_entry_bill ON bill_entry(sha256);
CREATE TABLE terminal_day(terminal TEXT NOT NULL, day TEXT NOT NULL, rev BIGINT NOT NULL, part BIGINT NOT NULL, received BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(terminal, day, rev, part));
CREATE INDEX terminal_day_day ON terminal_day(day);
UPDATE meta SET value = '5' WHERE name = 'version';
