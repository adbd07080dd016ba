package pins

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"yuanlu/agent/refund"
)

// Errors of Compare.
var (
	ErrLocked = errors.New("pins: locked")              // no PIN of this id is compared now
	ErrWrong  = errors.New("pins: wrong PIN")           // or there is no such supervisor
	ErrStore  = errors.New("pins: could not be stored") // nothing was compared
)

// Options of a Book.
type Options struct {
	Dir     string               // the store's keys folder
	Known   []string             // ids of the supervisors of the configuration
	Running func() time.Duration // running time of this process; never goes back
	// Locked is called when an id has been locked, id empty for all unknown ones together.
	// It may not block. nil: not called.
	Locked func(id string, long time.Duration)
}

// Book compares PINs, one at a time, and counts wrong ones. It is safe for concurrent use.
type Book struct {
	o       Options
	turn    chan struct{} // holds one token: the right to compare
	guesses map[string]*guesses
}

// Open reads how many wrong PINs there were. A file that cannot be read is an error: without
// it a restart would make guessing free. Errors: ErrFile, those of the file system.
func Open(o Options) (*Book, error) {
	b := &Book{o: o, turn: make(chan struct{}, 1)}
	var err error
	if b.guesses, err = loadGuesses(filepath.Join(o.Dir, guessFile)); err != nil {
		return nil, err
	}
	now := o.Running()
	for _, g := range b.guesses {
		g.restart(now)
	}
	b.turn <- struct{}{}
	return b, nil
}

// Compare returns nil if pin is the one of the supervisor id. It waits for its turn until
// ctx ends, and takes the same time whether there is such a supervisor or not. A wrong PIN
// is counted, durably, before Compare returns; the fifth within 15 minutes locks the id for
// 15 minutes, each further five for four times as long as the time before, 24 h at most.
// Ids that are not known are counted together. Errors: ErrLocked, ErrWrong, ErrStore, that of
// ctx. Source: guard.md § 3.
func (b *Book) Compare(ctx context.Context, id string, pin refund.Secret) error {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { b.turn <- struct{}{} }()
	if !slices.Contains(b.o.Known, id) {
		id = ""
	}
	now := b.o.Running()
	before, had := b.guesses[id]
	var g guesses
	if had {
		g = *before
	}
	if g.locked(now) {
		return ErrLocked
	}
	// Counted before it is compared: a power cut in between is no free guess.
	long := g.wrong(now)
	if err := b.keep(id, g, now); err != nil {
		return err
	}
	right, err := b.isRight(id, pin)
	if err != nil {
		return err
	}
	if !right {
		if long > 0 && b.o.Locked != nil {
			b.o.Locked(id, long)
		}
		return ErrWrong
	}
	var was guesses
	if had {
		was = *before
	}
	if err := b.keep(id, was, now); err != nil {
		// One wrong PIN too many is on the disk; the right one stays right.
		b.guesses[id] = &was
	}
	return nil
}

// Until returns how long an id is still locked, 0 if it is not.
func (b *Book) Until(ctx context.Context, id string) (time.Duration, error) {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { b.turn <- struct{}{} }()
	g := b.guesses[id]
	if g == nil {
		return 0, nil
	}
	return max(0, g.Until-b.o.Running()), nil
}

// isRight compares. The file is read every time: a PIN set meanwhile counts.
func (b *Book) isRight(id string, pin refund.Secret) (bool, error) {
	all, err := read(b.o.Dir)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrStore, err)
	}
	// The same work for an id without a PIN.
	one := entry{salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}
	found := false
	for _, e := range all {
		if id != "" && e.id == id {
			one, found = e, true
		}
	}
	right := one.holds(pin)
	debug.FreeOSMemory() // a comparison takes 19 MiB, as much as the agent
	return right && found, nil
}

// keep stores what is counted of an id, and takes it over once it is durable.
func (b *Book) keep(id string, g guesses, now time.Duration) error {
	next := make(map[string]*guesses, len(b.guesses)+1)
	for other, v := range b.guesses {
		if !v.forgotten(now) {
			next[other] = v
		}
	}
	next[id] = &g
	if g.forgotten(now) {
		delete(next, id)
	}
	if err := saveGuesses(filepath.Join(b.o.Dir, guessFile), next, now); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	b.guesses = next
	return nil
}
