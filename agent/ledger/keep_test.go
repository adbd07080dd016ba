package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// TestRotationNeverMakesAnEqualPayerDifferent: sale before, refund after, and the
// other way round, over several rotations and reopenings.
func TestRotationNeverMakesAnEqualPayerDifferent(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	recipient := func(a refund.Applied) refund.Recipient {
		t.Helper()
		if len(a.Verdicts) != 1 {
			t.Fatalf("verdicts %+v", a.Verdicts)
		}
		return a.Verdicts[0].Verdict.Recipient
	}
	apply(t, d, saleOf(1, start), refundOf(2, 50, card(2), start.Add(time.Hour))) // the second waits for its sale
	for range 3 {
		must(t, d.Rotate(ctx))
	}
	must(t, d.Close())
	d = openTest(t, testOptions(dir))
	if ids := fmt.Sprint(d.Keys().IDs()); ids != "[4 3 2 1]" {
		t.Fatalf("keys %s", ids)
	}
	a := apply(t, d, refundOf(1, 51, card(1), start.Add(time.Hour)), saleOf(2, start))
	if recipient(a[0]) != refund.Same || recipient(a[1]) != refund.Same {
		t.Fatalf("%s %s", recipient(a[0]), recipient(a[1]))
	}
	if tokens := d.Keys().Tokens("pan", card(1)); len(tokens) != 4 || !strings.HasPrefix(tokens[0], "k4:") || len(tokens[0]) != 3+32 {
		t.Errorf("tokens %v", tokens)
	}
	// Both have tokens under all keys; a verdict made again much later agrees.
	void := refundOf(1, 51, card(1), start.Add(time.Hour))
	void.Kind, void.Original, void.Party = refund.KindReversal, refund.Original{}, nil
	apply(t, d, void)
}

func TestAKeyGoesWithTheLastRecordThatNeedsIt(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	o := testOptions(dir)
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	apply(t, d, saleOf(1, start))
	must(t, d.Rotate(ctx))
	apply(t, d, saleOf(2, start)) // may have been sealed before
	now = now.Add(2 * time.Hour)
	if _, err := d.Retain(ctx, now, 10); err != nil {
		t.Fatal(err)
	}
	if n := len(d.Keys().IDs()); n != 2 {
		t.Fatalf("%d keys", n)
	}
	now = start.Add(542 * day)
	a := sales(d.Keys(), 100, 1)
	a[0].Sightings[0].Record.At = now.Format(time.RFC3339)
	a[0].Sightings[0].Received = now
	if _, err := d.Apply(ctx, a); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Retain(ctx, now, 10); err != nil || n != 2 {
		t.Fatalf("removed %d %v", n, err)
	}
	if ids := fmt.Sprint(d.Keys().IDs()); ids != "[2]" {
		t.Errorf("keys %s", ids)
	}
	must(t, d.Close())
	d = openTest(t, o)
	if ids := fmt.Sprint(d.Keys().IDs()); ids != "[2]" || len(d.Damage()) > 0 {
		t.Errorf("keys %s after reopening", ids)
	}
}

func TestALostKeyHasAnIDThatNoneHadBefore(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	must(t, d.Close())
	path := filepath.Join(dir, "keys", "token")
	must(t, os.Remove(path))
	d = openTest(t, testOptions(dir))
	if ids := d.Keys().IDs(); len(ids) != 1 || ids[0] < 1_000_000 {
		t.Errorf("ids %v", ids)
	}
	must(t, d.Close())
	// A ring with a bad line keeps the others.
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append([]byte("k9 zz\n"), b...), 0o600))
	before := d.Keys().IDs()[0]
	d = openTest(t, testOptions(dir))
	if ids := d.Keys().IDs(); len(ids) != 2 || ids[1] != before || len(d.Damage()) != 1 {
		t.Errorf("ids %v, damage %v", ids, d.Damage())
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	secret := fmt.Sprintf("%x", (*d.keys.ring.Load())[0].secret)
	for _, s := range []string{fmt.Sprint(d.Keys()), fmt.Sprintf("%v %+v %#v", d.Keys(), d.Keys(), d.Keys()), slog.AnyValue(d.Keys()).String()} {
		if strings.Contains(s, secret) {
			t.Errorf("%q", s)
		}
	}
}

