package till

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/control"
	"yuanlu/agent/guard"
	"yuanlu/agent/refund"
)

// Book is what was asked, as stored.
type Book interface {
	// Holds returns the remembered holds, by place; open: those alone that are open.
	Holds(ctx context.Context, open bool) ([]ask.Held, error)
	// Asks returns the remembered asks, by place.
	Asks(ctx context.Context) ([]ask.Entry, error)
	// Entry returns one remembered ask.
	Entry(ctx context.Context, k ask.Key) (ask.Entry, error)
}

// HoldLine is one hold as the verb hold shows it.
type HoldLine struct {
	MerchantID string          `json:"merchant_id"`
	TerminalID string          `json:"terminal_id"`
	Ask        string          `json:"ask"`
	Operator   string          `json:"operator"`
	Link       string          `json:"link"`
	Level      ask.Level       `json:"level"`
	State      ask.State       `json:"state"`
	Practice   bool            `json:"practice"`
	Opened     time.Time       `json:"opened"`
	Left       int64           `json:"left_s"` // seconds, rounded up; 0 unless it is open
	Ended      time.Time       `json:"ended,omitzero"`
	By         string          `json:"by"`
	Reason     string          `json:"reason"`
	Text       string          `json:"text"`
	WrongPINs  int             `json:"wrong_pins"`
	Record     int64           `json:"record"`           // that belongs to it, 0: none
	Refund     json.RawMessage `json:"refund,omitempty"` // the record it would be; its identities are tokens and masked forms
	Answer     *Answer         `json:"answer,omitempty"`
}

// HoldArgs are the arguments of the verbs about one hold. Of an ask whose terminal or
// merchant is empty there must be one alone.
type HoldArgs struct {
	MerchantID string          `json:"merchant_id,omitempty"`
	TerminalID string          `json:"terminal_id,omitempty"`
	Ask        string          `json:"ask"`
	By         string          `json:"by,omitempty"`
	PIN        json.RawMessage `json:"pin,omitempty"` // a string; raw, so that it prints as no text
	Reason     string          `json:"reason,omitempty"`
	Text       string          `json:"text,omitempty"`
}

// AskArgs are the arguments of the verb guard-ask.
type AskArgs struct {
	Link string          `json:"link"`
	Ask  json.RawMessage `json:"ask"` // guard.md § 1
	// CardRead names the link whose next card or account is the one presented, "" none. A
	// CardAwaited is then sent first.
	CardRead string `json:"card_read,omitempty"`
}

// CardAwaited is sent when a card may be read now.
type CardAwaited struct {
	CardRead string `json:"card_read"` // name of the link
	WithinS  int64  `json:"within_s"`  // seconds until it is no longer awaited
}

// cardWithin is how long a person has to read the card.
const cardWithin = time.Minute

// ErrNoLink: no link of that name runs.
var ErrNoLink = errors.New("no link of that name runs")

// Verbs answers people on the control socket. Both functions may return nil while the store
// is not open.
type Verbs struct {
	Service func() guard.Service
	Book    func() Book
	Zone    *time.Location
	// Shown waits for the next card or account that a link reads, and returns it sealed.
	// Errors: ErrNoLink, that of ctx.
	Shown func(ctx context.Context, link string) (*refund.Party, error)
}

// Handlers returns hold-list, hold-show, hold-release, hold-cancel, practice-list and guard-ask.
func (v *Verbs) Handlers() map[string]control.Handler {
	return map[string]control.Handler{"hold-list": v.list, "hold-show": v.show, "hold-release": v.release, "hold-cancel": v.cancel, "practice-list": v.practice, "guard-ask": v.ask}
}

func badRequest(what string) error {
	return &control.Error{Code: "bad_request", Message: what + ": arguments do not fit"}
}

// both returns service and book, or the error that there are none.
func (v *Verbs) both() (guard.Service, Book, error) {
	s, b := v.Service(), v.Book()
	if s == nil || b == nil {
		return nil, nil, &control.Error{Code: "unavailable", Message: "the store is not open, or no link has a guard"}
	}
	return s, b, nil
}

func (v *Verbs) list(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var q struct {
		All bool `json:"all"`
	}
	if json.Unmarshal(args, &q) != nil {
		return badRequest("hold-list")
	}
	s, book, err := v.both()
	if err != nil {
		return err
	}
	holds, err := book.Holds(ctx, !q.All)
	if err != nil {
		return err
	}
	for i := range holds {
		if err := send(v.line(ctx, s, book, &holds[i])); err != nil {
			return err
		}
	}
	return nil
}

// LineOf returns a hold without what a running guard knows of it.
func LineOf(h *ask.Held) HoldLine {
	return HoldLine{MerchantID: h.Key.Merchant, TerminalID: h.Key.Terminal, Ask: h.Key.ID, Operator: h.Operator, Link: h.Link, Level: h.Level,
		State: h.State, Practice: h.Practice, Opened: h.Opened, Ended: h.Ended, By: h.By, Reason: h.Reason, Text: h.Text, WrongPINs: h.WrongPINs, Record: h.Record}
}

