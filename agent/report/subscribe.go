package report

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// filter is a subscription of the terminal.
type filter struct {
	name  string
	take  func(topic string, payload []byte, retained bool)
	grant func() // nil: nothing waits for it
	spare bool   // what it brings comes by another, too: a refusal is no problem
}

// filters are all subscriptions but that of the terminal's own summary.
//
// dn/config has a filter of its own besides dn/#, because some brokers (RabbitMQ) give
// what is retained to exact filters only.
func (s *session) filters() []filter {
	names := s.r.o.Names
	all := func(topic string, payload []byte, retained bool) {
		if !s.exact.Load() || topic != names.DesiredConfig() {
			s.receive(topic, payload, retained)
		}
	}
	list := []filter{
		{name: names.DownFilter(), take: all, grant: func() { s.granted.Store(true) }},
		{name: names.DesiredConfig(), take: s.receive, grant: func() { s.exact.Store(true) }, spare: true},
	}
	if s.r.o.HostID != "" {
		list = append(list, filter{name: names.HostState(s.r.o.HostID), take: s.receive})
	}
	return list
}

// subscribe asks for all that comes down; false: the connection has ended. A refusal is
// an event and a problem, nothing more (topics.md rule 3), and is asked for again.
//
// The terminal's own summary shows whether the store was put back from an old copy; many
// access lists do not let it be read, and then nothing is amiss.
func (s *session) subscribe(ctx context.Context) bool {
	if !s.ask(ctx, s.filters()) {
		return false
	}
	return s.readSummary(ctx)
}

// ask subscribes to these filters, and keeps those that the broker refuses; false: the
// connection has ended.
func (s *session) ask(ctx context.Context, list []filter) bool {
	s.refused = nil
	for _, f := range list {
		err := s.conn.Subscribe(ctx, f.name, f.take)
		switch {
		case err == nil && f.grant != nil:
			f.grant()
		case err == nil:
		case ctx.Err() != nil || s.conn.Err() != nil:
			return false
		case f.spare:
			s.refused = append(s.refused, f)
			s.r.log.Info("mqtt.exact_refused", "filter", f.name, "err", err)
		default:
			s.refused = append(s.refused, f)
			s.refuse(f.name, err)
		}
	}
	if !s.lacks() {
		s.r.problems.clear("subscription_refused")
	}
	return true
}

// lacks reports whether something that the broker refused does not come by another filter.
func (s *session) lacks() bool {
	return slices.ContainsFunc(s.refused, func(f filter) bool { return !f.spare })
}

func (s *session) refuse(filter string, err error) {
	if s.r.problems.set("subscription_refused", "the broker refused "+filter+": acknowledgements and commands do not arrive; check its access list", 0) {
		s.r.log.Warn("mqtt.subscription_refused", "filter", filter, "err", err)
		s.r.o.Terminal.Event("subscription.refused", "mqtt", slog.String("filter", filter))
	}
}

// How long a refused filter waits until it is asked for again: it doubles.
const (
	firstRefused = 15 * time.Second
	mostRefused  = 10 * time.Minute
)

// subscribeAgain asks again for what the broker refused, until nothing is lacking or ctx ends. A
// broker refuses not only by its access list: a cluster that has no quorum refuses for as long,
// keeps the connection, and would never bring an acknowledgement on it.
func (s *session) subscribeAgain(ctx context.Context) {
	for wait := firstRefused; s.lacks(); wait = min(2*wait, mostRefused) {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		before := len(s.refused)
		if !s.ask(ctx, s.refused) {
			return
		}
		if len(s.refused) < before {
			s.r.log.Info("mqtt.subscribed_late", "filters", before-len(s.refused))
			s.republish.set() // what this terminal says of itself is no longer degraded
		}
	}
}

// readSummary asks for the terminal's own case summary, until a broker has taken one of
// this process: what is retained since is our own. A broker that ends the connection for it
// is not asked again.
func (s *session) readSummary(ctx context.Context) bool {
	if s.r.summaryDone.Load() {
		return true
	}
	err := s.conn.Subscribe(ctx, s.r.o.Names.CaseSummary(), s.receive)
	if err == nil {
		return true
	}
	ended := s.conn.Err() != nil
	if ctx.Err() == nil {
		s.r.summaryDone.Store(true)
		s.r.log.Info("mqtt.summary_unreadable", "err", err)
	}
	return !ended
}
