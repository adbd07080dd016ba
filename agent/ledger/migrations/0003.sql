-- Refunds that were held before they were made (guard.md § 3), in the order in which they
-- were asked about. state: JSON, what becomes of it; body: JSON, the ask and its answer.
-- crc: CRC-32C of id, state and body.
CREATE TABLE hold(id INTEGER PRIMARY KEY, crc INT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL);

-- The journal of practice (guard.md § 7) is found without reading all records.
CREATE INDEX record_training ON record(seq) WHERE note = 'training';
