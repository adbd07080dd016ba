package report_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

func inBubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func decode(t *testing.T, payload []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(payload, into); err != nil {
		t.Errorf("%s: %v", payload, err)
	}
}

// keys are the office's.
func (o *office) keys() []topics.Key {
	return []topics.Key{{ID: "k1", Public: o.mine.Public().(ed25519.PublicKey)}}
}

// refusals of what was said on up/event, as "what code".
func (g *rig) refusals() (list []string) {
	for _, m := range g.on(names.Event()) {
		if data, ok := m["data"].(map[string]any); ok && m["type"] == "dn.refused" {
			list = append(list, fmt.Sprint(data["what"], " ", data["code"]))
		}
	}
	return list
}

// TestWhatDoesNothingIsSaid: an acknowledgement of an unknown stream or above the newest
// sequence, a refusal of what was acknowledged, beyond or of another stream, and a state
// of the host that does not count: each does nothing, is an event by its code and a line
// of the log, in which no member is empty.
func TestWhatDoesNothingIsSaid(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log bytes.Buffer
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			o.Log, o.HostID = slog.New(slog.NewTextHandler(&log, nil)), "desk"
			for range 5 {
				g.out.addCase()
			}
		})
		pass(5 * time.Second)
		ms := func(d time.Duration) int64 { return time.Now().Add(d).UnixMilli() }
		for _, tc := range []struct {
			topic, payload, want string
		}{
			{names.Ack(), `{"stream":"another","acked_seq":3}`, "ack stream"},
			{names.Ack(), fmt.Sprintf(`{"stream":%q,"acked_seq":6}`, stream), "ack beyond"},
			{names.Ack(), fmt.Sprintf(`{"stream":%q,"acked_seq":2}`, stream), ""},
			{names.Ack(), fmt.Sprintf(`{"stream":%q,"nack":[{"seq":1,"code":"schema"}]}`, stream), "ack acked"},
			{names.Ack(), fmt.Sprintf(`{"stream":%q,"nack":[{"seq":6,"code":"schema"}],"acked_seq":3}`, stream), "ack beyond"},
			{names.Ack(), `{"stream":"another","nack":[{"seq":4,"code":"schema"}]}`, "ack stream"},
			{names.Ack(), fmt.Sprintf(`{"stream":%q,"acked_seq":3}`, stream), ""},
			{names.HostState("desk"), fmt.Sprintf(`{"online":true,"timestamp":%d}`, ms(0)), ""},
			{names.HostState("desk"), fmt.Sprintf(`{"online":true,"timestamp":%d}`, ms(-time.Minute)), "host older"},
			{names.HostState("desk"), fmt.Sprintf(`{"online":false,"timestamp":%d}`, ms(time.Hour)), "host ahead"},
			{names.HostState("desk"), `{"online":true,"timestamp":1764516000.5}`, "host schema"},
			{names.Cmd("ping"), `{"id":"x"}`, "cmd schema"},
			{names.DesiredConfig(), `{"version":1,"expected":0,"config":""}`, "config unsupported"},
		} {
			before := len(g.refusals())
			g.push(tc.topic, []byte(tc.payload), false)
			pass(10 * time.Second)
			var got string
			if all := g.refusals(); len(all) > before {
				got = strings.Join(all[before:], ", ")
			}
			if got != tc.want {
				t.Errorf("%s: said %q, want %q", tc.payload, got, tc.want)
			}
		}
		if cases, _ := g.out.waiting(); cases != 2 || len(g.out.quarantined) != 0 {
			t.Errorf("%d cases wait, refused %v", cases, g.out.quarantined)
		}
		g.stop()
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "nil>") || strings.Contains(line, "=null") {
				t.Errorf("an empty member: %s", line)
			}
		}
		if !strings.Contains(log.String(), "acked_seq 6 in stream") {
			t.Errorf("the log does not say which acknowledgement: %s", log.String())
		}
	})
}

