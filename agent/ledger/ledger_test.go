package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// start is when the tests' clock begins.
var start = time.Date(2026, 8, 23, 9, 0, 0, 0, time.FixedZone("", 8*3600))

func newJudge() *refund.Judge { return refund.NewJudge(refund.DefaultSettings(), rules.All()) }

// testOptions are options with a clock that stands still.
func testOptions(dir string) Options {
	return Options{Dir: dir, Judge: newJudge(), Now: func() time.Time { return start }, flushKeys: 24}
}

func openTest(t testing.TB, o Options) *DB {
	t.Helper()
	d, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

func card(n int) string { return luhnCard(fmt.Sprintf("62000000%07d", n)) }

// luhnCard adds the check digit.
func luhnCard(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + string(byte('0'+(10-sum%10)%10))
}

// saleOf and refundOf are a card sale and a refund of it to this card.
func saleOf(n int, at time.Time) refund.Record {
	return refund.Record{
		Kind: refund.KindSale, Outcome: refund.Approved, ResponseCode: "00", MerchantID: "898000000000001", TerminalID: "10000001",
		Operator: "01", Channel: refund.ChannelCard, Entry: refund.EntryChip, Amount: 1000, HasAmount: true, Currency: "CNY",
		At: at.Format(time.RFC3339), Stan: fmt.Sprintf("%06d", n%1000000), Batch: fmt.Sprintf("%06d", n/500+1), RRN: fmt.Sprintf("%012d", 260000000000+n),
		AuthCode: "123456", Party: &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(card(n))},
	}
}

func refundOf(sale, n int, to string, at time.Time) refund.Record {
	return refund.Record{
		Kind: refund.KindRefund, Outcome: refund.Approved, ResponseCode: "00", MerchantID: "898000000000001", TerminalID: "10000001",
		Operator: "01", Channel: refund.ChannelCard, Entry: refund.EntryChip, Amount: 350, HasAmount: true, Currency: "CNY",
		At: at.Format(time.RFC3339), Stan: fmt.Sprintf("%06d", n%1000000), Batch: fmt.Sprintf("%06d", n/500+1), RRN: fmt.Sprintf("%012d", 260000000000+n),
		Original: refund.Original{RRN: fmt.Sprintf("%012d", 260000000000+sale)},
		Party:    &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(to)},
	}
}

func arrivalOf(d *DB, records ...refund.Record) []refund.Arrival {
	var list []refund.Arrival
	for i, r := range records {
		list = append(list, refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
			Record: refund.Seal(r, d.Keys()), Received: start.Add(time.Duration(i) * time.Millisecond), ClockSynced: true,
			FrameMAC: d.Keys().MAC([]byte(r.RRN)),
		}}})
	}
	return list
}

