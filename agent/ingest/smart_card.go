package ingest

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"yuanlu/agent/refund"
	"yuanlu/protocol/currency"
	"yuanlu/protocol/sensitive"
	"yuanlu/protocol/smart"
)

// unionPayQR maps UnionPay online fields: the answer to a transaction, a notification
// of it, or the answer to a query of it, where origRespCode says what became of it.
func (w *smartWire) unionPayQR(m *smart.Message, now Clock) error {
	v, err := m.UnionPayQR()
	if err != nil {
		return err
	}
	p := &w.profile.unionpay
	kind := refund.Kind(p.kind[v.TxnType])
	if kind == "" {
		w.leaveOut(LeftOutValue("txnType", v.TxnType))
		return nil
	}
	d := w.add(kind, refund.ChannelUnionPayQR)
	r := &d.Record
	r.ResponseCode = cmp.Or(v.OrigRespCode, v.RespCode)
	r.Outcome = w.orDeclined(p.outcome, "respCode", r.ResponseCode)
	if isBack(r.Kind) {
		r.RefundNo, r.ChannelRefund = v.OrderID, v.QueryID
	} else {
		r.OrderNo, r.ChannelTxn = v.OrderID, v.QueryID
	}
	r.Original.ChannelTxn = v.OrigQryID
	amounts(r, v.Amount, smart.Number{})
	letters, known := currency.ByNumber(v.CurrencyCode)
	if !known && v.CurrencyCode != "" {
		w.note("a currency that is in no list")
	}
	r.Currency = letters
	r.Party = unionPayParty(v.Account)
	w.date(d, now, moment{v.TxnTime, now.compactMoment})
	return nil
}

// longestToken is the greatest number of characters of a payment token. What is longer
// is an encrypted number, another text each time (records.md, unionpay_token).
const longestToken = 40

// unionPayParty makes a party of accNo.
func unionPayParty(account sensitive.Text) *refund.Party {
	id := account.Reveal()
	if id == "" || utf8.RuneCountInString(id) > longestToken {
		return nil
	}
	scheme := refund.SchemeUnionPayToken
	switch {
	case isDigits(id):
		scheme = refund.SchemePAN
	case strings.Contains(id, "*"):
		scheme = refund.SchemePANMasked
	}
	return smartParty(identifier(scheme, "", account))
}

// lakala maps an on-device call result.
func (w *smartWire) lakala(m *smart.Message, now Clock) error {
	v, err := m.Lakala()
	if err != nil {
		return err
	}
	p := &w.profile.lakala
	kind := refund.Kind(p.kind[v.ProcCode])
	if kind == "" {
		w.leaveOut(LeftOutValue("proc_cd", v.ProcCode))
		return nil
	}
	d := w.add(kind, refund.Channel(p.channel[v.PayType]))
	r := &d.Record
	r.Outcome = refund.Unknown
	if v.Result != "" {
		r.Outcome = w.outcome(p.outcome, "result", v.Result)
	}
	r.TerminalID, r.MerchantID = cmp.Or(r.TerminalID, v.TerminalID), cmp.Or(r.MerchantID, v.MerchantID)
	r.Currency = p.currency
	amounts(r, v.Amount, smart.Number{})
	r.Batch, r.Stan, r.RRN, r.AuthCode = v.Batch, v.Trace, v.Reference, v.AuthCode
	if r.Kind == refund.KindRefund || r.Kind == refund.KindVoid {
		r.RefundNo = v.OrderNo
	} else {
		r.OrderNo = v.OrderNo
	}
	r.Original.RRN, r.Original.Stan, r.Original.Date = v.OldReference, v.OldTrace, v.OldDate
	if d := v.OldDate; len(d) == 8 && isDigits(d) {
		r.Original.Date = d[:4] + "-" + d[4:6] + "-" + d[6:]
	}
	// UnionPay QR pays by card, and so does a call that does not say how.
	channel := r.Channel
	if v.PayType == "" || channel == refund.ChannelUnionPayQR {
		channel = refund.ChannelCard
	} else if channel != refund.ChannelCard {
		channel = refund.ChannelUnknown
	}
	r.Party = linkParty(channel, v.Account.Reveal())
	w.date(d, now, moment{v.TimeStamp, now.compactMoment})
	return nil
}

// linkParty makes a party of an account number as a cashier link states it (wires.md,
// mispos, 9F0B), of a card or of an unknown channel. F, NUL and spaces behind digits and
// stars only fill the width.
func linkParty(channel refund.Channel, account string) *refund.Party {
	id := strings.TrimRight(account, "F\x00 ")
	if strings.Trim(id, "0123456789*") != "" {
		id = account
	}
	if id == "" {
		return nil
	}
	p := &refund.Party{Scheme: refund.SchemeAccountText, ID: refund.NewSecret(id)}
	switch masked := strings.Trim(id, "0123456789*") == ""; {
	case channel == refund.ChannelUnknown && isPrintable(id):
		p.Scheme = refund.SchemeAccount
	case channel == refund.ChannelCard && isDigits(id):
		p.Scheme = refund.SchemePAN
	case channel == refund.ChannelCard && masked:
		p.Scheme = refund.SchemePANMasked
	default:
		p.Text = id
	}
	return p
}
