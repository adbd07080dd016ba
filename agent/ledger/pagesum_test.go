package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// TestEveryPageHasItsSum: after months of use (records, cases, acknowledgements,
// what wires remember, retention that frees pages, a cache that is too small for its
// transactions, new openings) every page of the file has its sum, those that are in
// no use included.
func TestEveryPageHasItsSum(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "s")
	r := rand.New(rand.NewPCG(3, 1))
	now := start
	o := testOptions(dir)
	o.Retention, o.Now = 20*day, func() time.Time { return now }
	months := 6
	if os.Getenv(soakEnv) != "" {
		months = 60
	}
	n, removed := 0, 0
	for range months {
		d, err := Open(ctx, o)
		must(t, err)
		if len(d.Damage()) > 0 {
			t.Fatalf("damage %+v", d.Damage())
		}
		must(t, d.w.Script("PRAGMA cache_size = 12"))
		for range 8 {
			a := sales(d.Keys(), n, 200)
			for i := range a {
				a[i].Sightings[0].Received = now.Add(time.Duration(i) * time.Second)
				a[i].Sightings[0].Record.At = a[i].Sightings[0].Received.Format(time.RFC3339)
			}
			for k := range r.IntN(4) {
				value := make([]byte, r.IntN(20_000))
				a[0].Memory = append(a[0].Memory, refund.MemoryChange{Key: fmt.Sprint(k), Value: value, Expires: now.Add(30 * day)})
			}
			_, err := d.Apply(ctx, a)
			must(t, err)
			n += 200
			wrongRefund(t, d, 100_000+n)
			if list := due(t, d); len(list) > 0 && r.IntN(2) == 0 {
				sent(t, d, list[0].Entry)
				_, err := d.Acked(ctx, d.Stream(), list[0].Sequence, "")
				must(t, err)
			}
			now = now.Add(5 * day)
			for {
				gone, err := d.Retain(ctx, now, 300)
				must(t, err)
				if removed += gone; gone == 0 {
					break
				}
			}
		}
		must(t, d.Close())
		sumsFit(t, filepath.Join(dir, storeFile))
	}
	if removed < n/2 {
		t.Errorf("retention removed %d of %d records: the test shows too little", removed, n)
	}
}

// TestAPageInAnotherPlaceIsFound: whole and at home in the store, but not there.
func TestAPageInAnotherPlaceIsFound(t *testing.T) {
	files := storeFiles(t, true)
	b := append([]byte(nil), files[storeFile]...)
	copy(b[5*sqlite.PageSize:6*sqlite.PageSize], b[6*sqlite.PageSize:7*sqlite.PageSize])
	files[storeFile] = b
	if d := usable(t, laidOut(t, files)); len(d.Damage()) != 1 {
		t.Errorf("damage %+v", d.Damage())
	}
}

// TestTheSumsAreNotHiddenByOneBit: the header shows twice that there are sums.
func TestTheSumsAreNotHiddenByOneBit(t *testing.T) {
	files := storeFiles(t, true)
	for at := range sqlite.HeaderSize * 8 {
		header := append([]byte(nil), files[storeFile][:sqlite.HeaderSize]...)
		if header[at/8] ^= 1 << (at % 8); !sqlite.HasSums(header) {
			t.Errorf("bit %d hides them", at)
		}
	}
	old, _ := version1(t, "closed")
	if sqlite.HasSums(old[storeFile][:sqlite.HeaderSize]) {
		t.Error("a store of the first version has sums")
	}
}
