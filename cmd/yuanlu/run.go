package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/logbook"
	"yuanlu/drivers/usbport"
)

func runVerb() *verb {
	return &verb{name: "run", usage: "[--config F]", en: "the daemon", zh: "守护进程", run: (*program).daemon, ownSignals: true}
}

func (p *program) daemon(ctx context.Context, args []string) error {
	v := runVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	c, err := p.readConfig(*path)
	if err != nil {
		return err
	}
	if p.whole {
		if err := protect(); err != nil {
			fmt.Fprintf(p.stderr, "yuanlu run: %v\n", err)
		}
		p.tuneMemory()
	}
	for {
		next, err := p.life(ctx, c)
		if next == nil || err != nil {
			return p.sayLocked(err)
		}
		c = next
	}
}

// sayLocked explains why a second daemon does not start.
func (p *program) sayLocked(err error) error {
	if errors.Is(err, agent.ErrAnotherDaemon) {
		fmt.Fprintf(p.stderr, "yuanlu run: %v\n", err)
		return errSaid(exitStore)
	}
	return err
}

// life runs one agent: until it is told to stop (next nil), or until a changed
// configuration needs another one.
func (p *program) life(ctx context.Context, c *config.Config) (next *config.Config, err error) {
	book := p.openLog(c)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// A log that takes nothing is no reason to fail.
		_ = book.Close(ctx)
	}()
	for _, l := range withoutUSB(c) {
		book.Logger().Error("link.unusable", "link", l.Name, "port", l.Port, "why", usbport.ErrNoUSB)
	}
	events := usbport.NewEvents()
	defer func() { err = errors.Join(err, events.Close()) }()
	a, err := p.newAgent(c, book, events)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	current := c // as the file was last read; the agent keeps the one it was made from
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return next, err
		case s := <-p.signals:
			switch {
			case s != syscall.SIGHUP:
				next = nil
				cancel()
			case ctx.Err() == nil:
				another := false
				if current, another = p.reload(a, current, book); another {
					p.notifier(book.Logger())("RELOADING=1")
					next = current
					cancel()
				}
			}
		}
	}
}

// reload reads the configuration again and gives what is in force then, and
// whether that needs another agent. A wrong one is said and changes nothing.
func (p *program) reload(a *agent.Agent, c *config.Config, book *logbook.Book) (now *config.Config, another bool) {
	log := book.Logger()
	next, err := p.readConfig(c.File)
	if err != nil {
		var problems config.Errors
		if !errors.As(err, &problems) {
			problems = config.Errors{{File: c.File, Message: err.Error()}}
		}
		for _, one := range problems {
			log.Error("config.rejected", "file", one.File, "line", one.Line, "col", one.Col, "why", one.Message)
		}
		a.Event("config.rejected", "config", slog.Int("errors", len(problems)), slog.String("first", problems[0].String()))
		return c, false
	}
	changed := c.Changed(next)
	log.Info("config.reloaded", "changed", strings.Join(changed, " "), "digest", next.Digest())
	if len(changed) == 1 && changed[0] == "log.level" {
		level, _ := logbook.ParseLevel(next.Log.Level)
		book.SetLevel(level)
		a.SetDigest(next.Digest())
		return next, false
	}
	return next, len(changed) > 0
}

func (p *program) openLog(c *config.Config) *logbook.Book {
	level, _ := logbook.ParseLevel(c.Log.Level)
	stderr, _ := p.stderr.(*os.File)
	return logbook.Open(logbook.Options{
		Level: level, Stream: p.stderr, Journald: logbook.UnderJournald(p.env, stderr), JSON: c.Log.Format == "json",
		File: c.Log.Path(), MaxBytes: c.Log.MaxBytes, Keep: c.Log.Keep, Zone: c.Time.Location(), Now: p.now,
	})
}

func (p *program) newAgent(c *config.Config, book *logbook.Book, events *usbport.Events) (*agent.Agent, error) {
	links, err := linksOf(c)
	if err != nil {
		return nil, err
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		book.Logger().Warn("watchdog.unusable", "err", err)
	}
	b := buildInfo()
	return agent.New(agent.Options{
		Config: c, Build: agent.Build{Version: b.Version, Commit: b.Commit, Date: b.Date},
		Judge: newJudge(settingsOf(c)), Severity: severityOf(c.Case.MinSeverity),
		Links: links, Book: book, NewReporter: p.reporterOf(c, book), Notify: p.notifier(book.Logger()), Watchdog: watchdog,
		Now: p.now, Hotplug: hotplug(events), CertEnds: certEnds(c),
	})
}

// notifier tells the service manager; without one it does nothing. A message that is
// lost is no harm: the next one says the same.
func (p *program) notifier(log *slog.Logger) func(state string) {
	return func(state string) {
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
