package smart

import "yuanlu/protocol/sensitive"

// WeChatTransaction is what is read of a WeChat Pay v3 payment object. Amounts are
// fen. Source: reference/domain.md § 3.1.
type WeChatTransaction struct {
	TransactionID, OutTradeNo       string
	TradeState, TradeType, BankType string
	SuccessTime                     string // RFC 3339
	AppID, SpAppID, SubAppID        string
	OpenID, SpOpenID, SubOpenID     sensitive.Text
	Total, PayerTotal               Number
	Currency                        string
}

// WeChatTransaction reads the body. Every error is a *DecodeError.
func (m *Message) WeChatTransaction() (WeChatTransaction, error) {
	var v WeChatTransaction
	err := m.read([]field{
		{name: "transaction_id", text: &v.TransactionID},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "trade_state", text: &v.TradeState},
		{name: "trade_type", text: &v.TradeType},
		{name: "bank_type", text: &v.BankType},
		{name: "success_time", text: &v.SuccessTime},
		{name: "appid", text: &v.AppID},
		{name: "sp_appid", text: &v.SpAppID},
		{name: "sub_appid", text: &v.SubAppID},
		{name: "payer", object: []field{
			{name: "openid", secret: &v.OpenID},
			{name: "sp_openid", secret: &v.SpOpenID},
			{name: "sub_openid", secret: &v.SubOpenID},
		}},
		{name: "amount", object: []field{
			{name: "total", integer: &v.Total},
			{name: "payer_total", integer: &v.PayerTotal},
			{name: "currency", text: &v.Currency},
		}},
	}, nil)
	return v, err
}

// WeChatRefund is what is read of a WeChat Pay v3 refund object. Amounts are fen.
type WeChatRefund struct {
	RefundID, OutRefundNo     string
	TransactionID, OutTradeNo string
	Status, Channel           string
	Account                   sensitive.Text // user_received_account
	SuccessTime, CreateTime   string         // RFC 3339
	Refund, PayerRefund       Number
	Currency                  string
}

// WeChatRefund reads the body. Every error is a *DecodeError.
func (m *Message) WeChatRefund() (WeChatRefund, error) {
	var v WeChatRefund
	err := m.read([]field{
		{name: "refund_id", text: &v.RefundID},
		{name: "out_refund_no", text: &v.OutRefundNo},
		{name: "transaction_id", text: &v.TransactionID},
		{name: "out_trade_no", text: &v.OutTradeNo},
		{name: "status", text: &v.Status},
		{name: "channel", text: &v.Channel},
		{name: "user_received_account", secret: &v.Account},
		{name: "success_time", text: &v.SuccessTime},
		{name: "create_time", text: &v.CreateTime},
		{name: "amount", object: []field{
			{name: "refund", integer: &v.Refund},
			{name: "payer_refund", integer: &v.PayerRefund},
			{name: "currency", text: &v.Currency},
		}},
	}, nil)
	return v, err
}
