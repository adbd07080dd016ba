package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/config"
	"yuanlu/cmd/yuanlu/screen"
)

// setUp runs setup on a file of a test with answers on standard input.
func setUp(t *testing.T, file, answers string, args ...string) (code int, out, errs string) {
	t.Helper()
	return yl(t, answers, append([]string{"setup", "--config", file, "--for", "1s"}, args...)...)
}

func configOf(t *testing.T, file string) *config.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(file, text, configOptions())
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return c
}

// TestSetupAsks: answers in their order, a wrong one asked for again, the daemon's file as
// it then is; the exit code is doctor's, which finds no port.
func TestSetupAsks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "yuanlu.toml")
	code, out, errs := setUp(t, file, "T 1\nt-7\n898000000000001\n/dev/yuanlu-none\ncup8583\n19200\nnone\n", "--no-start")
	if code != 0 || !strings.Contains(out, "wants 1 to 64 of a-z, 0-9 and -") || !strings.Contains(out, file+" written") || !strings.Contains(errs, "/dev/yuanlu-none") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	c := configOf(t, file)
	l := c.Links[0]
	if c.Terminal.ID != "t-7" || c.Terminal.MerchantID != "898000000000001" || len(c.Links) != 1 || l.Name != "pos" || l.Port != "/dev/yuanlu-none" || l.Wire != "cup8583" || l.Baud != 19200 || len(c.MQTT.URLs) != 0 {
		t.Errorf("%+v", c)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside the file: %v %v", left, err)
	}
}

// TestSetupAgain: what no flag and no answer names stays, to the byte.
func TestSetupAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "yuanlu.toml")
	const before = "# shop 7\n[terminal]\nid = \"t-7\"   # ours\n[store]\ndir = \"/srv/y\"\n\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/dev/ttyS1\"\nparity = \"even\"\n[mqtt]\nurl = [\"tls://a:8883\", \"tls://b:8883\"]\n"
	key := "2026-a=" + strings.Repeat("A", 43) + "="
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--yes"}, before},
		{[]string{"--yes", "--terminal", "t-8"}, strings.Replace(before, `"t-7"`, `"t-8"`, 1)},
		{[]string{"--yes", "--link", "pos=/dev/ttyS2,mispos,115200"}, strings.Replace(before, "port = \"/dev/ttyS1\"\nparity = \"even\"\n", "port = \"/dev/ttyS2\"\nbaud = 115200\n", 1)},
		{[]string{"--yes", "--link", "two=usb:1209:5053,smart"}, before + "\n[[link]]\nname = \"two\"\nwire = \"smart\"\nport = \"usb:1209:5053\"\n"},
		{[]string{"--yes", "--signing-key", key}, before + "\n[[backoffice.key]]\nid = \"2026-a\"\npublic_key = \"" + strings.Repeat("A", 43) + "=\"\n"},
		{[]string{"--yes", "--broker", "none"}, strings.Replace(before, `["tls://a:8883", "tls://b:8883"]`, `""`, 1)},
	} {
		t.Run(strings.Join(step.args, " "), func(t *testing.T) {
			if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := setUp(t, file, "", append(step.args, "--no-start")...)
			text, err := os.ReadFile(file)
			if code != 0 || err != nil {
				t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
			}
			if diff := cmp.Diff(step.want, string(text)); diff != "" {
				t.Error(diff)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
		})
	}
}

// TestSetupRefuses: nothing is written where something is missing or wrong.
func TestSetupRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "yuanlu.toml")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--yes"}, 2, "--terminal wants 1 to 64"},
		{[]string{"--yes", "--terminal", "t-1"}, 2, "--link NAME=PORT is missing"},
		{[]string{"--terminal", "T"}, 2, "--terminal wants 1 to 64"},
		{[]string{"--link", "pos"}, 2, "want NAME=PORT"},
		{[]string{"--link", "pos=/dev/ttyS1,misops"}, 2, `did you mean "mispos"?`},
		{[]string{"--link", "pos=/dev/ttyS1,mispos,12345"}, 2, "baud wants one of"},
		{[]string{"--signing-key", "abc"}, 2, "--signing-key wants ID=KEY"},
		{[]string{"--lang", "zh", "--terminal", "T"}, 2, "--terminal 应为"},
		{[]string{"--yes", "--terminal", "t-1", "--link", "pos=/dev/yuanlu-none"}, 3, "/dev/yuanlu-none"},
		{[]string{"--config", filepath.Join(dir, "no/such/yuanlu.toml")}, 3, "cannot be written to"},
	} {
		code, out, errs := setUp(t, file, "", tt.args...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", tt.args, code, tt.code, tt.want, out, errs)
		}
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Error("something was written")
	}
	if err := os.WriteFile(file, []byte("[terminal]\nid = “t”\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := setUp(t, file, "", "--yes"); code != 78 || !strings.Contains(errs, "U+201C") {
		t.Errorf("exit %d: a wrong file is not changed: %s", code, errs)
	}
}

// TestFreshConfig: what setup begins with is the example, without its link.
func TestFreshConfig(t *testing.T) {
	for _, lang := range []screen.Language{screen.English, screen.Chinese} {
		text := string(freshConfig(lang))
		if strings.Contains(text, "[[link]]") || !strings.Contains(text, "\n[mqtt]\n") || !strings.Contains(text, "\n[terminal]\n") {
			t.Errorf("%s", text)
		}
	}
}
