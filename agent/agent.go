package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/machine"
	"yuanlu/agent/metrics"
	"yuanlu/agent/metrics/scrape"
	"yuanlu/agent/probe"
	"yuanlu/agent/refund"
)

// Link is one link of the configuration with what opens its port.
type Link struct {
	Config  config.Link
	Profile ingest.Profile
	Open    ingest.Opener
	// Classify returns what an error of Open or of the port means.
	Classify func(error) ingest.Fault
}

// Reporter reports to the back office; *report.Reporter is one. Run returns when ctx has
// ended and offline is published.
type Reporter interface {
	Run(ctx context.Context) error
	Wake() // the outbox or the state of something has changed; never blocks
	Status() health.Broker
	// Echo sends the broker something and returns the time until it has acknowledged it.
	Echo(ctx context.Context) (time.Duration, error)
	// AskBackOffice returns the time until a ping of the back office came that was asked for.
	AskBackOffice(ctx context.Context) (time.Duration, error)
}

// Configuration is what sets the configuration in force; *desired.Machine is one. It is
// safe for concurrent use.
type Configuration interface {
	InForce() desired.InForce
	// OnDisk reads what a start would read, and returns its digest.
	OnDisk() (digest string, err error)
	StoreReady() // called once detection and store run
}

// ownFile is the Configuration that never changes.
type ownFile struct{ *config.Config }

func (f ownFile) InForce() desired.InForce { return desired.InForce{Config: f.Config, File: f.Config} }
func (f ownFile) OnDisk() (string, error)  { return f.Digest(), nil }
func (f ownFile) StoreReady()              {}

// Options are what an Agent is made of. Config, Judge, Book and Clock are needed.
type Options struct {
	Config   *config.Config
	Build    health.Build
	Judge    *refund.Judge
	Severity refund.Severity // least that opens a case
	Links    []Link
	Book     *logbook.Book
	// NewReporter makes the reporter; nil: nothing is reported.
	NewReporter func(a *Agent) (Reporter, error)
	// Notify sends a state to the service manager ("READY=1"); nil: there is none.
	Notify func(state string)
	// Watchdog is how soon the service manager wants WATCHDOG=1 again; 0: it does not.
	Watchdog time.Duration
	Clock    *Clock
	// Configuration is what counts and may change while the agent runs; nil: Config alone.
	Configuration Configuration
	Hotplug       Hotplug // nil: there is none, and the links look by themselves
	// Holders returns for each of these ports which other processes have it open, as far as
	// may be seen; nil: that is not looked at.
	Holders func(ports []string) map[string][]string
	// CertEnds returns when the terminal's certificate ends, ok false without one;
	// nil: there is none.
	CertEnds func() (end time.Time, ok bool)
	// Verbs are what the control socket answers besides the agent's own; nil: none.
	Verbs map[string]control.Handler
}

// StopWithin is how long the stop of an agent may take.
const StopWithin = 5 * time.Second

// ErrAnotherDaemon: the store belongs to a daemon that is running. The error says
// its pid.
var ErrAnotherDaemon = ledger.ErrLocked

// Agent is one run of the daemon. New makes it, Run is called once; the rest is
// safe for concurrent use while it runs.
type Agent struct {
	o        Options
	log      *slog.Logger
	clock    *Clock
	began    time.Time              // with its monotonic reading
	reporter Reporter               // nil: none
	scrape   *scrape.Server         // nil: none
	digest   atomic.Pointer[string] // of the configuration in force
	store    *store
	tills    *tills
	outcomes *outcomes
	events   *events
	commands *command.Set
	timers   timers
	testing  chan struct{} // holds one token: the right to run a selftest
	sums     sums          // of what the evidence log notes now and then

	mu      sync.Mutex // guards all below
	workers []*ingest.Worker
	ready   bool

	lookMu  sync.Mutex // guards what follows: what the store last returned
	looked  time.Time
	outbox  health.Outbox
	counts  ledger.Counts
	lookErr error

	guardSeen   *health.Guarding
	guardLooked time.Time

	onsets  health.Onsets
	changes health.Changes
}

