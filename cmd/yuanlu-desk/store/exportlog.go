package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	packs "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/protocol/evidence"
)

// ofCase are the refunds of a case.
const ofCase = `(SELECT refund FROM work_refund WHERE case_no = ?)`

// logs collects the terminals' events of a case, their leaves, and the checkpoints that these are under.
func (a *applying) logs(s *Store, x *Exporting, own *ownLog, in *packs.Input) error {
	known := map[string]bool{} // ids of events
	terminals := map[string]bool{}
	if err := a.rows(`SELECT id, terminal, payload FROM event WHERE kind = 'case' AND case_id IN `+ofCase+` ORDER BY n`, []any{x.Case}, func(r *sql.Rows) error {
		var id, terminal, payload string
		err := r.Scan(&id, &terminal, &payload)
		known[id], terminals[terminal] = true, true
		in.Events = append(in.Events, []byte(payload))
		return err
	}); err != nil {
		return err
	}
	for _, terminal := range slices.Sorted(maps.Keys(terminals)) {
		why, asked := x.Answers[terminal]
		if !asked {
			why = "no_log"
		}
		if why != "ok" {
			in.Lacks = append(in.Lacks, packs.Lack{Terminal: terminal, Why: why})
		}
	}
	cosigners := map[string]bool{s.signer.Key(evidence.KeyCosign).String(): true}
	var origins []string
	if err := a.rows(`SELECT DISTINCT origin FROM case_leaf WHERE case_id IN `+ofCase+` ORDER BY origin`, []any{x.Case}, func(r *sql.Rows) error {
		var origin string
		err := r.Scan(&origin)
		origins = append(origins, origin)
		return err
	}); err != nil {
		return err
	}
	for _, origin := range origins {
		l, err := a.logOf(s, x, own, origin, known)
		if err != nil {
			return err
		}
		if len(l.Leaves) == 0 {
			continue
		}
		if err := a.chain(l, cosigners); err != nil {
			return err
		}
		in.Logs = append(in.Logs, *l)
	}
	for _, text := range slices.Sorted(maps.Keys(cosigners)) {
		k, err := evidence.ParseKey(text, evidence.KeyCosign)
		if err != nil {
			return err
		}
		in.Cosigners = append(in.Cosigners, k)
	}
	return nil
}

// logOf reads a log and the leaves of it that are the case's.
func (a *applying) logOf(s *Store, x *Exporting, own *ownLog, origin string, known map[string]bool) (*packs.Log, error) {
	l := &packs.Log{}
	var vkey string
	var first int64
	if _, err := a.row(`SELECT vkey, first_seen, trusted FROM log WHERE origin = ?`, []any{origin}, &vkey, &first, &l.Trusted); err != nil {
		return nil, err
	}
	var err error
	if l.Key, err = evidence.ParseKey(vkey, evidence.KeyLog); err != nil {
		return nil, err
	}
	l.FirstSeen = s.work.desk.Written(first / 1000)
	var all []packs.Leaf
	if err := a.rows(`SELECT n, size, leaf, proof FROM log_leaf WHERE origin = ? AND n IN (SELECT n FROM case_leaf WHERE origin = ? AND case_id IN `+ofCase+`) ORDER BY n`,
		[]any{origin, origin, x.Case}, func(r *sql.Rows) error {
			var one packs.Leaf
			var leaf, proof string
			if err := r.Scan(&one.N, &one.Size, &leaf, &proof); err != nil {
				return err
			}
			one.Bytes = []byte(leaf)
			var err error
			one.Proof, err = proofOf(proof)
			all = append(all, one)
			return err
		}); err != nil {
		return nil, err
	}
	for _, one := range all {
		keep, err := own.holds(&one, known)
		if err != nil {
			return nil, err
		}
		if keep {
			l.Leaves = append(l.Leaves, one)
		}
	}
	return l, nil
}

// holds reports whether a leaf belongs in a pack: one of an event that never came does not, nor an
// anchor that this desk's log does not bear out.
func (l *ownLog) holds(one *packs.Leaf, known map[string]bool) (bool, error) {
	leaf, err := evidence.ParseLeaf(one.Bytes)
	if err != nil {
		return false, err
	}
	switch leaf.Type {
	case evidence.LeafCase:
		return known[leaf.D.Get("id").Text], nil
	case evidence.LeafAnchor:
		key, err := evidence.ParseKey(l.vkey, evidence.KeyLog)
		if err != nil {
			return false, err
		}
		n, bad := evidence.ParseNote(leaf.D.Get("desk").Text)
		if bad != nil || n.Origin != l.origin {
			return bad == nil, nil // an anchor of another log counts for nothing
		}
		if n.SignedBy(key) != nil || n.Size > l.size {
			return false, nil
		}
		root, err := l.root(n.Size)
		return root == n.Root, err
	}
	return true, nil
}

