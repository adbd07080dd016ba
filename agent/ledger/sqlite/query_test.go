package sqlite

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func open(t testing.TB) *Conn {
	t.Helper()
	c, err := Open(filepath.Join(t.TempDir(), "a.db"), ReadWrite)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.Script("CREATE TABLE a(i INT, t TEXT, b BLOB); CREATE TABLE p(n INTEGER PRIMARY KEY, v TEXT NOT NULL)"))
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestArguments: each kind of argument arrives as what it is.
func TestArguments(t *testing.T) {
	long := strings.Repeat("x", 3*firstRoom)
	value := Value{Kind: Blob, Bytes: []byte{1, 2}}
	for name, tt := range map[string]struct {
		arg  any
		want string // typeof: quote
	}{
		"int64":            {int64(-5), "integer: -5"},
		"int":              {7, "integer: 7"},
		"bool":             {true, "integer: 1"},
		"text":             {"it's", "text: 'it''s'"},
		"empty text":       {"", "text: ''"},
		"long text":        {long, "text: '" + long + "'"},
		"JSON":             {JSON(`{"a":1}`), `text: '{"a":1}'`},
		"blob":             {[]byte{0xab}, "blob: X'AB'"},
		"empty blob":       {[]byte{}, "blob: X''"},
		"no blob":          {[]byte(nil), "null: NULL"},
		"positive":         {PositiveInt(3), "integer: 3"},
		"not positive":     {PositiveInt(0), "null: NULL"},
		"stated":           {StatedText("a"), "text: 'a'"},
		"not stated":       {StatedText(""), "null: NULL"},
		"a value":          {&value, "blob: X'0102'"},
		"a value, null":    {&Value{}, "null: NULL"},
		"a value, integer": {&Value{Kind: Integer, N: 9}, "integer: 9"},
		"a value, text":    {&Value{Kind: Text, Bytes: []byte("z")}, "text: 'z'"},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			for range 2 { // the second finds room for what is long
				got, err := c.Text("SELECT typeof(?1) || ': ' || quote(?1)", tt.arg)
				if must(t, err); got != tt.want {
					t.Errorf("got %.40s, want %.40s", got, tt.want)
				}
			}
		})
	}
	if err := open(t).Do("SELECT ?1", 1.5); err == nil {
		t.Error("a float is no argument")
	}
}

// TestQueries: what each form of a query returns, with rows and without.
func TestQueries(t *testing.T) {
	c := open(t)
	n, found, err := c.Int("SELECT i FROM a")
	if must(t, err); found || n != 0 {
		t.Errorf("Int of no row: %d %v", n, found)
	}
	if _, found, err = c.Int("SELECT max(i) FROM a"); found || err != nil {
		t.Errorf("Int of NULL: %v %v", found, err)
	}
	for i := range 3 {
		must(t, c.Do("INSERT INTO a VALUES(?1, ?2, ?3)", i, "t", []byte{byte(i)}))
	}
	if c.Changes() != 1 {
		t.Errorf("changes %d", c.Changes())
	}
	list, err := c.Ints("SELECT i FROM a WHERE i >= ?1", 1)
	if must(t, err); len(list) != 2 || list[0] != 1 || list[1] != 2 {
		t.Errorf("Ints %v", list)
	}
	texts, err := c.Texts("SELECT t || i FROM a")
	if must(t, err); strings.Join(texts, " ") != "t0 t1 t2" {
		t.Errorf("Texts %v", texts)
	}
	found, err = c.First("SELECT i, t, b FROM a WHERE i = 2", func(r *Row) error {
		if r.Int(0) != 2 || r.Text(1) != "t" || !bytes.Equal(r.Bytes(2), []byte{2}) || r.IsNull(2) || r.Value(2).Kind != Blob {
			t.Errorf("row %d %q %v", r.Int(0), r.Text(1), r.View(2))
		}
		return nil
	})
	if must(t, err); !found {
		t.Error("First found nothing")
	}
}

// TestRowErrorEndsTheQuery: and the statement can be used again.
func TestRowErrorEndsTheQuery(t *testing.T) {
	c := open(t)
	must(t, c.Do("INSERT INTO a(i) VALUES(1), (2)"))
	stop, seen := errors.New("enough"), 0
	for range 2 {
		if err := c.Each("SELECT i FROM a", func(*Row) error { seen++; return stop }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	if seen != 2 {
		t.Errorf("%d rows", seen)
	}
}

// TestAQueryInsideItself is an error, not another's rows.
func TestAQueryInsideItself(t *testing.T) {
	c := open(t)
	must(t, c.Do("INSERT INTO a(i) VALUES(1), (2)"))
	const sql = "SELECT i FROM a"
	err := c.Each(sql, func(*Row) error { return c.Each(sql, func(*Row) error { return nil }) })
	if err == nil {
		t.Error("no error")
	}
	if list, err := c.Ints(sql); err != nil || len(list) != 2 {
		t.Errorf("afterwards %v %v", list, err)
	}
}

// TestErrorClasses: the classes of what SQLite returns, without a value in the text.
func TestErrorClasses(t *testing.T) {
	c := open(t)
	must(t, c.Do("INSERT INTO p VALUES(1, ?1)", "secret"))
	err := c.Do("INSERT INTO p VALUES(1, ?1)", "secret")
	if !errors.Is(err, ErrContradiction) || !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDiskFull) {
		t.Errorf("the key of another row: %v", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("a value in %q", err)
	}
	must(t, c.Script("PRAGMA max_page_count = 4"))
	if err := c.Do("INSERT INTO p VALUES(2, ?1)", strings.Repeat("x", 1<<16)); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrDamaged) {
		t.Errorf("no room: %v", err)
	}
	var e *Error
	if err := c.Do("SELECT * FROM none"); !errors.As(err, &e) || !e.NoSuchTable() || errors.Is(err, ErrUnavailable) {
		t.Errorf("no table: %v", err)
	}
}

// TestQueriesAllocateNothing: a statement with arguments costs no memory of Go's.
func TestQueriesAllocateNothing(t *testing.T) {
	c := open(t)
	must(t, c.Begin()) // a commit calls the system, which does cost some
	var n int64
	blob, text := []byte{1, 2, 3}, JSON("{}")
	id, name := int64(4711), "name"
	got := testing.AllocsPerRun(100, func() {
		must(t, c.Do("INSERT INTO a VALUES(?1, ?2, ?3)", id, name, blob))
		must(t, c.Do("INSERT INTO a VALUES(?1, ?2, ?3)", PositiveInt(id), text, StatedText(name)))
		must(t, c.Each("SELECT i FROM a WHERE i = ?1 LIMIT 3", func(r *Row) error { n += r.Int(0); return nil }, id))
		_, err := c.First("SELECT b FROM a WHERE i = ?1", func(r *Row) error { n += int64(len(r.View(0))); return nil }, id)
		must(t, err)
	})
	if got > 0 {
		t.Errorf("%.0f allocations", got)
	}
}
