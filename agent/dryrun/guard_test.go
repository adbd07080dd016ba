package dryrun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lineKey names a line: one of each kind stands for a place.
type lineKey struct {
	Type string
	Seq  int64
}

// parsed reads lines of JSON, in their order.
func parsed(t *testing.T, text string) (keys []lineKey, lines map[lineKey]map[string]any) {
	t.Helper()
	lines = map[lineKey]map[string]any{}
	for line := range strings.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		seq, _ := v["seq"].(float64)
		typ, _ := v["type"].(string)
		k := lineKey{typ, int64(seq)}
		if lines[k] != nil {
			t.Errorf("%v stands twice", k)
		}
		keys, lines[k] = append(keys, k), v
	}
	return keys, lines
}

// holdsAll reports whether got has every member that want has, and lists of the same length.
func holdsAll(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, value := range w {
			if ok = ok && holdsAll(value, g[name]); !ok {
				return false
			}
		}
		return ok
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !holdsAll(w[i], g[i]) {
				return false
			}
		}
		return true
	}
	return want == got
}

// TestGuardJournals: of every journal exactly the wanted lines are printed, in order, and
// lines that are no asks are refused. testdata/guard are those of the contract; the labels of
// guard-more were written by hand, for the sentences of guard.md that those do not show.
func TestGuardJournals(t *testing.T) {
	wants, err := filepath.Glob("testdata/guard*/*.want.jsonl")
	if err != nil || len(wants) < 80 {
		t.Fatal(len(wants), err)
	}
	for _, file := range wants {
		name := strings.TrimSuffix(file, ".want.jsonl")
		t.Run(strings.TrimPrefix(name, "testdata/"), func(t *testing.T) {
			in, err := os.ReadFile(name + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out, _, refused, err := dry(t, t.Context(), bytes.NewReader(in), true)
			if err != nil {
				t.Fatal(err)
			}
			keys, got := parsed(t, out)
			wanted, want := parsed(t, string(text))
			if !slices.Equal(keys, wanted) {
				t.Errorf("lines %v, want %v", keys, wanted)
			}
			for k, w := range want {
				if !holdsAll(w, got[k]) {
					t.Errorf("%v:\n got %v\nwant %v", k, got[k], w)
				}
			}
			if _, err := os.Stat(name + ".status"); (err == nil) != (len(refused) > 0) {
				t.Errorf("refused: %q", refused)
			}
		})
	}
}

// TestGuardLinesAsTheyCome: without final a hold is printed when it is opened and when it
// changes, among the lines that one line causes in the order of their places.
func TestGuardLinesAsTheyCome(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"hold-300-seconds", "answer 2, hold 2 open, hold 2 expired, hold 2 expired, verdict 3"},
		{"hold-replaced-by-another-wrong-one", "answer 2, hold 2 open, hold 2 replaced, answer 3, hold 3 open"},
		{"hold-bypassed", "answer 2, hold 2 open, hold 2 bypassed, verdict 3"},
		{"hold-released", "answer 2, hold 2 open, hold 2 released, hold 2 released, verdict 4"},
		{"again-same-ask-same-answer", "answer 2, hold 2 open, answer 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := os.ReadFile("testdata/guard/" + c.name + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			out, _, _, err := dry(t, t.Context(), bytes.NewReader(in), false)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(out) {
				var v struct {
					Type, State string
					Seq         int64
				}
				if err := json.Unmarshal([]byte(line), &v); err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.TrimSpace(fmt.Sprint(v.Type, " ", v.Seq, " ", v.State)))
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}
