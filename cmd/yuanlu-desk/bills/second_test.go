package bills

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// A second reading of bills.md §§ 2 to 4 for the trade bills of WeChat and Alipay, in UTF-8
// or GBK: by patterns over whole lines, with a map of cells, sharing nothing with the reader.
type secondReader struct {
	file, name string
	refused    []string
	out        []string
	rows       map[string]string
	bill       map[string]any
	sums       map[string]*big.Rat
	counts     map[string]int
	bad        bool
}

type complaint struct {
	col  int
	code string
}

var (
	secondYuan = regexp.MustCompile(`^-?[0-9]{1,10}(\.[0-9]{1,2})?$`)
	secondGB   = regexp.MustCompile(`^([\x00-\x7f]|[\x{81}-\x{fe}][\x40-\x7e\x{80}-\x{fe}]|[\x{81}-\x{fe}][0-9][\x{81}-\x{fe}][0-9])*$`)
	secondKey  = regexp.MustCompile(`^[0-9A-Za-z_*@|.:-]{1,128}$`)
	secondDate = regexp.MustCompile(`20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2}`)
)

func (s *secondReader) refuse(line, col int, code string) {
	s.refused = append(s.refused, fmt.Sprintf("%s:%d:%d: %s", s.file, line, col, code))
}

// cells are the cells of a row by the names of their columns.
type cells struct {
	col        map[string]int
	value      map[string]string
	complaints []complaint
	missing    []int
}

func (c *cells) no(name, code string) {
	c.complaints = append(c.complaints, complaint{c.col[name], code})
}

func (c *cells) yuan(name string) *big.Rat {
	if c.col[name] == 0 {
		return new(big.Rat)
	}
	if !secondYuan.MatchString(c.value[name]) {
		c.no(name, "amount")
		return new(big.Rat)
	}
	v, _ := new(big.Rat).SetString(c.value[name])
	return v.Mul(v, big.NewRat(100, 1))
}

func (c *cells) key(name string, free bool) string {
	v := c.value[name]
	if v == "" || v == "0" {
		return ""
	}
	if secondKey.MatchString(v) {
		return v
	}
	if !free {
		c.no(name, "number")
	}
	return ""
}

func (c *cells) must(name string) string {
	v := c.key(name, false)
	if v == "" {
		c.missing = append(c.missing, c.col[name])
	}
	return v
}

func (c *cells) time(name string, optional bool) string {
	v := c.value[name]
	if c.col[name] == 0 || v == "" && optional {
		return ""
	}
	at, err := time.Parse("2006-01-02 15:04:05", v)
	if err != nil || at.Format("2006-01-02 15:04:05") != v || at.Year() == 0 {
		c.no(name, "time")
		return ""
	}
	return strings.Replace(v, " ", "T", 1) + "+08:00"
}

// verdict returns the one refusal of a row.
func (c *cells) verdict() (complaint, bool) {
	sort.SliceStable(c.complaints, func(i, j int) bool { return c.complaints[i].col < c.complaints[j].col })
	if len(c.complaints) > 0 {
		return c.complaints[0], true
	}
	sort.Ints(c.missing)
	if len(c.missing) > 0 {
		return complaint{c.missing[0], "key_missing"}, true
	}
	return complaint{}, false
}

func tidy(name string) string {
	name = strings.NewReplacer("（", "(", "）", ")", "`", "").Replace(name)
	return strings.Trim(regexp.MustCompile(`\([+-]?元\)$`).ReplaceAllString(strings.Trim(name, " \t"), ""), " \t")
}

