package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

type ran struct {
	code        int
	out, errors string
}

func run(env map[string]string, args ...string) ran {
	var out, errs bytes.Buffer
	p := &program{args: args, stdout: &out, stderr: &errs, env: func(k string) string { return env[k] }}
	code := p.run()
	return ran{code, out.String(), errs.String()}
}

const (
	goodPack  = "verify/testdata/packs/good.zip"
	wrongPack = "verify/testdata/packs/leaf-shown.zip"
	knownFile = "verify/testdata/trust.json"
)

func TestExitCodes(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		code int
		args string
	}{
		{0, goodPack + " --trust " + knownFile}, {0, "--trust " + knownFile + " " + goodPack}, {0, "check " + goodPack + " --trust " + knownFile}, {3, goodPack}, {1, wrongPack + " --trust " + knownFile},
		{2, "verify/testdata/packs/bit-in-head.zip"}, {2, "verify"}, {2, "no-such-file"}, {2, "verify/testdata/trust.json"},
		{64, ""}, {64, goodPack + " " + wrongPack}, {64, goodPack + " --other"}, {64, goodPack + " --lang fr"}, {64, goodPack + " --trust " + bad}, {64, goodPack + " --trust no-such-file"},
		{64, "version more"}, {64, "completion"}, {64, "completion csh"}, {0, "help"}, {0, "check --help"}, {0, "version"}, {0, "version --json"}, {0, "--version"}, {0, "completion zsh"}, {0, "man " + t.TempDir()},
	} {
		t.Run(tt.args, func(t *testing.T) {
			if r := run(nil, strings.Fields(tt.args)...); r.code != tt.code || tt.code == 64 && r.errors == "" || tt.code < 64 && r.out == "" && !strings.HasPrefix(tt.args, "man ") {
				t.Errorf("%d, want %d; %q %q", r.code, tt.code, r.out, r.errors)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	r := run(nil, goodPack, "--trust", knownFile, "--json")
	var answer struct {
		Exit   int
		Checks []struct{ Check, State, Where, Text string }
		Keys   []struct {
			Kind, Fingerprint string
			Trusted           bool
		}
		Leaves []map[string]any
	}
	if err := json.Unmarshal([]byte(r.out), &answer); err != nil || strings.Count(r.out, "\n") != 1 {
		t.Fatalf("%v in %s", err, r.out)
	}
	names := ""
	for _, c := range answer.Checks {
		names += " " + c.Check
		if c.State != "ok" {
			t.Errorf("%+v", c)
		}
	}
	if want := " zip manifest signature stamp checkpoints leaves events verdicts journal stamps case files"; names != want {
		t.Errorf("checks%s, want%s", names, want)
	}
	if len(answer.Leaves) != 16 || answer.Exit != 0 || len(answer.Keys) != 4 {
		t.Errorf("%d leaves, %d keys, exit %d", len(answer.Leaves), len(answer.Keys), answer.Exit)
	}
	first := answer.Leaves[1]
	for name, want := range map[string]any{"n": 11.0, "t": "record", "not_before": "2026-08-22T19:00:00+08:00", "not_after": "2026-08-23T18:10:00+08:00", "stamped": "2026-11-30T22:20:07+08:00"} {
		if first[name] != want {
			t.Errorf("%s of leaf 11: %v, want %v", name, first[name], want)
		}
	}
}

// TestPrinted: both sides, verdicts, sums, who did what and the times stand in the text, in
// both languages; nothing of the report does.
func TestPrinted(t *testing.T) {
	for lang, wants := range map[string][]string{
		"en": {"recipient same", "620550*********3346", "CNY 350.00", "approved", "bo", "at stake, as found: 350.00", "2026-08-23T18:10:00+08:00", "0: all checks hold"},
		"zh": {"收款方 same", "620550*********3346", "认定涉及金额: 350.00", "0：所有检查均通过"},
	} {
		r := run(nil, goodPack, "--trust", knownFile, "--lang", lang)
		for _, want := range wants {
			if !strings.Contains(r.out, want) {
				t.Errorf("%s: %q is not printed", lang, want)
			}
		}
		if strings.Contains(r.out, "<") {
			t.Errorf("%s: markup is printed", lang)
		}
	}
	r := run(map[string]string{"LANG": "zh_CN.UTF-8"}, wrongPack)
	if r.code != 1 || !strings.Contains(r.out, "leaf 15") || !strings.ContainsFunc(r.out, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
		t.Errorf("%d %s", r.code, r.out)
	}
}

// TestStaticAndSmall: the program as it is built is one static file of less than 10 MB that reads
// the pack and the trust file, opens no socket and writes no file.
func TestStaticAndSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	file := filepath.Join(t.TempDir(), "yuanlu-verify")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() >= 10<<20 {
		t.Fatalf("%v, %d bytes", err, info.Size())
	}
	trace := filepath.Join(t.TempDir(), "trace")
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is missing")
	}
	out, err := exec.Command(strace, "-f", "-e", "trace=open,openat,creat,socket,connect,unlink,rename,mkdir", "-o", trace, file, goodPack, "--trust", knownFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	calls, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(calls)) {
		if strings.Contains(line, "O_WRONLY") || strings.Contains(line, "O_RDWR") || strings.Contains(line, "O_CREAT") || strings.Contains(line, "socket(") || strings.Contains(line, "connect(") ||
			strings.Contains(line, "mkdir(") || strings.Contains(line, "rename(") || strings.Contains(line, "unlink(") {
			t.Errorf("%s", line)
		}
	}
	if !strings.Contains(string(calls), "good.zip") {
		t.Error("the trace does not show the pack")
	}
}
