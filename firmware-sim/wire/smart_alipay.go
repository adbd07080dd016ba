package wire

func alipayStates() map[string]string {
	return map[string]string{"approved": "TRADE_SUCCESS", "pending": "WAIT_BUYER_PAY", "closed": "TRADE_CLOSED",
		"declined": "40004", "unknown": "20000"}
}

// alipayBuyer writes the buyer; false if the party is more or other than Alipay shows.
func alipayBuyer(o object, r *Record) bool {
	all := append([]Ident{{Scheme: r.Party.Scheme, Namespace: r.Party.Namespace, ID: r.Party.ID}}, r.Party.Also...)
	rank := 0
	for _, i := range all {
		level, key := 0, ""
		switch i.Scheme {
		case "alipay_user_id":
			level, key = 1, "buyer_user_id"
		case "alipay_open_id":
			level, key = 2, "buyer_open_id"
			o["app_id"] = i.Namespace
		case "alipay_logon":
			level, key = 3, "buyer_logon_id"
		case "", "none":
			return len(all) == 1
		}
		if level <= rank {
			return false
		}
		rank = level
		o[key] = i.ID
	}
	return r.Party.Text == ""
}

func isAlipayTrade(r *Record) bool {
	_, ok := state(r, alipayStates())
	funds := map[string]bool{"": true, "balance": true, "huabei": true}
	return ok && r.Kind == "sale" && r.Channel == "alipay" && onlyNumbers(r) && alipayBuyer(object{}, r) && funds[r.Funding] &&
		r.OrderNo != "" && r.RefundNo == "" && r.ChannelRefund == "" && r.RefundRoute == "" && r.Entry == "" &&
		r.Original == (Original{})
}

func alipayTrade(r *Record) object {
	s, _ := state(r, alipayStates())
	o := object{"out_trade_no": r.OrderNo, "total_amount": yuan(r.Amount), "code": "10000", "msg": "Success"}
	alipayBuyer(o, r)
	if r.Outcome == "declined" || r.Outcome == "unknown" {
		o["code"] = s
	} else {
		o["trade_status"] = s
	}
	if r.PayerAmount != nil {
		o["buyer_pay_amount"] = yuan(*r.PayerAmount)
	}
	if fund := map[string]string{"balance": "ALIPAYACCOUNT", "huabei": "PCREDIT"}[r.Funding]; fund != "" {
		o["fund_bill_list"] = []object{{"fund_channel": fund, "amount": yuan(r.Amount)}}
	}
	if r.ChannelTxn != "" {
		o["trade_no"] = r.ChannelTxn
	}
	if r.Outcome == "approved" && !r.At.IsZero() {
		o["gmt_payment"] = r.At.Format("2006-01-02 15:04:05")
	}
	if r.Currency != "" {
		o["trans_currency"] = r.Currency
	}
	return o
}

func alipayRefundStates() map[string]string {
	return map[string]string{"approved": "10000", "declined": "40004", "unknown": "20000"}
}

func isAlipayRefund(r *Record) bool {
	_, ok := state(r, alipayRefundStates())
	return ok && r.Kind == "refund" && r.Channel == "alipay" && onlyNumbers(r) && alipayBuyer(object{}, r) && r.RefundNo != "" &&
		r.ChannelRefund == "" && r.RefundRoute == "" && r.Entry == "" && r.PayerAmount == nil && r.OrderNo == "" &&
		r.ChannelTxn == "" && r.Funding == "" && r.Copy == ""
}

func alipayRefund(r *Record) object {
	s, _ := state(r, alipayRefundStates())
	o := object{"code": s, "msg": "Success", "trade_no": r.Original.ChannelTxn, "out_trade_no": r.Original.OrderNo,
		"out_request_no": r.RefundNo, "fund_change": "Y", "refund_amount": yuan(r.Amount)}
	alipayBuyer(o, r)
	if !r.At.IsZero() {
		o["gmt_refund_pay"] = r.At.Format("2006-01-02 15:04:05")
	}
	if r.Currency != "" {
		o["refund_currency"] = r.Currency
	}
	return o
}
