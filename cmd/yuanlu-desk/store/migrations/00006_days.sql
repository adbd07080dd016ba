-- Digests of terminals' days by the stream that they came in (bills.md § 5): a store that was put
-- back or rebuilt begins another stream, in which revs begin at 1 again. n orders the arrivals;
-- digest covers all that never changes between attempts.
-- +goose Up
ALTER TABLE terminal_day RENAME TO terminal_day_before;
DROP INDEX terminal_day_day;
CREATE TABLE terminal_day(terminal TEXT NOT NULL, day TEXT NOT NULL, stream TEXT NOT NULL, rev BIGINT NOT NULL, part BIGINT NOT NULL, parts BIGINT NOT NULL, complete INTEGER NOT NULL, size BIGINT NOT NULL, received BIGINT NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(terminal, day, stream, rev, part));
CREATE INDEX terminal_day_day ON terminal_day(day);
DROP TABLE terminal_day_before;
UPDATE meta SET value = '6' WHERE name = 'version';
