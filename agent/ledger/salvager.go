package ledger

import (
	"context"
	"regexp"

	"yuanlu/agent/refund"
)

// salvager reads a damaged store and judges its records again into the new one.
type salvager struct {
	d     *DB
	old   *conn // gives only what lies in pages whose sum matches
	bare  *conn // gives whatever it can: only for rows that have a checksum of their own
	names map[int64]string
	kept  int64
	lost  int64
	said  []int64 // refunds whose verdict was no longer held
}

// salvageBatch is how many records one transaction of a salvage takes.
const salvageBatch = 500

// farthest is how many numbers without a readable record end the search.
const farthest = 20_000

func (s *salvager) run(ctx context.Context, note *DamageNote) error {
	s.linkNames()
	if err := s.copyBounds(); err != nil {
		return err
	}
	last, err := s.records(ctx)
	if err != nil {
		return err
	}
	if err := s.sayAgain(); err != nil {
		return err
	}
	if err := s.copySmall(last); err != nil {
		return err
	}
	note.Kept, note.Lost = s.kept, s.lost
	return nil
}

// linkNames reads the names of links. One from a damaged page is better than none: it is
// shown and means nothing else.
func (s *salvager) linkNames() {
	s.names = map[int64]string{}
	note := func(st *stmt) {
		if name := st.text(1); s.names[st.int(0)] == "" && linkName.MatchString(name) {
			s.names[st.int(0)] = name
		}
	}
	const all = `SELECT id, name FROM link`
	s.each(all, note)
	_ = s.guarded(func() error {
		return eachRow(s.bare, all, func(st *stmt) error { note(st); return nil })
	})
}

// linkName is what the configuration takes as a link's name.
var linkName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// each calls do for every row of a query that can be read; the rest is given up.
func (s *salvager) each(sql string, do func(*stmt)) {
	_ = s.guarded(func() error {
		return eachRow(s.old, sql, func(st *stmt) error { do(st); return nil })
	})
}

// guarded turns a fault inside SQLite into an error.
func (s *salvager) guarded(do func() error) (err error) {
	defer asDamage(&err)
	return do()
}

// copyBounds takes over what is known about the journal: records that said it may
// be gone.
func (s *salvager) copyBounds() error {
	var b refund.Bounds
	err := s.guarded(func() (err error) { b, err = loadBounds(s.old); return err })
	if err != nil {
		return nil // made again from the records
	}
	return s.d.transact(func(t *tx) error {
		t.n.bounds = b
		return saveBounds(t.c, &b)
	})
}

// newest is the greatest number the old store seems to have given.
func (s *salvager) newest() int64 {
	n := int64(0)
	for _, sql := range []string{`SELECT max(seq) FROM record`, `SELECT max(seq) FROM verdict`, `SELECT max(seq) FROM cases`, `SELECT max(seq) FROM key`} {
		_ = s.guarded(func() error {
			v, _, err := s.old.queryInt(sql)
			if err == nil {
				n = max(n, v)
			}
			return err
		})
	}
	return n
}

