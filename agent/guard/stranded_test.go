package guard

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStranded: who could release whom, as a release is decided.
func TestStranded(t *testing.T) {
	all := []Supervisor{{"s-1", []string{"007", "90"}}, {"s-2", []string{"08", "90"}}}
	seen := []string{"", "01", "7", "8", "90", "s-1"}
	for _, c := range []struct {
		name          string
		withPIN, want []string
	}{
		{"nobody has a PIN", nil, seen},
		{"one has", []string{"s-1"}, []string{"", "7", "90", "s-1"}},
		{"both have: the shared number is left", []string{"s-1", "s-2"}, []string{"", "90"}},
		{"a PIN of somebody not configured", []string{"s-3"}, seen},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Stranded(all, c.withPIN, seen)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
