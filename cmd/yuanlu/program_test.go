package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
)

// syncBuffer may be written and read at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// yl runs the program as main does and returns what it said.
func yl(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs syncBuffer
	p := newProgram(t, &out, &errs, args...)
	p.stdin = strings.NewReader(stdin)
	code = p.run(t.Context())
	return code, out.String(), errs.String()
}

func newProgram(t *testing.T, out, errs *syncBuffer, args ...string) *program {
	t.Helper()
	dir := t.TempDir()
	return &program{args: args, stdin: strings.NewReader(""), stdout: out, stderr: errs, now: time.Now, env: func(name string) string {
		if name == "TMPDIR" {
			return dir
		}
		return ""
	}}
}

const (
	saleLine   = `{"v":1,"kind":"sale","outcome":"approved","merchant_id":"898310153310123","terminal_id":"10000001","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"000101","batch":"000234","rrn":"260822000101","party":{"scheme":"pan","id":"6200000111122227"}}`
	refundLine = `{"v":1,"kind":"refund","outcome":"approved","merchant_id":"898310153310123","terminal_id":"10000001","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000102","batch":"000235","rrn":"260823000102","original":{"date":"0822","rrn":"260822000101"},"party":{"scheme":"pan","id":"6205500770011223346"}}`
)

func TestExitCodesAndUsage(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	tests := []struct {
		name string
		args []string
		code int
		want string // somewhere in the output
	}{
		{"no verb", nil, 2, "usage: yuanlu VERB"},
		{"help", []string{"help"}, 0, "check "},
		{"help of a verb", []string{"help", "check"}, 0, "--final"},
		{"help by flag", []string{"replay", "-h"}, 0, "--wire WIRE"},
		{"help in Chinese", []string{"--lang", "zh", "help"}, 0, "守护进程"},
		{"unknown verb", []string{"chekc"}, 2, `did you mean "check"?`},
		{"unknown flag", []string{"check", "--finel"}, 2, "did you mean --final?"},
		{"bad language", []string{"version", "--lang", "fr"}, 2, "want en or zh"},
		{"too many arguments", []string{"version", "x"}, 2, `unexpected "x"`},
		{"no file", []string{"check", missing}, 3, "no such file"},
		{"replay without wire", []string{"replay", "x"}, 2, "--wire is missing"},
		{"replay of an unknown wire", []string{"replay", "--wire", "mispso", "x"}, 2, `did you mean "mispos"?`},
		{"replay at a bad time", []string{"replay", "--wire", "mispos", "--now", "noon", "x"}, 2, "--now wants a time"},
		{"no configuration", []string{"run", "--config", missing}, 78, "there is no configuration "},
		{"cases without a word", []string{"cases"}, 2, "missing"},
		{"cases with a wrong word", []string{"cases", "shwo"}, 2, "want list"},
		{"a wrong level", []string{"tail", "-p", "loud"}, 2, "-p wants"},
		{"unknown schema", []string{"api", "nonsense"}, 3, "no schema"},
		{"a wrong entry", []string{"outbox", "requeue", "x"}, 2, "ENTRY is a number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := yl(t, "", tt.args...)
			if code != tt.code || !strings.Contains(out+errs, tt.want) {
				t.Errorf("exit %d, want %d with %q\n%s%s", code, tt.code, tt.want, out, errs)
			}
		})
	}
}

func TestVersionAndAPI(t *testing.T) {
	code, out, _ := yl(t, "", "version", "--json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); code != 0 || err != nil || b.Version == "" || len(b.Schemas) == 0 || len(b.Wires) == 0 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	if b.Store != ledger.SchemaVersion() || b.Store < 1 {
		t.Errorf("store_version %d", b.Store)
	}
	if code, out, _ := yl(t, "", "version", "--schemas"); code != 0 || !strings.Contains(out, "urn:yuanlu:schema:case.opened.v1\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out, _ := yl(t, "", "version"); code != 0 || strings.Count(out, "\n") > 4 || !strings.HasPrefix(out, "yuanlu "+b.Version+"\n") {
		t.Errorf("a person asks for four lines: exit %d: %s", code, out)
	}
	if code, out, _ := yl(t, "", "api", "--bundle", "case-event.v1"); code != 0 || !strings.Contains(out, `"#/$defs/Verdict"`) || strings.Contains(out, `"$ref": "urn:`) {
		t.Errorf("api --bundle: exit %d", code)
	}
	if code, out, _ := yl(t, "", "api", "signed-vector"); code != 0 || !strings.Contains(out, `"signed_bytes"`) {
		t.Errorf("api signed-vector: exit %d", code)
	}
	if code, out, _ := yl(t, "", "api"); code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, `"asyncapi"`) {
		t.Errorf("api: exit %d", code)
	}
	if code, out, _ := yl(t, "", "api", "health.v1"); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("api health.v1: exit %d: %s", code, out)
	}
}

