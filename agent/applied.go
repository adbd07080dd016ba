package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/refund"
)

// outcomes are what becomes of records: they are logged and counted, and the reporter is
// woken. The fields before records are not changed after the start.
type outcomes struct {
	merchant string // of this terminal, "" if the configuration does not name it
	clock    *Clock
	log      *slog.Logger
	watch    *slog.Logger // of what only those see who watch
	wake     func()       // of the reporter
	ahead    health.AheadBook

	records atomic.Int64 // since the start
	foreign atomic.Int64 // of them, records of other merchants
}

// take takes what has become durable: cases and records of other merchants are logged,
// and the reporter is woken where there is something to publish.
func (o *outcomes) take(all []refund.Applied) {
	news := false
	for i := range all {
		one := &all[i]
		if one.Sighting != nil { // else it is known, and only its verdict is new
			o.records.Add(1)
			if own := o.merchant; own != "" && one.Record.MerchantID != "" && one.Record.MerchantID != own {
				o.foreign.Add(1)
				o.log.Warn("record.other_merchant", "link", one.Link, "merchant", one.Record.MerchantID)
			}
			o.datedAhead(one.Link, one.Sighting)
			o.watchRecord(one)
		}
		for k := range one.Verdicts {
			o.logVerdict(one.Link, &one.Verdicts[k].Verdict)
		}
		for k := range one.Cases {
			o.logCase(one.Link, &one.Cases[k])
			news = true
		}
		for k := range one.Followed {
			f := &one.Followed[k]
			o.log.Info("case.followed", "case", f.CaseID, "what", f.What, "seq", f.Seq)
			news = true
		}
		if g := one.Integrity; g != nil {
			o.log.Warn("integrity.capture_gap", "link", one.Link, "seq", g.Seq,
				"expected_debit", g.Expected.DebitAmount, "observed_debit", g.Observed.DebitAmount,
				"expected_credit", g.Expected.CreditAmount, "observed_credit", g.Observed.CreditAmount,
				"expected_debits", g.Expected.DebitCount, "observed_debits", g.Observed.DebitCount,
				"expected_credits", g.Expected.CreditCount, "observed_credits", g.Observed.CreditCount)
			news = true
		}
	}
	if news {
		o.wake()
	}
}

// watchRecord shows a record to those who watch, with what was judged of it in the
// same line.
func (o *outcomes) watchRecord(one *refund.Applied) {
	r := &one.Sighting.Record
	attrs := []slog.Attr{slog.String("link", one.Link), slog.String("kind", string(r.Kind)), slog.String("outcome", string(r.Outcome))}
	if r.HasAmount {
		attrs = append(attrs, slog.Int64("amount", r.Amount), slog.String("currency", r.Currency))
	}
	attrs = append(attrs, slog.String("channel", string(r.Channel)), slog.String("shown", shownOf(r.Party)), slog.String("number", numberOf(r)))
	if one.CopyOf != 0 {
		attrs = append(attrs, slog.Bool("again", true))
	}
	for k := range one.Verdicts {
		if v := &one.Verdicts[k].Verdict; v.Seq == one.Seq {
			attrs = append(attrs, slog.String("recipient", string(v.Recipient)))
			if v.Reason != "" {
				attrs = append(attrs, slog.String("reason", v.Reason))
			}
		}
	}
	o.watch.LogAttrs(context.Background(), slog.LevelInfo, logbook.RecordCode, attrs...)
}

func (o *outcomes) logVerdict(link string, v *refund.Verdict) {
	o.log.Debug("refund.judged", "link", link, "seq", v.Seq, "rev", v.Rev, "kind", v.Kind, "recipient", v.Recipient,
		"reason", v.Reason, "evidence", v.Evidence, "decision", v.Decision)
}

// logCase writes the line of cli.md.
func (o *outcomes) logCase(link string, c *refund.CaseChange) {
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
	if c.Refund.HasAmount {
		attrs = append(attrs, slog.Int64("amount", c.Refund.Amount), slog.String("currency", c.Refund.Currency))
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
	attrs = append(attrs, slog.String("severity", c.Severity.String()), slog.String("kind", string(c.Refund.Kind)), slog.String("link", link))
	o.log.LogAttrs(context.Background(), level, code, attrs...)
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

// numberOf is the number on the receipt of a record: of a refund its own.
func numberOf(r *refund.Record) string {
	if r.Kind.Judged() {
		return refundName(r)
	}
	for _, n := range []string{r.RRN, r.OrderNo, r.ChannelTxn} {
		if n != "" {
			return n
		}
	}
	return refundName(r)
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
func (o *outcomes) datedAhead(link string, s *refund.Sighting) {
	lead, ok := s.Lead()
	if !ok || lead <= refund.FutureAfter && (s.Record.Copy != "" || lead < -refund.FutureAfter) {
		return
	}
	by := health.Ahead{Link: link, Merchant: s.Record.MerchantID, Terminal: s.Record.TerminalID, Lead: lead, Since: s.Received}
	begins, ends := o.ahead.Take(by)
	log := o.log.With(slog.String("link", by.Link), slog.String("merchant", by.Merchant), slog.String("terminal", by.Terminal))
	switch {
	case begins:
		log.Warn("records.in_future", "ahead", lead.Round(time.Second))
	case ends:
		log.Info("records.in_time")
	}
	if begins || ends {
		o.wake()
	}
}

// storedAhead looks at the newest records of a store that was opened, for what an
// earlier run has seen. If the clock was ahead then, a time of reception may lie in the
// future: now counts instead.
func (o *outcomes) storedAhead(ctx context.Context, db *ledger.DB) {
	if !o.clock.Synced() {
		return
	}
	now := o.clock.Now()
	for r, err := range db.Latest(ctx) {
		if err != nil {
			return // the next reader meets the same error and reports it
		}
		s := refund.Sighting{Record: r.Record, Received: r.Received, ClockSynced: r.ClockSynced, AtFromClock: r.AtFromClock}
		if s.Received.After(now) {
			s.Received = now
		}
		o.datedAhead(r.Link, &s)
	}
}
