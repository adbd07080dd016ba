package agent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// applier is the store as the links use it: what becomes durable is logged and reported
// once the link has its answer.
type applier struct {
	a  *Agent
	db *ledger.DB
}

// Submit implements ingest.Applier.
func (s applier) Submit(arrivals []refund.Arrival, done func([]refund.Applied, error)) {
	s.db.Submit(arrivals, func(applied []refund.Applied, err error) {
		if err == nil || errors.Is(err, ledger.ErrUnavailable) {
			s.a.storeResult(err)
		}
		if done(applied, err); err == nil {
			s.a.applied(applied)
		}
	})
}

// applied says what has become durable: cases in the log, a word about records of
// other merchants, and to the reporter that there is something to send.
func (a *Agent) applied(all []refund.Applied) {
	records, foreign := int64(0), int64(0)
	tell := false
	for i := range all {
		one := &all[i]
		if one.Sighting != nil { // else it is known, and only its verdict is new
			records++
			if own := a.o.Config.Terminal.MerchantID; own != "" && one.Record.MerchantID != "" && one.Record.MerchantID != own {
				foreign++
				a.log.Warn("record.other_merchant", "link", one.Link, "merchant", one.Record.MerchantID)
			}
			a.datedAhead(one.Link, one.Sighting)
		}
		for k := range one.Verdicts {
			a.logVerdict(one.Link, &one.Verdicts[k].Verdict)
		}
		for k := range one.Cases {
			a.logCase(one.Link, &one.Cases[k])
			tell = true
		}
		if g := one.Integrity; g != nil {
			a.log.Warn("integrity.capture_gap", "link", one.Link, "seq", g.Seq,
				"expected_debit", g.Expected.DebitAmount, "observed_debit", g.Observed.DebitAmount,
				"expected_credit", g.Expected.CreditAmount, "observed_credit", g.Observed.CreditAmount,
				"expected_debits", g.Expected.DebitCount, "observed_debits", g.Observed.DebitCount,
				"expected_credits", g.Expected.CreditCount, "observed_credits", g.Observed.CreditCount)
			tell = true
		}
	}
	a.mu.Lock()
	a.records += records
	a.foreign += foreign
	a.mu.Unlock()
	if tell {
		a.wake()
	}
}

func (a *Agent) logVerdict(link string, v *refund.Verdict) {
	a.log.Debug("refund.judged", "link", link, "seq", v.Seq, "rev", v.Rev, "kind", v.Kind, "recipient", v.Recipient,
		"reason", v.Reason, "evidence", v.Evidence, "decision", v.Decision)
}

// logCase writes the line of cli.md.
func (a *Agent) logCase(link string, c *refund.CaseChange) {
	code, level := "case.opened", slog.LevelWarn
	switch c.Type {
	case refund.CaseRevised:
		code = "case.revised"
	case refund.CaseCleared:
		code, level = "case.cleared", slog.LevelInfo
	}
	v := &c.Judged.Verdict
	attrs := []slog.Attr{
		slog.String("case", c.CaseID), slog.String("refund", refundName(&c.Refund)),
		slog.String("recipient", string(v.Recipient)), slog.String("shown", shownOf(c.Refund.Party)),
	}
	if c.Original != nil {
		attrs = append(attrs, slog.String("payer", shownOf(c.Original.Party)))
	}
	if v.Reason != "" {
		attrs = append(attrs, slog.String("reason", v.Reason))
	}
	if len(v.Findings) > 0 {
		attrs = append(attrs, slog.String("finding", v.Findings[0].Code))
	}
	attrs = append(attrs, slog.String("severity", c.Severity.String()), slog.String("link", link))
	a.log.LogAttrs(context.Background(), level, code, attrs...)
}

// refundName is the number that people know a refund by.
func refundName(r *refund.Record) string {
	for _, n := range []string{r.RefundNo, r.RRN, r.ChannelRefund} {
		if n != "" {
			return n
		}
	}
	if r.Stan != "" {
		return r.Batch + "/" + r.Stan
	}
	return "-"
}

func shownOf(p *refund.Party) string {
	switch {
	case p == nil:
		return "-"
	case p.Shown != "":
		return p.Shown
	case p.Text != "":
		return p.Text
	}
	return string(p.Scheme)
}

// datedAhead looks at how a record that has just come is dated. One of the past ends
// nothing: a copy, or a batch that is printed again.
func (a *Agent) datedAhead(link string, s *refund.Sighting) {
	lead, ok := s.Lead()
	if !ok || lead <= refund.FutureAfter && (s.Record.Copy != "" || lead < -refund.FutureAfter) {
		return
	}
	by := health.Ahead{Link: link, Merchant: s.Record.MerchantID, Terminal: s.Record.TerminalID, Lead: lead, Since: s.Received}
	begins, ends := a.ahead.Take(by)
	log := a.log.With(slog.String("link", by.Link), slog.String("merchant", by.Merchant), slog.String("terminal", by.Terminal))
	switch {
	case begins:
		log.Warn("records.in_future", "ahead", lead.Round(time.Second))
	case ends:
		log.Info("records.in_time")
	}
	if begins || ends {
		a.wake()
	}
}

// storedAhead looks at the newest records of a store that was opened, for what an
// earlier run has seen. One that stamped its receptions with the times of its records
// is seen through, too: nothing was received after now.
func (a *Agent) storedAhead(ctx context.Context, db *ledger.DB) {
	if !a.clock.Synced() {
		return
	}
	now := a.clock.Now()
	for r, err := range db.Latest(ctx) {
		if err != nil {
			return // the next reader meets the same error and reports it
		}
		s := refund.Sighting{Record: r.Record, Received: r.Received, ClockSynced: r.ClockSynced, AtFromClock: r.AtFromClock}
		if s.Received.After(now) {
			s.Received = now
		}
		a.datedAhead(r.Link, &s)
	}
}

// maxEvents is how many events may wait for the store.
const maxEvents = 64

// Event queues an event for the back office (topics.md, up/event). It
// never waits and never fails: what cannot be queued stands in the log.
func (a *Agent) Event(name, subject string, attrs ...slog.Attr) {
	data := map[string]any{}
	for _, one := range attrs {
		switch v := one.Value.Resolve(); v.Kind() {
		case slog.KindInt64:
			data[one.Key] = v.Int64()
		case slog.KindBool:
			data[one.Key] = v.Bool()
		default:
			data[one.Key] = v.String()
		}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return
	}
	n := refund.Notice{Type: name, Subject: subject, Time: a.clock.Now(), ClockSynced: a.clock.Synced(),
		Class: refund.NoticeEvent, Data: raw}
	select {
	case a.events <- n:
	default:
		a.log.Warn("event.lost", "event", name, "why", "too many wait")
	}
}

// queueEvents stores events as they come. One that finds the store unavailable is
// tried again until the store works or the agent stops.
func (a *Agent) queueEvents(ctx context.Context, db *ledger.DB) error {
	for {
		select {
		case n := <-a.events:
			for err := db.AddEvent(ctx, n); err != nil; err = db.AddEvent(ctx, n) {
				if !errors.Is(err, ledger.ErrUnavailable) || !sleep(ctx, time.Second) {
					a.log.Warn("event.lost", "event", n.Type, "err", err)
					break
				}
			}
			a.wake()
		case <-ctx.Done():
			return nil
		}
	}
}
