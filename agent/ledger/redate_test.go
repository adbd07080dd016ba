package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
	"yuanlu/agent/refund/randomjournal"
)

// booted is when the system of these tests was started, by a clock that is right.
var booted = start.Add(-2 * time.Hour)

// wrongBoots are starts of the system by clocks that are not.
var wrongBoots = []time.Time{time.Date(1970, 1, 1, 8, 0, 0, 0, start.Location()), time.Date(2001, 9, 9, 9, 46, 40, 0, start.Location())}

// undatedAt is a record that states no time, received so long after the start of the
// system by an untrusted clock.
func undatedAt(d *DB, r refund.Record, boot time.Time, since time.Duration) refund.Arrival {
	at := boot.Add(since)
	r.At = at.Format(time.RFC3339Nano)
	return refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
		Record: refund.Seal(r, d.Keys()), Received: at, AtFromClock: true, Boot: refund.Boot{ID: "boot-1", At: boot, System: boot},
	}}}
}

// yearlessAt is a record that states its time without the year, received at that time
// by the clock that is right, and by an untrusted one so long after the start of the system.
func yearlessAt(d *DB, r refund.Record, boot time.Time) refund.Arrival {
	at, _ := r.Time()
	received := boot.Add(at.Sub(booted))
	r.At = inYear(at, received).Format(time.RFC3339Nano)
	return refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
		Record: refund.Seal(r, d.Keys()), Received: received, YearFromClock: true, Boot: refund.Boot{ID: "boot-1", At: boot, System: boot},
	}}}
}

func applyAll(t testing.TB, d *DB, list ...refund.Arrival) (all []refund.Applied) {
	t.Helper()
	for part := range slices.Chunk(list, 100) {
		a, err := d.Apply(context.Background(), part)
		must(t, err)
		all = append(all, a...)
	}
	return all
}

// redateOnce makes one step.
func redateOnce(t testing.TB, d *DB) Redated {
	t.Helper()
	done, err := d.Redate(context.Background(), refund.Boot{ID: "boot-1", At: booted})
	must(t, err)
	return done
}

// redateAll makes all steps and returns the last one, with all that was said.
func redateAll(t testing.TB, d *DB) (all Redated, steps int) {
	t.Helper()
	for {
		done := redateOnce(t, d)
		steps++
		done.Applied = append(all.Applied, done.Applied...)
		if all = done; !done.More {
			return all, steps
		}
	}
}

// atOf returns the `at` of every record, in order.
func atOf(t testing.TB, d *DB) (at []string) {
	t.Helper()
	for r, err := range d.Records(context.Background(), 1) {
		must(t, err)
		at = append(at, r.Record.At)
	}
	return at
}

func findings(t testing.TB, d *DB, seq int64) string {
	t.Helper()
	j, ok, err := loadVerdict(d.w, seq)
	must(t, err)
	if !ok {
		t.Fatalf("no verdict on %d", seq)
	}
	var codes []string
	for _, f := range j.Verdict.Findings {
		codes = append(codes, f.Code)
	}
	return strings.Join(codes, " ")
}