func TestRetainKeepsWhatOpenCasesNeed(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	fill(t, d, 5000, 300)
	wrongRefund(t, d, 1) // an open case
	apply(t, d, saleOf(40, start), refundOf(40, 41, card(40), start.Add(time.Minute)))
	late := start.Add(600 * day)
	if n, err := d.Retain(ctx, late, 1000); err != nil || n != 0 {
		t.Fatalf("a clock far ahead of the records removed %d (%v)", n, err)
	}
	a := sales(d.Keys(), 9000, 1)
	a[0].Sightings[0].Record.At, a[0].Sightings[0].Received = late.Format(time.RFC3339), late
	if _, err := d.Apply(ctx, a); err != nil {
		t.Fatal(err)
	}
	total := 0
	for range 100 {
		n, err := d.Retain(ctx, late, 50)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n == 0 && !d.now.sweeping {
			break
		}
	}
	if total != 302 {
		t.Errorf("removed %d, want 302", total)
	}
	left := []int64{}
	for r, err := range d.Records(ctx, 1) {
		must(t, err)
		left = append(left, r.Seq)
	}
	if fmt.Sprint(left) != "[301 302 305]" {
		t.Errorf("left %v", left)
	}
	keys, _, err := d.w.Int(`SELECT count(*) FROM key WHERE seq NOT IN (SELECT seq FROM record)`)
	if err != nil || keys != 0 {
		t.Errorf("%d keys of nothing (%v)", keys, err)
	}
	if d.now.bounds.RemovedDay != start.Add(5300*time.Second).Format(time.DateOnly) {
		t.Errorf("removed day %q", d.now.bounds.RemovedDay)
	}
	n, err := d.Counts(ctx, start)
	if open := stat(t, d).Open[refund.Critical]; err != nil || n.Records != 3 || n.Refunds != 2 || n.Cases != 1 || open != 1 {
		t.Errorf("counts %+v %v", n, err)
	}
}

func TestMemoryOfAWire(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	change := func(m ...refund.MemoryChange) {
		t.Helper()
		if _, err := d.Apply(ctx, []refund.Arrival{{Link: "pos", Memory: m}}); err != nil {
			t.Fatal(err)
		}
	}
	change(refund.MemoryChange{Key: "a", Value: []byte("1")}, refund.MemoryChange{Key: "b", Value: []byte("2"), Expires: start.Add(time.Hour)},
		refund.MemoryChange{Key: "c", Value: []byte{}}, refund.MemoryChange{Key: "old", Value: []byte("x"), Expires: start.Add(-time.Hour)})
	change(refund.MemoryChange{Key: "a", Value: []byte("3")}, refund.MemoryChange{Key: "c"})
	must(t, d.Close())
	d = openTest(t, testOptions(dir))
	all, err := d.MemoryOf(ctx, "pos")
	if err != nil || len(all) != 2 || string(all["a"]) != "3" || string(all["b"]) != "2" {
		t.Errorf("%v %v", all, err)
	}
	if _, ok, err := d.Memory(ctx, "other", "a"); ok || err != nil {
		t.Errorf("another link has it (%v)", err)
	}
	if v, ok, err := d.Memory(ctx, "pos", "a"); !ok || string(v) != "3" || err != nil {
		t.Errorf("%q %v %v", v, ok, err)
	}
}

