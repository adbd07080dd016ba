package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/ledger/tree"
	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
)

// Errors of Proofs.
var (
	ErrNotCosigned = errors.New("ledger: no checkpoint of the log is co-signed yet")
	ErrBadSize     = errors.New("ledger: not sizes of co-signed checkpoints, rising, or not those of anchors")
)

// Bounds of Proofs (evidence.md § 3).
const (
	mostSizes   = 16
	mostAnchors = 64
	mostLeaves  = 200
)

// ProofQuery is what Proofs is asked for.
type ProofQuery struct {
	CaseID string
	Sizes  []int64 // of co-signed checkpoints, rising; none: the newest
	Desk   []int64 // for each the first anchor of at least this size of the desk's log
	After  int64   // leaves behind this one; -1: from the first on
}

// ProvedLeaf is a leaf with the proof that the tree of Size has it.
type ProvedLeaf struct {
	N, Size int64
	Leaf    []byte
	Proof   []evidence.Hash
}

// ProvedCheckpoint is a co-signed note with the proof that it continues that of From.
type ProvedCheckpoint struct {
	Size  int64
	Note  string
	From  int64
	Proof []evidence.Hash
}

// Proofs are the leaves of a case, with what proves them.
type Proofs struct {
	Origin, VKey string
	Leaves       []ProvedLeaf
	Removed      int  // leaves of which retention has removed the bytes
	More         bool // there are more behind the last
	Checkpoints  []ProvedCheckpoint
}

// Proofs returns the leaves of a case (evidence.md § 3), at most 200. Errors: ErrNotFound,
// ErrNotCosigned, ErrBadSize, ErrNoLog.
func (d *DB) Proofs(ctx context.Context, q ProofQuery) (*Proofs, error) {
	if len(q.Sizes) > mostSizes || len(q.Desk) > mostAnchors {
		return nil, fmt.Errorf("%w: at most %d sizes and %d of the desk", ErrBadSize, mostSizes, mostAnchors)
	}
	v, err := d.viewLog(ctx)
	if err != nil {
		return nil, err
	}
	seqs, asks, err := d.recordsOfCase(ctx, q.CaseID)
	if err != nil {
		return nil, err
	}
	var p *Proofs
	err = d.read(ctx, func(c *conn) (err error) {
		names := map[int64]string{}
		err = c.Each(`SELECT id, name FROM link`, func(r *sqlite.Row) error { names[r.Int(0)] = r.Text(1); return nil })
		if err != nil {
			return err
		}
		w := &prover{c: c, v: v, tree: v.reader(c), rows: logRows{c, v.after}, names: names}
		p, err = w.prove(&q, seqs, asks)
		return err
	})
	return p, err
}

// caseAsk is an ask that a record of a case was made by.
type caseAsk struct{ merchant, terminal, id string }

// recordsOfCase returns the records of a case, copies too, rising, and the asks that they belong to.
func (d *DB) recordsOfCase(ctx context.Context, id string) (seqs []int64, asks []caseAsk, err error) {
	find := func(h *history) (err error) {
		seqs, asks, err = h.recordsOfCase(id)
		return err
	}
	if !d.readOnly {
		err = d.withWriter(ctx, func(c *conn) error {
			err := find(&history{c: c, bounds: &d.now.bounds, payers: &d.now.payers, index: d.index, recent: &d.recent, stop: ctx.Err})
			if err != nil && !errors.Is(err, ErrNotFound) {
				return d.failedWith(err)
			}
			return err
		})
		return seqs, asks, err
	}
	err = d.read(ctx, func(c *conn) error {
		p, index, err := collect(c)
		if err != nil {
			return err
		}
		return find(&history{c: c, bounds: new(refund.Bounds), payers: &p, index: index, recent: new(recent), stop: ctx.Err})
	})
	return seqs, asks, err
}

func (h *history) recordsOfCase(id string) (seqs []int64, asks []caseAsk, err error) {
	k, err := loadCase(h.c, id)
	if err != nil {
		return nil, nil, err
	}
	if k == nil {
		return nil, nil, fmt.Errorf("%w: case", ErrNotFound)
	}
	events, err := h.eventsOfCase(k)
	if err != nil {
		return nil, nil, err
	}
	for seq, e := range events {
		seqs = append(seqs, seq)
		if g := e.Record.Guard; g != nil && g.Ask != "" {
			asks = append(asks, caseAsk{e.Record.MerchantID, e.Record.TerminalID, g.Ask})
		}
		copies, err := h.c.Ints(`SELECT seq FROM record WHERE copy_of = ?1`, seq)
		if err != nil {
			return nil, nil, err
		}
		seqs = append(seqs, copies...)
	}
	slices.Sort(seqs)
	return slices.Compact(seqs), asks, nil
}