// TestRule05_EachConnectionCounts: attempt grows each time that a case is put on a
// connection, also where no PUBACK comes.
func TestRule05_EachConnectionCounts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		puts := 0
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish && p.Topic == names.Case() {
				if puts++; puts <= 3 {
					c.Close()
					return true
				}
			}
			return false
		}
		g := start(t, f)
		g.out.addCase()
		g.Wake()
		pass(10 * time.Minute)
		var got []float64
		for _, m := range g.on(names.Case()) {
			got = append(got, m["attempt"].(float64))
		}
		if want := []float64{1, 2, 3, 4, 5, 6, 7}; len(got) < 7 || !slices.Equal(got[:7], want) {
			t.Errorf("attempts %v, want %v", got, want)
		}
		g.stop()
	})
}

// TestTheDesiredConfigurationOnABrokerOfExactFilters: RabbitMQ sends what is retained to
// a subscription without wildcards only. A broker that delivers once for each
// subscription is heard once.
func TestTheDesiredConfigurationOnABrokerOfExactFilters(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		config := func(version int) []byte {
			return fmt.Appendf(nil, `{"version":%d,"expected":0,"config":""}`, version)
		}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Subscribe && p.Filters[0] == names.DesiredConfig() {
				_ = c.Default(p)
				f.Push(names.DesiredConfig(), config(5), true)
				return true
			}
			return false
		}
		var got []int64
		g := start(t, f, func(g *rig, o *report.Options) {
			g.take = func(d topics.DesiredConfig, _ string) { g.mu.Lock(); defer g.mu.Unlock(); got = append(got, d.Version) }
		})
		pass(5 * time.Second)
		f.Push(names.DesiredConfig(), config(6), false)
		f.Push(names.DesiredConfig(), config(6), false)
		pass(5 * time.Second)
		g.push(names.DesiredConfig(), config(6), false) // said again is heard again
		g.mu.Lock()
		if !slices.Equal(got, []int64{5, 6, 6}) {
			t.Errorf("heard %v", got)
		}
		g.mu.Unlock()
		g.stop()
	})
}

// TestStateNamesWhatDegrades: not what is only worth saying.
func TestStateNamesWhatDegrades(t *testing.T) {
	note, bad, host := health.Problem{Code: "commands_unsigned"}, health.Problem{Code: "disk_low"}, health.Problem{Code: "host_offline"}
	for _, tc := range []struct {
		verdict  string
		problems []health.Problem
		want     string
	}{
		{health.OK, []health.Problem{note}, "degraded host_offline"},
		{health.Degraded, []health.Problem{host, note}, "degraded host_offline"},
		{health.Failing, []health.Problem{bad, host, note}, "degraded disk_low"},
		{health.Degraded, []health.Problem{bad, note}, "degraded disk_low"},
	} {
		inBubble(t, func(t *testing.T) {
			g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
				o.HostID, g.verdict, g.problems = "desk", tc.verdict, tc.problems
			})
			pass(time.Second)
			g.push(names.HostState("desk"), fmt.Appendf(nil, `{"online":false,"timestamp":%d}`, time.Now().UnixMilli()), true)
			pass(2 * time.Minute)
			states, healths := g.on(names.State()), g.on(names.Health())
			last := states[len(states)-1]
			if got := fmt.Sprint(last["state"], " ", last["reason"]); got != tc.want {
				t.Errorf("%+v: said %q, want %q", tc.problems, got, tc.want)
			}
			codes := map[any]int{}
			for _, p := range healths[len(healths)-1]["problems"].([]any) {
				codes[p.(map[string]any)["code"]]++
			}
			if codes["host_offline"] != 1 || codes["commands_unsigned"] != 1 {
				t.Errorf("health lists %v", codes)
			}
			g.stop()
		})
	}
}

