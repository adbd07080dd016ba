package report

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/protocol/printable"
	"yuanlu/protocol/topics"
)

// Bounds of commands.
const (
	mostRunning   = 4
	mostKnown     = 64               // finished commands with an effect whose answers are remembered
	mostHarmless  = 32               // the same of those without
	mostKept      = 1 << 19          // bytes of remembered answers
	longestTTL    = 24 * time.Hour   // as in cmd.v1
	acceptAfter   = time.Second / 2  // a command that takes longer is accepted first
	mostAhead     = 5 * time.Minute  // a command from further in the future: the clocks disagree
	commandsTime  = 2 * time.Second  // for running commands when the reporter stops
	deliverWithin = 10 * time.Second // the broker must have the answer after which the process ends
)

// commands checks, runs and answers commands, and remembers their answers.
// Commands outlive the connection they came by: who asks again with the same
// id receives the first answer.
type commands struct {
	r     *Reporter
	taken *taken
	wg    sync.WaitGroup // running commands

	mu      sync.Mutex // guards all below
	ctx     context.Context
	running int
	known   map[string]*invocation // by id
	order   []*invocation          // of known, as they came
}

func newCommands(r *Reporter) *commands {
	return &commands{r: r, taken: newTaken(r), ctx: context.Background(), known: map[string]*invocation{}}
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
		c.r.log.Warn("command.abandoned")
	}
}

// names lists the commands, for up/info.
func (c *commands) names() []string {
	list := append([]string{"ping", "rebirth", "outbox-stat", "case-resend"}, c.r.o.Commands.Names()...)
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
	if err := c.r.check.Decode("cmd.v1", body, &cmd); err != nil {
		c.reject(topic, name, idOf(body), "schema", "not a command as cmd.v1 wants it", err)
		return
	}
	if name == "ping" { // also one whose time cannot be known: it shows that the back office is there
		c.r.echoed(cmd.ID)
	}
	if v := c.find(cmd.ID); v != nil {
		v.answerAgain(name)
		return
	}
	if status, code, text := c.timely(&cmd); status != "" {
		c.r.refuse(topic, code, nil)
		c.reply(name, &topics.Rsp{ID: cmd.ID, Status: status, Error: &topics.RspError{Code: code, Message: text}})
		return
	}
	c.start(name, &cmd)
}

// idOf returns the id a payload seems to have, "" if that is none that may be
// repeated to everybody.
func idOf(payload []byte) string {
	var p struct {
		ID string `json:"id"`
	}
	if len(payload) > 2*topics.MaxMessage || topics.Exact(payload, &p) != nil || !topics.ValidID(p.ID) {
		return ""
	}
	return p.ID
}

// timely returns how to answer a command whose time is over or cannot be known; status is
// "" for any other.
func (c *commands) timely(cmd *topics.Cmd) (status, code, text string) {
	now := c.r.o.Clock.Now()
	ttl := time.Duration(min(max(cmd.TTLS, 0), int64(longestTTL/time.Second))) * time.Second
	switch {
	case !c.r.o.Clock.Synced():
		return topics.RspRejected, "clock", "the clock of the terminal is not trusted, so nobody knows whether the command is still wanted: give the terminal NTP, or set time.trust = \"always\" there"
	case now.After(cmd.TS.Add(ttl)):
		return topics.RspExpired, "expired", "its ttl_s is over"
	case cmd.TS.Sub(now) > mostAhead:
		return topics.RspRejected, "clock", "its ts lies ahead of the terminal's clock"
	}
	return "", "", ""
}

// reject counts a refused payload and answers it, unless there were many.
func (c *commands) reject(topic, name, id, code, text string, err error) {
	if c.r.refuse(topic, code, err) {
		c.reply(name, &topics.Rsp{ID: id, Status: topics.RspRejected, Error: &topics.RspError{Code: code, Message: text}})
	}
}

// reply hands an answer to the current connection, if there is one with room. It
// never blocks: who does not receive the answer asks again.
func (c *commands) reply(name string, rsp *topics.Rsp) { c.replyTo(name, rsp, nil, nil) }

// replyTo is reply; published receives what became of it, unless the connection ends
// before its turn or claimed was set: then it is not to be sent any more.
func (c *commands) replyTo(name string, rsp *topics.Rsp, published chan<- sent, claimed *atomic.Bool) {
	out := *rsp
	if out.TS.IsZero() {
		out.TS = topics.At(c.r.o.Clock.Now())
	}
	if out.Data == nil {
		out.Data = json.RawMessage(`{}`)
	}
	most := topics.MaxMessage
	if spec, _ := topics.CommandOf(name); spec.Paged {
		most = topics.MaxPage
	}
	payload, err := c.r.payloadOf("rsp.v1", &out, most)
	if err != nil {
		out.Status, out.Data = topics.RspFailed, json.RawMessage(`{}`)
		out.Error = &topics.RspError{Code: "answer", Message: "the answer cannot be sent: " + printable.Cut(err.Error(), 512)}
		if payload, err = c.r.payload("rsp.v1", &out); err != nil {
			c.r.log.Error("command.answer_lost", "cmd", name, "err", err)
			return
		}
	}
	s := c.r.session()
	if s == nil {
		return
	}
	channel, _ := topics.ChannelOf("rsp")
	select {
	case s.answers <- answer{channel: channel, topic: c.r.o.Names.Rsp(name), payload: payload, published: published, claimed: claimed}:
	default:
		c.r.log.Warn("command.answer_lost", "cmd", name)
	}
}