// secondRead returns the lines of standard output and what was refused.
func secondRead(file string, data []byte) (out, refused []string) {
	s := &secondReader{file: file, name: file, rows: map[string]string{}, sums: map[string]*big.Rat{}, counts: map[string]int{}, bill: map[string]any{}}
	sum := sha256.Sum256(data)
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if strings.Trim(string(data), " \t\r\n") == "" {
		return nil, []string{file + ":0:0: empty"}
	}
	lines := strings.Split(string(data), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	gbk := !utf8.ValidString(lines[0])
	text := make([]string, len(lines))
	code := make([]string, len(lines))
	for i, l := range lines {
		good := utf8.ValidString(l)
		if text[i] = l; gbk {
			wide := make([]rune, len(l)) // each byte a character
			for j := range len(l) {
				wide[j] = rune(l[j])
			}
			good = secondGB.MatchString(string(wide))
			text[i], _ = simplifiedchinese.GB18030.NewDecoder().String(l) // it replaces what it cannot read
		}
		switch {
		case len(l) > 65536:
			code[i] = "length"
		case !good:
			code[i] = "encoding"
		case regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`).MatchString(l):
			code[i] = "control"
		}
	}
	if code[0] == "length" || code[0] == "encoding" {
		return nil, []string{file + ":0:0: unknown_format"}
	}
	names := map[string]bool{}
	for _, n := range strings.Split(text[0], ",") {
		names[tidy(n)] = true
	}
	ok := false
	switch {
	case strings.HasPrefix(text[0], "#支付宝业务明细查询"):
		ok = s.alipay(text, code, sum[:])
	case names["微信订单号"] && names["交易时间"]:
		ok = s.wechat(text, code, sum[:])
	default:
		return nil, []string{file + ":0:0: unknown_format"}
	}
	if !ok {
		return nil, s.refused
	}
	return s.out, s.refused
}

// header returns the columns, or where the header is wrong.
func header(names []string, known string, needed string) (map[string]int, int, bool) {
	col := map[string]int{}
	twice := 0
	for i, n := range names {
		n = tidy(n)
		if !strings.Contains(" "+known+" ", " "+n+" ") || n == "" {
			continue
		}
		if col[n] > 0 && twice == 0 {
			twice = i + 1
		} else if col[n] == 0 {
			col[n] = i + 1
		}
	}
	if twice > 0 {
		return nil, twice, false
	}
	for _, alternatives := range strings.Fields(needed) {
		found := false
		for _, n := range strings.Split(alternatives, "+") {
			found = found || col[n] > 0
		}
		if !found {
			return nil, 0, false
		}
	}
	return col, 0, true
}

func isBlank(s string) bool { return strings.Trim(s, " \t") == "" }

func (s *secondReader) wechat(text, code []string, sum []byte) bool {
	const known = "交易时间 商户号 特约商户号 子商户号 设备号 微信订单号 商户订单号 交易状态 货币种类 应结订单金额 总金额 订单金额 退款金额 申请退款金额 微信退款单号 商户退款单号 退款类型 退款状态 退款申请时间 退款成功时间"
	needed := "交易时间 商户号 微信订单号 商户订单号 交易状态 货币种类 订单金额+应结订单金额+总金额"
	names := strings.Split(text[0], ",")
	for _, n := range names {
		if tidy(n) == "微信退款单号" {
			needed += " 商户退款单号 退款金额 退款类型 退款状态"
		}
	}
	col, at, ok := header(names, known, needed)
	if code[0] != "" {
		at, ok = 0, false
	}
	if !ok {
		s.refuse(1, at, "header")
		return false
	}
	covers := []string{"sale", "refund"}
	if col["退款申请时间"] > 0 {
		covers = []string{"refund"}
	}
	if col["微信退款单号"] == 0 {
		covers = []string{"sale"}
	}
	s.start("wechat_trade", covers, sum)
	day, last, sumLine := "", 1, 0
	var sumNames []string
	for i := 1; i < len(text); i++ {
		line, n := text[i], i+1
		if isBlank(line) {
			continue
		}
		last = n
		isRow := strings.HasPrefix(line, "`")
		first := tidy(strings.Split(line, ",")[0])
		switch {
		case code[i] != "":
			s.line(n, 0, code[i])
		case sumLine > 0, sumNames != nil && !isRow, sumNames == nil && !isRow && first != "总交易单数":
			s.line(n, 0, "form")
		case sumNames != nil:
			sumLine = n
			values := strings.Split(line[1:], ",`")
			s.bill["sums"] = len(values) == len(sumNames)
			for j := range min(len(values), len(sumNames)) {
				s.checkWechat(sumNames[j], strings.Trim(values[j], " \t"))
			}
		case !isRow:
			sumNames = []string{}
			for _, c := range strings.Split(line, ",") {
				sumNames = append(sumNames, tidy(c))
			}
		default:
			s.wechatRow(n, strings.Split(line[1:], ",`"), len(names), col, &day)
		}
	}
	if day == "" {
		if m := secondDay(s.name); m != "" {
			day = m
		}
	}
	s.bill["from"], s.bill["to"] = day, day
	s.finish(last, sumLine, sumLine > 0)
	return true
}

// secondDay returns the day of a name.
func secondDay(name string) string {
	for i := range name {
		for _, form := range []string{"20060102", "2006-01-02"} {
			if m := secondDate.FindString(name[i:]); m != "" && strings.HasPrefix(name[i:], m) && len(m) == len(form) {
				if d, err := time.Parse(form, m); err == nil {
					return d.Format("2006-01-02")
				}
			}
		}
	}
	return ""
}

func (s *secondReader) checkWechat(name, value string) {
	want, known := map[string]*big.Rat{"总交易单数": big.NewRat(int64(s.counts["rows"])*100, 1), "应结订单总金额": s.sum("settled"), "总交易额": s.sum("settled"), "退款总金额": s.sum("refund"), "总退款金额": s.sum("refund"), "订单总金额": s.sum("order"), "申请退款总金额": s.sum("applied")}[name]
	if !known {
		return
	}
	v := new(big.Rat)
	if secondYuan.MatchString(value) {
		v.SetString(value)
		v.Mul(v, big.NewRat(100, 1))
	}
	if !secondYuan.MatchString(value) || v.Cmp(want) != 0 {
		s.bill["sums"] = false
	}
}

func (s *secondReader) sum(name string) *big.Rat {
	if s.sums[name] == nil {
		s.sums[name] = new(big.Rat)
	}
	return s.sums[name]
}

func (s *secondReader) wechatRow(n int, values []string, width int, col map[string]int, day *string) {
	if len(values) != width {
		s.line(n, 0, "columns")
		return
	}
	c := &cells{col: col, value: map[string]string{}}
	for name, at := range col {
		c.value[name] = strings.Trim(values[at-1], " \t")
	}
	e := blankEntry("wechat_trade", "wechat")
	paid, applied := c.time("交易时间", false), ""
	if col["退款申请时间"] > 0 && col["微信退款单号"] > 0 {
		applied = c.time("退款申请时间", false)
		paid = applied
	}
	e["at"], e["settled_at"] = paid, c.time("退款成功时间", true)
	e["merchant_id"] = c.key("商户号", false)
	for _, name := range []string{"子商户号", "特约商户号"} {
		if name == "子商户号" && col["特约商户号"] > 0 {
			continue
		}
		if v := c.key(name, false); v != "" {
			e["merchant_id"] = v
		}
	}
	e["terminal_id"] = c.key("设备号", true)
	txn, order, channelRefund, refundNo := c.must("微信订单号"), c.key("商户订单号", false), c.key("微信退款单号", false), c.key("商户退款单号", false)
	settledName := "应结订单金额"
	if col[settledName] == 0 {
		settledName = "总金额"
	}
	money := map[string]*big.Rat{"settled": c.yuan(settledName), "order": c.yuan("订单金额"), "refund": c.yuan("退款金额"), "applied": c.yuan("申请退款金额")}
	if v := c.value["货币种类"]; v != "CNY" && v != "RMB" {
		c.no("货币种类", "currency")
	}
	amount := func(names ...string) *big.Rat {
		keys := map[string]string{"订单金额": "order", settledName: "settled", "申请退款金额": "applied", "退款金额": "refund"}
		for _, name := range names {
			if col[name] > 0 {
				v := money[keys[name]]
				if v.Sign() < 0 {
					c.no(name, "sign")
				}
				return v
			}
		}
		return new(big.Rat)
	}
	value := new(big.Rat)
	state := map[string]string{"SUCCESS": "success", "PROCESSING": "processing", "FAIL": "failed", "CHANGE": "failed", "ABNORMAL": "failed", "CLOSED": "closed", "REFUNDCLOSE": "closed"}[c.value["退款状态"]]
	e["direction"] = "out"
	switch c.value["交易状态"] {
	case "SUCCESS":
		e["kind"], e["direction"], e["channel_txn"], e["order_no"] = "sale", "in", txn, order
		value = amount("订单金额", settledName)
	case "REFUND":
		e["kind"] = "refund"
		value = amount("申请退款金额", "退款金额")
		if col["微信退款单号"] == 0 {
			c.no("交易状态", "kind")
			break
		}
		if channelRefund == "" {
			c.missing = append(c.missing, col["微信退款单号"])
		}
		if e["route"] = c.value["退款类型"]; !regexp.MustCompile(`^(ORIGINAL|BALANCE|OTHER_BALANCE|OTHER_BANKCARD|)$`).MatchString(c.value["退款类型"]) {
			c.no("退款类型", "route")
		}
		if e["status"] = state; state == "" {
			c.no("退款状态", "status")
		}
	case "REVOKED":
		e["kind"] = "void"
		if value = amount("申请退款金额", "退款金额"); value.Sign() == 0 {
			value = amount("订单金额", settledName)
		}
		if c.value["退款状态"] != "" {
			if e["status"] = state; state == "" {
				c.no("退款状态", "status")
			}
		}
	default:
		c.no("交易状态", "kind")
	}
	if e["kind"] != "sale" {
		e["refund_no"], e["channel_refund"] = refundNo, channelRefund
		e["original"] = map[string]string{"order_no": order, "channel_txn": txn, "stan": "", "date": ""}
	}
	if bad, is := c.verdict(); is {
		s.line(n, bad.col, bad.code)
		return
	}
	if *day != "" && paid[:10] != *day {
		s.line(n, 0, "day")
		return
	}
	e["amount"] = value.Num().Int64()
	if s.entry(n, e, e["kind"].(string), txn, e["channel_refund"].(string)) {
		*day = paid[:10]
		s.counts["rows"]++
		for name, v := range money {
			s.sum(name).Add(s.sum(name), v)
		}
	}
}

func blankEntry(format, channel string) map[string]any {
	e := map[string]any{"format": format, "channel": channel, "status": "success", "currency": "CNY", "kind": ""}
	for _, name := range strings.Fields("direction merchant_id terminal_id at settled_at order_no channel_txn refund_no channel_refund stan batch rrn route shown") {
		e[name] = ""
	}
	e["original"] = map[string]string{"order_no": "", "channel_txn": "", "stan": "", "date": ""}
	return e
}

func (s *secondReader) start(format string, covers []string, sum []byte) {
	s.bill = map[string]any{"type": "bill", "format": format, "file": s.file, "member": 0, "sha256": hex.EncodeToString(sum), "covers": covers, "sums": true}
}

// line counts and refuses a line.
func (s *secondReader) line(n, col int, code string) {
	s.refuse(n, col, code)
	s.counts["refused"]++
	s.bad = true
}

func (s *secondReader) entry(n int, e map[string]any, parts ...string) bool {
	sum := sha256.Sum256([]byte(e["format"].(string) + "\x1f" + strings.Join(parts, "\x1f")))
	e["row"] = hex.EncodeToString(sum[:])[:32]
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	if before, ok := s.rows[e["row"].(string)]; ok {
		if before == string(b) {
			s.counts["duplicates"]++
		} else {
			s.line(n, 0, "row_conflict")
		}
		return false
	}
	s.rows[e["row"].(string)] = string(b)
	s.counts["entries"]++
	if st := e["status"]; st == "success" || st == "processing" {
		s.counts[e["direction"].(string)]++
		s.counts[e["direction"].(string)+"_amount"] += int(e["amount"].(int64))
	}
	e["line"], e["type"] = n, "entry"
	s.out = append(s.out, ordered(e, "type format line row kind status direction channel merchant_id terminal_id at settled_at amount currency order_no channel_txn refund_no channel_refund stan batch rrn original route shown"))
	return true
}

// ordered returns an object with its members in an order.
func ordered(v map[string]any, names string) string {
	var out []string
	for _, n := range strings.Fields(names) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		member := v[n]
		if o, ok := member.(map[string]string); ok {
			b.WriteString(ordered(map[string]any{"order_no": o["order_no"], "channel_txn": o["channel_txn"], "stan": o["stan"], "date": o["date"]}, "order_no channel_txn stan date"))
		} else if err := e.Encode(member); err != nil {
			panic(err)
		}
		out = append(out, `"`+n+`":`+strings.TrimSpace(b.String()))
	}
	return "{" + strings.Join(out, ",") + "}"
}

func (s *secondReader) finish(last, sumLine int, ended bool) {
	if !ended {
		s.refuse(last, 0, "truncated")
	} else if s.bill["sums"] == false && !s.bad {
		s.refuse(sumLine, 0, "summary_mismatch")
	}
	s.bill["complete"] = ended && !s.bad && s.bill["sums"] == true
	c := s.counts
	s.bill["rows"], s.bill["entries"], s.bill["refused"], s.bill["duplicates"] = c["entries"]+c["refused"]+c["duplicates"], c["entries"], c["refused"], c["duplicates"]
	s.bill["in_count"], s.bill["in_amount"], s.bill["out_count"], s.bill["out_amount"] = c["in"], c["in_amount"], c["out"], c["out_amount"]
	s.out = append(s.out, ordered(s.bill, "type format file member sha256 covers from to rows entries refused duplicates in_count in_amount out_count out_amount complete"))
}

var (
	secondCell   = `[ \t]*(?:"((?:[^"]|"")*)"[ \t]*|([^",\t ][^,]*|))`
	secondPeriod = regexp.MustCompile(`^#起始日期：\[(....)年(..)月(..)日 00:00:00\][ \t]*终止日期：\[(....)年(..)月(..)日 00:00:00\]$`)
)

// csvCells cuts a line by a pattern of one cell.
func csvCells(line string) (out []string, bad int) {
	one := regexp.MustCompile(`^` + secondCell + `(,|$)`)
	for {
		m := one.FindStringSubmatchIndex(line)
		if m == nil {
			return out, len(out) + 1
		}
		value := ""
		if m[2] >= 0 {
			value = strings.ReplaceAll(line[m[2]:m[3]], `""`, `"`)
		} else if m[4] >= 0 {
			value = line[m[4]:m[5]]
		}
		out = append(out, strings.Trim(value, " \t"))
		if m[6] == m[7] {
			return out, 0
		}
		line = line[m[1]:]
	}
}

func (s *secondReader) alipay(text, code []string, sum []byte) bool {
	const known = "支付宝交易号 交易号 商户订单号 业务类型 创建时间 完成时间 终端号 订单金额 商家实收 退款批次号/请求号"
	s.start("alipay_trade", []string{"sale", "refund"}, sum)
	account, from, to := "", "", ""
	var col map[string]int
	width, last, ended, sumAt := 0, 0, false, map[string]int{}
	exported := false
	for i := range text {
		line, n := text[i], i+1
		if isBlank(line) {
			continue
		}
		last = n
		mark := strings.TrimRight(line, ", \t")
		switch {
		case code[i] != "" && col == nil:
			s.refuse(n, 0, "header")
			return false
		case code[i] != "":
			s.line(n, 0, code[i])
		case col == nil && strings.HasPrefix(line, "#"):
			if m := regexp.MustCompile(`^#账号：\[(.*)\]$`).FindStringSubmatch(mark); m != nil && secondKey.MatchString(m[1]) && m[1] != "0" {
				if account = m[1]; len(account) == 20 {
					account = strings.TrimSuffix(account, "0156")
				}
			}
			if strings.HasPrefix(mark, "#起始日期：") {
				m := secondPeriod.FindStringSubmatch(mark)
				if m == nil {
					s.refuse(n, 0, "header")
					return false
				}
				a, err1 := time.Parse("2006-01-02", m[1]+"-"+m[2]+"-"+m[3])
				b, err2 := time.Parse("2006-01-02", m[4]+"-"+m[5]+"-"+m[6])
				if err1 != nil || err2 != nil || !a.Before(b) {
					s.refuse(n, 0, "header")
					return false
				}
				from, to = a.Format("2006-01-02"), b.Add(-time.Hour).Format("2006-01-02")
			}
		case col == nil:
			names, bad := csvCells(line)
			found, at, ok := header(names, known, "支付宝交易号+交易号 商户订单号 业务类型 创建时间 完成时间 终端号 订单金额 商家实收 退款批次号/请求号")
			if bad > 0 {
				at, ok = 0, false
			}
			if !ok || from == "" {
				s.refuse(n, at, "header")
				return false
			}
			col, width = found, len(names)
		case !ended && regexp.MustCompile(`^#-*业务明细列表结束-*$`).MatchString(mark):
			ended = true
		case ended && sumAt["交易"] == 0 && strings.HasPrefix(mark, "#交易合计："):
			sumAt["交易"] = n
			s.checkAlipay(mark, `^#交易合计：([0-9]+)笔，商家实收共(-?[0-9.]+)元(，.*)?$`, "交易")
		case ended && sumAt["退款"] == 0 && strings.HasPrefix(mark, "#退款合计："):
			sumAt["退款"] = n
			s.checkAlipay(mark, `^#退款合计：([0-9]+)笔，商家实收退款共(-?[0-9.]+)元(，.*)?$`, "退款")
		case ended && !exported && strings.HasPrefix(mark, "#导出时间："):
			exported = true
		case ended || strings.HasPrefix(line, "#"):
			s.line(n, 0, "form")
		default:
			values, bad := csvCells(line)
			if bad > 0 {
				s.line(n, bad, "quote")
			} else if len(values) != width {
				s.line(n, 0, "columns")
			} else {
				s.alipayRow(n, values, col, account, from, to)
			}
		}
	}
	if col == nil {
		s.refuse(last, 0, "truncated")
		return false
	}
	s.bill["from"], s.bill["to"] = from, to
	s.finish(last, max(sumAt["交易"], sumAt["退款"]), ended && sumAt["交易"] > 0 && sumAt["退款"] > 0)
	return true
}

func (s *secondReader) checkAlipay(line, form, word string) {
	m := regexp.MustCompile(form).FindStringSubmatch(line)
	if m == nil || !secondYuan.MatchString(m[2]) || strings.TrimLeft(m[1], "0") != strings.TrimLeft(fmt.Sprint(s.counts[word]), "0") {
		s.bill["sums"] = false
		return
	}
	v, _ := new(big.Rat).SetString(m[2])
	if v.Mul(v, big.NewRat(100, 1)).Cmp(s.sum(word)) != 0 {
		s.bill["sums"] = false
	}
}

func (s *secondReader) alipayRow(n int, values []string, col map[string]int, account, from, to string) {
	c := &cells{col: col, value: map[string]string{}}
	for name, at := range col {
		c.value[name] = values[at-1]
	}
	e := blankEntry("alipay_trade", "alipay")
	created, done := c.time("创建时间", true), c.time("完成时间", true)
	if e["at"] = done; done == "" {
		e["at"] = created
	}
	if c.value["创建时间"] == "" && c.value["完成时间"] == "" {
		c.missing = append(c.missing, col["完成时间"])
	}
	number := "支付宝交易号"
	if col[number] == 0 {
		number = "交易号"
	}
	txn, order, request := c.must(number), c.key("商户订单号", false), c.key("退款批次号/请求号", false)
	e["merchant_id"], e["terminal_id"] = account, c.key("终端号", true)
	amount, received := c.yuan("订单金额"), c.yuan("商家实收")
	word := c.value["业务类型"]
	switch word {
	case "交易":
		e["kind"], e["direction"], e["channel_txn"], e["order_no"] = "sale", "in", txn, order
		if amount.Sign() < 0 {
			c.no("订单金额", "sign")
		}
	case "退款":
		e["kind"], e["direction"], e["refund_no"] = "refund", "out", request
		e["original"] = map[string]string{"order_no": order, "channel_txn": txn, "stan": "", "date": ""}
	default:
		c.no("业务类型", "kind")
	}
	if bad, is := c.verdict(); is {
		s.line(n, bad.col, bad.code)
		return
	}
	at := e["at"].(string)
	if at[:10] < from || at[:10] > to {
		s.line(n, 0, "day")
		return
	}
	e["amount"] = new(big.Int).Abs(amount.Num()).Int64()
	if s.entry(n, e, e["kind"].(string), txn, e["refund_no"].(string), at) {
		s.counts[word]++
		s.sum(word).Add(s.sum(word), received)
	}
}

// hostile changes a sound bill here and there.
func hostile(r *rand.Rand, s sample) []byte {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	lines := append([]string(nil), s.lines...)
	for range r.IntN(4) { // more rows
		at := s.row + r.IntN(2)
		lines = append(lines[:s.row], append([]string{lines[at]}, lines[s.row:]...)...)
	}
	for range r.IntN(5) { // another cell
		i := s.row - 1 + r.IntN(len(lines)-s.row+1)
		sep := s.sep
		if !strings.HasPrefix(lines[i], "`") {
			sep = ","
		}
		cells := strings.Split(lines[i], sep)
		cells[r.IntN(len(cells))] = pick("", "0", " ", "1.00", "-1.00", "10.00", "3.50", "1.234", "1,000.00", "2026-08-23 10:00:00", "2026-08-24 00:00:00", "2026-08-22 23:59:59", "2026-02-30 00:00:00", "-0.00", "9999999999.99", "CNY", "RMB", "REFUND", "REVOKED", "SUCCESS", "PROCESSING", "CLOSED", "ORIGINAL", "OTHER_BALANCE",
			"R9", "4.2E+7", "=1+1", `"a"`, `"a""b" `, `"a`, `a"b`, `"a"b`, "交易", "退款", "交易时间", "订单金额（元）", "退款金额", "总金额", "商户号", "退款申请时间", "终端号", "交易号", "X\tY", "总交易单数", "`")
		lines[i] = strings.Join(cells, sep)
	}
	if r.IntN(3) == 0 {
		lines[s.row] = strings.Replace(lines[s.row], pick("20.00", "10.00", "2026-08-23", "SUCCESS", "4200000001", "20260823001"), pick("0", "-20.00", "-1.00", "2026-08-22", "REVOKED"), 1)
	}
	for range r.IntN(3) { // another line
		i := r.IntN(len(lines))
		switch r.IntN(9) {
		case 0:
			lines = append(lines[:i], lines[i+1:]...)
		case 1:
			lines = append(lines[:i+1], lines[i:]...)
		case 2:
			lines[i] = pick("", " \t", "`", "#", "#-", "x", "`a,`b", "a,b", "\x01", "a\rb", "\xff", "`\xe4\xbd", "#---业务明细列表结束---", "#起始日期：[2026年08月23日 00:00:00]终止日期：[2026年08月25日 00:00:00],,", "#账号：[x y]", "#交易合计：0笔，商家实收共0.00元", "总交易单数")
		case 3:
			j := r.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
		case 4:
			lines[i] += pick(",", " ", "\r", "\x7f", ",`", "\t", "x")
		case 5:
			lines[i] = pick(" ", "`", "#", ",") + lines[i]
		}
		if len(lines) == 0 {
			lines = []string{""}
		}
	}
	end := pick("\n", "\n", "\r\n")
	text := strings.Join(lines, end) + pick(end, end, "", "\r", "\n\n \n")
	if r.IntN(4) == 0 {
		text = text[:r.IntN(len(text)+1)]
	}
	if r.IntN(4) == 0 {
		if b, err := simplifiedchinese.GB18030.NewEncoder().String(text); err == nil {
			return []byte(b)
		}
	}
	return []byte(pick("", "", "\xef\xbb\xbf") + text)
}

// TestSecondReading holds the reader to the second reading over changed bills.
func TestSecondReading(t *testing.T) {
	files := 500
	if os.Getenv("YUANLU_SOAK") != "" {
		files = 100_000
	}
	codes := map[string]int{}
	for seed := range files {
		r := rand.New(rand.NewPCG(uint64(seed), 17))
		s := sampleOf([]string{WechatTrade, AlipayTrade}[seed%2])
		data := hostile(r, s)
		name := []string{"a.csv", "2026-13-01_20260822.csv"}[r.IntN(2)]
		out, refused := secondRead(name, data)
		got := read(name, data)
		if strings.Join(got.lines, "\n") != strings.Join(out, "\n") || strings.Join(got.refused, "\n") != strings.Join(refused, "\n") {
			t.Fatalf("seed %d\n%s\ngot\n  %s\n  %s\nwant\n  %s\n  %s", seed, data, strings.Join(got.lines, "\n  "), strings.Join(got.refused, "\n  "), strings.Join(out, "\n  "), strings.Join(refused, "\n  "))
		}
		for _, line := range refused {
			codes[line[strings.LastIndex(line, " ")+1:]]++
		}
		if len(refused) == 0 {
			codes["none"]++
		}
	}
	wanted := []Code{Header, Form, Columns, BadAmount, Truncated, RowConflict, SummaryMismatch, "none"}
	if files > 10_000 {
		wanted = []Code{Empty, UnknownFormat, Encoding, Header, Control, Form, Quote, Columns, BadAmount, Sign, BadTime, Number, BadKind, BadStatus, BadRoute, BadCurrency, KeyMissing, Day, RowConflict, Truncated, SummaryMismatch, "none"}
	}
	for _, code := range wanted {
		if codes[string(code)] == 0 {
			t.Errorf("%s never came", code)
		}
	}
	t.Log(codes)
}
