package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestURLMayBeAList: one text, or a list of them, each checked at its own place.
func TestURLMayBeAList(t *testing.T) {
	const head = "[terminal]\nid = \"t-1\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/dev/ttyS1\"\n[mqtt]\n"
	for _, tt := range []struct {
		url     string
		want    []string
		literal string
	}{
		{`""`, nil, `""`},
		{`"tls://a.example:8883"`, []string{"tls://a.example:8883"}, `"tls://a.example:8883"`},
		{`["tls://a.example:8883"]`, []string{"tls://a.example:8883"}, `"tls://a.example:8883"`},
		{"[\n  \"tls://a.example:8883\", # the first\n  'tls://b.example:8883',\n]", []string{"tls://a.example:8883", "tls://b.example:8883"},
			`["tls://a.example:8883", "tls://b.example:8883"]`},
	} {
		c, err := Parse("f", []byte(head+"url = "+tt.url+"\n"), Options{Wires: []string{"mispos"}})
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if d := cmp.Diff(tt.want, c.MQTT.URLs); d != "" {
			t.Errorf("%s: %s", tt.url, d)
		}
		if text := c.TOML(); !strings.Contains(text, "\nurl = "+tt.literal+"\n") {
			t.Errorf("%s is written as %s", tt.url, text)
		}
		again, err := Parse("f", []byte(c.TOML()), Options{Wires: []string{"mispos"}})
		if err != nil || again.Digest() != c.Digest() {
			t.Errorf("%s does not read back to the same: %v", tt.url, err)
		}
	}
	for url, want := range map[string]string{
		`[]`:                                   `f:8:1: url is an empty list: write "" for none`,
		`["tls://a:1", 7]`:                     `f:8:21: url wants text in quotes, not a whole number`,
		`["tls://a:1", ["tls://b:1"]]`:         `url wants text in quotes, not a list`,
		`["tls://a:1", ""]`:                    `f:8:21: url wants tls:// or tcp:// before the host`,
		`["tls://a:1",` + "\n" + ` "tls://b"]`: `f:9:2: url wants a port, such as :8883`,
		`["tls://a:1", "tls://a:1"]`:           `f:8:21: url stands twice in the list`,
		`["tls://a:1", "tcp://b:1"]`:           `f:8:1: tcp:// is not encrypted, and for this machine only: use tls://, or set mqtt.allow_plaintext = true`,
		`["tls://a:1", "tls://u:hunter2@b:1"]`: `f:8:21: url holds a user name: use mqtt.username and mqtt.password_file`,
		`17`:                                   `f:8:7: url wants text in quotes or a list of such, not a whole number`,
		`[` + strings.Repeat(`"tls://a:1",`, 17) + `]`: `f:8:1: url has 17 values, want at most 16`,
	} {
		_, err := Parse("f", []byte(head+"url = "+url+"\n"), Options{Wires: []string{"mispos"}})
		if err == nil || !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}
