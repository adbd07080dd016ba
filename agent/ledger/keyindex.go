package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Each record has three to five keys, and some of them lie anywhere in the table: written
// with each commit they would be more than half of all pages. So the keys of the newest
// records are kept in memory and written together, sorted, once there are flushKeys of them
// (saveKeys). The same transaction notes up to which record the table is
// complete (meta, keys.upto). What is newer is collected again from the records when the
// store is opened (collect.go), so nothing of it need be durable.
const (
	flushKeys = 4096
	keyHeads  = 4096 // a power of two
	keysUpTo  = "keys.upto"
)

// directKeys is the upTo of a store of an older schema, where every key is in the table: the
// version that made it knows no others.
const directKeys = math.MaxInt64

// keyIndex is what events are found by: the table key for the records up to upTo, and
// entries for those behind it. It belongs to the writer. Entries are only appended, so that
// a rollback is a truncation.
type keyIndex struct {
	upTo     int64
	heads    []int32 // by hash: 1 + the place of the newest entry, 0: none
	entries  []keyEntry
	values   []byte // of the entries
	retry    int    // entries before which saving is not tried again
	greatest [refund.KeyUnfound + 1][]byte
}

// keyEntry is one key of one record, or that it has it no longer.
type keyEntry struct {
	seq      int64
	from, to uint32 // of its value in keyIndex.values
	next     int32  // 1 + the place of the entry before it with this hash, 0: none
	head     uint16
	gone     bool
}

// newKeyIndex reads what must be known of the table.
func newKeyIndex(c *conn) (*keyIndex, error) {
	x := &keyIndex{heads: make([]int32, keyHeads)}
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	if x.upTo = directKeys; version >= keysVersion {
		if x.upTo, err = metaInt(c, keysUpTo); err != nil {
			return nil, err
		}
	}
	for kind := range x.greatest {
		_, err := c.First(`SELECT value FROM key WHERE value >= ?1 AND value < ?2 ORDER BY value DESC LIMIT 1`,
			func(r *sqlite.Row) error { x.greatest[kind] = r.Bytes(0); return nil }, []byte{byte(kind)}, []byte{byte(kind) + 1})
		if err != nil {
			return nil, err
		}
	}
	return x, nil
}

// headOf is the hash of what every look-up that may mean a value names: of a number at a
// terminal without its batch, else of the whole value.
func headOf(value []byte) uint16 {
	part := value
	if refund.KeyKind(value[0]) == refund.KeyStan {
		if first := bytes.IndexByte(value, keyPartEnd); first >= 0 {
			if second := bytes.IndexByte(value[first+1:], keyPartEnd); second >= 0 {
				part = value[:first+1+second+1]
			}
		}
	}
	return uint16(sqlite.Checksum(0, part)) & (keyHeads - 1)
}

// keyPartEnd ends each part of a key (refund.Key).
const keyPartEnd = 0x1f

// add notes that a record has a key, or has it no longer.
func (x *keyIndex) add(value []byte, seq int64, gone bool) {
	from, head := uint32(len(x.values)), headOf(value)
	x.values = append(x.values, value...)
	x.entries = append(x.entries, keyEntry{seq: seq, from: from, to: uint32(len(x.values)), next: x.heads[head], head: head, gone: gone})
	x.heads[head] = int32(len(x.entries))
}

// truncate takes back what was added behind the first n entries.
func (x *keyIndex) truncate(n int) {
	for i := len(x.entries) - 1; i >= n; i-- {
		e := &x.entries[i]
		x.heads[e.head] = e.next
		x.values = x.values[:e.from]
	}
	x.entries = x.entries[:min(n, len(x.entries))]
}

func (x *keyIndex) value(e *keyEntry) []byte { return x.values[e.from:e.to] }

// find appends the records among the entries that have a key which begins so.
func (x *keyIndex) find(seqs []int64, value []byte) []int64 {
	var gone []*keyEntry // found on the way: the newest entry counts
	for at := x.heads[headOf(value)]; at > 0; {
		e := &x.entries[at-1]
		at = e.next
		switch {
		case !bytes.HasPrefix(x.value(e), value):
		case e.gone:
			gone = append(gone, e)
		case !slices.ContainsFunc(gone, func(g *keyEntry) bool { return g.seq == e.seq && bytes.Equal(x.value(g), x.value(e)) }):
			seqs = append(seqs, e.seq)
		}
	}
	return seqs
}

