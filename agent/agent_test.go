package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/logbook"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// rig is an agent with a link that the test speaks into.
type rig struct {
	agent    *Agent
	book     *logbook.Book
	notes    chan string // what the service manager received
	firmware net.Conn    // the other end of the port
	config   *config.Config
}

func newRig(t *testing.T, more string, change func(*Options)) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "ya") // short: the path of a socket is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text := "[terminal]\nid = \"t-1\"\n[case]\npending_grace = \"100ms\"\n[log]\nfile = \"none\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/none\"\n[store]\ndir = \"" + dir + "/s\"\n" + more
	c, err := config.Parse("f", []byte(text), config.Options{Wires: ingest.Wires()})
	if err != nil {
		t.Fatal(err)
	}
	profile, err := ingest.DefaultProfile("mispos")
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	r := &rig{notes: make(chan string, 1000), firmware: far, config: c, book: logbook.Open(logbook.Options{})}
	o := Options{Config: c, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()), Severity: refund.Medium, Book: r.book,
		Notify: func(s string) { r.notes <- s }, Clock: NewClock(time.Now, time.Time{}, func() (bool, time.Duration) { return true, 0 }),
		Links: []Link{{Config: c.Links[0], Profile: profile, Open: func(context.Context) (ingest.Port, string, error) { return near, "pipe", nil }}}}
	if change != nil {
		change(&o)
	}
	if r.agent, err = New(o); err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts the agent; stop ends it and returns what Run returned.
func (r *rig) run(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.agent.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(StopWithin + time.Second):
			return errors.New("the agent does not stop in time")
		}
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// await waits until the service manager has received something.
func (r *rig) await(t *testing.T, part string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case s := <-r.notes:
			if strings.Contains(s, part) {
				return
			}
		case <-deadline:
			t.Fatalf("never told %q", part)
		}
	}
}

// line waits for a line in the log.
func (r *rig) line(t *testing.T, code string) logbook.Line {
	t.Helper()
	past, sub := r.book.Subscribe(1, func(l logbook.Line) bool { return l.Code == code })
	defer sub.Cancel()
	if len(past) > 0 {
		return past[0]
	}
	select {
	case l := <-sub.Lines():
		return l
	case <-time.After(20 * time.Second):
		t.Fatalf("no line %s in the log", code)
		return logbook.Line{}
	}
}

func vector(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("ingest/testdata/vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		for digits := strings.Join(strings.Fields(line), ""); len(digits) >= 2; digits = digits[2:] {
			b := strings.IndexByte("0123456789ABCDEF", digits[0])<<4 | strings.IndexByte("0123456789ABCDEF", digits[1])
			out = append(out, byte(b))
		}
	}
	return out
}

