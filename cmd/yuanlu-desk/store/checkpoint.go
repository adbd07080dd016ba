package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"yuanlu/cmd/yuanlu-desk/cosign"
	"yuanlu/protocol/evidence"
)

// mostLogs is how many logs of one terminal are known: far more than its stores, keys and
// salvages ever make.
const mostLogs = 1000

// Checkpoint is a message of up/checkpoint that has its form.
type Checkpoint struct {
	Terminal     string
	Announcement *evidence.Announcement
	Payload      []byte
	Received     time.Time
}

// Cosigned is what a terminal is answered on dn/cosign.
type Cosigned struct {
	Terminal string
	Answer   cosign.Answer
	New      bool // it was co-signed just now
}

// LogAlarm is an alarm about the logs of a terminal (evidence.md § 2).
type LogAlarm struct {
	N              int64     `json:"n"`
	Terminal       string    `json:"terminal"`
	Code           string    `json:"code"`
	Origin         string    `json:"origin"`
	Ours           string    `json:"ours"`
	Theirs         string    `json:"theirs"`
	Why            string    `json:"why,omitzero"`
	BeforeIsNewest bool      `json:"before_is_newest,omitzero"`
	Times          int64     `json:"times"`
	First          time.Time `json:"first"`
	Last           time.Time `json:"last"`
	Ended          time.Time `json:"ended,omitzero"`
	EndedBy        string    `json:"ended_by,omitzero"`
}

// checkpoint answers a checkpoint of a terminal (evidence.md § 2) and keeps what must be kept.
func (a *applying) checkpoint(s *Store, c *Checkpoint) error {
	own, err := a.ownLog()
	if err != nil || s.signer == nil {
		return err
	}
	if _, err := own.signer(s.signer); err != nil {
		a.answer.OtherKey = true
		return nil
	}
	k, full, err := a.known(c)
	if err != nil {
		return err
	}
	refuse := func(message string) error {
		return a.refusal(&Refusal{Terminal: c.Terminal, Topic: "up/checkpoint", Code: "checkpoint", Message: message, Payload: c.Payload, Received: c.Received})
	}
	if full {
		return refuse("this terminal has begun more logs than are kept")
	}
	answer, alarms, change, err := cosign.Decide(s.signer, max(1, c.Received.Unix()), c.Terminal, c.Announcement, k)
	if errors.Is(err, cosign.ErrRefused) {
		return refuse(err.Error())
	}
	if err != nil {
		return err
	}
	if err := a.keepNote(c, k, &change, own, s.signer.Key(evidence.KeyCosign)); err != nil {
		return err
	}
	for i := range alarms {
		if err := a.logAlarm(c, &alarms[i]); err != nil {
			return err
		}
	}
	if answer != nil {
		a.answer.Cosigned = append(a.answer.Cosigned, Cosigned{c.Terminal, *answer, change.Note != ""})
	}
	return nil
}

// known reads what is known of the log that a checkpoint is of. full: the log is new, and the terminal
// has begun too many.
func (a *applying) known(c *Checkpoint) (k *cosign.Known, full bool, err error) {
	k = &cosign.Known{}
	n := c.Announcement.Note
	if _, err := a.row(`SELECT terminal FROM log WHERE public_key = ? LIMIT 1`, []any{publicKey(c.Announcement.Key)}, &k.KeyOf); err != nil {
		return nil, false, err
	}
	if _, err := a.row(`SELECT l.origin, o.note FROM log l JOIN log_note o ON o.origin = l.origin AND o.size = l.size AND o.cosigned > 0 WHERE l.terminal = ? ORDER BY l.n DESC LIMIT 1`,
		[]any{c.Terminal}, &k.Newest, &k.NewestNote); err != nil {
		return nil, false, err
	}
	var vkey, note string
	var closed, at int64
	found, err := a.row(`SELECT l.vkey, l.closed, o.note, o.cosigned FROM log l JOIN log_note o ON o.origin = l.origin AND o.size = l.size AND o.cosigned > 0 WHERE l.origin = ?`,
		[]any{n.Origin}, &vkey, &closed, &note, &at)
	if err != nil {
		return nil, false, err
	}
	if !found {
		var logs int64
		_, err := a.row(`SELECT count(*) FROM log WHERE terminal = ?`, []any{c.Terminal}, &logs)
		return k, logs >= mostLogs, err
	}
	k.Log = &cosign.Log{Closed: closed > 0, At: at}
	if k.Log.Key, err = evidence.ParseKey(vkey, evidence.KeyLog); err != nil {
		return nil, false, err
	}
	if k.Log.Newest, err = evidence.ParseNote(note); err != nil {
		return nil, false, err
	}
	return k, false, a.rows(`SELECT root FROM log_note WHERE origin = ? AND size = ?`, []any{n.Origin, n.Size}, func(r *sql.Rows) error {
		var root string
		err := r.Scan(&root)
		k.Kept = k.Kept || root == rootText(n)
		k.Other = k.Other || root != rootText(n)
		return err
	})
}

