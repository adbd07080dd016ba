package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/protocol/mqtt"
)

// ErrOptions is the class of errors about options.
var ErrOptions = errors.New("fleet: bad options")

// Options are what a fleet is. All but Desk and Token are needed.
type Options struct {
	Terminals   int
	Seed        uint64        // the same makes the same days; another one for another run against the same desk
	Brokers     []string      // URLs, as in the terminal's mqtt.url; each terminal tries them in turn
	MQTT        mqtt.Options  // what is the same for all: authorities, plaintext
	Root        string        // first levels of every topic
	Prefix      string        // of the terminals' ids
	Begin       time.Time     // of the first simulated day
	Days        int           // simulated days
	Day         time.Duration // how long one of them takes
	Cases       float64       // wrong refunds of a terminal on a day, on average
	Health      time.Duration // between two regular rounds of presence
	Retry       time.Duration // topics.md rule 5: from PUBACK to the second attempt
	JitterFirst time.Duration // topics.md rule 10
	JitterMost  time.Duration
	Ramp        time.Duration // over which the terminals connect first; 0: all at once
	Settle      time.Duration // longest wait, behind the last day, for what is not acknowledged
	Desk, Token string        // of the desk's API, with which the end is compared; "": it is not
	Line        func(format string, args ...any)
}

// Check reports what is wrong with the options: ErrOptions.
func (o *Options) Check() error {
	for _, c := range []struct {
		ok   bool
		want string
	}{
		{o.Terminals >= 1 && o.Terminals <= 99_999, "--terminals 1 to 99999"},
		{len(o.Brokers) > 0, "--broker URL"},
		{o.Days >= 1 && o.Days <= 366 && o.Day >= 100*time.Millisecond, "--days 1 to 366, --day 100ms or more"},
		{o.Cases >= 0 && o.Cases <= 1000, "--cases 0 to 1000"},
		{o.Health >= time.Second && o.Retry >= 100*time.Millisecond, "--health 1s or more, --retry 100ms or more"},
		{o.JitterFirst > 0 && o.JitterMost >= o.JitterFirst, "--jitter from,to"},
	} {
		if !c.ok {
			return fmt.Errorf("%w: want %s", ErrOptions, c.want)
		}
	}
	for _, url := range o.Brokers {
		one := o.MQTT
		one.URL, one.ClientID = url, o.Prefix+"-00000"
		if err := one.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	return nil
}

// fleet is a run.
type fleet struct {
	o         Options
	began     time.Time
	terminals []*terminal
	routes    []*mqtt.Route
	delivered atomic.Int64

	mu     sync.Mutex
	perSec map[int64]int  // guarded by mu: connections by second since began
	failed map[string]int // guarded by mu: attempts to connect by why
}

// progressEvery is the time between two lines of progress.
const progressEvery = 10 * time.Second

// Run lets the fleet live through its days and waits until everything is acknowledged, at most Settle. Then it compares the
// desk with what was published. An error means that the fleet could not be run, or that the desk did not answer; what
// differs is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	f := &fleet{o: o, began: time.Now(), perSec: map[int64]int{}, failed: map[string]int{}}
	for i := range o.Brokers { // one route for each place to begin at
		f.routes = append(f.routes, mqtt.NewRoute(append(append([]string{}, o.Brokers[i:]...), o.Brokers[:i]...)))
	}
	alive, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	for n := range o.Terminals {
		f.terminals = append(f.terminals, newTerminal(f, n))
	}
	for _, t := range f.terminals {
		wg.Go(func() { t.run(alive) })
	}
	f.watch(ctx)
	end()
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := f.report()
	if o.Desk == "" {
		return r, nil
	}
	return r, f.compare(ctx, r)
}

// watch returns when everything is delivered, or there is no more time.
func (f *fleet) watch(ctx context.Context) {
	limit := time.NewTimer(time.Duration(f.o.Days)*f.o.Day + f.o.Settle)
	defer limit.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for f.delivered.Load() < int64(f.o.Terminals) {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			return
		case <-tick.C:
		}
		if time.Since(last) >= progressEvery {
			last = time.Now()
			f.mu.Lock()
			connects := 0
			for _, n := range f.perSec {
				connects += n
			}
			f.mu.Unlock()
			f.o.Line("%4.0f s  %d of %d terminals have delivered everything, %d connections so far", time.Since(f.began).Seconds(), f.delivered.Load(), f.o.Terminals, connects)
		}
	}
}

// connected counts a connection.
func (f *fleet) connected(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.perSec[int64(at.Sub(f.began)/time.Second)]++
}

// note counts an attempt that failed, by its reason.
func (f *fleet) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	code := "other"
	if d, ok := errors.AsType[*mqtt.DialError](err); ok {
		code = d.Code
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed[code]++
}

// route is the way to the brokers for one attempt of a terminal: the first attempts of all are spread over them.
func (f *fleet) route(n, attempt int) *mqtt.Route { return f.routes[(n+attempt)%len(f.routes)] }

// jitter is topics.md rule 10: a random part of first, twice as much, and so on to most.
type jitter struct{ first, most, limit time.Duration }

func (j *jitter) next(rng *rand.Rand) time.Duration {
	if j.limit == 0 {
		j.limit = j.first
	}
	d := time.Duration(rng.Float64() * float64(j.limit))
	j.limit = min(2*j.limit, j.most)
	return d
}

// was notes how long a connection was good.
func (j *jitter) was(good time.Duration) {
	if good >= goodAfter {
		j.limit = 0
	}
}

// meter counts the bytes of one connection.
type meter struct {
	in, out atomic.Int64
	mu      sync.Mutex
	conn    net.Conn // guarded by mu
}

// dial opens the network connection.
func (m *meter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.conn = conn
	m.mu.Unlock()
	return &metered{Conn: conn, m: m}, nil
}

// cut ends the network connection as a pulled cable would: no DISCONNECT.
func (m *meter) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		_ = m.conn.Close() // it may have ended already
	}
}

type metered struct {
	net.Conn
	m *meter
}

func (c *metered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.in.Add(int64(n))
	return n, err
}

func (c *metered) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.out.Add(int64(n))
	return n, err
}
