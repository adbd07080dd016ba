package topics

import "testing"

// BenchmarkCheckCase checks a case event.
func BenchmarkCheckCase(b *testing.B) {
	v, err := NewValidator()
	if err != nil {
		b.Fatal(err)
	}
	p, err := Example("case")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if err := v.Check("case-event.v1", p); err != nil {
			b.Fatal(err)
		}
	}
}
