package transfer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

const passphrase = "twelve bytes and more"

// exported is a store with one sale, and its export.
func exported(t *testing.T) (file []byte, rows int64) {
	t.Helper()
	dir := t.TempDir()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Received: time.Now(),
		Record: refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, Amount: 100, HasAmount: true, Currency: "CNY", Channel: "card", RRN: "1"}}}}})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "export")
	if rows, err = Export(t.Context(), dir, name, passphrase, func(int64, int64) {}); err != nil || rows == 0 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if _, err := Export(t.Context(), dir, name, passphrase, func(int64, int64) {}); !errors.Is(err, ErrThere) {
		t.Errorf("over a file: %v", err)
	}
	if file, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return file, rows
}

func TestImport(t *testing.T) {
	file, rows := exported(t)
	changed := bytes.Clone(file)
	changed[len(changed)-20] ^= 1
	for _, tc := range []struct {
		name, passphrase string
		file             []byte
		want             error
	}{
		{"whole", passphrase, file, nil},
		{"another passphrase", "another passphrase", file, ErrPassphrase},
		{"cut off", passphrase, file[:len(file)-1], ledger.ErrCarried},
		{"changed", passphrase, changed, ledger.ErrCarried},
		{"no export", passphrase, []byte("nothing of the kind"), ledger.ErrCarried},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			got, err := Import(t.Context(), ledger.Options{Dir: dir, Now: time.Now}, bytes.NewReader(tc.file), tc.passphrase, func(int64, int64) {})
			if !errors.Is(err, tc.want) || tc.want == nil && got != rows {
				t.Fatalf("%d rows, %v; want %v", got, err, tc.want)
			}
			db, err := ledger.OpenReadOnly(t.Context(), dir)
			if (err == nil) != (tc.want == nil) {
				t.Errorf("a store afterwards: %v", err)
			}
			if err == nil {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
