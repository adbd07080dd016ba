package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"yuanlu/protocol/evidence"
)

// ErrKey is the class of errors about a desk whose own log is that of another co-signing key.
var ErrKey = errors.New("store: the desk's log is of another co-signing key")

// ownLog is the desk's own log (evidence.md § 4) in a transaction. What is appended is in fresh
// until it is written.
type ownLog struct {
	t      *tx
	id     int64 // 0: there is none
	origin string
	vkey   string
	size   int64
	saved  int64 // of size: what is in the table
	fresh  map[int64][]evidence.Hash
}

// ownLog reads which log is current, once in a transaction.
func (a *applying) ownLog() (*ownLog, error) {
	if a.own != nil {
		return a.own, nil
	}
	own, err := a.currentLog()
	a.own = own
	return own, err
}

func (t *tx) currentLog() (*ownLog, error) {
	l := &ownLog{t: t, fresh: map[int64][]evidence.Hash{}}
	_, err := t.row(`SELECT id, origin, vkey, size FROM desk_log WHERE ended = 0 ORDER BY id DESC LIMIT 1`, nil, &l.id, &l.origin, &l.vkey, &l.size)
	l.saved = l.size
	return l, err
}

// append adds a leaf and returns its place; -1 where there is no log.
func (l *ownLog) append(leaf []byte) (int64, error) {
	if l.id == 0 {
		return -1, nil
	}
	hashes, err := tlog.StoredHashes(l.size, leaf, l)
	if err != nil {
		return 0, err
	}
	l.fresh[l.size] = hashes
	l.size++
	return l.size - 1, nil
}

// ReadHashes returns stored hashes by their index, as tlog wants them. Those of a leaf, its own and
// those of the subtrees that it completes, stand together.
func (l *ownLog) ReadHashes(indexes []int64) ([]evidence.Hash, error) {
	out := make([]evidence.Hash, len(indexes))
	missing := map[int64]bool{}
	for _, x := range indexes {
		if n, _ := leafOf(x); l.fresh[n] == nil {
			missing[n] = true
		}
	}
	stored, err := l.stored(missing)
	if err != nil {
		return nil, err
	}
	for i, x := range indexes {
		n, level := leafOf(x)
		hashes := l.fresh[n]
		if hashes == nil {
			hashes = stored[n]
		}
		if level >= len(hashes) {
			return nil, fmt.Errorf("%w: leaf %d of the desk's log has no hash of level %d", ErrUnavailable, n, level)
		}
		out[i] = hashes[level]
	}
	return out, nil
}

// leafOf returns which leaf a stored hash stands with, and at which level.
func leafOf(index int64) (n int64, level int) {
	level, k := tlog.SplitStoredHashIndex(index)
	return (k+1)<<level - 1, level
}

