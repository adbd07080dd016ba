package desired

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrNotReady is returned by Machine.Revert where the store was not open in time.
var ErrNotReady = errors.New("the store is not open")

// RevertWithin is how long a Revert waits for the daemon.
const RevertWithin = 10 * time.Second

// byTechnician is the reason in config.local after config revert.
const byTechnician = "config revert on the terminal"

// RevertDone is what config revert has done.
type RevertDone struct {
	Version      int64 `json:"version"`                // that does not count any more; 0: none did
	CountedAgain bool  `json:"counted_anew,omitempty"` // the next version may be a small one again
}

type revertResult struct {
	RevertDone
	err error
}

// reverted returns a state after config revert, and what that has changed.
func reverted(s State) (State, RevertDone) {
	next := s.Reverted(byTechnician).Recounted()
	return next, RevertDone{Version: s.Version(), CountedAgain: next.Newest != s.Newest}
}

// Revert puts the terminal's own file into force. It waits at most RevertWithin. Errors:
// ErrNotReady, ErrStore, ErrLocked, what keeps the file from being read, or that of ctx.
func (m *Machine) Revert(ctx context.Context) (RevertDone, error) {
	answer := make(chan revertResult, 1)
	m.bring(func(in *inbox) { in.reverts = append(in.reverts, answer) })
	t := time.NewTimer(RevertWithin)
	defer t.Stop()
	select {
	case r := <-answer:
		return r.RevertDone, r.err
	case <-ctx.Done():
		if m.withdraw(answer) {
			return RevertDone{}, ctx.Err()
		}
		r := <-answer // it is being carried out
		return r.RevertDone, r.err
	case <-t.C:
		if m.withdraw(answer) {
			return RevertDone{}, ErrNotReady
		}
		r := <-answer
		return r.RevertDone, r.err
	}
}

// withdraw takes back a Revert whose caller waits no longer, unless it has begun: it reports whether
// nothing will be done.
func (m *Machine) withdraw(answer chan<- revertResult) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.reverts)
	m.reverts = slices.DeleteFunc(m.reverts, func(one chan<- revertResult) bool { return one == answer })
	return len(m.reverts) < before
}

func (m *Machine) revert() revertResult {
	next, done := reverted(m.state)
	if done == (RevertDone{}) {
		return revertResult{}
	}
	if err := m.write(next); err != nil {
		return revertResult{err: err}
	}
	m.End()
	m.resolve(m.inForce.File, next)
	m.run.Agent.Wake()
	return revertResult{RevertDone: done}
}

// RevertFile does below storeDir what Machine.Revert does, while no daemon runs. Errors:
// ErrDamaged, ErrLocked, ErrStore, or what keeps the file from being read.
func RevertFile(storeDir string) (done RevertDone, err error) {
	s, err := Read(storeDir)
	if err != nil {
		return done, err
	}
	next, done := reverted(s)
	if done == (RevertDone{}) {
		return done, nil
	}
	store := NewStore(storeDir)
	defer func() { err = errors.Join(err, store.Close()) }()
	return done, store.Write(next)
}
