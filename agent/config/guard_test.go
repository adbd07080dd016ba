package config

import (
	"strings"
	"testing"
)

// TestGuard: the level of a link, and who may release.
func TestGuard(t *testing.T) {
	const head = "[terminal]\nid = \"t-1\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/dev/ttyS1\"\n"
	const supervisor = "[[guard.supervisor]]\nid = \"s-1\"\nname = \"王\"\noperators = [\"01\", \"7\"]\n"
	c, err := Parse("f", []byte(head+"guard = \"hold\"\n[guard]\nhold_for = \"2m\"\nlisten = \"127.0.0.1:8471\"\ntoken_file = \"/t\"\n"+supervisor), wires)
	if err != nil {
		t.Fatal(err)
	}
	if g := c.Guard; c.Links[0].Guard != GuardHold || len(g.Supervisors) != 1 || g.Supervisors[0].ID != "s-1" || len(g.Supervisors[0].Operators) != 2 {
		t.Errorf("%+v", c)
	}
	again, err := Parse("f", []byte(c.TOML()), wires)
	if err != nil || again.Digest() != c.Digest() {
		t.Errorf("does not read back to the same: %v\n%s", err, c.TOML())
	}
	for text, want := range map[string]string{
		"guard = \"on\"\n":                                          "guard wants one of off, advise, hold, office",
		"guard = \"office\"\n":                                      "needs a [[backoffice.key]]",
		"[guard]\nlisten = \"127.0.0.1:1\"\n":                       "needs guard.token_file",
		"[guard]\nlisten = \"10.0.0.1:1\"\n":                        "open to other machines",
		supervisor + supervisor:                                     "already the id of another supervisor",
		strings.Replace(supervisor, "s-1", "S_1", 1):                "id wants 1 to 32 of a-z, 0-9 and -",
		"[guard.supervisor]\nid = \"s-1\"\n":                        "may stand several times",
		strings.Replace(supervisor, `["01", "7"]`, `["1", "1"]`, 1): "stands twice in the list",
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := Parse("f", []byte(head+text), wires); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}
