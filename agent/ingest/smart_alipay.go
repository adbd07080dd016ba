package ingest

import (
	"cmp"
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/protocol/smart"
)

// alipayParty makes a party of the members that name a buyer.
func alipayParty(v *smart.AlipayBuyer) *refund.Party {
	return smartParty(
		identifier(refund.SchemeAlipayUserID, "", secretOr(v.UserID, v.BuyerID)),
		identifier(refund.SchemeAlipayOpenID, v.AppID, v.OpenID),
		identifier(refund.SchemeAlipayLogon, "", v.LogonID))
}

// alipayCode looks up the code of an answer. A SYSTEM_ERROR, as code or sub_code, is no
// answer: the service may have done what it was asked for.
func (w *smartWire) alipayCode(table map[string]string, code, sub string) refund.Outcome {
	const noAnswer = "SYSTEM_ERROR"
	if strings.HasSuffix(code, noAnswer) || strings.HasSuffix(sub, noAnswer) {
		return refund.Unknown
	}
	return w.orDeclined(table, "code", code)
}

// alipayTrade maps an Alipay payment, and the refund that a notification of it reports.
func (w *smartWire) alipayTrade(m *smart.Message, now Clock) error {
	v, err := m.AlipayTrade()
	if err != nil {
		return err
	}
	d := w.add(refund.KindSale, refund.ChannelAlipay)
	r := &d.Record
	r.ResponseCode, r.Outcome = w.alipayTradeState(&v)
	r.ChannelTxn, r.OrderNo = v.TradeNo, v.OutTradeNo
	r.Funding = w.profile.alipay.fundingOf(v.FundChannel)
	amounts(r, v.Total, v.BuyerPay)
	r.Currency = v.TransCurrency
	r.Party = alipayParty(&v.AlipayBuyer)
	w.date(d, now, moment{v.GmtPayment, beijingMoment}, moment{v.SendPayDate, beijingMoment})
	if v.GmtRefund != "" && v.RefundFee.Value > 0 {
		w.alipayNotified(&v, r.ResponseCode, now)
	}
	return nil
}

// alipayTradeState returns what became of a payment. A trade that was paid is closed when
// all of it has been refunded: what was paid stays a sale.
func (w *smartWire) alipayTradeState(v *smart.AlipayTrade) (code string, o refund.Outcome) {
	paid := v.GmtPayment != "" || v.SendPayDate != ""
	p := &w.profile.alipay
	switch {
	case v.TradeStatus != "":
		o = w.outcome(p.outcome, "trade_status", v.TradeStatus)
		if o == refund.Closed && (paid || v.GmtRefund != "") {
			o = refund.Approved
		}
		return v.TradeStatus, o
	case v.Code == "" && paid:
		return "", refund.Approved
	}
	return v.Code, w.alipayCode(p.code, v.Code, v.SubCode)
}

// alipayNotified adds the refund that a notification of a trade reports.
func (w *smartWire) alipayNotified(v *smart.AlipayTrade, code string, now Clock) {
	d := w.add(refund.KindRefund, refund.ChannelAlipay)
	r := &d.Record
	r.ResponseCode, r.Outcome = code, refund.Approved
	no := v.OutBizNo
	if no == "" || no == v.TradeNo {
		no = v.OutTradeNo
	}
	backTo(r, no, v.TradeNo, v.OutTradeNo)
	r.Currency = v.TransCurrency
	r.Party = alipayParty(&v.AlipayBuyer)
	amounts(r, w.carries(r, smart.Number{}, v.RefundFee, now), smart.Number{})
	w.date(d, now, moment{v.GmtRefund, beijingMoment})
}

// alipayRefund maps an Alipay refund. An answer that knows of none makes a record only
// where the refund's own answer was lost: it was not made.
func (w *smartWire) alipayRefund(m *smart.Message, now Clock) error {
	v, err := m.AlipayRefund()
	if err != nil {
		return err
	}
	d := w.add(refund.KindRefund, refund.ChannelAlipay)
	r := &d.Record
	r.ResponseCode, r.Outcome = w.alipayRefundState(&v)
	if v.FundChange == "N" {
		r.Copy = refund.CopyDump
	}
	backTo(r, cmp.Or(v.OutRequestNo, v.OutTradeNo), v.TradeNo, v.OutTradeNo)
	if r.Outcome == refund.Approved && v.StatesNothing() {
		if !w.isUnknownRefund(r) {
			w.records = w.records[:0]
			w.leaveOut(LeftOutNoSuchRefund)
			return nil
		}
		r.Outcome = refund.Closed
	}
	if v.DepositBack == "F" {
		r.RefundRoute = refund.RouteBalance
	}
	amounts(r, w.carries(r, first(v.Amount, v.Details), v.Fee, now), smart.Number{})
	r.Currency = v.RefundCurrency
	r.Party = alipayParty(&v.AlipayBuyer)
	w.date(d, now, moment{v.GmtRefundPay, beijingMoment})
	return nil
}

// alipayRefundState returns what became of a refund.
func (w *smartWire) alipayRefundState(v *smart.AlipayRefund) (code string, o refund.Outcome) {
	p := &w.profile.alipayRefund
	switch {
	case v.RefundStatus != "":
		return v.RefundStatus, w.outcome(p.outcome, "refund_status", v.RefundStatus)
	case v.Code == "" && v.SubCode == "":
		return "", refund.Approved
	}
	return v.Code, w.alipayCode(p.code, v.Code, v.SubCode)
}

// alipayCancel maps the answer to a cancel: a void of what was paid, which states no
// amount. Where it only closed a trade, nothing had been paid.
func (w *smartWire) alipayCancel(m *smart.Message, now Clock) error {
	v, err := m.AlipayCancel()
	if err != nil {
		return err
	}
	d := w.add(refund.KindVoid, refund.ChannelAlipay)
	r := &d.Record
	r.ResponseCode, r.Outcome = v.Code, refund.Approved
	if v.Code != "" || v.SubCode != "" {
		r.Outcome = w.alipayCode(w.profile.alipay.code, v.Code, v.SubCode)
	}
	switch {
	case v.RetryFlag == "Y":
		r.Outcome = refund.Unknown
	case r.Outcome == refund.Approved && v.Action != "refund":
		r.Outcome = refund.Closed
	}
	backTo(r, cmp.Or(v.OutTradeNo, v.TradeNo), v.TradeNo, v.OutTradeNo)
	w.date(d, now, moment{v.GmtRefundPay, beijingMoment})
	return nil
}