// New makes an agent. Nothing runs yet.
func New(o Options) (*Agent, error) {
	a := &Agent{o: o, log: o.Book.Logger(), clock: o.Clock, began: time.Now(),
		timers: newTimers("held", "retention", "redate", "tally", "day", "clock"), testing: make(chan struct{}, 1)}
	if a.o.Notify == nil {
		a.o.Notify = func(string) {}
	}
	a.tills = newTills(o.Config.Time.Location(), a.Store)
	a.events = newEvents(a.clock, a.log, a.Wake)
	a.outcomes = &outcomes{merchant: o.Config.Terminal.MerchantID, clock: a.clock, log: a.log, watch: o.Book.Passing(), wake: a.Wake}
	kept := ledgerOptions(&o, a.clock)
	kept.HoldChanged = func(h ask.Held) { a.tills.holdChanged(h); a.Wake() }
	a.store = &store{options: kept, clock: a.clock, outcomes: a.outcomes, log: a.log, notify: a.o.Notify, wake: a.Wake,
		began: a.began, timers: a.timers}
	a.SetDigest(o.Config.Digest())
	if a.o.Configuration == nil {
		a.o.Configuration = ownFile{o.Config}
	}
	a.commands = command.New(command.Options{Agent: a, Config: o.Config, InForce: a.o.Configuration.InForce, Book: o.Book, Now: a.clock.Now, Selftest: a.selftest, Office: a.tills.office})
	if o.NewReporter != nil {
		r, err := o.NewReporter(a)
		if err != nil {
			return nil, fmt.Errorf("reporter: %w", err)
		}
		a.reporter = r
	}
	if listen := o.Config.Metrics.Listen; listen != "" {
		a.scrape = scrape.New(scrape.Options{Listen: listen, Log: a.log, Changed: a.Wake,
			Families: func(ctx context.Context) []metrics.Family { s := a.Glance(ctx); return metrics.Of(&s) }})
	}
	return a, nil
}

// Store returns the store, nil while it cannot be opened.
func (a *Agent) Store() *ledger.DB { return a.store.db.Load() }

// Event queues an event for the back office (topics.md, up/event). It never waits and
// never fails: what cannot be queued is logged.
func (a *Agent) Event(name, subject string, attrs ...slog.Attr) {
	a.events.Event(name, subject, attrs...)
}

// Commands returns what may be ordered of the agent.
func (a *Agent) Commands() *command.Set { return a.commands }

// Link implements command.Agent.
func (a *Agent) Link(name string) command.Link {
	if w := a.worker(name); w != nil {
		return w
	}
	return nil
}

// verbs returns what the control socket answers.
func (a *Agent) verbs() map[string]control.Handler {
	all := a.commands.Verbs()
	maps.Copy(all, a.tills.verbs(a.shown))
	maps.Copy(all, a.o.Verbs)
	all["status"] = func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
		return send(a.Snapshot(ctx))
	}
	all["echo"] = a.echo
	all["shapes"] = func(_ context.Context, _ json.RawMessage, send func(any) error) error {
		for _, s := range a.Shapes() {
			if err := send(s); err != nil {
				return err
			}
		}
		return nil
	}
	return all
}

// Shapes returns what comes on the links that are not understood.
func (a *Agent) Shapes() []ingest.Shape {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := []ingest.Shape{}
	for _, w := range a.workers {
		if s := w.Shape(); s != nil {
			all = append(all, *s)
		}
	}
	return all
}

// Digest names the configuration in force.
func (a *Agent) Digest() string { return *a.digest.Load() }

// SetDigest notes that settings which need no new agent have changed.
func (a *Agent) SetDigest(digest string) { a.digest.Store(&digest); a.Wake() }

// Wake makes the reporter look at what has changed. It never blocks.
func (a *Agent) Wake() {
	if a.reporter != nil {
		a.reporter.Wake()
	}
}

// Clock returns the agent's clock.
func (a *Agent) Clock() *Clock { return a.clock }

