package wire

// smartShaped returns the bodies of a message in one of the forms that platforms send beside the usual one.
func smartShaped(m Message) ([]content, error) {
	r := m.record()
	key := r.Channel + " " + r.Kind + " " + m.Shape
	body, ok := smartForms()[key]
	if !ok {
		return nil, &CannotCarry{"smart", "shape", "no " + key}
	}
	return body(m), nil
}

// smartForms are the forms by channel, kind and shape.
func smartForms() map[string]func(Message) []content {
	of := func(src string, body func(*Record) object) func(Message) []content {
		return func(m Message) []content { return []content{{src, body(m.record())}} }
	}
	sum := func(body func(*Record, int64) object) func(Message) []content {
		return func(m Message) []content { return []content{{"alipay.refund", body(m.record(), m.Returned)}} }
	}
	return map[string]func(Message) []content{
		"wechat sale older":         of("wechat.transaction", wechatOlderSale),
		"wechat sale combined":      func(m Message) []content { return []content{{"wechat.transaction", wechatCombined(m.Records)}} },
		"wechat refund notice":      of("wechat.refund", wechatRefundNotice),
		"wechat refund older":       of("wechat.refund", wechatOlderRefund),
		"wechat refund older_query": of("wechat.refund", wechatOlderQuery),
		"wechat void reverse":       of("wechat.reverse", wechatReverse),
		"alipay sale notice":        of("alipay.trade", alipayNotice),
		"alipay sale newer":         of("alipay.trade", alipayNewer),
		"alipay sale closed":        of("alipay.trade", alipayClosed),
		"alipay void cancel":        of("alipay.cancel", alipayCancel),
		"alipay refund fee":         sum(alipayFee),
		"alipay refund newer":       sum(alipayNewerRefund),
		"alipay refund no_number":   sum(alipayNoNumber),
		"alipay refund again":       sum(alipayAgain),
		"alipay refund query":       of("alipay.refund", alipayRefundQuery),
		"alipay refund lost":        of("alipay.refund", alipayLost),
		"alipay refund asked": func(m Message) []content {
			return []content{{"alipay.refund", alipayNoSuch(m.record())}, {"alipay.refund", alipayFee(m.record(), m.Returned)}}
		},
		"alipay refund notified": func(m Message) []content {
			return []content{{"alipay.trade", alipayNotified(m.Records[0], m.record(), m.Returned)}}
		},
		"unionpay_qr sale query":       of("unionpay.qr", unionpayQuery),
		"unionpay_qr refund query":     of("unionpay.qr", unionpayQuery),
		"unionpay_qr sale encrypted":   of("unionpay.qr", unionpayEncrypted),
		"unionpay_qr refund encrypted": of("unionpay.qr", unionpayEncrypted),
		"unionpay_qr void encrypted":   of("unionpay.qr", unionpayEncrypted),
		"unionpay_qr sale defect":      of("unionpay.qr", unionpay),
		"unionpay_qr refund defect":    of("unionpay.qr", unionpay),
	}
}
