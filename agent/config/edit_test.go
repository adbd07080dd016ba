package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const edited = `# of the shop
[terminal]
id = "t-1"   # ours

[[link]] # the first
name = "pos"
port = '/dev/ttyS1'
baud = 9600 # slow

[mqtt]
url = [
  "tls://a:8883", # one, and ] in a comment
  "tls://b:8883",
]
root = "yuanlu"`

func TestEdit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change Change
		old    string
		new    string
	}{
		{"value", Change{"terminal", 0, "id", `"t-2"`}, `id = "t-1"   # ours`, `id = "t-2"   # ours`},
		{"number", Change{"link", 0, "baud", "115200"}, "baud = 9600 # slow", "baud = 115200 # slow"},
		{"single quotes", Change{"link", 0, "port", `"/dev/ttyS2"`}, `'/dev/ttyS1'`, `"/dev/ttyS2"`},
		{"list of several lines", Change{"mqtt", 0, "url", `"tls://c:8883"`}, "[\n  \"tls://a:8883\", # one, and ] in a comment\n  \"tls://b:8883\",\n]", `"tls://c:8883"`},
		{"removed", Change{"link", 0, "baud", ""}, "baud = 9600 # slow\n", ""},
		{"removed, not there", Change{"link", 0, "parity", ""}, "", ""},
		{"new in its table", Change{"link", 0, "parity", `"even"`}, "baud = 9600 # slow\n", "baud = 9600 # slow\nparity = \"even\"\n"},
		{"new at the end", Change{"mqtt", 0, "ca_file", `"/ca"`}, `root = "yuanlu"`, "root = \"yuanlu\"\nca_file = \"/ca\"\n"},
		{"new table", Change{"time", 0, "trust", `"always"`}, `root = "yuanlu"`, "root = \"yuanlu\"\n\n[time]\ntrust = \"always\"\n"},
		{"new element", Change{"link", 1, "name", `"two"`}, `root = "yuanlu"`, "root = \"yuanlu\"\n\n[[link]]\nname = \"two\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Edit([]byte(edited), []Change{tt.change})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Replace(edited, tt.old, tt.new, 1), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, text := range []string{"[terminal\nid = 1", "[terminal]\nid = \"\"\"a\nb\"\"\"\n"} {
		if _, err := Edit([]byte(text), []Change{{"terminal", 0, "id", `"x"`}}); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzEdit: a file that parses still does after a change, with the value changed and
// nothing else.
func FuzzEdit(f *testing.F) {
	f.Add(edited, "x")
	f.Add("[terminal]\nid='a'\n[[link]]\nname=\"pos\"\nwire=\"mispos\"\nport=\"/dev/ttyS1\"", "b-2")
	f.Add("terminal.id = \"a\"\n[[link]]\nname=\"pos\"\nwire=\"mispos\"\nport=\"/dev/ttyS1\"\n", "b")
	o := Options{Wires: []string{"mispos", "smart"}}
	f.Fuzz(func(t *testing.T, text, id string) {
		before, err := Parse("f", []byte(text), o)
		if err != nil || name(id) != "" {
			return
		}
		after, err := Edit([]byte(text), []Change{{"terminal", 0, "id", `"` + id + `"`}})
		if err != nil {
			return
		}
		c, err := Parse("f", after, o)
		if err != nil {
			return // a form that Edit does not know, such as terminal = {…}: setup refuses the result
		}
		for _, changed := range before.Changed(c) {
			if !strings.HasPrefix(changed, "terminal.id") && !strings.HasPrefix(changed, "mqtt.") {
				t.Errorf("%s changed, too", changed)
			}
		}
		if c.Terminal.ID != id {
			t.Errorf("id %q, want %q", c.Terminal.ID, id)
		}
	})
}
