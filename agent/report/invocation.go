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

	"yuanlu/protocol/printable"
	"yuanlu/protocol/topics"
)

// invocation is one command from its beginning until its id is forgotten.
type invocation struct {
	c    *commands
	name string
	id   string

	mu       sync.Mutex // guards all below, and the order in which answers are handed over
	accepted bool
	progress *topics.Rsp // the newest, nil: none yet
	answer   *topics.Rsp // nil: still running
}

// find returns the invocation with this id, nil if there is none.
func (c *commands) find(id string) *invocation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[id]
}

// register remembers a command that begins now; nil: too many at once. One that has
// begun already is returned with a nil ctx.
func (c *commands) register(name string, cmd *topics.Cmd) (context.Context, *invocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.known[cmd.ID]; v != nil {
		return nil, v
	}
	if c.running >= mostRunning {
		return nil, nil
	}
	c.forget()
	c.running++
	v := &invocation{c: c, name: name, id: cmd.ID}
	c.known[cmd.ID], c.order = v, append(c.order, v)
	c.wg.Add(1)
	return c.ctx, v
}

// forget drops the oldest finished commands beyond the bounds: whether one with an
// effect was taken is known without its answer. It is called with mu held.
func (c *commands) forget() {
	var effects, rest, kept int
	for i, v := range slices.Backward(c.order) {
		answer := v.final()
		if answer == nil {
			continue // running
		}
		kept += len(answer.Data)
		number, most := &effects, mostKnown
		if harmless(v.name) {
			number, most = &rest, mostHarmless
		}
		if *number++; *number >= most || kept > mostKept { // there is to be room for one more
			delete(c.known, v.id)
			c.order[i] = nil
		}
	}
	c.order = slices.DeleteFunc(c.order, func(v *invocation) bool { return v == nil })
}

// remove forgets one that was not begun: the same id may be sent again.
func (c *commands) remove(v *invocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, v.id)
	c.order = slices.DeleteFunc(c.order, func(one *invocation) bool { return one == v })
}

// start runs a command in a goroutine that wait waits for.
func (c *commands) start(name string, cmd *topics.Cmd) {
	ctx, v := c.register(name, cmd)
	switch {
	case v == nil:
		c.reply(name, &topics.Rsp{ID: cmd.ID, Status: topics.RspRejected,
			Error: &topics.RspError{Code: "busy", Message: "too many commands at once; send it again later"}})
		return
	case ctx == nil:
		v.answerAgain(name)
		return
	}
	c.r.log.Info("command.begin", "cmd", name, "id", cmd.ID)
	go func() {
		defer c.wg.Done()
		late := time.AfterFunc(acceptAfter, v.accept)
		data, err := c.do(ctx, v, cmd)
		late.Stop()
		v.finish(ctx, data, err)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running--
	}()
}

// final returns the last answer, nil while it is not known.
func (v *invocation) final() *topics.Rsp {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.answer
}

// answerAgain answers the same id again: with the answer, or with how far it is.
func (v *invocation) answerAgain(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answer != nil {
		v.c.reply(name, v.answer)
		return
	}
	v.accepted = true
	v.c.reply(name, &topics.Rsp{ID: v.id, Status: topics.RspAccepted})
	if v.progress != nil {
		v.c.reply(name, v.progress)
	}
}

// accept answers accepted, once, and not after the end.
func (v *invocation) accept() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.acceptLocked()
}

func (v *invocation) acceptLocked() {
	if v.accepted || v.answer != nil {
		return
	}
	v.accepted = true
	v.c.reply(v.name, &topics.Rsp{ID: v.id, Status: topics.RspAccepted})
}

// sendProgress answers progress; the first time after accepted.
func (v *invocation) sendProgress(data any) {
	raw, err := json.Marshal(data)
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answer != nil {
		return
	}
	v.acceptLocked()
	v.progress = &topics.Rsp{ID: v.id, Status: topics.RspProgress, Data: raw, TS: topics.At(v.c.r.o.Clock.Now())}
	v.c.reply(v.name, v.progress)
}

// finish answers and keeps the answer.
func (v *invocation) finish(ctx context.Context, data any, err error) {
	if ce, ok := errors.AsType[*CommandError](err); ok && ce.unbegun {
		defer v.c.remove(v)
		v.c.r.refuse(v.c.r.o.Names.Cmd(v.name), ce.Code, nil)
	}
	last, ends := data.(Last)
	if ends {
		data = last.Data
	}
	if paged, ok := data.(Paged); ok && err == nil {
		data, err = paged.Data, v.sendPages(ctx, paged.Pages)
	}
	rsp := v.outcome(data, err)
	if ends && rsp.Status == topics.RspOK {
		if ends = v.deliver(ctx, rsp); !ends {
			if last.Undelivered != nil {
				last.Undelivered()
			}
			rsp = v.outcome(nil, &CommandError{Code: "unheard", Message: "the broker did not take the answer in time, so nothing was done; send it anew"})
			v.conclude(rsp, true)
			return
		}
		v.conclude(rsp, false)
		last.Then()
		return
	}
	v.conclude(rsp, true)
}

