package bills

import "strings"

// acquirer reads the transactions of an acquirer: a header and rows, without an end mark
// (bills.md § 4, acquirer_csv).
type acquirer struct {
	r     *reader
	at    []int
	width int // cells of the header; 0 before it
	types map[string]acquirerType
}

// acquirerType is what a word or code of 交易类型 means.
type acquirerType struct{ kind, channel string }

// acquirerTypes are the words and codes of bills.md § 4 by kind.
var acquirerTypes = []struct{ kind, words string }{
	{Sale, "消费 VSP001 预授权完成 VSP006 微信支付 VSP501 支付宝支付 VSP511 银联扫码支付 VSP551 数字货币支付 VSP611 扫码支付 VSP541 手机QQ支付 VSP505"},
	{Void, "消费撤销 VSP002 预授权完成撤销 VSP007 微信支付撤销 VSP502 支付宝支付撤销 VSP512 银联扫码撤销 VSP552 数字货币撤销 VSP612 扫码撤销 VSP542 手机QQ支付撤销 VSP506"},
	{Refund, "退货 VSP003 微信支付退款 VSP503 支付宝支付退款 VSP513 银联扫码退货 VSP553 数字货币退货 VSP613 扫码退货 VSP543 手机QQ支付退款 VSP507"},
	{Adjust, "差错借记调整 VSP907 差错贷记调整 VSP908"},
	{Other, "预授权 VSP004 预授权撤销 VSP005 余额查询"},
}

const (
	acMerchant = iota
	acTerminal
	acDate
	acClock
	acKind
	acBatch
	acSTAN
	acRRN
	acCard
	acAmount
	acNumber
	acOrder
	acOriginal
)

func newAcquirer(r *reader) *acquirer {
	a := &acquirer{r: r, types: map[string]acquirerType{}}
	for _, t := range acquirerTypes {
		channel := ""
		for _, word := range strings.Fields(t.words) {
			if !strings.HasPrefix(word, "VSP") { // a code stands behind its word
				channel = acquirerChannel(word)
			}
			a.types[word] = acquirerType{t.kind, channel}
		}
	}
	return a
}

func acquirerChannel(word string) string {
	for _, c := range []struct{ begin, channel string }{
		{"微信", "wechat"}, {"支付宝", "alipay"}, {"银联", "unionpay_qr"}, {"数字货币", "ecny"}, {"扫码", "unknown"}, {"手机QQ", "unknown"},
	} {
		if strings.HasPrefix(word, c.begin) {
			return c.channel
		}
	}
	return "card"
}

func (a *acquirer) head() bool { return a.width == 0 }

func (a *acquirer) line(n int, text string) bool {
	cells, bad := splitCSV(text)
	if a.width == 0 {
		at, col, ok := findColumns(cells, acquirerColumns())
		if bad > 0 || !ok {
			if bad > 0 {
				col = 0
			}
			a.r.refuse(n, col, Header)
			return false
		}
		a.at, a.width = at, len(cells)
		return true
	}
	switch {
	case bad > 0:
		a.r.refuseLine(n, bad, Quote)
	case len(cells) != a.width:
		a.r.refuseLine(n, 0, Columns)
	default:
		a.row(n, &row{cells: cells, at: a.at})
	}
	return true
}

func acquirerColumns() []column {
	need := func(names ...string) column { return column{names: names} }
	may := func(name string) column { return column{names: []string{name}, optional: true} }
	return []column{need("商户号"), need("终端号"), need("交易日期"), need("交易时间"), need("交易类型"), need("交易批次号", "批次号"), need("凭证号"), need("参考号"),
		need("卡号"), need("交易金额"), may("交易单号"), may("订单号"), may("原交易单")}
}

func (a *acquirer) row(n int, c *row) {
	date, clock := c.text(acDate), c.text(acClock)
	if !isDate(date) {
		c.refuse(acDate, BadTime)
	}
	if !isClock(clock) {
		c.refuse(acClock, BadTime)
	}
	e := Entry{Line: n, Status: Success, MerchantID: c.number(acMerchant), TerminalID: c.number(acTerminal), Amount: c.yuan(acAmount),
		Batch: padded(c.number(acBatch), 6), STAN: padded(c.number(acSTAN), 6), RRN: padded(c.number(acRRN), 12)}
	t, known := a.types[c.text(acKind)]
	if !known {
		c.refuse(acKind, BadKind)
	}
	e.Kind, e.Channel = t.kind, t.channel
	if e.Channel == "card" {
		e.Shown = shown(c.text(acCard))
	}
	e.Direction = Out
	if e.Kind == Sale || (e.Kind == Adjust || e.Kind == Other) && e.Amount >= 0 {
		e.Direction = In
	}
	if e.Kind == Sale {
		c.notNegative(acAmount, e.Amount)
	}
	e.Amount = max(e.Amount, -e.Amount)
	number, order := c.number(acNumber), c.number(acOrder)
	e.Original.ChannelTxn = c.number(acOriginal)
	switch e.Kind {
	case Refund, Void, Adjust:
		e.ChannelRefund, e.RefundNo = number, order
	default:
		e.ChannelTxn, e.OrderNo = number, order
	}
	if number == "" && e.RRN == "" && e.STAN == "" {
		c.lack(acRRN)
	}
	if a.r.refuseCells(n, c) {
		return
	}
	e.At = rfc3339(date + " " + clock)
	parts := []string{number}
	if number == "" {
		parts = []string{e.MerchantID, e.TerminalID, date, e.Batch, e.STAN, e.RRN, e.Kind}
	}
	if a.r.entry(&e, parts...) {
		a.r.span(date)
	}
}

func (a *acquirer) end(lf bool) (int, Code) {
	if !lf {
		return 0, Truncated
	}
	return 0, ""
}
