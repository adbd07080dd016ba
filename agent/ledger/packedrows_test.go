package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
)

// kindsOf counts the texts of a table by what the file has: text or blob.
func kindsOf(t *testing.T, d *DB, column, table string) map[string]int64 {
	t.Helper()
	by := map[string]int64{}
	must(t, d.w.Each(`SELECT typeof(`+column+`), count(*) FROM `+table+` GROUP BY 1`, func(r *sqlite.Row) error {
		by[r.Text(0)] = r.Int(1)
		return nil
	}))
	return by
}

// TestRowsOfEarlierVersionsStay: they are read beside packed ones, found, judged and completed.
func TestRowsOfEarlierVersionsStay(t *testing.T) {
	files, _ := ofVersion(t, "version2", "closed")
	dir := laidOut(t, files)
	d := openTest(t, testOptions(dir))
	before := kindsOf(t, d, "body", "record")
	if before["text"] == 0 || before["blob"] != 0 {
		t.Fatalf("record has %v", before)
	}
	apply(t, d, saleOf(700, start), refundOf(700, 701, card(9), start))
	after := kindsOf(t, d, "body", "record")
	if after["text"] != before["text"] || after["blob"] != 2 {
		t.Errorf("record has %v, had %v", after, before)
	}
	read := int64(0)
	for _, err := range d.Records(t.Context(), 1) {
		must(t, err)
		read++
	}
	if read != before["text"]+2 {
		t.Errorf("%d records are read", read)
	}
	must(t, checkRows(d.w))
	d = reopened(t, d, testOptions(dir))
	if len(d.Damage()) > 0 {
		t.Errorf("damage %+v", d.Damage())
	}
}

// TestAStoreThatCannotBeMigratedIsNotPacked: the program that reads it next may be the old one.
func TestAStoreThatCannotBeMigratedIsNotPacked(t *testing.T) {
	c := plainStore(t)
	text := []byte(`{"a":"` + string(bytes.Repeat([]byte("same "), 50)) + `"}`)
	for version, want := range map[int64]bool{packedVersion - 1: false, packedVersion: true} {
		c.known = version
		got, err := c.stored(text)
		if must(t, err); (len(got) < len(text)) != want {
			t.Errorf("version %d: %d of %d bytes", version, len(got), len(text))
		}
	}
}

// TestAPackedRowThatIsNoneIsDamage: with a checksum that fits, of every table.
func TestAPackedRowThatIsNoneIsDamage(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 2)
	bad := append(packed.Append(nil, bytes.Repeat([]byte("{ }"), 40)), 0)
	refused := func(what string, err error) {
		if !errors.Is(err, sqlite.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	seq := d.now.seq
	must(t, d.w.Do(`UPDATE record SET body = ?2, crc = ?3 WHERE seq = ?1`, seq, bad, rows.Sum(seq, bad)))
	must(t, d.w.Do(`UPDATE verdict SET explain = ?2, crc = ?3, verdict = ?2 WHERE seq = ?1`, seq, bad, rows.Sum(seq, bad, bad)))
	must(t, d.w.Do(`UPDATE outbox SET data = ?1, crc = ?2`, bad, int64(sqlite.Checksum(0, bad))))
	_, err := loadEvent(d.w, seq)
	refused("an event", err)
	_, err = loadRow(d.w, seq)
	refused("a record", err)
	_, _, err = loadVerdict(d.w, seq)
	refused("a verdict", err)
	_, _, err = d.Due(ctx, start.Add(time.Hour), 10, nil)
	refused("an entry", err)
}

// TestDump: every row of every table is one JSON object, with what is packed in it as JSON.
func TestDump(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	makeCases(t, d, 1, 3)
	must(t, event(d, "link.lost"))
	acked(t, d, 1)
	for _, table := range DumpTables() {
		n, _, err := d.w.Int(`SELECT count(*) FROM ` + table)
		must(t, err)
		for text, err := range d.Dump(t.Context(), table) {
			must(t, err)
			var row struct {
				Table   string          `json:"table"`
				Body    json.RawMessage `json:"body"`
				Data    json.RawMessage `json:"data"`
				Verdict json.RawMessage `json:"verdict"`
			}
			must(t, json.Unmarshal(text, &row))
			for _, part := range []json.RawMessage{row.Body, row.Data, row.Verdict} {
				if row.Table != table || len(part) > 0 && part[0] != '{' {
					t.Errorf("%s: %s", table, text)
				}
			}
			n--
		}
		if n != 0 {
			t.Errorf("%s: %d rows are missing", table, n)
		}
	}
	dir := filepath.Dir(d.file())
	must(t, d.Close())
	c, err := sqlite.OpenPlain(filepath.Join(dir, storeFile), sqlite.ReadOnly)
	must(t, err)
	defer c.Close()
	if n, _, err := c.Int(`SELECT count(*) FROM record WHERE typeof(body) = 'blob' AND substr(body, 1, 1) = x'01'`); err != nil || n == 0 {
		t.Errorf("%d packed records, %v: without this program the file is read as well", n, err)
	}
}
