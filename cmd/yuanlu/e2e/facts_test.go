package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"yuanlu/agent/ledger/packed"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// fact names one thing that happened by the numbers that tell it from others,
// whatever its wire shows of them, and that do not change when more becomes known.
func fact(r *wire.Record) string {
	return fmt.Sprintf("%s %s/%s/%s order=%s refund=%s back=%s of=%s/%s/%s %d", r.Kind, r.TerminalID, r.Batch, r.Stan,
		r.OrderNo, r.RefundNo, r.ChannelRefund, r.Original.Stan, r.Original.OrderNo, r.Original.ChannelTxn, r.Amount)
}

// facts counts what entries say that happened: copies are nothing that did.
func facts(es []scenario.Entry) map[string]int {
	out := map[string]int{}
	for i := range es {
		if r := &es[i].Record; r.Copy == "" {
			out[fact(r)]++
		}
	}
	return out
}

// storedFacts counts the events of a store.
func storedFacts(t testing.TB, dir string) map[string]int {
	t.Helper()
	db := openRows(t, dir)
	defer db.Close()
	rows, err := db.Query(`SELECT body FROM record WHERE copy_of IS NULL`)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Join(dir, "yuanlu.db"), err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var stored []byte
		if err := rows.Scan(&stored); err != nil {
			t.Fatal(err)
		}
		body, err := packed.Text(nil, stored)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			wire.Record
			Party json.RawMessage `json:"party"` // has another form in the store
		}
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatalf("record in the store: %v", err)
		}
		out[fact(&r.Record)]++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// compareFacts fails the test for everything that is lost, twice or invented.
func compareFacts(t testing.TB, got, want map[string]int) {
	t.Helper()
	said := 0
	complain := func(format string, args ...any) {
		if said++; said <= 20 {
			t.Errorf(format, args...)
		}
	}
	for f, n := range want {
		if got[f] < n {
			complain("lost: %s (%d of %d)", f, got[f], n)
		}
	}
	for f, n := range got {
		if n > want[f] {
			complain("doubled or invented: %s (%d, done %d)", f, n, want[f])
		}
	}
	if said > 20 {
		t.Errorf("and %d more", said-20)
	}
}
