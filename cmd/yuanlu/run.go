package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"yuanlu/agent"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/logbook"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/drivers/usbport"
)

func runVerb() *verb {
	return &verb{name: "run", usage: "[--config F]", en: "the daemon", zh: "守护进程", run: (*program).daemon, ownSignals: true}
}

// service is one run of the daemon: one agent after the other, until it is to stop.
type service struct {
	*program
	config    *desired.Machine
	restart   command.Restart
	kept      *ports.Kept
	reloading atomic.Bool // from RELOADING=1 until READY=1
}

func (p *program) daemon(ctx context.Context, args []string) (err error) {
	v := runVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	m, err := desired.NewMachine(p.configFiles(*path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s := &service{program: p, config: m, kept: ports.NewKept(p.env)}
	if p.whole {
		if err := protect(); err != nil {
			fmt.Fprintf(p.stderr, "yuanlu run: %v\n", err)
		}
		p.tuneMemory()
	}
	if p.env(restartedEnv) != "" {
		s.restart.Restarted(time.Now())
	}
	for again := true; again && err == nil; {
		again, err = s.runAgent(ctx)
		if s.restart.Asked() && !errors.Is(err, agent.ErrAnotherDaemon) {
			again, err = s.startAgain(), nil
		}
	}
	if errors.Is(err, agent.ErrAnotherDaemon) {
		fmt.Fprintf(p.stderr, "yuanlu run: %v\n", err)
		return errPrinted(exitStore)
	}
	return err
}

// runAgent runs one agent: until it is to stop, or again where a changed configuration
// needs another one.
func (s *service) runAgent(ctx context.Context) (again bool, err error) {
	c := s.config.InForce().Config
	book := s.openLog(c)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// A log that takes nothing is no reason to fail.
		_ = book.Close(ctx)
	}()
	for _, l := range ports.WithoutUSB(c) {
		book.Logger().Error("link.unusable", "link", l.Name, "port", l.Port, "why", usbport.ErrNoUSB)
	}
	events := usbport.NewEvents()
	holders := ports.NewHolders()
	defer func() { err = errors.Join(err, events.Close(), holders.Close()) }()
	a, err := s.newAgent(c, book, events, holders)
	if err != nil && s.config.Failed(time.Now(), err, book.Logger()) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.config.Begin(time.Now(), desired.Run{Agent: runningAgent{a}, Log: book.Logger(), SetLevel: func(name string) {
		level, _ := logbook.ParseLevel(name)
		book.SetLevel(level)
	}})
	defer s.config.End()
	s.restart.Begin(cancel)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return s.steer(ctx, cancel, book, ended)
}

// steer hands signals and what is due to the configuration in force until the agent has
// ended. It reports whether another one is needed.
func (s *service) steer(ctx context.Context, cancel func(), book *logbook.Book, ended <-chan error) (again bool, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if next := s.config.Next(); !next.IsZero() && ctx.Err() == nil {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		changed := false
		select {
		case err := <-ended:
			return again, err
		case sig := <-s.signals:
			if sig != syscall.SIGHUP {
				again = false
				s.kept.Leave()
				s.restart.CallOff()
				cancel()
			} else if ctx.Err() == nil {
				changed = s.config.Reload(time.Now())
			}
		case <-s.config.Brought():
			changed = ctx.Err() == nil && s.config.Turn(time.Now())
		case now := <-due:
			changed = ctx.Err() == nil && s.config.Tick(now)
		}
		if changed {
			s.notifier(book.Logger())("RELOADING=1")
			again = true
			cancel()
		}
	}
}

// restartedEnv marks the process that begins in place of this one by command.
const restartedEnv = "YUANLU_RESTARTED"

// startAgain begins again after a run that ended by command: with another process, and
// where that fails with another agent in this one. Under systemd the process stays the
// same service, without systemd nothing else is needed, and a program that was replaced on
// the disk is the one that starts. It returns false where a signal came meanwhile.
func (s *service) startAgain() bool {
	select {
	case sig := <-s.signals:
		if sig != syscall.SIGHUP {
			return false
		}
	default:
	}
	if s.whole {
		if err := execAgain(); err != nil {
			fmt.Fprintf(s.stderr, "yuanlu run: %v; going on in the same process\n", err)
		}
	}
	s.restart.Restarted(time.Now())
	return true
}

// execAgain puts a new run of the program in the place of this one. It returns only if
// that fails.
func execAgain() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, restartedEnv+"=") })
	return syscall.Exec(self, os.Args, append(env, restartedEnv+"=1"))
}

