package bills

// wechatTrade reads the trade bill (bills.md § 4, wechat_trade).
type wechatTrade struct {
	r     *reader
	split bool // it has refunds' own columns
	late  bool // a REFUND bill: the time of the row is that of the application
	rows  int
	total [4]int64 // of settled, refund, order, applied
}

const (
	wtTime = iota
	wtMerchant
	wtSubMerchant
	wtDevice
	wtTxn
	wtOrder
	wtState
	wtCurrency
	wtSettled
	wtOrderAmount
	wtRefundAmount
	wtApplied
	wtChannelRefund
	wtRefundNo
	wtRoute
	wtStatus
	wtAppliedAt
	wtSettledAt
)

func (t *wechatTrade) columns() []column {
	need := func(name string) column { return column{names: []string{name}} }
	may := func(names ...string) column { return column{names: names, optional: true} }
	return []column{need("交易时间"), need("商户号"), may("特约商户号", "子商户号"), may("设备号"), need("微信订单号"), need("商户订单号"), need("交易状态"),
		need("货币种类"), may("应结订单金额", "总金额"), may("订单金额"), may("退款金额"), may("申请退款金额"), may("微信退款单号"), may("商户退款单号"),
		may("退款类型"), may("退款状态"), may("退款申请时间"), may("退款成功时间")}
}

func (t *wechatTrade) head(at []int) bool {
	has := func(field int) bool { return at[field] >= 0 }
	t.split, t.late = has(wtChannelRefund), has(wtChannelRefund) && has(wtAppliedAt)
	switch {
	case !t.split:
		t.r.bill.Covers = []string{Sale}
	case t.late:
		t.r.bill.Covers = []string{Refund}
	}
	return (has(wtOrderAmount) || has(wtSettled)) &&
		(!t.split || has(wtRefundNo) && has(wtRefundAmount) && has(wtRoute) && has(wtStatus))
}

func (t *wechatTrade) row(c *row) (e Entry, parts []string, add func()) {
	e = Entry{Status: Success, Direction: Out, Channel: "wechat", TerminalID: c.free(wtDevice), At: c.time(wtTime), SettledAt: c.timeIfGiven(wtSettledAt)}
	if t.late {
		e.At = c.time(wtAppliedAt)
	}
	e.MerchantID = c.number(wtMerchant)
	if sub := c.number(wtSubMerchant); sub != "" {
		e.MerchantID = sub
	}
	if word := c.text(wtCurrency); word != "CNY" && word != "RMB" {
		c.refuse(wtCurrency, BadCurrency)
	}
	sums := [4]int64{c.yuan(wtSettled), c.yuan(wtRefundAmount), c.yuan(wtOrderAmount), c.yuan(wtApplied)}
	txn, order := c.key(wtTxn), c.number(wtOrder)
	channelRefund, refundNo := c.number(wtChannelRefund), c.number(wtRefundNo)
	switch c.text(wtState) {
	case "SUCCESS":
		e.Kind, e.Direction, e.ChannelTxn, e.OrderNo = Sale, In, txn, order
		e.Amount = t.saleAmount(c, &sums)
	case "REFUND":
		if e.Kind = Refund; !t.split {
			c.refuse(wtState, BadKind)
		} else if channelRefund == "" {
			c.lack(wtChannelRefund)
		}
		e.Amount = t.refundAmount(c, &sums)
		e.Route, e.Status = t.route(c), t.status(c)
	case "REVOKED":
		e.Kind = Void
		if e.Amount = t.refundAmount(c, &sums); e.Amount == 0 {
			e.Amount = t.saleAmount(c, &sums)
		}
		if c.text(wtStatus) != "" {
			e.Status = t.status(c)
		}
	default:
		c.refuse(wtState, BadKind)
	}
	if e.Kind != Sale {
		e.RefundNo, e.ChannelRefund, e.Original = refundNo, channelRefund, Original{OrderNo: order, ChannelTxn: txn}
	}
	return e, []string{e.Kind, txn, e.ChannelRefund}, func() {
		t.rows++
		for i := range sums {
			t.total[i] += sums[i]
		}
	}
}

func (t *wechatTrade) saleAmount(c *row, sums *[4]int64) int64 {
	if c.has(wtOrderAmount) {
		return c.notNegative(wtOrderAmount, sums[2])
	}
	return c.notNegative(wtSettled, sums[0])
}

func (t *wechatTrade) refundAmount(c *row, sums *[4]int64) int64 {
	if c.has(wtApplied) {
		return c.notNegative(wtApplied, sums[3])
	}
	return c.notNegative(wtRefundAmount, sums[1])
}

func (t *wechatTrade) route(c *row) string {
	word := c.text(wtRoute)
	switch word {
	case "ORIGINAL", "BALANCE", "OTHER_BALANCE", "OTHER_BANKCARD", "":
		return word
	}
	if c.has(wtRoute) {
		c.refuse(wtRoute, BadRoute)
	}
	return ""
}

func (t *wechatTrade) status(c *row) string {
	switch c.text(wtStatus) {
	case "SUCCESS":
		return Success
	case "PROCESSING":
		return Processing
	case "FAIL", "CHANGE", "ABNORMAL":
		return Failed
	case "CLOSED", "REFUNDCLOSE":
		return Closed
	}
	if c.has(wtStatus) {
		c.refuse(wtStatus, BadStatus)
	}
	return Failed
}

func (t *wechatTrade) sums() []string { return []string{"总交易单数"} }

func (t *wechatTrade) adds(name, value string) bool {
	switch name {
	case "总交易单数":
		return isCount(value, t.rows)
	case "应结订单总金额", "总交易额":
		return isSum(value, t.total[0])
	case "退款总金额", "总退款金额":
		return isSum(value, t.total[1])
	case "订单总金额":
		return isSum(value, t.total[2])
	case "申请退款总金额":
		return isSum(value, t.total[3])
	}
	return true
}
