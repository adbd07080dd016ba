package ledger

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
)

func TestFacts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	d := openTest(t, testOptions(dir))
	if _, err := d.Apply(t.Context(), arrivalOf(d, saleOf(1, start), saleOf(2, start), refundOf(1, 3, card(9), start))); err != nil {
		t.Fatal(err)
	}
	if took, err := d.Probe(t.Context()); err != nil || took <= 0 {
		t.Errorf("probe: %v, %v", took, err)
	}
	reader, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for name, db := range map[string]*DB{"the daemon's": d, "a reader's": reader} {
		f, err := db.Facts(t.Context())
		if err != nil || f.Check != CheckOK || f.Schema == 0 || f.Newest != 3 || f.Oldest != 1 || f.Rows["record"] != 3 || f.Rows["cases"] != 1 ||
			f.Bytes+f.WALBytes == 0 || f.SQLite == "" {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if _, err := reader.Probe(t.Context()); err == nil {
		t.Error("a reader wrote")
	}
	if f, err := d.Facts(t.Context()); err != nil || f.Newest != 3 {
		t.Errorf("the probe changed something: %+v, %v", f, err)
	}
}

// Damage is returned and nothing is done about it: that is for the next opening.
func TestFactsOfADamagedStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	d, err := Open(t.Context(), testOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 400 {
		if _, err := d.Apply(t.Context(), arrivalOf(d, saleOf(n+1, start))); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, storeFile)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 2; i < len(b)/2+9000; i++ {
		b[i] ^= 0xa5
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, err := r.Facts(t.Context()); err != nil || f.Check == CheckOK || f.Check == NotChecked {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestAStatementEndsWithItsContext(t *testing.T) {
	c, err := openConn(":memory:", sqlite.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	defer c.InterruptAt(ctx)()
	begin := time.Now()
	_, _, err = c.Int(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`)
	if took := time.Since(begin); err == nil || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
