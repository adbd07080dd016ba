package ledger

import (
	"context"
	"errors"
	"fmt"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/ledger/tree"
	"yuanlu/protocol/evidence"
)

// LogCheck is what CheckLog found.
type LogCheck struct {
	Origin   string
	Size     int64    // leaves
	Bytes    int64    // of these have their bytes
	Cosigned int64    // size of the newest co-signed checkpoint, 0: none
	Wrong    []string // what does not hold, by leaf, tile or size; the first mostWrong
	Wrongs   int64    // how many there are in all
}

// mostWrong bounds LogCheck.Wrong.
const mostWrong = 20

func (k *LogCheck) wrong(format string, args ...any) {
	if k.Wrongs++; len(k.Wrong) < mostWrong {
		k.Wrong = append(k.Wrong, fmt.Sprintf(format, args...))
	}
}

// CheckLog checks that every leaf that has bytes rehashes to its hash, that the tree's hashes are
// right, and that its roots are those of the newest co-signed checkpoint and of the note beside the
// database (evidence.md § 3). ErrNoLog. The store may be written meanwhile.
func (d *DB) CheckLog(ctx context.Context) (*LogCheck, error) {
	k := &LogCheck{}
	err := d.read(ctx, func(c *conn) error {
		v, err := viewOf(c)
		if lacksLeaves(err) {
			k.wrong("%v", err)
			return nil
		}
		if err != nil {
			return err
		}
		k.Origin, k.Size = v.origin, v.edge.Size()
		w := &checker{k: k, c: c, v: v, rows: logRows{c, v.after}, names: map[int64]string{}}
		err = c.Each(`SELECT id, name FROM link`, func(r *sqlite.Row) error { w.names[r.Int(0)] = r.Text(1); return nil })
		if err == nil {
			err = errors.Join(w.ownRows(ctx), w.records(ctx), w.tree(ctx))
		}
		if err != nil {
			return err
		}
		return w.notes(d)
	})
	return k, err
}

// checker checks the log as a view has it.
type checker struct {
	k     *LogCheck
	c     *conn
	v     *view
	rows  logRows
	names map[int64]string
}

// checkStep is how many rows are read at a time: who writes waits for none of it.
const checkStep = 1000

// leaf compares the bytes of a leaf with its hash and its place.
func (w *checker) leaf(n int64, leaf []byte, hash tree.Hash) {
	w.k.Bytes++
	if evidence.LeafHash(leaf) != hash {
		w.k.wrong("leaf %d: its bytes are not those of its hash", n)
		return
	}
	if l, err := evidence.ParseLeaf(leaf); err != nil || l.N != n {
		w.k.wrong("leaf %d: %v", n, err)
	}
}

// ownRows checks the table leaf.
func (w *checker) ownRows(ctx context.Context) error {
	for from, seen := int64(0), 1; seen > 0; {
		if seen = 0; ctx.Err() != nil {
			return ctx.Err()
		}
		err := w.c.Each(`SELECT n, hash, body FROM leaf WHERE n >= ?1 AND n < ?2 ORDER BY n LIMIT ?3`, func(r *sqlite.Row) error {
			n := r.Int(0)
			from, seen = n+1, seen+1
			if r.IsNull(2) {
				return nil
			}
			text, err := packed.Text(nil, r.View(2))
			if err != nil || len(r.View(1)) != len(tree.Hash{}) {
				w.k.wrong("leaf %d: its row is not readable", n)
				return nil
			}
			w.leaf(n, text, tree.Hash(r.View(1)))
			return nil
		}, from, w.k.Size, checkStep)
		if err != nil {
			return err
		}
	}
	return nil
}

// records checks the leaves that are put together from the rows of records.
func (w *checker) records(ctx context.Context) error {
	for from, seen := w.v.after+1, 1; seen > 0; {
		if seen = 0; ctx.Err() != nil {
			return ctx.Err()
		}
		err := w.c.Each(`SELECT `+rows.RecordColumns+`, leaf FROM record WHERE seq >= ?1 AND record.leaf IS NOT NULL ORDER BY seq LIMIT ?2`, func(r *sqlite.Row) error {
			seq := r.Int(0)
			from, seen = seq+1, seen+1
			l, err := rows.ParseLeaf(seq, r.View(13))
			if err != nil {
				w.k.wrong("%v", err)
				return nil
			}
			if l.N >= w.k.Size {
				return nil
			}
			row, err := rows.ScanRecord(r)
			if err != nil {
				w.k.wrong("leaf %d: %v", l.N, err)
				return nil
			}
			return w.record(&l, &row)
		}, from, checkStep)
		if err != nil {
			return err
		}
	}
	return nil
}

// record checks one of them. Where the row was changed since, the table leaf has the leaf.
func (w *checker) record(l *rows.Leaf, row *rows.Record) error {
	var kept []byte
	found, err := w.c.First(`SELECT hash FROM leaf WHERE n = ?1`, func(r *sqlite.Row) error { kept = r.Bytes(0); return nil }, l.N)
	if err != nil {
		return err
	}
	if !found {
		w.leaf(l.N, recordLeaf(l, row, w.names[row.Link]), l.Hash)
	} else if string(kept) != string(l.Hash[:]) {
		w.k.wrong("leaf %d: record %d and the row of its leaf have two hashes", l.N, row.Seq)
	}
	return nil
}

// tree makes the tree again from the hashes of the leaves and compares its tiles.
func (w *checker) tree(ctx context.Context) error {
	e := &tree.Edge{}
	var room tree.Tile
	for e.Size() < w.k.Size {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		some := room[:min(int64(len(room)), w.k.Size-e.Size())]
		if err := w.rows.Leaves(e.Size(), some); lacksLeaves(err) {
			w.k.wrong("%v", err)
			return nil
		} else if err != nil {
			return err
		}
		for _, h := range some {
			if err := e.Append(h, w.tile); err != nil {
				return err
			}
		}
	}
	w.v.edge = *e // made of the leaves alone
	return nil
}

func (w *checker) tile(level int, index int64, want *tree.Tile) error {
	var is tree.Tile
	err := w.rows.Tile(level, index, &is)
	if err == nil && is != *want || lacksLeaves(err) {
		w.k.wrong("tile %d of level %d: its hashes are not those of the leaves", index, level)
		return nil
	}
	return err
}

// notes compares the roots with those of the newest co-signed checkpoint, and of the note beside
// the database.
func (w *checker) notes(d *DB) error {
	vkey, err := metaText(w.c, logKeyName)
	if err != nil {
		return err
	}
	key, err := evidence.ParseKey(vkey, evidence.KeyLog)
	if err != nil {
		w.k.wrong("the key of the log is not readable")
		return nil
	}
	file, err := d.readCosigned()
	if err != nil {
		return err
	}
	for what, note := range map[string]string{"the newest co-signed checkpoint": w.v.newest, "the note beside the database": file} {
		if note == "" {
			continue
		}
		is, size, err := evidence.CheckAnswer(note, key, nil, w.k.Size, w.v.reader(w.c).Root)
		if err != nil && !lacksLeaves(err) && !errors.Is(err, evidence.ErrProof) {
			return err
		}
		if err != nil || is != evidence.Base {
			w.k.wrong("%s, of size %d, is not of this log", what, size)
		} else {
			w.k.Cosigned = max(w.k.Cosigned, size)
		}
	}
	return nil
}
