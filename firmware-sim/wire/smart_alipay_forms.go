package wire

import (
	"encoding/json"
	"time"
)

// What Alipay sends beside the answers of the usual calls: notifications, the newer interface without code, queries,
// and answers of refunds, which state only what went back of the trade in all (wires.md § smart).

const alipayTime = "2006-01-02 15:04:05"

// alipayNotice writes the notification of a payment: the buyer is buyer_id, the ways to pay are JSON inside a string.
func alipayNotice(r *Record) object {
	o := alipayTrade(r)
	delete(o, "code")
	delete(o, "msg")
	if id, ok := o["buyer_user_id"]; ok {
		o["buyer_id"] = id
		delete(o, "buyer_user_id")
	}
	if list, ok := o["fund_bill_list"].([]object); ok {
		for _, f := range list {
			f["fundChannel"] = f["fund_channel"]
			delete(f, "fund_channel")
		}
		if b, err := json.Marshal(list); err == nil {
			o["fund_bill_list"] = string(b)
		}
	}
	o["notify_type"] = "trade_status_sync"
	o["refund_fee"] = "0.00"
	return o
}

// alipayNewer writes the newer interface's answer of a payment: neither code nor trade_status.
func alipayNewer(r *Record) object {
	o := alipayTrade(r)
	for _, k := range []string{"code", "msg", "trade_status"} {
		delete(o, k)
	}
	return o
}

// alipayClosed writes the answer of a trade query after a refund in full: closed, but with the time of its payment.
func alipayClosed(r *Record) object {
	o := alipayTrade(r)
	o["trade_status"] = "TRADE_CLOSED"
	delete(o, "gmt_payment")
	o["send_pay_date"] = r.At.Format(alipayTime)
	return o
}

// alipayBack begins an answer about a refund.
func alipayBack(r *Record) object {
	o := object{"code": "10000", "msg": "Success"}
	return o.put("trade_no", r.Original.ChannelTxn, "out_trade_no", r.Original.OrderNo, "out_request_no", r.RefundNo)
}

// alipayFee writes the answer of a refund as the platform sends it: refund_fee is what went back of the trade so far.
func alipayFee(r *Record, returned int64) object {
	o := alipayBack(r).put("fund_change", "Y", "refund_fee", yuan(returned), "gmt_refund_pay", r.At.Format(alipayTime))
	alipayBuyer(o, r)
	return o
}

func alipayNewerRefund(r *Record, returned int64) object {
	o := alipayFee(r, returned)
	delete(o, "code")
	delete(o, "msg")
	return o
}

// alipayNoNumber writes the answer of a refund in full that was asked for without a number of its own.
func alipayNoNumber(r *Record, returned int64) object {
	o := alipayFee(r, returned)
	delete(o, "out_request_no")
	return o
}

// alipayAgain writes the answer to a refund asked for once more under its number: nothing moved this time.
func alipayAgain(r *Record, returned int64) object {
	o := alipayFee(r, returned)
	o["fund_change"] = "N"
	return o
}

// alipayRefundQuery writes the answer of a refund query, with the state in refund_status.
func alipayRefundQuery(r *Record) object {
	o := alipayBack(r).put("refund_status", r.ResponseCode, "refund_amount", yuan(r.Amount), "gmt_refund_pay", r.At.Format(alipayTime))
	alipayBuyer(o, r)
	return o
}

// alipayLost writes what the firmware has when the answer of a refund is lost: a code and the numbers of its request.
func alipayLost(r *Record) object {
	return object{"code": "20000", "msg": "Service Currently Unavailable", "sub_code": "isp.unknow-error"}.put(
		"out_trade_no", r.Original.OrderNo, "out_request_no", r.RefundNo)
}

// alipayNoSuch writes the answer of a refund query where there is no such refund: nothing but the numbers.
func alipayNoSuch(r *Record) object { return alipayBack(r) }

// alipayNotified writes the notification of a trade of which something went back elsewhere: it is the only message
// that reports the refund.
func alipayNotified(sale, r *Record, returned int64) object {
	o := alipayNotice(sale)
	if returned == sale.Amount {
		o["trade_status"] = "TRADE_CLOSED"
	}
	return o.put("refund_fee", yuan(returned), "out_biz_no", r.RefundNo,
		"gmt_refund", r.At.Add(536*time.Millisecond).Format("2006-01-02 15:04:05.000"))
}

// alipayCancel writes the answer of a cancel (撤销): whether it gave money back or closed an unpaid trade is in action.
func alipayCancel(r *Record) object {
	o := object{"code": r.ResponseCode, "msg": "Success", "retry_flag": "N"}
	o.put("trade_no", r.Original.ChannelTxn, "out_trade_no", r.Original.OrderNo)
	if r.Outcome == "closed" {
		return o.put("action", "close")
	}
	return o.put("action", "refund", "gmt_refund_pay", r.At.Format(alipayTime))
}
