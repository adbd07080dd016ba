package ledger

import (
	"errors"
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
	recent *recent
	buf    []byte
	body   []byte // room for one stored record
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
		s, err := h.c.prepare(findSQL[len(chunk)])
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

// loadEvent returns the event with this seq, nil if there is none: no such record, or
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

// loadVerdict returns the verdict on this refund, held or said.
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
	j, err = scanVerdict(c, seq, s.int(0), s.int(1), s.view(2), s.view(3))
	return j, err == nil, err
}

func scanVerdict(c *conn, seq, rev, crc int64, verdict, explain []byte) (j refund.Judged, err error) {
	if rowSum(seq, verdict, explain) != crc {
		return j, &rowError{"verdict", seq, "checksum does not match"}
	}
	if j.Verdict, err = refund.DecodeVerdict(verdict); err == nil {
		j.Explain, err = refund.DecodeExplain(explain, c.ruleNames)
	}
	if errors.Is(err, refund.ErrStored) {
		err = &rowError{"verdict", seq, "text is not a verdict"}
	}
	if err == nil && int64(j.Verdict.Rev) != rev {
		err = &rowError{"verdict", seq, "its revision is not that of its text"}
	}
	j.Held = rev == 0
	return j, err
}

// storeVerdict writes j in place of what is stored about its refund.
func (t *tx) storeVerdict(j *refund.Judged) error {
	if err := t.c.saveRuleNames(&j.Explain); err != nil {
		return err
	}
	v := &j.Verdict
	both := v.AppendJSON(t.h.body[:0])
	n := len(both)
	both = refund.EncodeExplain(both, &j.Explain)
	t.h.body = both
	s, err := t.c.prepare(`INSERT OR REPLACE INTO verdict(seq, rev, crc, verdict, explain) VALUES(?1, ?2, ?3, ?4, ?5)`)
	if err != nil {
		return err
	}
	s.bindInt(1, v.Seq)
	s.bindInt(2, int64(v.Rev))
	s.bindInt(3, rowSum(v.Seq, both))
	s.bindJSON(4, both[:n])
	s.bindJSON(5, both[n:])
	return s.run()
}

// rulesName is where the store keeps the names of a rule set's rules, in their
// order; verdicts name them by place.
func rulesName(ruleSet string) string { return "rules." + ruleSet }

// ruleNames returns the names of a rule set's rules, nil if the store does not know it.
func (c *conn) ruleNames(ruleSet string) ([]string, error) {
	if names, ok := c.rules[ruleSet]; ok {
		return names, nil
	}
	text, err := metaText(c, rulesName(ruleSet))
	if err != nil || text == "" {
		return nil, err
	}
	names := strings.Split(text, "\n")
	if c.rules == nil {
		c.rules = make(map[string][]string)
	}
	c.rules[ruleSet] = names
	return names, nil
}

// saveRuleNames keeps the names of the rules that x tells of.
func (c *conn) saveRuleNames(x *refund.Explain) error {
	if len(x.Rules) == 0 || c.saved == x.RuleSet {
		return nil
	}
	names := make([]string, len(x.Rules))
	for i := range x.Rules {
		names[i] = x.Rules[i].Rule
	}
	if err := setMeta(c, rulesName(x.RuleSet), strings.Join(names, "\n")); err != nil {
		return err
	}
	c.saved = x.RuleSet
	return nil
}
