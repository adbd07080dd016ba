package salvage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 8, 23, 12, 0, 0, 0, time.UTC)

// record is the row of a sale.
func record(seq int64) rows.Record {
	r := refund.Record{Kind: refund.KindSale, MerchantID: "M", TerminalID: "T", At: noon.Add(time.Duration(seq) * time.Minute).Format(time.RFC3339), Stan: fmt.Sprintf("%06d", seq)}
	return rows.Record{Seq: seq, Link: 1, Received: noon.UnixMilli(), Flags: rows.Synced, Body: refund.EncodeStored(nil, &r)}
}

// made makes a store of n records, the later half of them in the WAL, and returns the bytes
// of both files.
func made(t testing.TB, n int64) (db, wal []byte) {
	t.Helper()
	schema, err := os.ReadFile("../migrations/0001.sql")
	must(t, err)
	path := filepath.Join(t.TempDir(), "a.db")
	c, err := sqlite.Open(path, sqlite.ReadWrite)
	must(t, err)
	defer c.Close()
	must(t, c.Script("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "+string(schema)+"; ALTER TABLE record ADD COLUMN leaf BLOB"))
	must(t, c.Do(`INSERT INTO link VALUES(1, 'pos')`))
	must(t, c.Do(`INSERT INTO meta VALUES('stream', 'S1')`))
	must(t, c.Do(`INSERT INTO memory VALUES(1, 'batch', ?1, 5)`, []byte("7")))
	must(t, rows.InsertEntry(c, "outbox", 1, "CASE", &refund.Notice{ID: "I", Type: "case.opened", Subject: "case/CASE", Time: noon, Data: []byte(`{}`)}, []byte(`{}`)))
	for seq := range n {
		if seq == n/2 {
			_, _, err := c.Int("PRAGMA wal_checkpoint(TRUNCATE)")
			must(t, err)
		}
		r := record(seq + 1)
		var leaf []byte // of every other record: rows of before there was a column for it have none
		if seq%2 == 1 {
			leaf = rows.AppendLeaf(nil, rows.Leaf{N: seq, At: 3})
		}
		must(t, r.Insert(c, packed.Append(nil, r.Body), leaf))
	}
	db, err = os.ReadFile(path)
	must(t, err)
	wal, err = os.ReadFile(path + "-wal")
	must(t, err)
	return db, wal
}

func laid(t testing.TB, db, wal []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "b.db")
	must(t, os.WriteFile(path, db, 0o600))
	if wal != nil {
		must(t, os.WriteFile(path+"-wal", wal, 0o600))
	}
	return path
}

// TestFind: what is found of a store that is whole, of one without its WAL, and of one with
// a page that does not match its sum.
func TestFind(t *testing.T) {
	const n = 40
	db, wal := made(t, n)
	spoilt := bytes.Clone(db)
	at := bytes.LastIndex(spoilt, []byte("000003"))
	spoilt[at] ^= 1
	for name, tt := range map[string]struct {
		db, wal          []byte
		kept, lost, last int64
		cut              bool
	}{
		"whole":            {db, wal, n, 0, n, false},
		"without its WAL":  {db, nil, n / 2, 0, n / 2, true},
		"without the file": {nil, wal, n, 0, n, false},
		"a flipped byte":   {spoilt, wal, n, 0, n, false}, // the page's later version has the record
		"and no WAL":       {spoilt, nil, n/2 - 1, 1, n / 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := Find(laid(t, tt.db, tt.wal), true, sqlite.Mark{}, time.UTC)
			defer f.Close()
			if f.Kept != tt.kept || f.Lost != tt.lost || f.Last != tt.last || int64(len(f.Records)) != tt.kept {
				t.Errorf("kept %d lost %d last %d, want %d %d %d", f.Kept, f.Lost, f.Last, tt.kept, tt.lost, tt.last)
			}
			for _, p := range f.Records {
				row, r, ok := f.Record(p)
				if want := record(row.Seq); !ok || !bytes.Equal(row.Body, want.Body) || r.Stan != fmt.Sprintf("%06d", row.Seq) || !f.HasRecord(row.Seq) {
					t.Errorf("record %d: %v %q", row.Seq, ok, row.Body)
				}
			}
			if cut := f.LostUntil(noon.AddDate(0, 0, 1)); cut.IsZero() == tt.cut && tt.wal == nil {
				t.Errorf("lost until %v", cut)
			}
			if tt.db == nil || tt.wal == nil {
				return // the small rows are in the database file, if they are anywhere
			}
			if f.Links[1] != "pos" || f.Meta["stream"] != "S1" || string(f.Memory[MemoryKey{1, "batch"}].Value) != "7" {
				t.Errorf("links %v, meta %v, memory %v", f.Links, f.Meta, f.Memory)
			}
			if e, caseID, ok := f.Entry(1); !ok || caseID != "CASE" || e.ID != "I" || e.Class != refund.NoticeCase || !e.Time.Equal(noon) {
				t.Errorf("entry %+v of %q", e, caseID)
			}
		})
	}
}

// FuzzPage: whatever the bytes of a page are, reading its rows ends and stays in it.
func FuzzPage(f *testing.F) {
	db, _ := made(f, 60)
	for at := sqlite.PageSize; at+sqlite.PageSize <= len(db); at += sqlite.PageSize {
		f.Add(db[at : at+sqlite.PageSize])
	}
	kinds, cols := make([]int64, 0, mostColumns), []column{}
	f.Fuzz(func(t *testing.T, page []byte) {
		if len(page) < sqlite.PageSize {
			page = append(page, make([]byte, sqlite.PageSize-len(page))...)
		}
		page = page[:sqlite.PageSize-sqlite.PageSum]
		places, ok := cellPlaces(page)
		if ok && len(places) > sqlite.PageSize/2 {
			t.Fatalf("%d cells", len(places))
		}
		for at := range page {
			for _, kind := range []byte{page[0], leafTable, leafIndex, innerIndex} {
				c, ok := cellAt(page, kind, at, kinds)
				if !ok {
					continue
				}
				if shapeOf(kind, c.kinds); c.overflow == 0 {
					cols = c.columns(c.payload, cols)
					if len(cols) != len(c.kinds) {
						t.Fatalf("%d columns of %d", len(cols), len(c.kinds))
					}
				}
			}
		}
	})
}

// FuzzWreck: whatever lies in the two files, reading what is left of them ends.
func FuzzWreck(f *testing.F) {
	db, wal := made(f, 6)
	const head = sqlite.WALHeader + 3*sqlite.FrameLen
	f.Add(db, wal[:head])
	f.Add(db[:2*sqlite.PageSize], wal)
	f.Add(db, []byte{})
	f.Add(bytes.Repeat([]byte{13}, 3*sqlite.PageSize+5), wal[:len(wal)/2])
	f.Fuzz(func(t *testing.T, db, wal []byte) {
		found := Find(laid(t, db, wal), true, sqlite.Mark{}, time.UTC)
		defer found.Close()
		for i := range found.w.images {
			if img := &found.w.images[i]; img.live && !img.whole {
				t.Fatalf("page %d is taken as sure and is not whole", img.page)
			}
		}
		for _, p := range found.Records {
			if row, _, ok := found.Record(p); !ok || row.Seq < 1 {
				t.Fatalf("record %+v %v", row, ok)
			}
		}
		for seq := range found.Verdicts {
			found.Verdict(seq, func(string) ([]string, error) { return nil, nil })
		}
		for entry := range found.Entries {
			found.Entry(entry)
		}
		found.LostUntil(noon)
	})
}
