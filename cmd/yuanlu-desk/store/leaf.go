package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"yuanlu/protocol/evidence"
)

// Times and bounds of what terminals are asked for.
const (
	askFor    = 7 * 24 * time.Hour // an event's leaf is asked for after each co-signature so long
	askAgain  = time.Minute        // one that was taken and not answered is taken again, by any desk
	mostAsks  = 16                 // taken at once
	mostSizes = 16                 // evidence.md § 3
	mostDesk  = 64                 // evidence.md § 3
)

// eventForked is the type of the event by which a terminal reports that the desk's log was put back.
const eventForked = "desk.log_forked"

// LeafAsk is what a terminal is asked for: the leaves of a case (evidence.md § 3).
type LeafAsk struct {
	Terminal, CaseID string
	Origin           string // of its newest log; "": it has none that is co-signed
	Sizes, Desk      []int64

	taken int64 // when it was taken; an answer counts for nothing that came due later
}

// LeafAnswer is what it answered, with all its pages.
type LeafAnswer struct {
	Origin  string
	Points  []LeafPoint
	Leaves  []Leaf
	Removed int64
	More    bool
}

// LeafPoint is a checkpoint of an answer: it continues size From.
type LeafPoint struct {
	Size, From int64
	Proof      []evidence.Hash
}

// Leaf is one of a terminal's log, included in the checkpoint of a size.
type Leaf struct {
	N, Size int64
	Bytes   []byte
	Proof   []evidence.Hash
}

// ErrLeaves is the class of errors about an answer that does not hold.
var ErrLeaves = errors.New("store: these leaves do not hold")

// evidence does what evidence.md wants of an event that has just been stored.
func (a *applying) evidence(s *Store, e *Event) error {
	if s.signer == nil {
		return nil
	}
	if !e.Case && e.Type == eventForked {
		return a.forked(s, e.Payload, e.Received)
	}
	if !e.Case || e.CaseID == "" || e.Seq == 0 {
		return nil
	}
	// The newest co-signature may hold the event already: a terminal that connects publishes its checkpoint beside
	// the events that wait. So it is asked for at once; if the leaf is not there yet, again after the next.
	var due int64
	if _, err := a.row(`SELECT count(*) FROM log WHERE terminal = ? AND closed = 0`, []any{e.Terminal}, &due); err != nil {
		return err
	}
	_, err := a.exec(`INSERT INTO leaf_ask(terminal, case_id, event, asked, due, taken, answer) VALUES(?,?,?,?,?,0,'') ON CONFLICT DO NOTHING`,
		e.Terminal, e.CaseID, e.ID, millis(e.Received), min(due, 1))
	return err
}

func millisOf(d time.Duration) int64 { return d.Milliseconds() }

