-- The evidence log (evidence.md § 1). record.leaf: of a sighting that is a leaf of the log its
-- number (varint), the time of the leaf as ms after received (signed varint), and its hash. The leaf
-- is put together from the row; where that was changed since, table leaf has it. Rows up to number
-- log.after (meta) are of earlier logs, or of none.
-- leaf: all other leaves. ref: seq of the refund that it is about, -1 a note, -2 an anchor, below
-- -1000 the ask of a hold. apart: it is found by ref; NULL: it is of no ref, or lies behind the
-- record's own leaf and before that of the next record. body: packed, NULL: retention has removed it.
-- tile: full tiles above the leaves (package tree). cosigned: notes of the desk, by size.
CREATE TABLE leaf(n INTEGER PRIMARY KEY, ref INT, apart INT, hash BLOB NOT NULL, body BLOB);
CREATE INDEX leaf_ref ON leaf(ref) WHERE apart IS NOT NULL;
CREATE TABLE tile(id INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
CREATE TABLE cosigned(size INTEGER PRIMARY KEY, note BLOB NOT NULL);
ALTER TABLE record ADD COLUMN leaf BLOB;
