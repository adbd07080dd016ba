package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/protocol/topics"
)

// course is one command from its beginning until its id is forgotten.
type course struct {
	c    *commands
	name string
	id   string

	mu       sync.Mutex // guards all below, and the order in which answers are handed over
	accepted bool
	progress *topics.Rsp // the newest, nil: none yet
	answer   *topics.Rsp // nil: still running
}

// recall returns the course of a command that was given before, nil if it was not.
func (c *commands) recall(id string) *course {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[id]
}

// admit remembers a command that begins now; nil: too many at once. One that has
// begun already is given with a nil ctx.
func (c *commands) admit(name string, cmd *topics.Cmd) (context.Context, *course) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.known[cmd.ID]; k != nil {
		return nil, k
	}
	if c.running >= mostRunning {
		return nil, nil
	}
	c.forget()
	c.running++
	k := &course{c: c, name: name, id: cmd.ID}
	c.known[cmd.ID], c.order = k, append(c.order, k)
	c.wg.Add(1)
	return c.ctx, k
}

// forget drops the oldest finished commands beyond the bounds: whether one with an
// effect was taken is known without its answer. It is called with mu held.
func (c *commands) forget() {
	var effects, rest, kept int
	for i, k := range slices.Backward(c.order) {
		answer := k.end()
		if answer == nil {
			continue // running
		}
		kept += len(answer.Data)
		number, most := &effects, mostKnown
		if harmless(k.name) {
			number, most = &rest, mostHarmless
		}
		if *number++; *number >= most || kept > mostKept { // there is to be room for one more
			delete(c.known, k.id)
			c.order[i] = nil
		}
	}
	c.order = slices.DeleteFunc(c.order, func(k *course) bool { return k == nil })
}

// drop forgets one that was not begun: the same id may be sent again.
func (c *commands) drop(k *course) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, k.id)
	c.order = slices.DeleteFunc(c.order, func(one *course) bool { return one == k })
}

// start runs a command in a goroutine that wait waits for.
func (c *commands) start(name string, cmd *topics.Cmd) {
	ctx, k := c.admit(name, cmd)
	switch {
	case k == nil:
		c.reply(name, &topics.Rsp{ID: cmd.ID, Status: topics.RspRejected,
			Error: &topics.RspError{Code: "busy", Message: "too many commands at once; send it again later"}})
		return
	case ctx == nil:
		k.sayAgain(name)
		return
	}
	c.r.log.Info("command.begin", "cmd", name, "id", cmd.ID)
	go func() {
		defer c.wg.Done()
		late := time.AfterFunc(acceptAfter, k.accept)
		data, err := c.do(ctx, k, cmd)
		late.Stop()
		k.finish(ctx, data, err)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running--
	}()
}

// end returns the last answer, nil while it is not known.
func (k *course) end() *topics.Rsp {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.answer
}

// sayAgain answers the same id again: with the answer, or with how far it is.
func (k *course) sayAgain(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answer != nil {
		k.c.reply(name, k.answer)
		return
	}
	k.accepted = true
	k.c.reply(name, &topics.Rsp{ID: k.id, Status: topics.RspAccepted})
	if k.progress != nil {
		k.c.reply(name, k.progress)
	}
}

// accept says accepted, once, and not after the end.
func (k *course) accept() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acceptLocked()
}

func (k *course) acceptLocked() {
	if k.accepted || k.answer != nil {
		return
	}
	k.accepted = true
	k.c.reply(k.name, &topics.Rsp{ID: k.id, Status: topics.RspAccepted})
}

// say says progress; the first time after accepted.
func (k *course) say(data any) {
	raw, err := json.Marshal(data)
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answer != nil {
		return
	}
	k.acceptLocked()
	k.progress = &topics.Rsp{ID: k.id, Status: topics.RspProgress, Data: raw, TS: topics.At(k.c.r.o.Clock.Now())}
	k.c.reply(k.name, k.progress)
}

// finish answers and keeps the answer.
func (k *course) finish(ctx context.Context, data any, err error) {
	if ce, ok := errors.AsType[*CommandError](err); ok && ce.unbegun {
		defer k.c.drop(k)
		k.c.r.refuse(k.c.r.o.Names.Cmd(k.name), ce.Code, nil)
	}
	last, ends := data.(Last)
	if ends {
		data = last.Data
	}
	rsp := k.outcome(data, err)
	if ends && rsp.Status == topics.RspOK {
		if ends = k.heard(ctx, rsp); !ends {
			if last.Unheard != nil {
				last.Unheard()
			}
			rsp = k.outcome(nil, &CommandError{Code: "unheard", Message: "the broker did not take the answer in time, so nothing was done; send it anew"})
			k.conclude(rsp, true)
			return
		}
		k.conclude(rsp, false)
		last.Then()
		return
	}
	k.conclude(rsp, true)
}

func (k *course) conclude(rsp *topics.Rsp, say bool) {
	k.c.r.log.Info("command.end", "cmd", k.name, "id", k.id, "status", rsp.Status)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer, k.progress = rsp, nil
	if say {
		k.c.reply(k.name, rsp)
	}
}

