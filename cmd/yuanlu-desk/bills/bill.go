package bills

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// The formats (bills.md § 2).
const (
	WechatTrade = "wechat_trade"
	WechatFund  = "wechat_fund"
	AlipayTrade = "alipay_trade"
	AlipayFund  = "alipay_fund"
	UnionpayZM  = "unionpay_zm"
	AcquirerCSV = "acquirer_csv"
	// summary is a bill of sums alone, which is passed over.
	summary = "summary"
)

// rowID is the first half of a SHA-256: what names a row, and what it says.
type rowID [16]byte

// reader reads one bill.
type reader struct {
	out   Sink
	bill  Bill
	day   time.Time // the day of the file's name, if named
	named bool
	lines lines
	seen  map[rowID]rowID // what each row says, without its line
	clean bool            // no line was refused
	buf   []byte
}

// format is how the lines of one format are read. It is used for one bill.
type format interface {
	// head reports whether the bill's header is still awaited.
	head() bool
	// line takes a line that is not blank and passes the checks of every line; false: the
	// head was refused, and so is the bill.
	line(n int, text string) bool
	// end returns where and why the bill does not end as it should; "" if it does. lf: the
	// file ends with a line feed.
	end(lf bool) (line int, bad Code)
}

// readBill reads the bytes of one bill. name is the base name that may state its day.
func readBill(out Sink, file string, member int, name string, data []byte) {
	r := &reader{out: out, seen: map[rowID]rowID{}, clean: true}
	r.bill.File, r.bill.Member = file, member
	r.day, r.named = nameDay(name)
	sum := sha256.Sum256(data)
	r.bill.SHA256 = hex.EncodeToString(sum[:])
	data, isText := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), true
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		isText = isText && !bytes.HasPrefix(data, []byte(mark))
	}
	switch {
	case !isText:
		r.refuse(0, 0, Encoding)
		return
	case len(bytes.Trim(data, " \t\r\n")) == 0:
		r.refuse(0, 0, Empty)
		return
	}
	r.lines.rest = data
	first, _ := r.lines.next()
	r.lines = lines{rest: data}
	f, bad := r.formatOf(first)
	if bad != "" {
		r.refuse(0, 0, bad)
	}
	if f != nil {
		r.read(f, data[len(data)-1] == '\n')
	}
}

// formatOf returns the format of a bill by its first line; nil for one of which nothing is
// reported, or with the reason why it is refused.
func (r *reader) formatOf(line []byte) (f format, bad Code) {
	if fields, ok := unionpayFields(string(line[:min(len(line), maxLine)])); ok && isUnionpay(fields) {
		if !r.named {
			return nil, DayUnknown
		}
		r.bill.Format, r.bill.Covers = UnionpayZM, []string{Sale, Refund}
		return newUnionpay(r), ""
	}
	enc, known := encodingOf(line)
	if len(line) > maxLine || !known {
		return nil, UnknownFormat
	}
	text := string(line)
	if enc == isGB18030 {
		text = decodeGB18030(line)
	}
	r.lines.enc = enc
	r.bill.Format = nameOf(text)
	trade := []string{Sale, Refund}
	switch r.bill.Format {
	case AlipayTrade:
		r.bill.Covers = trade
		return newAlipay(r, &alipayTrade{}), ""
	case AlipayFund:
		r.bill.Covers = []string{"fund"}
		return newAlipay(r, &alipayFund{}), ""
	case WechatTrade:
		r.bill.Covers = trade
		return newWechat(r, &wechatTrade{r: r}), ""
	case WechatFund:
		r.bill.Covers = []string{"fund"}
		return newWechat(r, &wechatFund{}), ""
	case AcquirerCSV:
		r.bill.Covers = trade
		return newAcquirer(r), ""
	case summary:
		return nil, ""
	}
	return nil, UnknownFormat
}

