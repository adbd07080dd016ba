package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/report/brokertest"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/topics"
)

const (
	consumers = "testdata/consumers"
	python    = "/usr/bin/python3" // Debian's, for which .ci/setup installs paho
)

// npmFolder returns a folder with the packages of testdata/consumers, installed once per
// lock file in the user's cache.
func npmFolder(t *testing.T) string {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(consumers, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(lock, []byte(`"resolved"`)) {
		t.Error("the lock file names where packages come from; strip its resolved members")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "yuanlu-test", fmt.Sprintf("npm-%x", sha256.Sum256(lock))[:20])
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "npm-")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join(consumers, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	said(t, work, 8*time.Minute, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	if err := os.Rename(work, dir); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return dir
}

// said runs a command that must succeed.
func said(t *testing.T, dir string, limit time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// consumerFolder is a folder with the README's consumers and the packages that they need.
func consumerFolder(t *testing.T) string {
	t.Helper()
	blocks, dir := readmeBlocks(t, "For a back-office developer"), t.TempDir()
	for kind, name := range map[string]string{"js": "office.mjs", "python": "office.py"} {
		text := textOf(blocks, kind)
		if text == "" {
			t.Fatalf("the README has no consumer in %s", kind)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, at := range map[string]string{"node_modules": filepath.Join(npmFolder(t), "node_modules"), "generate.mjs": ""} {
		if at == "" {
			b, err := os.ReadFile(filepath.Join(consumers, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else if err := os.Symlink(at, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestE2ETypesAreMadeFromTheSchemas: generators make usable types of every schema, the
// README's consumer compiles against them, and Python reads a case with its.
func TestE2ETypesAreMadeFromTheSchemas(t *testing.T) {
	dir := consumerFolder(t)
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	said(t, dir, 5*time.Minute, "node", "generate.mjs", bin, dir)
	all, err := filepath.Glob(filepath.Join(dir, "all", "*.ts"))
	if err != nil || len(all) < 60 {
		t.Fatalf("types of %d schemas, %v", len(all), err)
	}
	args := []string{"node_modules/typescript/bin/tsc", "--strict", "--noEmit", "--checkJs", "--allowJs", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "office.mjs", "types.ts"}
	said(t, dir, 5*time.Minute, "node", append(args, all...)...)
	types, err := os.ReadFile(filepath.Join(dir, "types.ts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"interface CaseEvent", "interface Case", "interface Verdict", "interface VerdictFinding", "interface Record", "interface Party",
		"interface Explain", "interface RuleRun", "interface State", "Acknowledgement"} {
		if !bytes.Contains(types, []byte("export "+name+" ")) && !bytes.Contains(types, []byte("export type "+name+" ")) {
			t.Errorf("no %s among the types", name)
		}
	}
	example, err := topics.Example("case")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "case.json"), example, 0o644); err != nil {
		t.Fatal(err)
	}
	said(t, dir, time.Minute, python, "-m", "py_compile", "types_.py", "office.py")
	out := said(t, dir, time.Minute, python, "-c",
		"import json, types_\ne = types_.case_event_from_dict(json.load(open('case.json')))\nprint(e.data.verdict.recipient.value, e.data.explain.rules[0].result, e.data.refund.party.shown)")
	if strings.TrimSpace(out) != "different hit 620550*********3346" {
		t.Errorf("read as %s", out)
	}
}

// TestE2EConsumersOfTheReadme: both consumers, against mosquitto: a repeat is stored once,
// what lies behind a gap is not acknowledged before the gap is filled, a late will does
// not count, garbage does no harm, and after kill -9 all goes on where it was.
func TestE2EConsumersOfTheReadme(t *testing.T) {
	dir := consumerFolder(t)
	for name, command := range map[string]func(b *brokertest.Broker, file string) *exec.Cmd{
		"node": func(b *brokertest.Broker, file string) *exec.Cmd {
			return exec.Command("node", "office.mjs", strings.Replace(b.URL(), "tcp:", "mqtt:", 1), file)
		},
		"python": func(b *brokertest.Broker, file string) *exec.Cmd {
			return exec.Command(python, "office.py", "127.0.0.1", fmt.Sprint(b.Port), file)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{Unchecked: true})
			file := filepath.Join(t.TempDir(), "cases.jsonl")
			c := desktest.NewClient(t, b.URL(), "terminal", nil, "yuanlu/v1/t-1/dn/ack", "yuanlu/v1/_host/office/state")
			var log bytes.Buffer
			start := func() *exec.Cmd {
				cmd := command(b, file)
				cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd
			}
			online := func(want bool) {
				t.Helper()
				desktest.Eventually(t, 30*time.Second, fmt.Sprint("presence ", want), func() bool {
					heard := c.Heard()
					for i := len(heard) - 1; i >= 0; i-- {
						var s topics.HostState
						if strings.HasSuffix(heard[i].Topic, "/state") && json.Unmarshal(heard[i].Payload, &s) == nil {
							return s.Online == want
						}
					}
					return false
				})
			}
			acked := func(want int64) {
				t.Helper()
				desktest.Eventually(t, 30*time.Second, fmt.Sprint("acknowledged up to ", want), func() bool { n, _ := c.Acked("S1"); return n == want })
			}
			say := func(seq int64) { c.Send("yuanlu/v1/t-1/up/case", desktest.Case{Seq: seq}.JSON()) }
			state := func(state, session string) {
				c.Send("yuanlu/v1/t-1/up/state", []byte(`{"v":1,"state":"`+state+`","session":"`+session+`"}`))
			}
			cmd := start()
			end := func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
			defer func() { end() }()
			online(true)
			c.Send("yuanlu/v1/t-1/up/case", []byte(`{"no":"case"`))
			c.Send("yuanlu/v1/t-1/up/case", []byte(`[]`))
			state("online", "new")
			state("lost", "old")
			for _, seq := range []int64{1, 2, 2, 1, 4, 5} {
				say(seq)
			}
			acked(2)
			end() // its session stays at the broker, its will is said
			online(false)
			say(6)
			cmd = start()
			online(true)
			acked(2)
			say(3)
			acked(6)
			end()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), `"specversion"`); n != 6 {
				t.Errorf("%d events stored, want 6\n%s", n, text)
			}
			if said := log.String(); strings.Contains(said, "lost") || !strings.Contains(said, "t-1 online") || !strings.Contains(said, "gap: waiting for 3") {
				t.Errorf("said\n%s", said)
			}
		})
	}
}
