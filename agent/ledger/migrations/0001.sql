-- The store of one terminal. Which table serves what: doc.go.
-- Text is UTF-8, times are milliseconds since 1970 UTC, bodies are JSON.

-- Small things by name: stream, created, bounds, counters.
CREATE TABLE meta(
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE link(
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

-- Every record that was ever received. A first sighting's body is the event as
-- completed by its copies; a copy's body is as it was received.
CREATE TABLE record(
  seq       INTEGER PRIMARY KEY,
  copy_of   INTEGER,          -- seq of the event it is a copy of
  undone_by INTEGER,          -- seq of the reversal or void_refund
  link      INTEGER NOT NULL,
  received  INTEGER NOT NULL,
  flags     INTEGER NOT NULL, -- 1 clock trusted, 2 `at` is the time of reception
  frame_mac BLOB,             -- key id as varint, 16 bytes
  case_id   TEXT,             -- refunds and voids, from their first sighting
  keys      BLOB,             -- refunds and voids: their entries in key
  note      TEXT,             -- why it takes no part
  observed  TEXT,             -- settlements: the sums as known when first seen
  crc       INTEGER NOT NULL, -- CRC-32C of seq and body
  body      TEXT NOT NULL
);
CREATE INDEX record_copy ON record(copy_of) WHERE copy_of IS NOT NULL;

-- What records are found by: one byte of kind and the value's parts, each ended
-- by 0x1f. Events that own a value and events that want it lie side by side.
CREATE TABLE key(
  value BLOB NOT NULL,
  seq   INTEGER NOT NULL,
  PRIMARY KEY(value, seq)
) WITHOUT ROWID;

-- Payer tokens of sales, in blocks: sorted 32-bit hashes, each with the distance
-- of its sale from the base.
CREATE TABLE payer(
  last   INTEGER PRIMARY KEY, -- the newest record it covers
  base   INTEGER NOT NULL,
  tokens BLOB NOT NULL
);

CREATE TABLE verdict(
  seq     INTEGER PRIMARY KEY,
  rev     INTEGER NOT NULL,   -- 0 while held
  crc     INTEGER NOT NULL,   -- CRC-32C of seq, verdict and explain
  verdict TEXT NOT NULL,
  explain TEXT NOT NULL
);

-- Verdicts that wait for pending_grace.
CREATE TABLE held(
  seq   INTEGER PRIMARY KEY,
  due   INTEGER NOT NULL,     -- by the wall clock of the run that held it
  again INTEGER NOT NULL      -- 1: a restart has granted the whole grace again
);

CREATE TABLE cases(
  case_id  TEXT PRIMARY KEY,
  seq      INTEGER NOT NULL,  -- of the refund
  original INTEGER,           -- seq of its original
  open     INTEGER NOT NULL,
  severity INTEGER NOT NULL,  -- 1 info … 5 critical
  events   INTEGER NOT NULL,  -- told so far in this stream
  opened   INTEGER NOT NULL,
  changed  INTEGER NOT NULL,
  told     TEXT NOT NULL      -- what was told last, as compared with the next verdict
) WITHOUT ROWID;
CREATE INDEX cases_open ON cases(severity) WHERE open = 1;
CREATE INDEX cases_seq ON cases(seq);
CREATE INDEX cases_original ON cases(original) WHERE original IS NOT NULL;

-- What waits for the back office. A case event's entry is its sequence; entries
-- of other events begin at 2^40, so that the table's order is the order of sending.
CREATE TABLE outbox(
  entry   INTEGER PRIMARY KEY,
  case_id TEXT,
  id      TEXT NOT NULL,
  type    TEXT NOT NULL,
  subject TEXT NOT NULL,
  time    INTEGER NOT NULL,
  flags   INTEGER NOT NULL,   -- 1 clock trusted, 2 historical
  size    INTEGER NOT NULL,   -- what it counts against the bound
  crc     INTEGER NOT NULL,   -- CRC-32C of data
  data    TEXT NOT NULL
);

-- Case events that found no room; they get their sequence when there is.
CREATE TABLE untold(
  entry   INTEGER PRIMARY KEY AUTOINCREMENT,
  case_id TEXT,
  id      TEXT NOT NULL,
  type    TEXT NOT NULL,
  subject TEXT NOT NULL,
  time    INTEGER NOT NULL,
  flags   INTEGER NOT NULL,
  size    INTEGER NOT NULL,
  crc     INTEGER NOT NULL,
  data    TEXT NOT NULL
);
CREATE INDEX untold_case ON untold(case_id);

-- Refused by the back office, or impossible to send.
CREATE TABLE quarantine(
  entry   INTEGER PRIMARY KEY,
  case_id TEXT,
  id      TEXT NOT NULL,
  type    TEXT NOT NULL,
  subject TEXT NOT NULL,
  time    INTEGER NOT NULL,
  flags   INTEGER NOT NULL,
  size    INTEGER NOT NULL,
  crc     INTEGER NOT NULL,
  data    TEXT NOT NULL,
  code    TEXT NOT NULL,
  message TEXT NOT NULL
);

-- What a wire must remember between frames.
CREATE TABLE memory(
  link    INTEGER NOT NULL,
  key     TEXT NOT NULL,
  value   BLOB NOT NULL,
  expires INTEGER,
  PRIMARY KEY(link, key)
) WITHOUT ROWID;

-- Refunds and cases per local day, for status.
CREATE TABLE daily(
  day     TEXT PRIMARY KEY,
  refunds INTEGER NOT NULL,
  cases   INTEGER NOT NULL
) WITHOUT ROWID;
