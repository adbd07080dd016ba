package smart

import (
	"bytes"

	"yuanlu/protocol/sensitive"
)

// AlipayBuyer is who paid, as an Alipay object names it.
type AlipayBuyer struct {
	AppID   string         // the namespace of OpenID; the firmware adds it
	UserID  sensitive.Text // 2088…
	OpenID  sensitive.Text
	LogonID sensitive.Text // masked by Alipay
}

func (v *AlipayBuyer) fields() []field {
	return []field{
		{name: "app_id", text: &v.AppID},
		{name: "buyer_user_id", secret: &v.UserID},
		{name: "buyer_open_id", secret: &v.OpenID},
		{name: "buyer_logon_id", secret: &v.LogonID},
	}
}

// AlipayTrade is what is read of an alipay.trade.pay or alipay.trade.query response.
// Amounts are fen, made from yuan. Source: reference/domain.md § 3.2.
type AlipayTrade struct {
	AlipayBuyer
	Code, TradeStatus       string
	TradeNo, OutTradeNo     string
	Total, BuyerPay         Number
	FundChannel             string // of the first entry of fund_bill_list
	GmtPayment, SendPayDate string // yyyy-MM-dd HH:mm:ss, +08:00
	TransCurrency           string
}

func (v *AlipayTrade) fields() []field {
	return append(v.AlipayBuyer.fields(), []field{
		{name: "code", text: &v.Code},
		{name: "trade_status", text: &v.TradeStatus},
		{name: "trade_no", text: &v.TradeNo},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "total_amount", yuan: &v.Total},
		{name: "buyer_pay_amount", yuan: &v.BuyerPay},
		{name: "fund_bill_list", text: &v.FundChannel, value: func(r *reader) bool { return r.embedded(v.funds) }},
		{name: "gmt_payment", text: &v.GmtPayment},
		{name: "send_pay_date", text: &v.SendPayDate},
		{name: "trans_currency", text: &v.TransCurrency},
	}...)
}

// funds reads fund_bill_list, of which the first channel counts. Answers spell the
// member fund_channel, notifications fundChannel.
func (v *AlipayTrade) funds(r *reader) bool {
	return r.list(func() bool {
		var answer, notice string
		ok := r.object([]field{{name: "fund_channel", text: &answer}, {name: "fundChannel", text: &notice}}, nil)
		for _, c := range []string{answer, notice} {
			if v.FundChannel == "" {
				v.FundChannel = c
			}
		}
		return ok
	})
}

// AlipayTrade reads the body, inside its wrapper if it has one. Every error is a
// *DecodeError.
func (m *Message) AlipayTrade() (AlipayTrade, error) {
	var outer, inner AlipayTrade
	err := m.wrapped(outer.fields(), inner.fields())
	return inner, err
}

// AlipayRefund is what is read of an alipay.trade.refund response. Amounts are fen,
// made from yuan.
type AlipayRefund struct {
	AlipayBuyer
	Code, FundChange    string
	TradeNo, OutTradeNo string
	OutRequestNo        string // the firmware adds it
	Amount              Number // refund_amount: of this refund
	Details             Number // sum of refund_detail_item_list: of this refund
	Fee                 Number // refund_fee: of all refunds of the trade so far
	GmtRefundPay        string // yyyy-MM-dd HH:mm:ss, +08:00
	RefundCurrency      string
}

func (v *AlipayRefund) fields() []field {
	return append(v.AlipayBuyer.fields(), []field{
		{name: "code", text: &v.Code},
		{name: "fund_change", text: &v.FundChange},
		{name: "trade_no", text: &v.TradeNo},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "out_request_no", text: &v.OutRequestNo},
		{name: "refund_amount", yuan: &v.Amount},
		{name: "refund_detail_item_list", yuan: &v.Details, value: func(r *reader) bool { return r.embedded(v.details) }},
		{name: "refund_fee", yuan: &v.Fee},
		{name: "gmt_refund_pay", text: &v.GmtRefundPay},
		{name: "refund_currency", text: &v.RefundCurrency},
	}...)
}

// details adds up refund_detail_item_list.
func (v *AlipayRefund) details(r *reader) bool {
	return r.list(func() bool {
		var amount Number
		ok := r.object([]field{{name: "amount", yuan: &amount}}, nil)
		v.Details = v.Details.Plus(amount)
		return ok
	})
}

// AlipayRefund reads the body, inside its wrapper if it has one. Every error is a
// *DecodeError.
func (m *Message) AlipayRefund() (AlipayRefund, error) {
	var outer, inner AlipayRefund
	err := m.wrapped(outer.fields(), inner.fields())
	return inner, err
}

// wrapped reads a body that may stand in a wrapper alipay_…_response, into inner.
// What the firmware has put beside the wrapper counts where the inner object lacks it.
func (m *Message) wrapped(outer, inner []field) error {
	opened := false
	err := m.read(outer, func(name []byte) *field {
		if !bytes.HasPrefix(name, []byte("alipay_")) || !bytes.HasSuffix(name, []byte("_response")) {
			return nil
		}
		return &field{name: "alipay_…_response", value: func(r *reader) bool {
			if opened {
				return r.fail(r.pos, "a second wrapper", "one")
			}
			opened = true
			return r.object(inner, nil)
		}}
	})
	if err == nil {
		fill(inner, outer)
	}
	return err
}
