package evidence

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
	"yuanlu/protocol/evidence/seal"
)

// addDesk adds the desk's note and the proofs of the journal's events in it.
func (w *work) addDesk() error {
	n, err := evidence.ParseNote(w.DeskNote)
	if err != nil || n.SignedBy(w.DeskKey) != nil {
		return fmt.Errorf("%w: the desk's note", ErrInput)
	}
	w.note = n
	w.add(pack.DeskNote, []byte(w.DeskNote))
	var b bytes.Buffer
	for i := range w.Journal {
		e := &w.Journal[i]
		if w.leavesOut(e) {
			continue
		}
		proof, err := w.DeskLog.Inclusion(w.Places[i], n.Size)
		if err != nil {
			return fmt.Errorf("%w: event %d in the desk's log: %w", ErrInput, e.Seq, err)
		}
		if err := evidence.CheckInclusion(proof, n.Size, n.Root, w.Places[i], evidence.LeafHash(e.Bytes())); err != nil {
			return fmt.Errorf("%w: event %d: %w", ErrInput, e.Seq, err)
		}
		b.Write(row("seq", e.Seq, "n", w.Places[i], "proof", proofOf(proof)))
	}
	w.add(pack.Proofs, b.Bytes())
	return nil
}

// addTerminals adds checkpoints and leaves of the terminals' logs, and the proofs that the
// desk's log has their notes and continues what is anchored in them.
func (w *work) addTerminals() error {
	slices.SortFunc(w.Logs, func(a, b Log) int { return cmp.Compare(a.Key.Name, b.Key.Name) })
	var points, notes, leaves, anchors bytes.Buffer
	for i := range w.Logs {
		l := &w.Logs[i]
		from := int64(0)
		for _, c := range l.Checkpoints {
			n, err := evidence.ParseNote(c.Note)
			if err != nil || n.Origin != l.Key.Name || n.Size <= from {
				return fmt.Errorf("%w: a checkpoint of log %s", ErrInput, l.Key.Name)
			}
			points.Write(row("origin", n.Origin, "size", n.Size, "note", c.Note, "from", from, "proof", proofOf(c.Proof)))
			proof, err := w.DeskLog.Inclusion(c.N, w.note.Size)
			if err != nil {
				return fmt.Errorf("%w: checkpoint %d of log %s in the desk's log: %w", ErrInput, n.Size, n.Origin, err)
			}
			notes.Write(row("origin", n.Origin, "size", n.Size, "n", c.N, "proof", proofOf(proof)))
			from = n.Size
		}
		for _, one := range l.Leaves {
			leaves.Write(row("origin", l.Key.Name, "n", one.N, "size", one.Size, "leaf", string(one.Bytes), "proof", proofOf(one.Proof)))
			if err := w.addAnchor(&anchors, l, &one); err != nil {
				return err
			}
		}
	}
	w.add(pack.Notes, notes.Bytes())
	w.add(pack.Anchors, anchors.Bytes())
	if points.Len() > 0 {
		w.add(pack.Checkpoints, points.Bytes())
		w.add(pack.Leaves, leaves.Bytes())
	}
	return nil
}

func (w *work) addAnchor(anchors *bytes.Buffer, l *Log, one *Leaf) error {
	leaf, err := evidence.ParseLeaf(one.Bytes)
	if err != nil {
		return fmt.Errorf("%w: leaf %d of log %s: %w", ErrInput, one.N, l.Key.Name, err)
	}
	if leaf.Type != evidence.LeafAnchor {
		return nil
	}
	n, err := evidence.ParseNote(leaf.D.Get("desk").Text)
	if err != nil || n.Origin != w.DeskKey.Name {
		return nil // an anchor of another log counts for nothing
	}
	proof, err := w.DeskLog.Consistency(n.Size, w.note.Size)
	if err != nil {
		return fmt.Errorf("%w: leaf %d of log %s anchors what the desk's log does not continue: %w", ErrInput, one.N, l.Key.Name, err)
	}
	anchors.Write(row("origin", l.Key.Name, "n", one.N, "proof", proofOf(proof)))
	return nil
}

// addStamps adds, of each event and each checkpoint, the first stamped note that holds it.
func (w *work) addStamps() error {
	type stamped struct {
		Stamp
		size int64
	}
	var all []stamped
	for _, s := range w.Stamps {
		n, err := evidence.ParseNote(s.Note)
		if err != nil || n.SignedBy(w.DeskKey) != nil || n.Size > w.note.Size {
			continue // of a log before, or newer than the pack
		}
		if _, err := seal.CheckStamp(s.Token, []byte(s.Note)); err != nil {
			return fmt.Errorf("stamp of the desk's note of %d: %w", n.Size, err)
		}
		all = append(all, stamped{s, n.Size})
	}
	slices.SortStableFunc(all, func(a, b stamped) int { return cmp.Compare(a.size, b.size) })
	places := slices.Clone(w.Places)
	for _, l := range w.Logs {
		for _, c := range l.Checkpoints {
			places = append(places, c.N)
		}
	}
	var b bytes.Buffer
	from := int64(0)
	for _, s := range all {
		if !slices.ContainsFunc(places, func(n int64) bool { return n >= from && n < s.size }) {
			continue
		}
		proof, err := w.DeskLog.Consistency(s.size, w.note.Size)
		if err != nil {
			return fmt.Errorf("%w: stamp of %d: %w", ErrInput, s.size, err)
		}
		b.Write(row("note", s.Note, "tst", base64.StdEncoding.EncodeToString(s.Token), "proof", proofOf(proof)))
		from = s.size
	}
	w.add(pack.Stamps, b.Bytes())
	return nil
}
