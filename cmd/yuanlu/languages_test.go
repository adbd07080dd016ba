package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"yuanlu/agent/catalogue/cataloguetest"
)

// wrongConfigurations are texts of a configuration with mistakes of every kind.
var wrongConfigurations = map[string]string{
	"unknown":  "[terminal]\nid = \"t-1\"\n[[link]]\nname = \"pos\"\nwire = \"mispso\"\nport = \"ttyS1\"\nbauds = 9600\n[mqtt]\nulr = \"x\"\n[nothing]\nx = 1\n",
	"types":    "[terminal]\nid = 7.5\n[store]\ndir = \"x\"\n[[link]]\nname = \"POS\"\nwire = \"mispos\"\nport = \"a/b\"\nbaud = \"fast\"\n[log]\nlevel = \"loud\"\nkeep = 99999\nmax_bytes = \"many\"\n[case]\npending_grace = 10\n[time]\nzone = \"east\"\n",
	"syntax":   "[terminal\nid = t-1\nbaud = fast\n",
	"together": "[terminal]\nid = \"t-1\"\nmerchant_id = \"x y\"\n[[link]]\nname = \"a\"\nwire = \"smart\"\nport = \"usb:12:x\"\n[[link]]\nname = \"a\"\nwire = \"mispos\"\nport = \"usb:1234:5678\"\nbaud = 9600\n[mqtt]\nurl = \"tcp://h.example:1\"\nca_file = \"/c\"\ncert_file = \"/c\"\n[metrics]\nlisten = \"0.0.0.0:1\"\n[terminal]\n",
	"urls":     "[terminal]\nid = \"t-1\"\n[mqtt]\nurl = [\"http://h:1\", \"tls://u:p@h:1\", \"tls://h\", \"tls://h:1/x\", \"tls://h:1\", \"tls://h:1\"]\nroot = \"a//b\"\n",
	"empty":    "",
}

// everyPath runs every verb wrongly, with nothing there, and with everything broken.
func everyPath(t *testing.T, lang string, took func(args []string, text string)) {
	t.Chdir(t.TempDir()) // a bundle goes where it is asked for
	dir := t.TempDir()
	run := func(args ...string) {
		_, out, errs := yl(t, "no record\n", append([]string{"--lang=" + lang}, args...)...)
		took(args, out+errs)
	}
	run("help")
	run("chekc")
	for _, v := range verbs() {
		run("help", v.name)
		run(v.name, "--nonsense")
		run(v.name, "--config")
		if v.name != "run" && v.name != "man" && v.name != "completion" && v.name != "setup" {
			run(v.name, "a", "b", "c", "d", "e")
			run(v.name, "--config", dir+"/none.toml")
		}
	}
	for name, text := range wrongConfigurations {
		file := filepath.Join(dir, name+".toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run("config", "check", "--config", file)
		run("doctor", "--config", file)
		run("status", "--config", file)
	}
	config, work := writeConfig(t, "[mqtt]\nurl = \"tls://127.0.0.1:1\"\nca_file = \""+dir+"/none.pem\"\n")
	everyVerb := func() {
		for _, args := range [][]string{{"status"}, {"doctor"}, {"doctor", "--echo"}, {"tail"}, {"tail", "-n", "-1"}, {"tail", "--link", "x"}, {"cases", "list"}, {"cases", "show", "ZZZZ"},
			{"cases", "list", "--severity", "x"}, {"outbox", "stat"}, {"outbox", "list"}, {"outbox", "requeue", "9"}, {"outbox", "list", "-n", "0"}, {"capture", "start", "pos"}, {"capture", "info"},
			{"ctl", "log-level", "loud"}, {"ctl", "link-reopen", "pos"}, {"links", "list"}, {"links", "probe", work + "/port"}, {"links", "probe", "usb:1209:5053"}, {"links", "probe", "usb:1:2"},
			{"links", "probe", "/dev/null"}, {"links", "prob"}, {"config", "show", "x"}, {"config", "revert"}, {"support-bundle", "--out", work + "/b.tar.gz"}, {"support-bundle", "--out", "/proc/x/b"},
			{"store", "export", work + "/x"}, {"store", "import", work + "/none"}} {
			run(append(args, "--config", config)...)
			if err := os.Remove(work + "/b.tar.gz"); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	everyVerb()
	fillStore(t, work+"/store")
	everyVerb()
	if err := os.WriteFile(work+"/store/yuanlu.db", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	everyVerb()
	run("check", dir+"/none")
	run("check")
	run("replay", "--wire", "mispos", dir+"/none")
	run("replay", "--wire", "mispso", "x")
	run("api", "nonsense")
	run("codes", "nonsense")
}

// data are words that stand in texts since somebody named something so, or typed it.
var data = []string{"pos", "chekc", "nonsense", "none", "mispso", "bauds", "ulr", "shwo", "prob", "loud", "fast", "east", "many", "nothing", "card", "wechat", "file", "spec", "dir", "keep", "zone", "pem", "low", "medium", "high", "critical", "schema", "what is", "of"}

// usageLines stay in both languages: how a command is written.
var usageLine = regexp.MustCompile(`(?m)^(用法：|usage:).*$|^ +(--?[a-z-]+.*? {2,}|[a-z-]+ {2,})`)

// TestEveryPathInItsLanguage: whatever goes wrong, a person reads one language.
func TestEveryPathInItsLanguage(t *testing.T) {
	for _, lang := range []string{"zh", "en"} {
		t.Run(lang, func(t *testing.T) {
			seen := map[string]bool{}
			everyPath(t, lang, func(args []string, text string) {
				text = strings.ReplaceAll(strings.ReplaceAll(text, "left out: ", " "), " refused\n", "\n") // wires.md: what programs read
				text = strings.ReplaceAll(text, "yuanlu (原路)", "yuanlu")
				for line := range strings.Lines(usageLine.ReplaceAllString(text, " ")) {
					line = strings.TrimSpace(line)
					wrong := cataloguetest.Foreign(line, lang == "zh", data...)
					if wrong != "" && !seen[line] {
						seen[line] = true
						t.Errorf("%q: %s: %s", args, wrong, line)
					}
				}
			})
		})
	}
}
