package ask

import (
	"time"

	"yuanlu/agent/refund"
)

const (
	// farthest is how far away by `at` a record may belong to an ask (guard.md § 3).
	farthest = 24 * time.Hour
	// A record belongs to an ask without any number in common only this near to it.
	soonest, latest = -5 * time.Minute, 10 * time.Minute
)

// bond is by which of guard.md § 3 a to d a record belongs to an ask; smaller is stronger.
type bond uint8

const (
	byAsk      bond = iota + 1 // a: the record names it
	byRefundNo                 // b
	byTrace                    // c: terminal, batch and stan
	byTime                     // d: near in time, and a key or the recipient
	noBond
)

// asAsked reports whether nothing about a record contradicts an ask (guard.md § 3).
func asAsked(a, r *refund.Record) bool {
	if a.Kind != r.Kind || a.MerchantID != r.MerchantID {
		return false
	}
	if a.HasAmount && r.HasAmount && a.Amount != r.Amount || a.Currency != "" && r.Currency != "" && a.Currency != r.Currency {
		return false
	}
	if known(a.Channel) && known(r.Channel) && a.Channel != r.Channel {
		return false
	}
	if _, unequal := compareKeys(a, r); unequal {
		return false
	}
	return refund.Compare(a.Party, r.Party).Recipient != refund.Different
}

func known(c refund.Channel) bool { return c != "" && c != refund.ChannelUnknown }

// compareKeys compares the keys that both give (verdicts.md § 2): whether any is equal, and
// whether any is not. A number at a terminal is one with its terminal, and with its batch
// where both give one.
func compareKeys(a, r *refund.Record) (equal, unequal bool) {
	o, p := &a.Original, &r.Original
	for _, k := range [][2]string{{o.ChannelTxn, p.ChannelTxn}, {o.OrderNo, p.OrderNo}, {o.RRN, p.RRN}} {
		if refund.Given(k[0]) && refund.Given(k[1]) {
			equal, unequal = equal || k[0] == k[1], unequal || k[0] != k[1]
		}
	}
	if refund.Given(o.Stan) && refund.Given(p.Stan) {
		same := o.Stan == p.Stan && terminalOf(a) == terminalOf(r) &&
			(!refund.Given(o.Batch) || !refund.Given(p.Batch) || o.Batch == p.Batch)
		equal, unequal = equal || same, unequal || !same
	}
	return equal, unequal
}

// terminalOf is the terminal at which a record's original.stan counts.
func terminalOf(r *refund.Record) string {
	if refund.Given(r.Original.TerminalID) {
		return r.Original.TerminalID
	}
	return r.TerminalID
}

// givesKey reports whether a record names its original by any number.
func givesKey(r *refund.Record) bool {
	o := &r.Original
	return refund.Given(o.ChannelTxn) || refund.Given(o.OrderNo) || refund.Given(o.RRN) || refund.Given(o.Stan)
}

// bondOf returns by what a record, made as asked, belongs to an ask.
func bondOf(e *Entry, r *refund.Record, at time.Time) bond {
	a := &e.Ask.Record
	switch {
	case r.Ask != "" && r.Ask == e.Ask.ID && r.TerminalID == a.TerminalID:
		return byAsk
	case r.RefundNo != "" && r.RefundNo == a.RefundNo:
		return byRefundNo
	case r.TerminalID != "" && r.Batch != "" && r.Stan != "" && r.TerminalID == a.TerminalID && r.Batch == a.Batch && r.Stan == a.Stan:
		return byTrace
	}
	if after := at.Sub(e.at); after < soonest || after > latest {
		return noBond
	}
	if equal, _ := compareKeys(a, r); equal {
		return byTime
	}
	if !givesKey(a) && !givesKey(r) {
		if c := refund.Compare(a.Party, r.Party); c.Recipient.Match() && c.Evidence == refund.Strong {
			return byTime
		}
	}
	return noBond
}
