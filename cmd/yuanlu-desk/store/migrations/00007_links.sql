-- What is kept of the days that were matched (bills.md § 7): the lines of bills.md § 6 that are about a refund, which days
-- are to be matched again, and in which days a number occurs.
-- +goose Up
ALTER TABLE bill ADD COLUMN accounts TEXT NOT NULL DEFAULT '';
CREATE TABLE day_due(day TEXT PRIMARY KEY, since BIGINT NOT NULL, last BIGINT NOT NULL);
CREATE TABLE day_line(day TEXT NOT NULL, n BIGINT NOT NULL, result TEXT NOT NULL, terminal TEXT NOT NULL, channel TEXT NOT NULL, refund TEXT NOT NULL, row_id TEXT NOT NULL, certain INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(day, n));
CREATE INDEX day_line_refund ON day_line(refund);
CREATE INDEX day_line_row ON day_line(row_id);
CREATE TABLE day_total(day TEXT NOT NULL, channel TEXT NOT NULL, agree TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(day, channel));
CREATE TABLE bill_name(name TEXT NOT NULL, day TEXT NOT NULL, PRIMARY KEY(name, day));
CREATE INDEX bill_name_day ON bill_name(day);
INSERT INTO day_due SELECT DISTINCT day, 0, 0 FROM terminal_day UNION SELECT DISTINCT day, 0, 0 FROM bill_entry;
UPDATE meta SET value = '7' WHERE name = 'version';