func (s *service) openLog(c *config.Config) *logbook.Book {
	level, _ := logbook.ParseLevel(c.Log.Level)
	stderr, _ := s.stderr.(*os.File)
	return logbook.Open(logbook.Options{
		Level: level, Stream: s.stderr, Journald: logbook.UnderJournald(s.env, stderr), JSON: c.Log.Format == "json",
		File: c.Log.Path(), MaxBytes: c.Log.MaxBytes, Keep: c.Log.Keep, Zone: c.Time.Location(), Now: s.now,
	})
}

func (s *service) newAgent(c *config.Config, book *logbook.Book, events *usbport.Events, holders *ports.Holders) (*agent.Agent, error) {
	links, err := s.linksOf(c)
	if err != nil {
		return nil, err
	}
	if err := s.kept.Only(c.Links); err != nil {
		book.Logger().Debug("systemd.notify", "err", err)
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		book.Logger().Warn("watchdog.unusable", "err", err)
	}
	b := buildInfo()
	return agent.New(agent.Options{
		Config: c, Build: health.Build{Version: b.Version, Commit: b.Commit, Date: b.Date},
		Judge: newJudge(settingsOf(c)), Severity: severityOf(c.Case.MinSeverity),
		Links: links, Book: book, NewReporter: s.reporterOf(c, book), Notify: s.notifier(book.Logger()), Watchdog: watchdog,
		Clock: agent.NewClock(s.now, b.Date, askClock(c)), Configuration: s.config,
		Hotplug: ports.Hotplug(events), CertEnds: certEnds(c), Verbs: revertVerb(s.config), Holders: holders.Of,
	})
}

// commandsOf returns what the back office may order of the daemon, beyond what the
// reporter answers itself.
func (s *service) commandsOf(c *config.Config, book *logbook.Book, a *agent.Agent) command.Funcs {
	all := a.Commands().Funcs()
	all["support-bundle"] = a.Commands().Bundle(ownSource(a, c, book), "yuanlu "+buildInfo().Version)
	all["restart"] = s.restart.Command(a.Began(), s.config.OnDisk, func() {
		book.Logger().Warn("agent.restart", "by", "command")
		s.notifier(book.Logger())("RELOADING=1")
	})
	return all
}

// notifier returns what notifies the service manager; without one it does nothing. A
// message that is lost does no harm: the next one has the same content.
func (s *service) notifier(log *slog.Logger) func(state string) {
	return func(state string) {
		switch {
		case state == "RELOADING=1":
			s.reloading.Store(true)
		case strings.Contains(state, "READY=1"):
			s.reloading.Store(false)
		case state == "STOPPING=1" && s.reloading.Load():
			// One agent ends and the next begins: a manager that reads this before the command
			// of the reload has ended waits for the end of the process, and kills it.
			return
		}
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Debug("systemd.notify", "err", err)
		}
	}
}

// protect keeps the memory of the process, where card numbers pass, out of core
// dumps and from other processes of the same user.
func protect() error {
	err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if e := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); e != nil {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("memory is not kept out of core dumps: %w", err)
	}
	return nil
}

const (
	// gcPercent makes the collector run when the heap has grown by half. What lives
	// on the heap is a few megabytes. At 25 a record costs a quarter more CPU than at
	// 100, which takes a megabyte more while nothing happens.
	gcPercent = 50
	// memoryLimit is the size at which the collector works harder still; the aim is
	// 24 MiB resident. It is no hard limit.
	memoryLimit = 20 << 20
)

// tuneMemory sets the collector for a small machine, unless the environment does.
func (p *program) tuneMemory() {
	if p.env("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if p.env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// linksOf joins the links of the configuration with what opens their ports. The
// profiles have been checked with the configuration.
func (s *service) linksOf(c *config.Config) ([]agent.Link, error) {
	var all []agent.Link
	for _, l := range c.Links {
		profile, err := readProfile(l.Wire, l.Profile)
		if err != nil {
			return nil, err
		}
		all = append(all, agent.Link{Config: l, Profile: profile, Open: ports.Opener(l, s.kept), Classify: ports.Classify})
	}
	return all, nil
}

// runUSBChild is the process of OpenIsolated: it has the USB library, a device and
// the sockets of the daemon, and ends when they end. Signals to the whole group are
// left to the daemon: it closes the port in its own time. What the device sends passes
// here in clear, so its memory is protected as the daemon's is.
func runUSBChild() int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// The daemon has set the limit of core dumps, which was inherited; what fails
	// here has no place to be reported to.
	_ = protect()
	return usbport.RunChild()
}