func TestCheck(t *testing.T) {
	code, out, errs := yl(t, saleLine+"\n"+refundLine+"\n", "check", "--final")
	if code != 0 || errs != "" || strings.Count(out, "\n") != 1 ||
		!strings.HasPrefix(out, `{"type":"verdict","seq":2,"rev":1,"kind":"refund","recipient":"different","reason":"","evidence":"strong","decision":"alarm"`) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	for _, clear := range []string{"6200000111122227", "6205500770011223346"} {
		if strings.Contains(out+errs, clear) {
			t.Errorf("a card number is in the output")
		}
	}
}

// Blank and refused lines keep their number; the rest is processed.
func TestCheckBadLines(t *testing.T) {
	long := `{"v":1,"x":"` + strings.Repeat("x", 1<<20) + `"}`
	in := strings.Join([]string{"", "not json", saleLine, `{"v":1,"kind":"sale","outcome":"approved","extra":1}`, long, "  ", refundLine}, "\n")
	code, out, errs := yl(t, in, "check", "-")
	if code != 65 || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"seq":7,"rev":1`) || !strings.Contains(out, `"original":{"seq":3,`) {
		t.Errorf("exit %d\n%s", code, out)
	}
	for _, want := range []string{"line 2, column 1", "line 4, column", "extra", "line 5, column"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
	if strings.Count(errs, "\n") != 5 || !strings.HasSuffix(errs, "left out: 2 blank\nleft out: 3 refused\n") {
		t.Errorf("stderr:\n%s", errs)
	}
}

// The scenarios of the contract, through the whole program.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../../agent/refund/testdata/scenarios/*.want.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, want := range files {
		in := strings.TrimSuffix(want, ".want.jsonl") + ".jsonl"
		t.Run(strings.TrimSuffix(filepath.Base(in), ".jsonl"), func(t *testing.T) {
			code, out, errs := yl(t, "", "check", "--final", in)
			if code != 0 || errs != "" && errs != "left out: 2 training\n" {
				t.Errorf("exit %d, %s", code, errs)
			}
			text, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			wanted, got := objects(t, string(text)), objects(t, out)
			if len(wanted) != len(got) {
				t.Fatalf("%d lines, want %d:\n%s", len(got), len(wanted), out)
			}
			for i := range wanted {
				if !contains(wanted[i], got[i]) {
					t.Errorf("line %d: want %v\ngot %v", i+1, wanted[i], got[i])
				}
			}
			_, again, _ := yl(t, "", "check", "--final", in)
			if again != out {
				t.Error("a second run says something else")
			}
		})
	}
}

func objects(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// contains reports whether got has everything that want has.
func contains(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for k, v := range w {
			ok = ok && contains(v, g[k])
		}
		return ok
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !contains(w[i], g[i]) {
				return false
			}
		}
		return true
	}
	return want == got
}

func TestReplayVectors(t *testing.T) {
	files, err := filepath.Glob("../../agent/ingest/testdata/vectors/mispos-*.mispos.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		stem := strings.TrimSuffix(file, ".mispos.hex")
		t.Run(filepath.Base(stem), func(t *testing.T) {
			wanted, err := os.ReadFile(stem + ".want.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			capture := filepath.Join(t.TempDir(), "c.bin")
			if err := os.WriteFile(capture, hexFile(t, file), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := yl(t, "", "replay", "--wire", "mispos", "--records", "--now", "2026-08-23T12:00:00+08:00", capture)
			status := "0"
			if text, err := os.ReadFile(stem + ".status"); err == nil {
				status = string(text)
			}
			if code == 0 && !strings.Contains(status, "0") || code == 65 && !strings.Contains(status, "65") || code != 0 && code != 65 {
				t.Errorf("exit %d, want one of %s: %s", code, status, errs)
			}
			if got, want := strings.Count(out, "\n"), len(objects(t, string(wanted))); got > want || got == 0 && want > 0 {
				t.Errorf("%d records, want %d", got, want)
			}
			if code, _, errs := yl(t, "", "replay", "--wire", "mispos", "--final", capture); code != 0 && code != 65 {
				t.Errorf("verdicts: exit %d: %s", code, errs)
			}
		})
	}
}

func hexFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits := strings.Join(strings.Fields(line), "")
		for i := 0; i+1 < len(digits); i += 2 {
			out = append(out, hexDigit(digits[i])<<4|hexDigit(digits[i+1]))
		}
	}
	return out
}

func hexDigit(c byte) byte {
	return byte(strings.IndexByte("0123456789ABCDEF", bytes.ToUpper([]byte{c})[0]))
}

// writeConfig makes a configuration in a new folder and returns its path.
func writeConfig(t *testing.T, more string) (path, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "yl") // short: the path of a socket is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text := "[terminal]\nid = \"t-1\"\nmerchant_id = \"898000000000001\"\n[store]\ndir = \"" + dir + "/store\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"" + dir + "/port\"\n" + more
	path = filepath.Join(dir, "yuanlu.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

func TestConfigVerb(t *testing.T) {
	good, _ := writeConfig(t, "")
	bad, dir := writeConfig(t, "baud = \"fast\"\nprofile = \""+filepath.Join(filepath.Dir(good), "profile.toml")+"\"\n[mqtt]\nulr = 1\n")
	profiled, _ := writeConfig(t, "profile = \""+dir+"/profile.toml\"\n")
	if err := os.WriteFile(dir+"/profile.toml", []byte("nonsense = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"good", []string{"check", "--config", good}, 0, []string{"all right"}},
		{"good, by name", []string{"check", good, "--json"}, 0, []string{`"ok":true`}},
		{"bad", []string{"check", "--config", bad}, 78, []string{bad + `:10:8: baud wants a whole number`, `:13:1: unknown name "ulr" in [mqtt]; did you mean "url"?`}},
		{"bad, json", []string{"check", bad, "--json"}, 78, []string{`"line":13,"col":1`}},
		{"bad profile", []string{"check", profiled}, 78, []string{"profile.toml:1:1: "}},
		{"show", []string{"show", good}, 0, []string{"[store]", `retention = "540d"`}},
		{"show json", []string{"show", good, "--json"}, 0, []string{`"name":"store.retention","value":"\"540d\"","default":true`}},
		{"schema", []string{"schema"}, 0, []string{"case.pending_grace", "link[n].port"}},
		{"schema json", []string{"schema", "--json"}, 0, []string{`"name":"mqtt.url"`}},
		{"schema of a profile", []string{"schema", "cup8583"}, 0, []string{`#   28 = "b5"`, "response_timeout = 60", "[kind]"}},
		{"schema of a profile, json", []string{"schema", "mispos", "--json"}, 0, []string{`"wire":"mispos"`, `wechat = [\"微信\"]`}},
		{"schema of no wire", []string{"schema", "cup8538"}, 2, []string{`did you mean "cup8583"?`}},
		{"misspelt", []string{"chek"}, 2, []string{`did you mean "check"?`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := yl(t, "", append([]string{"config"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out+errs, want) {
					t.Errorf("lacks %q:\n%s%s", want, out, errs)
				}
			}
		})
	}
}

func TestExampleConfiguration(t *testing.T) {
	text, err := os.ReadFile("package/yuanlu.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("yuanlu.toml", text, configOptions()); err != nil {
		t.Error(err)
	}
	// What is commented out must be right as well (but for the placeholder of a key).
	var all strings.Builder
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "# "); ok && (strings.Contains(rest, " = ") || strings.HasPrefix(rest, "[")) && !strings.Contains(rest, "public_key") && !strings.Contains(rest, "`") && !strings.Contains(rest, "id = ") && !strings.HasPrefix(rest, "[[") {
			line = rest
		}
		all.WriteString(line)
	}
	if _, err := config.Parse("yuanlu.toml", []byte(all.String()), configOptions()); err != nil {
		t.Errorf("%v in\n%s", err, all.String())
	}
}

