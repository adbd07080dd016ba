package refund

import "time"

// How far apart two sightings of one terminal number may lie (verdicts.md § 1.3, third line).
const (
	repeatWithin = 72 * time.Hour       // the firmware does not call it a repeat
	copyWithin   = 180 * 24 * time.Hour // it does
)

// FlawNoAmount is the flaw of a record that had to state an amount and states none.
const FlawNoAmount = "amount is not stated"

// maxAmount is the greatest amount that 12 digits hold (verdicts.md § 1.2).
const maxAmount = 999_999_999_999

// unusable returns why a record's values are impossible (verdicts.md § 1.2), "" if it is usable.
// A training record is judged like any other; callers leave those out before. The
// record of an event is judged as what it was when it was first seen.
func unusable(r *Record) string { return flawOf(r, mayLackAmount(r)) }

// unusableAsCopy is unusable of a record that may be another sighting of a known
// event: that need not state the amount again.
func unusableAsCopy(r *Record) string { return flawOf(r, true) }

// mayLackAmount reports whether a record is usable without an amount: a void is of
// its original's amount, and a refund that was first seen without an answer is of 0
// until a copy states one.
func mayLackAmount(r *Record) bool {
	return r.Kind.IsVoid() || r.Kind == KindRefund && (r.LateAmount || r.Outcome == Unknown || r.Outcome == Pending)
}

func flawOf(r *Record, mayLackAmount bool) string {
	switch r.Kind {
	case KindSale, KindRefund, KindVoid, KindPreauth, KindPreauthVoid, KindCompletion, KindCompletionVoid, KindAdjust:
		switch {
		case r.HasAmount && r.Amount <= 0:
			return "amount is not positive"
		case r.Amount > maxAmount:
			return "amount has more than 12 digits"
		case r.HasPayerAmount && (r.PayerAmount < 0 || r.PayerAmount > r.Amount):
			return "payer_amount is not between 0 and amount"
		case !r.HasAmount && !mayLackAmount:
			return FlawNoAmount
		}
	}
	if r.Party != nil && r.Party.Flaw != "" {
		return "card number: " + r.Party.Flaw
	}
	if r.Currency != "" && !isCurrencyCode(r.Currency) && r.Kind != KindSettlement {
		return "currency is not three capital letters"
	}
	if r.Kind != KindJournal {
		if _, ok := r.Time(); !ok {
			return "at is absent or not a time"
		}
	}
	return ""
}

func isCurrencyCode(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// noMoneyMoved reports whether an outcome means that nothing was paid (verdicts.md § 1.4).
func noMoneyMoved(o Outcome) bool { return o == Declined || o == Closed }

// moneyMayMove reports whether an outcome counts against the original (verdicts.md § 1.4).
func moneyMayMove(o Outcome) bool { return o == Approved || o == Unknown || o == Pending }

func isWallet(c Channel) bool {
	return c == ChannelWeChat || c == ChannelAlipay || c == ChannelUnionPayQR || c == ChannelJD || c == ChannelECNY
}

func channelKnown(c Channel) bool { return c != "" && c != ChannelUnknown }

func sameChannel(a, b Channel) bool {
	return a == b || !channelKnown(a) && !channelKnown(b)
}

// sameEvent reports whether a later record is another sighting of an event (verdicts.md § 1.3).
// Both are usable and of this journal. The first line that both can answer decides.
func sameEvent(e, later *Record) bool {
	if e.Kind != later.Kind || e.MerchantID != later.MerchantID {
		return false
	}
	if noMoneyMoved(e.Outcome) && !noMoneyMoved(later.Outcome) {
		return false // a second try under the same number
	}
	channel := sameChannel(e.Channel, later.Channel)
	switch {
	case e.Kind == KindJournal:
		return false
	case e.Kind == KindSettlement: // verdicts.md § 6, last sentence
		return e.TerminalID == later.TerminalID && e.Batch == later.Batch && e.Stan == later.Stan
	case e.Kind.Judged():
		if channel && e.ChannelRefund != "" && later.ChannelRefund != "" {
			return e.ChannelRefund == later.ChannelRefund
		}
		if e.RefundNo != "" && later.RefundNo != "" {
			return e.RefundNo == later.RefundNo
		}
	case e.Kind.IsSale():
		if channel && e.ChannelTxn != "" && later.ChannelTxn != "" {
			return e.ChannelTxn == later.ChannelTxn
		}
		if channel && isWallet(e.Channel) && e.OrderNo != "" && later.OrderNo != "" {
			return e.OrderNo == later.OrderNo
		}
	}
	return sameNumber(e, later)
}

// sameNumber is the third line of verdicts.md § 1.3. An absent amount equals another absent one.
func sameNumber(e, later *Record) bool {
	if !sameStan(e, later) || e.HasAmount != later.HasAmount || e.Amount != later.Amount {
		return false
	}
	a, _ := e.Time()
	b, _ := later.Time()
	apart := b.Sub(a).Abs()
	if later.Copy == "" {
		return apart <= repeatWithin
	}
	return apart <= copyWithin && (e.RRN == later.RRN || e.RRN == "" || later.RRN == "")
}

// sameStan reports whether both are number stan of the same batch and terminal.
func sameStan(a, b *Record) bool {
	return a.Stan != "" && a.Batch != "" && a.Stan == b.Stan && a.Batch == b.Batch && a.TerminalID == b.TerminalID
}

// copyOf returns the event that r is another sighting of, nil if it is a first one.
// Of several, the latest.
func copyOf(events []*Event, r *Record) *Event {
	var best *Event
	for _, e := range events {
		if e.Record.Kind != r.Kind || e.Record.Training || !sameEvent(&e.Record, r) || !mayHaveCopies(&e.Record) {
			continue
		}
		if best == nil || later(e, best) {
			best = e
		}
	}
	return best
}

// mayHaveCopies reports whether others can be sightings of the same event. A spoilt
// settlement still closes its batch, and counts once (verdicts.md § 6).
func mayHaveCopies(r *Record) bool { return r.Kind == KindSettlement || unusable(r) == "" }

// later is the contract's "latest": greatest `at`, then greatest seq.
func later(a, b *Event) bool {
	ta, _ := a.Record.Time()
	tb, _ := b.Record.Time()
	if c := ta.Compare(tb); c != 0 {
		return c > 0
	}
	return a.Seq > b.Seq
}

// latest returns the latest of the events, nil if there is none.
func latest(events []*Event) *Event {
	var best *Event
	for _, e := range events {
		if best == nil || later(e, best) {
			best = e
		}
	}
	return best
}
