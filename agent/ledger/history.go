package ledger

import (
	"iter"
	"slices"
	"strings"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// history is the judge's view of the events before a record, inside the
// transaction that will store it: it sees what the same batch has stored.
// It implements refund.History.
type history struct {
	c      *conn
	bounds *refund.Bounds
	payers *payers
	index  *keyIndex
	recent *recent
	buf    []byte
	body   []byte       // room for one stored record
	stop   func() error // why it is to answer no more, nil: it always answers
}

// lookups is how many keys one statement looks up; more take another statement.
const lookups = 12

// findSQL holds the look-up of n keys as one statement, by n.
var findSQL = func() (texts [lookups + 1]string) {
	const one = `SELECT seq FROM key WHERE value >= ? AND value < ?`
	for n := 1; n <= lookups; n++ {
		texts[n] = one + strings.Repeat(` UNION ALL `+one, n-1)
	}
	return texts
}()

// ranges are the arguments of a look-up, kept with the connection because there is one for
// every record.
type ranges struct {
	values [2 * lookups]sqlite.Value
	args   [2 * lookups]any
}

// add adds the look-up of a value: from it to the first behind all that begin with it.
func (r *ranges) add(n int, value []byte) {
	from, to := &r.values[2*n].Bytes, &r.values[2*n+1].Bytes
	*from = append((*from)[:0], value...)
	*to = append((*to)[:0], value...)
	(*to)[len(*to)-1]++ // a kind, or the 0x1f that ends each part: never 0xff
}

// ranges returns the connection's room for the arguments of a look-up.
func (c *conn) ranges() *ranges {
	if c.find == nil {
		c.find = new(ranges)
		for i := range c.find.args {
			c.find.values[i].Kind = sqlite.Blob
			c.find.args[i] = &c.find.values[i]
		}
	}
	return c.find
}

// Find implements refund.History: the keys that the table may have are looked up by one
// statement, then follows one row per event.
func (h *history) Find(keys ...refund.Key) iter.Seq2[*refund.Event, error] {
	return func(yield func(*refund.Event, error) bool) {
		seqs, err := h.lookUp(keys)
		if err != nil {
			yield(nil, err)
			return
		}
		h.events(seqs, yield)
	}
}

func (h *history) lookUp(keys []refund.Key) (seqs []int64, err error) {
	asked, n := h.c.ranges(), 0
	ask := func() error {
		many := n
		n = 0
		return h.c.Each(findSQL[many], func(r *sqlite.Row) error { seqs = append(seqs, r.Int(0)); return nil }, asked.args[:2*many]...)
	}
	for _, k := range keys {
		h.buf = rows.AppendKey(h.buf[:0], k)
		seqs = h.index.find(seqs, h.buf)
		if !h.index.inTable(h.buf) {
			continue
		}
		asked.add(n, h.buf)
		if n++; n == lookups {
			if err := ask(); err != nil {
				return nil, err
			}
		}
	}
	if n > 0 {
		err = ask()
	}
	slices.Sort(seqs)
	return slices.Compact(seqs), err
}

// events yields the events of these seqs; one that retention has removed is left out.
func (h *history) events(seqs []int64, yield func(*refund.Event, error) bool) {
	for _, seq := range seqs {
		e, err := h.event(seq)
		if err == nil && e == nil {
			continue
		}
		if !yield(e, err) || err != nil {
			return
		}
	}
}

// event is loadEvent, of what is kept decoded or of the store.
func (h *history) event(seq int64) (*refund.Event, error) {
	if h.stop != nil {
		if err := h.stop(); err != nil {
			return nil, err
		}
	}
	if e := h.recent.get(seq); e != nil {
		return e, nil
	}
	e, err := loadEvent(h.c, seq)
	if err == nil && e != nil {
		h.recent.put(e)
	}
	return e, err
}

// Payers implements refund.History.
func (h *history) Payers(tokens []string) iter.Seq2[*refund.Event, error] {
	return func(yield func(*refund.Event, error) bool) {
		seqs, err := h.payers.find(h.c, tokens)
		if err != nil {
			yield(nil, err)
			return
		}
		h.events(seqs, yield)
	}
}

// rangeStep is how many seqs Range reads before it hands them out: a judge may
// ask something else in between.
const rangeStep = 256

// Range implements refund.History.
func (h *history) Range(from, to int64) iter.Seq2[*refund.Event, error] {
	return func(yield func(*refund.Event, error) bool) {
		if from == to {
			h.events([]int64{from}, yield)
			return
		}
		for from <= to {
			seqs, err := eventSeqs(h.c, from, to)
			if err != nil {
				yield(nil, err)
				return
			}
			stopped := false
			h.events(seqs, func(e *refund.Event, err error) bool {
				stopped = !yield(e, err) || err != nil
				return !stopped
			})
			if stopped || len(seqs) < rangeStep {
				return
			}
			from = seqs[len(seqs)-1] + 1
		}
	}
}

func eventSeqs(c *conn, from, to int64) ([]int64, error) {
	return c.Ints(`SELECT seq FROM record WHERE seq BETWEEN ?1 AND ?2 AND copy_of IS NULL ORDER BY seq LIMIT ?3`, from, to, rangeStep)
}

// Verdict implements refund.History.
func (h *history) Verdict(seq int64) (refund.Judged, bool, error) { return loadVerdict(h.c, seq) }

// Bounds implements refund.History.
func (h *history) Bounds() (refund.Bounds, error) {
	b := *h.bounds
	b.Terminals = slices.Clone(b.Terminals)
	return b, nil
}

// loadEvent returns the event with this seq, nil if there is none: no such record, or
// a copy of another.
func loadEvent(c *conn, seq int64) (e *refund.Event, err error) {
	_, err = c.First(`SELECT undone_by, observed, crc, body FROM record WHERE seq = ?1 AND copy_of IS NULL`, func(row *sqlite.Row) error {
		stored := row.View(3)
		if rows.Sum(seq, stored) != row.Int(2) {
			return rows.Damaged("record", seq, "checksum does not match")
		}
		text, err := packed.Text(c.text[:0], stored)
		if err != nil {
			return rows.Damaged("record", seq, "body is not packed as it says")
		}
		c.text = text
		r, err := refund.DecodeStored(text)
		if err != nil {
			return rows.Damaged("record", seq, "body is not a stored record")
		}
		e = &refund.Event{Seq: seq, Record: r, UndoneBy: row.Int(0)}
		if !row.IsNull(1) {
			e.Observed = rows.UnpackTotals(row.Text(1))
		}
		return nil
	}, seq)
	return e, err
}

// loadVerdict returns the verdict on this refund, unreleased or released.
func loadVerdict(c *conn, seq int64) (j refund.Judged, found bool, err error) {
	found, err = c.First(`SELECT `+rows.VerdictColumns+` FROM verdict WHERE seq = ?1`, func(r *sqlite.Row) (err error) {
		j, err = rows.ScanVerdict(r, c.ruleNames)
		return err
	}, seq)
	return j, found && err == nil, err
}

// storeVerdict writes j in place of what is stored about its refund.
func (t *tx) storeVerdict(j *refund.Judged) error {
	if err := t.c.saveRuleNames(&j.Explain); err != nil {
		return err
	}
	v := &j.Verdict
	t.h.body = v.AppendJSON(t.h.body[:0])
	verdict, err := t.c.stored(t.h.body)
	if err != nil {
		return err
	}
	verdict = slices.Clone(verdict) // the room is for one text
	t.h.body = refund.EncodeExplain(t.h.body[:0], &j.Explain)
	explain, err := t.c.stored(t.h.body)
	if err != nil {
		return err
	}
	return t.c.Do(`INSERT OR REPLACE INTO verdict(seq, rev, crc, verdict, explain) VALUES(?1, ?2, ?3, ?4, ?5)`,
		v.Seq, int64(v.Rev), rows.Sum(v.Seq, verdict, explain), sqlite.JSON(verdict), sqlite.JSON(explain))
}
