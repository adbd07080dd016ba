package bills

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// alipay is the frame of the bills of Alipay: a head of lines that begin with #, a header,
// rows, the mark of their end, and sums (bills.md § 4, alipay_trade).
type alipay struct {
	r        *reader
	rows     alipayRows
	account  string
	from, to string // dates; to is the last day
	at       []int
	width    int // cells of the header; 0 before it
	ended    bool
	sums     [2]string // texts behind their names
	sumAt    [2]int    // their lines
	exported bool
}

// alipayRows is what differs between the two bills.
type alipayRows interface {
	columns() []column
	// row reads a row. parts name it; add is called once it is known to be a new one.
	row(cells *row) (e Entry, parts []string, add func())
	// list is the name of the list, whose end is marked.
	list() string
	// sums are the names of the two sums.
	sums() [2]string
	// adds reports whether the text behind the name of sum i is what the rows add up to.
	adds(i int, text string) bool
}

var (
	alipayPeriod = regexp.MustCompile(`^\[(\d{4})年(\d\d)月(\d\d)日 00:00:00\][ \t]*终止日期：\[(\d{4})年(\d\d)月(\d\d)日 00:00:00\]$`)
	alipaySum    = regexp.MustCompile(`^(\d+)笔，(.*?共)(-?[0-9.]+)元(?:，|$)`)
)

func newAlipay(r *reader, rows alipayRows) *alipay { return &alipay{r: r, rows: rows} }

func (a *alipay) head() bool { return a.width == 0 }

func (a *alipay) line(n int, text string) bool {
	remark := strings.HasPrefix(text, "#")
	switch {
	case a.width == 0 && remark:
		return a.preamble(n, strings.TrimRight(text, ", \t"))
	case a.width == 0:
		return a.header(n, text)
	case remark:
		a.foot(n, strings.TrimRight(text, ", \t"))
	case a.ended:
		a.r.refuseLine(n, 0, Form)
	default:
		a.row(n, text)
	}
	return true
}

// preamble reads a line before the header.
func (a *alipay) preamble(n int, text string) bool {
	if rest, ok := strings.CutPrefix(text, "#账号：["); ok {
		if rest, ok = strings.CutSuffix(rest, "]"); ok && isNumber(rest) {
			if len(rest) == 20 {
				rest = strings.TrimSuffix(rest, "0156")
			}
			a.account = given(rest)
		}
	}
	rest, ok := strings.CutPrefix(text, "#起始日期：")
	if !ok {
		return true
	}
	m := alipayPeriod.FindStringSubmatch(rest)
	if m == nil {
		a.r.refuse(n, 0, Header)
		return false
	}
	from, known := dateOf(m[1] + m[2] + m[3])
	end, alsoKnown := dateOf(m[4] + m[5] + m[6])
	if !known || !alsoKnown || !from.Before(end) {
		a.r.refuse(n, 0, Header)
		return false
	}
	a.from, a.to = from.Format(time.DateOnly), end.AddDate(0, 0, -1).Format(time.DateOnly)
	return true
}

func (a *alipay) header(n int, text string) bool {
	cells, bad := splitCSV(text)
	at, col, ok := findColumns(cells, a.rows.columns())
	switch {
	case bad > 0:
		a.r.refuse(n, 0, Header)
	case !ok:
		a.r.refuse(n, col, Header)
	case a.from == "":
		a.r.refuse(n, 0, Header)
	default:
		a.at, a.width = at, len(cells)
		a.r.bill.From, a.r.bill.To = a.from, a.to
		return true
	}
	return false
}

func (a *alipay) row(n int, text string) {
	cells, bad := splitCSV(text)
	switch {
	case bad > 0:
		a.r.refuseLine(n, bad, Quote)
		return
	case len(cells) != a.width:
		a.r.refuseLine(n, 0, Columns)
		return
	}
	c := &row{cells: cells, at: a.at}
	e, parts, add := a.rows.row(c)
	if a.r.refuseCells(n, c) {
		return
	}
	if date := e.At[:10]; date < a.from || date > a.to {
		a.r.refuseLine(n, 0, Day)
		return
	}
	e.Line, e.Status, e.Channel, e.MerchantID = n, Success, "alipay", a.account
	if a.r.entry(&e, parts...) {
		add()
	}
}

// foot reads a line with # behind the header: the mark, then the sums.
func (a *alipay) foot(n int, text string) {
	for i, name := range a.rows.sums() {
		if rest, ok := strings.CutPrefix(text, "#"+name+"："); ok && a.ended && a.sumAt[i] == 0 {
			a.sums[i], a.sumAt[i] = rest, n
			return
		}
	}
	switch {
	case !a.ended && strings.Trim(text[1:], "-") == a.rows.list()+"结束":
		a.ended = true
	case a.ended && !a.exported && strings.HasPrefix(text, "#导出时间："):
		a.exported = true
	default:
		a.r.refuseLine(n, 0, Form)
	}
}

func (a *alipay) end(bool) (int, Code) {
	if !a.ended || a.sumAt[0] == 0 || a.sumAt[1] == 0 {
		return 0, Truncated
	}
	for i, text := range a.sums {
		if !a.rows.adds(i, text) {
			return max(a.sumAt[0], a.sumAt[1]), SummaryMismatch
		}
	}
	return 0, ""
}

// cutSum returns the count and the amount in fen of "N笔，WORDX元" or "N笔，WORDX元，…".
func cutSum(text, word string) (count, fen int64, ok bool) {
	m := alipaySum.FindStringSubmatch(text)
	if m == nil || m[2] != word {
		return 0, 0, false
	}
	count, err := strconv.ParseInt(m[1], 10, 64)
	fen, ok = parseYuan(m[3])
	return count, fen, err == nil && ok
}