// stored reads the hashes that stand with leaves.
func (l *ownLog) stored(leaves map[int64]bool) (map[int64][]evidence.Hash, error) {
	out := map[int64][]evidence.Hash{}
	if len(leaves) == 0 {
		return out, nil
	}
	var list []string
	for n := range leaves {
		list = append(list, strconv.FormatInt(n, 10))
	}
	err := l.t.rows(`SELECT n, hashes FROM desk_leaf WHERE log = ? AND n IN (`+strings.Join(list, ",")+`)`, []any{l.id}, func(r *sql.Rows) error {
		var n int64
		var text string
		if err := r.Scan(&n, &text); err != nil {
			return err
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		for len(raw) >= len(evidence.Hash{}) {
			out[n] = append(out[n], evidence.Hash(raw))
			raw = raw[len(evidence.Hash{}):]
		}
		return err
	})
	return out, err
}

// save writes what was appended.
func (l *ownLog) save() error {
	if l == nil || l.size == l.saved {
		return nil
	}
	for n := l.saved; n < l.size; n++ {
		var raw bytes.Buffer
		for _, h := range l.fresh[n] {
			raw.Write(h[:])
		}
		if _, err := l.t.exec(`INSERT INTO desk_leaf(log, n, hashes) VALUES(?,?,?)`, l.id, n, base64.StdEncoding.EncodeToString(raw.Bytes())); err != nil {
			return err
		}
		delete(l.fresh, n)
	}
	l.saved = l.size
	_, err := l.t.exec(`UPDATE desk_log SET size = ? WHERE id = ?`, l.size, l.id)
	return err
}

// root is that of the first size leaves.
func (l *ownLog) root(size int64) (evidence.Hash, error) { return tlog.TreeHash(size, l) }

// note signs the log as it is at the end of this transaction; "" where it is empty. It may leave
// the process only after the commit. ErrKey.
func (l *ownLog) note(s *evidence.Signer) (string, error) {
	if l.id == 0 || l.size == 0 {
		return "", nil
	}
	signer, err := l.signer(s)
	if err != nil {
		return "", err
	}
	root, err := l.root(l.size)
	if err != nil {
		return "", err
	}
	n, err := signer.Sign(evidence.Checkpoint{Origin: l.origin, Size: l.size, Root: root})
	if err != nil {
		return "", err
	}
	return n.String(), nil
}

// signer is the co-signing key under the name of this log.
func (l *ownLog) signer(s *evidence.Signer) (*evidence.Signer, error) {
	named, err := s.Named(l.origin)
	if err != nil {
		return nil, err
	}
	if l.id == 0 || named.Key(evidence.KeyLog).String() != l.vkey {
		return nil, ErrKey
	}
	return named, nil
}

// SetCosigner sets the key by which checkpoints of terminals are co-signed. A desk
// that has no log, or one of another key, begins one, which takes in all events and notes
// (evidence.md § 4). begun: it did.
func (s *Store) SetCosigner(ctx context.Context, now time.Time, key *evidence.Signer) (begun bool, err error) {
	_, err = s.change(ctx, func(a *applying) error {
		own, err := a.ownLog()
		if err != nil {
			return err
		}
		if _, err := own.signer(key); own.id != 0 && err == nil {
			return nil
		}
		begun = true
		return a.beginLog(key, now)
	})
	if err == nil {
		s.signer = key
	}
	return begun, err
}

// RestartLog begins a new log of the desk, as `evidence restart` does. It returns its origin.
func (s *Store) RestartLog(ctx context.Context, now time.Time, key *evidence.Signer) (origin string, err error) {
	_, err = s.change(ctx, func(a *applying) error {
		if err := a.beginLog(key, now); err != nil {
			return err
		}
		origin = a.own.origin
		return nil
	})
	return origin, err
}

// crockford writes 16 bytes as the last part of an origin: 26 characters.
func crockford(b []byte) string {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding).EncodeToString(b)
}