func publicKey(k evidence.Key) string { return base64.StdEncoding.EncodeToString(k.Public) }

func rootText(n *evidence.Note) string { return base64.StdEncoding.EncodeToString(n.Root[:]) }

// keepNote keeps what a decision changes.
func (a *applying) keepNote(c *Checkpoint, k *cosign.Known, change *cosign.Change, own *ownLog, key evidence.Key) error {
	n, now := c.Announcement.Note, millis(c.Received)
	if change.Kept != "" {
		a.n++
		if _, err := a.exec(`INSERT INTO log_note(origin, size, root, n, received, cosigned, place, note) VALUES(?,?,?,?,?,0,-1,?)`, n.Origin, n.Size, rootText(n), a.n, now, change.Kept); err != nil {
			return err
		}
		if _, err := a.exec(`DELETE FROM log_note WHERE origin = ? AND cosigned = 0 AND n <= (SELECT n FROM log_note WHERE origin = ? AND cosigned = 0 ORDER BY n DESC LIMIT 1 OFFSET ?)`,
			n.Origin, n.Origin, cosign.MaxOthers); err != nil {
			return err
		}
	}
	if change.Closed {
		if _, err := a.exec(`UPDATE log SET closed = 1 WHERE origin = ?`, n.Origin); err != nil {
			return err
		}
	}
	if change.Note == "" {
		return nil
	}
	signed, err := evidence.ParseNote(change.Note)
	if err != nil {
		return err
	}
	at, err := signed.CosignedBy(key)
	if err != nil {
		return err
	}
	place, err := own.append([]byte(change.Note))
	if err != nil {
		return err
	}
	a.n++
	if k.Log == nil {
		if _, err := a.exec(`INSERT INTO log(origin, terminal, vkey, public_key, first_seen, trusted, closed, n, size, before) VALUES(?,?,?,?,?,'',0,?,0,0)`,
			n.Origin, c.Terminal, c.Announcement.Key.String(), publicKey(c.Announcement.Key), now, a.n); err != nil {
			return err
		}
	}
	if _, err := a.exec(`INSERT INTO log_note(origin, size, root, n, received, cosigned, place, note) VALUES(?,?,?,?,?,?,?,?)
 ON CONFLICT(origin, size, root) DO UPDATE SET n = excluded.n, cosigned = excluded.cosigned, place = excluded.place, note = excluded.note`,
		n.Origin, n.Size, rootText(n), a.n, now, at, place, change.Note); err != nil {
		return err
	}
	if _, err := a.exec(`UPDATE log SET before = size, size = ? WHERE origin = ?`, n.Size, n.Origin); err != nil {
		return err
	}
	if err := a.step(n.Origin, c.Announcement.From, n.Size, c.Announcement.Proof); err != nil {
		return err
	}
	if _, err := a.exec(`UPDATE log_alarm SET ended = ?, ended_by = 'system' WHERE terminal = ? AND ended = 0 AND code IN (?, ?)`, now, c.Terminal, cosign.RolledBack, cosign.NotExtended); err != nil {
		return err
	}
	_, err = a.exec(`UPDATE leaf_ask SET due = 1, taken = 0 WHERE terminal = ? AND asked > ?`, c.Terminal, now-millisOf(askFor))
	return err
}

