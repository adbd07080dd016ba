package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

// carryStore exports the store in from and imports it into to.
func carryStore(from, to string) error {
	b, err := exported(from)
	if err != nil {
		return err
	}
	return Import(context.Background(), Options{Dir: to}, bytes.NewReader(b), nil)
}

func exported(dir string) ([]byte, error) {
	d, err := OpenReadOnly(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var b bytes.Buffer
	err = d.Export(context.Background(), &b, nil)
	return b.Bytes(), err
}

// someStore makes a store with cases that are acknowledged and cases that wait, two
// keys, and a verdict that is held.
func someStore(t *testing.T) (dir string, d *DB) {
	t.Helper()
	dir = t.TempDir()
	d = openTest(t, testOptions(dir))
	wrongRefund(t, d, 1)
	must(t, d.Rotate(context.Background()))
	wrongRefund(t, d, 10)
	n := due(t, d)
	must(t, d.Sent(context.Background(), d.Stream(), []int64{n[0].Entry}, start.Add(time.Hour)))
	_, err := d.Acked(context.Background(), d.Stream(), 1, "")
	must(t, err)
	apply(t, d, refundOf(9000, 50, card(3), start))
	_, err = d.Apply(context.Background(), []refund.Arrival{{Link: "pos", Memory: []refund.MemoryChange{{Key: "id", Value: []byte("7")}}}})
	must(t, err)
	return dir, d
}

func TestACarriedStoreGoesOn(t *testing.T) {
	ctx := context.Background()
	from, d := someStore(t) // and is open meanwhile
	to := filepath.Join(t.TempDir(), "s")
	must(t, carryStore(from, to))
	moved := openTest(t, testOptions(to))
	if len(moved.Damage()) > 0 {
		t.Fatalf("damage %+v", moved.Damage())
	}
	if got, want := fmt.Sprint(moved.Keys().IDs()), fmt.Sprint(d.Keys().IDs()); got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	ids := func(d *DB) (all []string) {
		for r, err := range d.Records(ctx, 1) {
			must(t, err)
			all = append(all, fmt.Sprint(r.Seq, r.CaseID, r.FrameMAC, r.Received))
		}
		rows, err := d.Cases(ctx, CaseFilter{})
		must(t, err)
		for _, r := range rows {
			all = append(all, fmt.Sprint(r.CaseID, r.Seq, r.Open, string(r.Verdict.AppendJSON(nil))))
		}
		return all
	}
	if got, want := fmt.Sprint(ids(moved)), fmt.Sprint(ids(d)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if moved.Stream() == d.Stream() {
		t.Error("the stream is the other terminal's")
	}
	n := due(t, moved)
	if len(n) != 1 || n[0].Sequence != 1 || n[0].Subject != due(t, d)[0].Subject || n[0].ID == due(t, d)[0].ID {
		t.Errorf("due %+v", n)
	}
	if all, err := moved.MemoryOf(ctx, "pos"); err != nil || len(all) != 0 {
		t.Errorf("memory %v %v", all, err)
	}
	// The payer of a sale from before, and the sale that a refund from before waits for.
	a := apply(t, moved, refundOf(1, 60, card(1), start), saleOf(9000, start))
	if a[0].Seq != 6 || a[0].Verdicts[0].Verdict.Recipient != refund.Same {
		t.Errorf("%+v", a[0].Verdicts)
	}
	if len(a[1].Verdicts) != 1 || a[1].Verdicts[0].Verdict.Recipient != refund.Different || a[1].Cases[0].Sequence != 3 {
		t.Errorf("%+v", a[1])
	}
	// The same refund from the new terminal's firmware is the same case.
	again := apply(t, moved, refundOf(10, 11, card(500010), start))
	if again[0].CopyOf != 4 {
		t.Errorf("a copy of %d", again[0].CopyOf)
	}
	if text, err := moved.w.Text("PRAGMA integrity_check"); text != "ok" || err != nil {
		t.Errorf("integrity: %s %v", text, err)
	}
}

func TestADamagedExportIsRefusedWhole(t *testing.T) {
	from, _ := someStore(t)
	whole, err := exported(from)
	must(t, err)
	parent := t.TempDir()
	to := filepath.Join(parent, "s")
	refused := func(what string, b []byte) {
		t.Helper()
		err := Import(context.Background(), Options{Dir: to}, bytes.NewReader(b), nil)
		if !errors.Is(err, ErrCarried) {
			t.Fatalf("%s: %v", what, err)
		}
		if left, _ := os.ReadDir(parent); len(left) > 0 {
			t.Fatalf("%s: left %v", what, left)
		}
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/60 {
		refused(fmt.Sprintf("cut off at %d of %d", n, len(whole)), whole[:n])
	}
	refused("without its last byte", whole[:len(whole)-1])
	refused("with more behind it", append(whole[:len(whole):len(whole)], 'x'))
	bad := bytes.Clone(whole)
	bad[bytes.Index(bad, []byte(`"amount":1000`))+10]++
	refused("an amount changed", bad)
	must(t, Import(context.Background(), Options{Dir: to}, bytes.NewReader(whole), nil))
}

func TestAStoreWithRecordsIsNotReplaced(t *testing.T) {
	from, _ := someStore(t)
	to := t.TempDir()
	d := openTest(t, testOptions(to))
	var locked *LockedError
	if err := carryStore(from, to); !errors.As(err, &locked) {
		t.Fatalf("open: %v", err)
	}
	must(t, d.Close())
	must(t, carryStore(from, to)) // a store without records is replaced
	d = openTest(t, testOptions(to))
	wrongRefund(t, d, 700)
	must(t, d.Close())
	if err := carryStore(from, to); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("with records: %v", err)
	}
	d = openTest(t, testOptions(to))
	if d.now.seq != 7 || len(d.Damage()) > 0 {
		t.Errorf("%d records, damage %v", d.now.seq, d.Damage())
	}
}

// TestAnImportKilledAtEachStep: the files as they are at each step of putting an
// import in place are an empty store, which an import replaces, or the whole one.
func TestAnImportKilledAtEachStep(t *testing.T) {
	from, _ := someStore(t)
	whole, err := exported(from)
	must(t, err)
	to := t.TempDir()
	d := openTest(t, testOptions(to))
	must(t, d.Close())
	copies := t.TempDir()
	var steps []string
	o := Options{Dir: to}
	o.step = func(name string) {
		steps = append(steps, name)
		must(t, os.CopyFS(filepath.Join(copies, name), os.DirFS(to)))
	}
	must(t, Import(context.Background(), o, bytes.NewReader(whole), nil))
	if fmt.Sprint(steps) != "[import.ready import.cleared import.token import.case import.yuanlu.db]" {
		t.Errorf("steps %v", steps)
	}
	for _, step := range steps {
		dir := filepath.Join(copies, step)
		d := openTest(t, testOptions(dir))
		if n := d.now.seq; len(d.Damage()) > 0 || (n == 0) != (step != "import.yuanlu.db") {
			t.Errorf("%s: %d records, damage %+v", step, n, d.Damage())
		}
		n := d.now.seq
		must(t, d.Close())
		if err := Import(context.Background(), Options{Dir: dir}, bytes.NewReader(whole), nil); (err == nil) != (n == 0) {
			t.Errorf("%s: again: %v", step, err)
		}
	}
}

// TestTwinEqualPayersStayEqual: whatever keys are made and dropped, records removed
// and stores carried, a refund to who paid is never different, and one to another is.
func TestTwinEqualPayersStayEqual(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(9, 9))
	now := start
	o := testOptions(t.TempDir())
	o.Now = func() time.Time { return now }
	o.Synchronous = "OFF"
	o.MinSeverity = refund.Critical + 1 // an open case keeps its records, and those their keys
	d, err := Open(ctx, o)
	must(t, err)
	defer func() { _ = d.Close() }()
	same, gone, dropped := 0, 0, false
	one := func(r refund.Record) refund.Applied {
		a, err := d.Apply(ctx, []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, d.Keys()), Received: now, ClockSynced: true}}}})
		must(t, err)
		return a[0]
	}
	for i := range 220 {
		one(saleOf(i*10, now))
		now = now.Add(time.Duration(rng.IntN(12*24)) * time.Hour)
		switch rng.IntN(8) {
		case 0:
			must(t, d.Rotate(ctx))
		case 1:
			must(t, d.Close())
			to := filepath.Join(t.TempDir(), "s")
			must(t, carryStore(o.Dir, to))
			o.Dir = to
			d, err = Open(ctx, o)
			must(t, err)
		case 2, 3:
			for range 20 {
				n, err := d.Retain(ctx, now, 50)
				must(t, err)
				if n == 0 {
					break
				}
			}
		}
		ids := d.Keys().IDs()
		dropped = dropped || ids[len(ids)-1] > 1
		of := rng.IntN(i + 1)
		a := one(refundOf(of*10, i*10+1, card(of*10), now))
		b := one(refundOf(of*10, i*10+2, card(of*10+5), now))
		for k, a := range []refund.Applied{a, b} {
			if len(a.Verdicts) == 0 { // held: the sale is gone
				gone++
				continue
			}
			want := []refund.Recipient{refund.Same, refund.Different}[k]
			if v := a.Verdicts[0].Verdict; v.Recipient != want {
				t.Fatalf("round %d: refund of sale %d is %s, want %s: %s", i, of, v.Recipient, want, v.AppendJSON(nil))
			}
			same++
		}
	}
	if same < 200 || gone == 0 || !dropped {
		t.Errorf("%d compared, %d gone, a key dropped: %v", same, gone, dropped)
	}
}
