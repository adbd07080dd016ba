package houserules

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// topLevel is what stands at the top of the project, besides dot files and bin, where make
// puts what it builds. Units, schemas and pages stand beside the code that owns them.
var topLevel = []string{
	"agent", "cmd", "drivers", "firmware-sim", "protocol",
	"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "go.mod", "go.sum", "bin",
}

// misplaced returns the names that do not belong at the top level.
func misplaced(names []string) (out []string) {
	for _, n := range names {
		if !strings.HasPrefix(n, ".") && !slices.Contains(topLevel, n) {
			out = append(out, n)
		}
	}
	return out
}

// A program that go build leaves at the top level would be committed with the rest.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if wrong := misplaced(names); len(wrong) > 0 {
		t.Errorf("at the top level: %q; build with make, or move it beside the code that owns it", wrong)
	}
	if got := misplaced([]string{"agent", ".github", "yuanlu", "go.mod"}); !slices.Equal(got, []string{"yuanlu"}) {
		t.Errorf("misplaced finds %q, want the built program", got)
	}
}
