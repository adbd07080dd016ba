package ingest

import (
	"slices"
	"strconv"
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/protocol/smart"
)

// tradeRefund is what is known of one refund of an Alipay trade, completed as in
// verdicts.md § 1.3.
type tradeRefund struct {
	no      string // hash of its refund_no; noNumber: it has none
	outcome refund.Outcome
	amount  smart.Number
}

// noNumber stands for a refund without a number, which is never reported again.
const noNumber = "-"

// counts reports whether its amount is a part of the trade's refund_fee.
func (t tradeRefund) counts() bool {
	return t.outcome == refund.Approved || t.outcome == refund.Unknown || t.outcome == refund.Pending
}

// tradeRefunds are the refunds of one trade, the oldest first. They are remembered as
// one entry each, with a space between them:
//
//	hash=[fen][letter of the outcome, none of an approved one]
type tradeRefunds []tradeRefund

// maxTradeRefunds bounds the list: a wallet allows 50 refunds of one trade. Beyond it
// the oldest are only added up.
const maxTradeRefunds = 100

// tradeKey names the trade that a refund is of; one that names no trade (a lost answer
// has no numbers of its own) is a trade of its own by its refund_no. "" if it has no
// number at all. What was tried in training is remembered apart.
func tradeKey(r *refund.Record) string {
	switch {
	case given(r.Original.OrderNo) != "":
		return tradeName(r, r.Original.OrderNo)
	case given(r.Original.ChannelTxn) != "":
		return tradeName(r, "", r.Original.ChannelTxn)
	}
	return loneKey(r)
}

// loneKey is the tradeKey of a refund that names no trade.
func loneKey(r *refund.Record) string {
	if r.RefundNo == "" {
		return ""
	}
	return tradeName(r, "", "", r.RefundNo)
}

func tradeName(r *refund.Record, numbers ...string) string {
	parts := append([]string{r.MerchantID}, numbers...)
	if r.Training {
		parts = append(parts, "training")
	}
	return tradeMark + hashed(18, parts...)
}

// refundsOf returns what is remembered of the refund's trade, and of the refund
// itself from a time when it named no trade. Until the third edition a trade was known
// by trade_no alone, and only approved refunds were kept.
func (w *smartWire) refundsOf(r *refund.Record) tradeRefunds {
	value, ok := w.memory.Get(tradeKey(r))
	if no := r.Original.ChannelTxn; !ok && !r.Training && given(no) != "" {
		value, _ = w.memory.Get(tradeMark + hashed(18, no))
	}
	t := parseTradeRefunds(string(value))
	if lone := loneKey(r); lone != "" && t.index(refundHash(r.RefundNo)) < 0 {
		value, _ = w.memory.Get(lone)
		t = append(t, parseTradeRefunds(string(value))...)
	}
	return t
}

// refundHash is the short name of a refund_no.
func refundHash(no string) string {
	if no == "" {
		return noNumber
	}
	return hashed(9, no)
}

// isUnknownRefund reports whether the refund is remembered, and what became of it is
// not known.
func (w *smartWire) isUnknownRefund(r *refund.Record) bool {
	if tradeKey(r) == "" || r.RefundNo == "" {
		return false
	}
	t := w.refundsOf(r)
	i := t.index(refundHash(r.RefundNo))
	return i >= 0 && t[i].outcome == refund.Unknown
}

// carries returns what one Alipay refund carries, and remembers it for the next one of
// its trade: what it states of itself, else what the cumulative refund_fee is more than
// the other refunds of the trade. It is absent if one of those states no amount, or if
// this refund has one already. r is complete but for its amount.
func (w *smartWire) carries(r *refund.Record, stated, fee smart.Number, now Clock) smart.Number {
	key := tradeKey(r)
	if key == "" {
		return first(stated, fee)
	}
	t := w.refundsOf(r)
	known := tradeRefund{no: refundHash(r.RefundNo), outcome: r.Outcome}
	i := t.index(known.no)
	if i >= 0 {
		var again bool
		known.outcome, again = refund.CompletedOutcome(t[i].outcome, r.Outcome)
		if !again { // of a second try nothing is known yet
			known.amount = t[i].amount
		}
	}
	amount := stated
	if !stated.Given && fee.Given && !known.amount.Given {
		amount = w.rest(t, i, fee)
	}
	if amount.Given && amount.Value <= 0 {
		return amount // an impossible record takes no part
	}
	if !known.amount.Given {
		known.amount = amount
	}
	w.remember(key, []byte(t.with(i, known).String()), now)
	return amount
}