// eventsOfCase returns, by seq, the refund of a case, its original, the other refunds of that original,
// and what undid any of them.
func (h *history) eventsOfCase(k *caseRow) (map[int64]*refund.Event, error) {
	events := map[int64]*refund.Event{}
	add := func(seqs ...int64) error {
		for _, seq := range seqs {
			if seq == 0 || events[seq] != nil {
				continue
			}
			e, err := h.event(seq)
			if err != nil {
				return err
			}
			if e != nil {
				events[seq] = e
			}
		}
		return nil
	}
	if err := add(k.seq, k.original); err != nil {
		return nil, err
	}
	if sale := events[k.original]; sale != nil {
		others, err := h.refundsJudgedOf(k.original, sale)
		if err != nil {
			return nil, err
		}
		if err := add(others...); err != nil {
			return nil, err
		}
	}
	var undoers []int64
	for _, e := range events {
		undoers = append(undoers, e.UndoneBy)
	}
	return events, add(undoers...)
}

// refundsJudgedOf returns the refunds whose verdict names this sale as the original.
func (h *history) refundsJudgedOf(original int64, sale *refund.Event) ([]int64, error) {
	all, err := h.lookUp(refund.KeysOfRefunds(sale))
	if err != nil {
		return nil, err
	}
	var list []int64
	for _, seq := range all {
		j, ok, err := loadVerdict(h.c, seq)
		if err != nil {
			return nil, err
		}
		if ok && j.Verdict.Original != nil && j.Verdict.Original.Seq == original {
			list = append(list, seq)
		}
	}
	return list, nil
}

// prover proves the leaves of a case.
type prover struct {
	c     *conn
	v     *view
	tree  *tree.Reader
	rows  logRows
	names map[int64]string
}

func (p *prover) prove(q *ProofQuery, seqs []int64, asks []caseAsk) (*Proofs, error) {
	sizes, notes, err := p.checkpoints(q.Sizes)
	if err != nil {
		return nil, err
	}
	out := &Proofs{Origin: p.v.origin, Leaves: []ProvedLeaf{}}
	if out.VKey, err = metaText(p.c, logKeyName); err != nil {
		return nil, err
	}
	from := int64(0)
	for i, size := range sizes {
		proof, err := p.tree.Consistency(from, size)
		if err != nil {
			return nil, err
		}
		out.Checkpoints = append(out.Checkpoints, ProvedCheckpoint{size, notes[i], from, proof})
		from = size
	}
	leaves, err := p.leavesOf(q.CaseID, seqs, asks, q.Desk)
	if err != nil {
		return nil, err
	}
	for _, n := range leaves {
		at := slices.IndexFunc(sizes, func(size int64) bool { return size > n })
		if n <= q.After || at < 0 {
			continue
		}
		if len(out.Leaves) == mostLeaves {
			out.More = true
			break
		}
		leaf, err := p.rows.whole(n, p.names)
		if err != nil {
			return nil, err
		}
		if leaf == nil {
			out.Removed++
			continue
		}
		proof, err := p.tree.Inclusion(n, sizes[at])
		if err != nil {
			return nil, err
		}
		out.Leaves = append(out.Leaves, ProvedLeaf{n, sizes[at], leaf, proof})
	}
	return out, nil
}

// checkpoints returns the co-signed notes that are asked for.
func (p *prover) checkpoints(sizes []int64) ([]int64, []string, error) {
	newest, err := p.v.newestSize()
	if err != nil {
		return nil, nil, err
	}
	if newest == 0 {
		return nil, nil, ErrNotCosigned
	}
	if len(sizes) == 0 {
		return []int64{newest}, []string{p.v.newest}, nil
	}
	for i, size := range sizes {
		if size < 1 || i > 0 && size <= sizes[i-1] || size > newest {
			return nil, nil, fmt.Errorf("%w: size %d", ErrBadSize, size)
		}
	}
	notes, ok, err := cosignedNotes(p.c, sizes)
	if err == nil && !ok {
		err = fmt.Errorf("%w: one of them is not kept", ErrBadSize)
	}
	return sizes, notes, err
}

