package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"iter"
	"strconv"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
)

// DumpTables returns the names of the tables that Dump reads: those with packed texts, and
// the holds.
func DumpTables() []string {
	return []string{"record", "verdict", "outbox", "untold", "quarantine", "hold"}
}

// Dump returns the rows of one of DumpTables as the file has them, in order, each as one JSON
// object: the table's name, then its columns; a packed text and one that is JSON as JSON, other
// bytes as hexadecimal text, NULL as null. A row whose text is packed and damaged ends it with
// an error of class ErrUnavailable; a table that the store's version does not have is empty.
func (d *DB) Dump(ctx context.Context, table string) iter.Seq2[json.RawMessage, error] {
	type line struct {
		id   int64
		text json.RawMessage
	}
	lines := inSteps(ctx, d, -1<<63, `SELECT rowid, * FROM `+table+` WHERE rowid >= ?1 ORDER BY rowid LIMIT ?2`,
		func(c *conn, r *sqlite.Row) (line, error) {
			names, err := c.Texts(`SELECT name FROM pragma_table_info(?1) ORDER BY cid`, table)
			if err != nil {
				return line{}, err
			}
			text, err := dumped(table, names, r)
			return line{r.Int(0), text}, err
		}, func(l *line) int64 { return l.id })
	return func(yield func(json.RawMessage, error) bool) {
		there := int64(0)
		err := d.read(ctx, func(c *conn) (err error) {
			there, _, err = c.Int(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1`, table)
			return err
		})
		if err != nil {
			yield(nil, err)
		}
		if there == 0 {
			return
		}
		for l, err := range lines {
			if !yield(l.text, err) {
				return
			}
		}
	}
}

// dumped writes a row whose columns stand behind its number.
func dumped(table string, names []string, r *sqlite.Row) (json.RawMessage, error) {
	b := strconv.AppendQuote([]byte(`{"table":`), table)
	for i, name := range names {
		b = append(strconv.AppendQuote(append(b, ','), name), ':')
		v := r.Value(i + 1)
		switch v.Kind {
		case sqlite.Integer:
			b = strconv.AppendInt(b, v.N, 10)
		case sqlite.Text, sqlite.Blob:
			text, err := dumpedText(name, &v)
			if err != nil {
				return nil, rows.Damaged(table, r.Int(0), name+" is not packed as it says")
			}
			b = append(b, text...)
		default:
			b = append(b, "null"...)
		}
	}
	return append(b, '}'), nil
}

// dumpedText is a text or blob as JSON; three columns hold bytes that are no text.
func dumpedText(name string, v *sqlite.Value) ([]byte, error) {
	if v.Kind == sqlite.Blob && (name == "frame_mac" || name == "keys" || name == "leaf") {
		return json.Marshal(hex.EncodeToString(v.Bytes))
	}
	text, err := packed.Text(nil, v.Bytes)
	switch {
	case err != nil:
		return nil, err
	case len(text) > 0 && text[0] == '{' && json.Valid(text):
		return text, nil
	}
	return json.Marshal(string(text))
}
