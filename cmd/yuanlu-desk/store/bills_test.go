package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/store"
)

// sharedCase returns a file of a case of bills.md.
func sharedCase(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "bills", "testdata", "shared", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBillsOfADay: what is imported and reported, in whatever order and however often, is the
// day of the batch interface.
func TestBillsOfADay(t *testing.T) {
	both(t, func(r *rig) {
		ctx := t.Context()
		digests := func(dir string) {
			for line := range strings.Lines(string(sharedCase(t, dir+"/days.jsonl"))) {
				for range 2 {
					if err := r.s.TerminalDay(ctx, r.now, []byte(line)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		imports := func(name string) *store.Imported {
			got, err := r.s.ImportBills(ctx, r.now, bills.File{Name: filepath.Base(name), Data: sharedCase(t, name)})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		const dir = "m02-cards-recovered-missing-portal"
		imports(dir + "/next.csv")
		digests(dir)
		first := imports(dir + "/card.csv")
		if again := imports(dir + "/card.csv"); first.Bills[0].Known || !again.Bills[0].Known || len(again.Refused) > 0 {
			t.Errorf("%+v %+v", first.Bills[0], again.Bills[0])
		}
		results, totals, err := r.s.Day(ctx, "2026-08-23")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range results {
			got = append(got, string(v.AppendJSON(nil)))
		}
		for _, v := range totals {
			got = append(got, string(v.AppendJSON(nil)))
		}
		if want := strings.Split(strings.TrimSpace(string(sharedCase(t, dir+"/want.jsonl"))), "\n"); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// All of it goes when it is old, the newest last.
		total := int64(0)
		for n, err := int64(1), error(nil); n > 0; total += n {
			if n, err = r.s.Retain(ctx, r.now.Add(time.Hour), time.Minute, 2); err != nil {
				t.Fatal(err)
			}
		}
		if results, totals, err := r.s.Day(ctx, "2026-08-23"); err != nil || len(results)+len(totals) > 0 || total != 5+2+1 {
			t.Errorf("%d removed: %v %v %v", total, results, totals, err)
		}
		if results, totals, err := r.s.Day(ctx, "2026-07-01"); err != nil || len(results)+len(totals) > 0 {
			t.Errorf("%v %v %v", results, totals, err)
		}
		if _, _, err := r.s.Day(ctx, "yesterday"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		if err := r.s.TerminalDay(ctx, r.now, []byte(`{}`)); !errors.Is(err, store.ErrData) {
			t.Error(err)
		}
	})
}

// TestImportedRows: a row that came before is filled, a contradiction is refused at its line
// and the first stands; what is no bill is refused as a whole.
func TestImportedRows(t *testing.T) {
	both(t, func(r *rig) {
		bill := string(sharedCase(t, "c01-wechat-all/bill.csv"))
		later := strings.NewReplacer("3.50", "3.60", "12.30", "12.40", "PROCESSING", "SUCCESS").Replace(bill)
		for _, tc := range []struct {
			name, text string
			want       []string
			bills      int
		}{
			{"first.csv", bill, nil, 1}, {"later.csv", later, []string{"later.csv:4:0: row_conflict"}, 1}, {"list.txt", "a,b", []string{"list.txt:0:0: unknown_format"}, 0},
		} {
			got, err := r.s.ImportBills(t.Context(), r.now, bills.File{Name: tc.name, Data: []byte(tc.text)})
			if err != nil || len(got.Bills) != tc.bills {
				t.Fatalf("%s: %+v %v", tc.name, got, err)
			}
			refused := got.Refused
			for _, b := range got.Bills {
				refused = append(refused, b.RefusedAt...)
				if !b.Complete {
					t.Errorf("%s: %+v", tc.name, b)
				}
			}
			if !slices.Equal(refused, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, refused, tc.want)
			}
		}
		results, totals, err := r.s.Day(t.Context(), "2026-08-23")
		if err != nil || len(results) != 2 || len(totals) != 1 || totals[0].Bill.RefundAmount != 1230 {
			t.Fatalf("%v %v %v", results, totals, err)
		}
		for _, v := range results {
			if v.BillStatus != bills.Success { // the one that was on its way has arrived
				t.Errorf("%+v", v)
			}
		}
	})
}
