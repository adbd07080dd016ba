-- Of a shop's few cases those that are open, or of one record, are found without an index:
-- three of them were three pages of each case's commit. at: number of a record such that the
-- case is counted in daily if daily counts that record; 0: it is.
DROP INDEX cases_open;
DROP INDEX cases_seq;
DROP INDEX cases_original;
ALTER TABLE cases ADD COLUMN at INT NOT NULL DEFAULT 0;
