package command

import (
	"encoding/json"
	"strings"
	"testing"

	"yuanlu/agent/ledger"
	"yuanlu/protocol/evidence"
)

// TestRule_evidencePages: a page of leaves has at most 200 KiB, as it is published, however much of a
// leaf JSON must escape; pages are numbered from 1, and each leaf stands in one of them, in order.
func TestRule_evidencePages(t *testing.T) {
	const most = 200 << 10 // evidence.md § 3
	proof := make([]evidence.Hash, 63)
	for name, leaf := range map[string]string{
		"short":                strings.Repeat("x", 10),
		"usual":                strings.Repeat(`{"a":"b"}`, 80),
		"half a page":          strings.Repeat("x", fullPage/2),
		"the longest":          strings.Repeat("x", evidence.MaxLeaf),
		"longest, all quotes":  strings.Repeat(`"`, evidence.MaxLeaf),
		"escaped to six bytes": strings.Repeat("<", 30<<10),
	} {
		t.Run(name, func(t *testing.T) {
			var leaves []ledger.ProvedLeaf
			for n := range int64(200) {
				leaves = append(leaves, ledger.ProvedLeaf{N: n, Size: 1 << 40, Leaf: []byte(leaf), Proof: proof})
			}
			next := int64(0)
			for i, one := range pagesOf(leaves) {
				page := one.(leafPage)
				raw, err := json.Marshal(page)
				if err != nil || len(raw) > most || page.Page != i+1 || len(page.Leaves) == 0 {
					t.Fatalf("page %d, the %d.: %d bytes, %d leaves, %v", page.Page, i+1, len(raw), len(page.Leaves), err)
				}
				for _, l := range page.Leaves {
					if l.N != next || l.Leaf != leaf {
						t.Fatalf("leaf %d, want %d", l.N, next)
					}
					next++
				}
			}
			if next != 200 {
				t.Errorf("%d leaves", next)
			}
		})
	}
	if got := pagesOf(nil); len(got) != 0 {
		t.Errorf("%d pages of no leaf", len(got))
	}
}
