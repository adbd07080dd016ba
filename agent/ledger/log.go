package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/ledger/tree"
	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
)

// The evidence log (evidence.md § 1). What is logged becomes a leaf in the transaction that stores
// it. A record's leaf is in the record's own row, so that a sale writes no page more; the others
// are rows of the table leaf. Of the tree the right edge alone is in memory (package tree).

// What column ref of the table leaf has where it is not the seq of a refund.
const (
	refNone   = 0 // NULL
	refNote   = -1
	refAnchor = -2
	refHold   = -1000 // and below: an ask (holdRef)
)

// evidenceLog is the log as committed. It belongs to the writer.
type evidenceLog struct {
	origin string           // "": the store has none
	signer *evidence.Signer // by the name of origin; nil: the store is only read
	after  int64            // the newest record that is of an earlier log, or of none
	edge   *tree.Edge       // nil: to be loaded
	hashed bool             // a transaction has changed edge
	room   []byte           // of leaves
	data   []byte           // of d of a leaf
	filed  time.Time        // when the newest co-signed note was written beside the database
}

// leaving is what one transaction has logged.
type leaving struct {
	at     time.Time // of its leaves
	any    bool      // a leaf that a checkpoint is made for
	urgent bool      // one that a checkpoint is made for soon
	record int64     // whose leaf is the newest of a record; 0: none yet
}

// logs reports whether what this transaction stores is logged.
func (t *tx) logs() bool { return t.d.log.origin != "" }

// leafTime is the terminal's clock at the commit, in ms.
func (t *tx) leafTime() time.Time {
	if t.left.at.IsZero() {
		t.left.at = t.d.o.Now().UTC().Truncate(time.Millisecond)
	}
	return t.left.at
}

// edge returns the right edge of the tree, made again from the rows where a transaction before has
// failed.
func (t *tx) edge() (*tree.Edge, error) {
	l := &t.d.log
	if l.edge == nil {
		e, err := loadEdge(t.c, l.after)
		if err != nil {
			return nil, err
		}
		l.edge = e
	}
	return l.edge, nil
}

// addLeaf puts a leaf together around d and adds it to the tree. It returns the leaf, which is good
// until the next one, its number and its hash.
func (t *tx) addLeaf(kind string, d []byte) (leaf []byte, n int64, hash tree.Hash, err error) {
	l := &t.d.log
	e, err := t.edge()
	if err != nil {
		return nil, 0, hash, err
	}
	n = e.Size()
	l.room = evidence.AppendLeaf(append(l.room[:0], 0), n, t.leafTime(), kind, d) // hashed behind a 0 byte
	hash = sha256.Sum256(l.room)
	l.hashed = true
	switch kind {
	case evidence.LeafAnchor:
	case evidence.LeafCase, evidence.LeafHold:
		t.left.any, t.left.urgent = true, true
	default:
		t.left.any = true
	}
	return l.room[1:], n, hash, e.Append(hash, t.putTile)
}

func (t *tx) putTile(level int, index int64, tile *tree.Tile) error {
	return t.c.Do(`INSERT INTO tile(id, hashes) VALUES(?1, ?2)`, tree.ID(level, index), tile.Bytes())
}

// fitsLeaf reports whether d is not too long for a leaf; one that is is logged as a line, because
// no program would read it.
func (t *tx) fitsLeaf(kind string, d []byte) bool {
	if len(d)+leafAround <= evidence.MaxLeaf {
		return true
	}
	t.d.o.Log.LogAttrs(context.Background(), slog.LevelError, "log.leaf_too_long", slog.String("kind", kind), slog.Int("bytes", len(d)))
	return false
}

// leafAround is more than a leaf has around d.
const leafAround = 128

// logRecord logs a sighting and returns what its row has of the leaf; nil without a log.
func (t *tx) logRecord(row *rows.Record, link string) ([]byte, error) {
	if !t.logs() {
		return nil, nil
	}
	l := &t.d.log
	l.data = appendRecordData(l.data[:0], row, link)
	if !t.fitsLeaf(evidence.LeafRecord, l.data) {
		return nil, nil
	}
	_, n, hash, err := t.addLeaf(evidence.LeafRecord, l.data)
	if err != nil {
		return nil, err
	}
	t.left.record = row.Seq
	return rows.AppendLeaf(nil, rows.Leaf{N: n, At: t.leafTime().UnixMilli() - row.Received, Hash: hash}), nil
}

