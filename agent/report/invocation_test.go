package report_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
)

// Arguments are checked against their schema before anybody sees them: the answer
// names the member and says what is allowed.
func TestCommandArgumentsAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) { done.Add(1); return nil, nil }
			g.out.onResend = func(context.Context, int64) (int, error) { done.Add(1); return 0, nil }
		})
		pass(time.Second)
		for i, tc := range []struct{ cmd, args, want string }{
			{"ping", `{"x":1}`, "args: unknown member x, want no members"},
			{"case-resend", `{"from_seq":"x"}`, "args.from_seq: a string, want an integer"},
			{"case-resend", `{"from_seq":0}`, "args.from_seq: a smaller number, want at least 1"},
			{"case-resend", `{"from_seq":99999999999999999999}`, "args.from_seq: no sequence number"},
			{"case-resend", `{"from_seq":null}`, "args.from_seq: null, want an integer"},
			{"case-resend", `{"from":1}`, "args: unknown member from, want one of from_seq"},
			{"log-level", `{"level":"loud"}`, `args.level: another value, want one of ["debug" "info" "warn" "error"]`},
			{"log-level", `{"level":"info","for_s":1e9}`, "args.for_s: a number, want an integer"},
			{"log-tail", `{"lnes":5}`, "args: unknown member lnes, want one of cases, level, lines, link"},
			{"log-tail", `{"6222020200112233445":5}`, "args: an unknown member, want one of cases, level, lines, link"},
			{"link-reopen", `{"link":"../../etc"}`, "args.link: other text, want ^[a-z0-9-]{1,64}$"},
			{"restart", `{"now":true}`, "args: unknown member now, want no members"},
		} {
			before := len(g.on(names.Rsp(tc.cmd)))
			g.push(names.Cmd(tc.cmd), command(fmt.Sprintf("a%d", i), 60, tc.args), false)
			got := g.on(names.Rsp(tc.cmd))
			if len(got) != before+1 {
				t.Fatalf("%s %s: %d answers", tc.cmd, tc.args, len(got)-before)
			}
			e, _ := got[before]["error"].(map[string]any)
			if got[before]["status"] != "rejected" || e["code"] != "args" || !strings.HasPrefix(e["message"].(string), tc.want) {
				t.Errorf("%s %s: %v, want %q", tc.cmd, tc.args, got[before], tc.want)
			}
		}
		if done.Load() != 0 {
			t.Errorf("%d commands with wrong arguments were done", done.Load())
		}
		g.stop()
	})
}

// A connection lost in between costs no answer: the same id asked again on the next
// one gets how far it is, and then the end.
func TestCommandOutlivesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(_ context.Context, c report.Command) (any, error) {
				c.Progress(map[string]any{"step": 1, "steps": 3, "what": "store"})
				<-end
				c.Progress(map[string]any{"step": 2, "steps": 3, "what": "disk"})
				return map[string]any{"verdict": "ok", "lines": []any{}}, nil
			}
		})
		pass(time.Second)
		cmd := command("s1", 3600, "")
		g.push(names.Cmd("selftest"), cmd, false)
		g.fake.CloseAll()
		pass(3 * time.Minute)
		g.push(names.Cmd("selftest"), cmd, false)
		expectRsp(t, g, "selftest", "s1 accepted", "s1 progress", "s1 accepted", "s1 progress")
		g.fake.CloseAll()
		close(end) // while there is no connection
		pass(3 * time.Minute)
		g.push(names.Cmd("selftest"), cmd, false)
		g.push(names.Cmd("selftest"), cmd, false)
		expectRsp(t, g, "selftest", "s1 accepted", "s1 progress", "s1 accepted", "s1 progress", "s1 ok", "s1 ok")
		g.stop()
	})
}

