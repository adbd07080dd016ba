package guard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// Store keeps asks and holds; *ledger.DB is one.
type Store interface {
	Ask(ctx context.Context, a *refund.Ask, how ledger.AskHow) (ledger.Asked, error)
	FindAsk(ctx context.Context, k ask.Key) (ledger.Asked, error)
	EndHold(ctx context.Context, k ask.Key, by ask.Ending) (a ledger.Asked, ended bool, err error)
	NoteArrived(ctx context.Context, k ask.Key) error
	NoteWrongPIN(ctx context.Context, k ask.Key) error
}

// Keeper is the rest of what is kept; *ledger.DB is one.
type Keeper interface {
	Holds(ctx context.Context, open bool) ([]ask.Held, error)
	ForgetAsks(ctx context.Context, now time.Time) (n int, err error)
	// AnswerArrived is ledger.DB.AnswerArrived.
	AnswerArrived(k ask.Key)
}

// Link is one link with its level.
type Link struct {
	Name  string
	Level ask.Level
}

// Supervisor may release the holds of operators other than himself.
type Supervisor struct {
	ID        string
	Operators []string // every cashier number that he ever uses
}

// Options are what a Guard is made of. All but Turn, OfficeThere, Event and Ended are needed.
type Options struct {
	Store       Store
	Keeper      Keeper
	Keys        refund.Tokenizer
	Links       []Link // in the order of the configuration
	Supervisors []Supervisor
	PINs        PINs

	HoldFor, OfficeHoldFor, OfficeWait time.Duration // in running time

	// Turn waits until all that came before it on a link is durable; nil: it is not waited.
	Turn func(ctx context.Context, link string) error
	// OfficeThere reports whether the back office can be reached: the broker is connected and
	// no host of it is known to be offline. nil: never.
	OfficeThere func() bool
	Now         func() time.Time // the agent's clock, in the terminal's zone
	Log         *slog.Logger
	Event       func(name, subject string, attrs ...slog.Attr) // for up/event; nil: none
	// Ended is called once when a hold has ended, whatever ended it. It must not block. nil:
	// not called.
	Ended func(ask.Held)
	Tally *Tally // counts what is answered and refused; nil: one of its own
}

// Guard answers asks. It is safe for concurrent use; Run ends what expires.
type Guard struct {
	o    Options
	wake chan struct{} // cap 1: a hold was opened
	// arrived are asks whose answer has reached who asked, until that is stored.
	arrived chan ask.Key

	mu      sync.Mutex // guards the rest; never held while the store is called
	began   map[ask.Key]time.Time
	waiting map[ask.Key]chan struct{} // closed when the hold ends
	hourly  map[terminal]*hourly
}

// mostArrived bounds the arrivals that wait to be stored.
const mostArrived = 256

// terminal names a terminal of a merchant, practice apart.
type terminal struct {
	merchant, id string
	practice     bool
}

// New makes a guard and has the time of every hold that is open begin again: after a restart
// that is the whole of it (guard.md § 3).
func New(ctx context.Context, o Options) (*Guard, error) {
	g := &Guard{o: o, wake: make(chan struct{}, 1), arrived: make(chan ask.Key, mostArrived), began: map[ask.Key]time.Time{}, waiting: map[ask.Key]chan struct{}{}, hourly: map[terminal]*hourly{}}
	if g.o.Event == nil {
		g.o.Event = func(string, string, ...slog.Attr) {}
	}
	if g.o.Ended == nil {
		g.o.Ended = func(ask.Held) {}
	}
	if g.o.Tally == nil {
		g.o.Tally = &Tally{}
	}
	open, err := o.Keeper.Holds(ctx, true)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range open {
		if _, known := g.began[open[i].Key]; !known {
			g.began[open[i].Key] = time.Now()
		}
	}
	return g, nil
}

// Level returns the level of a link, ask.Off for one that there is not.
func (g *Guard) Level(link string) ask.Level {
	for _, l := range g.o.Links {
		if l.Name == link {
			return l.Level
		}
	}
	return ask.Off
}

// beforeDeadline is how long before its deadline an ask is answered (guard.md § 2).
const beforeDeadline = 20 * time.Millisecond

// Ask implements Service.
func (g *Guard) Ask(ctx context.Context, r Request) (Reply, error) {
	reply, err := g.answer(ctx, r)
	if err == nil {
		g.o.Tally.Answered(&reply.Answer)
	}
	g.o.Tally.refusal(err)
	return reply, err
}

func (g *Guard) answer(ctx context.Context, r Request) (Reply, error) {
	link := r.Link
	if link == "" && len(g.o.Links) > 0 {
		link = g.o.Links[0].Name
	}
	level := ask.Level("")
	for _, l := range g.o.Links {
		if l.Name == link {
			level = l.Level
		}
	}
	switch level {
	case "":
		return Reply{}, &Refusal{Code: CodeForm, Field: "link"}
	case ask.Off:
		return Reply{}, &Refusal{Code: CodeOff}
	}
	q := refund.SealAsk(r.Ask, g.o.Keys)
	if q.Record.At == "" {
		q.Record.At = g.o.Now().Format(time.RFC3339)
	}
	judged, cancel := context.WithDeadline(ctx, r.Received.Add(q.Deadline-beforeDeadline))
	defer cancel()
	got, err := g.judge(judged, &q, link, level, r.InTurn)
	switch {
	case errors.Is(err, ledger.ErrAskReused):
		return Reply{}, &Refusal{Code: CodeReused}
	case err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Reply{}, ctx.Err()
	case err != nil:
		g.o.Log.Warn("ask.unchecked", "link", link, "ask", q.ID, "err", err)
		return Reply{Answer: ask.Unchecked(&q)}, nil
	}
	return g.reply(&got.Entry), nil
}