// appendRecordData writes d of the leaf of a sighting from what its row has.
func appendRecordData(b []byte, row *rows.Record, link string) []byte {
	d := evidence.RecordData{Seq: row.Seq, CopyOf: row.CopyOf, Link: link, Received: stamp(row.Received),
		Synced: row.Flags&rows.Synced != 0, Timed: row.Flags&rows.AtClock != 0, FrameMAC: rows.UnpackMAC(row.MAC), Record: row.Body}
	return d.Append(b)
}

// logLeaf logs what has a row of its own. ref: see refNone.
func (t *tx) logLeaf(kind string, ref int64, d []byte) error {
	if !t.logs() || !t.fitsLeaf(kind, d) {
		return nil
	}
	leaf, n, hash, err := t.addLeaf(kind, d)
	if err != nil {
		return err
	}
	return t.putLeaf(n, ref, hash, leaf)
}

// putLeaf writes a row of the table leaf. Most of those about a refund come in its own transaction and lie
// behind its leaf: they need no entry in the index.
func (t *tx) putLeaf(n, ref int64, hash tree.Hash, leaf []byte) error {
	stored, err := t.c.stored(leaf)
	if err != nil {
		return err
	}
	apart := sqlite.NonZeroInt(0)
	if ref != refNone && ref != t.left.record {
		apart = 1
	}
	return t.c.Do(`INSERT INTO leaf(n, ref, apart, hash, body) VALUES(?1, ?2, ?3, ?4, ?5)`, n, sqlite.NonZeroInt(ref), apart, hash[:], stored)
}

// logVerdict logs a verdict that is released.
func (t *tx) logVerdict(j *refund.Judged) error {
	if !t.logs() {
		return nil
	}
	t.h.body = j.Verdict.AppendJSON(t.h.body[:0])
	d := evidence.VerdictData{Verdict: t.h.body, RuleSet: j.Explain.RuleSet, Settings: j.Explain.Settings}
	t.d.log.data = d.Append(t.d.log.data[:0])
	return t.logLeaf(evidence.LeafVerdict, j.Verdict.Seq, t.d.log.data)
}

// logCase logs a case event that has got its sequence.
func (t *tx) logCase(sequence int64, caseID string, n *refund.Notice) error {
	if !t.logs() {
		return nil
	}
	ref := int64(refNone)
	if caseID != "" {
		var err error
		if ref, _, err = t.c.Int(`SELECT seq FROM cases WHERE case_id = ?1`, caseID); err != nil {
			return err
		}
	}
	d := evidence.CaseData{ID: n.ID, Sequence: fmt.Sprintf("%020d", sequence), Type: n.Type, Subject: n.Subject, Time: stampOf(n.Time), Data: n.Data}
	t.d.log.data = d.Append(t.d.log.data[:0])
	return t.logLeaf(evidence.LeafCase, ref, t.d.log.data)
}

// logPutBack logs a case event that was put back by hand under a new sequence.
func (t *tx) logPutBack(sequence int64) error {
	var n refund.Notice
	caseID := ""
	_, err := t.c.First(`SELECT `+rows.EntryColumns+` FROM outbox WHERE entry = ?1`, func(r *sqlite.Row) (err error) {
		caseID = r.Text(1)
		n, err = rows.ScanEntry(r, t.d.Stream())
		return err
	}, sequence)
	if err != nil {
		return err
	}
	return t.logCase(sequence, caseID, &n)
}

// logHold logs that a hold was opened or has ended, by the data of its event.
func (t *tx) logHold(k ask.Key, data []byte) error {
	if !t.logs() {
		return nil
	}
	return t.logLeaf(evidence.LeafHold, holdRef(k.Merchant, k.Terminal, k.ID), data)
}

// holdRef is what column ref has for the holds of an ask. Two asks may share it.
func holdRef(merchant, terminal, id string) int64 {
	sum := sha256.Sum256(joined("hold", merchant, terminal, id))
	v := int64(0)
	for _, b := range sum[:7] {
		v = v<<8 | int64(b)
	}
	return refHold - v
}

// logSettled logs that the acknowledged sequence has moved.
func (t *tx) logSettled(acked int64) error {
	if !t.logs() {
		return nil
	}
	t.d.log.data = evidence.AppendSettled(t.d.log.data[:0], t.d.Stream(), acked, t.d.queue.AckedBy())
	return t.logLeaf(evidence.LeafSettled, refNone, t.d.log.data)
}

// logGap logs the integrity line of a settlement.
func (t *tx) logGap(i *refund.Integrity) error {
	line, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return t.logNote("gap", line)
}