// TestRecordsAreDatedAgain: a sale received at 1970 and two refunds of it at 2001, by a
// clock that is not trusted and was set in between. Once the clock is trusted they get the
// time of their reception; the case of 31 years is cleared, once. A record with a time of
// its own stays. With a restart before, between and after the steps the same.
func TestRecordsAreDatedAgain(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %v", restart), func(t *testing.T) {
			o := testOptions(filepath.Join(t.TempDir(), "s"))
			d, err := Open(t.Context(), o)
			must(t, err)
			defer func() { _ = d.Close() }()
			again := func() {
				if restart {
					must(t, d.Close())
					d, err = Open(t.Context(), o)
					must(t, err)
				}
			}
			own := saleOf(900, start.Add(-time.Hour))
			applyAll(t, d,
				undatedAt(d, saleOf(1, start), wrongBoots[0], time.Minute),
				refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(own, d.Keys()), Received: wrongBoots[0].Add(time.Minute), Boot: refund.Boot{ID: "boot-1", At: wrongBoots[0]}}}})
			again()
			got := applyAll(t, d,
				undatedAt(d, refundOf(1, 2, card(1), start), wrongBoots[1], time.Hour),
				undatedAt(d, refundOf(1, 2, card(1), start), wrongBoots[1], time.Hour+time.Second)) // a copy
			if len(got[0].Cases) != 1 || got[0].Cases[0].Type != refund.CaseOpened || !strings.Contains(findings(t, d, 3), "out_of_window") || got[1].CopyOf != 3 {
				t.Fatalf("before: %+v", got)
			}
			again()
			first := redateOnce(t, d)
			again()
			all, _ := redateAll(t, d)
			if !first.More || all.Count != 3 || all.Unknown != 0 || all.Step != booted.Sub(wrongBoots[1]) {
				t.Errorf("done %+v", all)
			}
			again()
			want := []string{booted.Add(time.Minute).Format(time.RFC3339), own.At, booted.Add(time.Hour).Format(time.RFC3339), booted.Add(time.Hour + time.Second).Format(time.RFC3339)}
			if at := atOf(t, d); !slices.Equal(at, want) {
				t.Errorf("dates %v, want %v", at, want)
			}
			if f := findings(t, d, 3); f != "" {
				t.Errorf("findings %s", f)
			}
			cases := append(first.Applied, all.Applied...)
			if len(cases) != 1 || len(cases[0].Cases) != 1 || cases[0].Cases[0].Type != refund.CaseCleared || cases[0].Cases[0].Judged.Verdict.Rev != 2 || cases[0].Sighting != nil {
				t.Errorf("said %+v", cases)
			}
			n := due(t, d)
			if len(n) != 2 || n[1].Type != refund.CaseCleared || !n[1].ClockSynced || n[0].ClockSynced {
				t.Errorf("due %+v", n)
			}
			if newest, err := d.Newest(t.Context()); err != nil || newest.Before(booted) {
				t.Errorf("newest %s (%v)", newest, err)
			}
			if first := d.now.bounds.FirstAt; first != want[0] {
				t.Errorf("the journal begins %s, want %s", first, want[0])
			}
			if all, _ := redateAll(t, d); all.Count != 0 || len(all.Applied) != 0 {
				t.Errorf("a second time: %+v", all)
			}
			if at := atOf(t, d); !slices.Equal(at, want) {
				t.Errorf("after a second time: dates %v", at)
			}
		})
	}
}

// TestClockSuspectGoesAway: a refund dated before its sale, because the clock was set
// back in between.
func TestClockSuspectGoesAway(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	applyAll(t, d, undatedAt(d, saleOf(1, start), wrongBoots[1], time.Minute), undatedAt(d, refundOf(1, 2, card(1), start), wrongBoots[0], time.Hour))
	if f := findings(t, d, 2); f != "clock_suspect" {
		t.Fatalf("before: %q", f)
	}
	if all, _ := redateAll(t, d); all.Count != 2 || len(all.Applied) != 1 {
		t.Errorf("done %+v", all)
	}
	if f := findings(t, d, 2); f != "" {
		t.Errorf("after: %q", f)
	}
}