// rest is what of a cumulative refund_fee the others than the refund at index i leave
// (-1: none is it), absent if one of them states no amount. It is not above 0, and
// impossible, where refunds came in another order than they were made.
func (w *smartWire) rest(t tradeRefunds, i int, fee smart.Number) smart.Number {
	sum := smart.Number{Given: true}
	for k, other := range t {
		if k == i || !other.counts() {
			continue
		}
		if !other.amount.Given {
			return smart.Number{}
		}
		sum = sum.Plus(other.amount)
	}
	if fee.Value <= sum.Value {
		w.note("refund_fee not above what other refunds carried")
	}
	return fee.Plus(smart.Number{Value: -sum.Value, Given: true})
}

// index finds a refund by the hash of its number, -1 if it is not there.
func (t tradeRefunds) index(no string) int {
	if no == noNumber {
		return -1
	}
	return slices.IndexFunc(t, func(r tradeRefund) bool { return r.no == no })
}

// with returns the list with a refund in place i, or at its end if i is negative.
func (t tradeRefunds) with(i int, r tradeRefund) tradeRefunds {
	if i >= 0 {
		t[i] = r
		return t
	}
	t = append(t, r)
	for len(t) > maxTradeRefunds {
		t = t.shorter()
	}
	return t
}

// shorter drops the oldest refund that counts for nothing, or else adds up the oldest
// two.
func (t tradeRefunds) shorter() tradeRefunds {
	if i := slices.IndexFunc(t, func(r tradeRefund) bool { return !r.counts() }); i >= 0 {
		return slices.Delete(t, i, i+1)
	}
	sum := tradeRefund{no: noNumber, outcome: refund.Approved}
	if t[0].amount.Given && t[1].amount.Given {
		sum.amount = t[0].amount.Plus(t[1].amount)
	}
	t[1] = sum
	return t[1:]
}

// outcomeLetters are how outcomes are remembered; an approved one has none.
const outcomeLetters = "upcdb"

// outcomeOfLetter lists the outcomes in the order of outcomeLetters.
func outcomeOfLetter() []refund.Outcome {
	return []refund.Outcome{refund.Unknown, refund.Pending, refund.Closed, refund.Declined, refund.Abnormal}
}

// String returns the list as it is remembered.
func (t tradeRefunds) String() string {
	parts := make([]string, len(t))
	for i, r := range t {
		part := r.no + "="
		if r.amount.Given {
			part += strconv.FormatInt(r.amount.Value, 10)
		}
		if k := slices.Index(outcomeOfLetter(), r.outcome); k >= 0 {
			part += outcomeLetters[k : k+1]
		}
		parts[i] = part
	}
	return strings.Join(parts, " ")
}

// parseTradeRefunds reads what String wrote. What it did not write is left out.
func parseTradeRefunds(s string) tradeRefunds {
	var t tradeRefunds
	for _, part := range strings.Fields(s) {
		no, text, ok := strings.Cut(part, "=")
		r := tradeRefund{no: no, outcome: refund.Approved}
		if n := len(text); n > 0 {
			if k := strings.IndexByte(outcomeLetters, text[n-1]); k >= 0 {
				r.outcome, text = outcomeOfLetter()[k], text[:n-1]
			}
		}
		if text != "" {
			fen, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				continue
			}
			r.amount = smart.Number{Value: fen, Given: true}
		}
		if ok {
			t = append(t, r)
		}
	}
	return t
}