// line returns a hold with the refund, the answer and its time left, as far as they are known.
func (v *Verbs) line(ctx context.Context, s guard.Service, book Book, h *ask.Held) HoldLine {
	out := LineOf(h)
	if e, err := book.Entry(ctx, h.Key); err == nil {
		out.Refund = e.Ask.Record.AppendJSON(nil)
	}
	if r, err := s.Look(ctx, h.Key, 0); err == nil {
		a := AnswerOf(&r, v.Zone)
		out.Answer, out.Left = &a, int64(math.Ceil(r.Left.Seconds()))
	}
	return out
}

// practice sends a guard.Practised for each operator who has practised.
func (v *Verbs) practice(ctx context.Context, _ json.RawMessage, send func(any) error) error {
	_, book, err := v.both()
	if err != nil {
		return err
	}
	all, err := book.Asks(ctx)
	if err != nil {
		return err
	}
	for _, one := range guard.PractisedBy(all) {
		if err := send(one); err != nil {
			return err
		}
	}
	return nil
}

// find returns the one hold that is meant.
func (v *Verbs) find(ctx context.Context, book Book, q *HoldArgs) (*ask.Held, error) {
	holds, err := book.Holds(ctx, false)
	if err != nil {
		return nil, err
	}
	var found *ask.Held
	for i := range holds {
		k := &holds[i].Key
		if k.ID != q.Ask || q.TerminalID != "" && k.Terminal != q.TerminalID || q.MerchantID != "" && k.Merchant != q.MerchantID {
			continue
		}
		if found != nil {
			return nil, &control.Error{Code: "bad_request", Message: "several terminals have a hold of that name: name the terminal, too"}
		}
		found = &holds[i]
	}
	if found == nil {
		return nil, &control.Error{Code: "not_found", Message: "no hold of that name is remembered"}
	}
	return found, nil
}

// one returns the hold that the arguments of a verb name.
func (v *Verbs) one(ctx context.Context, what string, args json.RawMessage) (q HoldArgs, s guard.Service, book Book, h *ask.Held, err error) {
	if json.Unmarshal(args, &q) != nil || q.Ask == "" {
		err = badRequest(what)
		return
	}
	if s, book, err = v.both(); err == nil {
		h, err = v.find(ctx, book, &q)
	}
	return
}

func (v *Verbs) show(ctx context.Context, args json.RawMessage, send func(any) error) error {
	_, s, book, h, err := v.one(ctx, "hold-show", args)
	if err != nil {
		return err
	}
	return send(v.line(ctx, s, book, h))
}

func (v *Verbs) release(ctx context.Context, args json.RawMessage, send func(any) error) error {
	q, s, _, h, err := v.one(ctx, "hold-release", args)
	if err != nil {
		return err
	}
	var pin string
	if len(q.PIN) > 0 && json.Unmarshal(q.PIN, &pin) != nil {
		return badRequest("hold-release")
	}
	held, err := s.Release(ctx, h.Key, guard.Release{By: q.By, PIN: refund.NewSecret(pin), Reason: q.Reason, Text: q.Text})
	return sendState(send, h.Key, held, err)
}

func (v *Verbs) cancel(ctx context.Context, args json.RawMessage, send func(any) error) error {
	q, s, _, h, err := v.one(ctx, "hold-cancel", args)
	if err != nil {
		return err
	}
	held, err := s.Cancel(ctx, h.Key, q.By)
	return sendState(send, h.Key, held, err)
}

// sendState sends what became of an order; a refusal is an answer too.
func sendState(send func(any) error, k ask.Key, held ask.Held, err error) error {
	var refused *guard.Refusal
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	return send(StateOf(k.ID, held, err))
}

func (v *Verbs) ask(ctx context.Context, args json.RawMessage, send func(any) error) error {
	received := time.Now()
	var q AskArgs
	if json.Unmarshal(args, &q) != nil {
		return badRequest("guard-ask")
	}
	s, _, err := v.both()
	if err != nil {
		return err
	}
	a, err := refund.ParseAsk(q.Ask, refund.AskForm{})
	if err != nil {
		return send(Refused{Action: ActionRefused, Error: Error{guard.CodeForm, guard.Form(err).Field}})
	}
	if q.CardRead != "" {
		if a.Presented, err = v.presented(ctx, q.CardRead, send); err != nil {
			return err
		}
		received = time.Now()
	}
	reply, err := s.Ask(ctx, guard.Request{Link: q.Link, Ask: a, Received: received})
	var refused *guard.Refusal
	switch {
	case errors.As(err, &refused):
		return send(Refused{Ask: a.ID, Action: ActionRefused, Error: ErrorOf(err)})
	case err != nil:
		return err
	}
	if err := send(AnswerOf(&reply, v.Zone)); err != nil {
		return err
	}
	if !reply.Answer.Unchecked() {
		s.Arrived(ask.KeyOf(&a))
	}
	return nil
}

// presented waits until the customer's card has been read on a link.
func (v *Verbs) presented(ctx context.Context, link string, send func(any) error) (*refund.Party, error) {
	if err := send(CardAwaited{link, int64(cardWithin / time.Second)}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cardWithin)
	defer cancel()
	p, err := v.Shown(ctx, link)
	switch {
	case errors.Is(err, ErrNoLink):
		return nil, &control.Error{Code: "not_found", Message: "no link " + link, About: "card_read"}
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &control.Error{Code: "unavailable", Message: "no card was read within a minute"}
	}
	return p, err
}
