package bills

import "strings"

// wechat is the frame of the bills of WeChat Pay: a header, rows whose cells each begin with
// a backtick, then the names and the values of the sums (bills.md § 4, wechat_trade).
type wechat struct {
	r     *reader
	rows  wechatRows
	at    []int // of the columns
	width int   // cells of the header; 0 before it
	names []string
	sums  bool // their values were read
	wrong int  // the line of sums that differ
}

// wechatRows is what differs between the two bills.
type wechatRows interface {
	columns() []column
	// head takes where the columns stand; false: one that is needed is absent.
	head(at []int) bool
	// row reads a row. parts name it; add is called once it is known to be a new one.
	row(cells *row) (e Entry, parts []string, add func())
	// sums are the names of sums that must be there; the line of their names begins with
	// the first.
	sums() []string
	// adds reports whether a named sum is what the rows add up to.
	adds(name, value string) bool
}

func newWechat(r *reader, rows wechatRows) *wechat { return &wechat{r: r, rows: rows} }

func (w *wechat) head() bool { return w.width == 0 }

func (w *wechat) line(n int, text string) bool {
	marked := strings.HasPrefix(text, "`")
	switch {
	case w.width == 0:
		return w.header(n, strings.Split(text, ","))
	case w.sums, w.names != nil && !marked:
		w.r.refuseLine(n, 0, Form)
	case w.names != nil:
		w.sums = true
		if !w.agree(cutBackticks(text)) {
			w.wrong = n
		}
	case marked:
		w.row(n, cutBackticks(text))
	default:
		names := strings.Split(text, ",")
		for i := range names {
			names[i] = columnName(names[i])
		}
		if names[0] == w.rows.sums()[0] {
			w.names = names
		} else {
			w.r.refuseLine(n, 0, Form)
		}
	}
	return true
}

func (w *wechat) header(n int, cells []string) bool {
	at, col, ok := findColumns(cells, w.rows.columns())
	if !ok || !w.rows.head(at) {
		w.r.refuse(n, col, Header)
		return false
	}
	w.at, w.width = at, len(cells)
	return true
}

// cutBackticks cuts a row at comma and backtick: a comma in a text is no separator.
func cutBackticks(text string) []string {
	cells := strings.Split(text[1:], ",`")
	for i := range cells {
		cells[i] = strings.Trim(cells[i], " \t")
	}
	return cells
}

func (w *wechat) row(n int, cells []string) {
	if len(cells) != w.width {
		w.r.refuseLine(n, 0, Columns)
		return
	}
	c := &row{cells: cells, at: w.at}
	e, parts, add := w.rows.row(c)
	if w.r.refuseCells(n, c) {
		return
	}
	date := e.At[:10]
	if w.r.bill.From != "" && date != w.r.bill.From {
		w.r.refuseLine(n, 0, Day)
		return
	}
	e.Line = n
	if w.r.entry(&e, parts...) {
		w.r.span(date)
		add()
	}
}

// agree reports whether the sums are what the rows add up to.
func (w *wechat) agree(values []string) bool {
	if len(values) != len(w.names) {
		return false
	}
	there := map[string]bool{}
	for i, name := range w.names {
		there[name] = true
		if !w.rows.adds(name, values[i]) {
			return false
		}
	}
	for _, name := range w.rows.sums() {
		if !there[name] {
			return false
		}
	}
	return true
}

func (w *wechat) end(bool) (int, Code) {
	if w.r.bill.From == "" && w.r.named {
		w.r.span(w.r.day.Format("2006-01-02"))
	}
	switch {
	case !w.sums:
		return 0, Truncated
	case w.wrong > 0:
		return w.wrong, SummaryMismatch
	}
	return 0, ""
}

// isSum reports whether a value of the sums is an amount of yuan that equals fen.
func isSum(value string, fen int64) bool {
	got, ok := parseYuan(value)
	return ok && got == fen
}

// isCount reports whether a value of the sums is a count, which may be written 2.0.
func isCount(value string, n int) bool { return isSum(value, int64(n)*100) }

// wechatFund reads the fund bill (bills.md § 4, wechat_fund).
type wechatFund struct {
	counts, amounts [2]int64 // in, out
}

const (
	wfTime = iota
	wfChannelNo
	wfFlow
	wfKind
	wfDirection
	wfAmount
	wfProof
)

func (f *wechatFund) columns() []column {
	return []column{{names: []string{"记账时间"}}, {names: []string{"微信支付业务单号"}}, {names: []string{"资金流水单号"}}, {names: []string{"业务类型"}},
		{names: []string{"收支类型"}}, {names: []string{"收支金额"}}, {names: []string{"业务凭证号"}}}
}

func (f *wechatFund) head([]int) bool { return true }

func (f *wechatFund) row(c *row) (e Entry, parts []string, add func()) {
	e = Entry{Status: Success, Channel: "wechat", At: c.time(wfTime)}
	word, side := c.text(wfKind), 0
	switch c.text(wfDirection) {
	case "收入":
		e.Direction = In
	case "支出":
		e.Direction, side = Out, 1
	default:
		c.refuse(wfDirection, BadKind)
	}
	switch {
	case word == "交易":
		e.Kind = Sale
	case word == "退款" && e.Direction == Out:
		e.Kind = Refund
	case (word == "退款" || word == "退款关闭") && e.Direction == In:
		e.Kind = RefundBack
	case word == "扣除交易手续费", word == "退还交易手续费":
		e.Kind = Fee
	default:
		e.Kind = Other
	}
	e.Amount = c.notNegative(wfAmount, c.yuan(wfAmount))
	number, proof := c.number(wfChannelNo), c.free(wfProof)
	switch e.Kind {
	case Sale:
		e.ChannelTxn, e.OrderNo = number, proof
	case Refund, RefundBack:
		e.ChannelRefund, e.RefundNo = number, proof
	}
	amount := e.Amount
	return e, []string{number, c.key(wfFlow), word, e.Direction}, func() {
		f.counts[side]++
		f.amounts[side] += amount
	}
}

func (f *wechatFund) sums() []string {
	return []string{"资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"}
}

func (f *wechatFund) adds(name, value string) bool {
	switch name {
	case "资金流水总笔数":
		return isCount(value, int(f.counts[0]+f.counts[1]))
	case "收入笔数":
		return isCount(value, int(f.counts[0]))
	case "支出笔数":
		return isCount(value, int(f.counts[1]))
	case "收入金额":
		return isSum(value, f.amounts[0])
	case "支出金额":
		return isSum(value, f.amounts[1])
	}
	return true
}
