package ledger

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Renewal is about a new stream that was begun because the store was put back from an
// old copy.
type Renewal struct {
	When    time.Time `json:"when"`
	By      string    `json:"by"`       // refund.Trace.By
	From    string    `json:"before"`   // the stream that has ended
	To      string    `json:"stream"`   // the new one
	LastSeq int64     `json:"last_seq"` // newest sequence that this copy had used
	SeenSeq int64     `json:"seen_seq"` // what the trace shows that the store had used
	Resent  int64     `json:"resent"`   // cases that are sent again in the new stream
}

// renewPause is the shortest time between two new streams of one store. What shows that
// a store was put back may be forged where nothing is signed: then this bounds what it
// costs. A store that is put back again from a copy that is older than its last new
// stream does not know of that, so the pause does not keep it from beginning another.
const renewPause = 10 * time.Minute

// mostBefore bounds the streams that a store remembers of the time before.
const mostBefore = 16

// RolledBack begins a new stream if a trace shows that this store was put back from an
// old copy, and reports whether it did; Renewed returns more. All that is not
// acknowledged gets new sequences from 1 on, in its order, and new ids, because the id of
// an event is made from its stream; what was refused is sent again behind it. The same
// transaction queues the event store.rolled_back.
//
// A trace proves nothing about a stream that this process itself has begun: the store is
// in its hands since. So it begins at most one, and one in 24 hours.
// Source: topics.md, Signed.
func (d *DB) RolledBack(ctx context.Context, trace refund.Trace) (bool, error) {
	if !d.contradicts(&trace) {
		return false, nil
	}
	d.renewing.Lock()
	defer d.renewing.Unlock()
	var done *Renewal
	err := d.write(ctx, func(t *tx) (err error) {
		if done = nil; !d.contradicts(&trace) {
			return nil
		}
		if done, err = t.renew(&trace); err != nil || done == nil {
			return err
		}
		t.after(func() { d.renewal.Store(done) })
		return nil
	})
	if err != nil || done == nil {
		return false, err
	}
	d.o.Log.LogAttrs(ctx, slog.LevelError, "store.rolled_back", slog.String("by", done.By), slog.String("stream", done.From), slog.String("new_stream", done.To),
		slog.Int64("last_seq", done.LastSeq), slog.Int64("seen_seq", done.SeenSeq), slog.Int64("resent", done.Resent))
	return true, nil
}

// Renewed returns the new stream that this process has begun because the store was put
// back from an old copy, nil if it has not.
func (d *DB) Renewed() *Renewal { return d.renewal.Load() }

// contradicts reports whether a trace shows more of this store's stream than it knows.
func (d *DB) contradicts(trace *refund.Trace) bool {
	return !d.readOnly && !d.temporary && (d.queue.Contradicts(trace) || d.days.Contradicts(trace))
}

// renew begins the new stream; nil: there was one less than renewPause ago.
func (t *tx) renew(trace *refund.Trace) (*Renewal, error) {
	d, now := t.d, t.d.o.Now()
	last, err := metaInt(t.c, "renewed")
	if err != nil {
		return nil, err
	}
	if since := now.Sub(rows.Time(last)).Abs(); last != 0 && since < renewPause {
		d.o.Log.LogAttrs(context.Background(), slog.LevelWarn, "store.rollback_ignored", slog.String("by", trace.By), slog.String("stream", d.Stream()),
			slog.String("why", "the last new stream was begun less than ten minutes ago"))
		return nil, nil
	}
	for more := true; more; { // what is acknowledged is not sent again
		if more, err = t.out.ForgetAcked(); err != nil {
			return nil, err
		}
	}
	t.out.Renewed = true
	r := &Renewal{When: now, By: trace.By, From: d.Stream(), To: randomID(), LastSeq: t.out.Figures.Last, SeenSeq: max(trace.LastSeq, trace.AckedSeq)}
	if r.Resent, err = renumber(t.c, d.keys.caseKey, r.To); err != nil {
		return nil, err
	}
	before, err := noteBefore(t.c, r.From)
	if err != nil {
		return nil, err
	}
	if err := setMeta(t.c, "stream", r.To); err != nil {
		return nil, err
	}
	for name, value := range map[string]int64{"renewed": rows.Millis(now), "outbox.last": r.Resent, "outbox.sent": 0, "outbox.acked": 0} {
		if err := setMetaInt(t.c, name, value); err != nil {
			return nil, err
		}
	}
	t.out.Figures = outbox.Figures{}
	list, err := loadWaiting(t.c, &t.out.Figures)
	if err != nil {
		return nil, err
	}
	if t.out.Tallies, err = loadTallies(t.c); err != nil {
		return nil, err
	}
	t.after(func() { d.queue.Renew(list, r.To, before) })
	if err := t.renewDays(now); err != nil {
		return nil, err
	}
	return r, t.queueRolledBack(r)
}

