package command

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"yuanlu/agent/report"
)

// restartEvery is the least time between two restarts by command.
const restartEvery = time.Minute

// Restart is the way from a command to another process. The agent stops cleanly, as for
// SIGTERM; what happens then is the caller's. It is safe for concurrent use.
type Restart struct {
	mu    sync.Mutex // guards all below
	stop  func()     // ends the agent, nil before there is one
	asked bool
	last  time.Time // when what runs now began by command, zero if it did not
}

// Restarted notes that what begins at now was asked for by command.
func (r *Restart) Restarted(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.asked = now, false
}

// Begin notes how the agent of this run is stopped.
func (r *Restart) Begin(stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop, r.asked = stop, false
}

// ask asks for a restart. Errors: *report.CommandError, why not now. now has its monotonic
// reading: a clock that is set changes nothing.
func (r *Restart) ask(now time.Time) error {
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

// stopNow stops the agent if a restart was asked for and not called off.
func (r *Restart) stopNow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked && r.stop != nil {
		r.stop()
	}
}

// CallOff takes it back: the daemon is to end, or the broker did not take the answer.
func (r *Restart) CallOff() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = false
}

// Asked reports whether a restart was asked for and not called off.
func (r *Restart) Asked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// Command returns the command restart of an agent that began at began: it answers first,
// and stops the agent once the broker has the answer. onDisk reads the configuration that
// the next start would use; announce is called just before the agent is stopped.
func (r *Restart) Command(began time.Time, onDisk func() (string, error), announce func()) Func {
	return func(context.Context, json.RawMessage, func(any)) (any, error) {
		// A mistake in the file would keep the new process from starting: exit 78, which
		// no service manager tries again.
		if _, err := onDisk(); err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			return nil, &report.CommandError{Code: "config", Rejected: true, Message: "it would not start again: " + first}
		}
		if err := r.ask(time.Now()); err != nil {
			return nil, err
		}
		data := map[string]any{"pid": os.Getpid(), "uptime_s": int64(time.Since(began) / time.Second)}
		return report.Last{Data: data, Undelivered: r.CallOff, Then: func() {
			announce()
			r.stopNow()
		}}, nil
	}
}