// logNote logs a note; members is an object with what follows "what", nil: nothing.
func (t *tx) logNote(what string, members []byte) error {
	if !t.logs() {
		return nil
	}
	b := evidence.AppendString(append(t.d.log.data[:0], `{"what":`...), what)
	if len(members) > 2 {
		b = append(append(b, ','), members[1:len(members)-1]...)
	}
	t.d.log.data = append(b, '}')
	ref := int64(refNote)
	if what == "start" || what == "stop" {
		ref = refNone
	}
	return t.logLeaf(evidence.LeafNote, ref, t.d.log.data)
}

// keepLeaf puts the leaf of a record's row into a row of its own, before that row changes.
func (t *tx) keepLeaf(seq int64) error {
	if !t.logs() || seq <= t.d.log.after {
		return nil
	}
	l, row, err := loadRecordLeaf(t.c, seq)
	if err != nil || l == nil {
		return err
	}
	kept, _, err := t.c.Int(`SELECT EXISTS(SELECT 1 FROM leaf WHERE n = ?1)`, l.N)
	if err != nil || kept != 0 {
		return err
	}
	return t.putLeaf(l.N, refNone, l.Hash, recordLeaf(l, row, t.linkName(row.Link)))
}

// recordLeaf puts the leaf of a record's row together.
func recordLeaf(l *rows.Leaf, row *rows.Record, link string) []byte {
	return evidence.AppendLeaf(nil, l.N, rows.Time(row.Received+l.At), evidence.LeafRecord, appendRecordData(nil, row, link))
}

// forgetLeaf keeps of the leaf of a record that retention removes the hash alone, and likewise of
// the leaves that are about it.
func (t *tx) forgetLeaf(seq int64) error {
	if !t.logs() || seq <= t.d.log.after {
		return nil
	}
	l, _, err := loadRecordLeaf(t.c, seq)
	if err != nil {
		return err
	}
	if l != nil {
		next, err := logRows{t.c, t.d.log.after}.nextLeaf(seq)
		if err == nil {
			err = t.c.Do(`UPDATE leaf SET body = NULL WHERE n > ?1 AND n < ?2 AND ref = ?3`, l.N, next, seq)
		}
		if err == nil {
			err = t.c.Do(`INSERT INTO leaf(n, hash) VALUES(?1, ?2) ON CONFLICT(n) DO UPDATE SET body = NULL`, l.N, l.Hash[:])
		}
		if err != nil {
			return err
		}
	}
	return t.c.Do(`UPDATE leaf SET body = NULL WHERE ref = ?1 AND apart IS NOT NULL`, seq)
}

// forgetLeaves keeps the hashes alone of the leaves before that of the oldest record that is still
// there, but for leaf 0 and those about a record, and logs up to which record the leaves are gone.
func (t *tx) forgetLeaves(removed int64) error {
	if !t.logs() || removed <= t.d.log.after {
		return nil
	}
	first, _, err := t.c.Int(`SELECT min(seq) FROM record WHERE seq > ?1`, t.d.log.after)
	if err != nil {
		return err
	}
	l, _, err := loadRecordLeaf(t.c, first)
	if err != nil {
		return err
	}
	if l != nil {
		from, err := metaInt(t.c, logForgottenName)
		if err != nil {
			return err
		}
		err = t.c.Do(`UPDATE leaf SET body = NULL WHERE n > ?1 AND n < ?2 AND (ref IS NULL OR ref < 0)`, from, l.N)
		if err == nil {
			err = setMetaInt(t.c, logForgottenName, l.N-1)
		}
		if err != nil {
			return err
		}
	}
	return t.logNote("retained", strconv.AppendInt([]byte(`{"seq":`), removed, 10))
}

// NoteLog logs a note (evidence.md § 1): start, stop, clock, lost, config. members is a JSON object
// of what follows "what", nil: nothing.
func (d *DB) NoteLog(ctx context.Context, what string, members []byte) error {
	return d.write(ctx, func(t *tx) error { return t.logNote(what, members) })
}

// loadRecordLeaf returns what the row of a record has of its leaf, and the row; nil: nothing.
func loadRecordLeaf(c *conn, seq int64) (*rows.Leaf, *rows.Record, error) {
	var l *rows.Leaf
	var row rows.Record
	_, err := c.First(`SELECT `+rows.RecordColumns+`, leaf FROM record WHERE seq = ?1 AND leaf IS NOT NULL`, func(r *sqlite.Row) (err error) {
		if row, err = rows.ScanRecord(r); err != nil {
			return err
		}
		one, err := rows.ParseLeaf(seq, r.View(13))
		l = &one
		return err
	}, seq)
	return l, &row, err
}
