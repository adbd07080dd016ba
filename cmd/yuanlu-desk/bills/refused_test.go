package bills

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wants compares what was refused.
func (s *said) wants(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.refused, want) {
		t.Errorf("refused\n  %s\nwant\n  %s", strings.Join(s.refused, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestCells: a wrong cell is refused at its line and column, in its row alone, and the bill
// is incomplete.
func TestCells(t *testing.T) {
	type wrong struct {
		row    int
		column string
		cell   string
		code   Code
	}
	long := strings.Repeat("1", 129)
	badNumbers := func(row int, columns ...string) (out []wrong) {
		for _, c := range columns {
			out = append(out, wrong{row, c, "4.2E+27", Number}, wrong{row, c, "=1+1", Number}, wrong{row, c, "号", Number}, wrong{row, c, long, Number}, wrong{row, c, "1 2", Number})
		}
		return out
	}
	badYuan := func(row int, columns ...string) (out []wrong) {
		for _, c := range columns {
			for _, cell := range []string{"1,000.00", "+1.00", "1e3", "1.234", "１.00", ".5", "1.", "12345678901", "--1", "-", "1.0x", "¥1.00"} {
				if cell == "1,000.00" && c != "订单金额" { // no separator in a wechat row alone
					continue
				}
				out = append(out, wrong{row, c, cell, BadAmount})
			}
		}
		return out
	}
	badTimes := func(row int, columns ...string) (out []wrong) {
		for _, c := range columns {
			for _, cell := range []string{"2026-02-29 10:00:00", "2026-08-23 24:00:00", "2026-08-23 10:60:00", "2026-08-23 10:00:60", "2026/08/23 10:00:00", "2026-08-23T10:00:00", "2026-8-23 10:00:00", "0000-01-01 00:00:00", "2026-08-23 10:00", "２026-08-23 10:00:00"} {
				out = append(out, wrong{row, c, cell, BadTime})
			}
		}
		return out
	}
	for _, f := range []struct {
		format string
		cells  [][]wrong
	}{
		{WechatTrade, [][]wrong{badNumbers(1, "商户号", "特约商户号", "微信订单号", "商户订单号", "微信退款单号", "商户退款单号"), badYuan(0, "应结订单金额", "退款金额", "申请退款金额", "订单金额"), badTimes(0, "交易时间"),
			{{0, "交易时间", "", BadTime}, {0, "订单金额", "", BadAmount}, {0, "订单金额", "-10.00", Sign}, {1, "申请退款金额", "-3.50", Sign}, {0, "微信订单号", "0", KeyMissing}, {1, "微信订单号", "", KeyMissing},
				{1, "微信退款单号", "0", KeyMissing}, {0, "交易状态", "DONE", BadKind}, {0, "交易状态", "success", BadKind}, {0, "交易状态", "", BadKind}, {1, "退款状态", "", BadStatus}, {1, "退款状态", "DONE", BadStatus},
				{1, "退款类型", "HOME", BadRoute}, {0, "货币种类", "USD", BadCurrency}, {0, "货币种类", "", BadCurrency}}}},
		{WechatFund, [][]wrong{badNumbers(1, "微信支付业务单号", "资金流水单号"), badYuan(0, "收支金额"), badTimes(1, "记账时间"),
			{{0, "收支类型", "收", BadKind}, {0, "收支类型", "", BadKind}, {0, "收支金额", "-1.00", Sign}, {1, "资金流水单号", "", KeyMissing}, {1, "资金流水单号", "0", KeyMissing}}}},
		{AlipayTrade, [][]wrong{badNumbers(1, "支付宝交易号", "商户订单号", "退款批次号/请求号"), badYuan(0, "商家实收"), badTimes(1, "创建时间", "完成时间"),
			{{0, "订单金额", "-20.00", Sign}, {0, "订单金额", "", BadAmount}, {0, "支付宝交易号", "", KeyMissing}, {0, "业务类型", "转账", BadKind}, {0, "业务类型", "", BadKind}}}},
		{AlipayFund, [][]wrong{badNumbers(1, "账务流水号", "业务流水号", "商户订单号"), badYuan(0, "收入金额", "支出金额"), badTimes(1, "发生时间"),
			{{0, "收入金额", "-1.00", Sign}, {0, "支出金额", "1.00", BadAmount}, {1, "支出金额", "0", BadAmount}, {1, "支出金额", "", BadAmount}, {0, "账务流水号", "", KeyMissing}, {0, "发生时间", "", BadTime}}}},
		{UnionpayZM, [][]wrong{{{1, "4", "4.2E+7", Number}, {1, "5", "0230120000", BadTime}, {1, "5", "0823240000", BadTime}, {1, "5", "", BadTime}, {1, "7", "00000000030 ", BadAmount}, {1, "7", "-00000000030", BadAmount},
			{1, "10", "", KeyMissing}, {1, "10", "0", KeyMissing}, {1, "10", "=1+1", Number}, {1, "12", "a b", Number}, {1, "14", "=1", Number}, {1, "15", "0230120000", BadTime}, {1, "15", "08231200", BadTime},
			{1, "20", "4", BadKind}, {1, "20", "", BadKind}, {1, "20", "AB", BadKind}, {1, "27", "a,b", Number}, {1, "28", "a,b", Number}, {1, "34", "a,b", Number}}}},
		{AcquirerCSV, [][]wrong{badNumbers(1, "商户号", "终端号", "交易批次号", "凭证号", "参考号", "交易单号", "订单号", "原交易单"), badYuan(0, "交易金额"),
			{{0, "交易金额", "", BadAmount}, {0, "交易金额", "-10.00", Sign}, {1, "交易日期", "20260823", BadTime}, {1, "交易日期", "2026-02-30", BadTime}, {1, "交易日期", "", BadTime}, {1, "交易时间", "15:00", BadTime},
				{1, "交易时间", "24:00:00", BadTime}, {1, "交易时间", "", BadTime}, {1, "交易类型", "退款", BadKind}, {1, "交易类型", "vsp003", BadKind}, {1, "交易类型", "", BadKind}}}},
	} {
		s := sampleOf(f.format)
		for _, w := range slices.Concat(f.cells...) {
			t.Run(fmt.Sprintf("%s/%s=%.20s", f.format, w.column, w.cell), func(t *testing.T) {
				got := read(s.name, s.with(w.row, s.column(w.column), w.cell).file())
				got.wants(t, fmt.Sprintf("%s:%d:%d: %s", s.name, s.row+w.row+1, s.column(w.column), w.code))
				if len(got.entries) != 1 || len(got.bills) != 1 || got.bills[0].Complete || got.bills[0].Rows != 2 || got.bills[0].Refused != 1 {
					t.Error(got.text())
				}
			})
		}
	}
}

// TestLines: what is wrong with a line and not with a cell, in every format.
func TestLines(t *testing.T) {
	for _, s := range samples() {
		first := s.lines[s.row]
		bad := func(name string, line string, code Code) {
			t.Run(s.format+"/"+name, func(t *testing.T) {
				c := s
				c.lines = slices.Clone(s.lines)
				c.lines[s.row+1] = line
				got := read(s.name, c.file())
				got.wants(t, fmt.Sprintf("%s:%d:0: %s", s.name, s.row+2, code))
				if len(got.entries) != 1 || got.bills[0].Complete {
					t.Error(got.text())
				}
			})
		}
		bad("length", first+strings.Repeat(" ", maxLine), Length)
		bad("control", first[:9]+"\x01"+first[10:], Control)
		bad("DEL", first[:9]+"\x7f"+first[10:], Control)
		bad("CR", first[:9]+"\r"+first[10:], Control)
		bad("control before columns", "\x1b", Control)
		if s.format != UnionpayZM {
			bad("encoding", first+"\xff\xff", Encoding)
			bad("encoding before control", first+"\xff\x01", Encoding)
		}
		switch s.format {
		case WechatTrade, WechatFund:
			bad("form", "2026-08-23 10:00:00,4200", Form)
			bad("columns", first+",`", Columns)
			bad("fewer columns", first[:strings.LastIndex(first, ",`")], Columns)
		case UnionpayZM:
			bad("columns", first+" ", Columns)
			bad("short", first[:395], Columns)
			bad("no space", first[:3]+"x"+first[4:], Columns)
		case AlipayTrade, AlipayFund:
			bad("form", "#交易", Form)
			bad("columns", first+",", Columns)
		default:
			bad("columns", first+",", Columns)
		}
		t.Run(s.format+"/conflict and duplicate", func(t *testing.T) {
			c := s.with(0, s.column(map[string]string{WechatTrade: "商户订单号", WechatFund: "业务凭证号", AlipayTrade: "商户订单号", AlipayFund: "商户订单号", UnionpayZM: "12", AcquirerCSV: "订单号"}[s.format]), "O9")
			lines := slices.Concat(s.lines[:s.row+2], []string{first, c.lines[s.row]}, s.lines[s.row+2:])
			got := read(s.name, []byte(strings.Join(lines, "\n")+"\n"))
			got.wants(t, fmt.Sprintf("%s:%d:0: row_conflict", s.name, s.row+4))
			if b := got.bills[0]; b.Rows != 4 || b.Entries != 2 || b.Duplicates != 1 || b.Refused != 1 || b.Complete {
				t.Errorf("%+v", b)
			}
			if got = read(s.name, []byte(strings.Join(slices.Delete(lines, s.row+3, s.row+4), "\n")+"\n")); len(got.refused) > 0 || !got.bills[0].Complete || got.bills[0].Duplicates != 1 {
				t.Errorf("a duplicate: %s", got.text())
			}
		})
		t.Run(s.format+"/truncated", func(t *testing.T) {
			cut := strings.Join(s.lines[:s.row+2], "\n")
			got := read(s.name, []byte(cut+"\r"))
			got.wants(t, fmt.Sprintf("%s:%d:0: truncated", s.name, s.row+2))
			if len(got.entries) != 2 || got.bills[0].Complete {
				t.Error(got.text())
			}
			if s.ended {
				read(s.name, []byte(cut+"\n \t\n\n")).wants(t, fmt.Sprintf("%s:%d:0: truncated", s.name, s.row+2))
			}
		})
	}
}

// TestOrderOfChecks: the leftmost cell that is wrong is the line's one refusal, then what is
// missing, the day, and the conflict.
func TestOrderOfChecks(t *testing.T) {
	s := sampleOf(WechatTrade)
	at := func(c sample) string { return strings.Join(read(c.name, c.file()).refused, " ") }
	col := func(name string) int { return s.column(name) }
	c := s.with(1, col("交易时间"), "2026-08-22 10:00:00")
	if got := at(c); got != "20260823.csv:3:0: day" {
		t.Error(got)
	}
	c = c.with(1, col("微信退款单号"), "0")
	if got := at(c); got != "20260823.csv:3:15: key_missing" {
		t.Error(got)
	}
	c = c.with(1, col("微信订单号"), "")
	if got := at(c); got != "20260823.csv:3:6: key_missing" {
		t.Error(got)
	}
	c = c.with(1, col("申请退款金额"), "-1")
	if got := at(c); got != "20260823.csv:3:26: sign" {
		t.Error(got)
	}
	c = c.with(1, col("货币种类"), "USD").with(1, col("退款状态"), "?")
	if got := at(c); got != "20260823.csv:3:12: currency" {
		t.Error(got)
	}
	c.lines[2] += ",`"
	if got := at(c); got != "20260823.csv:3:0: columns" {
		t.Error(got)
	}
	for line, want := range map[string]string{
		`"20260823001,O1`:            "bill.csv:7:1: quote",
		`20260823001,"O1"x,交易`:       "bill.csv:7:2: quote",
		`20260823001 , "O""1" , "退款`: "bill.csv:7:3: quote",
		`a"b,c`:                      "bill.csv:7:0: columns", // other quotes are text
	} {
		a := sampleOf(AlipayTrade)
		a.lines[6] = line
		if got := at(a); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		q := sampleOf(AcquirerCSV)
		q.lines[2] = line
		if got := at(q); got != strings.Replace(want, "bill.csv:7", "card.csv:3", 1) {
			t.Errorf("%s: %s", line, got)
		}
	}
	a := sampleOf(AlipayTrade)
	a = a.with(0, a.column("完成时间"), "").with(0, a.column("创建时间"), "")
	if got := at(a); got != "bill.csv:6:6: key_missing" {
		t.Error(got)
	}
	a = a.with(0, a.column("创建时间"), "2026-08-24 00:00:00")
	if got := at(a); got != "bill.csv:6:0: day" {
		t.Error(got)
	}
	q := sampleOf(AcquirerCSV)
	q = q.with(1, q.column("交易单号"), "").with(1, q.column("参考号"), "0").with(1, q.column("凭证号"), "0")
	if got := at(q); got != "card.csv:3:8: key_missing" {
		t.Error(got)
	}
}

// TestSums: rows that do not add up, where no line was refused, at the later line of sums.
func TestSums(t *testing.T) {
	for _, tc := range []struct {
		format, old, new, want string
	}{
		{WechatTrade, "`2,`10.00", "`3,`10.00", "5:0: summary_mismatch"}, {WechatTrade, "`2,`10.00", "`2.0,`10.00", ""}, {WechatTrade, "`2,`10.00", "`2,`10.01", "5:0: summary_mismatch"},
		{WechatTrade, "`10.00,`3.50,`0.00", "`10.00,`3.51,`0.00", "5:0: summary_mismatch"}, {WechatTrade, "`10.00,`3.50,`0.00", "`10.00,`x,`0.00", "5:0: summary_mismatch"},
		{WechatTrade, "`0.00000,`10.00,`3.50", "`9.9,`10.00,`3.50", ""}, {WechatTrade, "`0.00000,`10.00,`3.50", "`0.00000,`10.00", "5:0: summary_mismatch"},
		{WechatTrade, "总交易单数,应结订单总金额,退款总金额", "总交易单数,总交易额,总退款金额", ""}, {WechatTrade, "总交易单数,应结订单总金额,退款总金额", "总交易单数,总,额", ""},
		{WechatTrade, "总交易单数,", "总交易单数(元),", ""}, {WechatTrade, "总交易单数,", "交易单数,", "4:0: form 5:0: columns 5:0: truncated"},
		{WechatTrade, "`0.00,`3.50,`\n总", "`0.00,`3.50,`\n,总", "4:0: form 5:0: columns 5:0: truncated"},
		{WechatFund, "`2.0,`1.0", "`2.0,`2.0", "5:0: summary_mismatch"}, {WechatFund, "支出金额\n`2.0,`1.0,`10.00,`1.0,`3.50", "支金额\n`2.0,`1.0,`10.00,`1.0,`3.50", "5:0: summary_mismatch"},
		{AlipayTrade, "交易合计：1笔", "交易合计：2笔", "10:0: summary_mismatch"}, {AlipayTrade, "退款共-4.00", "退款共4.00", "10:0: summary_mismatch"}, {AlipayTrade, "共19.00元，", "共19.00元;", "10:0: summary_mismatch"},
		{AlipayTrade, "#交易合计：1笔，商家实收共19.00元，商家优惠共0.00元\n", "", "10:0: truncated"}, {AlipayTrade, "列表结束", "结束", "8:0: form 9:0: form 10:0: form 11:0: form 11:0: truncated"},
		{AlipayTrade, "#导出时间：[2026年08月24日 09:30:00]\n", "", ""}, {AlipayTrade, "#导出", "导出", "11:0: form"}, {AlipayTrade, "优惠共0.00元\n", "优惠共0.00元,,, ,\n", ""},
		{AlipayFund, "支出合计：1笔，共-5.00元", "支出合计：1笔，共5.00元", ""}, {AlipayFund, "支出合计：1笔，共-5.00元", "支出合计：1笔，共5.01元", "10:0: summary_mismatch"}, {AlipayFund, "共20.00", "共-20.00", "10:0: summary_mismatch"},
	} {
		t.Run(tc.format+"/"+tc.new, func(t *testing.T) {
			s := sampleOf(tc.format)
			text := string(s.file())
			if !strings.Contains(text, tc.old) {
				t.Fatalf("no %q", tc.old)
			}
			got := read(s.name, []byte(strings.Replace(text, tc.old, tc.new, 1)))
			if said := strings.ReplaceAll(strings.Join(got.refused, " "), s.name+":", ""); said != tc.want || got.bills[0].Complete != (tc.want == "") {
				t.Errorf("%q, want %q", said, tc.want)
			}
		})
	}
}

// TestHeads: a head that is refused refuses the bill, of which nothing more is reported.
func TestHeads(t *testing.T) {
	for _, tc := range []struct{ format, old, new, want string }{
		{WechatTrade, "商户号,特约", "商号,特约", "1:0: header"}, {WechatTrade, "公众账号ID", "商户号", "1:3: header"}, {WechatTrade, "公众账号ID", "`商户号（元） ", "1:3: header"},
		{WechatTrade, "设备号", "交易时间,", "1:5: header"}, {WechatTrade, "公众账号ID", "公众\x01", "1:0: header"}, {WechatTrade, "退款类型", "类型", "1:0: header"}, {WechatTrade, "公众账号ID", "公众\xff", "0:0: unknown_format"},
		{WechatFund, "收支金额(元)", "收支金额(分)", "1:0: header"}, {WechatFund, "业务名称", "收支金额", "1:7: header"},
		{AlipayTrade, "终止日期", "结束日期", "3:0: header"}, {AlipayTrade, "#起始日期", "#日期", "5:0: header"}, {AlipayTrade, "2026年08月24日 00:00:00]\n", "2026年08月23日 00:00:00]\n", "3:0: header"},
		{AlipayTrade, "2026年08月23日", "2026年08月32日", "3:0: header"}, {AlipayTrade, "00:00:00]   终", "00:00:01]   终", "3:0: header"}, {AlipayTrade, "#账号", "#账\x02号", "2:0: header"},
		{AlipayTrade, "#账号", "#账\xff号", "2:0: header"}, {AlipayTrade, "操作员", "\"操作员", "5:0: header"}, {AlipayTrade, "操作员", "终端号", "5:8: header"}, {AlipayTrade, "终端号,", "终端,", "5:0: header"},
		{AlipayTrade, "#账号：", "#账号", ""}, {AlipayFund, "业务类型", "类型", "5:0: header"}, {AlipayFund, "#---账务明细列表---\n", "#" + strings.Repeat("-", maxLine) + "\n", "4:0: header"},
		{AcquirerCSV, "门店名称", "卡号", "1:9: header"}, {AcquirerCSV, "卡号", "号", "1:0: header"}, {AcquirerCSV, "门店名称", "\"门店\"名称", "1:0: header"}, {AcquirerCSV, "参考号", "参考", "0:0: unknown_format"},
		{UnionpayZM, "0823120000", "08231200 0", "0:0: unknown_format"},
	} {
		t.Run(tc.format+"/"+tc.new[:min(len(tc.new), 30)], func(t *testing.T) {
			s := sampleOf(tc.format)
			text := string(s.file())
			if !strings.Contains(text, tc.old) {
				t.Fatalf("no %q", tc.old)
			}
			got := read(s.name, []byte(strings.Replace(text, tc.old, tc.new, 1)))
			if said := strings.ReplaceAll(strings.Join(got.refused, " "), s.name+":", ""); said != tc.want || (len(got.lines) == 0) != (tc.want != "") {
				t.Errorf("%q, want %q: %s", said, tc.want, got.text())
			}
		})
	}
}

// TestWholeFiles: what is no bill, or none that can be read.
func TestWholeFiles(t *testing.T) {
	zm := string(sampleOf(UnionpayZM).file())
	for _, tc := range []struct{ name, text, want string }{
		{"a.csv", "", "a.csv:0:0: empty"}, {"a.csv", "\r\n \t\n\r", "a.csv:0:0: empty"}, {"a.csv", "\xef\xbb\xbf\n", "a.csv:0:0: empty"}, {"a.csv", "\xff\xfea\x00", "a.csv:0:0: encoding"}, {"a.csv", "\xfe\xff\x00a", "a.csv:0:0: encoding"},
		{"a.csv", "\n" + string(sampleOf(WechatTrade).file()), "a.csv:0:0: unknown_format"}, {"a\x01b.csv", `{"code":"SYSTEM_ERROR"}`, "a?b.csv:0:0: unknown_format"}, {"a.csv", "微信\xff", "a.csv:0:0: unknown_format"},
		{"a.csv", wechatHead + strings.Repeat(" ", maxLine), "a.csv:0:0: unknown_format"}, {"a.csv", "#支付宝业务汇总查询\n#账号", ""}, {"a.csv", "#支付宝账务汇总查询", ""}, {"a.csv", "#支付宝业务明细查询\n#账号：[1]\n\n", "a.csv:2:0: truncated"},
		{"zm.txt", zm, "zm.txt:0:0: day_unknown"}, {"INN260832.txt", zm, "INN260832.txt:0:0: day_unknown"}, {"20260823", zm, ""}, {"x2026-08-23.txt", zm, ""}, {"INN26083220260823", zm, ""}, {"PK", "PKa", "PK:0:0: damaged"},
		{"微信账单", "微信支付账单明细列表\n交易时间,交易类型,交易对方,商品", "微信账单:0:0: unknown_format"},
	} {
		t.Run(tc.name+"/"+tc.want, func(t *testing.T) {
			got := read(tc.name, []byte(tc.text))
			if strings.Join(got.refused, " ") != tc.want || (tc.want != "" && len(got.lines) > 0) {
				t.Errorf("%s, want %s", got.text(), tc.want)
			}
		})
	}
}