// Began returns when the agent was made.
func (a *Agent) Began() time.Time { return a.began }

// Run runs the agent until ctx ends, then stops it. Errors: ErrAnotherDaemon, or
// what went wrong while stopping, joined.
func (a *Agent) Run(ctx context.Context) error {
	a.o.Notify("STATUS=opening the store")
	exposed := machine.Exposed(a.o.Config) // the store closes its own files when it opens
	db, err := a.store.open(ctx)
	if errors.Is(err, ErrAnotherDaemon) {
		return err
	}
	a.logFiles(exposed)
	c := newCrew()
	a.startOutside(c)
	if err != nil && ctx.Err() == nil {
		db = a.store.openLater(ctx, err)
	}
	if db != nil {
		a.startInside(c, db)
		a.setReady()
		<-ctx.Done()
	}
	return a.stop(c, db)
}

// startOutside starts what reports the state, even without a store.
func (a *Agent) startOutside(c *crew) {
	a.answerVerbs(c)
	c.start(layerLocal, "watchdog", func(ctx context.Context) error {
		return feed(ctx, a.o.Watchdog, a.counters, func() {
			s := a.Glance(ctx)
			a.o.Notify("WATCHDOG=1\nSTATUS=" + s.Line())
		}, a.log)
	})
	w := &watch{a.clock, a.events, a.log, a.Wake, &a.sums}
	c.start(layerLocal, "clock", func(ctx context.Context) error { return w.clockState(ctx, a.store) })
	if ends := a.o.CertEnds; ends != nil {
		c.start(layerLocal, "certificate", func(ctx context.Context) error { return w.certificate(ctx, ends) })
	}
	if a.scrape != nil {
		c.start(layerLocal, "metrics", a.scrape.Run)
	}
	if a.reporter != nil {
		c.start(layerReport, "report", a.reporter.Run)
	}
}

// controlRetry is how soon the control socket is tried again where it cannot be made: a
// read-only or full disk becomes writable while the agent runs.
const controlRetry = 5 * time.Second

// answerVerbs answers on the control socket, as soon as it can be made.
func (a *Agent) answerVerbs(c *crew) {
	server, err := control.Listen(a.o.Config.Control.Socket, a.verbs(), a.log)
	if err == nil {
		c.start(layerLocal, "control", server.Run)
		return
	}
	a.log.Error("control.unavailable", "err", err)
	c.start(layerLocal, "control", func(ctx context.Context) error {
		for sleep(ctx, controlRetry) {
			if server, err := control.Listen(a.o.Config.Control.Socket, a.verbs(), a.log); err == nil {
				a.log.Info("control.available", "socket", a.o.Config.Control.Socket)
				return server.Run(ctx)
			}
		}
		return nil
	})
}

// startInside starts detection on an open store.
func (a *Agent) startInside(c *crew, db *ledger.DB) {
	a.startGuard(c, db)
	var workers []*ingest.Worker
	var sockets []socket
	for _, l := range a.o.Links {
		if !l.Config.Enabled {
			continue
		}
		w, err := ingest.NewWorker(a.workerOptions(l, db))
		if err != nil { // a configuration that was checked does not come here
			a.log.Error("link.unusable", "link", l.Config.Name, "err", err)
			continue
		}
		workers = append(workers, w)
		sockets = append(sockets, socket{l.Config.Port, w.Wake})
		c.start(layerLinks, "link "+l.Config.Name, w.Run)
	}
	a.mu.Lock()
	a.workers = workers
	a.mu.Unlock()
	if a.o.Hotplug != nil {
		c.start(layerLinks, "hotplug", func(ctx context.Context) error { return watchDevices(ctx, a.o.Hotplug, sockets) })
	}
	if a.o.Holders != nil && len(workers) > 0 {
		c.start(layerLinks, "holders", func(ctx context.Context) error { return a.watchHolders(ctx, workers) })
	}
	c.start(layerStore, "held", func(ctx context.Context) error { return a.store.releaseDue(ctx, db) })
	c.start(layerStore, "redate", func(ctx context.Context) error { return a.store.redate(ctx, db) })
	c.start(layerStore, "tally", func(ctx context.Context) error { return a.store.tally(ctx, db) })
	c.start(layerStore, "evidence", func(ctx context.Context) error { return a.noteRun(ctx, db) })
	c.start(layerStore, "day", func(ctx context.Context) error { return a.days(ctx, db) })
	c.start(layerStore, "events", func(ctx context.Context) error { return a.events.store(ctx, db) })
	c.start(layerStore, "retention", func(ctx context.Context) error { return a.store.retain(ctx, db) })
}