// inTable reports whether the table may have a key that begins so: mostly a number is
// greater than all before it.
func (x *keyIndex) inTable(value []byte) bool {
	kind := int(value[0])
	return kind >= len(x.greatest) || bytes.Compare(value, x.greatest[kind]) <= 0
}

// stored notes that the table has a value.
func (x *keyIndex) stored(value []byte) {
	if kind := int(value[0]); kind < len(x.greatest) && bytes.Compare(value, x.greatest[kind]) > 0 {
		x.greatest[kind] = append(x.greatest[kind][:0], value...)
	}
}

// insertKeys enters an event's keys.
func (t *tx) insertKeys(seq int64, keys []refund.Key) error {
	for _, k := range keys {
		t.h.buf = rows.AppendKey(t.h.buf[:0], k)
		if seq > t.h.index.upTo {
			t.h.index.add(t.h.buf, seq, false)
			continue
		}
		if err := t.insertKey(t.h.buf, seq); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) insertKey(value []byte, seq int64) error {
	t.h.index.stored(value) // if it is rolled back, the greatest is too great, which costs a look-up
	return t.c.Do(`INSERT OR IGNORE INTO key(value, seq) VALUES(?1, ?2)`, value, seq)
}

// removeKeys removes the keys that an event's row names.
func (t *tx) removeKeys(seq int64) error {
	var packed []byte
	_, err := t.c.First(`SELECT keys FROM record WHERE seq = ?1`, func(r *sqlite.Row) error { packed = r.Bytes(0); return nil }, seq)
	if err != nil {
		return err
	}
	return rows.EachKey(packed, func(value []byte) error {
		if len(value) == 0 {
			return nil
		}
		if seq > t.h.index.upTo {
			t.h.index.add(value, seq, true)
			return nil
		}
		return t.c.Do(`DELETE FROM key WHERE value = ?1 AND seq = ?2`, value, seq)
	})
}

// saveKeys writes the keys that are in memory once there are enough of them. Where the disk
// has no room for that, records that need less are stored without it for a while.
func (t *tx) saveKeys() error {
	x := t.h.index
	if len(x.entries) < max(t.d.o.flushKeys, x.retry) {
		return nil
	}
	err := t.writeKeys()
	if errors.Is(err, ErrDiskFull) {
		x.retry = len(x.entries) + t.d.o.flushKeys/4
	}
	return err
}

// saveAllKeys writes what is in memory when the store is closed: a store that lies there
// proves with its keys, too, which record is the newest. Where there is no room, they are
// collected at the next opening.
func (d *DB) saveAllKeys() error {
	if d.w == nil || d.readOnly || d.temporary || len(d.index.entries)+len(d.now.days) == 0 {
		return nil
	}
	err := d.transact((*tx).writeKeys)
	if errors.Is(err, ErrDiskFull) {
		return nil
	}
	return err
}

// writeKeys writes all keys that are in memory, in the table's order, and the days with them.
func (t *tx) writeKeys() error {
	x := t.h.index
	if x.upTo == directKeys {
		return nil
	}
	order := make([]int32, len(x.entries))
	for i := range order {
		order[i] = int32(i)
	}
	same := func(a, b int32) int {
		ea, eb := &x.entries[a], &x.entries[b]
		return cmp.Or(bytes.Compare(x.value(ea), x.value(eb)), cmp.Compare(ea.seq, eb.seq))
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(same(a, b), cmp.Compare(a, b)) })
	first, _, err := t.c.Int(`SELECT min(seq) FROM record`) // retention may have come to one of them
	if err != nil {
		return err
	}
	for i, at := range order {
		e := &x.entries[at]
		if e.gone || e.seq < first || i+1 < len(order) && same(at, order[i+1]) == 0 {
			continue // taken back, or of no record any more, or the newest entry of this key comes behind it
		}
		if err := t.insertKey(x.value(e), e.seq); err != nil {
			return err
		}
	}
	if err := t.saveDays(); err != nil {
		return err
	}
	upTo := t.n.seq
	t.after(func() { x.saved(upTo) })
	return setMetaInt(t.c, keysUpTo, upTo)
}

// saved forgets the entries: they are in the table.
func (x *keyIndex) saved(upTo int64) {
	clear(x.heads)
	x.upTo, x.entries, x.values, x.retry = upTo, x.entries[:0], x.values[:0], 0
}
