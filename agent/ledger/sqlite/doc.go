// Package sqlite is what the ledger knows of SQLite: connections, statements, sums of
// pages, what lies in a WAL, and the classes of its errors. It knows nothing of what a
// store holds.
//
// A query is one call:
//
//	err := c.Do(`DELETE FROM held WHERE seq = ?1`, seq)
//	n, found, err := c.Int(`SELECT max(seq) FROM record`)
//	err := c.Each(`SELECT seq FROM held`, func(r *sqlite.Row) error { …r.Int(0)… }, args…)
//
// Statements are compiled once per connection and kept. Arguments are int64 and int, string (text),
// []byte (a blob, nil: NULL), bool (0 or 1), JSON, PositiveInt, StatedText or *Value.
package sqlite
