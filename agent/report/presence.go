package report

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/health"
	"yuanlu/agent/refund"
	"yuanlu/protocol/topics"
)

// Times of presence.
const (
	lookEvery    = 2 * time.Second // least time between two looks for changes
	summaryEvery = 2 * time.Second // least time between two summaries
	presenceBeat = beat.Every      // longest sleep, for the watchdog
)

// presence publishes what is retained: state, info, health, links, summary,
// configuration. It is one goroutine; one message at a time.
type presence struct {
	s       *session
	reached bool              // the state was published and acknowledged, on a connection that lets things down
	state   string            // as last published
	reason  string            // likewise
	since   topics.Time       // of state
	links   map[string]string // name → state and reason as last published
	summary []byte            // as last published, without its time
	config  []byte            // likewise

	health      time.Time // when health is due, by timers
	nextLook    time.Time // likewise
	nextSummary time.Time // likewise
	planned     bool
}

func newPresence(s *session) *presence {
	return &presence{s: s, links: map[string]string{}}
}

// run publishes everything, and then what changes, until ctx or the connection ends.
func (p *presence) run(ctx context.Context) {
	for err := p.publishAll(ctx); err == nil; err = p.turn(ctx) {
		p.s.presenceBeat.Store(time.Now().UnixNano())
	}
}

// publishAll publishes everything but the state, which is published before: on connecting
// and on the command rebirth.
func (p *presence) publishAll(ctx context.Context) error {
	p.health = time.Now().Add(p.s.r.healthJitter())
	clear(p.links)
	p.summary, p.config = nil, nil
	for _, publish := range []func(context.Context) error{p.publishInfo, p.publishConfig, p.publishLinks, p.publishHealth, p.publishSummary} {
		if err := publish(ctx); err != nil {
			return err
		}
	}
	p.nextLook = time.Now().Add(lookEvery)
	return nil
}

// healthJitter is the interval ± 10 %: terminals started together must not
// speak together.
func (r *Reporter) healthJitter() time.Duration {
	return time.Duration(float64(r.o.HealthEvery) * (0.9 + 0.2*r.o.Rand()))
}

// turn waits for something to publish and publishes it.
func (p *presence) turn(ctx context.Context) error {
	now := time.Now()
	wait := min(beat.In(now, presenceBeat), p.health.Sub(now))
	if p.planned {
		wait = min(wait, p.nextLook.Sub(now))
	}
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	wake := p.s.r.wakePresence
	if p.planned {
		wake = nil // a look is planned already
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.s.conn.Done():
		return errEnded
	case <-p.s.republish:
		if err := p.publishState(ctx); err != nil {
			return err
		}
		return p.publishAll(ctx)
	case <-wake:
		p.planned = true
		return nil
	case <-timer.C:
	}
	now = time.Now()
	if !now.Before(p.health) {
		p.health = now.Add(p.s.r.healthJitter())
		return p.tick(ctx)
	}
	if p.planned && !now.Before(p.nextLook) {
		return p.look(ctx)
	}
	return nil
}

