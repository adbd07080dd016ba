package report

import (
	"cmp"
	"context"
	"slices"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/refund"
	"yuanlu/protocol/topics"
)

// What a snapshot and the outbox are as payloads: the one place where the types of the
// agent become those of the wire.

// info returns the payload of up/info on a session.
func (r *Reporter) info(ctx context.Context, session string) topics.Info {
	s := r.o.Terminal.Glance(ctx)
	i := r.o.Info
	i.V, i.TS, i.Session, i.Signed = 1, topics.At(r.o.Clock.Now()), session, len(r.o.Keys) > 0
	i.Schemas, i.Commands = topics.SchemaIDs(), r.commands.names()
	i.Config, i.Clock = topics.InfoConfig{Version: r.o.Config.Version(), Digest: s.Config}, r.clockOf(&s)
	if stat, err := r.o.Terminal.Outbox().OutboxStat(ctx); err == nil { // the snapshot's may be that of a stream before
		i.Stream = stat.Stream
	}
	if i.Program == "" {
		i.Program = "yuanlu"
	}
	if i.Links == nil {
		i.Links = []topics.InfoLink{}
	}
	return i
}

// health returns the payload of up/health on a session, with Outbox where it is known.
func (r *Reporter) health(ctx context.Context, s *health.Snapshot, session string) topics.Health {
	h := topics.Health{V: 1, TS: topics.At(r.o.Clock.Now()), Session: session, IntervalS: max(int(r.o.HealthEvery/time.Second), 1),
		UptimeS: int64(s.Uptime / time.Second), Clock: r.clockOf(s), Links: map[string]topics.HealthLink{},
		Records: s.Counts.Records, Refunds: s.Counts.Refunds, Cases: s.Counts.Cases,
		CertDays: s.CertDays, MemoryBytes: s.Memory, DiskFree: max(s.DiskFree, 0), Goroutines: s.Goroutines}
	status := r.Status()
	h.MQTT = topics.HealthMQTT{Connected: status.Connected, Since: topics.At(status.Since), Reconnects: status.Reconnects,
		Address: status.Address, LastError: status.LastError, Refused: status.Refused}
	for _, l := range s.Links {
		one := topics.HealthLink{State: l.State, FramesGood: l.FramesGood, FramesBad: l.FramesBad, Reopens: l.Reopens}
		one.Verdict, one.Stalls, one.StalledS = l.Verdict, l.Stalls, int64(l.StalledFor/time.Second)
		if l.Line != nil {
			lost := l.Line.Lost()
			one.Overruns = &lost
		}
		if !l.LastFrame.IsZero() {
			ago := max(int64(s.At.Sub(l.LastFrame)/time.Second), 0)
			one.LastFrameS = &ago
		}
		h.Links[l.Name] = one
	}
	h.Verdict, h.Problems = verdictOf(s, status.Problems)
	if stat, err := r.o.Terminal.Outbox().OutboxStat(ctx); err == nil {
		h.Outbox = outboxOf(&stat, r.o.Clock.Now())
	}
	return h
}

// verdictOf returns verdict and problems, the worst first, of a snapshot and of the
// reporter. The snapshot has those of the reporter, and where they stand among others;
// what is newer than the snapshot degrades.
func verdictOf(s *health.Snapshot, ours []health.BrokerProblem) (verdict string, all []topics.Problem) {
	all = []topics.Problem{}
	for _, p := range s.Problems {
		all = append(all, topics.Problem{Code: p.Code, Since: topics.At(p.Since), Text: p.Text.EN})
	}
	var newer []topics.Problem
	for _, p := range ours {
		if !slices.ContainsFunc(s.Problems, func(known health.Problem) bool { return known.Code == p.Code }) {
			newer = append(newer, topics.Problem{Code: p.Code, Since: topics.At(p.Since), Text: p.Text})
		}
	}
	switch {
	case s.Verdict != "" && s.Verdict != health.OK:
		return s.Verdict, append(all, newer...)
	case len(newer) > 0:
		return topics.HealthDegraded, append(newer, all...)
	}
	return topics.HealthOK, all
}

func (r *Reporter) clockOf(s *health.Snapshot) topics.Clock {
	c := topics.Clock{Synced: s.Clock.Synced, Source: r.o.ClockFrom}
	if s.Clock.Synced && c.Source == "kernel" {
		ms := s.Clock.Offset.Milliseconds()
		c.OffsetMS = &ms
	}
	return c
}

func outboxOf(s *refund.OutboxStat, now time.Time) topics.HealthOutbox {
	o := topics.HealthOutbox{Waiting: s.Waiting, Bytes: s.Bytes, LimitBytes: s.LimitBytes, LastSeq: s.LastSeq, SentSeq: s.SentSeq,
		AckedSeq: s.StoredAcked, Unsequenced: s.Unsequenced, Quarantined: s.Quarantined, Dropped: s.Dropped, QuarantinedSeqs: s.Refused}
	if !s.OldestUnacked.IsZero() {
		o.OldestS = max(int64(now.Sub(s.OldestUnacked)/time.Second), 0)
	}
	return o
}

// linkStates returns the payloads of up/link/{name}/state on a session.
func linkStates(s *health.Snapshot, session string) []topics.LinkState {
	var all []topics.LinkState
	for _, l := range s.Links {
		one := topics.LinkState{V: 1, Session: session, Name: l.Name, State: l.State, Since: topics.At(l.Since), Reason: l.Reason,
			Wire: l.Wire, Port: l.Port, FramesGood: l.FramesGood, FramesBad: l.FramesBad, Verdict: l.Verdict, VerdictSince: topics.At(l.VerdictSince), Guard: cmp.Or(l.Guard, "off")}
		if l.Text.EN != "" {
			one.Text = &topics.Text{EN: l.Text.EN, ZH: l.Text.ZH}
		}
		if one.Reason == "" && l.State == topics.StateDegraded {
			one.Reason = l.Text.EN
		}
		if l.Fit != nil && l.Fit.Wire != l.Wire {
			one.Fits = l.Fit.Wire
		}
		all = append(all, one)
	}
	return all
}
