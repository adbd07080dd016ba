package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// load reads what the writer must know of a checked store, and returns a new store
// its stream.
func (d *DB) load(c *conn) error {
	stream, err := metaText(c, "stream")
	if err != nil {
		return err
	}
	made := stream == ""
	if made {
		stream = randomID()
		if err := setMeta(c, "stream", stream); err != nil {
			return err
		}
	}
	before, err := streamsBefore(c)
	if err != nil {
		return err
	}
	n, err := loadFigures(c)
	if err != nil {
		return err
	}
	var index *keyIndex
	if n.payers, index, err = collect(c); err != nil {
		return err
	}
	if n.days, err = loadDays(c, index.upTo, d.o.Now().Location()); err != nil {
		return err
	}
	links, names, err := loadLinks(c)
	if err != nil {
		return err
	}
	waiting, err := loadWaiting(c, &n.outbox)
	if err != nil {
		return err
	}
	if err := d.loadUnreleased(c); err != nil {
		return err
	}
	if d.keys != nil {
		if err := settleKeys(c, d.keys.IDs(), n.seq); err != nil {
			return err
		}
	}
	if err := d.loadHolds(c); err != nil {
		return err
	}
	if err := d.loadLog(c); err != nil {
		return err
	}
	if err := d.loadDates(c, &n); err != nil {
		return err
	}
	if err := d.loadDigests(c); err != nil {
		return err
	}
	if d.following, err = loadFollowing(c); err != nil {
		return err
	}
	// All cases and their records were read once: those pages are not the ones that records need.
	if err := c.Do(`PRAGMA shrink_memory`); err != nil {
		return err
	}
	d.now, d.index, d.links, d.names = n, index, links, names
	d.publishDays()
	d.queue.Open(waiting, stream, made, before, n.outbox, n.tallies)
	return nil
}

// loadForReading is load for a store that another process may be writing.
func (d *DB) loadForReading(c *conn) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := checkHeader(c); err != nil {
		return err
	}
	version, _, err := c.Int("PRAGMA user_version")
	if err != nil {
		return err
	}
	if version < 1 || version > int64(len(steps)) { // their tables are the same (upgrade.go)
		return fmt.Errorf("%w: version %d, this one reads %d", ErrNewer, version, len(steps))
	}
	stream, err := metaText(c, "stream")
	if err != nil {
		return err
	}
	d.queue.Reading(stream)
	if _, d.names, err = loadLinks(c); err != nil {
		return err
	}
	return d.loadHolds(c)
}

func loadFigures(c *conn) (figures, error) {
	var n figures
	var err error
	if n.seq, err = metaInt(c, "seq_floor"); err != nil {
		return n, err
	}
	for _, sql := range []string{`SELECT max(seq) FROM record`, `SELECT max(seq) FROM verdict`, `SELECT max(seq) FROM cases`, `SELECT max(seq) FROM held`} {
		proved, _, err := c.Int(sql)
		if err != nil {
			return n, err
		}
		n.seq = max(n.seq, proved)
	}
	if n.bounds, err = loadBounds(c); err != nil {
		return n, err
	}
	if n.removed, err = metaInt(c, "removed"); err != nil {
		return n, err
	}
	n.sweeping = n.removed > 0
	if n.tallies, err = loadTallies(c); err != nil {
		return n, err
	}
	if n.undated, err = loadUndated(c); err != nil {
		return n, err
	}
	lack, err := metaInt(c, lackSalesName)
	if err != nil {
		return n, err
	}
	n.lackSales = lack != 0
	n.newest, n.synced, err = loadNewest(c)
	return n, err
}

func loadBounds(c *conn) (refund.Bounds, error) {
	text, err := metaText(c, "bounds")
	if err != nil || text == "" {
		return refund.Bounds{AllTerminals: true}, err
	}
	b, ok := rows.ParseBounds(text)
	if !ok {
		return b, rows.Damaged("meta", 0, "bounds are not readable")
	}
	return b, proveBounds(c, &b)
}

// proveBounds takes the journal's beginning from the record that it is of, while that
// one is there.
func proveBounds(c *conn, b *refund.Bounds) error {
	if b.FirstAt == "" {
		return nil
	}
	row, err := loadRow(c, b.FirstSeq)
	if err != nil || row == nil {
		return err
	}
	r, err := row.Decode()
	if err != nil {
		return err
	}
	if _, ok := r.Time(); ok {
		b.FirstAt = r.At
	}
	return nil
}

func saveBounds(c *conn, b *refund.Bounds) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return setMeta(c, "bounds", string(text))
}

// newestRows is how many of the newest records the newest trusted time is looked for in.
const newestRows = 64

// loadNewest returns the newest trusted `at`, and whether the clock was trusted when
// the newest record came.
func loadNewest(c *conn) (time.Time, bool, error) {
	var newest time.Time
	first, synced := true, false
	err := c.Each(`SELECT `+rows.RecordColumns+` FROM record ORDER BY seq DESC LIMIT ?1`, func(s *sqlite.Row) error {
		row, err := rows.ScanRecord(s)
		if err != nil {
			return err
		}
		if first {
			synced, first = row.Flags&rows.Synced != 0, false
		}
		r, err := row.Decode()
		newest = newerAt(newest, &r, row.Flags&rows.Synced != 0, row.FromClock(), rows.Time(row.Received))
		return err
	}, newestRows)
	return newest, synced, err
}

