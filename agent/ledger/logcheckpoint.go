package ledger

import (
	"context"
	"sync"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/ledger/tree"
	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
)

// view is the log at one moment, for reading beside the writer.
type view struct {
	origin string
	signer *evidence.Signer
	after  int64
	edge   tree.Edge
	newest string // the newest co-signed note, "": none
}

// viewLog returns the log as it is. ErrNoLog.
func (d *DB) viewLog(ctx context.Context) (v *view, err error) {
	if d.readOnly {
		err = d.read(ctx, func(c *conn) (err error) { v, err = viewOf(c); return err })
		return v, err
	}
	err = d.withWriter(ctx, func(c *conn) error {
		l := &d.log
		if l.origin == "" {
			return ErrNoLog
		}
		if l.edge == nil {
			if l.edge, err = loadEdge(c, l.after); err != nil {
				return d.failedWith(err)
			}
		}
		newest, err := metaText(c, logCosignedName)
		v = &view{l.origin, l.signer, l.after, *l.edge, newest}
		return err
	})
	return v, err
}

// viewOf is viewLog for a connection that only reads.
func viewOf(c *conn) (*view, error) {
	v := &view{}
	if version, err := c.version(); err != nil || version < logVersion {
		return nil, errorOr(err, ErrNoLog)
	}
	var err error
	if v.origin, err = metaText(c, logOriginName); err != nil || v.origin == "" {
		return nil, errorOr(err, ErrNoLog)
	}
	if v.after, err = metaInt(c, logAfterName); err != nil {
		return nil, err
	}
	if v.newest, err = metaText(c, logCosignedName); err != nil {
		return nil, err
	}
	e, err := loadEdge(c, v.after)
	if err != nil {
		return nil, err
	}
	v.edge = *e
	return v, nil
}

func errorOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// reader returns what proves the log of the view, on a connection.
func (v *view) reader(c *conn) *tree.Reader { return v.edge.Reader(logRows{c, v.after}) }

// newestSize returns the size of the newest co-signed note, 0: there is none.
func (v *view) newestSize() (int64, error) {
	if v.newest == "" {
		return 0, nil
	}
	n, err := evidence.ParseNote(v.newest)
	if err != nil {
		return 0, rows.Damaged("meta", 0, logCosignedName+" is not readable")
	}
	return n.Size, nil
}

// checkpointDue is when the next checkpoint is made.
type checkpointDue struct {
	mu       sync.Mutex // guards the rest
	schedule evidence.Schedule
}

// leaves notes the durable leaves of one transaction.
func (c *checkpointDue) leaves(l *leaving, now func() time.Time) {
	if !l.any {
		return
	}
	kind := evidence.LeafNote
	if l.urgent {
		kind = evidence.LeafCase
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schedule.Leaf(kind, now())
}

func (c *checkpointDue) made(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schedule.Made(now)
}

// CheckpointDue returns how long it is until the next checkpoint is to be made (evidence.md § 2);
// false: none is.
func (d *DB) CheckpointDue() (time.Duration, bool) {
	d.due.mu.Lock()
	defer d.due.mu.Unlock()
	at, ok := d.due.schedule.Due()
	return at.Sub(d.o.Now()), ok
}

// Checkpoint returns the message for up/checkpoint about the first size leaves, 0: all that are
// durable, with the proof that they continue the newest co-signed checkpoint (evidence.md § 2).
// evidence.ErrProof: this log has fewer, or more of it is co-signed; ErrNoLog.
func (d *DB) Checkpoint(ctx context.Context, size int64) (*evidence.Announcement, error) {
	if d.readOnly {
		return nil, ErrReadOnly
	}
	now := d.o.Now()
	v, err := d.viewLog(ctx)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		size = v.edge.Size()
		d.due.made(now)
	}
	var a *evidence.Announcement
	err = d.read(ctx, func(c *conn) error {
		r := v.reader(c)
		root, err := r.Root(size)
		if err != nil {
			return err
		}
		note, err := v.signer.Sign(evidence.Checkpoint{Origin: v.origin, Size: size, Root: root})
		if err != nil {
			return err
		}
		is := &evidence.Announcement{Key: v.signer.Key(evidence.KeyLog), Note: note}
		if is.From, err = v.newestSize(); err != nil {
			return err
		}
		if is.Proof, err = r.Consistency(is.From, size); err != nil {
			return err
		}
		a = is
		if is.From > 0 {
			return nil
		}
		is.Start = &evidence.Start{}
		if is.Start.Proof, err = r.Inclusion(0, size); err != nil {
			return err
		}
		is.Start.Leaf, err = logRows{c, v.after}.whole(0, nil)
		return err
	})
	return a, err
}