// records judges every readable record again and gives the greatest number seen.
func (s *salvager) records(ctx context.Context) (last int64, err error) {
	first, newest := int64(0), s.newest()
	next := int64(1)
	for {
		if err := ctx.Err(); err != nil {
			return last, err
		}
		rows, done := s.batch(next, max(newest, last+farthest*int64(boolInt(newest == 0))))
		if len(rows) > 0 {
			if first == 0 {
				first = rows[0].seq
			}
			err := s.d.transact(func(t *tx) error {
				for i := range rows {
					if err := s.again(t, &rows[i]); err != nil {
						return err
					}
				}
				return t.n.payers.flush(t.c, t.n.seq)
			})
			if err != nil {
				return last, err
			}
			s.kept += int64(len(rows))
			last = rows[len(rows)-1].seq
			next = last + 1
		}
		if done {
			break
		}
	}
	last = max(last, newest)
	if first > 0 {
		s.lost = last - first + 1 - s.kept
	} else {
		s.lost = last
	}
	return last, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// batch reads the next records from this number on. Where the table cannot be
// walked, it is asked number by number.
func (s *salvager) batch(next, newest int64) (rows []recordRow, done bool) {
	err := s.guarded(func() error {
		st, err := s.old.prepare(`SELECT ` + recordColumns + ` FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2`)
		if err != nil {
			return err
		}
		st.bindInt(1, next)
		st.bindInt(2, salvageBatch)
		defer st.reset()
		for {
			more, err := st.step()
			if err != nil || !more {
				return err
			}
			if row, err := scanRecord(st); err == nil {
				if _, err := row.decode(); err == nil && row.seq >= next {
					rows = append(rows, row)
					next = row.seq + 1
				}
			}
		}
	})
	if err == nil && len(rows) < salvageBatch {
		// Rows whose checksum does not match are left out; others may follow.
		return rows, s.noneAfter(next)
	}
	if err == nil {
		return rows, false
	}
	for ; next <= newest && len(rows) < salvageBatch; next++ {
		if row := s.one(next); row != nil {
			rows = append(rows, *row)
		}
	}
	return rows, next > newest
}

// noneAfter reports whether no good record has this number or a greater one.
func (s *salvager) noneAfter(next int64) bool {
	none := true
	s.each(`SELECT seq, crc, body FROM record ORDER BY seq DESC LIMIT 1000`, func(st *stmt) {
		if st.int(0) >= next && rowSum(st.int(0), st.view(2)) == st.int(1) {
			none = false
		}
	})
	return none
}

func (s *salvager) one(seq int64) *recordRow {
	for _, c := range []*conn{s.old, s.bare} {
		var row *recordRow
		err := s.guarded(func() (err error) { row, err = loadRow(c, seq); return err })
		if err != nil || row == nil {
			continue
		}
		if _, err := row.decode(); err == nil {
			return row
		}
	}
	return nil
}

// again judges one old record under its own number and case id.
func (s *salvager) again(t *tx, row *recordRow) error {
	r, err := row.decode()
	if err != nil {
		return err
	}
	name, ok := s.names[row.link]
	if !ok {
		name = "unknown"
	}
	link, err := t.link(name)
	if err != nil {
		return err
	}
	t.n.seq, t.caseID = row.seq, row.caseID
	ch, err := t.d.judge.Apply(t.h, row.seq, r)
	if err != nil {
		return err
	}
	return t.store(link, &refund.Sighting{
		Record: r, Received: timeOf(row.received), ClockSynced: row.flags&flagSynced != 0,
		AtFromClock: row.flags&flagAtClock != 0, FrameMAC: unpackMAC(row.mac),
	}, &ch, new(refund.Applied))
}

// sayAgain says the verdicts that the old store had said already.
func (s *salvager) sayAgain() error {
	said := map[int64]bool{}
	s.each(`SELECT seq FROM verdict WHERE rev > 0`, func(st *stmt) { said[st.int(0)] = true })
	var due []int64
	err := eachRow(s.d.w, `SELECT seq FROM held ORDER BY seq`, func(st *stmt) error {
		if said[st.int(0)] {
			due = append(due, st.int(0))
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.d.releaseThese(due)
	return err
}

// copySmall copies what stands by itself, and the figures that go on.
func (s *salvager) copySmall(last int64) error {
	return s.d.transact(func(t *tx) error {
		var failed error
		note := func(err error) {
			if failed == nil {
				failed = err
			}
		}
		s.each(`SELECT link, key, value, expires FROM memory`, func(st *stmt) {
			name, ok := s.names[st.int(0)]
			if !ok {
				return
			}
			link, err := t.link(name)
			note(err)
			m := refund.MemoryChange{Key: st.text(1), Value: append([]byte{}, st.view(2)...), Expires: timeOf(st.int(3))}
			note(t.remember(link, &m))
		})
		s.each(`SELECT `+noticeColumns+` FROM outbox WHERE entry >= 1099511627776`, func(st *stmt) {
			if n, err := scanNotice(st, ""); err == nil {
				note(t.queueEvent(n))
			}
		})
		s.each(`SELECT name, value FROM meta WHERE name LIKE 'key.%' OR name = 'created'`, func(st *stmt) {
			note(setMeta(t.c, st.text(0), st.text(1)))
		})
		note(setMetaInt(t.c, "seq_floor", last))
		t.n.seq = max(t.n.seq, last)
		t.n.removed = last - s.kept
		return failed
	})
}
