package ingest

import (
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/protocol/currency"
	"yuanlu/protocol/sensitive"
	"yuanlu/protocol/smart"
)

// outcome looks up a state. One that the table does not name, and none at all, are an
// unknown outcome.
func (w *smartWire) outcome(table map[string]string, what, state string) refund.Outcome {
	if o, ok := table[state]; ok {
		return refund.Outcome(o)
	}
	if state == "" {
		w.note("no " + what)
	} else {
		w.noteWord(what, state)
	}
	return refund.Unknown
}

// orDeclined looks up a code where every code that the table does not name is a
// decline. No code at all is no answer.
func (w *smartWire) orDeclined(table map[string]string, what, code string) refund.Outcome {
	if o, ok := table[code]; ok {
		return refund.Outcome(o)
	}
	if code == "" {
		w.note("no " + what)
		return refund.Unknown
	}
	return refund.Declined
}

// weChatTransaction maps a WeChat payment.
func (w *smartWire) weChatTransaction(m *smart.Message, now Clock) error {
	v, err := m.WeChatTransaction()
	if err != nil {
		return err
	}
	r, p := &w.records[0].Record, &w.profile.wechat
	r.Kind, r.Channel = refund.KindSale, refund.ChannelWeChat
	r.ResponseCode = v.TradeState
	r.Outcome = w.outcome(p.outcome, "trade_state", v.TradeState)
	r.ChannelTxn, r.OrderNo = v.TransactionID, v.OutTradeNo
	r.Entry = refund.Entry(p.entry[v.TradeType])
	r.Funding = p.fundingOf(v.BankType)
	amounts(r, v.Total, v.PayerTotal)
	r.Currency = v.Currency
	r.Party = smartParty(
		identifier(refund.SchemeWeChatOpenID, v.AppID, v.OpenID),
		identifier(refund.SchemeWeChatOpenID, v.SpAppID, v.SpOpenID),
		identifier(refund.SchemeWeChatOpenID, v.SubAppID, v.SubOpenID))
	w.date(now, rfc3339, v.SuccessTime)
	return nil
}

// identifier makes one identifier of a party.
func identifier(scheme refund.Scheme, namespace string, id sensitive.Text) refund.Party {
	return refund.Party{Scheme: scheme, Namespace: namespace, ID: refund.NewSecret(id.Reveal())}
}

// smartParty makes a party of the identifiers that are there, the strongest first.
func smartParty(ids ...refund.Party) *refund.Party {
	var p *refund.Party
	for i := range ids {
		switch {
		case ids[i].ID.Empty():
		case p == nil:
			p = &refund.Party{Scheme: ids[i].Scheme, Namespace: ids[i].Namespace, ID: ids[i].ID}
		default:
			p.Also = append(p.Also, ids[i])
		}
	}
	return p
}

// weChatRefund maps a WeChat refund.
func (w *smartWire) weChatRefund(m *smart.Message, now Clock) error {
	v, err := m.WeChatRefund()
	if err != nil {
		return err
	}
	r, p := &w.records[0].Record, &w.profile.wechatRefund
	r.Kind, r.Channel = refund.KindRefund, refund.ChannelWeChat
	r.ResponseCode = v.Status
	r.Outcome = w.outcome(p.outcome, "status", v.Status)
	r.ChannelRefund, r.RefundNo = v.RefundID, v.OutRefundNo
	r.Original.ChannelTxn, r.Original.OrderNo = v.TransactionID, v.OutTradeNo
	r.RefundRoute = w.route(v.Channel)
	amounts(r, v.Refund, v.PayerRefund)
	r.Currency = v.Currency
	r.Party = accountParty(v.Account, p.merchant)
	w.date(now, rfc3339, v.SuccessTime, v.CreateTime)
	return nil
}

// route reads the way back.
func (w *smartWire) route(channel string) refund.Route {
	r, known := knownRoute(channel)
	if !known {
		w.noteWord("channel", channel)
	}
	return r
}

// accountParty makes a party of the text that says where the money went.
func accountParty(account sensitive.Text, merchant []string) *refund.Party {
	if account.Empty() {
		return nil
	}
	text := account.Reveal()
	p := &refund.Party{Scheme: refund.SchemeAccountText, ID: refund.NewSecret(text), Text: text}
	for _, part := range merchant {
		if strings.Contains(text, part) {
			p.Scheme = refund.SchemeMerchantAccount
		}
	}
	return p
}

// alipayParty makes a party of the members that name a buyer.
func alipayParty(v *smart.AlipayBuyer) *refund.Party {
	return smartParty(
		identifier(refund.SchemeAlipayUserID, "", v.UserID),
		identifier(refund.SchemeAlipayOpenID, v.AppID, v.OpenID),
		identifier(refund.SchemeAlipayLogon, "", v.LogonID))
}