func (a *Agent) workerOptions(l Link, db *ledger.DB) ingest.Options {
	zone := a.o.Config.Time.Location()
	var settings []ingest.LineSetting
	if c := l.Config; c.Baud > 0 && c.DataBits == 8 && (c.Parity == "none" || c.Parity == "even" || c.Parity == "odd") {
		settings = probe.Settings(c.Baud, c.Parity)
	}
	return ingest.Options{
		Guard: a.tills.guardOf(l.Config.Name),
		Link:  l.Config.Name, Wire: l.Config.Wire, Profile: l.Profile, Open: l.Open, Classify: l.Classify,
		Applier: a.store, Recaller: db, Tokenizer: db.Keys(), MAC: db.Keys().MAC, Log: a.log,
		FrameTimeout: l.Config.FrameTimeout,
		Settings:     settings,
		NewGuesser:   func() (ingest.Guesser, error) { return probe.NewGuess() },
		Clock:        func() ingest.Clock { return a.clock.Reception(zone) },
		OnEvent: func(event string, attrs ...slog.Attr) {
			a.Event(event, "link/"+l.Config.Name, append(attrs, slog.String("link", l.Config.Name))...)
		},
		OnChange: a.Wake,
	}
}

func (a *Agent) setReady() {
	a.mu.Lock()
	a.ready = true
	a.mu.Unlock()
	a.log.Info("agent.ready", "version", a.o.Build.Version, "links", len(a.o.Links), "config", a.Digest())
	a.o.Notify("READY=1")
	a.Wake()
	a.o.Configuration.StoreReady()
}

// counters returns the counters of all goroutines that must make progress, by name.
func (a *Agent) counters() map[string]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]uint64{}
	for name, n := range a.timers {
		if a.ready || name == "clock" {
			all[name] = n.Load()
		}
	}
	if db := a.Store(); db != nil {
		all["commit"] = db.Progress()
	}
	for _, w := range a.workers {
		h := w.Health()
		all["link "+h.Name] = h.Progress
	}
	if a.reporter != nil {
		all["report"] = a.reporter.Status().Progress
	}
	return all
}

// stop ends the layers one after the other, then closes the store.
func (a *Agent) stop(c *crew, db *ledger.DB) error {
	a.o.Notify("STOPPING=1")
	a.log.Info("agent.stopping")
	end := time.Now().Add(StopWithin)
	// Of the five seconds the links may take most: they store what they have read.
	shares := [layers]time.Duration{layerLinks: 3300 * time.Millisecond, layerStore: 500 * time.Millisecond,
		layerReport: time.Second, layerLocal: 200 * time.Millisecond}
	a.commands.EndCaptures(time.Second)
	var errs []error
	left := StopWithin
	for layer := range layers {
		left -= shares[layer]
		errs = append(errs, c.stop(layer, end.Add(-max(left, 0)))) // what one layer does not need, the next may use
	}
	if db != nil {
		errs = append(errs, closeStore(db, end))
	}
	err := errors.Join(errs...)
	if err != nil {
		a.log.Error("agent.stopped", "err", err)
	} else {
		a.log.Info("agent.stopped")
	}
	return err
}

// closeStore closes the store, but does not wait for a disk that hangs.
func closeStore(db *ledger.DB, end time.Time) error {
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	t := time.NewTimer(max(time.Until(end), 200*time.Millisecond))
	defer t.Stop()
	select {
	case err := <-closed:
		return err
	case <-t.C:
		return errors.New("the store does not close: its disk does not answer")
	}
}
