-- A cancelled verdict has no original, and up to now its case lost the one that it had: in a store
-- that has such cases, their sales are found again (followrecall.go).
INSERT INTO meta(name, value) SELECT 'cases.lack_sales', '1' WHERE EXISTS(SELECT 1 FROM cases WHERE original IS NULL);