// nameOf returns the format of a text by its first line, "" if there is none (bills.md § 2).
func nameOf(line string) string {
	for _, begin := range []struct{ text, format string }{
		{"#支付宝业务明细查询", AlipayTrade}, {"#支付宝账务明细查询", AlipayFund},
		{"#支付宝业务汇总查询", summary}, {"#支付宝账务汇总查询", summary},
	} {
		if strings.HasPrefix(line, begin.text) {
			return begin.format
		}
	}
	plain := strings.Split(line, ",")
	cells, bad := splitCSV(line)
	if bad > 0 {
		cells = plain // it is a head all the same, and refused as one
	}
	for _, want := range []struct {
		cells  []string
		names  []string
		format string
	}{
		{plain, []string{"微信订单号", "交易时间"}, WechatTrade},
		{plain, []string{"资金流水单号", "记账时间"}, WechatFund},
		{cells, []string{"参考号", "终端号", "交易类型"}, AcquirerCSV},
	} {
		columns := make([]column, len(want.names))
		for i, name := range want.names {
			columns[i].names = []string{name}
		}
		if at, _, _ := findColumns(want.cells, columns); !slices.Contains(at, -1) {
			return want.format
		}
	}
	return ""
}

// read walks over the lines.
func (r *reader) read(f format, lf bool) {
	last := 0
	for line, ok := r.lines.next(); ok; line, ok = r.lines.next() {
		if blank(line) {
			continue
		}
		last = r.lines.n
		text, bad := r.lines.text(line)
		switch {
		case bad != "" && f.head():
			r.refuse(last, 0, Header)
			return
		case bad != "":
			r.refuseLine(last, 0, bad)
		case !f.line(last, text):
			return
		}
	}
	if f.head() {
		r.refuse(last, 0, Truncated)
		return
	}
	line, bad := f.end(lf)
	switch {
	case bad == Truncated:
		r.refuse(last, 0, bad)
	case bad != "" && r.clean:
		r.refuse(line, 0, bad)
	}
	r.bill.Complete = r.clean && bad == ""
	r.out.Bill(&r.bill)
}

func (r *reader) refuse(line, col int, code Code) {
	r.out.Refused(&Refusal{File: r.bill.File, Member: r.bill.Member, Line: line, Col: col, Code: code})
}

// refuseLine refuses a line of the list; the rest of the bill is read.
func (r *reader) refuseLine(line, col int, code Code) {
	r.refuse(line, col, code)
	r.bill.Rows++
	r.bill.Refused++
	r.clean = false
}

// refuseCells refuses a line for what its cells are, if they are wrong.
func (r *reader) refuseCells(line int, cells *row) bool {
	switch {
	case cells.col > 0:
		r.refuseLine(line, cells.col, cells.code)
	case cells.missing > 0:
		r.refuseLine(line, cells.missing, KeyMissing)
	default:
		return false
	}
	return true
}

// entry takes a row that passes all checks of its cells. It returns false for one that came
// before in this bill. parts name the row (bills.md § 3, row).
func (r *reader) entry(e *Entry, parts ...string) bool {
	e.Format = r.bill.Format
	if e.Currency == "" {
		e.Currency = "CNY"
	}
	r.buf = append(r.buf[:0], e.Format...)
	for _, p := range parts {
		r.buf = append(append(r.buf, '\x1f'), p...)
	}
	sum := sha256.Sum256(r.buf)
	id := rowID(sum[:16])
	e.Row = hex.EncodeToString(id[:])
	line := e.Line
	e.Line = 0
	r.buf = e.AppendJSON(r.buf[:0])
	e.Line = line
	sum = sha256.Sum256(r.buf)
	says := rowID(sum[:16])
	if before, again := r.seen[id]; again && before != says {
		r.refuseLine(line, 0, RowConflict)
		return false
	} else if again {
		r.bill.Rows++
		r.bill.Duplicates++
		return false
	}
	r.seen[id] = says
	r.bill.Rows++
	r.bill.Entries++
	r.count(e)
	r.out.Entry(e)
	return true
}

// count adds an entry to the sums of its bill.
func (r *reader) count(e *Entry) {
	switch {
	case e.Kind == Other || !e.Moved():
	case e.Direction == In:
		r.bill.InCount++
		r.bill.InAmount += e.Amount
	default:
		r.bill.OutCount++
		r.bill.OutAmount += e.Amount
	}
}

// span widens from and to of the bill to a date.
func (r *reader) span(date string) {
	if r.bill.From == "" || date < r.bill.From {
		r.bill.From = date
	}
	if date > r.bill.To {
		r.bill.To = date
	}
}
