package bills

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// said is what a file's reading left.
type said struct {
	lines   []string
	entries []Entry
	bills   []Bill
	refused []string // FILE:LINE:COL: code
}

func (s *said) Entry(e *Entry) {
	s.entries = append(s.entries, *e)
	s.lines = append(s.lines, string(e.AppendJSON(nil)))
}

func (s *said) Bill(b *Bill) {
	s.bills = append(s.bills, *b)
	s.lines = append(s.lines, string(b.AppendJSON(nil)))
}

func (s *said) Refused(r *Refusal) {
	s.refused = append(s.refused, fmt.Sprintf("%s: %s", r.Place(), r.Code))
}

func (s *said) text() string { return strings.Join(append(s.lines, s.refused...), "\n") }

func read(name string, data []byte) *said {
	s := &said{}
	Read(File{Name: name, Data: data}, s)
	return s
}

// sample is a sound bill of a format: its lines, the first row's line, and its file name.
type sample struct {
	format, name string
	lines        []string
	row          int // index of the first row
	sep          string
	ended        bool // it has an end of its own
}

const wechatHead = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"

const acquirerHead = "商户号,门店名称,终端号,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易日期,交易单号,订单号,原交易单,分期人姓名"

func zmLine(stan, at, card, fen, query, order, kind, original string) string {
	cells := make([]string, len(unionpayWidths))
	cells[3], cells[4], cells[5], cells[6], cells[9], cells[11], cells[19] = stan, at, card, fen, query, order, kind
	cells[13], cells[14], cells[26], cells[27], cells[33] = "000000", "0000000000", strings.Repeat("0", 21), "898000000000001", "10000001"
	if original != "" {
		cells[13], cells[14], cells[26] = "000201", "0822120000", original
	}
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%-*s", unionpayWidths[i], c)
	}
	return b.String()
}

func samples() []sample {
	return []sample{
		{WechatTrade, "20260823.csv", []string{wechatHead,
			"`2026-08-23 10:00:00,`wxCANARY,`1900000109,`0,`CANARY 一,`4200000001,`O1,`oCANARY,`MICROPAY,`SUCCESS,`OTHERS,`CNY,`10.00,`0.00,`0,`0,`0.00,`0.00,`,`,`CANARY,茶,`CANARY,`0.00000,`0.60%,`10.00,`0.00,`CANARY",
			"`2026-08-23 15:00:00,`wxCANARY,`1900000109,`0,`D1,`4200000001,`O1,`oCANARY,`MICROPAY,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030001,`R1,`3.50,`0.00,`ORIGINAL,`SUCCESS,`CANARY,`CANARY,`0.00000,`0.60%,`0.00,`3.50,`",
			"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额", "`2,`10.00,`3.50,`0.00,`0.00000,`10.00,`3.50"}, 1, ",`", true},
		{WechatFund, "fund.csv", []string{"记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号",
			"`2026-08-23 10:00:00,`4200000001,`f1,`交易,`交易,`收入,`10.00,`100.00,`CANARY,`CANARY,`O1", "`2026-08-23 15:00:03,`5030001,`f2,`退款,`退款,`支出,`3.50,`100.00,`CANARY,`CANARY,`R1",
			"资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额", "`2.0,`1.0,`10.00,`1.0,`3.50"}, 1, ",`", true},
		{AlipayTrade, "bill.csv", []string{"#支付宝业务明细查询", "#账号：[20880000000000170156]", "#起始日期：[2026年08月23日 00:00:00]   终止日期：[2026年08月24日 00:00:00]", "#---业务明细列表---",
			"支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,退款批次号/请求号,备注",
			"20260823001\t,O1\t,交易\t,\"CANARY,茶\",2026-08-23 11:00:00,2026-08-23 11:00:05,CANARY\t,CANARY 一\t,*CANARY\t,20.00,19.00,\t,CANARY",
			"20260823001\t,O1\t,退款\t,CANARY,2026-08-23 11:00:00,2026-08-23 12:00:00,CANARY\t,T1\t,*CANARY\t,-5.00,-4.00,Q1\t,CANARY",
			"#---业务明细列表结束---", "#交易合计：1笔，商家实收共19.00元，商家优惠共0.00元", "#退款合计：1笔，商家实收退款共-4.00元，商家优惠退款共0.00元", "#导出时间：[2026年08月24日 09:30:00]"}, 5, ",", true},
		{AlipayFund, "bill.csv", []string{"#支付宝账务明细查询", "#账号：[20880000000000170156]", "#起始日期：[2026年08月23日 00:00:00]   终止日期：[2026年08月24日 00:00:00]", "#---账务明细列表---",
			"账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,业务类型,备注",
			"70001,20260823001,O1,CANARY,2026-08-23 11:00:05,*CANARY,20.00,0.00,在线支付,CANARY", "70002,20260823001,O1,CANARY,2026-08-23 12:00:00,*CANARY,,-5.00,交易退款,CANARY",
			"#---账务明细列表结束---", "#支出合计：1笔，共-5.00元", "#收入合计：1笔，共20.00元", "#导出时间：[2026年08月24日 09:30:00]"}, 5, ",", true},
		{UnionpayZM, "INN26082388ZM_898", []string{zmLine("000201", "0823120000", "6222021234567890123", "000000001200", strings.Repeat("2", 21), "O31", "01", ""),
			zmLine("000202", "0823153000", "620000******0005", "000000000300", strings.Repeat("3", 21), "R31", "04", strings.Repeat("2", 21))}, 0, " ", false},
		{AcquirerCSV, "card.csv", []string{acquirerHead,
			"898000000000001,CANARY,10000001,14:00:00,消费,000007,000101,260823000101,6222021234567890123,10.00,2026-08-23,880001,,,CANARY",
			"898000000000001,CANARY,10000001,15:00:00,退货,7,104,260823000104,CANARY,-3.50,2026-08-23,880002,,880001,CANARY"}, 1, ",", false},
	}
}