func (g *Guard) judge(ctx context.Context, q *refund.Ask, link string, level ask.Level, inTurn bool) (ledger.Asked, error) {
	if !inTurn && g.o.Turn != nil {
		if err := g.o.Turn(ctx, link); err != nil {
			return ledger.Asked{}, err
		}
	}
	return g.o.Store.Ask(ctx, q, ledger.AskHow{Link: link, Level: level, HoldFor: g.holdFor(level), Full: g.full})
}

// reply returns what an entry is answered now.
func (g *Guard) reply(e *ask.Entry) Reply {
	r := Reply{Answer: e.Answer, Hold: e.Held}
	if e.Held != nil && e.Held.State == ask.Open {
		r.Left = g.left(e.Held)
		r.Until = g.o.Now().Add(r.Left)
	}
	return r
}

func (g *Guard) holdFor(level ask.Level) time.Duration {
	if level == ask.Office {
		return g.o.OfficeHoldFor
	}
	return g.o.HoldFor
}

// left is how long an open hold has left.
func (g *Guard) left(h *ask.Held) time.Duration {
	return max(0, g.holdFor(h.Level)-g.age(h.Key))
}

// age is the running time since a hold was opened, or since the start.
func (g *Guard) age(k ask.Key) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if began, ok := g.began[k]; ok {
		return time.Since(began)
	}
	return 0
}

// Look implements Service.
func (g *Guard) Look(ctx context.Context, k ask.Key, wait time.Duration) (reply Reply, err error) {
	defer func() { g.o.Tally.refusal(err) }()
	over := g.endOf(k) // before it is looked at, so that an end in between is not missed
	a, err := g.find(ctx, k)
	if err != nil {
		return Reply{}, err
	}
	if h := a.Entry.Held; wait <= 0 || h == nil || h.State != ask.Open {
		return g.reply(&a.Entry), nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
	if a, err = g.find(ctx, k); err != nil {
		return Reply{}, err
	}
	return g.reply(&a.Entry), nil
}

// endOf returns what is closed when a hold ends; nil, which never is, if none is open.
func (g *Guard) endOf(k ask.Key) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, open := g.began[k]; !open {
		return nil
	}
	if g.waiting[k] == nil {
		g.waiting[k] = make(chan struct{})
	}
	return g.waiting[k]
}

func (g *Guard) find(ctx context.Context, k ask.Key) (ledger.Asked, error) {
	a, err := g.o.Store.FindAsk(ctx, k)
	switch {
	case errors.Is(err, ledger.ErrAskUnknown):
		return a, &Refusal{Code: CodeUnknown}
	case err != nil:
		return a, &Refusal{Code: CodeStore, Err: err}
	}
	return a, nil
}

// Entry returns one remembered ask as it stands. Errors: *Refusal.
func (g *Guard) Entry(ctx context.Context, k ask.Key) (ask.Entry, error) {
	a, err := g.find(ctx, k)
	return a.Entry, err
}

// Holds returns the remembered holds, by place; open: those alone that are open.
func (g *Guard) Holds(ctx context.Context, open bool) ([]ask.Held, error) {
	return g.o.Keeper.Holds(ctx, open)
}

// Left returns how long an open hold has left, 0 for one that has ended.
func (g *Guard) Left(h *ask.Held) time.Duration {
	if h.State != ask.Open {
		return 0
	}
	return g.left(h)
}

// Arrived implements Service. It does not wait for the disk.
func (g *Guard) Arrived(k ask.Key) {
	g.o.Keeper.AnswerArrived(k) // a record may come before it is stored
	select {
	case g.arrived <- k:
	default:
		g.o.Log.Warn("ask.arrival_not_noted", "ask", k.ID, "why", "too many wait")
	}
}

// HoldChanged takes what the store reports of a hold (ledger.Options.HoldChanged). It never
// blocks.
func (g *Guard) HoldChanged(h ask.Held) {
	g.mu.Lock()
	_, known := g.began[h.Key]
	open := h.State == ask.Open
	switch {
	case open && !known:
		g.began[h.Key] = time.Now()
		select {
		case g.wake <- struct{}{}:
		default:
		}
	case !open && known:
		delete(g.began, h.Key)
		if over := g.waiting[h.Key]; over != nil {
			close(over)
			delete(g.waiting, h.Key)
		}
	}
	g.mu.Unlock()
	if open == known { // neither opened nor ended now
		return
	}
	log := g.o.Log.With(slog.String("link", h.Link), slog.String("terminal", h.Key.Terminal), slog.String("ask", h.Key.ID), slog.Bool("practice", h.Practice))
	switch {
	case open:
		log.Info("hold.opened", "level", h.Level, "until", h.Until, "for", h.Until.Sub(h.Opened).Round(time.Second))
		return
	case h.State == ask.Bypassed:
		log.Error("hold.bypassed", "record", h.Record)
	default:
		log.Info("hold.ended", "state", h.State, "by", h.By)
	}
	g.o.Ended(h)
}
