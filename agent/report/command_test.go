package report_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// command is the payload of a command said now.
func command(id string, ttl int, args string) []byte {
	if args == "" {
		args = "{}"
	}
	return fmt.Appendf(nil, `{"id":%q,"ts":%q,"ttl_s":%d,"args":%s}`, id, time.Now().UTC().Format(time.RFC3339), ttl, args)
}

// push sends something down and lets it be answered.
func (g *rig) push(topic string, payload []byte, retained bool) {
	g.fake.Push(topic, payload, retained)
	pass(2 * time.Second)
}

// rsp returns the answers on one command's topic as "id status code".
func (g *rig) rsp(cmd string) (list []string) {
	for _, m := range g.on(names.Rsp(cmd)) {
		one := fmt.Sprint(m["id"], " ", m["status"])
		if e, ok := m["error"].(map[string]any); ok {
			one += fmt.Sprint(" ", e["code"])
		}
		list = append(list, one)
	}
	return list
}

func expectRsp(t *testing.T, g *rig, cmd string, want ...string) {
	t.Helper()
	if got := g.rsp(cmd); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s answered %q, want %q", cmd, got, want)
	}
}

func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.names = []string{"selftest", "log-level", "link-reopen"}
			g.do = func(ctx context.Context, c report.Command) (any, error) {
				done.Add(1)
				switch c.Name {
				case "log-level":
					return nil, &report.CommandError{Code: "args", Message: "no such level", Rejected: true}
				case "link-reopen":
					return nil, fmt.Errorf("the port hangs")
				case "selftest":
					c.Progress(map[string]any{"step": 1, "steps": 2, "what": "store"})
					select {
					case <-time.After(10 * time.Second):
					case <-ctx.Done():
					}
					return map[string]any{"verdict": "ok", "lines": []any{}}, nil
				}
				return nil, report.ErrUnknownCommand
			}
			g.out.onResend = func(_ context.Context, from int64) (int, error) { return int(from), nil }
		})
		g.out.addCase()
		pass(time.Second)
		g.push(names.Cmd("ping"), command("p1", 60, ""), false)
		expectRsp(t, g, "ping", "p1 ok")
		g.push(names.Cmd("outbox-stat"), command("o1", 60, ""), false)
		if m := g.on(names.Rsp("outbox-stat")); len(m) != 1 || m[0]["data"].(map[string]any)["last_seq"] != 1.0 {
			t.Errorf("outbox-stat %v", m)
		}
		before := len(g.on(names.Info()))
		g.push(names.Cmd("rebirth"), command("r1", 60, ""), false)
		if after := len(g.on(names.Info())); after != before+1 {
			t.Errorf("rebirth said info %d times", after-before)
		}
		g.push(names.Cmd("case-resend"), command("c1", 60, `{"from_seq":7}`), false)
		g.push(names.Cmd("case-resend"), command("c2", 60, `{"from_seq":"x"}`), false)
		g.push(names.Cmd("case-resend"), command("c3", 60, `{}`), false) // from 1
		g.push(names.Cmd("case-resend"), command("c4", 60, ``), false)
		expectRsp(t, g, "case-resend", "c1 ok", "c2 rejected args", "c3 ok", "c4 ok")
		for i, want := range map[int]float64{0: 7, 2: 1, 3: 1} {
			if got := g.on(names.Rsp("case-resend"))[i]["data"].(map[string]any)["cases"]; got != want {
				t.Errorf("answer %d: from %v, want %v", i, got, want)
			}
		}
		g.push(names.Cmd("log-level"), command("l1", 60, `{"level":"debug"}`), false)
		expectRsp(t, g, "log-level", "l1 rejected args")
		g.push(names.Cmd("link-reopen"), command("x1", 60, `{"link":"pos"}`), false)
		expectRsp(t, g, "link-reopen", "x1 error failed")
		g.push(names.Cmd("dance"), command("d1", 60, ""), false)
		expectRsp(t, g, "dance", "d1 rejected unknown_command")

		g.push(names.Cmd("selftest"), command("s1", 60, ""), false)
		expectRsp(t, g, "selftest", "s1 accepted", "s1 progress")
		g.push(names.Cmd("selftest"), command("s1", 60, ""), false) // still running
		pass(20 * time.Second)
		g.push(names.Cmd("selftest"), command("s1", 60, ""), false) // done: the first answer
		expectRsp(t, g, "selftest", "s1 accepted", "s1 progress", "s1 accepted", "s1 progress", "s1 ok", "s1 ok")
		if done.Load() != 3 {
			t.Errorf("OnCommand was called %d times, want once per id", done.Load())
		}
		answers := g.on(names.Rsp("selftest"))
		if a, b := answers[4]["ts"], answers[5]["ts"]; a != b {
			t.Errorf("the answer given again is another: %v, %v", a, b)
		}
		g.stop()
	})
}

func TestCommandsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		var synced atomic.Bool
		synced.Store(true)
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.synced = synced.Load
			g.do = func(context.Context, report.Command) (any, error) { done.Add(1); return nil, nil }
		})
		pass(time.Minute)
		old := command("e1", 10, "")
		g.push(names.Cmd("act"), command("r1", 60, ""), true)
		pass(20 * time.Second)
		g.push(names.Cmd("act"), old, false)
		g.push(names.Cmd("act"), []byte(`{"id":"b1","ts":"now","ttl_s":1}`), false)
		g.push(names.Cmd("act"), []byte("\xff\x00 nonsense"), false)
		g.push(names.Cmd("act"), bytes.Repeat([]byte("["), 100_000), false)
		future := bytes.Replace(command("f1", 60, ""), []byte(time.Now().UTC().Format("2006")), []byte("2190"), 1)
		g.push(names.Cmd("act"), future, false)
		synced.Store(false)
		g.push(names.Cmd("act"), command("k1", 60, ""), false)
		expectRsp(t, g, "act", "r1 rejected retained_command", "e1 expired expired", "b1 rejected schema", " rejected schema", " rejected too_large",
			"f1 rejected clock", "k1 rejected clock")
		if done.Load() != 0 {
			t.Errorf("%d refused commands were done", done.Load())
		}
		g.push("yuanlu/v1/t-00423/dn/whatever", []byte("x"), false)
		g.push(names.Ack(), []byte(`{"stream":1}`), false)
		g.push(names.Ack(), ack(1), true)
		if n := g.Status().Refused; n != 10 {
			t.Errorf("%d refused, want 10", n)
		}
		if !g.sawEvent("dn.refused") {
			t.Error("refusals are not reported")
		}
		// A flood gets few answers and few events, and all are counted.
		before := len(g.rsp("act"))
		for range 500 {
			g.fake.Push(names.Cmd("act"), []byte("x"), false)
			pass(time.Millisecond)
		}
		if n := len(g.rsp("act")) - before; n > 25 || g.Status().Refused != 510 {
			t.Errorf("%d answers to a flood, %d refused", n, g.Status().Refused)
		}
		g.stop()
	})
}

// TestReleasesAreTakenOnlySigned: without keys of the back office no hold is released, and a
// cancel is taken all the same.
func TestReleasesAreTakenOnlySigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done []string
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.names = []string{"hold-cancel", "hold-release"}
			g.do = func(_ context.Context, c report.Command) (any, error) {
				done = append(done, c.Name)
				return map[string]any{"state": "cancelled"}, nil
			}
		})
		pass(time.Minute)
		const about = `{"merchant_id":"M","terminal_id":"T","ask":"a-1","by":"ann"`
		g.push(names.Cmd("hold-release"), command("r1", 60, about+`,"reason":"consent"}`), false)
		g.push(names.Cmd("hold-release"), command("r2", 60, about+`}`), false)
		g.push(names.Cmd("hold-cancel"), command("c1", 60, about+`}`), false)
		expectRsp(t, g, "hold-release", "r1 rejected unsigned", "r2 rejected args")
		expectRsp(t, g, "hold-cancel", "c1 ok")
		if fmt.Sprint(done) != "[hold-cancel]" {
			t.Errorf("done: %v", done)
		}
		g.stop()
	})
}

func TestCommandsAtOnceAndRememberedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(ctx context.Context, c report.Command) (any, error) {
				if c.Name == "slow" {
					<-ctx.Done()
				}
				return map[string]any{"long": strings.Repeat("x", 5000)}, nil
			}
		})
		pass(time.Second)
		for i := range 5 {
			g.push(names.Cmd("slow"), command(fmt.Sprintf("s%d", i), 60, ""), false)
		}
		if got := g.rsp("slow"); len(got) != 5 || got[4] != "s4 rejected busy" {
			t.Errorf("five slow ones: %q", got)
		}
		g.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) {
				return map[string]any{"long": strings.Repeat("x", 5000)}, nil
			}
		})
		pass(time.Second)
		for i := range 65 {
			g.push(names.Cmd("act"), command(fmt.Sprintf("a%d", i), 3600, ""), false)
		}
		if got := g.rsp("act"); got[63] != "a63 ok" || got[64] != "a64 ok" {
			t.Errorf("65 ids to remember: %q", got[63:])
		}
		g.push(names.Cmd("act"), command("a1", 3600, ""), false)
		all := g.on(names.Rsp("act"))
		if last := all[len(all)-1]; last["status"] != "ok" || len(last["data"].(map[string]any)["long"].(string)) != 5000 {
			t.Errorf("a long answer given again: %v", last)
		}
		g.push(names.Cmd("act"), command("a0", 3600, ""), false) // its answer was dropped
		if got := g.rsp("act"); got[len(got)-1] != "a0 expired taken_before" {
			t.Errorf("whose answer was dropped: %q", got[len(got)-1])
		}
		g.stop()
	})
}

func TestSignedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
		stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
		var done atomic.Int64
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			o.Keys = []topics.Key{{ID: "k1", Public: private.Public().(ed25519.PublicKey)}}
			g.do = func(context.Context, report.Command) (any, error) { done.Add(1); return nil, nil }
		})
		sign := func(key ed25519.PrivateKey, kid, topic, to, id string, body []byte) []byte {
			t.Helper()
			b, err := topics.Sign(key, kid, topic, to, id, time.Now(), body)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		before := fmt.Appendf(nil, `{"id":"early","ts":%q,"ttl_s":3600}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339))
		pass(2 * time.Second)
		for range 3 {
			g.out.addCase()
		}
		g.Wake()
		pass(2 * time.Second)

		cmd := names.Cmd("act")
		good := sign(private, "k1", cmd, terminal, "c1", command("c1", 60, ""))
		forged := bytes.Replace(good, []byte(`"body":"e`), []byte(`"body":"f`), 1)
		g.push(cmd, command("u1", 60, ""), false)
		g.push(cmd, sign(stranger, "k1", cmd, terminal, "c2", command("c2", 60, "")), false)
		g.push(cmd, sign(private, "k9", cmd, terminal, "c3", command("c3", 60, "")), false)
		g.push(cmd, sign(private, "k1", cmd, "t-other", "c4", command("c4", 60, "")), false)
		g.push(cmd, sign(private, "k1", names.Cmd("ping"), terminal, "c5", command("c5", 60, "")), false)
		g.push(cmd, forged, false)
		g.push(cmd, sign(private, "k1", cmd, terminal, "c6", before), false) // as a replay after a restart would be
		g.push(cmd, good, true)
		if done.Load() != 0 {
			t.Errorf("%d refused commands were done", done.Load())
		}
		expectRsp(t, g, "act", "u1 rejected unsigned", "c2 rejected signature", "c3 rejected unknown_key", "c4 rejected other_terminal",
			"c5 rejected signature", "c1 rejected signature", "early expired before_start", "c1 rejected retained_command")
		g.push(cmd, good, false)
		g.push(cmd, good, false) // a replay: the first answer again
		pass(2 * time.Minute)
		g.push(cmd, good, false) // and later too; it is not done again
		if got := g.rsp("act"); done.Load() != 1 || got[len(got)-1] != "c1 ok" || len(got) != 11 {
			t.Errorf("done %d times, answers %q", done.Load(), got)
		}

		g.push(names.Ack(), ack(3), false)
		g.push(names.Ack(), sign(stranger, "k1", names.Ack(), terminal, "a1", ack(3)), false)
		if cases, _ := g.out.waiting(); cases != 3 {
			t.Errorf("a forged acknowledgement made %d cases forgotten", 3-cases)
		}
		g.push(names.Ack(), sign(private, "k1", names.Ack(), terminal, "a2", ack(2)), false)
		g.push(names.Ack(), sign(private, "k1", names.Ack(), terminal, "a2", ack(2)), false)
		if cases, _ := g.out.waiting(); cases != 1 {
			t.Errorf("%d cases wait after a signed acknowledgement of 2 of 3", cases)
		}
		infos := g.on(names.Info())
		if infos[0]["signed"] != true {
			t.Error("info does not say that payloads must be signed")
		}
		g.stop()
	})
}

// Without keys a signed payload is understood all the same: a desk may be ahead
// of the terminals.
func TestSignedPayloadWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{})
		pass(time.Second)
		private := ed25519.NewKeyFromSeed(make([]byte, 32))
		b, err := topics.Sign(private, "k1", names.Cmd("ping"), terminal, "c1", time.Now(), command("c1", 60, ""))
		if err != nil {
			t.Fatal(err)
		}
		g.push(names.Cmd("ping"), b, false)
		expectRsp(t, g, "ping", "c1 ok")
		g.stop()
	})
}

func TestDesiredConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := topics.Config{Version: 1, Digest: "d1", Status: topics.ConfigApplied}
		reached := 0
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.published = func() (topics.Config, bool) { g.mu.Lock(); defer g.mu.Unlock(); return in, true }
			g.reached = func() { g.mu.Lock(); defer g.mu.Unlock(); reached++ }
			g.take = func(d topics.DesiredConfig, _ string) {
				g.mu.Lock()
				defer g.mu.Unlock()
				in.Status, in.Desired = topics.ConfigRejected, d.Version
				in.Errors = []topics.ConfigError{{Path: "link", Line: 3, Col: 1, Message: "unknown key"}}
			}
		})
		pass(time.Second)
		d, _ := json.Marshal(topics.DesiredConfig{Version: 2, Expected: 1, Config: "x = 1"})
		g.push(names.DesiredConfig(), d, true)
		g.push(names.DesiredConfig(), nil, true)
		g.push(names.DesiredConfig(), []byte(`{"version":"x"}`), true)
		pass(5 * time.Second)
		said := g.on(names.Config())
		if len(said) != 2 || said[0]["status"] != "applied" || said[1]["status"] != "rejected" || said[1]["desired"] != 2.0 || g.Status().Refused != 1 {
			t.Errorf("said %v, refused %d", said, g.Status().Refused)
		}
		if reached != 1 {
			t.Errorf("reached %d times on one connection", reached)
		}
		g.stop()
	})
}

// FuzzDown: any bytes on any topic that comes down change nothing and stop
// nothing.
func FuzzDown(f *testing.F) {
	f.Add(uint8(0), []byte(`{"stream":"s","acked_seq":1}`), false)
	f.Add(uint8(1), []byte(`{"id":"1","ts":"2026-01-01T00:00:00Z","ttl_s":60}`), false)
	f.Add(uint8(2), []byte(`{"version":1,"expected":0,"config":""}`), true)
	f.Add(uint8(3), []byte(`{"online":true,"timestamp":1}`), true)
	f.Fuzz(func(t *testing.T, which uint8, payload []byte, retained bool) {
		if len(payload) > 4096 {
			return
		}
		topic := []string{names.Ack(), names.Cmd("act"), names.DesiredConfig(), names.HostState("desk"), names.Cmd("a") + "/b"}[which%5]
		synctest.Test(t, func(t *testing.T) {
			g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
				o.HostID = "desk"
				o.Keys = []topics.Key{{ID: "k1", Public: make([]byte, 32)}}
				g.do = func(context.Context, report.Command) (any, error) { t.Error("a command was done"); return nil, nil }
				g.take = func(topics.DesiredConfig, string) { t.Error("a configuration was taken") }
				g.out.addCase()
			})
			pass(3 * time.Second)
			g.push(topic, payload, retained)
			if cases, _ := g.out.waiting(); cases != 1 || !g.Status().Connected || len(g.out.quarantined) != 0 {
				t.Error("the state has changed, or the connection was lost")
			}
			g.stop()
		})
	})
}
