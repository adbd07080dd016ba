package sqlite

import "testing"

// BenchmarkPageSum is what a page costs when it is read from the file or written to it.
func BenchmarkPageSum(b *testing.B) {
	page := make([]byte, PageSize)
	for b.Loop() {
		putSum(page, 7)
	}
}