// TestQuarantinedSequencesAreListed: in the summary and in outbox-stat, so that a back
// office that was away when they were refused can close its gap.
func TestQuarantinedSequencesAreListed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(g *rig, _ *report.Options) {
			for range 3 {
				g.out.addCase()
			}
		})
		pass(5 * time.Second)
		g.push(names.Ack(), fmt.Appendf(nil, `{"stream":%q,"nack":[{"seq":2,"code":"schema"}]}`, stream), false)
		pass(5 * time.Second)
		g.push(names.Cmd("outbox-stat"), command("q1", 60, ""), false)
		pass(time.Second)
		sums, answers := g.on(names.CaseSummary()), g.on(names.Rsp("outbox-stat"))
		if got := fmt.Sprint(sums[len(sums)-1]["quarantined_seqs"]); got != "[2]" {
			t.Errorf("the summary lists %s", got)
		}
		if got := fmt.Sprint(answers[len(answers)-1]["data"].(map[string]any)["quarantined_seqs"]); got != "[2]" {
			t.Errorf("outbox-stat lists %s", got)
		}
		g.stop()
	})
}

// addressed is a connection with an address of its own.
type addressed struct {
	report.Broker
	address string
}

func (a addressed) Address() string { return a.address }

// TestRule11_ADyingNodeIsNoKick: when the node of a cluster dies, others take us, and may
// drop us, too. Only one address that ends good connections twice and takes us back at
// once says that another client has our id.
func TestRule11_ADyingNodeIsNoKick(t *testing.T) {
	for name, tc := range map[string]struct {
		addresses []string
		lasts     time.Duration
		want      bool
	}{
		"the same address":           {[]string{"a", "a", "a"}, 5 * time.Second, true},
		"two nodes":                  {[]string{"a", "b", "a"}, 5 * time.Second, false},
		"three nodes":                {[]string{"a", "b", "c"}, 5 * time.Second, false},
		"two nodes, and back, twice": {[]string{"a", "b", "a", "b", "a", "b"}, 5 * time.Second, true},
		"at once again":              {[]string{"a", "a", "a"}, 300 * time.Millisecond, true},
		"never good":                 {[]string{"a", "a", "a", "a"}, 50 * time.Millisecond, false},
	} {
		inBubble(t, func(t *testing.T) {
			f := &brokertest.Fake{}
			n := 0
			g := start(t, f, func(_ *rig, o *report.Options) {
				dial := o.Dial
				o.Rand = func() float64 { return 0 }
				o.Dial = func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
					conn, err := dial(ctx, topic, will)
					at := tc.addresses[min(n, len(tc.addresses)-1)]
					n++
					return addressed{conn, at}, err
				}
			})
			for range len(tc.addresses) - 1 {
				pass(tc.lasts)
				f.CloseAll()
			}
			pass(5 * time.Second)
			if got := g.sawEvent("duplicate_client_id"); got != tc.want {
				t.Errorf("%s: said %v, want %v", name, got, tc.want)
			}
			g.stop()
		})
	}
}

// TestRule07_AWillOlderThanItsBirthHolds: as most programs make it; and in seconds.
func TestRule07_AWillOlderThanItsBirthHolds(t *testing.T) {
	for _, unit := range []time.Duration{time.Millisecond, time.Second} {
		inBubble(t, func(t *testing.T) {
			g := start(t, &brokertest.Fake{}, func(_ *rig, o *report.Options) { o.HostID = "desk" })
			pass(5 * time.Second)
			state := func(online bool, at time.Duration) []byte {
				return fmt.Appendf(nil, `{"online":%v,"timestamp":%d}`, online, time.Now().Add(at).UnixNano()/int64(unit))
			}
			will := state(false, 0)
			pass(2 * time.Second)
			g.push(names.HostState("desk"), state(true, 0), false)
			pass(time.Minute)
			for range 2 { // the second time after a reconnect with the same will
				g.push(names.HostState("desk"), will, false)
				sent := len(g.on(names.Case()))
				g.out.addCase()
				g.Wake()
				pass(30 * time.Minute)
				if n := len(g.on(names.Case())); n != sent {
					t.Errorf("unit %s: %d cases sent while the office is away", unit, n-sent)
				}
				g.push(names.HostState("desk"), state(true, 0), false)
				if n := len(g.on(names.Case())); n == sent {
					t.Errorf("unit %s: nothing is sent although the office is back", unit)
				}
				g.push(names.Ack(), ack(g.last()), false)
			}
			g.stop()
		})
	}
}

func (g *rig) last() int64 {
	s, _ := g.out.OutboxStat(context.Background())
	return s.LastSeq
}
