package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const own = `[terminal]
id = "t-00423"
merchant_id = "898000000000001"
[store]
dir = "/data/yuanlu"
[[link]]
name = "pos"
wire = "mispos"
port = "/dev/ttyS1"
profile = "/etc/yuanlu/acquirer.toml"
[mqtt]
url = "tls://broker.example:8883"
ca_file = "/etc/yuanlu/ca.pem"
[metrics]
listen = "127.0.0.1:9100"
[backoffice]
host = "desk"
[[backoffice.key]]
id = "k1"
public_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
`

func ownConfig(t *testing.T) *Config {
	t.Helper()
	c, err := Parse("/etc/yuanlu/yuanlu.toml", []byte(own), wires)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const afar = `[[link]]
name = "pos"
wire = "mispos"
port = "/dev/ttyS2"
[mqtt]
url = "tls://other.example:8883"
`

func TestDesiredInheritsWhatIsTheTerminalsOwn(t *testing.T) {
	base := ownConfig(t)
	c, err := Desired("dn/config", []byte(afar), base, wires)
	if err != nil {
		t.Fatal(err)
	}
	if c.Terminal != base.Terminal || c.Store != base.Store || c.MQTT.CAFile != base.MQTT.CAFile || c.MQTT.ClientID != "t-00423" ||
		c.Control != base.Control || c.Metrics != base.Metrics || c.Metrics.Listen == "" || c.Log.File != base.Log.File || c.File != base.File {
		t.Errorf("not inherited: %+v", c)
	}
	if !slices.Equal(c.MQTT.URLs, []string{"tls://other.example:8883"}) || c.Links[0].Port != "/dev/ttyS2" || c.Links[0].Profile != "" || c.Backoffice.Host != "" || len(c.Backoffice.Keys) != 0 {
		t.Errorf("what may come from afar is not as it came: %+v", c)
	}
	// The whole of the terminal's own file, sent back, is right and changes nothing.
	same, err := Desired("dn/config", []byte(own), base, wires)
	if err != nil || len(base.Changed(same)) != 0 || same.Digest() != base.Digest() || same.Sum() != base.Sum() {
		t.Errorf("%v, changed %v", err, base.Changed(same))
	}
	// So is what config show prints: all settings, defaults too.
	same, err = Desired("dn/config", []byte(base.TOML()), base, wires)
	if err != nil || len(base.Changed(same)) != 0 {
		t.Errorf("%v, changed %v", err, base.Changed(same))
	}
}

// Every setting that is the terminal's own, said otherwise, is refused in its place.
func TestDesiredRefusesWhatIsTheTerminalsOwn(t *testing.T) {
	base := ownConfig(t)
	other := map[string]string{"string": `"/x"`, "bool": "", "duration": `"33d"`}
	special := map[string]string{"terminal.id": `"other"`, "terminal.merchant_id": `"1"`, "mqtt.root": `"r"`, "mqtt.client_id": `"c"`,
		"mqtt.username": `"u"`, "mqtt.allow_plaintext": "true", "remote.config": "false", "time.trust": `"always"`, "metrics.listen": `"[::1]:9100"`,
		"guard.group": `"tills"`, "guard.listen": `"[::1]:8471"`}
	n := 0
	for _, s := range settings(wires) {
		if s.Local == "" {
			continue
		}
		n++
		value := other[s.Type]
		if v, ok := special[s.Name]; ok {
			value = v
		}
		text := afar
		line := strings.Count(afar, "\n") + 2
		if s.table == "mqtt" {
			line--
		} else {
			text += "[" + s.table + "]\n"
		}
		_, err := Desired("dn/config", []byte(text+s.key+" = "+value+"\n"), base, wires)
		var errs Errors
		if !errors.As(err, &errs) || errs[0].Name != s.Name || errs[0].Line != line || errs[0].Col != len(s.key)+4 || !strings.Contains(errs[0].Message, "changed only in the terminal's own file ("+s.Local+")") {
			t.Errorf("%s = %s: %v, want line %d", s.Name, value, err, line)
		}
	}
	if n < 15 {
		t.Errorf("%d settings are the terminal's own", n)
	}
}

func TestDesiredErrors(t *testing.T) {
	base := ownConfig(t)
	for _, tc := range []struct{ text, want string }{
		{strings.Replace(afar, `url = "tls://other.example:8883"`, `url = ""`, 1), "dn/config:6:7: the broker may be changed from afar, but not taken away"},
		{strings.Replace(afar, "[mqtt]\n", "profile = \"/etc/shadow\"\n[mqtt]\n", 1), "dn/config:5:11: profile is a file of the terminal"},
		{strings.Replace(strings.Replace(afar, "mispos", "cup8583", 1), "[mqtt]\n", "profile = \"/etc/yuanlu/acquirer.toml\"\n[mqtt]\n", 1), "no link of the terminal's own file has it for this wire"},
		{strings.Replace(afar, "tls://other.example:8883", "tcp://other.example:1883", 1), "dn/config:6:7: tcp:// is not encrypted"},
		{strings.Replace(afar, "tls://other.example:8883", "tcp://127.0.0.1:1883", 1), "ca_file says something only about tls://"},
		{afar + "[log]\nmax_bytes = \"1GiB\"\nkeep = 100\n", "dn/config:8:13: the files of the log may grow to 101GiB together (max_bytes for each of keep + 1); from afar it is at most 64MiB"},
		{afar + "[log]\nkeep = 32\n", "dn/config:8:8: the files of the log may grow to 66MiB together"},
		{afar + "[delivery]\nmax_bytes = \"257MiB\"\n", "dn/config:8:13: from afar it is at most 256MiB"},
		{"", "there is no [[link]]"},
		{"x = 1", "unknown name"},
		{"\xff", "not UTF-8"},
	} {
		_, err := Desired("dn/config", []byte(tc.text), base, wires)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v, want %s", tc.text, err, tc.want)
		}
	}
	wide, err := Parse("f", []byte(own+"[log]\nmax_bytes = \"1GiB\"\nkeep = 9\n[delivery]\nmax_bytes = \"1GiB\"\n"), wires)
	if err != nil {
		t.Fatal(err)
	}
	for text, base := range map[string]*Config{"[log]\nkeep = 31\n[delivery]\nmax_bytes = \"256MiB\"\n": base,
		"[log]\nmax_bytes = \"1GiB\"\nkeep = 9\n[delivery]\nmax_bytes = \"1GiB\"\n": wide} {
		if _, err := Desired("dn/config", []byte(afar+text), base, wires); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Desired("dn/config", []byte(strings.Replace(afar, "[mqtt]\n", "profile = \"/etc/yuanlu/acquirer.toml\"\n[mqtt]\n", 1)), base, wires); err != nil {
		t.Errorf("the profile that the terminal's own file has: %v", err)
	}
}

// Who may change the keys, and to what.
func TestKeyProblems(t *testing.T) {
	k := func(n byte) Key {
		return Key{ID: fmt.Sprintf("k%d", n), PublicKey: strings.Repeat(string('A'+rune(n)), 42) + "A="}
	}
	for _, tc := range []struct {
		name     string
		now      []Key
		next     []Key
		signedBy string
		want     string
	}{
		{"none, and none come", nil, nil, "", ""},
		{"the first by an unsigned message", nil, []Key{k(1)}, "", "the first key is written into the terminal's own file"},
		{"the same", []Key{k(1)}, []Key{k(1)}, "k1", ""},
		{"one more", []Key{k(1)}, []Key{k(1), k(2)}, "k1", ""},
		{"the old one away, signed by the new", []Key{k(1), k(2)}, []Key{k(2)}, "k2", ""},
		{"the new one away, signed by the old", []Key{k(1), k(2)}, []Key{k(1)}, "k1", ""},
		{"its own away", []Key{k(1), k(2)}, []Key{k(2)}, "k1", "the key k1 that signed this message must stay"},
		{"its own exchanged under its name", []Key{k(1)}, []Key{{"k1", k(2).PublicKey}}, "k1", "must stay"},
		{"exchanged at once", []Key{k(1)}, []Key{k(2)}, "k1", "must stay"},
		{"all away", []Key{k(1)}, nil, "k1", "not taken away"},
		{"unsigned", []Key{k(1)}, []Key{k(1)}, "", "it is not signed with a key of the terminal"},
		{"signed with a key that is gone", []Key{k(1)}, []Key{k(1), k(3)}, "k3", "it is not signed with a key of the terminal"},
	} {
		text := afar
		for _, one := range tc.next {
			text += fmt.Sprintf("[[backoffice.key]]\nid = %q\npublic_key = %q\n", one.ID, one.PublicKey)
		}
		c, err := Desired("dn/config", []byte(text), ownConfig(t), wires)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		errs := c.KeyProblems(tc.now, tc.signedBy)
		if tc.want == "" && len(errs) > 0 || tc.want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Message, tc.want)) {
			t.Errorf("%s: %v, want %s", tc.name, errs, tc.want)
		}
	}
}

// FuzzDesired: any text from afar is a configuration that keeps what is the terminal's
// own, or errors with their places.
func FuzzDesired(f *testing.F) {
	f.Add(own)
	f.Add(afar)
	f.Add(afar + "[store]\nretention = \"1d\"\n")
	f.Add("link = [{name = \"a\", wire = \"smart\", port = \"usb:1209:5053\", profile = \"/etc/shadow\"}]\n")
	base, err := Parse("f", []byte(own), wires)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Desired("dn/config", []byte(text), base, wires)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatal(err)
			}
			return
		}
		if c.Terminal != base.Terminal || c.Store != base.Store || c.Control != base.Control || c.Log.File != base.Log.File || c.MQTT.Root != base.MQTT.Root ||
			c.MQTT.PasswordFile != base.MQTT.PasswordFile || c.MQTT.AllowPlaintext || !c.Remote.Config || len(c.MQTT.URLs) == 0 {
			t.Errorf("changed from afar: %+v", c)
		}
		for _, l := range c.Links {
			if l.Profile != "" && l.Profile != base.Links[0].Profile {
				t.Errorf("profile %q", l.Profile)
			}
		}
		c.KeyProblems(base.Backoffice.Keys, "k1")
	})
}
