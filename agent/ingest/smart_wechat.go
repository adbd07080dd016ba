package ingest

import (
	"cmp"

	"yuanlu/agent/refund"
	"yuanlu/protocol/smart"
)

// weChatTransaction maps a WeChat payment, or the parts of a combined order.
func (w *smartWire) weChatTransaction(m *smart.Message, now Clock) error {
	v, err := m.WeChatTransaction()
	if err != nil {
		return err
	}
	for i := range v.SubOrders {
		o := &v.SubOrders[i]
		d := w.weChatSale(&o.WeChatOrder)
		r := &d.Record
		r.ResponseCode, r.Outcome = o.TradeState, w.outcome(w.profile.wechat.outcome, "trade_state", o.TradeState)
		r.Party = smartParty(
			identifier(refund.SchemeWeChatOpenID, v.Combine.AppID, v.Combine.OpenID),
			identifier(refund.SchemeWeChatOpenID, o.SubAppID, secretOr(o.SubOpenID, v.Combine.SubOpenID)))
		w.date(d, now, moment{o.SuccessTime, rfc3339})
	}
	if len(v.SubOrders) > 0 {
		return nil
	}
	d := w.weChatSale(&v.WeChatOrder)
	r, older := &d.Record, &v.Older
	if r.ResponseCode = v.TradeState; v.TradeState != "" || v.WeChatAnswer == (smart.WeChatAnswer{}) {
		r.Outcome = w.outcome(w.profile.wechat.outcome, "trade_state", v.TradeState)
	} else {
		r.ResponseCode, r.Outcome = answerState(&v.WeChatAnswer, refund.Approved, w.profile.wechat.errors)
	}
	amounts(r, first(v.Total, older.TotalFee), first(v.PayerTotal, older.CashFee))
	r.Currency = cmp.Or(v.Currency, older.FeeType)
	r.Party = smartParty(
		identifier(refund.SchemeWeChatOpenID, v.AppID, secretOr(v.OpenID, older.OpenID)),
		identifier(refund.SchemeWeChatOpenID, v.SpAppID, v.SpOpenID),
		identifier(refund.SchemeWeChatOpenID, v.SubAppID, secretOr(v.SubOpenID, older.SubOpenID)))
	w.date(d, now, moment{v.SuccessTime, rfc3339}, moment{older.TimeEnd, beijingCompact})
	return nil
}

// weChatSale adds the record of an order, without its outcome, party and time.
func (w *smartWire) weChatSale(o *smart.WeChatOrder) *Decoded {
	d := w.add(refund.KindSale, refund.ChannelWeChat)
	r, p := &d.Record, &w.profile.wechat
	r.ChannelTxn, r.OrderNo = o.TransactionID, o.OutTradeNo
	r.Entry = refund.Entry(p.entry[o.TradeType])
	r.Funding = p.fundingOf(o.BankType)
	amounts(r, o.Total, o.PayerTotal)
	r.Currency = o.Currency
	return d
}

// answerState returns what an answer of the older interface means without a state of its
// own: done is what a success means, errors the codes that are no decline. A code is
// stated only behind a return_code of SUCCESS.
func answerState(a *smart.WeChatAnswer, done refund.Outcome, errors map[string]string) (code string, o refund.Outcome) {
	const success = "SUCCESS"
	switch {
	case a.ReturnCode != "" && a.ReturnCode != success:
		return a.ReturnCode, refund.Unknown
	case a.ResultCode == success:
		return success, done
	case a.ErrCode == "":
		return a.ResultCode, refund.Unknown
	}
	if o, ok := errors[a.ErrCode]; ok {
		return a.ErrCode, refund.Outcome(o)
	}
	return a.ErrCode, refund.Declined
}

// weChatRefund maps a WeChat refund, or those that an older query lists.
func (w *smartWire) weChatRefund(m *smart.Message, now Clock) error {
	v, err := m.WeChatRefund()
	if err != nil {
		return err
	}
	for i := range v.Each {
		w.weChatOlderRefund(&v, &v.Each[i], now)
	}
	if len(v.Each) > 0 {
		return nil
	}
	d := w.add(refund.KindRefund, refund.ChannelWeChat)
	r, p, older := &d.Record, &w.profile.wechatRefund, &v.Older
	if r.ResponseCode = cmp.Or(v.Status, v.RefundStatus); r.ResponseCode != "" || v.WeChatAnswer == (smart.WeChatAnswer{}) {
		r.Outcome = w.outcome(p.outcome, "status", r.ResponseCode)
	} else {
		r.ResponseCode, r.Outcome = answerState(&v.WeChatAnswer, refund.Pending, p.errors)
	}
	r.ChannelRefund = v.RefundID
	backTo(r, v.OutRefundNo, v.TransactionID, v.OutTradeNo)
	r.RefundRoute = w.route(cmp.Or(v.Channel, older.Channel))
	amounts(r, first(v.Refund, older.RefundFee), first(v.PayerRefund, older.CashRefundFee))
	r.Currency = cmp.Or(v.Currency, older.RefundFeeType, older.TotalFeeType)
	r.Party = accountParty(secretOr(v.Account, older.Account), p.merchant)
	w.date(d, now, moment{v.SuccessTime, weChatMoment}, moment{v.CreateTime, rfc3339})
	return nil
}

// weChatOlderRefund adds the record of one refund of an older query. That the query was
// answered is no news of the refund.
func (w *smartWire) weChatOlderRefund(v *smart.WeChatRefund, e *smart.WeChatOlderRefund, now Clock) {
	d := w.add(refund.KindRefund, refund.ChannelWeChat)
	r, p := &d.Record, &w.profile.wechatRefund
	r.ResponseCode, r.Outcome = e.Status, w.outcome(p.outcome, "status", e.Status)
	r.ChannelRefund = e.RefundID
	backTo(r, e.OutRefundNo, v.TransactionID, v.OutTradeNo)
	r.RefundRoute = w.route(e.Channel)
	amounts(r, e.RefundFee, e.CashRefundFee)
	r.Currency = cmp.Or(e.RefundFeeType, e.TotalFeeType, v.Older.RefundFeeType, v.Older.TotalFeeType)
	r.Party = accountParty(e.Account, p.merchant)
	w.date(d, now, moment{e.SuccessTime, weChatMoment})
}

// weChatMoment reads a time of a refund: RFC 3339, or of the older interface.
func weChatMoment(s string) (string, bool) {
	if at, ok := rfc3339(s); ok {
		return at, true
	}
	return beijingMoment(s)
}

// weChatReverse maps the answer to a reverse: a void of what was paid, which states no
// amount.
func (w *smartWire) weChatReverse(m *smart.Message, now Clock) error {
	v, err := m.WeChatReverse()
	if err != nil {
		return err
	}
	d := w.add(refund.KindVoid, refund.ChannelWeChat)
	r, p := &d.Record, &w.profile.wechatReverse
	if v.ReturnCode != "" || v.ResultCode != "" {
		r.ResponseCode, r.Outcome = answerState(&v.WeChatAnswer, refund.Approved, p.errors)
	} else if r.ResponseCode, r.Outcome = v.Code, refund.Approved; v.Code != "" {
		r.Outcome = w.orDeclined(p.errors, "code", v.Code)
	}
	if v.Recall == "Y" {
		r.Outcome = refund.Unknown
	}
	backTo(r, cmp.Or(v.OutTradeNo, v.TransactionID), v.TransactionID, v.OutTradeNo)
	w.date(d, now)
	return nil
}