func (t *tx) queueRolledBack(r *Renewal) error {
	data, err := outbox.Marshal(map[string]any{"by": r.By, "stream": r.To, "before": r.From, "last_seq": r.LastSeq, "seen_seq": r.SeenSeq, "resent": r.Resent})
	if err != nil {
		return err
	}
	return t.out.QueueEvent(refund.Notice{Type: "store.rolled_back", Subject: "store", Time: r.When, ClockSynced: t.n.synced, Data: data})
}

// noteBefore notes the name of a stream that has ended, and returns all such, the newest
// first.
func noteBefore(c *conn, stream string) ([]string, error) {
	list, err := streamsBefore(c)
	if err != nil {
		return nil, err
	}
	list = append([]string{stream}, slices.DeleteFunc(list, func(s string) bool { return s == stream })...)
	list = list[:min(len(list), mostBefore)]
	return list, setMeta(c, "streams.before", strings.Join(list, " "))
}

// streamsBefore returns the streams that this store had before the one it has.
func streamsBefore(c *conn) ([]string, error) {
	text, err := metaText(c, "streams.before")
	return strings.Fields(text), err
}

// renumber assigns to every case that waits, published or not, its place and its id in a new
// stream: sequences from 1 on, in their order, and those that were refused behind them.
// A refused one would else keep a number that the new stream assigns to another case. It
// returns how many have a sequence.
func renumber(c *conn, caseKey []byte, stream string) (waiting int64, err error) {
	if err := c.Do(`UPDATE cases SET events = 0`); err != nil {
		return 0, err
	}
	if err := requeueAll(c); err != nil {
		return 0, err
	}
	again := &renumbering{c: c, key: caseKey, stream: stream, events: map[string]int64{}, followed: map[followedKey]int64{}, tallies: map[string]int64{}}
	for _, table := range []string{"outbox", "untold"} {
		n, err := again.table(table)
		if err != nil {
			return 0, err
		}
		if table == "outbox" {
			waiting = n
		}
	}
	return waiting, again.save()
}

// renumbering is what the new stream has used so far.
type renumbering struct {
	c        *conn
	key      []byte
	stream   string
	events   map[string]int64 // by case
	followed map[followedKey]int64
	tallies  map[string]int64 // by subject
}

// followedKey is what the events about what became of a case are counted by.
type followedKey struct {
	caseID string
	what   follow.What
	seq    int64
}

// waiting is one case event in outbox or untold.
type waiting struct {
	n                     int64
	caseID, kind, subject string
	data                  []byte
}

