package ledger

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"yuanlu/agent/refund"
)

// history is the judge's view of the events before a record, inside the
// transaction that will store it: it sees what the same batch has stored.
// It implements refund.History.
type history struct {
	c      *conn
	bounds *refund.Bounds
	payers *payers
	buf    []byte
	body   []byte // room for one stored record
}

// lookups is how many keys one statement looks up; more take another statement.
const lookups = 12

// findSQL gives the look-up of n keys as one statement.
func findSQL(n int) string {
	const one = `SELECT seq FROM key WHERE value >= ? AND value < ?`
	return one + strings.Repeat(` UNION ALL `+one, n-1)
}

// Find implements refund.History: one statement for all keys, then one row per event.
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

func (h *history) lookUp(keys []refund.Key) ([]int64, error) {
	var seqs []int64
	for chunk := range slices.Chunk(keys, lookups) {
		s, err := h.c.prepare(findSQL(len(chunk)))
		if err != nil {
			return nil, err
		}
		for i, k := range chunk {
			b, n := keyRange(h.buf[:0], k)
			h.buf = b
			s.bindBlob(2*i+1, b[:n])
			s.bindBlob(2*i+2, b[n:])
		}
		for {
			more, err := s.step()
			if err != nil {
				s.reset()
				return nil, err
			}
			if !more {
				break
			}
			seqs = append(seqs, s.int(0))
		}
		s.reset()
	}
	slices.Sort(seqs)
	return slices.Compact(seqs), nil
}

// events yields the events of these seqs; one that retention has removed is left out.
func (h *history) events(seqs []int64, yield func(*refund.Event, error) bool) {
	for _, seq := range seqs {
		e, err := loadEvent(h.c, seq)
		if err == nil && e == nil {
			continue
		}
		if !yield(e, err) || err != nil {
			return
		}
	}
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
	s, err := c.prepare(`SELECT seq FROM record WHERE seq BETWEEN ?1 AND ?2 AND copy_of IS NULL ORDER BY seq LIMIT ?3`)
	if err != nil {
		return nil, err
	}
	s.bindInt(1, from)
	s.bindInt(2, to)
	s.bindInt(3, rangeStep)
	defer s.reset()
	var seqs []int64
	for {
		more, err := s.step()
		if err != nil || !more {
			return seqs, err
		}
		seqs = append(seqs, s.int(0))
	}
}

// Verdict implements refund.History.
func (h *history) Verdict(seq int64) (refund.Judged, bool, error) { return loadVerdict(h.c, seq) }

// Bounds implements refund.History.
func (h *history) Bounds() (refund.Bounds, error) {
	b := *h.bounds
	b.Terminals = slices.Clone(b.Terminals)
	return b, nil
}

// loadEvent gives the event with this seq, nil if there is none: no such record, or
// a copy of another.
func loadEvent(c *conn, seq int64) (*refund.Event, error) {
	s, err := c.prepare(`SELECT undone_by, observed, crc, body FROM record WHERE seq = ?1 AND copy_of IS NULL`)
	if err != nil {
		return nil, err
	}
	s.bindInt(1, seq)
	defer s.reset()
	more, err := s.step()
	if err != nil || !more {
		return nil, err
	}
	body := s.view(3)
	if rowSum(seq, body) != s.int(2) {
		return nil, &rowError{"record", seq, "checksum does not match"}
	}
	r, err := refund.DecodeStored(body)
	if err != nil {
		return nil, &rowError{"record", seq, "body is not a stored record"}
	}
	e := &refund.Event{Seq: seq, Record: r, UndoneBy: s.int(0)}
	if !s.isNull(1) {
		e.Observed = unpackTotals(s.text(1))
	}
	return e, nil
}

// loadVerdict gives the verdict on this refund, held or said.
func loadVerdict(c *conn, seq int64) (refund.Judged, bool, error) {
	var j refund.Judged
	s, err := c.prepare(`SELECT rev, crc, verdict, explain FROM verdict WHERE seq = ?1`)
	if err != nil {
		return j, false, err
	}
	s.bindInt(1, seq)
	defer s.reset()
	more, err := s.step()
	if err != nil || !more {
		return j, false, err
	}
	j, err = scanVerdict(seq, s.int(0), s.int(1), s.view(2), s.view(3))
	return j, err == nil, err
}

func scanVerdict(seq, rev, crc int64, verdict, explain []byte) (refund.Judged, error) {
	var j refund.Judged
	if rowSum(seq, verdict, explain) != crc {
		return j, &rowError{"verdict", seq, "checksum does not match"}
	}
	if json.Unmarshal(verdict, &j.Verdict) != nil || json.Unmarshal(explain, &j.Explain) != nil {
		return j, &rowError{"verdict", seq, "text is not a verdict"}
	}
	j.Held = rev == 0
	return j, nil
}

// storeVerdict writes j in place of what is stored about its refund.
func storeVerdict(c *conn, j *refund.Judged) error {
	explain, err := json.Marshal(j.Explain)
	if err != nil {
		return err
	}
	v := j.Verdict
	verdict := v.AppendJSON(nil)
	s, err := c.prepare(`INSERT OR REPLACE INTO verdict(seq, rev, crc, verdict, explain) VALUES(?1, ?2, ?3, ?4, ?5)`)
	if err != nil {
		return err
	}
	s.bindInt(1, v.Seq)
	s.bindInt(2, int64(v.Rev))
	s.bindInt(3, rowSum(v.Seq, verdict, explain))
	s.bindJSON(4, verdict)
	s.bindJSON(5, explain)
	return s.run()
}