// DueAsks takes what terminals are to be asked for now; no other desk takes it for a minute.
func (s *Store) DueAsks(ctx context.Context, now time.Time) (list []LeafAsk, err error) {
	const due = `due = 1 AND taken < ?`
	at := millis(now)
	var count int64
	if err := s.read(ctx, func(t *tx) error {
		_, err := t.row(`SELECT count(*) FROM leaf_ask WHERE `+due, []any{at - millisOf(askAgain)}, &count)
		return err
	}); err != nil || count == 0 {
		return nil, err
	}
	_, err = s.change(ctx, func(a *applying) error {
		list = nil
		if err := a.rows(`SELECT DISTINCT terminal, case_id FROM leaf_ask WHERE `+due+` ORDER BY terminal, case_id LIMIT ?`, []any{at - millisOf(askAgain), mostAsks}, func(r *sql.Rows) error {
			var one LeafAsk
			one.taken = at
			err := r.Scan(&one.Terminal, &one.CaseID)
			list = append(list, one)
			return err
		}); err != nil {
			return err
		}
		for i := range list {
			if _, err := a.exec(`UPDATE leaf_ask SET taken = ? WHERE terminal = ? AND case_id = ? AND due = 1`, at, list[i].Terminal, list[i].CaseID); err != nil {
				return err
			}
			if err := a.fillAsk(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// fillAsk names sizes and anchors: the last size that is held for the case, the size before, and the
// new one.
func (t *tx) fillAsk(one *LeafAsk) error {
	var size, before int64
	found, err := t.row(`SELECT origin, size, before FROM log WHERE terminal = ? AND closed = 0 ORDER BY n DESC LIMIT 1`, []any{one.Terminal}, &one.Origin, &size, &before)
	if err != nil || !found {
		return err
	}
	held := map[int64]bool{size: true}
	if before > 0 {
		held[before] = true
	}
	if err := t.rows(`SELECT DISTINCT l.size FROM case_leaf c JOIN log_leaf l ON l.origin = c.origin AND l.n = c.n WHERE c.origin = ?
 AND c.case_id IN (SELECT refund FROM work_refund WHERE case_no IN (SELECT case_no FROM work_refund WHERE refund = ?)) ORDER BY l.size DESC LIMIT ?`,
		[]any{one.Origin, one.CaseID, mostSizes - len(held)}, func(r *sql.Rows) error {
			var n int64
			err := r.Scan(&n)
			held[n] = true
			return err
		}); err != nil {
		return err
	}
	for n := range held {
		one.Sizes = append(one.Sizes, n)
	}
	slices.Sort(one.Sizes)
	return t.rows(`SELECT w.place FROM work_event w WHERE w.place >= 0 AND w.case_no IN (SELECT case_no FROM work_refund WHERE refund = ?) ORDER BY w.place DESC LIMIT ?`,
		[]any{one.CaseID, mostDesk}, func(r *sql.Rows) error {
			var n int64
			err := r.Scan(&n)
			one.Desk = append([]int64{n + 1}, one.Desk...)
			return err
		})
}

// AskFailed notes why a terminal did not answer, or what it refused. It is asked again after its
// next co-signature.
func (s *Store) AskFailed(ctx context.Context, one *LeafAsk, why string) error {
	_, err := s.change(ctx, func(a *applying) error {
		return a.answered(one, why)
	})
	return err
}

// answered notes what an ask came to. What came due since it was taken, or was taken again, stays due.
func (a *applying) answered(one *LeafAsk, why string) error {
	_, err := a.exec(`UPDATE leaf_ask SET due = 0, answer = ? WHERE terminal = ? AND case_id = ? AND due = 1 AND taken = ?`, why, one.Terminal, one.CaseID, one.taken)
	return err
}

// KeepLeaves checks what a terminal answered, and keeps it. Events whose leaf has come are asked for no
// more. ErrLeaves, and then nothing of it is kept.
func (s *Store) KeepLeaves(ctx context.Context, one *LeafAsk, got *LeafAnswer) error {
	var bad error
	_, err := s.change(ctx, func(a *applying) error {
		if bad = a.checkLeaves(one, got); errors.Is(bad, ErrLeaves) {
			return a.answered(one, "wrong")
		} else if bad != nil {
			return bad
		}
		for _, p := range got.Points {
			if err := a.step(got.Origin, p.From, p.Size, p.Proof); err != nil {
				return err
			}
		}
		for i := range got.Leaves {
			if err := a.keepLeaf(one, got.Origin, &got.Leaves[i]); err != nil {
				return err
			}
		}
		why := "ok"
		if got.Removed > 0 {
			why = fmt.Sprintf("removed:%d", got.Removed)
		}
		return a.answered(one, why)
	})
	return errors.Join(err, bad)
}

// checkLeaves checks each proof of an answer against the notes that were co-signed.
func (a *applying) checkLeaves(one *LeafAsk, got *LeafAnswer) error {
	if got.Origin != one.Origin {
		return fmt.Errorf("%w: of another log", ErrLeaves)
	}
	roots := map[int64]evidence.Hash{}
	from := int64(0)
	for _, p := range got.Points {
		var text string
		found, err := a.row(`SELECT note FROM log_note WHERE origin = ? AND size = ? AND cosigned > 0`, []any{got.Origin, p.Size}, &text)
		if err != nil {
			return err
		}
		n, bad := evidence.ParseNote(text)
		if !found || bad != nil || p.From != from {
			return fmt.Errorf("%w: checkpoint %d from %d", ErrLeaves, p.Size, p.From)
		}
		if err := evidence.CheckConsistency(p.Proof, p.From, roots[p.From], p.Size, n.Root); err != nil {
			return errors.Join(ErrLeaves, err)
		}
		roots[p.Size], from = n.Root, p.Size
	}
	for _, l := range got.Leaves {
		root, ok := roots[l.Size]
		leaf, err := evidence.ParseLeaf(l.Bytes)
		if !ok || err != nil || leaf.N != l.N {
			return errors.Join(fmt.Errorf("%w: leaf %d under %d", ErrLeaves, l.N, l.Size), err)
		}
		if err := evidence.CheckInclusion(l.Proof, l.Size, root, l.N, evidence.LeafHash(l.Bytes)); err != nil {
			return errors.Join(ErrLeaves, err)
		}
	}
	return nil
}

// keepLeaf keeps a leaf of a case. A proof under a smaller size says more, and stays.
func (a *applying) keepLeaf(one *LeafAsk, origin string, l *Leaf) error {
	proof, err := json.Marshal(evidence.ProofTexts(l.Proof))
	if err != nil {
		return err
	}
	if _, err := a.exec(`INSERT INTO log_leaf(origin, n, size, leaf, proof) VALUES(?,?,?,?,?) ON CONFLICT(origin, n) DO UPDATE SET
 proof = CASE WHEN excluded.size < log_leaf.size THEN excluded.proof ELSE log_leaf.proof END, size = CASE WHEN excluded.size < log_leaf.size THEN excluded.size ELSE log_leaf.size END`,
		origin, l.N, l.Size, string(l.Bytes), string(proof)); err != nil {
		return err
	}
	if _, err := a.exec(`INSERT INTO case_leaf(case_id, origin, n) VALUES(?,?,?) ON CONFLICT DO NOTHING`, one.CaseID, origin, l.N); err != nil {
		return err
	}
	leaf, err := evidence.ParseLeaf(l.Bytes)
	if err != nil || leaf.Type != evidence.LeafCase {
		return err
	}
	_, err = a.exec(`DELETE FROM leaf_ask WHERE terminal = ? AND event = ?`, one.Terminal, leaf.D.Get("id").Text)
	return err
}

// AskFor has the terminals of a case asked for all its leaves now. The answer is there once Asked
// returns nothing that waits.
func (s *Store) AskFor(ctx context.Context, now time.Time, no, mark string) error {
	_, err := s.change(ctx, func(a *applying) error {
		_, err := a.exec(`INSERT INTO leaf_ask(terminal, case_id, event, asked, due, taken, answer)
 SELECT DISTINCT e.terminal, e.case_id, CAST(? AS TEXT), CAST(? AS BIGINT), 1, 0, '' FROM event e JOIN work_refund w ON w.refund = e.case_id
 WHERE w.case_no = ? AND e.kind = 'case' AND EXISTS(SELECT 1 FROM log l WHERE l.terminal = e.terminal)`, mark, millis(now), no)
		return err
	})
	return err
}

// Asked returns how many of the asks under a mark wait, and what the others came to, by terminal. With
// over they are taken back.
func (s *Store) Asked(ctx context.Context, mark string, over bool) (waiting int, answers map[string]string, err error) {
	answers = map[string]string{}
	read := func(t *tx) error {
		waiting = 0
		return t.rows(`SELECT terminal, due, answer FROM leaf_ask WHERE event = ?`, []any{mark}, func(r *sql.Rows) error {
			var terminal, answer string
			var due int
			err := r.Scan(&terminal, &due, &answer)
			if due > 0 {
				waiting++
				answer = "no_answer"
			}
			answers[terminal] = answer
			return err
		})
	}
	if !over {
		return waiting, answers, s.read(ctx, read)
	}
	_, err = s.change(ctx, func(a *applying) error {
		if err := read(a.tx); err != nil {
			return err
		}
		_, err := a.exec(`DELETE FROM leaf_ask WHERE event = ?`, mark)
		return err
	})
	return waiting, answers, err
}