// TestYearsAreChosenAgain: dates MMDD, received by a clock that dates are made from half a
// year late: of a sale in the year before, of a refund in this one. A date that is right
// is not touched, and its case is not reported again.
func TestYearsAreChosenAgain(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	build := refund.Boot{ID: "boot-1", At: booted.AddDate(0, -6, 0), System: wrongBoots[0]}
	receive := func(r refund.Record, since time.Duration) {
		t.Helper()
		applyAll(t, d, refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
			Record: refund.Seal(r, d.Keys()), Received: wrongBoots[0].Add(since), YearFromClock: true, Boot: build}}})
	}
	receive(saleOf(1, start.AddDate(-1, 0, 0)), 2*time.Hour) // chosen by February of this year
	receive(saleOf(2, booted.AddDate(0, -7, 0)), 2*time.Hour)
	receive(refundOf(1, 3, card(1), start.Add(time.Minute).AddDate(-1, 0, 0)), 2*time.Hour+time.Minute)
	receive(refundOf(2, 4, card(500_002), start.Add(time.Minute).AddDate(-1, 0, 0)), 2*time.Hour+time.Minute)
	if f := findings(t, d, 4); !strings.Contains(f, "clock_suspect") || len(due(t, d)) != 1 {
		t.Fatalf("before: %q", f)
	}
	all, _ := redateAll(t, d)
	want := []string{start.Format(time.RFC3339), booted.AddDate(0, -7, 0).Format(time.RFC3339), start.Add(time.Minute).Format(time.RFC3339), start.Add(time.Minute).Format(time.RFC3339)}
	if at := atOf(t, d); !slices.Equal(at, want) || all.Count != 3 {
		t.Errorf("%d dates %v, want %v", all.Count, at, want)
	}
	if f := findings(t, d, 4); strings.Contains(f, "clock_suspect") {
		t.Errorf("after: %q", f)
	}
	if len(all.Applied) != 1 || len(all.Applied[0].Cases) != 1 || all.Applied[0].Cases[0].Type != refund.CaseRevised {
		t.Errorf("said %+v", all.Applied)
	}
}

// TestStartThatIsNotKnown: of records before the system was started again it is not known
// when they came: they stay, and are counted, once.
func TestStartThatIsNotKnown(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	early := undatedAt(d, saleOf(1, start), wrongBoots[0], time.Minute)
	early.Sightings[0].Boot.ID = "boot-0"
	unnamed := undatedAt(d, saleOf(2, start), wrongBoots[0], time.Minute)
	unnamed.Sightings[0].Boot = refund.Boot{}
	applyAll(t, d, early, unnamed, undatedAt(d, saleOf(3, start), wrongBoots[0], time.Minute))
	before := atOf(t, d)
	all, _ := redateAll(t, d)
	if all.Count != 1 || all.Unknown != 2 {
		t.Errorf("done %+v", all)
	}
	after := atOf(t, d)
	if after[0] != before[0] || after[1] != before[1] || after[2] != booted.Add(time.Minute).Format(time.RFC3339) {
		t.Errorf("dates %v", after)
	}
	if all, _ := redateAll(t, d); all.Unknown != 0 {
		t.Errorf("a second time: %+v", all)
	}
}

// redateMany stores sales at 1970 and their refunds at 2001, so many that they take
// several steps of both rounds.
func redateMany(t testing.TB, d *DB, n int) {
	t.Helper()
	var sales, refunds []refund.Arrival
	for i := range n {
		since := time.Duration(i) * time.Second
		sales = append(sales, undatedAt(d, saleOf(i, start), wrongBoots[0], since))
		refunds = append(refunds, undatedAt(d, refundOf(i, n+i, card(i), start), wrongBoots[1], time.Hour+since))
	}
	applyAll(t, d, sales...)
	for _, a := range applyAll(t, d, refunds...) {
		if len(a.Cases) != 1 {
			t.Fatalf("refund %d opens no case", a.Seq)
		}
	}
}

// TestManyAreDatedInSteps: no verdict is said between a right date and a wrong one: each
// case is cleared once, however the steps lie.
func TestManyAreDatedInSteps(t *testing.T) {
	const n = 400
	d := openTest(t, testOptions(t.TempDir()))
	redateMany(t, d, n)
	all, steps := redateAll(t, d)
	if all.Count != 2*n || steps < 2*n/redateStep+2*n/rejudgeStep {
		t.Errorf("%d records in %d steps", all.Count, steps)
	}
	seen := map[string]int{}
	for _, a := range all.Applied {
		for _, c := range a.Cases {
			seen[c.CaseID]++
			if c.Type != refund.CaseCleared {
				t.Fatalf("case of %d: %s, rev %d", a.Seq, c.Type, c.Judged.Verdict.Rev)
			}
		}
	}
	if len(seen) != n || len(all.Applied) != n {
		t.Errorf("%d cases, %d answers", len(seen), len(all.Applied))
	}
	if d.now.tallies.Open != [len(d.now.tallies.Open)]int64{} {
		t.Errorf("still open: %v", d.now.tallies.Open)
	}
	for i, at := range atOf(t, d) {
		want := booted.Add(time.Duration(i) * time.Second)
		if i >= n {
			want = booted.Add(time.Hour + time.Duration(i-n)*time.Second)
		}
		if at != want.Format(time.RFC3339) {
			t.Fatalf("record %d: at %s, want %s", i+1, at, want)
		}
	}
}

