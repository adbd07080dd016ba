package wire

import (
	"fmt"
	"time"
)

// The older WeChat Pay interface: amounts are digits as text, times yyyyMMddHHmmss, whether the call was understood and
// what became of it stand in return_code, result_code and err_code (wires.md § smart).

// wechatOlderHead begins an answer of the older interface.
func wechatOlderHead(r *Record) object {
	o := object{"return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": "1230000109"}
	if r.Outcome == "declined" || r.Outcome == "unknown" || r.Outcome == "pending" && r.Kind == "sale" {
		o["result_code"] = "FAIL"
		o["err_code"] = r.ResponseCode
	}
	return o
}

// put writes text members that are not empty.
func (o object) put(pairs ...string) object {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			o[pairs[i]] = pairs[i+1]
		}
	}
	return o
}

// wechatOlderSale writes the answer of a code payment, with the openid at the top and no trade_state.
func wechatOlderSale(r *Record) object {
	o := wechatOlderHead(r)
	o.put("appid", r.Party.Namespace, "openid", r.Party.ID, "out_trade_no", r.OrderNo, "transaction_id", r.ChannelTxn,
		"fee_type", r.Currency, "trade_type", "MICROPAY", "is_subscribe", "N")
	o["total_fee"] = fmt.Sprint(r.Amount)
	if r.PayerAmount != nil {
		o["cash_fee"] = fmt.Sprint(*r.PayerAmount)
	}
	o.put("bank_type", map[string]string{"balance": "CFT", "debit_card": "ICBC_DEBIT", "credit_card": "CMB_CREDIT"}[r.Funding])
	if r.Outcome == "approved" {
		o["time_end"] = r.At.Format("20060102150405")
	}
	return o
}

// wechatCombined writes one payment of several orders: payer and appid once, amounts and numbers in each sub order.
func wechatCombined(list []*Record) object {
	var subs []object
	for _, r := range list {
		s, _ := state(r, wechatStates())
		sub := object{"mchid": "1230000109", "out_trade_no": r.OrderNo, "trade_state": s, "trade_type": "NATIVE",
			"amount": object{"total_amount": r.Amount, "payer_amount": *r.PayerAmount, "currency": r.Currency,
				"payer_currency": r.Currency}}
		if r.Funding == "balance" {
			sub["bank_type"] = "CFT"
		}
		if r.Outcome == "approved" {
			sub.put("transaction_id", r.ChannelTxn, "success_time", r.At.Format(time.RFC3339))
		}
		subs = append(subs, sub)
	}
	p := list[0].Party
	return object{"combine_appid": p.Namespace, "combine_mchid": "1230000109", "combine_out_trade_no": "C" + list[0].OrderNo,
		"combine_payer_info": object{"openid": p.ID}, "sub_orders": subs}
}

// wechatRefundNotice writes what the platform notifies of a refund: the state in refund_status, no channel, no
// create_time, no currency.
func wechatRefundNotice(r *Record) object {
	s, _ := state(r, wechatRefundStates())
	o := object{"mchid": "1230000109", "refund_status": s, "user_received_account": r.Party.Text,
		"amount": object{"refund": r.Amount, "payer_refund": *r.PayerAmount, "total": r.Amount, "payer_total": *r.PayerAmount}}
	o.put("out_trade_no", r.Original.OrderNo, "transaction_id", r.Original.ChannelTxn, "out_refund_no", r.RefundNo,
		"refund_id", r.ChannelRefund)
	if r.Outcome == "approved" {
		o["success_time"] = r.At.Format(time.RFC3339)
	}
	return o
}

// wechatOlderRefund writes the answer of the older refund call, which means only that the request was taken in.
func wechatOlderRefund(r *Record) object {
	o := wechatOlderHead(r)
	o.put("appid", "wxtest0000000001", "out_trade_no", r.Original.OrderNo, "transaction_id", r.Original.ChannelTxn,
		"out_refund_no", r.RefundNo, "refund_id", r.ChannelRefund, "refund_channel", r.RefundRoute, "fee_type", r.Currency)
	o["refund_fee"] = fmt.Sprint(r.Amount)
	o["total_fee"] = fmt.Sprint(r.Amount)
	if r.PayerAmount != nil {
		o["cash_refund_fee"] = fmt.Sprint(*r.PayerAmount)
	}
	return o
}

// wechatOlderQuery writes the answer of the older refund query: each refund's members end in _n.
func wechatOlderQuery(r *Record) object {
	o := wechatOlderHead(r)
	o.put("appid", "wxtest0000000001", "out_trade_no", r.Original.OrderNo, "transaction_id", r.Original.ChannelTxn,
		"out_refund_no_0", r.RefundNo, "refund_id_0", r.ChannelRefund, "refund_channel_0", r.RefundRoute,
		"refund_recv_accout_0", r.Party.Text, "refund_count", "1", "fee_type", r.Currency)
	s, _ := state(r, map[string]string{"approved": "SUCCESS", "pending": "PROCESSING", "closed": "REFUNDCLOSE", "abnormal": "CHANGE"})
	o.put("refund_status_0", s)
	o["refund_fee_0"] = fmt.Sprint(r.Amount)
	o["total_fee"] = fmt.Sprint(r.Amount)
	if r.PayerAmount != nil {
		o["cash_refund_fee_0"] = fmt.Sprint(*r.PayerAmount)
	}
	if r.Outcome == "approved" {
		o["refund_success_time_0"] = r.At.Format("2006-01-02 15:04:05")
	}
	return o
}

// wechatReverse writes the answer of a reverse (撤销); the firmware adds the numbers of the payment.
func wechatReverse(r *Record) object {
	o := wechatOlderHead(r)
	recall := "N"
	if r.Outcome == "unknown" {
		recall = "Y"
	}
	return o.put("appid", "wxtest0000000001", "recall", recall, "out_trade_no", r.Original.OrderNo,
		"transaction_id", r.Original.ChannelTxn)
}