func TestAPayerIsFoundByTokenInMemoryAndInBlocks(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	fill(t, d, 0, 3100)
	check := func() {
		t.Helper()
		if n, _, err := d.w.Int(`SELECT count(*) FROM payer`); err != nil || n != 2 {
			t.Fatalf("%d blocks (%v)", n, err)
		}
		h := &history{c: d.w, bounds: &d.now.bounds, payers: &d.now.payers, index: d.index, recent: &d.recent}
		for _, n := range []int{0, 1, 1499, 1500, 2999, 3000, 3099} {
			var found []int64
			for e, err := range h.Payers(d.Keys().Tokens("pan", card(n))) {
				must(t, err)
				found = append(found, e.Seq)
			}
			if fmt.Sprint(found) != fmt.Sprintf("[%d]", n+1) {
				t.Errorf("payer of sale %d: %v", n, found)
			}
		}
	}
	check()
	must(t, d.Close())
	d = openTest(t, testOptions(dir))
	check()
	// The judge asks for it when a refund points at nothing.
	r := refundOf(0, 5000, card(1500), start.Add(50*time.Hour))
	r.Original = refund.Original{}
	a := apply(t, d, r)
	_, _, err := d.ReleaseDue(context.Background(), time.Hour)
	must(t, err)
	v, ok, err := loadVerdict(d.w, a[0].Seq)
	if err != nil || !ok || v.Verdict.Original == nil || v.Verdict.Original.Seq != 1501 {
		t.Errorf("%+v %v", v.Verdict, err)
	}
}

func TestMountIsProvedBeforeAnythingIsMade(t *testing.T) {
	disk := t.TempDir()
	o := testOptions(filepath.Join(disk, "s"))
	o.Mount = disk
	if _, err := Open(context.Background(), o); !errors.Is(err, ErrNotMounted) || exists(o.Dir) {
		t.Fatalf("got %v; made: %v", err, exists(o.Dir))
	}
	o.Mount = smallDisk(t, "8m")
	if _, err := Open(context.Background(), o); !errors.Is(err, ErrNotMounted) || exists(o.Dir) {
		t.Fatalf("elsewhere: %v", err)
	}
	o.Dir = filepath.Join(o.Mount, "s")
	d, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	must(t, d.Close())
}

func TestTemporaryStoreLeavesNothing(t *testing.T) {
	ctx := context.Background()
	parent := t.TempDir()
	d, err := OpenTemporary(ctx, Options{Dir: parent, Judge: newJudge()})
	if err != nil {
		t.Fatal(err)
	}
	a := apply(t, d, saleOf(1, start), refundOf(1, 2, card(9), start), refundOf(800, 3, card(9), start))
	if len(a[1].Verdicts) != 1 || len(a[2].Verdicts) != 0 {
		t.Fatalf("%+v", a)
	}
	b, err := releaseAll(ctx, d)
	if err != nil || len(b) != 1 || b[0].Verdicts[0].Verdict.Seq != 3 {
		t.Fatalf("%+v %v", b, err)
	}
	n := 0
	for v, err := range d.Verdicts(ctx, 1) {
		must(t, err)
		if n++; v.Unreleased {
			t.Error("still held")
		}
	}
	if n != 2 {
		t.Errorf("%d verdicts", n)
	}
	must(t, d.Close())
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestMigrations makes a store of each version and brings it to the newest and one
// further.
func TestMigrations(t *testing.T) {
	steps, err := migrations()
	must(t, err)
	more := append(steps[:len(steps):len(steps)], `ALTER TABLE daily ADD COLUMN voids INT NOT NULL DEFAULT 0;`)
	for v := 1; v <= len(steps); v++ {
		c, err := openConn(filepath.Join(t.TempDir(), "x.db"), sqlite.ReadWrite)
		must(t, err)
		must(t, migrate(c, steps[:v]))
		must(t, c.Script(`INSERT INTO daily VALUES('2026-08-23', 3, 1)`))
		must(t, migrate(c, more))
		n, _, err := c.Int(`SELECT refunds + voids FROM daily`)
		version, _, _ := c.Int(`PRAGMA user_version`)
		if n != 3 || err != nil || version != int64(len(more)) {
			t.Errorf("version %d: %d %d %v", v, n, version, err)
		}
		if err := migrate(c, steps); !errors.Is(err, ErrNewer) {
			t.Errorf("a newer store: %v", err)
		}
		must(t, c.Script(`PRAGMA user_version = 1`))
		if err := migrate(c, []string{steps[0], `CREATE TABLE half(x); nonsense`}); err == nil {
			t.Error("a bad step was taken")
		}
		if n, _, _ := c.Int(`SELECT count(*) FROM sqlite_schema WHERE name = 'half'`); n != 0 {
			t.Error("half a step was kept")
		}
		must(t, c.Close())
	}
}
