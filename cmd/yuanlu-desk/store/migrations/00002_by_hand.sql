-- How much each terminal takes up, and what people have done by hand.
-- +goose Up
CREATE TABLE held(terminal TEXT PRIMARY KEY, events BIGINT NOT NULL, bytes BIGINT NOT NULL);
INSERT INTO held SELECT terminal, count(*), CAST(sum(octet_length(payload)) AS BIGINT) FROM event WHERE kind = 'case' GROUP BY terminal;
CREATE TABLE action(n BIGINT PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, terminal TEXT NOT NULL,
 stream TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, why TEXT NOT NULL, told INTEGER NOT NULL);
CREATE INDEX event_kind ON event(terminal, kind, n);
CREATE INDEX event_received ON event(received);
UPDATE meta SET value = '2' WHERE name = 'version';
