-- Digests of days (digest.go; bills.md § 5). rev: of the newest, 0 none; made: when that was; sum: of
-- its content. why: why it is not complete, as far as that is known before it is made, one bit each.
-- due: 1 something of the day has changed since, 2 it was asked for again.
CREATE TABLE digest(day TEXT PRIMARY KEY,rev INT,made INT,sum TEXT,why INT,due INT)WITHOUT ROWID;

-- Their parts that wait for the back office; seq counts them within the stream day.stream in meta.
-- refused: the reason of a refusal, or null. crc: CRC-32C of data. data is the JSON behind
-- "parts".
CREATE TABLE digest_part(seq INTEGER PRIMARY KEY,id,day,rev INT,part INT,parts INT,made INT,refused,crc INT,data);

-- day.adjusted in meta: there may be adjusts, so the amount of a sale is looked up.
INSERT INTO meta(name, value) SELECT 'day.adjusted', '1' WHERE EXISTS(SELECT 1 FROM record);
