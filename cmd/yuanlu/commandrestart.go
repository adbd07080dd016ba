package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/logbook"
	"yuanlu/agent/report"
)

// restartEvery is the least time between two restarts by command.
const restartEvery = time.Minute

// restartedEnv tells the process that begins in place of this one that it does so by
// command.
const restartedEnv = "YUANLU_RESTARTED"

// restart is the way from a command to another process. The agent stops cleanly, as
// for SIGTERM, and the same process executes the program again: under systemd it
// stays the same service (RELOADING=1 is said before), without systemd it needs
// nobody, and a program that was replaced on the disk is the one that starts.
type restart struct {
	mu    sync.Mutex // guards all below
	stop  func()     // ends the agent, nil before there is one
	asked bool
	last  time.Time // when what runs now began by command, zero if it did not
}

// byCommand notes whether what begins now was asked for by command.
func (r *restart) byCommand(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if yes {
		r.last = time.Now()
	}
}

// begin notes how the agent of this life is stopped.
func (r *restart) begin(stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop, r.asked = stop, false
}

// mayNow says why not now, nil if a restart may be asked for. now has its monotonic
// reading: a clock that is set changes nothing.
func (r *restart) mayNow(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := now.Sub(r.last); !r.last.IsZero() && since < restartEvery {
		return &report.CommandError{Code: "too_soon", Rejected: true, Message: fmt.Sprintf(
			"it was restarted by command %d s ago; at most once in %d s", int(since.Seconds()), int(restartEvery.Seconds()))}
	}
	if r.asked || r.stop == nil {
		return &report.CommandError{Code: "busy", Rejected: true, Message: "it is stopping already"}
	}
	r.asked = true
	return nil
}

func (r *restart) now() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked && r.stop != nil {
		r.stop()
	}
}

// forget takes it back: somebody wants the daemon to end, or the answer was not heard.
func (r *restart) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = false
}

func (r *restart) wanted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// restartCommand answers first and restarts once the broker has the answer.
func (p *program) restartCommand(onDisk func() (string, error), book *logbook.Book, a *agent.Agent) agent.Command {
	return func(context.Context, json.RawMessage, func(any)) (any, error) {
		// A mistake in the file would keep the new process from starting: exit 78, which
		// no service manager tries again.
		if _, err := onDisk(); err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			return nil, &report.CommandError{Code: "config", Rejected: true, Message: "it would not start again: " + first}
		}
		if err := p.again.mayNow(time.Now()); err != nil {
			return nil, err
		}
		data := map[string]any{"pid": os.Getpid(), "uptime_s": int64(time.Since(a.Began()) / time.Second)}
		return report.Last{Data: data, Unheard: p.again.forget, Then: func() {
			book.Logger().Warn("agent.restart", "by", "command")
			p.notifier(book.Logger())("RELOADING=1")
			p.again.now()
		}}, nil
	}
}

// again begins again after a life that ended by command: another process, and where
// that fails another life in this one: failing to be another process is no reason to
// be none. It reports whether to go on; a signal that came meanwhile says no.
func (p *program) anew() bool {
	select {
	case s := <-p.signals:
		if s != syscall.SIGHUP {
			return false
		}
	default:
	}
	if p.whole {
		if err := p.execAgain(); err != nil {
			fmt.Fprintf(p.stderr, "yuanlu run: %v; going on in the same process\n", err)
		}
	}
	p.again.byCommand(true)
	p.again.forget()
	return true
}

// execAgain puts a new run of the program in the place of this one. It returns only if
// that fails.
func (p *program) execAgain() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, restartedEnv+"=") })
	return syscall.Exec(self, os.Args, append(env, restartedEnv+"=1"))
}
