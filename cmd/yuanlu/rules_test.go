package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"yuanlu/drivers/usbport"
)

const rulesFile = "package/70-yuanlu.rules"

// udevRules returns the rules of the file: comments away, continued lines joined.
func udevRules(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	line := ""
	for l := range strings.Lines(string(raw)) {
		if l = strings.TrimSpace(l); l == "" || l[0] == '#' {
			continue
		}
		if rest, more := strings.CutSuffix(l, "\\"); more {
			line += rest
			continue
		}
		rules = append(rules, line+l)
		line = ""
	}
	if line != "" {
		t.Errorf("the last rule is not ended: %s", line)
	}
	return rules
}

// Each rule is a list of KEY{attribute}OPERATOR"value", udev(7), with matches before
// assignments, and keys that are known.
func TestUdevRulesAreValid(t *testing.T) {
	token := regexp.MustCompile(`^([A-Z]+)(?:\{([A-Za-z_]+)\})?(==|!=|\+=|:=|=)"([^"]*)"$`)
	match := map[string]bool{"ACTION": true, "SUBSYSTEM": true, "ENV": true, "ATTR": true, "ATTRS": true}
	assign := map[string]bool{"GROUP": true, "MODE": true, "ENV": true, "SYMLINK": true, "GOTO": true, "LABEL": true}
	labels, jumps := map[string]bool{}, map[string]bool{}
	for _, rule := range udevRules(t) {
		assigned := false
		for _, one := range regexp.MustCompile(`,\s*`).Split(rule, -1) {
			m := token.FindStringSubmatch(one)
			if m == nil {
				t.Fatalf("%q in: %s", one, rule)
			}
			key, op, value := m[1], m[3], m[4]
			if isMatch := op == "==" || op == "!="; isMatch && (!match[key] || assigned) || !isMatch && !assign[key] {
				t.Errorf("%q in: %s", one, rule)
			} else if !isMatch {
				assigned = true
			}
			switch key {
			case "GOTO":
				jumps[value] = true
			case "LABEL":
				labels[value] = true
			}
		}
	}
	for j := range jumps {
		if !labels[j] {
			t.Errorf("no label %q", j)
		}
	}
}

// The rules know the terminals' numbers, keep ModemManager off each of them, let the
// daemon's group in, and give each a name by its role.
func TestUdevRulesSayWhatTheyMust(t *testing.T) {
	c, err := usbport.ParseName("usb:1209:5053")
	if err != nil {
		t.Fatal(err)
	}
	_, product, _ := strings.Cut(c.String()[len("usb:"):], ":")
	for _, want := range [][]string{
		{`SUBSYSTEM=="usb"`, `ATTR{idVendor}=="1209"`, `ATTR{idProduct}=="` + product + `"`, `GROUP="yuanlu"`, `MODE="0660"`, `ENV{ID_MM_DEVICE_IGNORE}="1"`, `SYMLINK+="yuanlu/smart"`},
		{`SUBSYSTEM=="usb"`, `ATTR{idProduct}=="5054"`, `ENV{ID_MM_DEVICE_IGNORE}="1"`},
		{`SUBSYSTEM=="tty"`, `ATTRS{idVendor}=="1209"`, `ATTRS{idProduct}=="5054"`, `GROUP="yuanlu"`, `MODE="0660"`, `ENV{ID_MM_PORT_IGNORE}="1"`, `SYMLINK+="yuanlu/pos"`},
	} {
		found := false
		for _, rule := range udevRules(t) {
			all := true
			for _, w := range want {
				all = all && strings.Contains(rule, w)
			}
			found = found || all
		}
		if !found {
			t.Errorf("no rule has all of %v", want)
		}
	}
	// The unit and its user are those that the rules let in.
	unit, err := os.ReadFile("package/yuanlu.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "User=yuanlu") || !strings.Contains(string(unit), filepath.Base(rulesFile)) {
		t.Error("the unit does not run as yuanlu, or does not say where the rules go")
	}
}

// udev's own opinion, where it has one (systemd 254 and later).
func TestUdevVerify(t *testing.T) {
	out, err := exec.Command("udevadm", "verify", "--resolve-names=never", rulesFile).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) || strings.Contains(string(out), "Unknown command verb") {
		t.Skip("no udevadm verify here")
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
