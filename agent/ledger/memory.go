package ledger

import (
	"context"

	"yuanlu/agent/refund"
)

// remember makes one change to what a wire remembers, in the transaction of the
// frame that caused it.
func (t *tx) remember(link int64, m *refund.MemoryChange) error {
	if m.Value == nil {
		s, err := t.c.prepare(`DELETE FROM memory WHERE link = ?1 AND key = ?2`)
		if err != nil {
			return err
		}
		s.bindInt(1, link)
		s.bindText(2, m.Key)
		return s.run()
	}
	s, err := t.c.prepare(`INSERT OR REPLACE INTO memory(link, key, value, expires) VALUES(?1, ?2, ?3, ?4)`)
	if err != nil {
		return err
	}
	s.bindInt(1, link)
	s.bindText(2, m.Key)
	s.bindBlob(3, m.Value)
	bindPositive(s, 4, millis(m.Expires))
	return s.run()
}

// Memory returns what the wire of a link remembers under key; ok false: nothing, or
// it has expired.
func (d *DB) Memory(ctx context.Context, link, key string) (value []byte, ok bool, err error) {
	err = d.eachMemory(ctx, link, `AND key = ?3`, key, func(_ string, v []byte) { value, ok = v, true })
	return value, ok, err
}

// MemoryOf returns everything that the wire of a link remembers and that has not expired.
func (d *DB) MemoryOf(ctx context.Context, link string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	err := d.eachMemory(ctx, link, ``, "", func(k string, v []byte) { all[k] = v })
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (d *DB) eachMemory(ctx context.Context, link, and, key string, do func(string, []byte)) error {
	return d.read(ctx, func(c *conn) error {
		s, err := c.prepare(`SELECT key, value FROM memory WHERE link = (SELECT id FROM link WHERE name = ?1)
 AND (expires IS NULL OR expires > ?2) ` + and)
		if err != nil {
			return err
		}
		s.bindText(1, link)
		s.bindInt(2, millis(d.o.Now()))
		if and != "" {
			s.bindText(3, key)
		}
		defer s.reset()
		for {
			more, err := s.step()
			if err != nil || !more {
				return err
			}
			do(s.text(0), append([]byte{}, s.view(1)...))
		}
	})
}
