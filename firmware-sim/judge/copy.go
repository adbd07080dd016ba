package judge

import (
	"time"

	"yuanlu/firmware-sim/wire"
)

// copyOf returns the event that a record repeats, nil if none: verdicts.md § 1.3.
func (b *Book) copyOf(r *wire.Record) *event {
	if r.Kind == "journal" || !usable(r, true) {
		return nil
	}
	var hits []*event
	for _, e := range b.sharing(r) {
		if e.Kind == r.Kind && e.MerchantID == r.MerchantID && !(noMoney(e.Outcome) && !noMoney(r.Outcome)) && sameEvent(&e.Record, r) {
			hits = append(hits, e)
		}
	}
	return latest(hits)
}

// sameEvent reports whether two records of a kind are of one event, by the first number that
// both state.
func sameEvent(e, r *wire.Record) bool {
	both := func(a, b string) bool { return a != "" && b != "" }
	channel := sameChannel(e.Channel, r.Channel)
	switch {
	case judged(r.Kind) && channel && both(e.ChannelRefund, r.ChannelRefund):
		return e.ChannelRefund == r.ChannelRefund
	case judged(r.Kind) && both(e.RefundNo, r.RefundNo):
		return e.RefundNo == r.RefundNo
	case isSale(r.Kind) && channel && both(e.ChannelTxn, r.ChannelTxn):
		return e.ChannelTxn == r.ChannelTxn
	case isSale(r.Kind) && channel && wallet(r.Channel) && both(e.OrderNo, r.OrderNo):
		return e.OrderNo == r.OrderNo
	}
	if e.Batch == "" || e.Stan == "" || e.TerminalID != r.TerminalID || e.Batch != r.Batch || e.Stan != r.Stan || e.Amount != r.Amount {
		return false
	}
	apart := r.At.Sub(e.At).Abs()
	if r.Copy == "" {
		return apart <= 72*time.Hour
	}
	return apart <= 180*24*time.Hour && (e.RRN == r.RRN || e.RRN == "" || r.RRN == "")
}

// complete adds to an event what a copy states: verdicts.md § 1.3.
func complete(e, c *wire.Record) {
	if mayBecome(e, c.Outcome) {
		e.Outcome = c.Outcome
		if c.RefundRoute != "" {
			e.RefundRoute = c.RefundRoute
		}
		if stated(&c.Party) {
			e.Party = c.Party
		}
	}
	for _, m := range [][2]*string{{&e.TerminalID, &c.TerminalID}, {&e.Currency, &c.Currency}, {&e.Stan, &c.Stan}, {&e.Batch, &c.Batch}, {&e.RRN, &c.RRN},
		{&e.OrderNo, &c.OrderNo}, {&e.ChannelTxn, &c.ChannelTxn}, {&e.RefundNo, &c.RefundNo}, {&e.ChannelRefund, &c.ChannelRefund}, {&e.RefundRoute, &c.RefundRoute}} {
		if *m[0] == "" {
			*m[0] = *m[1]
		}
	}
	eo, co := &e.Original, &c.Original
	for _, m := range [][2]*string{{&eo.Stan, &co.Stan}, {&eo.Batch, &co.Batch}, {&eo.Date, &co.Date}, {&eo.RRN, &co.RRN}, {&eo.OrderNo, &co.OrderNo},
		{&eo.ChannelTxn, &co.ChannelTxn}, {&eo.TerminalID, &co.TerminalID}} {
		if !given(*m[0]) && given(*m[1]) {
			*m[0] = *m[1]
		}
	}
	if !known(e.Channel) {
		e.Channel = c.Channel
	}
	if e.Entry == "" || e.Entry == "none" {
		e.Entry = c.Entry
	}
	if e.Amount == 0 {
		e.Amount = c.Amount
	}
	if e.PayerAmount == nil && c.PayerAmount != nil && *c.PayerAmount <= e.Amount {
		e.PayerAmount = c.PayerAmount
	}
	if e.Totals == nil {
		e.Totals = c.Totals
	}
	completeParty(&e.Party, &c.Party)
}

// mayBecome reports whether a copy changes the outcome. What was paid stays a sale.
func mayBecome(e *wire.Record, outcome string) bool {
	switch e.Outcome {
	case "unknown", "pending", "abnormal":
		return outcome != e.Outcome
	case "approved":
		return !isSale(e.Kind) && (outcome == "closed" || outcome == "abnormal")
	}
	return false
}

func completeParty(e, c *wire.Party) {
	switch {
	case c.IsZero():
	case e.IsZero(), !stated(e) && stated(c):
		*e = *c
	case schemeOf(e.Scheme, e.ID) == schemeOf(c.Scheme, c.ID) && e.Namespace == c.Namespace && idOf(e.Scheme, e.ID) == idOf(c.Scheme, c.ID):
		if e.PAR == "" {
			e.PAR = c.PAR
		}
		if e.Text == "" {
			e.Text = c.Text
		}
		if len(e.Also) == 0 {
			e.Also = c.Also
		}
	}
}

// stated reports whether a party is more than scheme none.
func stated(p *wire.Party) bool {
	return schemeOf(p.Scheme, p.ID) != "none" || p.PAR != "" || len(p.Also) > 0
}
