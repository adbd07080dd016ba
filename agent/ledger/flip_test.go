package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Sales and probes of the stores that are damaged below. A probe is a refund whose
// answer is known: the first half goes to the payer, the second to another card.
const (
	flipSales = 110
	probes    = 12
)

func probe(i int) (r refund.Record, want refund.Recipient) {
	sale := 3 + 4*i
	if i < probes/2 {
		return refundOf(sale, 5000+i, card(sale), start), refund.Same
	}
	return refundOf(sale, 5000+i, card(900_000+i), start), refund.Different
}

// flipStore makes a closed store with something in every table and pages of every kind.
func flipStore(t *testing.T, o Options, sales int) {
	t.Helper()
	ctx := context.Background()
	d, err := Open(ctx, o)
	must(t, err)
	fill(t, d, 0, sales)
	long := make([]byte, 9000) // takes overflow pages
	rand.NewChaCha8([32]byte{4}).Read(long)
	_, err = d.Apply(ctx, []refund.Arrival{{Link: "smart", Memory: []refund.MemoryChange{{Key: "long", Value: long}, {Key: "short", Value: long[:9]}}}})
	must(t, err)
	for i := range 5 {
		apply(t, d, refundOf(1+8*i, 4000+i, card(800_000+i), start))
	}
	apply(t, d, refundOf(77_777, 4900, card(77_777), start)) // of a sale that may still come: held
	d.now.payers.sales = blockSales
	fill(t, d, sales, 1)
	must(t, event(d, "link.lost"))
	sent(t, d, 1, 2)
	due(t, d)
	nacked(t, d, 3)
	acked(t, d, 1)
	d.o.OutboxMaxCount = 1
	apply(t, d, refundOf(50, 4990, card(800_050), start))                                                                       // untold
	must(t, d.w.Script(`CREATE TABLE gone(x); INSERT INTO gone SELECT randomblob(1000) FROM record LIMIT 12; DROP TABLE gone`)) // free pages
	must(t, d.Close())
}

// answers opens a store, asks the probes and returns what was answered and what waits for
// the back office. A damaged store may fail a call; the next one is answered.
func answers(t *testing.T, o Options) (d *DB, answer [probes]refund.Recipient, waits string) {
	t.Helper()
	ctx := context.Background()
	d, err := Open(ctx, o)
	if err != nil {
		t.Fatalf("does not open: %v", err)
	}
	var all []refund.Record
	for i := range probes {
		r, _ := probe(i)
		all = append(all, r)
	}
	batch := arrivalOf(d, all...)
	a, err := d.Apply(ctx, batch)
	if err != nil {
		a, err = d.Apply(ctx, batch)
	}
	if err != nil {
		t.Fatalf("the refunds are not stored: %v", err)
	}
	for i := range a {
		j, found, err := loadVerdict(d.w, a[i].Seq)
		if err != nil || !found {
			t.Fatalf("refund %d has no verdict: %v", i, err)
		}
		answer[i] = j.Verdict.Recipient
	}
	var b strings.Builder
	rows, err := d.OutboxList(ctx, 1000)
	for _, r := range rows {
		if r.Notice.Type != "store.damaged" {
			fmt.Fprintf(&b, "%s %d %s %s %x\n", r.State, r.Notice.Sequence, r.Notice.Type, r.Notice.Subject, sqlite.Checksum(0, r.Notice.Data))
		}
	}
	value, _, e := d.Memory(ctx, "smart", "long")
	fmt.Fprintf(&b, "%s %x %v %d %v %v\n", d.Stream(), sqlite.Checksum(0, value), d.now.bounds, len(d.unreleased), err, e)
	return d, answer, b.String()
}

// flipped opens a store with this database file and holds it to the rule: it starts;
// every answer is right, and nothing else has changed, or the damage is reported. No
// answer is ever the opposite of the right one.
func flipped(t *testing.T, o Options, files map[string][]byte, db []byte, whole string) (reported bool) {
	t.Helper()
	for name, b := range files {
		if name == storeFile {
			b = db
		}
		path := filepath.Join(o.Dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, b, 0o600))
	}
	d, got, waits := answers(t, o)
	defer d.Close()
	reported = len(d.Damage()) > 0
	for i, have := range got {
		_, want := probe(i)
		switch {
		case have == want:
		case !reported:
			t.Errorf("refund %d: %s, want %s, and nothing is reported", i, have, want)
		case have == refund.Same || have == refund.Different:
			t.Errorf("refund %d: %s, want %s", i, have, want)
		}
	}
	if !reported && waits != whole {
		t.Errorf("nothing is reported, and it is\n%swas\n%s", waits, whole)
	}
	return reported
}

// memoryDir is a folder in memory, where there is one: thousands of stores are opened in
// it, and no disk is to be tried.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "yuanlu-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// pageKinds returns the kind of each page of a database file (sqlite.org/fileformat2.html,
// §§ 1.5–1.8), the first page first.
func pageKinds(b []byte) (kinds []string) {
	be := binary.BigEndian
	kinds = make([]string, len(b)/sqlite.PageSize)
	for i := range kinds {
		switch b[i*sqlite.PageSize] {
		case 2:
			kinds[i] = "index, inner"
		case 5:
			kinds[i] = "table, inner"
		case 10:
			kinds[i] = "index, leaf"
		case 13:
			kinds[i] = "table, leaf"
		default:
			kinds[i] = "overflow"
		}
	}
	kinds[0], kinds[1] = "header and schema", "pointer map"
	for trunk := be.Uint32(b[32:]); trunk != 0; {
		page := b[(trunk-1)*sqlite.PageSize:]
		kinds[trunk-1] = "free list"
		for k := range be.Uint32(page[4:]) {
			kinds[be.Uint32(page[8+4*k:])-1] = "free"
		}
		trunk = be.Uint32(page)
	}
	return kinds
}