// file returns a sample's bytes, every line with its end.
func (s sample) file() []byte { return []byte(strings.Join(s.lines, "\n") + "\n") }

// with returns the sample with one cell of its row i (from 0) replaced.
func (s sample) with(i, col int, cell string) sample {
	at := s.row + i
	out := s
	out.lines = append([]string(nil), s.lines...)
	switch s.format {
	case UnionpayZM:
		from := 0
		for _, w := range unionpayWidths[:col-1] {
			from += w + 1
		}
		line := out.lines[at]
		out.lines[at] = line[:from] + fmt.Sprintf("%-*s", unionpayWidths[col-1], cell) + line[from+unionpayWidths[col-1]:]
	case WechatTrade, WechatFund:
		cells := cutBackticks(out.lines[at])
		cells[col-1] = cell
		out.lines[at] = "`" + strings.Join(cells, ",`")
	default:
		cells, _ := splitCSV(out.lines[at])
		for j, c := range cells {
			if strings.Contains(c, ",") {
				cells[j] = `"` + c + `"`
			}
		}
		cells[col-1] = cell
		out.lines[at] = strings.Join(cells, ",")
	}
	return out
}

// column returns the number of the sample's column of a name, from 1.
func (s sample) column(name string) int {
	if s.format == UnionpayZM {
		var n int
		if _, err := fmt.Sscan(name, &n); err != nil {
			panic(err)
		}
		return n
	}
	for i, cell := range strings.Split(s.lines[s.row-1], ",") {
		if columnName(cell) == name {
			return i + 1
		}
	}
	panic("no column " + name)
}

func sampleOf(format string) sample {
	for _, s := range samples() {
		if s.format == format {
			return s
		}
	}
	panic(format)
}

// Every sound sample is complete, in UTF-8 with and without a BOM, with CRLF, and in
// GB18030, with the same entries.
func TestSoundBills(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.format, func(t *testing.T) {
			plain := read(s.name, s.file())
			if len(plain.refused) > 0 || len(plain.bills) != 1 || !plain.bills[0].Complete || plain.bills[0].Format != s.format || len(plain.entries) != 2 {
				t.Fatalf("%s", plain.text())
			}
			gbk, err := simplifiedchinese.GB18030.NewEncoder().Bytes(s.file())
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{"BOM": append([]byte("\xef\xbb\xbf"), s.file()...), "CRLF": bytes.ReplaceAll(s.file(), []byte("\n"), []byte("\r\n")), "GB18030": gbk} {
				other := read(s.name, data)
				if len(other.refused) > 0 || len(other.entries) != 2 || other.entries[0] != plain.entries[0] || other.entries[1] != plain.entries[1] {
					t.Errorf("%s:\n%s", name, other.text())
				}
			}
			for _, line := range plain.lines {
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
}

// What a person may be known by stands in no output: every cell that is not used holds the
// canary, and so does each cell in turn that is.
func TestNoPersonalDataIsKept(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.format, func(t *testing.T) {
			all := read(s.name, s.file()).text()
			width := len(unionpayWidths)
			if s.format != UnionpayZM {
				width = strings.Count(s.lines[s.row-1], ",") + 1
			}
			for i := range 2 {
				for col := 1; col <= width; col++ {
					canary := "CANARY 6222021234567890123"
					if s.format == UnionpayZM {
						canary = ("=CANARY 6222021234567890123")[:min(27, unionpayWidths[col-1])]
					}
					all += read(s.name, s.with(i, col, canary).file()).text()
				}
			}
			for _, secret := range []string{"CANARY", "6222021234567890123", "茶"} {
				if strings.Contains(all, secret) {
					t.Errorf("%q was kept", secret)
				}
			}
		})
	}
}

// A text is written as encoding/json writes it, but for what the page wants as it is.
func TestAppendQuoted(t *testing.T) {
	all := "<>&\u2028\u2029 é微\U0001F600\x7f"
	for c := range rune(0x100) {
		all += string(c)
	}
	got := AppendQuoted(nil, all)
	var back string
	if err := json.Unmarshal(got, &back); err != nil || back != all {
		t.Errorf("%s: %v", got, err)
	}
	for text, want := range map[string]string{"<>&\u2028é\x7f": "\"<>&\u2028é\x7f\"", "\"\\\n\r\t\b\f\x00\x1f": `"\"\\\n\r\t\b\f\u0000\u001f"`, "a\xffb": "\"a\ufffdb\"", "": `""`} {
		if got := string(AppendQuoted(nil, text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
