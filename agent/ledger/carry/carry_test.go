package carry

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func store(t testing.TB) *sqlite.Conn {
	t.Helper()
	schema, err := os.ReadFile("../migrations/0001.sql")
	must(t, err)
	c, err := sqlite.Open(filepath.Join(t.TempDir(), "a.db"), sqlite.ReadWrite)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.Script("PRAGMA user_version = 1; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "+string(schema)))
	return c
}

// export is a store with rows of every kind of value.
func export(t testing.TB) []byte {
	t.Helper()
	c := store(t)
	must(t, c.Script(`INSERT INTO meta VALUES('stream', 'S'); INSERT INTO link VALUES(1, 'pos'); INSERT INTO key VALUES(x'01', 1), (x'', 2);
 INSERT INTO cases VALUES('C', -5, NULL, 1, 3, 0, 0, 0, '')`))
	var b bytes.Buffer
	keys := [2][]byte{[]byte("token"), []byte("case")}
	must(t, Write(context.Background(), c, &b, time.Unix(0, 0), keys, nil))
	return b.Bytes()
}

func read(t testing.TB, b []byte) (c *sqlite.Conn, err error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), nil)
	if err != nil {
		return nil, err
	}
	c = store(t)
	if err := r.Tables(context.Background(), c); err != nil {
		return nil, err
	}
	keys, err := r.Keys(func(string) bool { return true })
	if err == nil && (string(keys[0]) != "token" || string(keys[1]) != "case") {
		t.Errorf("keys %q", keys)
	}
	return c, err
}

// TestACarriedStoreIsTheSame: an export of what was read is the same bytes.
func TestACarriedStoreIsTheSame(t *testing.T) {
	want := export(t)
	c, err := read(t, want)
	must(t, err)
	var b bytes.Buffer
	must(t, Write(context.Background(), c, &b, time.Unix(0, 0), [2][]byte{[]byte("token"), []byte("case")}, nil))
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got  %q\nwant %q", b.Bytes(), want)
	}
}

// TestACutExportIsNone: wherever it ends, and where more follows its end.
func TestACutExportIsNone(t *testing.T) {
	b := export(t)
	for n := range len(b) {
		if n%7 != 0 && n < len(b)-60 {
			continue
		}
		if _, err := read(t, b[:n]); !errors.Is(err, ErrCarried) {
			t.Fatalf("cut off after %d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := read(t, append(b, 0)); !errors.Is(err, ErrCarried) {
		t.Errorf("with a byte behind its end: %v", err)
	}
}

// FuzzRead: whatever the bytes are, reading them ends, and what is not an export is
// ErrCarried.
func FuzzRead(f *testing.F) {
	b := export(f)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte(magic + `{"schema":1,"tables":[{"name":"meta","columns":["name","value"],"rows":9000000000}]}` + "\n"))
	c := store(f)
	names, _ := tables(1)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c.InTransaction() { // the reading before ended in an error
			must(t, c.Commit())
		}
		for _, name := range names {
			must(t, c.Do("DELETE FROM "+name))
		}
		r, err := NewReader(bytes.NewReader(b), nil)
		if err == nil {
			if err = r.Tables(context.Background(), c); err == nil {
				_, err = r.Keys(func(string) bool { return true })
			}
		}
		if err != nil && !errors.Is(err, ErrCarried) {
			t.Errorf("%v", err)
		}
	})
}