func proofOf(text string) ([]evidence.Hash, error) {
	v, err := evidence.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return evidence.ParseProof(v)
}

// chain adds the checkpoints: those that leaves are under, the one before each, and those between that lead
// from one to the next.
func (t *tx) chain(l *packs.Log, cosigners map[string]bool) error {
	wanted := map[int64]bool{}
	for _, one := range l.Leaves {
		wanted[one.Size] = true
	}
	var sizes []int64 // all that were co-signed, up to the largest wanted
	most := slices.Max(slices.Collect(maps.Keys(wanted)))
	if err := t.rows(`SELECT size FROM log_note WHERE origin = ? AND cosigned > 0 AND size <= ? ORDER BY size`, []any{l.Key.Name, most}, func(r *sql.Rows) error {
		var n int64
		err := r.Scan(&n)
		sizes = append(sizes, n)
		return err
	}); err != nil {
		return err
	}
	for i, n := range sizes {
		if wanted[n] && i > 0 {
			wanted[sizes[i-1]] = true
		}
	}
	return t.lead(l, slices.Sorted(maps.Keys(wanted)), sizes, cosigners)
}

// lead adds the checkpoints of these sizes, each with a proof from the one before: where there is none,
// with the co-signed sizes between them.
func (t *tx) lead(l *packs.Log, wanted, sizes []int64, cosigners map[string]bool) error {
	from := int64(0)
	add := func(size int64) (bool, error) {
		c, found, err := t.point(l.Key.Name, from, size, cosigners)
		if found && err == nil {
			l.Checkpoints = append(l.Checkpoints, c)
			from = size
		}
		return found, err
	}
	for _, to := range wanted {
		if found, err := add(to); err != nil || found {
			if err != nil {
				return err
			}
			continue
		}
		for _, between := range sizes {
			if between <= from || between > to {
				continue
			}
			if found, err := add(between); err != nil || !found {
				return fmt.Errorf("%w: log %s: no proof leads from %d to %d: %w", ErrUnavailable, l.Key.Name, from, between, err)
			}
		}
	}
	return nil
}

// point reads a checkpoint with the proof from a size before; false if there is none.
func (t *tx) point(origin string, from, size int64, cosigners map[string]bool) (c packs.Checkpoint, found bool, err error) {
	if from > 0 {
		var proof string
		if found, err = t.row(`SELECT proof FROM log_step WHERE origin = ? AND size = ? AND from_size = ?`, []any{origin, size, from}, &proof); err != nil || !found {
			return c, false, err
		}
		if c.Proof, err = proofOf(proof); err != nil {
			return c, false, err
		}
	}
	if found, err = t.row(`SELECT note, place FROM log_note WHERE origin = ? AND size = ? AND cosigned > 0`, []any{origin, size}, &c.Note, &c.N); err != nil || !found {
		return c, false, err
	}
	n, err := evidence.ParseNote(c.Note)
	if err != nil {
		return c, false, err
	}
	var keys []string
	if err := t.rows(`SELECT DISTINCT cosigner FROM desk_log`, nil, func(r *sql.Rows) error {
		var k string
		err := r.Scan(&k)
		keys = append(keys, k)
		return err
	}); err != nil {
		return c, false, err
	}
	for _, text := range keys {
		k, err := evidence.ParseKey(text, evidence.KeyCosign)
		if err != nil {
			return c, false, err
		}
		if _, err := n.CosignedBy(k); err == nil {
			cosigners[text] = true
		}
	}
	return c, true, nil
}

// Trust is a trust file (evidence.md § 6) of what this desk knows.
type Trust struct {
	V         int      `json:"v"`
	Signers   []string `json:"signers"`
	Cosigners []string `json:"cosigners"`
	Logs      []string `json:"logs,omitempty"` // that a person has compared
	Stampers  []string `json:"stampers"`
}

// JSON is the file's text: one line.
func (t *Trust) JSON() ([]byte, error) { return json.Marshal(t) }