// tick is the regular round: state again, health, links, summary.
func (p *presence) tick(ctx context.Context) error {
	clear(p.links)
	for _, publish := range []func(context.Context) error{p.publishState, p.publishHealth, p.publishLinks, p.publishSummary, p.publishConfig} {
		if err := publish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// look publishes what has changed since it was last published.
func (p *presence) look(ctx context.Context) error {
	now := time.Now()
	p.planned, p.nextLook = false, now.Add(lookEvery)
	s := p.s.r.o.Terminal.Glance(ctx)
	if state, _ := p.current(&s); state != p.state {
		if err := p.publishState(ctx); err != nil {
			return err
		}
		if err := p.publishHealth(ctx); err != nil {
			return err
		}
	}
	if err := p.publishLinksOf(ctx, &s); err != nil {
		return err
	}
	if err := p.publishConfig(ctx); err != nil {
		return err
	}
	if now.Before(p.nextSummary) {
		p.planned, p.nextLook = true, p.nextSummary
		return nil
	}
	return p.publishSummary(ctx)
}

// send checks and sends one payload of a channel. A payload that breaks its own
// schema or is too large stays here and is logged; only the
// connection's end is an error.
func (p *presence) send(ctx context.Context, name, topic string, v any) error {
	channel, _ := topics.ChannelOf(name)
	payload, err := p.s.r.payload(channel.Schema, v)
	if err != nil {
		p.s.r.log.Error("report.unfit", "what", name, "err", err)
		return nil
	}
	return p.s.publish(ctx, channel, topic, payload)
}

// current derives the state from health and readiness.
func (p *presence) current(s *health.Snapshot) (state, reason string) {
	verdict, problems := verdictOf(s, p.s.r.Status().Problems)
	switch {
	case !s.Ready:
		return topics.StateStarting, "start"
	case verdict == topics.HealthOK:
		return topics.StateOnline, ""
	case len(problems) > 0:
		return topics.StateDegraded, problems[0].Code
	}
	return topics.StateDegraded, verdict
}

// publishState publishes the state; first on every connection.
func (p *presence) publishState(ctx context.Context) error {
	s := p.s.r.o.Terminal.Glance(ctx)
	state, reason := p.current(&s)
	if reason == "" {
		reason = p.goodReason(state)
	}
	err := p.publish(ctx, state, reason)
	if err != nil {
		return err
	}
	p.s.r.firstPublished.Store(true)
	if p.s.granted.Load() && !p.reached {
		p.reached = true
		p.s.r.o.Config.BrokerReached()
	}
	return nil
}

// goodReason is why the state is online: what has led to it.
func (p *presence) goodReason(state string) string {
	switch {
	case state == p.state:
		return p.reason
	case !p.s.r.firstPublished.Load(), p.state == topics.StateStarting:
		return "start"
	case p.state == "":
		return "reconnect"
	}
	return "recovered"
}

func (p *presence) publish(ctx context.Context, state, reason string) error {
	now := topics.At(p.s.r.o.Clock.Now())
	if state != p.state {
		p.state, p.since = state, now
	}
	p.reason = reason
	return p.send(ctx, "state", p.s.r.o.Names.State(),
		&topics.State{V: 1, State: state, Session: p.s.id, Since: p.since, Reason: reason, TS: now})
}

// publishOffline publishes offline, and that of every link: else what is retained of them
// would stay online. (If the agent is lost instead, it cannot; that is why a
// link's state bears the session.)
func (p *presence) publishOffline(ctx context.Context) error {
	if err := p.publish(ctx, topics.StateOffline, "stop"); err != nil {
		return err
	}
	return p.linksGone(ctx, nil, "stop")
}

func (p *presence) publishInfo(ctx context.Context) error {
	info := p.s.r.info(ctx, p.s.id)
	return p.send(ctx, "info", p.s.r.o.Names.Info(), &info)
}

func (p *presence) publishHealth(ctx context.Context) error {
	s := p.s.r.o.Terminal.Glance(ctx)
	h := p.s.r.health(ctx, &s, p.s.id)
	return p.send(ctx, "health", p.s.r.o.Names.Health(), &h)
}

// publishLinks publishes the links whose state or reason is not the one last published,
// and offline for those that are gone.
func (p *presence) publishLinks(ctx context.Context) error {
	s := p.s.r.o.Terminal.Glance(ctx)
	return p.publishLinksOf(ctx, &s)
}

func (p *presence) publishLinksOf(ctx context.Context, s *health.Snapshot) error {
	there := map[string]bool{}
	for _, link := range linkStates(s, p.s.id) {
		there[link.Name] = true
		said := saidOf(&link)
		if p.links[link.Name] == said || topics.CheckPart(link.Name) != nil {
			continue
		}
		if err := p.send(ctx, "link", p.s.r.o.Names.LinkState(link.Name), &link); err != nil {
			return err
		}
		p.links[link.Name] = said
		p.s.r.rememberLink(&link)
	}
	return p.linksGone(ctx, there, "removed")
}

// saidOf is what of a link is published at once when it changes; the rest goes with the
// next regular round.
func saidOf(l *topics.LinkState) string {
	said := l.State + "\x00" + l.Verdict + "\x00" + l.Fits
	if l.Text == nil || l.Reason != l.Text.EN { // that one counts on and on
		said += "\x00" + l.Reason
	}
	return said
}

// linksGone publishes offline, and why, for every link that was published and is not there
// any more: every payload is JSON, also the last.
func (p *presence) linksGone(ctx context.Context, there map[string]bool, why string) error {
	for _, link := range p.s.r.goneLinks(there) {
		link.State, link.Since, link.Reason, link.Session = topics.StateOffline, topics.At(p.s.r.o.Clock.Now()), why, p.s.id
		if err := p.send(ctx, "link", p.s.r.o.Names.LinkState(link.Name), &link); err != nil {
			return err
		}
		p.s.r.forgetLink(link.Name)
	}
	return nil
}

// publishSummary publishes the summary if it is not the one last published. It is made of
// what the store holds: no power cut takes back an acked_seq that was published. What is acknowledged
// and not stored yet is looked at again.
func (p *presence) publishSummary(ctx context.Context) error {
	p.nextSummary = time.Now().Add(summaryEvery)
	if trace := p.s.r.trace.Swap(nil); trace != nil { // before what shows it is written over
		p.s.rolledBack(ctx, *trace)
		if p.s.r.trace.Load() != nil {
			return ctx.Err()
		}
	}
	stat, err := p.s.r.o.Terminal.Outbox().OutboxStat(ctx)
	if err != nil {
		return ctx.Err()
	}
	if stat.StoredAcked < stat.AckedSeq && !p.planned {
		p.planned, p.nextLook = true, p.nextSummary
	}
	sum := topics.CaseSummary{V: 1, Stream: stat.Stream, LastSeq: stat.LastSeq, AckedSeq: stat.StoredAcked, Open: map[string]int{},
		QuarantinedSeqs: stat.Refused, Before: stat.Before}
	for _, sev := range []refund.Severity{refund.Critical, refund.High, refund.Medium} {
		sum.Open[sev.String()] = stat.Open[sev]
	}
	if d := stat.Days; d != nil {
		sum.Days = &topics.SummaryDays{Stream: d.Stream, LastSeq: d.LastSeq, AckedSeq: d.AckedSeq}
	}
	if !stat.OldestUnacked.IsZero() {
		t := topics.At(stat.OldestUnacked)
		sum.OldestUnacked = &t
	}
	plain, err := json.Marshal(&sum)
	if err != nil || bytes.Equal(plain, p.summary) {
		return err
	}
	sum.TS = topics.At(p.s.r.o.Clock.Now())
	if err := p.send(ctx, "caseSummary", p.s.r.o.Names.CaseSummary(), &sum); err != nil {
		return err
	}
	p.summary = plain
	p.s.r.summaryDone.Store(true)
	return nil
}

// publishConfig publishes the configuration in force if it is not the one last published.
func (p *presence) publishConfig(ctx context.Context) error {
	c, ok := p.s.r.o.Config.Report()
	if !ok {
		return nil
	}
	c.V = 1
	plain, err := json.Marshal(&c)
	if err != nil || bytes.Equal(plain, p.config) {
		return err
	}
	c.TS = topics.At(p.s.r.o.Clock.Now())
	if err := p.send(ctx, "config", p.s.r.o.Names.Config(), &c); err != nil {
		return err
	}
	p.config = plain
	return nil
}
