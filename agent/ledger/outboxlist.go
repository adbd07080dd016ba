package ledger

import (
	"context"
	"time"

	"yuanlu/agent/refund"
)

// OutboxRow is one entry of the outbox as a list shows it.
type OutboxRow struct {
	Notice refund.Notice
	State  string    // "waiting", "sent", "unsequenced", "quarantined"
	Next   time.Time // when it is due; zero: at once
	// Code and Message are the back office's reason for refusing it.
	Code, Message string
}

// OutboxStat tells what waits.
func (d *DB) OutboxStat(ctx context.Context) (refund.OutboxStat, error) {
	st := refund.OutboxStat{Stream: d.Stream(), LimitBytes: d.o.OutboxMaxBytes, Open: map[refund.Severity]int{}}
	err := d.read(ctx, func(c *conn) error {
		var o outboxFigures
		q, err := loadQueueFigures(c, &o)
		if err != nil {
			return err
		}
		st.LastSeq, st.SentSeq, st.AckedSeq, st.Dropped, st.Unsequenced = o.last, o.sent, o.acked, o.dropped, o.untold
		st.Waiting, st.Bytes = q.waiting, q.bytes
		if st.Quarantined, _, err = c.queryInt(`SELECT count(*) FROM quarantine`); err != nil {
			return err
		}
		oldest, ok, err := c.queryInt(`SELECT time FROM outbox WHERE entry < ?1 ORDER BY entry LIMIT 1`, firstEvent)
		if err != nil {
			return err
		}
		if ok {
			st.OldestUnacked = timeOf(oldest)
		}
		st.Open, err = openCases(c)
		return err
	})
	if !d.readOnly {
		d.queue.mu.Lock()
		st.SentSeq = max(st.SentSeq, d.queue.sent)
		st.Waiting -= int64(len(d.queue.done))
		d.queue.mu.Unlock()
	}
	return st, err
}

// loadQueueFigures counts what waits without listing it.
func loadQueueFigures(c *conn, o *outboxFigures) (waiting outboxFigures, err error) {
	if err := loadOutboxFigures(c, o); err != nil {
		return waiting, err
	}
	s, err := c.prepare(`SELECT count(*), total(size) FROM outbox`)
	if err != nil {
		return waiting, err
	}
	defer s.reset()
	if _, err := s.step(); err != nil {
		return waiting, err
	}
	waiting.waiting, waiting.bytes = s.int(0), s.int(1)
	return waiting, nil
}

// OutboxList gives up to limit entries: those that wait in the order they are sent,
// then unsequenced ones, then quarantined ones.
func (d *DB) OutboxList(ctx context.Context, limit int) ([]OutboxRow, error) {
	var rows []OutboxRow
	stream := d.Stream()
	err := d.read(ctx, func(c *conn) error {
		for _, table := range []string{"outbox", "untold", "quarantine"} {
			reason := `'', ''`
			if table == "quarantine" {
				reason = `code, message`
			}
			s, err := c.prepare(`SELECT ` + noticeColumns + `, ` + reason + ` FROM ` + table + ` ORDER BY entry LIMIT ?1`)
			if err != nil {
				return err
			}
			s.bindInt(1, int64(limit-len(rows)))
			for {
				more, err := s.step()
				if err == nil && more {
					var n refund.Notice
					if n, err = scanNotice(s, stream); err == nil {
						rows = append(rows, d.listed(table, n, s.text(10), s.text(11)))
						continue
					}
				}
				s.reset()
				if err != nil {
					return err
				}
				break
			}
		}
		return nil
	})
	return rows, err
}

func (d *DB) listed(table string, n refund.Notice, code, message string) OutboxRow {
	row := OutboxRow{Notice: n, Code: code, Message: message}
	switch table {
	case "untold":
		row.State, row.Notice.Sequence, row.Notice.Class = "unsequenced", 0, refund.NoticeCase
	case "quarantine":
		row.State = "quarantined"
	default:
		row.State = "waiting"
		d.queue.mu.Lock()
		defer d.queue.mu.Unlock()
		list := *d.queue.list(n.Entry)
		if i, ok := find(list, n.Entry); ok {
			row.Notice.Attempt = int(list[i].tries)
			row.Next = timeOf(max(0, list[i].next))
			if list[i].tries > 0 {
				row.State = "sent"
			}
		}
	}
	return row
}
