package report_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
)

// notebook is a Memory that outlives reporters.
type notebook struct {
	mu     sync.Mutex
	text   []byte
	lost   bool
	broken error
	writes int
}

func (n *notebook) Recall(context.Context) ([]byte, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text, !n.lost, n.broken
}

func (n *notebook) Remember(_ context.Context, text []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken == nil {
		n.text = text
		n.writes++
	}
	return n.broken
}

func (n *notebook) set(broken error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = broken
}

// said is the payload of a command with this ts.
func said(id string, ts time.Time, ttl int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"ts":%q,"ttl_s":%d}`, id, ts.UTC().Format(time.RFC3339Nano), ttl)
}

// life is a reporter that knows what the notebook knows; done gets the ids of what is
// done.
func life(t *testing.T, book *notebook, done *[]string, change ...func(*rig, *report.Options)) *rig {
	var mu sync.Mutex
	all := append([]func(*rig, *report.Options){func(g *rig, o *report.Options) {
		o.Memory = book
		g.do = func(_ context.Context, c report.Command) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			*done = append(*done, c.ID)
			if book.mu.Lock(); !strings.Contains(string(book.text), `"`+c.ID+`"`) && c.Name != "log-tail" {
				t.Errorf("%s is done before it is noted", c.ID)
			}
			book.mu.Unlock()
			return nil, &report.CommandError{Code: "tried", Message: "it was tried"}
		}
	}}, change...)
	return start(t, &brokertest.Fake{}, all...)
}

func expectDone(t *testing.T, done []string, want ...string) {
	t.Helper()
	if strings.Join(done, " ") != strings.Join(want, " ") {
		t.Errorf("done %q, want %q", done, want)
	}
}

// Whatever has an effect is never done twice: not in a later life, not with a ts that
// lies ahead, whatever the terminal's clock was in between.
func TestTakenOnceInAllLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, done := &notebook{}, []string{}
		g := life(t, book, &done)
		pass(2 * time.Second)
		ahead := said("r1", time.Now().Add(290*time.Second), 86400)
		g.push(names.Cmd("restart"), ahead, false)
		g.push(names.Cmd("restart"), ahead, false) // the first answer again
		expectRsp(t, g, "restart", "r1 error tried", "r1 error tried")
		g.stop()
		for _, later := range []time.Duration{time.Second, time.Minute, 4 * time.Minute, time.Hour} {
			pass(later)
			g := life(t, book, &done)
			pass(2 * time.Second)
			g.push(names.Cmd("restart"), ahead, false)
			g.push(names.Cmd("restart"), ahead, false)
			expectRsp(t, g, "restart", "r1 expired taken_before", "r1 expired taken_before")
			g.push(names.Cmd("log-tail"), ahead, false) // another command with the same id and no effect
			if !strings.HasSuffix(g.rsp("log-tail")[0], " tried") {
				t.Errorf("log-tail: %q", g.rsp("log-tail"))
			}
			g.stop()
		}
		expectDone(t, done, "r1", "r1", "r1", "r1", "r1") // the last four are log-tail
		pass(48 * time.Hour)
		g = life(t, book, &done)
		pass(2 * time.Second)
		g.push(names.Cmd("restart"), ahead, false)
		expectRsp(t, g, "restart", "r1 expired expired")
		g.stop()
	})
}

// A clock that is wrong at the start and set later neither lets a command be done
// again nor keeps a new one from being done.
func TestTakenWithAClockThatIsSetLater(t *testing.T) {
	for _, off := range []time.Duration{-72 * time.Hour, -3 * time.Minute, 10 * time.Minute, 72 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var wrong atomic.Int64
			clock := func(g *rig, o *report.Options) {
				g.now = func() time.Time { return time.Now().Add(time.Duration(wrong.Load())) }
				g.synced = func() bool { return wrong.Load() == 0 }
			}
			book, done := &notebook{}, []string{}
			first := said("c1", time.Now().Add(250*time.Second), 3600)
			for n := range 3 {
				wrong.Store(int64(off))
				g := life(t, book, &done, clock)
				pass(5 * time.Second)
				g.push(names.Cmd("capture-stop"), first, false)
				wrong.Store(0)
				g.push(names.Cmd("capture-stop"), first, false)
				fresh := fmt.Sprint("n", n)
				g.push(names.Cmd("capture-stop"), said(fresh, time.Now(), 60), false)
				want := "c1 error tried"
				if n > 0 {
					want = "c1 expired taken_before"
				}
				expectRsp(t, g, "capture-stop", "c1 rejected clock", want, fresh+" error tried")
				g.stop()
			}
			expectDone(t, done, "c1", "n0", "n1", "n2")
		})
	}
}

// What cannot be noted is not done, and may be sent again with the same id.
func TestTakenOnlyWhenNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, done := &notebook{broken: errors.New("no space left on device")}, []string{}
		g := life(t, book, &done)
		pass(2 * time.Second)
		g.push(names.Cmd("capture-stop"), command("l1", 60, ""), false)
		g.push(names.Cmd("ping"), command("p1", 60, ""), false)
		expectDone(t, done)
		book.set(nil)
		g.push(names.Cmd("capture-stop"), command("l1", 60, ""), false)
		book.set(errors.New("input/output error"))
		g.push(names.Cmd("capture-stop"), command("l2", 60, ""), false)
		expectRsp(t, g, "capture-stop", "l1 rejected not_noted", "l1 error tried", "l2 rejected not_noted")
		expectRsp(t, g, "ping", "p1 ok")
		expectDone(t, done, "l1")
		g.stop()
	})
}

// Where what was taken may be lost, nothing is done that a life before may have done.
func TestTakenAfterDamage(t *testing.T) {
	for _, text := range []string{"", "{", `{"upto":"2000-01-01T00:00:00Z","known":[]}`} {
		synctest.Test(t, func(t *testing.T) {
			book, done := &notebook{text: []byte(text), lost: text != "{"}, []string{}
			g := life(t, book, &done)
			pass(2 * time.Second)
			perhaps := said("a1", time.Now().Add(290*time.Second), 3600)
			g.push(names.Cmd("restart"), perhaps, false)
			expectRsp(t, g, "restart", "a1 expired out_of_order")
			g.stop()
			book.lost = false
			g = life(t, book, &done)
			pass(2 * time.Second)
			g.push(names.Cmd("restart"), perhaps, false)
			pass(5 * time.Minute)
			g.push(names.Cmd("restart"), command("a2", 60, ""), false)
			expectRsp(t, g, "restart", "a1 expired out_of_order", "a2 error tried")
			expectDone(t, done, "a2")
			g.stop()
		})
	}
}

// However many ids there were, and however long their ttl_s, the next command is done,
// and none of those again.
func TestIdsLockNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, done := &notebook{}, []string{}
		g := life(t, book, &done)
		pass(2 * time.Second)
		payloads := [][]byte{}
		for i := range 300 {
			g.fake.Push(names.Cmd("ping"), command(fmt.Sprint("p", i), 86400, ""), false)
			payloads = append(payloads, said(fmt.Sprint("l", i), time.Now(), 86400))
			g.push(names.Cmd("capture-stop"), payloads[i], false)
		}
		if pings, levels := g.rsp("ping"), g.rsp("capture-stop"); pings[299] != "p299 ok" || levels[299] != "l299 error tried" || len(done) != 300 {
			t.Errorf("%d done, %q %q", len(done), pings[299], levels[299])
		}
		if len(book.text) > 128*100 {
			t.Errorf("%d bytes are kept", len(book.text))
		}
		for range 2 {
			before := len(g.rsp("capture-stop"))
			for i, p := range payloads {
				g.push(names.Cmd("capture-stop"), p, false)
				if got, want := g.rsp("capture-stop")[before+i], "l"+fmt.Sprint(i); !strings.HasPrefix(got, want+" ") {
					t.Fatalf("%q, want one for %s", got, want)
				}
			}
			again := g.rsp("capture-stop")[before:]
			if again[0] != "l0 expired out_of_order" || again[200] != "l200 expired taken_before" || len(done) != 300 {
				t.Errorf("again: %q, %q, %d done", again[0], again[200], len(done))
			}
			g.stop()
			g = life(t, book, &done)
			pass(2 * time.Second)
		}
		g.push(names.Cmd("capture-stop"), command("new", 60, ""), false)
		expectRsp(t, g, "capture-stop", "new error tried")
		if book.writes != 301 {
			t.Errorf("written %d times, want once per command done", book.writes)
		}
		g.stop()
	})
}

// The ttl_s that counts is at most a day, whatever is claimed.
func TestLongestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, done := &notebook{}, []string{}
		g := life(t, book, &done)
		old := said("o1", time.Now(), 86400)
		pass(24*time.Hour + time.Second)
		g.push(names.Cmd("capture-stop"), old, false)
		g.push(names.Cmd("capture-stop"), said("o2", time.Now(), 1<<40), false)
		expectRsp(t, g, "capture-stop", "o1 expired expired", "o2 rejected schema")
		expectDone(t, done)
		g.stop()
	})
}

// A flood of commands is written down at a pace that the flash bears.
func TestTakenAtAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, done := &notebook{}, []string{}
		g := life(t, book, &done)
		pass(2 * time.Second)
		for i := range 1000 {
			g.fake.Push(names.Cmd("capture-stop"), command(fmt.Sprint("f", i), 60, ""), false)
			pass(time.Millisecond)
		}
		if book.writes > 6 || len(done) > book.writes {
			t.Errorf("%d writes and %d done within a second", book.writes, len(done))
		}
		g.stop()
	})
}

// After "nothing was done" no ok follows that had waited for its turn.
func TestUnheardIsTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, held := &brokertest.Fake{}, atomic.Uint32{}
		fake.Handler = func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind != brokertest.Publish || !strings.HasSuffix(p.Topic, "/rsp/ping") || held.Load() > 0 {
				return false
			}
			held.Store(uint32(p.ID))
			return true // its PUBACK comes late
		}
		var then, unheard atomic.Int64
		g := start(t, fake, func(g *rig, o *report.Options) {
			g.do = func(context.Context, report.Command) (any, error) {
				return report.Last{Data: map[string]any{"pid": 1, "uptime_s": 2}, Then: func() { then.Add(1) }, Undelivered: func() { unheard.Add(1) }}, nil
			}
		})
		pass(2 * time.Second)
		g.push(names.Cmd("ping"), command("p1", 60, ""), false)
		g.push(names.Cmd("restart"), command("r1", 60, ""), false)
		pass(10 * time.Second)
		if err := fake.Conns()[0].Puback(uint16(held.Load())); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		expectRsp(t, g, "restart", "r1 error unheard")
		g.push(names.Cmd("restart"), command("r1", 60, ""), false)
		expectRsp(t, g, "restart", "r1 error unheard", "r1 error unheard")
		if then.Load() != 0 || unheard.Load() != 1 {
			t.Errorf("done %d times, unheard %d times", then.Load(), unheard.Load())
		}
		g.stop()
	})
}

// A list that was begun by a clock which ran ahead refuses no command until that time
// comes: no command from there was ever taken.
func TestTakenByAClockThatRanAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, done := &notebook{text: fmt.Appendf(nil, `{"upto":%q,"known":[]}`, time.Now().Add(30*time.Hour).UTC().Format(time.RFC3339Nano))}, []string{}
		before := time.Now().Add(-time.Minute)
		g := life(t, book, &done)
		pass(2 * time.Second)
		g.push(names.Cmd("restart"), said("old", before, 600), false)
		g.push(names.Cmd("restart"), said("new", time.Now(), 60), false)
		pass(2 * time.Second)
		expectDone(t, done, "new")
		g.stop()
	})
}