// alipayTrade maps an Alipay payment.
func (w *smartWire) alipayTrade(m *smart.Message, now Clock) error {
	v, err := m.AlipayTrade()
	if err != nil {
		return err
	}
	r, p := &w.records[0].Record, &w.profile.alipay
	r.Kind, r.Channel = refund.KindSale, refund.ChannelAlipay
	if r.ResponseCode = v.TradeStatus; v.TradeStatus != "" {
		r.Outcome = w.outcome(p.outcome, "trade_status", v.TradeStatus)
	} else {
		r.ResponseCode = v.Code
		r.Outcome = w.orDeclined(p.code, "code", v.Code)
	}
	r.ChannelTxn, r.OrderNo = v.TradeNo, v.OutTradeNo
	r.Funding = p.fundingOf(v.FundChannel)
	amounts(r, v.Total, v.BuyerPay)
	r.Currency = v.TransCurrency
	r.Party = alipayParty(&v.AlipayBuyer)
	w.date(now, alipayMoment, v.GmtPayment, v.SendPayDate)
	return nil
}

// alipayRefund maps an Alipay refund.
func (w *smartWire) alipayRefund(m *smart.Message, now Clock) error {
	v, err := m.AlipayRefund()
	if err != nil {
		return err
	}
	r := &w.records[0].Record
	r.Kind, r.Channel = refund.KindRefund, refund.ChannelAlipay
	r.ResponseCode, r.Outcome = v.Code, refund.Approved
	if v.Code != "" {
		r.Outcome = w.orDeclined(w.profile.alipayRefund.code, "code", v.Code)
	}
	if v.FundChange == "N" {
		r.Copy = refund.CopyDump
	}
	r.RefundNo = v.OutRequestNo
	r.Original.ChannelTxn, r.Original.OrderNo = v.TradeNo, v.OutTradeNo
	amounts(r, w.refundAmount(r, &v, now), smart.Number{})
	r.Currency = v.RefundCurrency
	r.Party = alipayParty(&v.AlipayBuyer)
	w.date(now, alipayMoment, v.GmtRefundPay)
	return nil
}

// unionPayQR maps UnionPay online fields.
func (w *smartWire) unionPayQR(m *smart.Message, now Clock) (made bool, err error) {
	v, err := m.UnionPayQR()
	if err != nil {
		return false, err
	}
	r, p := &w.records[0].Record, &w.profile.unionpay
	r.Kind = refund.Kind(p.kind[v.TxnType])
	if r.Kind == "" {
		w.noteWord("txnType", v.TxnType)
		return false, nil
	}
	r.Channel = refund.ChannelUnionPayQR
	r.ResponseCode = v.RespCode
	r.Outcome = w.orDeclined(p.outcome, "respCode", v.RespCode)
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
	r.Party = cardParty(v.Account, refund.SchemeUnionPayToken)
	w.date(now, now.compactMoment, v.TxnTime)
	return true, nil
}

// cardParty makes a party of a card number, masked if it has a star; what is neither
// is of the other scheme.
func cardParty(account sensitive.Text, other refund.Scheme) *refund.Party {
	id := account.Reveal()
	p := smartParty(identifier(other, "", account))
	switch {
	case p == nil:
	case isDigits(id):
		p.Scheme = refund.SchemePAN
	case strings.Contains(id, "*"):
		p.Scheme = refund.SchemePANMasked
	case other == refund.SchemeAccountText:
		p.Text = id
	}
	return p
}

// lakala maps an on-device call result.
func (w *smartWire) lakala(m *smart.Message, now Clock) (made bool, err error) {
	v, err := m.Lakala()
	if err != nil {
		return false, err
	}
	r, p := &w.records[0].Record, &w.profile.lakala
	r.Kind = refund.Kind(p.kind[v.ProcCode])
	if r.Kind == "" {
		w.noteWord("proc_cd", v.ProcCode)
		return false, nil
	}
	r.Outcome = refund.Unknown
	if v.Result != "" {
		r.Outcome = w.outcome(p.outcome, "result", v.Result)
	}
	if r.TerminalID == "" {
		r.TerminalID = v.TerminalID
	}
	if r.MerchantID == "" {
		r.MerchantID = v.MerchantID
	}
	r.Channel = refund.Channel(p.channel[v.PayType])
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
	r.Party = cardParty(v.Account, refund.SchemeAccountText)
	w.date(now, now.compactMoment, v.TimeStamp)
	return true, nil
}
