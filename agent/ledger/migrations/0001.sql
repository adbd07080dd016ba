-- The store of one terminal. Text is UTF-8, times are milliseconds since 1970 UTC,
-- bodies are JSON. The statements are short and without comments inside, so that the
-- schema fits in the database's first page: a file that has lost pages can still be read.

-- Small things by name: stream, bounds, the outbox's figures.
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Links by number.
CREATE TABLE link(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- Every record that was received. A first sighting's body is the event as completed
-- by its copies; a copy's (copy_of: seq of the event) is as it was received.
-- undone_by: seq of the reversal or void_refund. flags: 1 clock trusted, 2 `at` is the
-- time of reception. frame_mac: key id as varint, 16 bytes. case_id and keys (their
-- entries in key): refunds and voids only. note: why it takes no part. observed:
-- settlements, the sums as known when first seen. crc: CRC-32C of seq and body.
CREATE TABLE record(seq INTEGER PRIMARY KEY, copy_of INT, undone_by INT, link INT NOT NULL, received INT NOT NULL,
 flags INT NOT NULL, frame_mac BLOB, case_id TEXT, keys BLOB, note TEXT, observed TEXT, crc INT NOT NULL, body TEXT NOT NULL);
CREATE INDEX record_copy ON record(copy_of) WHERE copy_of IS NOT NULL;

-- What records are found by: one byte of kind and the value's parts, each ended by
-- 0x1f. Events that own a value and events that want it lie side by side.
CREATE TABLE key(value BLOB, seq INT, PRIMARY KEY(value, seq)) WITHOUT ROWID;

-- Payer tokens of sales, in blocks up to record last: sorted 32-bit hashes, each with
-- the distance of its sale from base.
CREATE TABLE payer(last INTEGER PRIMARY KEY, base INT NOT NULL, tokens BLOB NOT NULL);

-- rev: 0 while held. crc: CRC-32C of seq, verdict and explain.
CREATE TABLE verdict(seq INTEGER PRIMARY KEY, rev INT NOT NULL, crc INT NOT NULL, verdict TEXT NOT NULL, explain TEXT NOT NULL);

-- Verdicts that wait for pending_grace. due: by the wall clock of the run that held
-- it. again: 1 once a restart has granted the whole grace again.
CREATE TABLE held(seq INTEGER PRIMARY KEY, due INT NOT NULL, again INT NOT NULL);

-- seq: of the refund; original: of its original. severity: 1 info … 5 critical.
-- events: told so far in this stream. told: what was told last, as compared with the
-- next verdict.
CREATE TABLE cases(case_id TEXT PRIMARY KEY, seq INT NOT NULL, original INT, open INT NOT NULL, severity INT NOT NULL,
 events INT NOT NULL, opened INT NOT NULL, changed INT NOT NULL, told TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX cases_open ON cases(severity) WHERE open = 1;
CREATE INDEX cases_seq ON cases(seq);
CREATE INDEX cases_original ON cases(original) WHERE original IS NOT NULL;

-- What waits for the back office. A case event's entry is its sequence; entries of
-- other events begin at 2^40, so that the table's order is the order of sending.
-- flags: 1 clock trusted, 2 historical. size: what it counts against the bound.
-- crc: CRC-32C of data.
CREATE TABLE outbox(entry INTEGER PRIMARY KEY, case_id TEXT, id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
 time INT NOT NULL, flags INT NOT NULL, size INT NOT NULL, crc INT NOT NULL, data TEXT NOT NULL);

-- Case events that found no room; they get their sequence when there is.
CREATE TABLE untold(entry INTEGER PRIMARY KEY AUTOINCREMENT, case_id TEXT, id TEXT NOT NULL, type TEXT NOT NULL,
 subject TEXT NOT NULL, time INT NOT NULL, flags INT NOT NULL, size INT NOT NULL, crc INT NOT NULL, data TEXT NOT NULL);
CREATE INDEX untold_case ON untold(case_id);

-- Refused by the back office, or impossible to send.
CREATE TABLE quarantine(entry INTEGER PRIMARY KEY, case_id TEXT, id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
 time INT NOT NULL, flags INT NOT NULL, size INT NOT NULL, crc INT NOT NULL, data TEXT NOT NULL, code TEXT, message TEXT);

-- What a wire must remember between frames.
CREATE TABLE memory(link INT, key TEXT, value BLOB NOT NULL, expires INT, PRIMARY KEY(link, key)) WITHOUT ROWID;

-- Refunds and cases per local day, for status.
CREATE TABLE daily(day TEXT PRIMARY KEY, refunds INT NOT NULL, cases INT NOT NULL) WITHOUT ROWID;
