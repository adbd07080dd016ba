package wire

import "time"

// wechatStates returns the trade_state of an outcome.
func wechatStates() map[string]string {
	return map[string]string{"approved": "SUCCESS", "pending": "USERPAYING", "declined": "PAYERROR", "closed": "CLOSED"}
}

func isWechatSale(r *Record) bool {
	_, ok := state(r, wechatStates())
	p := r.Party
	banks := map[string]bool{"": true, "balance": true, "debit_card": true, "credit_card": true}
	return ok && r.Kind == "sale" && r.Channel == "wechat" && onlyNumbers(r) && p.Scheme == "wechat_openid" &&
		p.Namespace != "" && p.Text == "" && len(p.Also) == 0 && r.PayerAmount != nil && banks[r.Funding] &&
		r.OrderNo != "" && r.RefundNo == "" && r.ChannelRefund == "" && r.RefundRoute == "" && r.Original == (Original{})
}

func wechatSale(r *Record) object {
	s, _ := state(r, wechatStates())
	o := object{"appid": r.Party.Namespace, "mchid": "1230000109", "out_trade_no": r.OrderNo, "trade_state": s,
		"payer": object{"openid": r.Party.ID},
		"amount": object{"total": r.Amount, "payer_total": *r.PayerAmount, "currency": r.Currency,
			"payer_currency": r.Currency}}
	switch r.Entry {
	case "qr_shown":
		o["trade_type"] = "MICROPAY"
	case "qr_scanned":
		o["trade_type"] = "NATIVE"
	default:
		o["trade_type"] = "FACEPAY"
	}
	if bank := map[string]string{"balance": "CFT", "debit_card": "ICBC_DEBIT", "credit_card": "CMB_CREDIT"}[r.Funding]; bank != "" {
		o["bank_type"] = bank
	}
	if r.ChannelTxn != "" {
		o["transaction_id"] = r.ChannelTxn
	}
	if r.Outcome == "approved" && !r.At.IsZero() {
		o["success_time"] = r.At.Format(time.RFC3339)
	}
	return o
}

func wechatRefundStates() map[string]string {
	return map[string]string{"approved": "SUCCESS", "pending": "PROCESSING", "closed": "CLOSED", "abnormal": "ABNORMAL"}
}

func isWechatRefund(r *Record) bool {
	_, ok := state(r, wechatRefundStates())
	text := r.Party.Scheme == "account_text" || r.Party.Scheme == "merchant_account"
	return ok && r.Kind == "refund" && r.Channel == "wechat" && onlyNumbers(r) && text && r.Party.Text != "" &&
		len(r.Party.Also) == 0 && r.PayerAmount != nil && r.RefundRoute != "" && r.RefundNo != "" && r.Entry == "" &&
		r.OrderNo == "" && r.ChannelTxn == "" && !r.At.IsZero() && r.Funding == ""
}

func wechatRefund(r *Record) object {
	s, _ := state(r, wechatRefundStates())
	o := object{"out_refund_no": r.RefundNo, "transaction_id": r.Original.ChannelTxn, "out_trade_no": r.Original.OrderNo,
		"channel": r.RefundRoute, "user_received_account": r.Party.Text, "create_time": r.At.Format(time.RFC3339),
		"status": s, "funds_account": "AVAILABLE",
		"amount": object{"refund": r.Amount, "payer_refund": *r.PayerAmount, "currency": r.Currency}}
	if r.ChannelRefund != "" {
		o["refund_id"] = r.ChannelRefund
	}
	if r.Outcome == "approved" {
		o["success_time"] = r.At.Format(time.RFC3339)
	}
	return o
}
