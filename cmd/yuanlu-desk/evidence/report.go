package evidence

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
	texttemplate "text/template"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

//go:embed report.html
var reportTemplate string

//go:embed README.txt
var readmeTemplate string

// label is a name of a line in both languages.
type label struct{ ZH, EN string }

// row of a comparison of both sides.
type compared struct {
	Name             label
	Original, Refund string
	Differs          bool
}

type refundPart struct {
	ID, Role, Recipient, Evidence, Decision string
	Cancelled                               bool
	Codes                                   []string
	Rows                                    []compared
}

type member struct{ Name, Text string }

type entryPart struct {
	Seq          int64
	At, By, What string
	LeftOut      bool
	Data         []member
}

// page is what README.txt and report.html are made of: nothing that the profile leaves out.
type page struct {
	Number, Profile, Reader, At, By, Program string
	Signed, Stamped, NoContacts              bool
	LeftEvents                               string
	LeftFiles                                int
	Case                                     *casework.View
	Refunds                                  []refundPart
	Money                                    []compared
	Entries, Contacts                        []entryPart
	Files                                    []filed
	Lacks                                    []lacking
}

// lacking is a terminal whose leaves may be missing, and why.
type lacking struct {
	Terminal string
	label
}

// lacks writes why leaves may be missing.
func (w *work) lacks() (all []lacking) {
	for _, l := range w.Lacks {
		text := label{"终端拒绝：" + l.Why, "the terminal refused: " + l.Why}
		n, removed := strings.CutPrefix(l.Why, "removed:")
		switch {
		case removed:
			text = label{n + " 条叶的内容已按保留期限在终端上删除", "the bytes of " + n + " leaves were removed on the terminal by retention"}
		case l.Why == "no_log":
			text = label{"该终端没有证据日志", "this terminal has no evidence log"}
		case l.Why == "no_answer" || l.Why == "":
			text = label{"制作时终端没有应答；本包含此前已取得的叶", "the terminal did not answer when this pack was made; it has the leaves that were kept before"}
		case l.Why == "not_cosigned":
			text = label{"该终端的日志尚未联署", "no checkpoint of this terminal was co-signed yet"}
		case l.Why == "wrong":
			text = label{"终端应答的叶或证明不成立，未收入", "leaves or proofs that the terminal answered do not hold, and are not in this pack"}
		}
		all = append(all, lacking{l.Terminal, text})
	}
	return all
}

// addTexts adds the two entries for people.
func (w *work) addTexts() error {
	p := &page{Number: w.Number, Profile: w.Profile, Reader: w.Reader, At: w.At.Format("2006-01-02T15:04:05-07:00"), By: w.By, Program: w.Program,
		Signed: w.Signer != nil, Stamped: w.Stamper != nil, LeftFiles: len(w.left.files), LeftEvents: strings.Join(w.left.events, ", "), Case: w.Case, Lacks: w.lacks()}
	if p.LeftEvents == "" {
		p.LeftEvents = "-"
	}
	for _, kind := range w.rule.events {
		p.NoContacts = p.NoContacts || kind == "contacted"
	}
	if err := w.fill(p); err != nil {
		return err
	}
	words := htmltemplate.FuncMap{"word": bothWords}
	report, err := htmltemplate.New("report").Funcs(words).Parse(reportTemplate)
	if err != nil {
		return err
	}
	readme, err := texttemplate.New("readme").Parse(readmeTemplate)
	if err != nil {
		return err
	}
	var html, text bytes.Buffer
	if err := report.Execute(&html, p); err != nil {
		return fmt.Errorf("%w: report: %w", ErrInput, err)
	}
	named := struct {
		*page
		Case string
	}{p, p.Case.No}
	if err := readme.Execute(&text, named); err != nil {
		return fmt.Errorf("%w: README: %w", ErrInput, err)
	}
	w.add(pack.Report, html.Bytes())
	w.add(pack.Readme, text.Bytes())
	return nil
}

// fill takes from the journal what the report states.
func (w *work) fill(p *page) error {
	last := map[string]evidence.Value{}
	var order []string
	for i := range w.Journal {
		e := &w.Journal[i]
		if w.leavesOut(e) {
			p.Entries = append(p.Entries, entryPart{Seq: e.Seq, LeftOut: true})
			continue
		}
		data, err := evidence.Parse(e.Data)
		if err != nil {
			return fmt.Errorf("%w: event %d: %w", ErrInput, e.Seq, err)
		}
		part := entryPart{Seq: e.Seq, At: e.At, By: e.By, What: e.What, Data: membersOf(data)}
		p.Entries = append(p.Entries, part)
		switch e.What {
		case "reported":
			id := data.Get("id").Text
			if _, ok := last[id]; !ok {
				order = append(order, id)
			} else if data.Get("original").Kind == 'n' {
				data = withOriginal(data, last[id].Get("original")) // once known it stays known
			}
			last[id] = data
		case "contacted":
			p.Contacts = append(p.Contacts, part)
		case "filed":
			var f filed
			if err := json.Unmarshal(e.Data, &f); err != nil {
				return fmt.Errorf("%w: event %d: %w", ErrInput, e.Seq, err)
			}
			p.Files = append(p.Files, f)
		}
	}
	for _, id := range order {
		p.Refunds = append(p.Refunds, refundOf(last[id]))
	}
	p.Money = w.money()
	return nil
}

func withOriginal(v, original evidence.Value) evidence.Value {
	members := append([]evidence.Member{}, v.Members...)
	for i := range members {
		if members[i].Name == "original" {
			members[i].Value = original
		}
	}
	v.Members = members
	return v
}