// TestKillWhileRedating ends the child with SIGKILL before and after each commit. What is
// there then goes on where it was, and ends as without: each case opened once and cleared
// once.
func TestKillWhileRedating(t *testing.T) {
	const n = 200
	root := t.TempDir()
	d, err := Open(t.Context(), testOptions(filepath.Join(root, "whole")))
	must(t, err)
	redateMany(t, d, n)
	must(t, d.Close())
	for _, step := range []string{"commit", "committed"} {
		for _, turn := range []int{1, 2, 3, 4, 7} {
			t.Run(fmt.Sprintf("%s-%d", step, turn), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "s")
				must(t, os.CopyFS(dir, os.DirFS(filepath.Join(root, "whole"))))
				if _, err := runChild(t, dir, "redate", fmt.Sprintf("%s:%d", step, turn)); !killed(err) {
					t.Fatalf("was not killed: %v", err)
				}
				d := openTest(t, testOptions(dir))
				if all, _ := redateAll(t, d); all.Count != 2*n {
					t.Errorf("%d records dated", all.Count)
				}
				kinds := map[string]int{}
				for _, one := range due(t, d) {
					kinds[one.Type]++
				}
				if kinds[refund.CaseOpened] != n || kinds[refund.CaseCleared] != n || len(kinds) != 2 {
					t.Errorf("cases %v", kinds)
				}
				if at := atOf(t, d)[0]; at != booted.Format(time.RFC3339) {
					t.Errorf("the first record: %s", at)
				}
			})
		}
	}
}

// redateChild is the child of that test.
func redateChild(o Options) error {
	o.Now = func() time.Time { return start }
	d, err := Open(context.Background(), o)
	if err != nil {
		return err
	}
	for more := true; more; {
		done, err := d.Redate(context.Background(), refund.Boot{ID: "boot-1", At: booted})
		if err != nil {
			return err
		}
		more = done.More
	}
	return d.Close()
}

// How a record of that journal states its time.
const (
	dateNone = iota
	dateYearless
	dateWhole
)

// undatedRecord is a record of that journal, with its right date.
type undatedRecord struct {
	record refund.Record
	how    int
	boot   time.Time // by the clock that it was received with
}

// arrival is how it is received.
func (u *undatedRecord) arrival(d *DB) refund.Arrival {
	switch at, _ := u.record.Time(); u.how {
	case dateNone:
		return undatedAt(d, u.record, u.boot, at.Sub(booted))
	case dateYearless:
		return yearlessAt(d, u.record, u.boot)
	}
	return u.right(d)
}

// right is how it is received by a clock that is right.
func (u *undatedRecord) right(d *DB) refund.Arrival {
	a := together(d, []refund.Record{u.record})[0]
	a.Sightings[0].ClockSynced = false
	return a
}

// undatable makes a journal of one that can be received without dates, in two parts by
// different clocks. What is a copy, by the right dates or by the wrong ones, is left out:
// whether two records are the same may depend on their times when the second one comes,
// and stays as it was decided.
func undatable(t *testing.T, d *DB, rng *rand.Rand, journal []refund.Record) (list []undatedRecord) {
	t.Helper()
	for i, r := range journal {
		u := undatedRecord{r, dateWhole, wrongBoots[2*i/len(journal)]}
		if at, ok := r.Time(); ok && at.In(start.Location()).Format(time.RFC3339Nano) == r.At {
			u.how = rng.IntN(dateWhole + 1)
		}
		list = append(list, u)
	}
	for before := 0; before != len(list); { // without its copies an event may have others
		before = len(list)
		list = withoutCopies(t, d, list, (*undatedRecord).right)
		list = withoutCopies(t, d, list, (*undatedRecord).arrival)
	}
	return list
}