// heard says an answer and waits until the broker has acknowledged it. After false
// it is not sent any more.
func (k *course) heard(ctx context.Context, rsp *topics.Rsp) bool {
	k.mu.Lock()
	k.accepted = true // too late to say it
	k.mu.Unlock()
	said, claimed := make(chan sent, 1), &atomic.Bool{}
	k.c.replyTo(k.name, rsp, said, claimed)
	timer := time.NewTimer(heardWithin)
	defer timer.Stop()
	select {
	case s := <-said:
		return s.err == nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if !claimed.CompareAndSwap(false, true) { // it is on its way, or there by now
		select {
		case s := <-said:
			return s.err == nil
		default:
		}
	}
	return false
}

// outcome makes the answer of what a command gave.
func (k *course) outcome(data any, err error) *topics.Rsp {
	rsp := &topics.Rsp{ID: k.id, Status: topics.RspOK, TS: topics.At(k.c.r.o.Clock.Now())}
	if err == nil {
		rsp.Data, err = json.Marshal(data)
	}
	if err == nil && (data == nil || rsp.Data[0] != '{') {
		rsp.Data = json.RawMessage(`{}`)
	}
	if spec, ok := topics.CommandOf(k.name); err == nil && ok {
		if err = k.c.r.check.Check(spec.DataSchema(), rsp.Data); err != nil {
			k.c.r.log.Error("command.unfit", "cmd", k.name, "err", err)
			err = &CommandError{Code: "answer", Message: "the answer is not as this version describes it"}
		}
	}
	if err == nil {
		return rsp
	}
	rsp.Status, rsp.Data, rsp.Error = topics.RspFailed, nil, &topics.RspError{Code: "failed", Message: clip(err.Error(), 1024)}
	if ce, ok := errors.AsType[*CommandError](err); ok {
		rsp.Error = &topics.RspError{Code: ce.Code, Message: clip(ce.Message, 1024)}
		if ce.Rejected {
			rsp.Status = topics.RspRejected
		}
		if ce.expired {
			rsp.Status = topics.RspExpired
		}
	}
	if errors.Is(err, ErrUnknownCommand) {
		rsp.Status, rsp.Error = topics.RspRejected, &topics.RspError{Code: "unknown_command", Message: "there is no command " + k.name + " in this version"}
	}
	return rsp
}

// clip cuts a text to at most n bytes, at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// fitting checks the arguments against their schema, which is closed.
func (c *commands) fitting(name string, args json.RawMessage) error {
	spec, ok := topics.CommandOf(name)
	if !ok {
		return nil // no command of ours, or one that only Options.Commands has
	}
	err := c.r.check.Check(spec.ArgsSchema(), args)
	if err == nil {
		return nil
	}
	text := err.Error()
	if se, ok := errors.AsType[*topics.SchemaError](err); ok {
		text = "args" + strings.ReplaceAll(se.Path, "/", ".") + ": " + se.Got + ", want " + se.Want
		if missing, ok := strings.CutPrefix(se.Got, "no member "); ok {
			text = "args." + missing + " is missing"
		}
	}
	return &CommandError{Code: "args", Message: text + " (" + topics.SchemaURN(spec.ArgsSchema()) + ")", Rejected: true}
}

// do does a command: those of reporting itself here, all others in Options.Commands.
func (c *commands) do(ctx context.Context, k *course, cmd *topics.Cmd) (any, error) {
	args := cmd.Args
	if len(args) == 0 {
		args = json.RawMessage(`{}`)
	}
	if err := c.fitting(k.name, args); err != nil {
		return nil, err
	}
	if !slices.Contains(c.names(), k.name) {
		return nil, ErrUnknownCommand
	}
	if !harmless(k.name) {
		if err := c.taken.take(ctx, cmd); err != nil {
			return nil, err
		}
	}
	switch k.name {
	case "ping":
		return map[string]any{"now": topics.At(c.r.o.Clock.Now()), "session": c.r.Status().Session}, nil
	case "rebirth":
		if s := c.r.session(); s != nil {
			s.sayAll.set()
		}
		return nil, nil
	case "outbox-stat":
		stat, err := c.r.o.Terminal.Outbox().OutboxStat(ctx)
		if err != nil {
			return nil, err
		}
		return struct {
			Stream string `json:"stream"`
			topics.HealthOutbox
		}{stat.Stream, outboxOf(&stat, c.r.o.Clock.Now())}, nil
	case "case-resend":
		return c.resend(ctx, args)
	}
	return c.r.o.Commands.Do(ctx, Command{Name: k.name, ID: cmd.ID, Args: args, Progress: k.say})
}

func (c *commands) resend(ctx context.Context, raw json.RawMessage) (any, error) {
	args := struct {
		FromSeq int64 `json:"from_seq"`
	}{FromSeq: 1}
	if err := topics.Exact(raw, &args); err != nil { // it has passed its schema, but for what int64 holds
		return nil, &CommandError{Code: "args", Message: "args.from_seq: no sequence number", Rejected: true}
	}
	n, err := c.r.o.Terminal.Outbox().Resend(ctx, args.FromSeq)
	if err != nil {
		return nil, fmt.Errorf("case-resend: %w", err)
	}
	c.r.Wake()
	return map[string]any{"cases": n}, nil
}