// leavesOf returns the leaves of a case, rising.
func (p *prover) leavesOf(caseID string, seqs []int64, asks []caseAsk, desk []int64) ([]int64, error) {
	var list []int64
	for _, seq := range seqs {
		var own *rows.Leaf
		if seq > p.v.after {
			var err error
			if own, _, err = loadRecordLeaf(p.c, seq); err != nil {
				return nil, err
			}
			if own != nil {
				list = append(list, own.N)
			}
		}
		about, err := p.about(seq, caseID, own)
		if err != nil {
			return nil, err
		}
		list = append(list, about...)
	}
	for _, a := range asks {
		held, err := p.holds(a)
		if err != nil {
			return nil, err
		}
		list = append(list, held...)
	}
	if len(list) > 0 {
		notes, err := p.c.Ints(`SELECT n FROM leaf WHERE ref = ?1 AND apart IS NOT NULL AND n BETWEEN ?2 AND ?3`, refNote, slices.Min(list), slices.Max(list))
		if err != nil {
			return nil, err
		}
		list = append(list, notes...)
	}
	anchors, err := p.anchors(desk)
	list = append(append(list, 0), anchors...)
	slices.Sort(list)
	return slices.Compact(list), err
}

// about returns the leaves about a record, but for the events of other cases. own is the record's leaf, nil: it
// has none.
func (p *prover) about(seq int64, caseID string, own *rows.Leaf) (list []int64, err error) {
	take := func(n int64, l *evidence.Leaf) {
		if l == nil || l.Type != evidence.LeafCase || l.D.Get("subject").Text == "case/"+caseID {
			list = append(list, n)
		}
	}
	if own != nil {
		next, err := p.rows.nextLeaf(seq)
		if err == nil {
			err = p.eachBody(take, `n > ?1 AND n < ?2 AND ref = ?3 AND apart IS NULL`, own.N, next, seq)
		}
		if err != nil {
			return nil, err
		}
	}
	err = p.eachBody(take, byRef, seq)
	return list, err
}

// byRef are the leaves that the index finds.
const byRef = `ref = ?1 AND apart IS NOT NULL`

// eachBody hands out leaves in order; l is nil where retention has removed the bytes.
func (p *prover) eachBody(do func(n int64, l *evidence.Leaf), which string, args ...any) error {
	return p.c.Each(`SELECT n, body FROM leaf WHERE `+which+` ORDER BY n`, func(r *sqlite.Row) error {
		text, err := packed.Text(nil, r.View(1))
		if err != nil {
			return rows.Damaged("leaf", r.Int(0), "its bytes are not packed as they say")
		}
		var l *evidence.Leaf
		if len(text) > 0 {
			if l, err = evidence.ParseLeaf(text); err != nil {
				return rows.Damaged("leaf", r.Int(0), err.Error())
			}
		}
		do(r.Int(0), l)
		return nil
	}, args...)
}

// holds returns the leaves of the holds of an ask.
func (p *prover) holds(a caseAsk) (list []int64, err error) {
	err = p.eachBody(func(n int64, l *evidence.Leaf) {
		if l != nil && l.D.Get("ask").Text == a.id && l.D.Get("merchant_id").Text == a.merchant && l.D.Get("terminal_id").Text == a.terminal {
			list = append(list, n) // without its bytes whose hold it is cannot be known
		}
	}, byRef, holdRef(a.merchant, a.terminal, a.id))
	return list, err
}

// anchors returns for each size the first anchor of the desk's log of today whose size is at least
// that; none: left out.
func (p *prover) anchors(sizes []int64) (list []int64, err error) {
	if len(sizes) == 0 {
		return nil, nil
	}
	text, err := metaText(p.c, logAnchorName)
	if err != nil {
		return nil, err
	}
	newest, bad := evidence.ParseNote(text)
	if bad != nil {
		return nil, nil // none was anchored
	}
	found := make([]bool, len(sizes))
	err = p.eachBody(func(n int64, l *evidence.Leaf) {
		if l == nil {
			return
		}
		note, bad := evidence.ParseNote(l.D.Get("desk").Text)
		if bad != nil || note.Origin != newest.Origin {
			return
		}
		for i, size := range sizes {
			if !found[i] && note.Size >= size {
				found[i], list = true, append(list, n)
			}
		}
	}, byRef, refAnchor)
	return list, err
}
