package bills

import "strings"

// alipayTrade reads the rows of the trade bill (bills.md § 4, alipay_trade).
type alipayTrade struct {
	counts, amounts [2]int64 // sales, refunds
}

const (
	atTxn = iota
	atOrder
	atKind
	atCreated
	atDone
	atTerminal
	atAmount
	atReceived
	atRefundNo
)

func (t *alipayTrade) columns() []column {
	return []column{{names: []string{"支付宝交易号", "交易号"}}, {names: []string{"商户订单号"}}, {names: []string{"业务类型"}}, {names: []string{"创建时间"}},
		{names: []string{"完成时间"}}, {names: []string{"终端号"}}, {names: []string{"订单金额"}}, {names: []string{"商家实收"}}, {names: []string{"退款批次号/请求号"}}}
}

func (t *alipayTrade) list() string { return "业务明细列表" }

func (t *alipayTrade) sums() [2]string { return [2]string{"交易合计", "退款合计"} }

func (t *alipayTrade) row(c *row) (e Entry, parts []string, add func()) {
	e = Entry{Direction: In, TerminalID: c.free(atTerminal), At: c.timeIfGiven(atDone)}
	if created := c.timeIfGiven(atCreated); e.At == "" {
		e.At = created
	}
	if c.text(atDone) == "" && c.text(atCreated) == "" {
		c.lack(atDone)
	}
	txn, order, refundNo := c.key(atTxn), c.number(atOrder), c.number(atRefundNo)
	received, side := c.yuan(atReceived), 0
	e.Amount = c.yuan(atAmount)
	switch c.text(atKind) {
	case "交易":
		e.Kind, e.ChannelTxn, e.OrderNo = Sale, txn, order
		c.notNegative(atAmount, e.Amount)
	case "退款":
		e.Kind, e.Direction, side = Refund, Out, 1
		e.Amount = max(e.Amount, -e.Amount)
		e.RefundNo, e.Original = refundNo, Original{OrderNo: order, ChannelTxn: txn}
	default:
		c.refuse(atKind, BadKind)
	}
	return e, []string{e.Kind, txn, e.RefundNo, e.At}, func() {
		t.counts[side]++
		t.amounts[side] += received
	}
}

func (t *alipayTrade) adds(i int, text string) bool {
	count, fen, ok := cutSum(text, [2]string{"商家实收共", "商家实收退款共"}[i])
	return ok && count == t.counts[i] && fen == t.amounts[i]
}

// alipayFund reads the rows of the fund bill (bills.md § 4, alipay_fund).
type alipayFund struct {
	counts, amounts [2]int64 // out, in
}

const (
	afFlow = iota
	afTxn
	afOrder
	afTime
	afIn
	afOut
	afKind
)

func (f *alipayFund) columns() []column {
	return []column{{names: []string{"账务流水号"}}, {names: []string{"业务流水号"}}, {names: []string{"商户订单号"}}, {names: []string{"发生时间"}},
		{names: []string{"收入金额"}}, {names: []string{"支出金额"}}, {names: []string{"业务类型"}}}
}

func (f *alipayFund) list() string { return "账务明细列表" }

func (f *alipayFund) sums() [2]string { return [2]string{"支出合计", "收入合计"} }

func (f *alipayFund) row(c *row) (e Entry, parts []string, add func()) {
	e = Entry{Direction: In, At: c.time(afTime)}
	in, inRead := f.yuan(c, afIn)
	out, outRead := f.yuan(c, afOut)
	c.notNegative(afIn, in)
	if inRead && outRead && (in == 0) == (out == 0) {
		c.refuse(afOut, BadAmount)
	}
	side := 1
	if e.Amount = in; out != 0 {
		e.Amount, e.Direction, side = max(out, -out), Out, 0
	}
	txn, order := c.number(afTxn), c.number(afOrder)
	switch word := c.text(afKind); {
	case strings.Contains(word, "退款") && e.Direction == Out:
		e.Kind = Refund
	case strings.Contains(word, "退款"):
		e.Kind = RefundBack
	case (word == "在线支付" || word == "交易付款" || word == "交易") && e.Direction == In:
		e.Kind = Sale
	case word == "收费", word == "退费":
		e.Kind = Fee
	default:
		e.Kind = Other
	}
	switch e.Kind {
	case Sale:
		e.ChannelTxn, e.OrderNo = txn, order
	case Refund, RefundBack:
		e.Original = Original{OrderNo: order, ChannelTxn: txn}
	}
	amount := e.Amount
	return e, []string{c.key(afFlow)}, func() {
		f.counts[side]++
		f.amounts[side] += amount
	}
}

// yuan returns an amount in fen, if it is one; an empty cell is 0.
func (f *alipayFund) yuan(c *row, field int) (fen int64, ok bool) {
	if c.text(field) == "" {
		return 0, true
	}
	if fen, ok = parseYuan(c.text(field)); !ok {
		c.refuse(field, BadAmount)
	}
	return fen, ok
}

func (f *alipayFund) adds(i int, text string) bool {
	count, fen, ok := cutSum(text, "共")
	if i == 0 {
		fen = max(fen, -fen)
	}
	return ok && count == f.counts[i] && fen == f.amounts[i]
}
