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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
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
	for _, name := range []string{"office.mjs", "office.py"} {
		at := slices.IndexFunc(blocks, func(b block) bool {
			first, _, _ := strings.Cut(b.text, "\n")
			return strings.Contains(first, " "+name+" ") // not the examples of presence alone
		})
		if at < 0 {
			t.Fatalf("the README has no %s", name)
		}
		text := blocks[at].text
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
	// As the README says, but for the package, which is there.
	said(t, dir, 5*time.Minute, "bash", "-euo", "pipefail", "-c", "yuanlu() { '"+bin+"' \"$@\"; }\n"+
		strings.Replace(textOf(readmeBlocks(t, "For a back-office developer"), "bash"), "npm install", ": npm install", 1))
	compiler := []string{"node_modules/typescript/bin/tsc", "--strict", "--noEmit", "--checkJs", "--allowJs", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "office.mjs", "types.ts"}
	said(t, dir, 5*time.Minute, "node", compiler...)
	said(t, dir, 5*time.Minute, "node", "generate.mjs", bin, dir)
	all, err := filepath.Glob(filepath.Join(dir, "all", "*.ts"))
	if err != nil || len(all) < 60 {
		t.Fatalf("types of %d schemas, %v", len(all), err)
	}
	said(t, dir, 5*time.Minute, "node", append(compiler, all...)...)
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

// readmeConsumers start the README's consumers against the broker at a port.
var readmeConsumers = map[string]func(port int, args ...string) *exec.Cmd{
	"node": func(port int, args ...string) *exec.Cmd {
		return exec.Command("node", append([]string{"office.mjs", fmt.Sprintf("mqtt://127.0.0.1:%d", port)}, args...)...)
	},
	"python": func(port int, args ...string) *exec.Cmd {
		return exec.Command(python, append([]string{"office.py", "127.0.0.1", fmt.Sprint(port)}, args...)...)
	},
}

// TestE2EConsumersOfTheReadmeBeginAnywhere: on an empty database, with a terminal that has
// acknowledged 7 and put 8 aside, what comes after them is stored and acknowledged, whether
// the summary comes before it or after; a summary that is none does no harm.
func TestE2EConsumersOfTheReadmeBeginAnywhere(t *testing.T) {
	dir := consumerFolder(t)
	for name, command := range readmeConsumers {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{Unchecked: true, Passwords: map[string]string{"backoffice": "b", "t": "t"}})
			c := brokertest.NewClient(t, b.URL(), "terminal", func(o *mqtt.ClientOptions) { o.SetUsername("t").SetPassword("t") }, "yuanlu/v1/t-1/dn/ack")
			summary := func(stream string) {
				if err := c.Publish("yuanlu/v1/t-1/up/case-summary", true, fmt.Appendf(nil, `{"v":1,"stream":%q,"last_seq":11,"acked_seq":7,"open":{},"oldest_unacked":null,"quarantined_seqs":[8]}`, stream)); err != nil {
					t.Fatal(err)
				}
			}
			acked := func(stream string, want int64) {
				t.Helper()
				desktest.Eventually(t, 30*time.Second, fmt.Sprint("acknowledged up to ", want), func() bool { n, _ := c.Acked(stream); return n == want })
			}
			say := func(stream string, seq int64) {
				c.Send("yuanlu/v1/t-1/up/case", desktest.Case{Stream: stream, Seq: seq}.JSON())
			}
			summary("S1")
			var log bytes.Buffer
			cmd := command(b.Port, filepath.Join(t.TempDir(), "cases.jsonl"), "backoffice")
			cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, &log, &log, append(os.Environ(), "OFFICE_PASSWORD=b")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			end := sync.OnceFunc(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			defer end()
			acked("S1", 8) // by the summary alone
			say("S1", 9)
			acked("S1", 9)
			for _, garbage := range []string{`[]`, `{"stream":"S1","acked_seq":"x","quarantined_seqs":7}`, `{"acked_seq":{}}`} {
				c.Send("yuanlu/v1/t-1/up/case-summary", []byte(garbage))
			}
			say("S1", 11)
			say("S2", 9) // of a new stream, before its summary
			desktest.Eventually(t, 30*time.Second, "9 of the new stream has come", func() bool {
				return slices.ContainsFunc(c.Received(), func(h brokertest.Received) bool { return strings.Contains(string(h.Payload), "S2") })
			})
			summary("S2")
			acked("S2", 9)
			say("S1", 10)
			acked("S1", 11)
			end()
			if said := log.String(); !strings.Contains(said, "acknowledged before, not all is here: 1 to 7") || strings.Count(said, "acknowledged before") != 2 {
				t.Errorf("said\n%s", said)
			}
		})
	}
}

// TestE2EConsumersOfTheReadmeSayThatTheyAreRefused: by a wrong password, and by a
// subscription that is not granted; they end with an error and say it.
func TestE2EConsumersOfTheReadmeSayThatTheyAreRefused(t *testing.T) {
	dir := consumerFolder(t)
	b := brokertest.Start(t, brokertest.Options{Unchecked: true, Passwords: map[string]string{"backoffice": "b"}})
	none := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind == brokertest.Subscribe {
			_ = c.Raw([]byte{0x90, 5, byte(p.ID >> 8), byte(p.ID), 1, 0x80, 1})
			return true
		}
		return false
	}}
	_, text, _ := strings.Cut(none.Listen(t), "127.0.0.1:")
	deaf, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(text, err)
	}
	for name, command := range readmeConsumers {
		for why, tc := range map[string]struct {
			port int
			args []string
		}{"a wrong password": {b.Port, []string{"backoffice"}}, "nobody": {b.Port, nil}, "no subscription": {deaf, nil}} {
			t.Run(name+", "+why, func(t *testing.T) {
				cmd := command(tc.port, append([]string{filepath.Join(t.TempDir(), "cases.jsonl")}, tc.args...)...)
				cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), "OFFICE_PASSWORD=wrong"), time.Second
				limit := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
				defer limit.Stop()
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "refused by the broker: ") {
					t.Errorf("%v, said %q", err, out)
				}
			})
		}
	}
}

// TestE2EConsumersOfTheReadme: both consumers, against mosquitto: a repeat is stored once,
// what lies behind a gap is not acknowledged before the gap is filled, a late will does
// not count, garbage does no harm, and after kill -9 all goes on where it was.
func TestE2EConsumersOfTheReadme(t *testing.T) {
	dir := consumerFolder(t)
	for name, command := range readmeConsumers {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{Unchecked: true})
			file := filepath.Join(t.TempDir(), "cases.jsonl")
			c := brokertest.NewClient(t, b.URL(), "terminal", nil, "yuanlu/v1/t-1/dn/ack", "yuanlu/v1/_host/office/state")
			var log bytes.Buffer
			start := func() *exec.Cmd {
				cmd := command(b.Port, file)
				cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd
			}
			online := func(want bool) {
				t.Helper()
				desktest.Eventually(t, 30*time.Second, fmt.Sprint("presence ", want), func() bool {
					heard := c.Received()
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
