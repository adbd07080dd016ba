-- From this version on the keys of the newest records are in memory, and written together:
-- the table key is complete up to the record that meta names as keys.upto. The keys of a
-- record behind it are those that its row names in keys (refunds, voids, the first event of
-- a batch), else made of its body.
INSERT INTO meta(name, value) SELECT 'keys.upto', max(seq) FROM record HAVING max(seq) IS NOT NULL;