func TestUnitFile(t *testing.T) {
	text, err := os.ReadFile("package/yuanlu.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Type=notify", "WatchdogSec=60", "Restart=always", "RestartPreventExitStatus=78", "LimitNOFILE=1024", "TimeoutStartSec=infinity"} {
		if !strings.Contains(string(text), "\n"+want+"\n") {
			t.Errorf("the unit lacks %s", want)
		}
	}
}

func TestInterruptedCheck(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs syncBuffer
	p := newProgram(t, &out, &errs, "check")
	p.stdin = &endless{cancel: cancel}
	if code := p.run(ctx); code == 0 {
		t.Error("exit 0 though the input has not ended")
	}
}

// endless returns blank lines for ever, and cancels after some.
type endless struct {
	n      int
	cancel func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n++; e.n == 100 {
		e.cancel()
	}
	p[0] = '\n'
	return 1, nil
}

// TestWhoMayNotLook: a store of another user is no empty one.
func TestWhoMayNotLook(t *testing.T) {
	dir := t.TempDir()
	if err := mayLook(dir); err != nil {
		t.Errorf("one's own: %v", err)
	}
	if err := mayLook(dir + "/none"); err != nil {
		t.Errorf("none: %v", err)
	}
	if code := exitCode(&fs.PathError{Op: "open", Path: dir, Err: syscall.EACCES}); code != exitPermission {
		t.Errorf("exit %d", code)
	}
	config, _ := writeConfig(t, "")
	for _, args := range [][]string{{"cases", "list", "-n", "-1"}, {"outbox", "list", "-n", "-1"}, {"replay", "--wire", "mispos", "--records", "--final", config}} {
		if code, out, errs := yl(t, "", args...); code != 2 {
			t.Errorf("%q: exit %d: %s%s", args, code, out, errs)
		}
	}
}
