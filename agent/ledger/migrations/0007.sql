-- Records by the date that they state (dates.go): from record first on it is day, up to the next
-- row. days.from in meta: records before it are not among them yet.
CREATE TABLE day_run(first INTEGER, day TEXT NOT NULL, PRIMARY KEY(first)) WITHOUT ROWID;
INSERT INTO meta(name, value) SELECT 'days.from', max(seq) + 1 FROM record HAVING max(seq) IS NOT NULL;

-- Days of which something has changed since their tallies were made.
CREATE TABLE day_due(day TEXT PRIMARY KEY) WITHOUT ROWID;

-- Tallies that were published (casework.md § 12): n counts those of a subject in this stream.
CREATE TABLE tally(subject TEXT PRIMARY KEY, n INT NOT NULL, sent INT NOT NULL, told TEXT NOT NULL) WITHOUT ROWID;