// withoutCopies leaves out the records that are copies where they are received so.
func withoutCopies(t *testing.T, d *DB, list []undatedRecord, received func(*undatedRecord, *DB) refund.Arrival) (firsts []undatedRecord) {
	t.Helper()
	m := memhistory.NewJournal(newJudge())
	for _, u := range list {
		ch, _, err := m.Add(received(&u, d).Sightings[0].Record)
		must(t, err)
		if ch.CopyOf == 0 {
			firsts = append(firsts, u)
		}
	}
	return firsts
}

// TestTwinRedatedEqualsCheck: a terminal whose clock is wrong in two ways, with restarts
// and crashes, while a random journal comes; once its records are dated again, its
// verdicts and cases are those that a check of the journal with the right dates returns.
func TestTwinRedatedEqualsCheck(t *testing.T) {
	journals, records, dated := 30, 60, 0
	if os.Getenv(soakEnv) != "" {
		journals, records = 600, 120
	}
	for seed := range uint64(journals) {
		rng := rand.New(rand.NewPCG(seed, 77))
		root := t.TempDir()
		s, err := newStream(root, seed)
		must(t, err)
		list := undatable(t, s.d, rng, randomjournal.Records(seed+130_000, records))
		var journal []refund.Record
		for i := range list {
			journal = append(journal, list[i].record)
			if list[i].how == dateNone {
				dated++
			}
			s.gaps = append(s.gaps, gapsOf(applyAll(t, s.d, list[i].arrival(s.d)))...)
			if rng.IntN(4) == 0 {
				must(t, s.accident())
			}
		}
		for {
			done := redateOnce(t, s.d)
			must(t, s.accident())
			if !done.More {
				break
			}
		}
		s.now = s.now.Add(time.Hour)
		_, _, err = s.d.ReleaseDue(t.Context(), s.now.Sub(s.since)+time.Hour)
		must(t, err)
		got, err := outcomeOf(s.d, s.gaps)
		must(t, err)
		must(t, s.cases())
		for i, at := range atOf(t, s.d) {
			if at != journal[i].At {
				t.Fatalf("seed %d: record %d: at %s, want %s", seed, i+1, at, journal[i].At)
			}
		}
		want, err := checked(root, journal)
		must(t, err)
		got.gaps, want.gaps = nil, nil // as known when the settlement was first seen (verdicts.md § 6): not decided again
		if d := got.differs(want); d != "" {
			t.Fatalf("seed %d: %s\n after %v", seed, d, s.happened)
		}
		must(t, s.d.Close())
	}
	if dated < journals*records/6 {
		t.Errorf("only %d records were dated again", dated)
	}
}

// TestSalvageKeepsDates: rows that were dated again are so after a salvage, too, and no
// longer count as dated by a clock that was not trusted.
func TestSalvageKeepsDates(t *testing.T) {
	const n = 60
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	redateMany(t, d, n)
	redateAll(t, d)
	w := walStore{files: readFiles(t, o.Dir)}
	// All versions of these pages are lost, so that no older one stands in for them.
	again := usable(t, laidOut(t, w.without([]byte(saleOf(n/2, start).RRN))))
	if len(again.Damage()) == 0 {
		t.Fatal("nothing was salvaged")
	}
	kept := 0
	for seq := range int64(2 * n) {
		row, err := loadRow(again.w, seq+1)
		must(t, err)
		if row == nil {
			continue
		}
		r, err := row.Decode()
		must(t, err)
		since := time.Duration(seq) * time.Second
		if seq >= n {
			since += time.Hour - n*time.Second
		}
		if kept++; r.At != booted.Add(since).Format(time.RFC3339) || row.Flags != rows.AtClock|rows.Redated {
			t.Errorf("record %d: at %s, flags %d", row.Seq, r.At, row.Flags)
		}
	}
	if all, _ := redateAll(t, again); kept < n || kept == 2*n || all.Count != 0 {
		t.Errorf("%d records are kept, %d dated again", kept, all.Count)
	}
}
