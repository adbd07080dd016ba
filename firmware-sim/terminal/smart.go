package terminal

import "yuanlu/firmware-sim/wire"

// fitSmart leaves of a record what the channel's own object shows, which is what the smart terminal hands on. Voids of
// wallets, JD, phones and whatever no object fits go as records, which show everything.
func fitSmart(r *wire.Record) {
	switch {
	case r.Channel == "wechat" && r.Kind == "sale":
		bareNumbers(r)
		r.ResponseCode = map[string]string{"approved": "SUCCESS", "pending": "USERPAYING", "declined": "PAYERROR"}[r.Outcome]
		payerAmount(r)
	case r.Channel == "wechat" && r.Kind == "refund":
		wechatBack(r)
	case r.Channel == "alipay" && r.Kind == "sale":
		bareNumbers(r)
		r.Entry, r.Currency = "", ""
		r.ResponseCode = map[string]string{"approved": "TRADE_SUCCESS", "pending": "WAIT_BUYER_PAY", "declined": "40004"}[r.Outcome]
	case r.Channel == "alipay" && r.Kind == "refund":
		bareNumbers(r)
		r.Currency, r.ChannelRefund, r.RefundRoute = "", "", ""
		r.ResponseCode = map[string]string{"approved": "10000", "declined": "40004", "unknown": "20000"}[r.Outcome]
	case r.Channel == "unionpay_qr":
		bareNumbers(r)
		r.Entry, r.RefundRoute = "", ""
		r.Original = wire.Original{ChannelTxn: r.Original.ChannelTxn}
		if r.Outcome == "pending" {
			r.ResponseCode = "04"
		}
	case r.Channel == "card" && plain(r):
		r.Entry, r.ResponseCode = "", ""
	case r.Channel == "unknown":
		r.Entry, r.ResponseCode, r.Signature = "", "", ""
	}
}

// bareNumbers drops the numbers of host messages, which the wallets' objects do not have.
func bareNumbers(r *wire.Record) {
	r.Stan, r.Batch, r.RRN, r.AuthCode, r.Signature = "", "", "", "", ""
	o := r.Original
	r.Original = wire.Original{OrderNo: o.OrderNo, ChannelTxn: o.ChannelTxn}
}

func payerAmount(r *wire.Record) {
	if r.PayerAmount == nil {
		all := r.Amount
		r.PayerAmount = &all
	}
}

// wechatBack shapes a WeChat refund: the object names an account as text, never an openid, and knows no declined.
func wechatBack(r *wire.Record) {
	bareNumbers(r)
	payerAmount(r)
	r.Entry = ""
	if r.RefundRoute == "" {
		r.RefundRoute = "ORIGINAL"
	}
	if r.Outcome == "declined" {
		r.Outcome = "closed"
	}
	r.ResponseCode = map[string]string{"approved": "SUCCESS", "pending": "PROCESSING", "closed": "CLOSED",
		"abnormal": "ABNORMAL"}[r.Outcome]
	if r.Party.Scheme != "merchant_account" {
		r.Party = wire.Party{Scheme: "account_text", Text: "支付用户零钱"}
		if r.RefundRoute == "OTHER_BANKCARD" {
			r.Party.Text = "招商银行信用卡0403"
		}
	}
}

// plain reports whether the on-device call shows all of a card transaction that matters.
func plain(r *wire.Record) bool {
	s := r.Party.Scheme
	return (s == "pan" || s == "pan_masked") && r.Party.PAR == "" && r.Original.OrderNo == "" && r.Original.ChannelTxn == "" &&
		r.Kind != "settlement" && r.Kind != "adjust"
}
