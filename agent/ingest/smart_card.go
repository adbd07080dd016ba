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
// of it, or the answer to a query of it, where origRespCode is what became of it.
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

// unionPayParty makes a party of accNo.
func unionPayParty(account sensitive.Text) *refund.Party {
	id := account.Reveal()
	if id == "" || utf8.RuneCountInString(id) > maxToken {
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
	// UnionPay QR pays by card, and so does a call that does not state how.
	channel := r.Channel
	if v.PayType == "" || channel == refund.ChannelUnionPayQR {
		channel = refund.ChannelCard
	} else if channel != refund.ChannelCard {
		channel = refund.ChannelUnknown
	}
	r.Party = accountPartyOf(channel, v.Account.Reveal(), "")
	w.date(d, now, moment{v.TimeStamp, now.compactMoment})
	return nil
}
