package smart

import "yuanlu/protocol/sensitive"

// WeChatAnswer is what every answer of the older interface begins with: whether it
// was taken in, and whether what it asked for was done.
type WeChatAnswer struct{ ReturnCode, ResultCode, ErrCode string }

func (v *WeChatAnswer) fields() []field {
	return []field{
		{name: "return_code", text: &v.ReturnCode},
		{name: "result_code", text: &v.ResultCode},
		{name: "err_code", text: &v.ErrCode},
	}
}

// WeChatOrder is what is read of one payment, alone or as a part of a combined order.
// Amounts are fen.
type WeChatOrder struct {
	TransactionID, OutTradeNo       string
	TradeState, TradeType, BankType string
	SuccessTime                     string // RFC 3339
	SubAppID                        string
	Total, PayerTotal               Number
	Currency                        string
}

func (v *WeChatOrder) fields(total, payer string) []field {
	return []field{
		{name: "transaction_id", text: &v.TransactionID},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "trade_state", text: &v.TradeState},
		{name: "trade_type", text: &v.TradeType},
		{name: "bank_type", text: &v.BankType},
		{name: "success_time", text: &v.SuccessTime},
		{name: "sub_appid", text: &v.SubAppID},
		{name: "amount", object: []field{
			{name: total, integer: &v.Total},
			{name: payer, integer: &v.PayerTotal},
			{name: "currency", text: &v.Currency},
		}},
	}
}

// WeChatTransaction is what is read of a WeChat Pay payment object: v3 (an order with
// payer), combined (SubOrders and the members of Combine), or the older interface's
// (the answer and the members of Older). Source: wires.md, wechat.transaction.
type WeChatTransaction struct {
	WeChatOrder
	AppID, SpAppID              string
	OpenID, SpOpenID, SubOpenID sensitive.Text // of payer
	WeChatAnswer
	Older     WeChatOlderPayment
	Combine   WeChatCombine
	SubOrders []WeChatSubOrder
}

// WeChatOlderPayment is what only payments of the older interface have.
type WeChatOlderPayment struct {
	OpenID, SubOpenID sensitive.Text // at the top
	TotalFee, CashFee Number
	FeeType           string
	TimeEnd           string // yyyyMMddHHmmss, +08:00
}

// WeChatCombine is who paid a combined order.
type WeChatCombine struct {
	AppID             string
	OpenID, SubOpenID sensitive.Text // of combine_payer_info
}

// WeChatSubOrder is a part of a combined order.
type WeChatSubOrder struct {
	WeChatOrder
	SubOpenID sensitive.Text
}

// WeChatTransaction reads the body. Every error is a *DecodeError.
func (m *Message) WeChatTransaction() (WeChatTransaction, error) {
	var v WeChatTransaction
	err := m.read(append(append(v.WeChatOrder.fields("total", "payer_total"), v.WeChatAnswer.fields()...), []field{
		{name: "appid", text: &v.AppID},
		{name: "sp_appid", text: &v.SpAppID},
		{name: "payer", object: []field{
			{name: "openid", secret: &v.OpenID},
			{name: "sp_openid", secret: &v.SpOpenID},
			{name: "sub_openid", secret: &v.SubOpenID},
		}},
		{name: "openid", secret: &v.Older.OpenID},
		{name: "sub_openid", secret: &v.Older.SubOpenID},
		{name: "total_fee", older: &v.Older.TotalFee},
		{name: "cash_fee", older: &v.Older.CashFee},
		{name: "fee_type", text: &v.Older.FeeType},
		{name: "time_end", text: &v.Older.TimeEnd},
		{name: "combine_appid", text: &v.Combine.AppID},
		{name: "combine_payer_info", object: []field{
			{name: "openid", secret: &v.Combine.OpenID},
			{name: "sub_openid", secret: &v.Combine.SubOpenID},
		}},
		{name: "sub_orders", value: v.subOrders},
	}...), nil)
	return v, err
}

// subOrders reads the parts of a combined order.
func (v *WeChatTransaction) subOrders(r *reader) bool {
	return r.list(func() bool {
		var o WeChatSubOrder
		ok := r.object(append(o.WeChatOrder.fields("total_amount", "payer_amount"), field{name: "sub_openid", secret: &o.SubOpenID}), nil)
		v.SubOrders = append(v.SubOrders, o)
		return ok
	})
}

// WeChatReverse is what is read of an answer to a reverse: the older interface's has
// return_code and result_code, v3 a code if it failed.
type WeChatReverse struct {
	WeChatAnswer
	Code                      string
	Recall                    string // Y: to be asked again
	TransactionID, OutTradeNo string // the firmware adds them
}

// WeChatReverse reads the body. Every error is a *DecodeError.
func (m *Message) WeChatReverse() (WeChatReverse, error) {
	var v WeChatReverse
	err := m.read(append(v.WeChatAnswer.fields(), []field{
		{name: "code", text: &v.Code},
		{name: "recall", text: &v.Recall},
		{name: "transaction_id", text: &v.TransactionID},
		{name: "out_trade_no", text: &v.OutTradeNo},
	}...), nil)
	return v, err
}