// membersOf returns the members of an event's data as texts; a report's sides stand in a table
// of their own.
func membersOf(v evidence.Value) (all []member) {
	for _, m := range v.Members {
		if m.Value.Kind != '{' || len(m.Value.Members) < 6 {
			text := m.Value.Text
			if m.Value.Kind != '"' && m.Value.Kind != '0' {
				text = string(m.Value.Raw)
			}
			all = append(all, member{m.Name, text})
		}
	}
	return all
}

func refundOf(v evidence.Value) refundPart {
	p := refundPart{ID: v.Get("id").Text, Role: v.Get("role").Text, Recipient: v.Get("recipient").Text, Evidence: v.Get("evidence").Text,
		Decision: v.Get("decision").Text, Cancelled: v.Get("cancelled").Kind == 't'}
	p.Codes, _ = v.Get("codes").Strings() // none: none
	refund, original := v.Get("refund"), v.Get("original")
	for _, l := range []struct {
		member, zh, en string
		compare        bool
	}{
		{"kind", "类型", "kind", false}, {"outcome", "结果", "outcome", false}, {"merchant_id", "商户", "merchant", true}, {"terminal_id", "终端", "terminal", true},
		{"operator", "操作员", "operator", true}, {"channel", "渠道", "channel", true}, {"amount", "金额", "amount", false}, {"at", "时间", "time", false},
		{"shown", "账户（掩码）", "account, masked", true}, {"token", "账户令牌", "account token", true}, {"stan", "流水号", "trace number", false}, {"batch", "批次", "batch", false},
		{"rrn", "参考号", "reference number", false}, {"order_no", "订单号", "order", false}, {"channel_txn", "渠道交易号", "channel's number", false},
		{"refund_no", "退款单号", "refund's number", false}, {"channel_refund", "渠道退款号", "channel's refund number", false},
	} {
		a, b := original.Get(l.member).Text, refund.Get(l.member).Text
		if l.member == "amount" {
			a, b = amount(original), amount(refund)
		}
		if a != "" || b != "" {
			p.Rows = append(p.Rows, compared{label{l.zh, l.en}, a, b, l.compare && a != "" && b != "" && a != b})
		}
	}
	return p
}

func amount(side evidence.Value) string {
	n, ok := side.Get("amount").Int()
	if !ok {
		return ""
	}
	return fen(n, side.Get("currency").Text)
}

// fen writes an amount of minor units, with its currency.
func fen(n int64, currency string) string {
	text := strconv.FormatInt(n, 10)
	for len(text) < 3 {
		text = "0" + text
	}
	return strings.TrimSpace(currency + " " + text[:len(text)-2] + "." + text[len(text)-2:])
}

func (w *work) money() (all []compared) {
	c, currency := w.Case, ""
	if len(c.Refunds) > 0 {
		currency = c.Refunds[0].Currency
	}
	add := func(zh, en string, n int64) {
		all = append(all, compared{Name: label{zh, en}, Refund: fen(n, currency)})
	}
	if c.Finding != nil {
		currency = c.Finding.Currency
		add("涉及金额", "at stake", c.Finding.Stake)
		add("应付付款方", "owed to the payer", c.Finding.Owed)
	}
	add("已追回", "recovered", c.Recovery.Recovered)
	add("损失", "lost", c.Recovery.Lost)
	add("已付给付款方", "paid to the payer", c.Payer.Paid)
	add("其中已到账", "of that arrived", c.Payer.Settled)
	add("仍应付", "still payable", c.Payable)
	return all
}

// bothWords writes a word of casework.md or verdicts.md in Chinese behind itself.
func bothWords(word string) string {
	zh, ok := map[string]string{
		"new": "新建", "verifying": "核实中", "working": "处理中", "closed": "已结案", "same": "相同", "different": "不同", "equivalent": "等同", "unverifiable": "无法核实", "none": "无",
		"strong": "强", "weak": "弱", "by_reference": "按原单", "pass": "通过", "review": "复核", "alarm": "告警",
		"opened": "开立", "reported": "终端上报", "suggested": "建议关联", "undone": "已撤销", "void_closed": "撤销期已过", "payer_seen": "付款方再次出现", "bill_link": "账单佐证", "claimed": "认领", "assigned": "指派",
		"noted": "备注", "filed": "归档文件", "contacted": "联系", "identified": "确认身份", "waiting": "等待", "woke": "恢复处理", "counted": "归类", "advised": "系统建议", "overdue": "逾期",
		"escalated": "升级", "answered": "已答复", "requested": "请求追回", "received": "已收回", "refused": "被拒", "sent": "已付出", "settled": "已到账", "failed": "付款失败", "declined": "付款方谢绝",
		"unreachable": "无法联系", "proposed": "提议", "approved": "批准", "rejected": "驳回", "withdrawn": "撤回", "lapsed": "失效", "found": "认定", "reissue_approved": "批准重新支付",
		"reissue_lapsed": "重新支付失效", "written_off": "核销", "merged": "并入", "reopened": "重开",
		"recovered_reissued": "已追回并重新支付", "reissued_loss": "已重新支付，有损失", "recovered_no_reissue": "已追回，未重新支付", "loss_no_reissue": "有损失，未重新支付", "legal": "移交法律程序",
		"same_account": "同一账户", "rerouted_ok": "改道合理", "authorised_other": "付款方授权他人", "record_error": "记录错误", "test": "测试", "inconclusive": "无定论", "duplicate": "重复",
	}[word]
	if !ok || word == "" {
		return word
	}
	return word + " " + zh
}
