// Package leaves asks terminals for the leaves of cases (evidence.md § 3): what the store says is
// due is sent as command evidence, the pages of the answer are put together, and the store checks and
// keeps them. Several desks may share a store; each takes what another does not have in hand.
package leaves

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// Times and bounds of asking.
const (
	lookEvery  = time.Second
	storeTime  = 30 * time.Second
	answerTime = 20 * time.Second // until the whole answer is there
	ttl        = 20 * time.Second
	mostInHand = 32 // terminals that are asked at once
	mostTurns  = 64 // of one ask, of at most 200 leaves each
	waiting    = 64 // messages that wait to be read
)

// Store is where asks come from and leaves go; store.Store is one.
type Store interface {
	DueAsks(ctx context.Context, now time.Time) ([]store.LeafAsk, error)
	KeepLeaves(ctx context.Context, ask *store.LeafAsk, got *store.LeafAnswer) error
	AskFailed(ctx context.Context, ask *store.LeafAsk, why string) error
}

// Send sends the command evidence to a terminal.
type Send = func(terminal string, c topics.Cmd) error

// Asker asks. Run runs it on one connection after the other.
type Asker struct {
	s       Store
	now     func() time.Time
	log     *slog.Logger
	answers chan answer
	inHand  map[string]*asked // by the id of the command; belongs to Run
	// behind are what a terminal is asked for after what it is asked for now, by terminal: it takes few
	// commands at once, and refuses more as busy. It belongs to Run.
	behind map[string][]*asked
}

type answer struct {
	terminal string
	payload  []byte
}

// asked is a command that was sent, and what came of it.
type asked struct {
	store.LeafAsk
	pages  pages
	after  int64
	turns  int
	until  time.Time
	got    store.LeafAnswer
	placed map[int64]bool
}

// New makes an asker.
func New(s Store, now func() time.Time, log *slog.Logger) *Asker {
	return &Asker{s: s, now: now, log: log, answers: make(chan answer, waiting), inHand: map[string]*asked{}, behind: map[string][]*asked{}}
}

// Take takes a message of up/rsp/evidence. It never waits: one that finds no room is lost, and its
// terminal is asked again later. Safe for concurrent use.
func (a *Asker) Take(terminal string, payload []byte) {
	select {
	case a.answers <- answer{terminal, payload}:
	default:
		a.log.Warn("evidence.answer_lost", "terminal", terminal)
	}
}

// Run asks until ctx ends or send fails. What is in hand then is asked again by whichever desk takes it.
func (a *Asker) Run(ctx context.Context, send Send) error {
	clear(a.inHand)
	clear(a.behind)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-a.answers:
			err = a.take(ctx, send, m)
		case <-tick.C:
			err = a.look(ctx, send)
		}
		if err != nil {
			return err
		}
	}
}

// look ends what was not answered, and sends what is due.
func (a *Asker) look(ctx context.Context, send Send) error {
	for id, one := range a.inHand {
		if !a.now().After(one.until) {
			continue
		}
		a.fail(ctx, id, one, "no_answer")
		for _, next := range a.behind[one.Terminal] {
			a.fail(ctx, "", next, "no_answer")
		}
		delete(a.behind, one.Terminal)
	}
	if len(a.inHand) >= mostInHand {
		return nil
	}
	work, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	due, err := a.s.DueAsks(work, a.now())
	if err != nil {
		if ctx.Err() == nil {
			a.log.Warn("evidence.due", "err", err)
		}
		return nil
	}
	for i := range due {
		one := &asked{LeafAsk: due[i], after: -1, placed: map[int64]bool{}}
		if one.Origin == "" {
			a.fail(ctx, "", one, "not_cosigned")
			continue
		}
		if a.asks(one.Terminal) {
			a.behind[one.Terminal] = append(a.behind[one.Terminal], one)
		} else if err := a.ask(send, one); err != nil {
			return err
		}
	}
	return nil
}

// asks reports whether a terminal is being asked.
func (a *Asker) asks(terminal string) bool {
	for _, one := range a.inHand {
		if one.Terminal == terminal {
			return true
		}
	}
	return false
}

// next asks a terminal for what is behind what it has answered.
func (a *Asker) next(send Send, terminal string) error {
	list := a.behind[terminal]
	if len(list) == 0 || a.asks(terminal) {
		return nil
	}
	if a.behind[terminal] = list[1:]; len(list) == 1 {
		delete(a.behind, terminal)
	}
	return a.ask(send, list[0])
}

