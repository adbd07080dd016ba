package match_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/bills/match"
	sim "yuanlu/firmware-sim/bills"
)

// TestE2EMonth: in the simulator's bills of a month every planted difference is found, and no other is claimed. A tenth of
// the terminals in make test, all with YUANLU_SOAK=1.
func TestE2EMonth(t *testing.T) {
	o := sim.Options{Terminals: 10, Days: 30, Seed: 20260801}
	if os.Getenv("YUANLU_SOAK") != "" {
		o.Terminals = 100
	}
	month, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(r *bills.Refusal) { t.Errorf("refused: %s %s", r.Place(), r.Code) }
	want := map[string]int{}
	for _, p := range month.Plan {
		want[p.Day+" "+p.Result+" "+p.Refund+p.Number]++
	}
	got := map[string]int{}
	kinds := map[string]int{}
	for i := range month.Days[:o.Days] {
		book := match.NewBook(refused)
		var digests []*match.Digest
		for n := max(i-4, 0); n < min(i+5, len(month.Days)); n++ {
			for _, f := range month.Days[n].Bills {
				bills.Read(bills.File{Name: f.Name, Data: f.Data}, book)
			}
		}
		for n := max(i-1, 0); n <= i+1; n++ {
			for _, line := range month.Days[n].Digests {
				d, ok := match.ParseDigest(line)
				if !ok {
					t.Fatalf("no digest: %s", line)
				}
				digests = append(digests, d)
			}
		}
		results, _ := match.Match(month.Days[i].Date, digests, book)
		for _, v := range results {
			kinds[v.Result]++
			if v.Result == match.Confirmed || v.Result == match.NoBill {
				continue
			}
			name := v.Day + " " + v.Result + " " + v.Refund
			if v.Result == match.MissingOnTerminal {
				name += v.Entry.RefundNo
				if !v.Certain {
					name += " not certain"
				}
			}
			got[name]++
			if want[name] == 0 {
				t.Errorf("claimed: %s", v.AppendJSON(nil))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] != got[name] {
			t.Errorf("planted, found %d times: %s", got[name], name)
		}
	}
	t.Log(fmt.Sprint(len(month.Plan), " planted; results ", kinds))
	if kinds[match.Confirmed] < 20*o.Terminals || len(month.Plan) < 100 {
		t.Errorf("too little was played: %d planted, %v", len(month.Plan), kinds)
	}
}
