package ledger

import (
	"context"
	"encoding/json"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// OutboxRow is one entry of the outbox as a list shows it.
type OutboxRow struct {
	Notice refund.Notice
	State  string    // "waiting", "sent", "unsequenced", "quarantined"
	Next   time.Time // when it is due; zero: at once
	// Code and Message are the back office's reason for refusing it.
	Code, Message string

	bytes int // of the content, where that is not here
}

// outboxObject is an entry in JSON.
type outboxObject struct {
	Entry    int64     `json:"entry"`
	State    string    `json:"state"`
	Sequence int64     `json:"sequence,omitempty"`
	Type     string    `json:"type"`
	Subject  string    `json:"subject"`
	Time     time.Time `json:"time"`
	Attempt  int       `json:"attempt"`
	Next     time.Time `json:"next,omitzero"`
	Bytes    int       `json:"bytes"`
	Code     string    `json:"code,omitempty"`
	Message  string    `json:"message,omitempty"`
}

// MarshalJSON writes the row as `outbox list --json` prints it: without the content.
func (r OutboxRow) MarshalJSON() ([]byte, error) {
	n := &r.Notice
	return json.Marshal(outboxObject{n.Entry, r.State, n.Sequence, n.Type, n.Subject, n.Time, n.Attempt, r.Next, max(len(n.Data), r.bytes), r.Code, r.Message})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (r *OutboxRow) UnmarshalJSON(text []byte) error {
	var o outboxObject
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	*r = OutboxRow{State: o.State, Next: o.Next, Code: o.Code, Message: o.Message, bytes: o.Bytes,
		Notice: refund.Notice{Entry: o.Entry, Sequence: o.Sequence, Type: o.Type, Subject: o.Subject, Time: o.Time, Attempt: o.Attempt}}
	return nil
}

// OutboxStat returns what waits. The process that has the store open for writing has counted
// it; another one counts.
func (d *DB) OutboxStat(ctx context.Context) (refund.OutboxStat, error) {
	st := refund.OutboxStat{LimitBytes: d.o.OutboxMaxBytes}
	counted := d.readOnly || d.temporary
	st.Stream, st.Before = d.queue.Streams()
	oldest := int64(1)
	if !counted {
		oldest = d.queue.Stat(&st)
		st.Days = d.days.Stat()
	}
	err := d.read(ctx, func(c *conn) error {
		if counted {
			if err := countOutbox(c, &st); err != nil {
				return err
			}
		}
		if err := refusedCases(c, &st); err != nil {
			return err
		}
		at, ok, err := c.Int(`SELECT time FROM outbox WHERE entry BETWEEN ?1 AND ?2 ORDER BY entry LIMIT 1`, oldest, rows.FirstEvent-1)
		if ok {
			st.OldestUnacked = rows.Time(at)
		}
		return err
	})
	return st, err
}

// refusedCases lists the sequences of the cases in quarantine.
func refusedCases(c *conn, st *refund.OutboxStat) (err error) {
	if st.Quarantined > 0 {
		st.Refused, err = c.Ints(`SELECT entry FROM quarantine WHERE entry < ?1 ORDER BY entry LIMIT ?2`, rows.FirstEvent, refund.MostRefused)
	}
	return err
}

// countOutbox counts.
func countOutbox(c *conn, st *refund.OutboxStat) error {
	var o outbox.Figures
	n, err := loadQueueFigures(c, &o)
	if err != nil {
		return err
	}
	t, err := loadTallies(c)
	st.LastSeq, st.SentSeq, st.AckedSeq, st.Dropped, st.Unsequenced = o.Last, o.Sent, o.Acked, o.Dropped, o.Untold
	st.StoredAcked = o.Acked
	st.Waiting, st.Bytes, st.Quarantined, st.Open = n.Waiting, n.Bytes+t.AsideBytes, t.Quarantined, t.BySeverity()
	return err
}

// loadQueueFigures counts what waits without listing it.
func loadQueueFigures(c *conn, o *outbox.Figures) (waiting outbox.Figures, err error) {
	if err := loadOutboxFigures(c, o); err != nil {
		return waiting, err
	}
	waiting.Waiting, waiting.Bytes, err = outbox.Sized(c.Conn, `outbox`)
	return waiting, err
}

// OutboxList returns up to limit entries: those that wait in the order they are sent,
// then unsequenced ones, then quarantined ones.
func (d *DB) OutboxList(ctx context.Context, limit int) ([]OutboxRow, error) {
	var list []OutboxRow
	stream := d.Stream()
	err := d.read(ctx, func(c *conn) (err error) {
		for _, table := range []string{"outbox", "untold", "quarantine"} {
			reason := `'', ''`
			if table == "quarantine" {
				reason = `code, message`
			}
			err = c.Each(`SELECT `+rows.EntryColumns+`, `+reason+` FROM `+table+` ORDER BY entry LIMIT ?1`, func(r *sqlite.Row) error {
				n, err := rows.ScanEntry(r, stream)
				if err == nil {
					list = append(list, d.listed(table, n, r.Text(10), r.Text(11)))
				}
				return err
			}, limit-len(list))
			if err != nil {
				return err
			}
			if table != "untold" {
				if list, err = d.listParts(c, list, table == "quarantine", limit-len(list)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return list, err
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
		if e, next, ok := d.queue.State(n.Entry); ok {
			row.Notice.Attempt, row.Notice.Taken, row.Next = int(e.Tries), int(e.Taken), next
			if e.Taken > 0 {
				row.State = "sent"
			}
		}
	}
	return row
}