// fileAgain is how often at most the newest co-signed note is written beside the database.
const fileAgain = 10 * time.Minute

// Cosigned takes what came on dn/cosign: the newest note of this log that the desk co-signed, "":
// none, and the desk's own newest note, "": none. cosigner nil: any co-signer is believed. It
// returns what the note means (evidence.md § 2, The terminal), and its size. A note that contradicts
// the log begins a new one.
func (d *DB) Cosigned(ctx context.Context, origin, checkpoint, desk string, cosigner *evidence.Key) (is evidence.Answered, size int64, err error) {
	if d.readOnly {
		return evidence.Ignored, 0, ErrReadOnly
	}
	err = d.withWriter(ctx, func(c *conn) error {
		l := &d.log
		if l.origin == "" || origin != l.origin {
			return nil
		}
		if is, size, err = d.answered(c, checkpoint, cosigner); err != nil {
			return d.failedWith(err)
		}
		if is == evidence.Contradicted {
			return d.restartLog(logContradicted, checkpoint)
		}
		if is == evidence.Base {
			if err := d.keepCosigned(checkpoint, size); err != nil {
				return err
			}
		}
		return d.anchor(desk, cosigner)
	})
	return is, size, err
}

// answered judges a note by the log.
func (d *DB) answered(c *conn, note string, cosigner *evidence.Key) (evidence.Answered, int64, error) {
	l := &d.log
	if l.edge == nil {
		e, err := loadEdge(c, l.after)
		if err != nil {
			return evidence.Ignored, 0, err
		}
		l.edge = e
	}
	return evidence.CheckAnswer(note, l.signer.Key(evidence.KeyLog), cosigner, l.edge.Size(), func(size int64) (tree.Hash, error) {
		return l.edge.Reader(logRows{c, l.after}).Root(size)
	})
}

// contradictedBy reports whether the note that is kept beside the database proves that the store was
// put back: it is of this log and does not fit, or it is of another log with this key. The file goes
// before a log with the same key begins, so that it cannot be of an earlier one.
func (d *DB) contradictedBy(note string) (bool, error) {
	n, err := evidence.ParseNote(note)
	if err != nil {
		return false, nil // torn, or not ours: it proves nothing, and is written again
	}
	if n.Origin == d.log.origin {
		is, _, err := d.answered(d.w, note, nil)
		return is == evidence.Contradicted, err
	}
	key := d.log.signer.Key(evidence.KeyLog)
	key.Name = n.Origin
	return n.SignedBy(key) == nil, nil
}

// mostCosigned bounds the co-signed notes that are kept, the newest: each may be asked for.
const mostCosigned = 5000

// keepCosigned keeps a co-signed note, unless a newer one is kept.
func (d *DB) keepCosigned(note string, size int64) error {
	newest, err := metaText(d.w, logCosignedName)
	if err != nil {
		return d.failedWith(err)
	}
	v := view{newest: newest}
	have, err := v.newestSize()
	if err != nil {
		return d.failedWith(err)
	}
	if size < have || newest == note {
		return nil
	}
	err = d.transact(func(t *tx) error {
		if err := t.c.Do(`INSERT OR REPLACE INTO cosigned(size, note) VALUES(?1, ?2)`, size, []byte(note)); err != nil {
			return err
		}
		if err := t.c.Do(`DELETE FROM cosigned WHERE size <= (SELECT size FROM cosigned ORDER BY size DESC LIMIT 1 OFFSET ?1)`, mostCosigned); err != nil {
			return err
		}
		return setMeta(t.c, logCosignedName, note)
	})
	now := d.o.Now()
	if since := now.Sub(d.log.filed); err != nil || !d.log.filed.IsZero() && since >= 0 && since < fileAgain {
		return err
	}
	d.log.filed = now
	return classOf(writeFile(d.cosignedFile(), []byte(note)))
}