// newerAt returns the later of newest and the `at` of a record, if that can be
// trusted: it was not made from a clock that was not, and it does not lie ahead of one
// that was (wires.md, Common).
func newerAt(newest time.Time, r *refund.Record, synced, fromClock bool, received time.Time) time.Time {
	at, ok := r.Time()
	switch {
	case !ok || r.Training || fromClock && !synced:
	case synced && at.Sub(received) > refund.FutureAfter:
	case at.After(newest):
		return at
	}
	return newest
}

func loadLinks(c *conn) (map[string]int64, map[int64]string, error) {
	ids, names := make(map[string]int64), make(map[int64]string)
	err := c.Each(`SELECT id, name FROM link`, func(r *sqlite.Row) error {
		ids[r.Text(1)], names[r.Int(0)] = r.Int(0), r.Text(1)
		return nil
	})
	return ids, names, err
}

// link returns the number of a link's name, a new one for a new name.
func (t *tx) link(name string) (int64, error) {
	if id, ok := t.d.links[name]; ok {
		return id, nil
	}
	if id, ok := t.links[name]; ok {
		return id, nil
	}
	id, _, err := t.c.Int(`INSERT INTO link(name) VALUES(?1) RETURNING id`, name)
	if err != nil {
		return 0, err
	}
	if t.links == nil {
		t.links = make(map[string]int64)
	}
	t.links[name] = id
	t.after(func() { t.d.links[name], t.d.names[id] = id, name })
	return id, nil
}

func metaText(c *conn, name string) (string, error) {
	return c.Text(`SELECT value FROM meta WHERE name = ?1`, name)
}

// metaInt returns 0 for a name that is not there.
func metaInt(c *conn, name string) (int64, error) {
	text, err := metaText(c, name)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, rows.Damaged("meta", 0, name+" is no number")
	}
	return n, nil
}

func setMeta(c *conn, name, value string) error {
	return c.Do(`INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)`, name, value)
}

func setMetaInt(c *conn, name string, v int64) error {
	return setMeta(c, name, strconv.FormatInt(v, 10))
}

// loadWaiting reads what waits, without the data.
func loadWaiting(c *conn, o *outbox.Figures) (*outbox.List, error) {
	if err := loadOutboxFigures(c, o); err != nil {
		return nil, err
	}
	if err := renumberPutBack(c, o); err != nil {
		return nil, err
	}
	n, _, err := c.Int(`SELECT count(*) FROM outbox WHERE entry < ?1`, rows.FirstEvent)
	if err != nil {
		return nil, err
	}
	list := outbox.NewList(n)
	err = c.Each(`SELECT entry, size FROM outbox ORDER BY entry`, func(r *sqlite.Row) error {
		entry := r.Int(0)
		o.Waiting++
		o.Bytes += r.Int(1)
		list.Add(entry, entry <= o.Sent) // its PUBACK came in an earlier run
		return nil
	})
	return list, err
}

func loadOutboxFigures(c *conn, o *outbox.Figures) error {
	for _, m := range []struct {
		name  string
		value *int64
	}{{"outbox.last", &o.Last}, {"outbox.sent", &o.Sent}, {"outbox.acked", &o.Acked}, {"outbox.dropped", &o.Dropped}, {"outbox.events", &o.Events}} {
		v, err := metaInt(c, m.name)
		if err != nil {
			return err
		}
		*m.value = v
	}
	if err := prove(c, o); err != nil {
		return err
	}
	var err error
	o.Untold, _, err = c.Int(`SELECT count(*) FROM untold`)
	return err
}

// prove raises the figures to what the rows prove: a sequence that an entry has, or that
// was sent or acknowledged, was used.
func prove(c *conn, o *outbox.Figures) error {
	for _, table := range []string{"outbox", "quarantine"} {
		last, _, err := c.Int(`SELECT max(entry) FROM `+table+` WHERE entry < ?1`, rows.FirstEvent)
		if err != nil {
			return err
		}
		event, ok, err := c.Int(`SELECT max(entry) FROM `+table+` WHERE entry >= ?1`, rows.FirstEvent)
		if err != nil {
			return err
		}
		o.Last = max(o.Last, last)
		if ok {
			o.Events = max(o.Events, event-rows.FirstEvent)
		}
	}
	o.Sent = max(o.Sent, o.Acked)
	o.Last = max(o.Last, o.Sent)
	return nil
}

// saveFigures writes what of the figures has changed since the last transaction.
func (t *tx) saveFigures() error {
	if t.n.removed != t.d.now.removed {
		if err := setMetaInt(t.c, "removed", t.n.removed); err != nil {
			return err
		}
	}
	if t.out.Figures != t.d.now.outbox && t.out.MustSave() {
		return t.out.SaveSent()
	}
	return nil
}

// loadTallies counts.
func loadTallies(c *conn) (n outbox.Tallies, err error) {
	if n.Quarantined, _, err = c.Int(`SELECT count(*) FROM quarantine`); err != nil {
		return n, err
	}
	if n.Aside, n.AsideBytes, err = outbox.Sized(c.Conn, `quarantine WHERE entry < ?1`, rows.FirstEvent); err != nil {
		return n, err
	}
	open, err := openCases(c)
	for severity, count := range open {
		if int(severity) < len(n.Open) {
			n.Open[severity] = int64(count)
		}
	}
	return n, err
}