// sendPages publishes pages, one after the other.
func (v *invocation) sendPages(ctx context.Context, pages []any) error {
	spec, _ := topics.CommandOf(v.name)
	v.accept()
	for _, page := range pages {
		raw, err := json.Marshal(page)
		if err == nil {
			err = v.c.r.check.Check(spec.PageSchema(), raw)
		}
		if err != nil {
			v.c.r.log.Error("command.unfit", "cmd", v.name, "err", err)
			return &CommandError{Code: "answer", Message: "a page is not as this version describes it"}
		}
		if !v.deliver(ctx, &topics.Rsp{ID: v.id, Status: topics.RspProgress, Data: raw}) {
			return &CommandError{Code: "unheard", Message: "the broker did not take a page in time; send the command again, under another id"}
		}
	}
	return nil
}

func (v *invocation) conclude(rsp *topics.Rsp, say bool) {
	v.c.r.log.Info("command.end", "cmd", v.name, "id", v.id, "status", rsp.Status)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer, v.progress = rsp, nil
	if say {
		v.c.reply(v.name, rsp)
	}
}

// deliver sends an answer and waits until the broker has acknowledged it. After false
// it is not sent any more.
func (v *invocation) deliver(ctx context.Context, rsp *topics.Rsp) bool {
	v.mu.Lock()
	v.accepted = true // too late for that answer
	v.mu.Unlock()
	published, claimed := make(chan sent, 1), &atomic.Bool{}
	v.c.replyTo(v.name, rsp, published, claimed)
	timer := time.NewTimer(deliverWithin)
	defer timer.Stop()
	select {
	case s := <-published:
		return s.err == nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if !claimed.CompareAndSwap(false, true) { // it is on its way, or there by now
		select {
		case s := <-published:
			return s.err == nil
		default:
		}
	}
	return false
}

// outcome makes the answer of what a command returned.
func (v *invocation) outcome(data any, err error) *topics.Rsp {
	rsp := &topics.Rsp{ID: v.id, Status: topics.RspOK, TS: topics.At(v.c.r.o.Clock.Now())}
	if err == nil {
		rsp.Data, err = json.Marshal(data)
	}
	if err == nil && (data == nil || rsp.Data[0] != '{') {
		rsp.Data = json.RawMessage(`{}`)
	}
	if spec, ok := topics.CommandOf(v.name); err == nil && ok {
		if err = v.c.r.check.Check(spec.DataSchema(), rsp.Data); err != nil {
			v.c.r.log.Error("command.unfit", "cmd", v.name, "err", err)
			err = &CommandError{Code: "answer", Message: "the answer is not as this version describes it"}
		}
	}
	if err == nil {
		return rsp
	}
	rsp.Status, rsp.Data, rsp.Error = topics.RspFailed, nil, &topics.RspError{Code: "failed", Message: printable.Cut(err.Error(), 1024)}
	if ce, ok := errors.AsType[*CommandError](err); ok {
		rsp.Error = &topics.RspError{Code: ce.Code, Message: printable.Cut(ce.Message, 1024)}
		if ce.Rejected {
			rsp.Status = topics.RspRejected
		}
		if ce.expired {
			rsp.Status = topics.RspExpired
		}
	}
	if errors.Is(err, ErrUnknownCommand) {
		rsp.Status, rsp.Error = topics.RspRejected, &topics.RspError{Code: "unknown_command", Message: "there is no command " + v.name + " in this version"}
	}
	return rsp
}

// checkArgs checks the arguments against their schema, which is closed.
func (c *commands) checkArgs(name string, args json.RawMessage) error {
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

// onlySigned is the command that is refused where the terminal has no keys of its back
// office. Source: guard.md § 6.
const onlySigned = "hold-release"

// do does a command: those of reporting itself here, all others in Options.Commands.
func (c *commands) do(ctx context.Context, v *invocation, cmd *topics.Cmd) (any, error) {
	args := cmd.Args
	if len(args) == 0 {
		args = json.RawMessage(`{}`)
	}
	if err := c.checkArgs(v.name, args); err != nil {
		return nil, err
	}
	if !slices.Contains(c.names(), v.name) {
		return nil, ErrUnknownCommand
	}
	if v.name == onlySigned && len(c.r.o.Keys) == 0 {
		return nil, &CommandError{Code: "unsigned", Message: "this terminal has no [[backoffice.key]], and a release is taken only signed", Rejected: true}
	}
	if !harmless(v.name) {
		if err := c.taken.take(ctx, cmd); err != nil {
			return nil, err
		}
	}
	switch v.name {
	case "ping":
		return map[string]any{"now": topics.At(c.r.o.Clock.Now()), "session": c.r.Status().Session}, nil
	case "rebirth":
		if s := c.r.session(); s != nil {
			s.republish.set()
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
	return c.r.o.Commands.Do(ctx, Command{Name: v.name, ID: cmd.ID, Args: args, Progress: v.sendProgress})
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