// TestKillRule09_EveryByteOfEveryPage changes every byte of a page of each kind, each time
// of another page of that kind, and asks. Half of the trials open the store as a large
// one is opened, whose pages are looked at when they are needed. YUANLU_SOAK=1: every
// byte twice, else a tenth of them.
func TestKillRule09_EveryByteOfEveryPage(t *testing.T) {
	turns, tenth, seed := 1, 10, uint64(1)
	if os.Getenv(soakEnv) != "" {
		turns, tenth, seed = 2, 1, uint64(time.Now().UnixNano())
	}
	root := memoryDir(t)
	o := testOptions(filepath.Join(root, "s"))
	flipStore(t, o, flipSales)
	files := filesOf(t, o.Dir)
	files[ballastFile] = nil // none of 4 MiB for each trial
	db := files[storeFile]
	sumsFit(t, filepath.Join(o.Dir, storeFile))
	d, _, whole := answers(t, o)
	must(t, d.Close())
	of := map[string][]int{}
	for page, kind := range pageKinds(db) {
		of[kind] = append(of[kind], page)
	}
	r := rand.New(rand.NewPCG(seed, 10))
	trials, reported := 0, map[string]int{}
	for _, kind := range []string{"header and schema", "pointer map", "index, inner", "table, inner", "index, leaf", "table, leaf", "overflow", "free list", "free"} {
		pages := of[kind]
		if len(pages) == 0 {
			t.Fatalf("the store has no page of the kind %q", kind)
		}
		for at := range turns * sqlite.PageSize {
			if r.IntN(tenth) > 0 {
				continue
			}
			at := pages[r.IntN(len(pages))]*sqlite.PageSize + at%sqlite.PageSize
			b := append([]byte(nil), db...)
			b[at] ^= byte(1 << r.IntN(8))
			o := o
			o.Dir, o.wholeCheck = filepath.Join(root, fmt.Sprint(at)), int64(r.IntN(2)) // 0: as a small store
			if trials++; flipped(t, o, files, b, whole) {
				reported[kind]++
			}
			if t.Failed() {
				t.Fatalf("byte %d of page %d (%s), %d for %d, wholeCheck %d, seed %d", at%sqlite.PageSize, at/sqlite.PageSize+1, kind, b[at], db[at], o.wholeCheck, seed)
			}
			must(t, os.RemoveAll(o.Dir))
		}
	}
	t.Logf("%d bytes changed; reported: %v (seed %d)", trials, reported, seed)
}

// flipOnce changes one bit of a text of the store's file, so many bytes behind its
// beginning, where it lies in a page of this kind, and asks.
func flipOnce(t *testing.T, sales int, kind, needle string, behind int, bit byte) (reported bool) {
	t.Helper()
	root := memoryDir(t)
	o := testOptions(filepath.Join(root, "s"))
	flipStore(t, o, sales)
	files := filesOf(t, o.Dir)
	d, got, whole := answers(t, o)
	must(t, d.Close())
	for i, have := range got {
		if _, want := probe(i); have != want {
			t.Fatalf("refund %d of the whole store: %s, want %s", i, have, want)
		}
	}
	b := append([]byte(nil), files[storeFile]...)
	if large := len(b) > wholeCheck; large != (sales > 1000) {
		t.Fatalf("a store of %d bytes", len(b))
	}
	kinds, at := pageKinds(b), -1
	for {
		next := bytes.Index(b[at+1:], []byte(needle))
		if next < 0 {
			t.Fatalf("%q is in no page of the kind %q", needle, kind)
		}
		if at += 1 + next; kinds[at/sqlite.PageSize] == kind {
			break
		}
	}
	b[at+behind] ^= bit
	o.Dir = filepath.Join(root, "flipped")
	return flipped(t, o, files, b, whole)
}

// TestRule09_OneBitOfTheNewestSequence: outbox.last, 6 → 2. Every wrong refund failed on
// a unique key from then on, and nothing was logged.
func TestRule09_OneBitOfTheNewestSequence(t *testing.T) {
	if !flipOnce(t, flipSales, "index, leaf", "outbox.last", len("outbox.last"), 4) {
		t.Error("nothing is reported")
	}
}

// TestRule09_OneBitOfTheJournalsBeginning: 2026 → 2024. Every refund of a sale before the
// journal was called one without an original, an alarm.
func TestRule09_OneBitOfTheJournalsBeginning(t *testing.T) {
	if !flipOnce(t, flipSales, "index, leaf", `"FirstAt":"2026`, len(`"FirstAt":"202`), 2) {
		t.Error("nothing is reported")
	}
}

// TestRule09_OneBitOfASalesKeyInALargeStore: such a store is not looked at whole when it
// is opened. The sale was not found any more, so "different" became "unverifiable".
func TestRule09_OneBitOfASalesKeyInALargeStore(t *testing.T) {
	r, _ := probe(probes - 1)
	if !flipOnce(t, 55_000, "index, leaf", r.Original.RRN, len(r.Original.RRN)-1, 1) {
		t.Error("nothing is reported")
	}
}