// ask sends the command for what is behind one.after.
func (a *Asker) ask(send Send, one *asked) error {
	args, err := json.Marshal(struct {
		CaseID string  `json:"case_id"`
		Sizes  []int64 `json:"sizes"`
		Desk   []int64 `json:"desk,omitempty"`
		After  int64   `json:"after"`
	}{one.CaseID, one.Sizes, one.Desk, one.after})
	if err != nil {
		return err
	}
	id := rand.Text()
	one.turns++
	one.until, one.pages = a.now().Add(answerTime), pages{}
	a.inHand[id] = one
	return send(one.Terminal, topics.Cmd{ID: id, TS: topics.At(a.now()), TTLS: int64(ttl / time.Second), Args: args})
}

func (a *Asker) fail(ctx context.Context, id string, one *asked, why string) {
	delete(a.inHand, id)
	work, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := a.s.AskFailed(work, &one.LeafAsk, why); err != nil && ctx.Err() == nil {
		a.log.Warn("evidence.ask", "terminal", one.Terminal, "case", one.CaseID, "err", err)
	}
}

// take reads an answer. What does not fit ends the ask: the terminal is asked again later.
func (a *Asker) take(ctx context.Context, send Send, m answer) error {
	r, err := read(m.payload)
	if err != nil {
		a.log.Warn("evidence.answer", "terminal", m.terminal, "err", err)
		return nil
	}
	one := a.inHand[r.ID]
	if one == nil || one.Terminal != m.terminal {
		return nil // another desk's, or one that came too late
	}
	switch r.Status {
	case "accepted":
	case "progress":
		if err := one.pages.add(r); err != nil {
			a.log.Warn("evidence.answer", "terminal", m.terminal, "err", err)
			a.fail(ctx, r.ID, one, "wrong")
		}
	case "ok":
		if err := a.finish(ctx, send, one, r); err != nil {
			return err
		}
	default:
		if r.Code == busy {
			delete(a.inHand, r.ID) // it stays due
			break
		}
		a.fail(ctx, r.ID, one, strings.ToValidUTF8(r.Code, "?"))
	}
	return a.next(send, one.Terminal)
}

// busy is the code of a terminal that has other commands to do.
const busy = "busy"

// finish keeps a whole answer, and asks for the rest where there is more.
func (a *Asker) finish(ctx context.Context, send Send, one *asked, r *response) error {
	leaves, err := one.pages.all(r)
	if err == nil {
		err = one.join(r, leaves)
	}
	if err != nil {
		a.log.Warn("evidence.answer", "terminal", one.Terminal, "err", err)
		a.fail(ctx, r.ID, one, "wrong")
		return nil
	}
	if r.Answer.More && len(leaves) > 0 && one.turns < mostTurns {
		delete(a.inHand, r.ID)
		one.after = leaves[len(leaves)-1].N
		return a.ask(send, one)
	}
	delete(a.inHand, r.ID)
	work, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := a.s.KeepLeaves(work, &one.LeafAsk, &one.got); err != nil && ctx.Err() == nil {
		a.log.Warn("evidence.leaves", "terminal", one.Terminal, "case", one.CaseID, "err", err)
	}
	return nil
}

// join adds one turn's leaves to those before. Checkpoints are the same in each; the removed leaves that a turn
// counts are behind those of the turn before.
func (one *asked) join(r *response, leaves []store.Leaf) error {
	one.got.Origin, one.got.Points = r.Answer.Origin, r.Answer.Points
	one.got.Removed, one.got.More = one.got.Removed+r.Answer.Removed, r.Answer.More
	for _, l := range leaves {
		if one.placed[l.N] {
			return fmt.Errorf("%w: leaf %d twice", errAnswer, l.N)
		}
		one.placed[l.N] = true
		one.got.Leaves = append(one.got.Leaves, l)
	}
	return nil
}

// Once asks for what is due now and reads what has been answered, without waiting.
func (a *Asker) Once(ctx context.Context, send Send) error {
	if err := a.look(ctx, send); err != nil {
		return err
	}
	for {
		select {
		case m := <-a.answers:
			if err := a.take(ctx, send, m); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}