// beginLog ends the current log and begins another one, with all events and notes.
func (a *applying) beginLog(key *evidence.Signer, now time.Time) error {
	var last int64
	if _, err := a.row(`SELECT CAST(coalesce(max(id), 0) AS BIGINT) FROM desk_log`, nil, &last); err != nil {
		return err
	}
	if _, err := a.exec(`UPDATE desk_log SET ended = ? WHERE ended = 0`, max(1, millis(now))); err != nil {
		return err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	l := &ownLog{t: a.tx, id: last + 1, origin: key.String() + "/" + crockford(random), fresh: map[int64][]evidence.Hash{}}
	named, err := key.Named(l.origin)
	if err != nil {
		return err
	}
	l.vkey = named.Key(evidence.KeyLog).String()
	if _, err := a.exec(`INSERT INTO desk_log(id, origin, vkey, cosigner, begun, ended, size) VALUES(?,?,?,?,?,0,0)`, l.id, l.origin, l.vkey,
		key.Key(evidence.KeyCosign).String(), millis(now)); err != nil {
		return err
	}
	a.own = l
	if err := a.cosignAgain(key, now); err != nil {
		return err
	}
	return errors.Join(a.takeIn(`SELECT n, body FROM work_event WHERE n > ? ORDER BY n LIMIT 1000`, `UPDATE work_event SET place = ? WHERE n = ?`),
		a.takeIn(`SELECT n, note FROM log_note WHERE cosigned > 0 AND n > ? ORDER BY n LIMIT 1000`, `UPDATE log_note SET place = ? WHERE n = ?`),
		a.takeIn(`SELECT seq, event FROM export WHERE seq > 0 AND seq > ? ORDER BY seq LIMIT 1000`, `UPDATE export SET place = ? WHERE seq = ?`))
}

// takeIn appends what a query returns behind a number, and notes the places.
func (a *applying) takeIn(query, place string) error {
	type one struct {
		n    int64
		body string
	}
	for after, more := int64(-1), true; more; {
		var list []one
		if err := a.rows(query, []any{after}, func(r *sql.Rows) error {
			var o one
			err := r.Scan(&o.n, &o.body)
			list = append(list, o)
			return err
		}); err != nil {
			return err
		}
		more = len(list) > 0
		for _, o := range list {
			at, err := a.own.append([]byte(o.body))
			if err != nil {
				return err
			}
			if _, err := a.exec(place, at, o.n); err != nil {
				return err
			}
			after = o.n
		}
		if err := a.own.save(); err != nil {
			return err
		}
	}
	return nil
}

// cosignAgain has the newest note of each log co-signed by a new key: terminals that take no
// other key go on from there.
func (a *applying) cosignAgain(key *evidence.Signer, now time.Time) error {
	type one struct{ origin, root, note string }
	var list []one
	if err := a.rows(`SELECT o.origin, o.root, o.note FROM log l JOIN log_note o ON o.origin = l.origin AND o.size = l.size AND o.cosigned > 0`, nil, func(r *sql.Rows) error {
		var o one
		err := r.Scan(&o.origin, &o.root, &o.note)
		list = append(list, o)
		return err
	}); err != nil {
		return err
	}
	for _, o := range list {
		n, err := evidence.ParseNote(o.note)
		if err != nil || len(n.Lines) != 2 {
			return fmt.Errorf("%w: the newest note of %s", ErrUnavailable, o.origin)
		}
		if _, err := n.CosignedBy(key.Key(evidence.KeyCosign)); err == nil {
			continue
		}
		var before int64
		if _, err := a.row(`SELECT cosigned FROM log_note WHERE origin = ? AND size = ? AND root = ?`, []any{o.origin, n.Size, o.root}, &before); err != nil {
			return err
		}
		n.Lines = n.Lines[:1]
		at := max(now.Unix(), before)
		signed, err := key.Cosign(n, at)
		if err != nil {
			return err
		}
		if _, err := a.exec(`UPDATE log_note SET note = ?, cosigned = ? WHERE origin = ? AND size = ? AND root = ?`, signed.String(), at, o.origin, n.Size, o.root); err != nil {
			return err
		}
	}
	return nil
}

// forked begins a new log if an event desk.log_forked shows a note that this desk signed and does
// not have any more: its store was put back (evidence.md § 4). A terminal alone cannot cause it.
func (a *applying) forked(s *Store, payload []byte, now time.Time) error {
	own, err := a.ownLog()
	if err != nil || s.signer == nil || own.id == 0 {
		return err
	}
	named, err := own.signer(s.signer)
	if err != nil {
		return nil // another key's log: it is not ours to end
	}
	var e struct{ Data map[string]any }
	if json.Unmarshal(payload, &e) != nil {
		return nil
	}
	for _, member := range e.Data {
		text, _ := member.(string)
		n, err := evidence.ParseNote(text)
		if err != nil || n.SignedBy(named.Key(evidence.KeyLog)) != nil {
			continue
		}
		if n.Size <= own.size {
			root, err := own.root(n.Size)
			if err != nil {
				return err
			}
			if root == n.Root {
				continue
			}
		}
		a.answer.Forked = append(a.answer.Forked, own.origin)
		return a.beginLog(s.signer, now)
	}
	return nil
}

// saveLog writes what was appended to the desk's log, and signs it where terminals are answered.
func (a *applying) saveLog(s *Store) (err error) {
	if err := a.own.save(); err != nil {
		return err
	}
	if len(a.answer.Cosigned) > 0 {
		a.answer.DeskNote, err = a.own.note(s.signer)
	}
	return err
}

// OwnLeaves returns the leaves of the desk's current log whose bytes are still there, in order of
// their places; nil for one whose bytes retention has removed.
func (s *Store) OwnLeaves(ctx context.Context) (leaves [][]byte, err error) {
	err = s.read(ctx, func(t *tx) error {
		own, err := t.currentLog()
		if err != nil {
			return err
		}
		leaves = make([][]byte, own.size)
		return t.rows(`SELECT place, body FROM work_event WHERE place >= 0 UNION ALL SELECT place, note FROM log_note WHERE place >= 0
 UNION ALL SELECT place, event FROM export WHERE place >= 0`, nil, func(r *sql.Rows) error {
			var n int64
			var body string
			err := r.Scan(&n, &body)
			if n < own.size {
				leaves[n] = []byte(body)
			}
			return err
		})
	})
	return leaves, err
}
