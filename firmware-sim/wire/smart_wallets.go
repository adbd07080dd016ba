package wire

import (
	"fmt"
	"time"
)

// The channels' own objects: reference/domain.md § 3. Each is…(r) says whether the object says all that the record
// says; each body function writes it.

// onlyNumbers says that the record has no number that belongs to host messages.
func onlyNumbers(r *Record) bool {
	return r.Stan == "" && r.Batch == "" && r.RRN == "" && r.AuthCode == "" && r.Signature == "" && r.Totals == nil &&
		r.Journal == nil && r.Original.Stan == "" && r.Original.Batch == "" && r.Original.RRN == "" &&
		r.Original.AuthCode == "" && r.Original.Date == "" && r.Original.TerminalID == "" && r.Party.PAR == ""
}

// wechatStates gives the trade_state of an outcome.
func wechatStates() map[string]string {
	return map[string]string{"approved": "SUCCESS", "pending": "USERPAYING", "declined": "PAYERROR", "closed": "CLOSED"}
}

func state(r *Record, states map[string]string) (string, bool) {
	s, ok := states[r.Outcome]
	return s, ok && (r.ResponseCode == "" || r.ResponseCode == s)
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

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

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

func isUnionpay(r *Record) bool {
	kinds := map[string]bool{"sale": true, "void": true, "refund": true}
	schemes := map[string]bool{"": true, "none": true, "pan": true, "pan_masked": true, "unionpay_token": true}
	own := r.OrderNo == "" && r.ChannelTxn == "" && r.Original.OrderNo == ""
	if r.Kind == "sale" {
		own = r.RefundNo == "" && r.ChannelRefund == "" && r.Original == (Original{})
	}
	return kinds[r.Kind] && r.Channel == "unionpay_qr" && onlyNumbers(r) && schemes[r.Party.Scheme] && own && r.Entry == "" &&
		r.RefundRoute == "" && r.Funding == "" && r.PayerAmount == nil && len(r.Party.Also) == 0 && r.Party.Text == "" &&
		unionpayCode(r) != ""
}

// unionpayCode gives respCode, empty if none reads as the outcome.
func unionpayCode(r *Record) string {
	code := r.ResponseCode
	if code == "" {
		code = map[string]string{"approved": "00", "pending": "04", "declined": "51"}[r.Outcome]
	}
	read := map[string]string{"00": "approved", "03": "pending", "04": "pending", "05": "pending"}[code]
	if read == "" {
		read = "declined"
	}
	if read != r.Outcome {
		return ""
	}
	return code
}

func unionpay(r *Record) object {
	o := object{"version": "5.1.0", "encoding": "UTF-8", "respCode": unionpayCode(r), "txnAmt": fmt.Sprint(r.Amount),
		"currencyCode": currencyNumber(r.Currency),
		"txnType":      map[string]string{"sale": "01", "void": "31", "refund": "04"}[r.Kind]}
	order, query := r.OrderNo, r.ChannelTxn
	if r.Kind != "sale" {
		order, query = r.RefundNo, r.ChannelRefund
	}
	for key, v := range map[string]string{"orderId": order, "queryId": query, "origQryId": r.Original.ChannelTxn, "accNo": r.Party.ID} {
		if v != "" {
			o[key] = v
		}
	}
	if !r.At.IsZero() {
		o["txnTime"] = r.At.Format("20060102150405")
	}
	return o
}

// lakalaCodes gives proc_cd of a kind of card transaction.
func lakalaCodes() map[string]string {
	return map[string]string{"sale": "000000", "void": "200000", "refund": "500000", "preauth": "300000",
		"completion": "330000", "preauth_void": "400000", "completion_void": "440000"}
}

func isLakala(r *Record) bool {
	schemes := map[string]bool{"": true, "none": true, "pan": true, "pan_masked": true}
	own := r.RefundNo == "" && r.ChannelRefund == "" && r.RefundRoute == ""
	if moneyBack(r.Kind) {
		own = r.OrderNo == "" && r.ChannelRefund == "" && r.RefundRoute == ""
	}
	return lakalaCodes()[r.Kind] != "" && r.Channel == "card" && schemes[r.Party.Scheme] && r.Party.PAR == "" && own &&
		r.Entry == "" && r.ResponseCode == "" && r.Currency == "CNY" && r.Funding == "" && r.PayerAmount == nil &&
		len(r.Party.Also) == 0 && r.Party.Text == "" && r.Signature == "" && r.ChannelTxn == "" && lakalaResult(r) != "" &&
		r.Original.Batch == "" && r.Original.AuthCode == "" && r.Original.OrderNo == "" && r.Original.ChannelTxn == "" &&
		r.Original.TerminalID == ""
}

func lakalaResult(r *Record) string {
	return map[string]string{"approved": "ok", "declined": "fail", "unknown": "absent"}[r.Outcome]
}

func lakala(r *Record) object {
	detail := object{"merid": r.MerchantID, "termid": r.TerminalID, "batchno": r.Batch, "systraceno": r.Stan,
		"authcode": r.AuthCode, "transamount": yuan(r.Amount), "refernumber": r.RRN, "pay_tp": "0"}
	if r.Party.ID != "" {
		detail["priaccount"] = r.Party.ID
	}
	order := r.OrderNo
	if moneyBack(r.Kind) {
		order = r.RefundNo
	}
	o := object{"msg_tp": "0210", "pay_tp": "0", "proc_tp": "00", "proc_cd": lakalaCodes()[r.Kind], "amt": yuan(r.Amount),
		"order_no": order, "txndetail": detail}
	if s := lakalaResult(r); s != "absent" {
		o["result"] = s
	}
	if !r.At.IsZero() {
		o["time_stamp"] = r.At.Format("20060102150405")
	}
	for key, v := range map[string]string{"sysoldtraceno": r.Original.Stan, "sysoldreferno": r.Original.RRN,
		"sysolddate": date8(r.Original.Date)} {
		if v != "" {
			o[key] = v
		}
	}
	return o
}

// date8 writes YYYY-MM-DD without its dashes.
func date8(d string) string {
	if len(d) == 10 {
		return d[:4] + d[5:7] + d[8:]
	}
	return d
}
