package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
	"yuanlu/protocol/daydigest"
)

// Parts of digests wait in a table of their own, in a stream of their own (bills.md § 5). They have the
// bound mostWaiting instead of those of the outbox: none is dropped, so its stream has no gap.

// partColumns are read by scanPart.
const partColumns = `seq, id, day, rev, part, parts, made, coalesce(refused, ''), crc, data`

// loadDayParts takes up what waits.
func (d *DB) loadDayParts(c *conn) error {
	stream, err := metaText(c, dayStreamName)
	if err != nil {
		return err
	}
	last, err := metaInt(c, dayLastName)
	if err != nil {
		return err
	}
	acked, err := metaInt(c, dayAckedName)
	if err != nil {
		return err
	}
	var waiting []outbox.DayPart
	err = c.Each(`SELECT seq, length(data), refused IS NULL FROM digest_part ORDER BY seq`, func(r *sqlite.Row) error {
		last = max(last, r.Int(0))
		if r.Int(2) != 0 {
			waiting = append(waiting, outbox.DayPart{Seq: r.Int(0), Bytes: r.Int(1)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.days.Open(stream, max(last, acked), acked, waiting)
	return nil
}

// storeDay stores the parts of a digest.
func (t *tx) storeDay(on string, c *dayContent, row *digestRow, parts int64) error {
	stream, last := t.d.days.Stream(), t.d.days.Last()
	if stream == "" {
		stream, last = randomID(), 0
		if err := setMeta(t.c, dayStreamName, stream); err != nil {
			return err
		}
		t.after(func() { t.d.days.Begin(stream) })
	}
	var added []outbox.DayPart
	_, _, err := t.cutDay(c, func(part int64, tail []byte) error {
		last++
		stored, err := t.c.stored(tail)
		if err != nil {
			return err
		}
		added = append(added, outbox.DayPart{Seq: last, Bytes: int64(len(stored))})
		return t.c.Do(`INSERT INTO digest_part(seq, id, day, rev, part, parts, made, refused, crc, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8, ?9)`,
			last, dayID(t.d.keys.caseKey, on, stream, row.rev, part), on, row.rev, part, parts, row.made, int64(sqlite.Checksum(0, stored)), sqlite.JSON(stored))
	})
	if err != nil {
		return err
	}
	t.after(func() { t.d.days.Add(added) })
	return setMetaInt(t.c, dayLastName, last)
}

// dayID names the event of one part of a digest (bills.md § 5).
func dayID(key []byte, on, stream string, rev, part int64) string {
	return keyedID(key, []string{"day", on, stream, strconv.FormatInt(rev, 10), strconv.FormatInt(part, 10)})
}

// scanPart reads partColumns.
func (d *DB) scanPart(r *sqlite.Row, stream string) (n refund.Notice, refused string, err error) {
	on, rev := r.Text(2), r.Int(3)
	n = refund.Notice{Entry: rows.FirstDay + r.Int(0), Sequence: r.Int(0), ID: r.Text(1), Stream: stream, Type: daydigest.Closed, Subject: "day/" + on,
		Time: rows.Time(r.Int(6)), ClockSynced: true, Class: refund.NoticeDay}
	if rev > 1 {
		n.Type = daydigest.Revised
	}
	if int64(sqlite.Checksum(0, r.View(9))) != r.Int(8) {
		return n, "", rows.Damaged("digest_part", r.Int(0), "checksum does not match")
	}
	n.Data, err = packed.Text(partHead(d.o.Terminal, on, rev, r.Int(4), r.Int(5)), r.View(9))
	if err != nil {
		return n, "", rows.Damaged("digest_part", r.Int(0), "data are not packed as they say")
	}
	return n, r.Text(7), nil
}

// mostDaysDue bounds what Due returns at once: a part has up to 32 KiB.
const mostDaysDue = 2

// dueParts appends the parts of digests that are to be sent now.
func (d *DB) dueParts(ctx context.Context, list []refund.Notice, picked []outbox.DayPart) ([]refund.Notice, error) {
	stream := d.days.Stream()
	err := d.read(ctx, func(c *conn) error {
		for i := range picked {
			p := &picked[i]
			_, err := c.First(`SELECT `+partColumns+` FROM digest_part WHERE seq = ?1`, func(r *sqlite.Row) error {
				n, _, err := d.scanPart(r, stream)
				if err == nil {
					n.Attempt, n.Taken = p.Counts()
					list = append(list, n)
				}
				return err
			}, p.Seq)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// ofDays reports whether an acknowledgement or a refusal is of the stream of digests.
func (d *DB) ofDays(stream string) bool { return stream != "" && stream == d.days.Stream() }

// ackedDays takes the back office's acknowledgement of digests, and forgets what it covers.
func (d *DB) ackedDays(ctx context.Context, seq int64) (int64, error) {
	upTo, err := d.days.Acknowledge(seq)
	if err != nil || upTo == 0 {
		return 0, err
	}
	return upTo, d.write(ctx, func(t *tx) error {
		t.after(func() { d.days.Forget(upTo) })
		if err := t.c.Do(`DELETE FROM digest_part WHERE seq <= ?1 AND refused IS NULL`, upTo); err != nil {
			return err
		}
		return setMetaInt(t.c, dayAckedName, upTo)
	})
}

// nackedDay sets a part of a digest aside, and queues an event (topics.md rule 6).
func (d *DB) nackedDay(ctx context.Context, seq int64, code, message string) error {
	if seq >= rows.FirstDay {
		seq -= rows.FirstDay
	}
	if err := d.days.Refusable(seq); err != nil {
		return err
	}
	return d.write(ctx, func(t *tx) error {
		var id string
		var rev int64
		found, err := t.c.First(`UPDATE digest_part SET refused = ?2 WHERE seq = ?1 AND refused IS NULL RETURNING id, rev`,
			func(r *sqlite.Row) error { id, rev = r.Text(0), r.Int(1); return nil }, seq, code+": "+message)
		if err != nil || !found {
			return err
		}
		t.after(func() { d.days.Remove(seq) })
		kind := daydigest.Closed
		if rev > 1 {
			kind = daydigest.Revised
		}
		if err := t.trimRefusedParts(); err != nil {
			return err
		}
		data, err := outbox.Marshal(map[string]any{"sequence": rows.FirstDay + seq, "id": id, "type": kind, "code": code, "message": message, "stream": d.days.Stream()})
		if err != nil {
			return err
		}
		return t.out.QueueEvent(refund.Notice{Type: "outbox.quarantined", Subject: "outbox", Time: d.o.Now(), ClockSynced: t.n.synced, Data: data})
	})
}

// mostRefusedParts bounds the refused parts that are kept: they can be made again.
const mostRefusedParts = 100

func (t *tx) trimRefusedParts() error {
	return t.c.Do(`DELETE FROM digest_part WHERE refused IS NOT NULL AND seq IN (SELECT seq FROM digest_part WHERE refused IS NOT NULL ORDER BY seq DESC LIMIT -1 OFFSET ?1)`, mostRefusedParts)
}

// requeueDay puts a refused part back: same id, a new sequence behind all others (topics.md rule 6).
func (t *tx) requeueDay(entry int64) error {
	seq, to := entry-rows.FirstDay, t.d.days.Last()+1
	size, ok, err := t.c.Int(`UPDATE digest_part SET seq = ?2, refused = NULL WHERE seq = ?1 AND refused IS NOT NULL RETURNING length(data)`, seq, to)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: entry %d is not in quarantine", ErrNotFound, entry)
	}
	t.after(func() { t.d.days.Add([]outbox.DayPart{{Seq: to, Bytes: size}}) })
	return setMetaInt(t.c, dayLastName, to)
}

// listParts appends the parts of digests to the list of the outbox: those that wait, or those that are refused.
func (d *DB) listParts(c *conn, list []OutboxRow, refused bool, limit int) ([]OutboxRow, error) {
	if version, err := c.version(); err != nil || version < digestVersion || limit <= 0 {
		return list, err
	}
	where := `refused IS NULL`
	if refused {
		where = `refused IS NOT NULL`
	}
	stream, err := metaText(c, dayStreamName)
	if err != nil {
		return list, err
	}
	err = c.Each(`SELECT `+partColumns+` FROM digest_part WHERE `+where+` ORDER BY seq LIMIT ?1`, func(r *sqlite.Row) error {
		n, why, err := d.scanPart(r, stream)
		if err != nil {
			return err
		}
		row := OutboxRow{Notice: n, State: "waiting", Message: why}
		tries, taken, next, ok := d.days.State(n.Sequence)
		switch {
		case refused:
			row.State = "quarantined"
		case ok:
			row.Notice.Attempt, row.Notice.Taken, row.Next = tries, taken, next
			if taken > 0 {
				row.State = "sent"
			}
		}
		list = append(list, row)
		return nil
	}, limit)
	return list, err
}

// renewDays begins another stream of digests, because the store was put back from an old copy: what
// waited is made again in it, and days up to now may lack what the lost part had.
func (t *tx) renewDays(now time.Time) error {
	if t.d.digests == nil {
		return nil
	}
	stream, today := randomID(), now.In(t.d.o.Now().Location()).Format(time.DateOnly)
	waiting, err := t.c.Texts(`SELECT DISTINCT day FROM digest_part`)
	if err != nil {
		return err
	}
	for _, on := range waiting {
		if err := t.askDigest(on); err != nil {
			return err
		}
	}
	if err := t.c.Do(`DELETE FROM digest_part`); err != nil {
		return err
	}
	for _, m := range [][2]string{{dayStreamName, stream}, {dayLastName, "0"}, {dayAckedName, "0"}, {dayRebuiltName, today}} {
		if err := setMeta(t.c, m[0], m[1]); err != nil {
			return err
		}
	}
	t.after(func() {
		t.d.rebuilt = today
		t.d.days.Begin(stream)
	})
	return nil
}

// inOrder puts the parts of digests behind the cases of a batch and before its events (bills.md § 5).
func inOrder(batch, parts []refund.Notice, limit int) []refund.Notice {
	at := slices.IndexFunc(batch, func(n refund.Notice) bool { return n.Class == refund.NoticeEvent })
	if at < 0 {
		at = len(batch)
	}
	all := slices.Insert(batch, at, parts...)
	return all[:min(len(all), limit)]
}
