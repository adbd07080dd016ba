package ingest_test

import (
	"strings"
	"testing"

	"yuanlu/agent/ingest"
)

// Each member of a profile is documented with an example in the embedded file, and every
// example is right: a file of that one line loads and is not what stands there already.
func TestProfileExamples(t *testing.T) {
	for _, wire := range []string{"mispos", "cup8583"} {
		text, err := ingest.DefaultProfileText(wire)
		if err != nil {
			t.Fatal(err)
		}
		var pending []string
		shown := map[string]bool{} // members and tables with an example
		members := map[string]bool{}
		flush := func(table string) {
			for _, example := range pending {
				file := example
				key, _, _ := strings.Cut(example, " = ")
				if table != "" {
					file, key = "["+table+"]\n"+example, table
				}
				shown[key] = true
				if strings.Contains(text, "\n"+example+"\n") {
					t.Errorf("%s: the example %q changes nothing", wire, example)
				}
				if wire == "mispos" && strings.HasPrefix(example, "41 =") {
					file = "[kind]\n41 = \"refund\"\n" + file
				}
				if _, err := ingest.LoadProfile(wire, []byte(file)); err != nil {
					t.Errorf("%s: the example %q: %v", wire, example, err)
				}
			}
			pending = nil
		}
		table := false
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.HasPrefix(line, "#   ") && strings.Contains(line, " = "):
				example, _, _ := strings.Cut(line[4:], "  #")
				pending = append(pending, strings.TrimSpace(example))
			case strings.HasPrefix(line, "["):
				name := strings.Trim(line, "[]")
				members[name], table = true, true
				flush(name)
			case line == "":
				flush("")
			case !table && !strings.HasPrefix(line, "#"):
				key, _, _ := strings.Cut(line, " = ")
				members[key] = true
			}
		}
		for m := range members {
			if !shown[m] {
				t.Errorf("%s: %s has no example", wire, m)
			}
		}
		if len(members) < 8 {
			t.Errorf("%s: only %d members were found", wire, len(members))
		}
	}
}
