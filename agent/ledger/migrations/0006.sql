-- Events about what became of cases that were queued in this stream: of which record, and how
-- many (casework.md § 12).
CREATE TABLE followed(case_id TEXT, what TEXT, seq INT, n INT NOT NULL, PRIMARY KEY(case_id, what, seq)) WITHOUT ROWID;

-- Refunds and voids after a wrong one of the same sale: what was published of each last.
CREATE TABLE refund_after(seq INTEGER PRIMARY KEY, sale INT NOT NULL, told TEXT NOT NULL);
