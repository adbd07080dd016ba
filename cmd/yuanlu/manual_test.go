package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/codes"
	"yuanlu/cmd/manual"
	"yuanlu/cmd/yuanlu/screen"
)

// TestManualIsComplete: the program's page has an entry of each verb; the verb's own page,
// in both languages, has each of its words and flags; each code is in that of the codes.
func TestManualIsComplete(t *testing.T) {
	b := handbook()
	all := b.Pages()
	for _, v := range b.Verbs {
		if manual.Entry(all["man8/yuanlu.8"], v.Name) == "" {
			t.Errorf("yuanlu.8 has no entry of %s", v.Name)
		}
		for _, folder := range []string{"man8/", "zh_CN/man8/"} {
			text := strings.ReplaceAll(all[folder+"yuanlu-"+v.Name+".8"], `\-`, "-")
			for _, f := range v.Flags {
				if !strings.Contains(text, "\n.B --"+f.Name) && !strings.Contains(text, "\n.B -"+f.Name) {
					t.Errorf("%s%s: no word about %s", folder, v.Name, f.Name)
				}
			}
			for _, w := range v.Words() {
				if !strings.Contains(text, w) {
					t.Errorf("%s%s: no word about %s", folder, v.Name, w)
				}
			}
		}
	}
	pages := codesPages()
	for _, c := range codes.All() {
		for _, folder := range []string{"man7/", "zh_CN/man7/"} {
			if !strings.Contains(strings.ReplaceAll(pages[folder+"yuanlu-codes.7"], `\-`, "-"), "\n.BR "+c.Code+" ") {
				t.Errorf("%syuanlu-codes.7 lacks %s", folder, c.Code)
			}
		}
	}
}

// TestManualPages: groff takes every page without a warning, where it is there.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	if code, out, errs := yl(t, "", "man", dir); code != 0 {
		t.Fatal(code, out, errs)
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("no groff here")
	}
	files, err := filepath.Glob(filepath.Join(dir, "man/man?/*"))
	if err != nil || len(files) < len(verbs()) {
		t.Fatal(err, files)
	}
	for _, f := range files {
		out, err := exec.Command("groff", "-t", "-man", "-Tutf8", "-K", "utf8", "-ww", "-z", f).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", filepath.Base(f), err, out)
		}
	}
}

func TestWords(t *testing.T) {
	for usage, want := range map[string][]string{
		"list [--open] [--severity S] | show ID":                                           {"list", "show"},
		"init|check|schema [WIRE]|revert [--config F]":                                     {"init", "check", "schema", "revert"},
		"export | import FILE [--passphrase-file F] | version":                             {"export", "import", "version"},
		"[list] [--terminal ID] | close TERMINAL STREAM LAST --why TEXT; --store FILE|URL": {"list", "close"},
		"[--final] [FILE|-]": nil,
	} {
		if got := (&manual.Verb{Usage: usage}).Words(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", usage, got, want)
		}
	}
}

// TestCompletion: bash completes verbs, words and flags; the scripts are what their shells
// take, where these are there.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{"doc": "doctor", "config sch": "schema", "doctor --ec": "--echo", "run --lang z": "zh"} {
		words := strings.Fields(line)
		script := handbook().Completion("bash") + "COMP_WORDS=(yuanlu " + line + "); COMP_CWORD=" + string(rune('0'+len(words))) + "; _yuanlu; echo ${COMPREPLY[@]}"
		out, err := exec.Command("bash", "-c", script).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %v, %q, want %q", line, err, got, want)
		}
	}
	for _, shell := range manual.Shells() {
		text := handbook().Completion(shell)
		for _, v := range verbs() {
			if !strings.Contains(text, v.name) {
				t.Errorf("%s: %s is missing", shell, v.name)
			}
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		check := exec.Command(shell, "-n")
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v: %s", shell, err, out)
		}
	}
}

func TestCodesVerb(t *testing.T) {
	code, out, _ := yl(t, "", "codes")
	for _, c := range codes.All() {
		if !strings.Contains(out, " "+c.Code+" ") {
			t.Errorf("codes lacks %s", c.Code)
		}
	}
	if code != 0 {
		t.Error(code)
	}
	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{0, "含义 链路的端口不存在", []string{"codes", "link_absent", "--lang", "zh"}},
		{0, `"kind":"log","level":"warn"`, []string{"codes", "link.absent", "--json"}},
		{3, `did you mean "link_absent"?`, []string{"codes", "link_absnt"}},
	} {
		if code, out, errs := yl(t, "", tt.args...); code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: exit %d: %s%s", tt.args, code, out, errs)
		}
	}
}

// TestExampleInBothLanguages: config init prints the example, whose two languages say the
// same.
func TestExampleInBothLanguages(t *testing.T) {
	_, en, _ := yl(t, "", "config", "init")
	_, zh, _ := yl(t, "", "config", "init", "--lang", "zh")
	settings := func(text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(strings.TrimPrefix(line, "# "), "#")
			if strings.Contains(line, " = ") || strings.HasPrefix(line, "[") {
				b.WriteString(strings.TrimSpace(line) + "\n")
			}
		}
		return b.String()
	}
	if en != string(exampleConfig(screen.English)) || en == zh || settings(en) != settings(zh) {
		t.Errorf("the examples differ:\n%s\n%s", settings(en), settings(zh))
	}
}
