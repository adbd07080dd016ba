package printable_test

import (
	"testing"

	"yuanlu/protocol/printable"
)

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		text      string
		n         int
		cut, clip string
	}{
		{"", 0, "", ""},
		{"abc", 3, "abc", "abc"},
		{"abc", 2, "ab", "ab…"},
		{"原路", 5, "原", "原…"},
		{"原路", 3, "原", "原…"},
		{"原路", 2, "", "…"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			if cut, clip := printable.Cut(tt.text, tt.n), printable.Clip(tt.text, tt.n); cut != tt.cut || clip != tt.clip {
				t.Errorf("%d bytes: got %q and %q, want %q and %q", tt.n, cut, clip, tt.cut, tt.clip)
			}
		})
	}
}
