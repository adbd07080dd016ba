package smart

import (
	"bytes"

	"yuanlu/protocol/sensitive"
)

// AlipayBuyer is who paid, as an Alipay object names him.
type AlipayBuyer struct {
	AppID   string         // the namespace of OpenID; the firmware adds it
	UserID  sensitive.Text // buyer_user_id of answers: 2088…
	BuyerID sensitive.Text // buyer_id of notifications: the same number
	OpenID  sensitive.Text
	LogonID sensitive.Text // masked by Alipay
}

func (v *AlipayBuyer) fields() []field {
	return []field{
		{name: "app_id", text: &v.AppID},
		{name: "buyer_user_id", secret: &v.UserID},
		{name: "buyer_id", secret: &v.BuyerID},
		{name: "buyer_open_id", secret: &v.OpenID},
		{name: "buyer_logon_id", secret: &v.LogonID},
	}
}

// AlipayTrade is what is read of an alipay.trade.pay or alipay.trade.query answer, or
// of a notification. Amounts are fen, made from yuan. Source: wires.md, alipay.trade.
type AlipayTrade struct {
	AlipayBuyer
	Code, SubCode, TradeStatus string
	TradeNo, OutTradeNo        string
	Total, BuyerPay            Number
	FundChannel                string // of the first entry of fund_bill_list
	GmtPayment, SendPayDate    string // yyyy-MM-dd HH:mm:ss, +08:00
	TransCurrency              string
	// What a notification states about a refund.
	GmtRefund string // yyyy-MM-dd HH:mm:ss.SSS, +08:00
	OutBizNo  string // number of the refund
	RefundFee Number // of all refunds of the trade so far
}

