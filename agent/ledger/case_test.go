package ledger

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

func types(list []refund.Notice) (names []string) {
	for _, n := range list {
		names = append(names, n.Type)
	}
	return names
}

// TestOpenedRevisedClearedAndUpAgain walks one refund from the opening of its case to its end.
func TestOpenedRevisedClearedAndUpAgain(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	sale, wrong := saleOf(1, start.Add(-time.Hour)), refundOf(1, 2, card(77), start)
	wrong.Outcome = refund.Unknown
	wrong.RefundNo = "R1"
	apply(t, d, sale, wrong)
	copyOf := func(o refund.Outcome) refund.Record {
		r := wrong
		r.Outcome, r.Copy = o, refund.CopyUpload
		return r
	}
	apply(t, d, copyOf(refund.Unknown))  // nothing new
	apply(t, d, copyOf(refund.Approved)) // outcome_unknown goes
	apply(t, d, copyOf(refund.Closed))   // no money moved
	again := wrong
	again.Outcome, again.Stan, again.RRN, again.At = refund.Approved, "000009", "260000000009", start.Add(time.Minute).Format(time.RFC3339)
	apply(t, d, again) // a second try under the same number: the same case
	n := due(t, d)
	want := []string{refund.CaseOpened, refund.CaseRevised, refund.CaseCleared, refund.CaseRevised}
	if !slices.Equal(types(n), want) {
		t.Fatalf("published %v, want %v", types(n), want)
	}
	ids := map[string]bool{}
	for _, x := range n {
		ids[x.ID] = true
		if x.Subject != n[0].Subject {
			t.Errorf("subject %s, want %s", x.Subject, n[0].Subject)
		}
	}
	if len(ids) != len(n) {
		t.Errorf("%d ids of %d events", len(ids), len(n))
	}
	if st := stat(t, d); st.Open[refund.Critical] != 1 {
		t.Errorf("open %v", st.Open)
	}
	if n[0].Historical || !n[1].Historical {
		t.Errorf("historical %v, of a copy %v", n[0].Historical, n[1].Historical)
	}
}

func TestMinSeverityOpensNoCaseBelowIt(t *testing.T) {
	o := testOptions(t.TempDir())
	o.MinSeverity = refund.Critical
	d := openTest(t, o)
	apply(t, d, refundOf(900, 1, card(1), start)) // no_original: high
	if _, _, err := d.ReleaseDue(context.Background(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := due(t, d); len(n) != 0 {
		t.Errorf("published %v", types(n))
	}
}

// TestCaseIDGolden freezes what a case is named after: other agents and desks
// count on it.
func TestCaseIDGolden(t *testing.T) {
	key := make([]byte, 32)
	r := refundOf(1, 2, card(1), start)
	ids := []string{caseID(key, &r)}
	r.RefundNo = "R1"
	ids = append(ids, caseID(key, &r))
	r.ChannelRefund = "C1"
	ids = append(ids, caseID(key, &r))
	r.ChannelRefund, r.RefundNo, r.Stan = "", "", ""
	ids = append(ids, caseID(key, &r), eventID(key, ids[0], "S", 1))
	r.Amount = 0 // one that states 0, and one that states none
	ids = append(ids, caseID(key, &r))
	r.HasAmount = false
	ids = append(ids, caseID(key, &r))
	golden := filepath.Join("testdata", "caseid.golden")
	got := strings.Join(ids, "\n") + "\n"
	if os.Getenv("YUANLU_UPDATE") != "" {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, id := range ids {
		if len(id) != 26 || strings.Trim(id, crockford) != "" {
			t.Errorf("id %q", id)
		}
	}
}

func TestJoinedIsUnambiguous(t *testing.T) {
	lists := [][]string{{"a", "b"}, {"ab"}, {"ab", ""}, {"", "ab"}, {"a", "b", ""}, {"1:a"}, {"1", "a"}, {"1:a1:b"}, nil}
	seen := map[string]bool{}
	for _, l := range lists {
		s := string(joined(l...))
		if seen[s] {
			t.Errorf("%q twice", s)
		}
		seen[s] = true
	}
}

func TestBase32(t *testing.T) {
	ones := make([]byte, 16)
	for i := range ones {
		ones[i] = 0xff
	}
	one := make([]byte, 16)
	one[15] = 33
	if base32of(ones) != "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" || base32of(one) != "00000000000000000000000011" {
		t.Errorf("%s %s", base32of(ones), base32of(one))
	}
}

func TestHeldWaitsTheGraceOfRunningTime(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	o := testOptions(dir)
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	release := func(running time.Duration) int {
		t.Helper()
		a, _, err := d.ReleaseDue(ctx, running)
		if err != nil {
			t.Fatal(err)
		}
		return len(a)
	}
	release(time.Hour)
	apply(t, d, refundOf(900, 1, card(1), start))
	if n := release(time.Hour + 9*time.Minute); n != 0 {
		t.Fatal("released after 9 minutes")
	}
	reopen := func() {
		t.Helper()
		must(t, d.Close())
		d = openTest(t, o)
	}
	now = now.Add(9 * time.Minute)
	reopen() // one minute is left
	if _, next, err := d.ReleaseDue(ctx, 0); err != nil || next != time.Minute {
		t.Fatalf("next %v %v", next, err)
	}
	now = now.Add(time.Hour) // it was off: the whole grace again, once
	reopen()
	if n := release(9 * time.Minute); n != 0 {
		t.Fatal("released after 9 minutes of the second run")
	}
	now = now.Add(time.Hour)
	reopen()
	a, next, err := d.ReleaseDue(ctx, 0)
	if err != nil || len(a) != 1 || next != 0 || len(a[0].Verdicts) != 1 || a[0].Verdicts[0].Verdict.Rev != 1 || len(a[0].Cases) != 1 || a[0].Link != "pos" {
		t.Fatalf("third run: %+v next %v %v", a, next, err)
	}
}

func TestASaleThatComesInTimeEndsTheWait(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	a := apply(t, d, refundOf(1, 2, card(1), start))
	if len(a[0].Verdicts) != 0 {
		t.Fatalf("released at once: %+v", a[0].Verdicts)
	}
	a = apply(t, d, saleOf(1, start.Add(-time.Hour)))
	if len(a[0].Verdicts) != 1 || a[0].Verdicts[0].Verdict.Recipient != refund.Same {
		t.Fatalf("%+v", a[0].Verdicts)
	}
	if b, next, err := d.ReleaseDue(context.Background(), time.Hour); err != nil || len(b) != 0 || next != 0 {
		t.Fatalf("%v %v %v", b, next, err)
	}
}

// TestCaseTellsOnlyAStatedAmount: 0 is a statement, an absent amount is none.
func TestCaseTellsOnlyAStatedAmount(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	sale, stated, absent := saleOf(1, start.Add(-time.Hour)), refundOf(1, 2, card(77), start), refundOf(1, 3, card(77), start)
	stated.Amount, absent.Amount, absent.HasAmount, absent.Outcome = 0, 0, false, refund.Unknown
	apply(t, d, sale, stated, absent)
	n := due(t, d)
	if len(n) != 2 {
		t.Fatalf("published %v", types(n))
	}
	for i, want := range []bool{true, false} {
		var data struct {
			Refund map[string]any `json:"refund"`
		}
		must(t, json.Unmarshal(n[i].Data, &data))
		if amount, stated := data.Refund["amount"]; stated != want || want && amount != 0.0 {
			t.Errorf("case %d: amount %v (%t)", i+1, amount, stated)
		}
	}
}
