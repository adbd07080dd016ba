package ledger

import (
	"testing"

	"yuanlu/agent/ledger/sqlite"
)

// BenchmarkMark is what a commit pays for the mark.
func BenchmarkMark(b *testing.B) {
	d := openTest(b, testOptions(b.TempDir()))
	apply(b, d, saleOf(1, start))
	for b.Loop() {
		d.lock.left.mark = sqlite.Mark{}
		d.lock.committed()
	}
}