// anchorAgain is how often at most a larger note of the desk is anchored.
const anchorAgain = time.Hour

// anchor logs the desk's own newest note (evidence.md § 4): one that is larger than the last, at
// most once an hour; one that contradicts the last at once, with an event.
func (d *DB) anchor(desk string, cosigner *evidence.Key) error {
	n, err := evidence.ParseNote(desk)
	if err != nil {
		return nil // absent, or not of the form: there is nothing to anchor
	}
	name, isDesk := evidence.DeskOf(n.Origin)
	if !isDesk || len(n.Lines) != 1 {
		return nil
	}
	if cosigner != nil && (name != cosigner.Name || n.SignedBy(evidence.Key{Name: n.Origin, Type: evidence.KeyLog, Public: cosigner.Public}) != nil) {
		return nil
	}
	last, err := metaText(d.w, logAnchorName)
	if err != nil {
		return d.failedWith(err)
	}
	anchored, err := metaInt(d.w, logAnchoredName)
	if err != nil {
		return d.failedWith(err)
	}
	now := d.o.Now()
	since := now.Sub(rows.Time(anchored))
	soon := anchored != 0 && since >= 0 && since < anchorAgain
	forked := false
	if was, err := evidence.ParseNote(last); err == nil && was.Origin == n.Origin {
		if was.Checkpoint == n.Checkpoint {
			return nil
		}
		forked = n.Size <= was.Size
	}
	if soon && !forked {
		return nil
	}
	return d.transact(func(t *tx) error {
		if err := t.logLeaf(evidence.LeafAnchor, refAnchor, evidence.AppendAnchor(nil, desk)); err != nil {
			return err
		}
		if err := setMeta(t.c, logAnchorName, desk); err != nil {
			return err
		}
		if err := setMetaInt(t.c, logAnchoredName, rows.Millis(now)); err != nil || !forked {
			return err
		}
		data, err := outbox.Marshal(map[string]any{"before": last, "desk": desk})
		if err != nil {
			return err
		}
		return t.out.QueueEvent(refund.Notice{Type: "desk.log_forked", Subject: "desk", Time: now, ClockSynced: t.n.synced, Data: data})
	})
}

// LogState is what of the evidence log is shown.
type LogState struct {
	Origin       string
	Key          evidence.Key
	Size         int64
	Cosigned     int64     // size of the newest co-signed checkpoint, 0: none
	CosignedAt   time.Time // when the co-signature was made, as it says; zero: none
	CosignerName string    // its signer's, "": none
}

// LogState returns it. ErrNoLog.
func (d *DB) LogState(ctx context.Context) (s LogState, err error) {
	v, err := d.viewLog(ctx)
	if err != nil {
		return s, err
	}
	s = LogState{Origin: v.origin, Size: v.edge.Size()}
	err = d.read(ctx, func(c *conn) error {
		vkey, err := metaText(c, logKeyName)
		if err != nil {
			return err
		}
		if s.Key, err = evidence.ParseKey(vkey, evidence.KeyLog); err != nil {
			return rows.Damaged("meta", 0, logKeyName+" is not readable")
		}
		return nil
	})
	if err != nil || v.newest == "" {
		return s, err
	}
	n, err := evidence.ParseNote(v.newest)
	if err != nil {
		return s, rows.Damaged("meta", 0, logCosignedName+" is not readable")
	}
	s.Cosigned, s.CosignerName, s.CosignedAt = n.Size, n.Lines[1].Name, n.CosignTime()
	return s, nil
}

// cosignedNotes returns the co-signed notes of these sizes, rising; ok is false where one is not
// kept.
func cosignedNotes(c *conn, sizes []int64) (notes []string, ok bool, err error) {
	for _, size := range sizes {
		found, err := c.First(`SELECT note FROM cosigned WHERE size = ?1`, func(r *sqlite.Row) error {
			notes = append(notes, r.Text(0))
			return nil
		}, size)
		if err != nil || !found {
			return nil, false, err
		}
	}
	return notes, true, nil
}