// table assigns to the cases of outbox or untold their new ids, and those of outbox the sequences
// from 1 on: never a greater one than any that is still to come.
func (r *renumbering) table(table string) (n int64, err error) {
	var all []waiting
	err = r.c.Each("SELECT entry, case_id, type, CASE type WHEN ?2 THEN data END, subject FROM "+table+" WHERE entry < ?1 ORDER BY entry", func(s *sqlite.Row) error {
		data, err := packed.Text(nil, s.View(3))
		if err != nil {
			return rows.Damaged(table, s.Int(0), "data are not packed as they say")
		}
		all = append(all, waiting{s.Int(0), s.Text(1), s.Text(2), s.Text(4), data})
		return nil
	}, rows.FirstEvent, typeFollowed)
	if err != nil {
		return 0, err
	}
	for i := range all {
		e := &all[i]
		n++
		to := e.n
		if table == "outbox" {
			to = n
		}
		id, err := r.id(table, e)
		if err != nil {
			return 0, err
		}
		if err := r.c.Do("UPDATE "+table+" SET entry = ?2, id = coalesce(?3, id) WHERE entry = ?1", e.n, to, sqlite.StatedText(id)); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// id returns the id of an event in the new stream, "" where it is not made from the stream: of a
// hold's (guard.md § 6).
func (r *renumbering) id(table string, e *waiting) (string, error) {
	if e.kind == typeTally {
		r.tallies[e.subject]++
		return tallyID(r.key, e.subject, r.stream, r.tallies[e.subject]), nil
	}
	if e.caseID == "" {
		return "", nil
	}
	if e.kind != typeFollowed {
		r.events[e.caseID]++
		return eventID(r.key, e.caseID, r.stream, r.events[e.caseID]), nil
	}
	var data struct {
		What     follow.What    `json:"what"`
		Evidence []evidenceData `json:"evidence"`
	}
	if json.Unmarshal(e.data, &data) != nil || len(data.Evidence) == 0 {
		return "", rows.Damaged(table, e.n, "its data is not readable")
	}
	k := followedKey{e.caseID, data.What, data.Evidence[0].Record}
	r.followed[k]++
	return followID(r.key, k.caseID, r.stream, k.what, k.seq, r.followed[k]), nil
}

// save writes how many events of each case are in the new stream.
func (r *renumbering) save() error {
	for id, n := range r.events {
		if err := r.c.Do(`UPDATE cases SET events = ?2 WHERE case_id = ?1`, id, n); err != nil {
			return err
		}
	}
	if version, err := r.c.version(); err != nil || version < followVersion {
		return err
	}
	if err := r.c.Do(`UPDATE followed SET n = 0`); err != nil {
		return err
	}
	for k, n := range r.followed {
		if err := r.c.Do(`UPDATE followed SET n = ?4 WHERE case_id = ?1 AND what = ?2 AND seq = ?3`, k.caseID, string(k.what), k.seq, n); err != nil {
			return err
		}
	}
	if version, err := r.c.version(); err != nil || version < datesVersion {
		return err
	}
	if err := r.c.Do(`UPDATE tally SET n = 0`); err != nil {
		return err
	}
	for subject, n := range r.tallies {
		if err := r.c.Do(`UPDATE tally SET n = ?2 WHERE subject = ?1`, subject, n); err != nil {
			return err
		}
	}
	return nil
}

// requeueAll puts the refused cases back behind all that wait.
func requeueAll(c *conn) error {
	refused, err := c.Ints(`SELECT entry FROM quarantine WHERE entry < ?1 ORDER BY entry`, rows.FirstEvent)
	if err != nil || len(refused) == 0 {
		return err
	}
	last, _, err := c.Int(`SELECT max(entry) FROM (SELECT entry FROM outbox WHERE entry < ?1 UNION ALL SELECT entry FROM quarantine WHERE entry < ?1)`, rows.FirstEvent)
	if err != nil {
		return err
	}
	for _, entry := range refused {
		last++
		if err := putBack(c, entry, last); err != nil {
			return err
		}
	}
	return nil
}

// putBack moves one entry from quarantine into the outbox, under the number to.
func putBack(c *conn, entry, to int64) error {
	if err := c.Do(`UPDATE quarantine SET entry = ?2 WHERE entry = ?1`, entry, to); err != nil {
		return err
	}
	if err := c.Do(`INSERT INTO outbox SELECT `+rows.EntryColumns+` FROM quarantine WHERE entry = ?1`, to); err != nil {
		return err
	}
	return c.Do(`DELETE FROM quarantine WHERE entry = ?1`, to)
}
