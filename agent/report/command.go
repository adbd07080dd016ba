package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"yuanlu/protocol/topics"
)

// Bounds of commands.
const (
	mostRunning  = 4
	mostKnown    = 64              // ids remembered until their time is over
	mostAnswer   = 4 << 10         // a longer answer is not kept for repetition
	acceptAfter  = time.Second / 2 // a command that takes longer is accepted first
	mostAhead    = 5 * time.Minute // a command from further in the future: the clocks disagree
	commandsTime = 2 * time.Second // for running commands when the reporter stops
)

// commands checks, runs and answers commands, and remembers their answers.
// Commands outlive the connection they came by: whoever asks again with the same
// id gets the first answer.
type commands struct {
	r  *Reporter
	wg sync.WaitGroup // running commands

	mu      sync.Mutex // guards all below
	ctx     context.Context
	running int
	known   map[string]*remembered // by id
}

// remembered is a command of which the answer may be asked again.
type remembered struct {
	until  time.Time   // its time is over; after that the id is expired anyway
	answer *topics.Rsp // nil: still running
}

func newCommands(r *Reporter) *commands {
	return &commands{r: r, ctx: context.Background(), known: map[string]*remembered{}}
}

func (c *commands) begin(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

// wait waits for running commands, at most commandsTime.
func (c *commands) wait() {
	finished := make(chan struct{})
	go func() { // ends with the commands, whose ctx has ended
		c.wg.Wait()
		close(finished)
	}()
	timer := time.NewTimer(commandsTime)
	defer timer.Stop()
	select {
	case <-finished:
	case <-timer.C:
		c.r.o.Log.Warn("command.abandoned")
	}
}

// names lists the commands, for up/info.
func (c *commands) names() []string {
	list := []string{"ping", "rebirth", "outbox-stat"}
	if c.r.o.Resend != nil {
		list = append(list, "case-resend")
	}
	list = append(list, c.r.o.Commands...)
	slices.Sort(list)
	return slices.Compact(list)
}

// receive takes what came on dn/cmd/{name}: any bytes.
func (c *commands) receive(topic, name string, payload []byte, retained bool) {
	if retained {
		c.reject(topic, name, idOf(payload), "retained_command", "a command must not be retained", nil)
		return
	}
	body, code, err := c.r.open(topic, payload)
	if err != nil {
		c.reject(topic, name, idOf(payload), code, "the payload is not accepted here: "+code, err)
		return
	}
	var cmd topics.Cmd
	if err := c.r.check.Check("cmd.v1", body); err != nil || json.Unmarshal(body, &cmd) != nil {
		c.reject(topic, name, idOf(body), "schema", "not a command as cmd.v1 wants it", err)
		return
	}
	if again, known := c.recall(cmd.ID); known {
		c.reply(name, again)
		return
	}
	if status, code, text := c.timely(&cmd); status != "" {
		c.r.refuse(topic, code, nil)
		c.reply(name, &topics.Rsp{ID: cmd.ID, Status: status, Error: &topics.RspError{Code: code, Message: text}})
		return
	}
	c.start(name, &cmd)
}

// idOf gives the id a payload seems to have, "" if that is none that may be
// repeated to everybody.
func idOf(payload []byte) string {
	var p struct {
		ID string `json:"id"`
	}
	if len(payload) > 2*topics.MaxMessage || json.Unmarshal(payload, &p) != nil || !topics.ValidID(p.ID) {
		return ""
	}
	return p.ID
}

// timely says whether the command's time is over, or cannot be told.
func (c *commands) timely(cmd *topics.Cmd) (status, code, text string) {
	now := c.r.o.Now()
	switch {
	case !c.r.o.ClockSynced():
		return topics.RspRejected, "clock", "the clock of the terminal is not set, so nobody knows whether the command is still wanted"
	case now.After(cmd.TS.Add(time.Duration(cmd.TTLS) * time.Second)):
		return topics.RspExpired, "expired", "its ttl_s is over"
	case len(c.r.o.Keys) > 0 && cmd.TS.Before(c.r.started):
		// The ids of an earlier life are forgotten: one of them said again must
		// not be done again.
		return topics.RspExpired, "before_start", "it is older than this start of the agent; send it anew"
	case cmd.TS.Sub(now) > mostAhead:
		return topics.RspRejected, "clock", "its ts lies ahead of the terminal's clock"
	}
	return "", "", ""
}

// recall gives the answer to a command that was given before.
func (c *commands) recall(id string) (*topics.Rsp, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[id]
	if !ok {
		return nil, false
	}
	if k.answer == nil {
		return &topics.Rsp{ID: id, Status: topics.RspAccepted}, true
	}
	return k.answer, true
}

// admit remembers a command that begins now; false: too many at once.
func (c *commands) admit(cmd *topics.Cmd) (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.r.o.Now()
	for id, k := range c.known {
		if k.answer != nil && now.After(k.until) {
			delete(c.known, id)
		}
	}
	if c.running >= mostRunning || len(c.known) >= mostKnown {
		return nil, false
	}
	c.running++
	c.known[cmd.ID] = &remembered{until: cmd.TS.Add(time.Duration(cmd.TTLS) * time.Second)}
	c.wg.Add(1)
	return c.ctx, true
}

// start runs a command in a goroutine that wait waits for.
func (c *commands) start(name string, cmd *topics.Cmd) {
	ctx, ok := c.admit(cmd)
	if !ok {
		c.reply(name, &topics.Rsp{ID: cmd.ID, Status: topics.RspRejected,
			Error: &topics.RspError{Code: "busy", Message: "too many commands at once; send it again later"}})
		return
	}
	c.r.o.Log.Info("command.begin", "cmd", name, "id", cmd.ID)
	go func() {
		defer c.wg.Done()
		late := time.AfterFunc(acceptAfter, func() { c.reply(name, &topics.Rsp{ID: cmd.ID, Status: topics.RspAccepted}) })
		data, err := c.do(ctx, name, cmd)
		late.Stop()
		c.finish(name, cmd.ID, data, err)
	}()
}

// finish answers and keeps the answer.
func (c *commands) finish(name, id string, data any, err error) {
	rsp := &topics.Rsp{ID: id, Status: topics.RspOK, TS: topics.At(c.r.o.Now())}
	if err == nil {
		rsp.Data, err = json.Marshal(data)
	}
	if err == nil && (data == nil || rsp.Data[0] != '{') {
		rsp.Data = nil
	}
	if err != nil {
		rsp.Status, rsp.Data, rsp.Error = topics.RspFailed, nil, &topics.RspError{Code: "failed", Message: clip(err.Error(), 1024)}
		if ce, ok := errors.AsType[*CommandError](err); ok {
			rsp.Error.Code = ce.Code
			if ce.Rejected {
				rsp.Status = topics.RspRejected
			}
		}
		if errors.Is(err, ErrUnknownCommand) {
			rsp.Status, rsp.Error = topics.RspRejected, &topics.RspError{Code: "unknown_command", Message: "there is no command " + name + " in this version"}
		}
	}
	c.r.o.Log.Info("command.end", "cmd", name, "id", id, "status", rsp.Status)
	c.reply(name, rsp)
	if len(rsp.Data) > mostAnswer {
		kept := *rsp
		kept.Data = json.RawMessage(`{"not_repeated":"the first answer was too long to keep"}`)
		rsp = &kept
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if k, ok := c.known[id]; ok {
		k.answer = rsp
	}
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

// do does a command: those of reporting itself here, all others in OnCommand.
func (c *commands) do(ctx context.Context, name string, cmd *topics.Cmd) (any, error) {
	switch name {
	case "ping":
		return map[string]any{"now": topics.At(c.r.o.Now()), "session": c.r.Status().Session}, nil
	case "rebirth":
		if s := c.r.session(); s != nil {
			s.sayAll.set()
		}
		return nil, nil
	case "outbox-stat":
		stat, err := c.r.o.Outbox.OutboxStat(ctx)
		if err != nil {
			return nil, err
		}
		return struct {
			Stream string `json:"stream"`
			topics.HealthOutbox
		}{stat.Stream, c.r.healthOutbox(stat)}, nil
	case "case-resend":
		return c.resend(ctx, cmd.Args)
	}
	if c.r.o.OnCommand == nil {
		return nil, ErrUnknownCommand
	}
	return c.r.o.OnCommand(ctx, Command{Name: name, ID: cmd.ID, Args: cmd.Args, Progress: func(data any) {
		if raw, err := json.Marshal(data); err == nil && len(raw) > 0 && raw[0] == '{' {
			c.reply(name, &topics.Rsp{ID: cmd.ID, Status: topics.RspProgress, Data: raw})
		}
	}})
}

func (c *commands) resend(ctx context.Context, raw json.RawMessage) (any, error) {
	if c.r.o.Resend == nil {
		return nil, ErrUnknownCommand
	}
	var args struct {
		FromSeq int64 `json:"from_seq"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &args) != nil || args.FromSeq < 1 {
		return nil, &CommandError{Code: "args", Message: "args.from_seq must be a sequence number from 1", Rejected: true}
	}
	n, err := c.r.o.Resend(ctx, args.FromSeq)
	if err != nil {
		return nil, fmt.Errorf("case-resend: %w", err)
	}
	c.r.Wake()
	return map[string]any{"cases": n}, nil
}

// reject counts a refused payload and answers it, unless there were many.
func (c *commands) reject(topic, name, id, code, text string, err error) {
	if c.r.refuse(topic, code, err) {
		c.reply(name, &topics.Rsp{ID: id, Status: topics.RspRejected, Error: &topics.RspError{Code: code, Message: text}})
	}
}

// reply gives an answer to the current connection, if there is one with room. It
// never blocks: who does not hear the answer asks again.
func (c *commands) reply(name string, rsp *topics.Rsp) {
	out := *rsp
	if out.TS.IsZero() {
		out.TS = topics.At(c.r.o.Now())
	}
	if out.Data == nil {
		out.Data = json.RawMessage(`{}`)
	}
	payload, err := c.r.payload("rsp.v1", &out)
	if err != nil {
		out.Status, out.Data = topics.RspFailed, json.RawMessage(`{}`)
		out.Error = &topics.RspError{Code: "answer", Message: "the answer cannot be sent: " + clip(err.Error(), 512)}
		if payload, err = c.r.payload("rsp.v1", &out); err != nil {
			c.r.o.Log.Error("command.answer_lost", "cmd", name, "err", err)
			return
		}
	}
	s := c.r.session()
	if s == nil {
		return
	}
	select {
	case s.answers <- answer{c.r.o.Names.Rsp(name), payload}:
	default:
		c.r.o.Log.Warn("command.answer_lost", "cmd", name)
	}
}
