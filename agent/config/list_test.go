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

// TestMetricsOnTheLoopbackOnly: figures are for this machine; anything else is refused in
// its place, with what to write instead.
func TestMetricsOnTheLoopbackOnly(t *testing.T) {
	const head = "[terminal]\nid = \"t-1\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/dev/ttyS1\"\n[metrics]\n"
	for _, good := range []string{"", "127.0.0.1:9100", "127.9.9.9:1", "[::1]:65535", "[::ffff:127.0.0.1]:9100"} {
		c, err := Parse("f", []byte(head+"listen = \""+good+"\"\n"), wires)
		if err != nil || c.Metrics.Listen != good {
			t.Errorf("%q: %v", good, err)
		}
	}
	open := "would be open to other machines: write 127.0.0.1 or [::1] before the port"
	form := "wants a loopback address and a port from 1 to 65535, such as 127.0.0.1:9100"
	for bad, want := range map[string]string{
		"0.0.0.0:9100": open, ":9100": open, "[::]:9100": open, "192.168.1.5:9100": open, "[fe80::1%eth0]:9100": open, "pos.example:9100": open,
		"128.0.0.1:9100": open, "[::ffff:10.0.0.1]:9100": open, "[::1%lo]:9100": open, "127.0.0.1.example:9100": open,
		"localhost:9100": form, "127.0.0.1": form, "127.0.0.1:": form, "127.0.0.1:0": form, "127.0.0.1:http": form, "127.0.0.1:65536": form,
		"::1:9100": form, "9100": form, "http://127.0.0.1:9100": form, " 127.0.0.1:9100": open,
	} {
		_, err := Parse("f", []byte(head+"listen = \""+bad+"\"\n"), wires)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "f:8:10: listen "+want) {
			t.Errorf("%q: %v, want %s", bad, err, want)
		}
	}
}