func TestFromWireToCase(t *testing.T) {
	r := newRig(t, "", nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	if _, err := r.firmware.Write(vector(t, "mispos-kinds.mispos.hex")); err != nil {
		t.Fatal(err)
	}
	opened := r.line(t, "case.opened")
	if !strings.HasPrefix(opened.Fields, "case=") || opened.Field("link") != "pos" || opened.Field("recipient") == "" {
		t.Errorf("line %s", opened)
	}
	s := r.agent.Snapshot(t.Context())
	if !s.Ready || len(s.Links) != 1 || s.Links[0].State != "online" || s.Links[0].FramesGood == 0 {
		t.Errorf("snapshot %+v", s)
	}
	var told health.Snapshot
	err := control.Call(t.Context(), r.config.Control.Socket, "status", nil, func(raw json.RawMessage) error { return json.Unmarshal(raw, &told) })
	if err != nil || told.Terminal != "t-1" || told.Counts.Records == 0 || told.Outbox.LastSeq == 0 {
		t.Errorf("status by the socket: %v, %+v", err, told.Counts)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	r.await(t, "STOPPING=1")
	if err := control.Call(t.Context(), r.config.Control.Socket, "status", nil, nil); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	first := newRig(t, "", nil)
	first.run(t)
	first.await(t, "READY=1")
	second := newRig(t, "", func(o *Options) { o.Config = first.config })
	err := second.agent.Run(t.Context())
	if !errors.Is(err, ErrAnotherDaemon) || !strings.Contains(err.Error(), "process") {
		t.Errorf("the second daemon: %v", err)
	}
	if err := control.Call(t.Context(), first.config.Control.Socket, "status", nil, nil); err != nil {
		t.Errorf("the first one's socket: %v", err)
	}
}

// TestStoreIsTakenWithinASecond: whenever it works again, an attempt follows within a
// second; one that takes longer than the pause is not made all the time.
func TestStoreIsTakenWithinASecond(t *testing.T) {
	for _, fault := range []time.Duration{0, 70 * time.Millisecond, time.Second, 9 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			tries := 0
			untilDone(t.Context(), func() bool { tries++; return time.Since(began) >= fault })
			if late := time.Since(began) - fault; late > time.Second {
				t.Errorf("a fault of %v is over for %v", fault, late)
			}
			if most := int(fault/storeRetryMax) + 10; tries > most {
				t.Errorf("%d attempts in %v", tries, fault)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		began, busy := time.Now(), time.Duration(0)
		untilDone(t.Context(), func() bool {
			sleep(t.Context(), 5*time.Second) // what a great store's check takes
			busy += 5 * time.Second
			return time.Since(began) > time.Hour
		})
		if busy > time.Since(began)*6/10 {
			t.Errorf("busy for %v of %v", busy, time.Since(began))
		}
	})
}

// blocked is a rig whose store lies below a file, so that it cannot be opened: what stands
// in place of a folder above the store's own is not the agent's to move. It returns the
// file.
func blocked(t *testing.T) (r *rig, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "partition")
	if err := os.WriteFile(file, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	return newRig(t, "", func(o *Options) { o.Config.Store.Dir = filepath.Join(file, "store") }), file
}

// A store that cannot be opened does not keep the agent from starting: it is logged, and tried
// again until it works.
func TestStoreComesLater(t *testing.T) {
	r, dir := blocked(t)
	stop := r.run(t)
	r.await(t, "STATUS=the store cannot be opened")
	s := r.agent.Snapshot(t.Context())
	if s.Verdict != "failing" || s.Ready || s.Problems[0].Code != "store_unavailable" {
		t.Errorf("verdict %s, problems %+v", s.Verdict, s.Problems)
	}
	if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	r.await(t, "READY=1")
	if s := r.agent.Snapshot(t.Context()); s.Verdict == "failing" && s.Problems[0].Code == "store_unavailable" {
		t.Errorf("still failing: %+v", s.Problems)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestStopWhileTheStoreIsAway(t *testing.T) {
	r, _ := blocked(t)
	stop := r.run(t)
	r.await(t, "STATUS=the store cannot be opened")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// stalledReporter runs but makes no progress once it is stuck.
type stalledReporter struct {
	stuck    atomic.Bool
	progress atomic.Uint64
}

func (s *stalledReporter) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
func (s *stalledReporter) Wake()                                                {}
func (s *stalledReporter) AskBackOffice(context.Context) (time.Duration, error) { return 0, nil }
func (s *stalledReporter) Echo(context.Context) (time.Duration, error)          { return 0, nil }
func (s *stalledReporter) Status() health.Broker {
	if !s.stuck.Load() {
		s.progress.Add(1)
	}
	return health.Broker{Connected: true, Progress: s.progress.Load()}
}

func TestWatchdogIsFedOnlyWithProgress(t *testing.T) {
	reporter := &stalledReporter{}
	// The limit leaves room for the slowest idle goroutine (beat.Every).
	r := newRig(t, "", func(o *Options) {
		o.Watchdog = 2 * beat.Every
		o.NewReporter = func(*Agent) (Reporter, error) { return reporter, nil }
	})
	r.run(t)
	r.await(t, "READY=1")
	r.await(t, "WATCHDOG=1")
	reporter.stuck.Store(true)
	stalled := r.line(t, "watchdog.stalled")
	if stalled.Field("who") != "report" {
		t.Errorf("stalled: %s", stalled)
	}
	r.line(t, "watchdog.stack")
}

// TestServiceManagerSeesTheStateOfNow: `systemctl status` may not show for a quarter of the
// watchdog's time that the broker is away when it is there.
func TestServiceManagerSeesTheStateOfNow(t *testing.T) {
	reporter := &slowBroker{}
	r := newRig(t, "", func(o *Options) {
		o.Watchdog = 100 * beat.Every
		o.NewReporter = func(*Agent) (Reporter, error) { return reporter, nil }
	})
	r.run(t)
	r.await(t, "broker offline")
	reporter.connected.Store(true)
	r.await(t, "broker connected")
}

// slowBroker is a reporter that is connected when a test has it so.
type slowBroker struct {
	stalledReporter
	connected atomic.Bool
}

func (s *slowBroker) Status() health.Broker {
	return health.Broker{Connected: s.connected.Load(), Progress: s.progress.Add(1)}
}

// stubborn does not end when it is asked to.
func TestStopNamesWhoStays(t *testing.T) {
	c := newCrew()
	release := make(chan struct{})
	c.start(layerReport, "mule", func(context.Context) error { <-release; return nil })
	c.start(layerReport, "dog", func(ctx context.Context) error { <-ctx.Done(); return errors.New("bitten") })
	err := c.stop(layerReport, time.Now().Add(50*time.Millisecond))
	if err == nil || !strings.Contains(err.Error(), "mule") || !strings.Contains(err.Error(), "dog: bitten") {
		t.Errorf("stop: %v", err)
	}
	close(release)
	if err := c.stop(layerReport, time.Now().Add(5*time.Second)); err == nil || strings.Contains(err.Error(), "mule") {
		t.Errorf("second stop: %v", err)
	}
}
