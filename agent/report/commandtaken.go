package report

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"yuanlu/protocol/printable"
	"yuanlu/protocol/topics"
)

// Bounds of what is known of the commands that were taken.
const (
	mostTaken  = 128              // ids; of what is older only the newest ts is known
	takeWithin = 10 * time.Second // Memory's time
	takeEvery  = time.Second / 5  // least time between two writes: a flood must not wear out the flash
)

// Memory keeps a text from one process to the next: which commands were taken. Its
// methods are called one at a time.
type Memory interface {
	// Recall returns what Remember kept last, nil if there is nothing. whole is false
	// where it may be older than that, or lost.
	Recall(ctx context.Context) (kept []byte, whole bool, err error)
	// Remember replaces it. On nil it survives a power cut; on an error it is the old
	// or the new one.
	Remember(ctx context.Context, kept []byte) error
}

// harmless reports whether a command changes nothing, so that doing it again does no
// harm; false for an unknown command.
func harmless(name string) bool {
	switch name {
	case "config-get", "evidence", "log-tail", "outbox-stat", "ping", "rebirth", "selftest":
		return true
	}
	return false
}

// takenList is what Memory keeps. A command is new if its id is not in Known and its
// ts lies after Upto, the newest ts that was dropped from Known. Both are times of the
// sender, because the terminal's clock may be wrong and set later; only the Upto of an
// empty list is the moment in which it began.
type takenList struct {
	Upto  time.Time   `json:"upto"`
	Known []takenItem `json:"known"` // by ts
}

type takenItem struct {
	ID string    `json:"id"`
	TS time.Time `json:"ts"`
}

func (l takenList) knows(id string) bool {
	return slices.ContainsFunc(l.Known, func(k takenItem) bool { return k.ID == id })
}

// with returns the list with one more; the receiver stays as it is.
func (l takenList) with(id string, ts time.Time) takenList {
	at, _ := slices.BinarySearchFunc(l.Known, ts, func(k takenItem, ts time.Time) int { return k.TS.Compare(ts) })
	l.Known = slices.Insert(slices.Clone(l.Known), at, takenItem{id, ts.UTC()})
	if over := len(l.Known) - mostTaken; over > 0 {
		l = l.upto(l.Known[over-1].TS)
		l.Known = l.Known[over:]
	}
	return l
}

// upto returns the list without anything new up to ts.
func (l takenList) upto(ts time.Time) takenList {
	if ts.After(l.Upto) {
		l.Upto = ts.UTC()
	}
	return l
}

// taken knows which commands with an effect were taken, by this process and before. It
// is written before a command is done: one that was cut off is not done again.
type taken struct {
	r      *Reporter
	turn   chan struct{} // of size 1: the goroutine that has put something in owns all below
	loaded bool
	empty  bool // nothing was ever taken
	list   takenList
	next   time.Time // when it may be written again, by time.Now
}

func newTaken(r *Reporter) *taken { return &taken{r: r, turn: make(chan struct{}, 1)} }

// take notes durably that a command is done now; it is done only on nil. Errors:
// *CommandError.
func (t *taken) take(ctx context.Context, cmd *topics.Cmd) error {
	ctx, done := context.WithTimeout(ctx, takeWithin)
	defer done()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return notNoted(ctx.Err())
	}
	if err := t.load(ctx); err != nil {
		return notNoted(err)
	}
	list := t.list
	start := t.r.started()
	if list.Upto.Sub(t.r.o.Clock.Now()) > mostAhead {
		// No command from there was ever taken: a clock that ran ahead wrote it.
		list.Upto = start.Add(-time.Nanosecond)
	}
	switch {
	case list.knows(cmd.ID):
		return takenBefore("taken_before", "it was taken before, and what became of it is not known any more; send it anew with another id")
	case t.empty && cmd.TS.Before(start):
		return takenBefore("before_start", "it is older than this start of the agent, which knows of no command before; send it anew")
	case t.empty:
		list = list.upto(start.Add(-time.Nanosecond))
	case !cmd.TS.After(list.Upto):
		return takenBefore("out_of_order", "its ts is not after "+list.Upto.Format(time.RFC3339Nano)+
			"; whether it was taken before is not known; send it anew")
	}
	list = list.with(cmd.ID, cmd.TS.Time)
	if err := t.write(ctx, list); err != nil {
		return notNoted(err)
	}
	return nil
}

// load asks Memory, once.
func (t *taken) load(ctx context.Context) error {
	if t.loaded {
		return nil
	}
	if t.r.o.Memory == nil {
		t.loaded, t.empty = true, true
		return nil
	}
	kept, whole, err := t.r.o.Memory.Recall(ctx)
	if err != nil {
		return err
	}
	list := takenList{}
	if len(kept) > 0 && json.Unmarshal(kept, &list) != nil {
		list, whole = takenList{}, false
	}
	if !whole { // of what may be lost nothing lies further ahead
		if err := t.write(ctx, list.upto(t.r.started().Add(mostAhead))); err != nil {
			return err
		}
		t.r.log.Warn("command.memory_lost", "upto", t.list.Upto)
		t.loaded = true
		return nil
	}
	t.list, t.loaded, t.empty = list, true, len(kept) == 0
	return nil
}

// write makes a list the one that counts, durably.
func (t *taken) write(ctx context.Context, list takenList) error {
	if t.r.o.Memory != nil {
		if err := sleepUntil(ctx, t.next); err != nil {
			return err
		}
		text, err := json.Marshal(&list)
		if err != nil {
			return err
		}
		t.next = time.Now().Add(takeEvery)
		if err := t.r.o.Memory.Remember(ctx, text); err != nil {
			return err
		}
	}
	t.list, t.empty = list, false
	return nil
}

func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func takenBefore(code, text string) error {
	return &CommandError{Code: code, Message: text, Rejected: true, expired: true, unbegun: true}
}

// notNoted: nothing was tried, and the same id may be sent again.
func notNoted(err error) error {
	return &CommandError{Code: "not_noted", Rejected: true, unbegun: true,
		Message: printable.Cut(fmt.Sprintf("it cannot be noted that it was taken, so it is not done; send it again later: %v", err), 512)}
}

// started returns when this process began, as the clock has it now: it may have been wrong
// then, and been set since.
func (r *Reporter) started() time.Time { return r.o.Clock.Now().Add(-time.Since(r.began)) }
