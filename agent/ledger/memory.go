package ledger

import (
	"context"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// remember makes one change to what a wire remembers, in the transaction of the
// frame that caused it.
func (t *tx) remember(link int64, m *refund.MemoryChange) error {
	if m.Value == nil {
		return t.c.Do(`DELETE FROM memory WHERE link = ?1 AND key = ?2`, link, m.Key)
	}
	return t.c.Do(`INSERT OR REPLACE INTO memory(link, key, value, expires) VALUES(?1, ?2, ?3, ?4)`,
		link, m.Key, m.Value, sqlite.PositiveInt(rows.Millis(m.Expires)))
}

const remembered = `SELECT key, value FROM memory WHERE link = (SELECT id FROM link WHERE name = ?1) AND (expires IS NULL OR expires > ?2)`

// Memory returns what the wire of a link remembers under key; ok false: nothing, or
// it has expired.
func (d *DB) Memory(ctx context.Context, link, key string) (value []byte, ok bool, err error) {
	err = d.read(ctx, func(c *conn) (err error) {
		ok, err = c.First(remembered+` AND key = ?3`, func(r *sqlite.Row) error { value = append([]byte{}, r.View(1)...); return nil },
			link, rows.Millis(d.o.Now()), key)
		return err
	})
	return value, ok, err
}

// MemoryOf returns everything that the wire of a link remembers and that has not expired.
func (d *DB) MemoryOf(ctx context.Context, link string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	err := d.read(ctx, func(c *conn) error {
		return c.Each(remembered, func(r *sqlite.Row) error { all[r.Text(0)] = append([]byte{}, r.View(1)...); return nil },
			link, rows.Millis(d.o.Now()))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