func apply(t testing.TB, d *DB, records ...refund.Record) []refund.Applied {
	t.Helper()
	a, err := d.Apply(context.Background(), arrivalOf(d, records...))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func due(t testing.TB, d *DB) []refund.Notice {
	t.Helper()
	n, _, err := d.Due(context.Background(), start.Add(time.Hour), 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wrongRefund applies a sale and a refund of it to another card.
func wrongRefund(t testing.TB, d *DB, n int) []refund.Applied {
	t.Helper()
	return apply(t, d, saleOf(n, start.Add(-time.Hour)), refundOf(n, n+1, card(n+500000), start))
}

func TestAWrongRefundBecomesACaseInTheSameTransaction(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	got := wrongRefund(t, d, 1)
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 {
		t.Fatalf("applied %+v", got)
	}
	if len(got[1].Cases) != 1 || got[1].Cases[0].Type != refund.CaseOpened || got[1].Cases[0].Sequence != 1 {
		t.Fatalf("cases %+v", got[1].Cases)
	}
	n := due(t, d)
	if len(n) != 1 || n[0].Sequence != 1 || n[0].Type != refund.CaseOpened || n[0].Attempt != 0 || n[0].Stream != d.Stream() {
		t.Fatalf("due %+v", n)
	}
	var data struct {
		CaseID   string `json:"case_id"`
		Severity string
		Decision string
		Verdict  struct{ Recipient string }
		Refund   struct{ RRN, Link string }
		Original struct {
			RRN   string
			Party struct{ Shown, Token string }
		}
		Evidence []struct {
			Record   int64
			FrameMAC string `json:"frame_mac"`
			Received string
		}
	}
	if err := json.Unmarshal(n[0].Data, &data); err != nil {
		t.Fatal(err)
	}
	if data.CaseID != got[1].Cases[0].CaseID || data.Severity != "critical" || data.Decision != "alarm" || data.Verdict.Recipient != "different" ||
		data.Refund.Link != "pos" || data.Original.Party.Token == "" || len(data.Evidence) != 2 || data.Evidence[0].FrameMAC == "" {
		t.Fatalf("data %s", n[0].Data)
	}
	detail, err := d.Case(context.Background(), data.CaseID[:8])
	if err != nil || detail.Refund.RRN != data.Refund.RRN || detail.Original == nil || len(detail.Sightings) != 2 {
		t.Fatalf("case %+v, %v", detail, err)
	}
	if _, err := d.Case(context.Background(), "ZZZZ"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("unknown case: %v", err)
	}
}

func TestLaterSightingsSeeEarlierOnesOfTheSameBatch(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	sale := saleOf(1, start.Add(-time.Hour))
	again := sale
	again.Copy = refund.CopyReprint
	got := apply(t, d, sale, again, refundOf(1, 2, card(1), start))
	if got[1].CopyOf != 1 {
		t.Errorf("reprint is a copy of %d, want 1", got[1].CopyOf)
	}
	if len(got[2].Verdicts) != 1 || got[2].Verdicts[0].Verdict.Recipient != refund.Same {
		t.Errorf("refund %+v", got[2].Verdicts)
	}
}

func TestAStoreReopenedGoesOn(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	wrongRefund(t, d, 1)
	stream, ids := d.Stream(), due(t, d)[0].ID
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openTest(t, testOptions(dir))
	if d.Stream() != stream || len(d.Damage()) != 0 {
		t.Fatalf("stream %s, want %s; damage %v", d.Stream(), stream, d.Damage())
	}
	if n := due(t, d); len(n) != 1 || n[0].ID != ids {
		t.Fatalf("due %+v", n)
	}
	got := apply(t, d, refundOf(1, 3, card(1), start.Add(time.Minute)))
	if got[0].Seq != 3 || got[0].Verdicts[0].Verdict.Recipient != refund.Same {
		t.Fatalf("%+v", got)
	}
}

func TestSecondDaemonIsRefusedWithThePidOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	openTest(t, testOptions(dir))
	_, err := Open(context.Background(), testOptions(dir))
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("got %v", err)
	}
}

func TestReadingWhileTheDaemonRuns(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(context.Background(), dir); !errors.Is(err, ErrNotFound) {
		t.Fatalf("no store: %v", err)
	}
	d := openTest(t, testOptions(dir))
	wrongRefund(t, d, 1)
	look := func() {
		t.Helper()
		r, err := OpenReadOnly(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cases, err := r.Cases(context.Background(), CaseFilter{OpenOnly: true})
		if err != nil || len(cases) != 1 || cases[0].Severity != refund.Critical {
			t.Fatalf("cases %+v, %v", cases, err)
		}
		st, err := r.OutboxStat(context.Background())
		if err != nil || st.Waiting != 1 || st.LastSeq != 1 || st.Open[refund.Critical] != 1 {
			t.Fatalf("outbox %+v, %v", st, err)
		}
		if _, err := r.Apply(context.Background(), nil); !errors.Is(err, ErrReadOnly) {
			t.Fatalf("apply: %v", err)
		}
	}
	look()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	look()
}

func TestNoClearNumberInAnyFile(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	wrongRefund(t, d, 7)
	for _, table := range DumpTables() { // what is packed is not seen in the file's bytes
		for row, err := range d.Dump(t.Context(), table) {
			must(t, err)
			if containsBytes(row, card(7)) || containsBytes(row, card(500007)) {
				t.Errorf("%s holds a card number: %s", table, row)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range []string{card(7), card(500007)} {
			if containsBytes(b, n) {
				t.Errorf("%s holds a card number", path)
			}
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && filepath.Dir(path) != dir {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func containsBytes(b []byte, s string) bool {
	for i := 0; i+len(s) <= len(b); i++ {
		if string(b[i:i+len(s)]) == s {
			return true
		}
	}
	return false
}
