package ingest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tunedPort is a line with a terminal that sends a sale each 500 ms at one setting; at others
// what arrives are other bytes, and a driver that counts counts framing errors.
type tunedPort struct {
	*memPort
	right  LineSetting
	counts bool

	mu    sync.Mutex // guards the rest
	set   []LineSetting
	count LineCounts
}

func (p *tunedPort) LineCounts() (LineCounts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.counts
}

func (p *tunedPort) Tune(s LineSetting) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = append(p.set, s)
	return nil
}

func (p *tunedPort) now() LineSetting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set[len(p.set)-1]
}

// sends is the terminal, for so many sales.
func (p *tunedPort) sends(n int) {
	for i := range n {
		f := sale(i + 1)
		if p.now() != p.right {
			for j := range f { // as a receiver at half the speed sees it
				f[j] = f[j]<<4 | f[j]>>6 | 0x80
			}
			p.mu.Lock()
			p.count.Frame += 3
			p.mu.Unlock()
		}
		p.in <- f
		pass(500 * time.Millisecond)
	}
}

// callGuesser understands a whole sale.
type callGuesser struct{ seen []byte }

func (g *callGuesser) Take(b []byte, _ time.Time) { g.seen = append(g.seen, b...) }

func (g *callGuesser) Fit() Fit {
	if strings.Contains(string(g.seen), "6200000000000005") {
		return Fit{Wire: "mispos"}
	}
	return Fit{}
}

// TestTuning: where nothing is understood and the driver counts framing errors, the setting at
// which the terminal sends is found within ten seconds and named, and the line is set back; a
// driver that counts none keeps the line as it is, and so does a line that was understood.
func TestTuning(t *testing.T) {
	slow, fast, even := LineSetting{9600, "none"}, LineSetting{115200, "none"}, LineSetting{9600, "even"}
	for name, c := range map[string]struct {
		right  LineSetting
		counts bool
		first  bool // one sale comes at the configured setting
		want   string
	}{
		"another speed":     {fast, true, false, "mispos 115200 8N1"},
		"parity":            {even, true, false, "mispos 9600 8E1"},
		"nothing counts":    {fast, false, false, ""},
		"understood before": {slow, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, func(_ *bench, o *Options) {
					o.Settings = []LineSetting{slow, fast, even}
					o.NewGuesser = func() (Guesser, error) { return &callGuesser{}, nil }
				})
				port := &tunedPort{memPort: newMemPort(), right: c.right, counts: c.counts, set: []LineSetting{slow}}
				b.w.opt.Open = func(context.Context) (Port, string, error) { return port, "/dev/ttyTEST", nil }
				b.run()
				pass(time.Second)
				if c.first {
					port.sends(1)
					port.right = even // somebody has changed the terminal
				}
				port.sends(20)
				h := b.w.Health()
				got := ""
				if f := h.Fit; f != nil && f.Wire != "" {
					got = fmt.Sprint(f.Wire, " ", f.Baud, " ", f.Framing)
				}
				want(t, "fit", got, c.want)
				want(t, "the line is set to", port.now(), slow)
				if tuned := strings.Contains(b.log.String(), "link.tuning"); tuned != (c.want != "") || len(port.set) > 1 != tuned {
					t.Errorf("tuned: %v", port.set)
				}
				if n := strings.Count(b.log.String(), "link.fits"); (n == 1) != (c.want != "") || n > 1 {
					t.Errorf("%d lines: %s", n, b.log.String())
				}
				if err := b.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