// step keeps the proof that one size of a log continues another.
func (a *applying) step(origin string, from, size int64, proof []evidence.Hash) error {
	if from == 0 {
		return nil
	}
	text, err := json.Marshal(evidence.ProofTexts(proof))
	if err != nil {
		return err
	}
	_, err = a.exec(`INSERT INTO log_step(origin, size, from_size, proof) VALUES(?,?,?,?) ON CONFLICT DO NOTHING`, origin, size, from, string(text))
	return err
}

// logAlarm keeps an alarm; one that stands already is counted, and has the newest notes.
func (a *applying) logAlarm(c *Checkpoint, one *cosign.Alarm) error {
	now := millis(c.Received)
	again, err := a.exec(`UPDATE log_alarm SET times = times + 1, last_seen = ?, origin = ?, ours = ?, theirs = ?, why = ?, newest = ? WHERE terminal = ? AND code = ? AND ended = 0`,
		now, one.Origin, one.Ours, one.Theirs, one.Why, flag(one.BeforeIsNewest), c.Terminal, one.Code)
	if err != nil || again > 0 {
		return err
	}
	a.n++
	if _, err := a.exec(`INSERT INTO log_alarm(n, terminal, code, origin, ours, theirs, why, newest, times, first_seen, last_seen, ended, ended_by) VALUES(?,?,?,?,?,?,?,?,1,?,?,0,'')`,
		a.n, c.Terminal, one.Code, one.Origin, one.Ours, one.Theirs, one.Why, flag(one.BeforeIsNewest), now, now); err != nil {
		return err
	}
	a.answer.LogAlarms = append(a.answer.LogAlarms, LogAlarm{N: a.n, Terminal: c.Terminal, Code: one.Code, Origin: one.Origin, Why: one.Why})
	return nil
}

// LogAlarms returns the newest alarms about logs of terminals: those that stand, and those that have ended.
func (s *Store) LogAlarms(ctx context.Context, terminal string) (list []LogAlarm, err error) {
	list = []LogAlarm{}
	err = s.read(ctx, func(t *tx) error {
		q := `SELECT n, terminal, code, origin, ours, theirs, why, newest, times, first_seen, last_seen, ended, ended_by FROM log_alarm WHERE ? = '' OR terminal = ? ORDER BY CASE WHEN ended = 0 THEN 0 ELSE 1 END, n DESC LIMIT ?`
		return t.rows(q, []any{terminal, terminal, MaxLimit}, func(r *sql.Rows) error {
			var o LogAlarm
			var newest, first, last, ended int64
			err := r.Scan(&o.N, &o.Terminal, &o.Code, &o.Origin, &o.Ours, &o.Theirs, &o.Why, &newest, &o.Times, &first, &last, &ended, &o.EndedBy)
			o.BeforeIsNewest, o.First, o.Last, o.Ended = newest > 0, timeOf(first), timeOf(last), timeOf(ended)
			list = append(list, o)
			return err
		})
	})
	return list, err
}

// EndLogAlarm ends an alarm, as a person decided. ErrNotFound; ErrHand: it ends by itself, or
// has ended.
func (s *Store) EndLogAlarm(ctx context.Context, now time.Time, n int64, by string) error {
	_, err := s.change(ctx, func(a *applying) error {
		var code string
		var ended int64
		found, err := a.row(`SELECT code, ended FROM log_alarm WHERE n = ?`, []any{n}, &code, &ended)
		switch {
		case err != nil || !found:
			return errors.Join(err, missing(found))
		case ended > 0:
			return fmt.Errorf("%w: alarm %d has ended", ErrHand, n)
		case code == cosign.RolledBack || code == cosign.NotExtended:
			return fmt.Errorf("%w: %s ends by itself, by the next checkpoint of the terminal that is co-signed", ErrHand, code)
		}
		_, err = a.exec(`UPDATE log_alarm SET ended = ?, ended_by = ? WHERE n = ?`, max(1, millis(now)), by, n)
		return err
	})
	return err
}