func (v *AlipayTrade) fields() []field {
	return append(v.AlipayBuyer.fields(), []field{
		{name: "code", text: &v.Code},
		{name: "sub_code", text: &v.SubCode},
		{name: "trade_status", text: &v.TradeStatus},
		{name: "trade_no", text: &v.TradeNo},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "total_amount", yuan: &v.Total},
		{name: "buyer_pay_amount", yuan: &v.BuyerPay},
		{name: "fund_bill_list", text: &v.FundChannel, value: func(r *reader) bool { return r.embedded(v.funds) }},
		{name: "gmt_payment", text: &v.GmtPayment},
		{name: "send_pay_date", text: &v.SendPayDate},
		{name: "trans_currency", text: &v.TransCurrency},
		{name: "gmt_refund", text: &v.GmtRefund},
		{name: "out_biz_no", text: &v.OutBizNo},
		{name: "refund_fee", yuan: &v.RefundFee},
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
func (m *Message) AlipayTrade() (AlipayTrade, error) { return wrapped(m, (*AlipayTrade).fields) }

// AlipayRefund is what is read of an alipay.trade.refund or
// alipay.trade.fastpay.refund.query answer. Amounts are fen, made from yuan.
type AlipayRefund struct {
	AlipayBuyer
	Code, SubCode, RefundStatus string
	FundChange                  string // N: nothing was moved now, the refund had been made before
	TradeNo, OutTradeNo         string
	OutRequestNo                string // the firmware adds it
	Amount                      Number // refund_amount: of this refund
	Details                     Number // sum of refund_detail_item_list: of this refund
	HasDetails                  bool   // the list has an entry
	Fee                         Number // refund_fee: of all refunds of the trade so far
	GmtRefundPay                string // yyyy-MM-dd HH:mm:ss, +08:00
	RefundCurrency              string
	DepositBack                 string // deposit_back_info.dback_status: S, F or P
}

func (v *AlipayRefund) fields() []field {
	return append(v.AlipayBuyer.fields(), []field{
		{name: "code", text: &v.Code},
		{name: "sub_code", text: &v.SubCode},
		{name: "refund_status", text: &v.RefundStatus},
		{name: "fund_change", text: &v.FundChange},
		{name: "trade_no", text: &v.TradeNo},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "out_request_no", text: &v.OutRequestNo},
		{name: "refund_amount", yuan: &v.Amount},
		{name: "refund_detail_item_list", yuan: &v.Details, value: func(r *reader) bool { return r.embedded(v.details) }},
		{name: "refund_fee", yuan: &v.Fee},
		{name: "gmt_refund_pay", text: &v.GmtRefundPay},
		{name: "refund_currency", text: &v.RefundCurrency},
		{name: "deposit_back_info", text: &v.DepositBack, value: func(r *reader) bool {
			return r.embedded(func(r *reader) bool {
				return r.object([]field{{name: "dback_status", text: &v.DepositBack}}, nil)
			})
		}},
	}...)
}

// details adds up refund_detail_item_list.
func (v *AlipayRefund) details(r *reader) bool {
	return r.list(func() bool {
		var amount Number
		ok := r.object([]field{{name: "amount", yuan: &amount}}, nil)
		v.Details, v.HasDetails = v.Details.Plus(amount), true
		return ok
	})
}

// AlipayRefund reads the body, inside its wrapper if it has one. Every error is a
// *DecodeError.
func (m *Message) AlipayRefund() (AlipayRefund, error) { return wrapped(m, (*AlipayRefund).fields) }

// StatesNothing reports whether an answer states nothing of the refund but its numbers: a
// query of a refund that was never made is answered so.
func (v *AlipayRefund) StatesNothing() bool {
	return v.RefundStatus == "" && v.FundChange == "" && v.GmtRefundPay == "" &&
		!v.Amount.Given && !v.HasDetails && !v.Fee.Given
}

// AlipayCancel is what is read of an alipay.trade.cancel answer. Source: the answer's
// members in alipay-sdk-java-all, AlipayTradeCancelResponse.
type AlipayCancel struct {
	Code, SubCode       string
	RetryFlag           string // Y: to be asked again
	Action              string // close: nothing was paid; refund: it was paid back
	TradeNo, OutTradeNo string // the firmware adds OutTradeNo
	GmtRefundPay        string // yyyy-MM-dd HH:mm:ss, +08:00
}

func (v *AlipayCancel) fields() []field {
	return []field{
		{name: "code", text: &v.Code},
		{name: "sub_code", text: &v.SubCode},
		{name: "retry_flag", text: &v.RetryFlag},
		{name: "action", text: &v.Action},
		{name: "trade_no", text: &v.TradeNo},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "gmt_refund_pay", text: &v.GmtRefundPay},
	}
}

// AlipayCancel reads the body, inside its wrapper if it has one. Every error is a
// *DecodeError.
func (m *Message) AlipayCancel() (AlipayCancel, error) { return wrapped(m, (*AlipayCancel).fields) }

// isWrapper reports whether a member holds the answer: the gateway puts it beside its
// signature, and its own errors (no answer of the service) into error_response.
func isWrapper(name []byte) bool {
	return bytes.HasPrefix(name, []byte("alipay_")) && bytes.HasSuffix(name, []byte("_response")) ||
		string(name) == "error_response"
}

// wrapped reads a body that may stand in a wrapper alipay_…_response. Of what stands
// beside the wrapper the members count that the firmware adds, where the inner object
// lacks them.
func wrapped[T any](m *Message, fields func(*T) []field) (T, error) {
	var outer, inner T
	opened := false
	err := m.read(fields(&outer), func(name []byte) *field {
		if !isWrapper(name) {
			return nil
		}
		return &field{name: "alipay_…_response", value: func(r *reader) bool {
			if opened {
				return r.Fail(r.Pos(), "a second wrapper", "one")
			}
			opened = true
			return r.object(fields(&inner), nil)
		}}
	})
	if err != nil || !opened {
		return outer, err
	}
	fill(fields(&inner), fields(&outer), "app_id", "out_trade_no", "out_request_no")
	return inner, nil
}