// Where the process ends with the command, the broker has the answer first.
func TestLastAnswerIsHeardFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done, heard atomic.Int64
		fake := &brokertest.Fake{}
		deaf := &atomic.Bool{}
		fake.Handler = func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			return deaf.Load() && p.Kind == brokertest.Publish && strings.HasSuffix(p.Topic, "/rsp/restart")
		}
		g := start(t, fake, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) {
				return report.Last{Data: map[string]any{"pid": 1, "uptime_s": 2}, Then: func() {
					done.Add(1)
					if slices.Contains(g.rsp("restart"), "r1 ok") {
						heard.Add(1)
					}
				}}, nil
			}
		})
		pass(2 * time.Second)
		deaf.Store(true)
		g.push(names.Cmd("restart"), command("r0", 60, ""), false)
		pass(30 * time.Second)
		if done.Load() != 0 {
			t.Error("it was done although the broker had no answer")
		}
		deaf.Store(false)
		pass(2 * time.Minute)
		g.push(names.Cmd("restart"), command("r0", 600, ""), false)
		if got := g.rsp("restart"); got[len(got)-1] != "r0 error unheard" {
			t.Errorf("asked again: %q", got)
		}
		g.push(names.Cmd("restart"), command("r1", 60, ""), false)
		if done.Load() != 1 || heard.Load() != 1 {
			t.Errorf("done %d times, heard before %d times; %q", done.Load(), heard.Load(), g.rsp("restart"))
		}
		g.stop()
	})
}

// A restart that is sent again after it is not done again, signed or not.
func TestRestartFromBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := fmt.Appendf(nil, `{"id":"early","ts":%q,"ttl_s":3600}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339))
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) {
				t.Error("it was done")
				return nil, nil
			}
		})
		pass(2 * time.Second)
		g.push(names.Cmd("restart"), before, false)
		expectRsp(t, g, "restart", "early expired before_start")
		g.push(names.Cmd("ping"), before, false)
		expectRsp(t, g, "ping", "early ok")
		g.stop()
	})
}

// An answer that is not as its schema says is a fault of ours, and said as one.
func TestAnswersSatisfyTheirSchemas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) { return map[string]any{"verdict": "fine"}, nil }
		})
		pass(time.Second)
		g.push(names.Cmd("selftest"), command("s1", 60, ""), false)
		expectRsp(t, g, "selftest", "s1 error answer")
		g.stop()
	})
}

// Remembered answers are bounded by bytes; whose is dropped is not done again.
func TestRememberedAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) {
				return map[string]any{"long": strings.Repeat("x", 30_000)}, nil
			}
		})
		pass(time.Second)
		for i := range 37 {
			g.push(names.Cmd("act"), command(fmt.Sprintf("a%d", i), 3600, ""), false)
		}
		g.push(names.Cmd("act"), command("a21", 3600, ""), false)
		g.push(names.Cmd("act"), command("a0", 3600, ""), false)
		if got := g.rsp("act"); got[35] != "a35 ok" || got[37] != "a21 ok" || got[38] != "a0 expired taken_before" {
			t.Errorf("%q", got[30:])
		}
		g.stop()
	})
}

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(_ *rig, o *report.Options) { o.HostID = "desk" })
		pass(time.Second)
		before := len(g.on(names.Health()))
		if _, err := g.Echo(t.Context()); err != nil {
			t.Error(err)
		}
		if after := len(g.on(names.Health())); after != before+1 {
			t.Errorf("health was said %d times", after-before)
		}
		if s := g.Status(); s.Host == nil || s.Host.Known || !s.LastAck.IsZero() {
			t.Errorf("host %+v, last acknowledgement %v", s.Host, s.LastAck)
		}
		g.out.addCase()
		g.push(names.HostState("desk"), []byte(`{"online":true,"timestamp":1000}`), true)
		g.push(names.Ack(), ack(1), false)
		if s := g.Status(); !s.Host.Online || s.Host.At.Unix() != 1000 || s.LastAck.IsZero() {
			t.Errorf("host %+v, last acknowledgement %v", s.Host, s.LastAck)
		}
		g.fake.CloseAll()
		synctest.Wait()
		if _, err := g.Echo(t.Context()); err == nil {
			t.Error("an echo without a connection")
		}
		g.stop()
	})
}
