package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

// flood is what a hostile or broken terminal sends besides its good events.
func flood(c *brokertest.Client, rng *rand.Rand, n int64) {
	const up = "yuanlu/v1/t-1/up/"
	good := string(desktest.Case{Seq: n}.JSON())
	names := []string{"case", "event", "state", "health", "info", "config", "case-summary", "link/pos/state", "log/warn", "rsp/ping", "link//state", "zzz"}
	junk := make([]byte, rng.IntN(300))
	for i := range junk {
		junk[i] = byte(rng.Uint32())
	}
	i := rng.IntN(len(good) - 1)
	for topic, payload := range map[string]string{
		up + names[rng.IntN(len(names))]:      string(junk),
		up + "event":                          good[:i] + good[i+1:],
		up + fmt.Sprintf("link/l%d/state", n): fmt.Sprintf(`{"v":1,"name":"l%d","state":"online","reason":"","port":"x","frames_good":1,"frames_bad":0}`, n),
		up + "case":                           strings.Repeat(`{"a":[`, 20_000),
		"yuanlu/v1/t-2/up/case":               good,                                                                          // another's event
		"yuanlu/v1/t-3/up/case":               string(desktest.Case{Terminal: "t-3", Stream: fmt.Sprint("S", n)}.JSON()),     // a stream of its own each time
		"yuanlu/v1/t-4/up/case":               string(desktest.Case{Terminal: "t-4", Seq: 3 * n}.JSON()),                     // gaps
		"yuanlu/v1/t-5/up/case":               string(desktest.Case{Terminal: "t-5", Seq: 1, Severity: sometimes(n)}.JSON()), // one id, other contents
		"yuanlu/v1/t-6/up/case":               strings.ReplaceAll(string(desktest.Case{Terminal: "t-6", Seq: n}.JSON()), "opened.v1", "opened.v7"),
		"yuanlu/v1/t-6/up/state":              `{"v":9,"state":"dreaming","session":"s","mood":{"x":[1]}}`,
	} {
		c.Send(topic, []byte(payload))
	}
}

func sometimes(n int64) string { return []string{"high", "critical"}[n%2] }

// A desk among garbage of every kind, duplicates, gaps, other streams and versions
// of the future keeps what is good, sets the rest apart, refuses it to the terminal where it
// can, logs it, and stays small.
func TestE2EHostilePublisher(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		b := brokertest.Start(t, brokertest.Options{Unchecked: true})
		d := newDesk(t, "--broker", b.URL(), "--store", place)
		d.startDesk()
		d.ready()
		c := brokertest.NewClient(t, b.URL(), "hostile", nil, "yuanlu/v1/+/dn/#")
		rng := rand.New(rand.NewPCG(6, 6))
		const events = 60
		for n := int64(1); n <= events; n++ {
			flood(c, rng, n)
			payload := string(desktest.Case{Seq: n}.JSON())
			if n%10 == 0 {
				payload = strings.Replace(payload, `"decision":"alarm"`, `"decision":"maybe"`, 1)
			}
			for range 2 {
				c.Send("yuanlu/v1/t-1/up/case", []byte(payload))
			}
		}
		desktest.Eventually(t, 60*time.Second, "everything good settled", func() bool { return d.settledOf("t-1") == events })
		desktest.Eventually(t, 30*time.Second, "the last of t-6", func() bool { return d.settledOf("t-6") == events })
		_, refused := c.Acked("S1")
		distinct := map[int64]bool{}
		for _, n := range refused {
			distinct[n] = true
		}
		for n := int64(10); n <= events; n += 10 {
			if !distinct[n] {
				t.Errorf("%d was never refused", n)
			}
		}
		check := func(path string, to any) {
			if err := d.get(path, to); err != nil {
				t.Fatal(err)
			}
		}
		var page struct{ Cases []store.CaseRow }
		for terminal, want := range map[string]int{"t-1": events - events/10, "t-2": 0, "t-3": 1, "t-4": events, "t-5": 1, "t-6": events} {
			desktest.Eventually(t, 30*time.Second, fmt.Sprintf("%d cases of %s", want, terminal), func() bool {
				check("/v1/cases?limit=200&terminal="+terminal, &page)
				return len(page.Cases) == want
			})
		}
		var q struct{ Quarantine []store.Refused }
		for _, code := range []string{"schema", "garbage", "too_large", "source", "altered", "links"} {
			if check("/v1/quarantine?limit=200&code="+code, &q); len(q.Quarantine) == 0 {
				t.Errorf("nothing was refused as %s", code)
			}
		}
		var gaps struct{ Streams []store.StreamRow }
		if check("/v1/gaps?terminal=t-4", &gaps); len(gaps.Streams) != 1 || gaps.Streams[0].Settled != 0 || len(gaps.Streams[0].Gaps) != events {
			t.Errorf("%+v", gaps)
		}
		if log := d.log.String(); !strings.Contains(log, "message.refused") || strings.Count(log, "\n") > 200 {
			t.Errorf("%d lines in the log:\n%s", strings.Count(log, "\n"), tail(log, 5))
		}
		if mb := d.peak(); mb > 128 {
			t.Errorf("%d MiB resident", mb)
		} else {
			t.Logf("%d MiB resident at most, %d lines in the log", mb, strings.Count(d.log.String(), "\n"))
		}
		if code := d.stop(); code != exitOK {
			t.Errorf("exit %d", code)
		}
	})
}

// settledOf is how far the desk has got with a terminal.
func (p *process) settledOf(terminal string) (n int64) {
	var gaps struct{ Streams []store.StreamRow }
	if p.get("/v1/gaps?all=1&terminal="+terminal, &gaps) != nil {
		return -1
	}
	for _, s := range gaps.Streams {
		n += s.Settled
	}
	return n
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a process had resident, in MiB.
func (p *process) peak() int {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		p.t.Fatal(err)
	}
	m := highWater.FindSubmatch(b)
	if m == nil {
		p.t.Fatal("no VmHWM")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	return n >> 10
}
