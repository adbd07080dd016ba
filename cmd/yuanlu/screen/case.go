package screen

import (
	"fmt"
	"strings"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// shortID is how many characters of a case's id are shown at least: 40 bits of the ULID's
// random part would be needed to tell all cases apart, and as many as a list needs are shown.
const shortID = 8

// wide is from how many columns on a list of cases has room for all.
const wide = 120

// narrow reports whether a line has room for little.
func (s *Screen) narrow() bool { return s.Width > 0 && s.Width < wide }

// Cases prints a list of cases, each in one line of the screen.
func (s *Screen) Cases(all []ledger.CaseRow) error {
	t := s.t
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.W, t("no cases", "没有案件"))
		return err
	}
	narrow, unbound := s.narrow(), s.Width == 0
	rows := [][]string{{t("case", "案件"), t("changed", "变更"), t("severity", "级别"), t("amount", "金额"), t("paid to", "退至"), t("finding", "发现")}}
	if unbound {
		rows[0] = append(rows[0][:4:4], t("recipient", "收款方"), t("paid to", "退至"), t("finding", "发现"))
	}
	short := shortest(all)
	for i := range all {
		one := &all[i]
		severity := s.name(one.Severity.String())
		if !one.Open {
			severity = t("cleared", "已结")
		}
		id, changed, to, finding := one.CaseID, one.Changed.In(s.Zone).Format("01-02 15:04"), partyText(one.Refund.Party), ""
		if len(one.Verdict.Findings) > 0 {
			finding = s.named(one.Verdict.Findings[0].Code)
		}
		if !unbound {
			to = fewStars(to)
		}
		if narrow {
			id = id[:min(short, len(id))]
			if finding != "" {
				finding = s.name(one.Verdict.Findings[0].Code)
			}
		}
		row := []string{id, changed, severity, s.amount(&one.Refund, one.Refund.Currency), to, finding}
		if unbound {
			row = append(row[:4:4], s.name(string(one.Verdict.Recipient)), to, finding)
		}
		rows = append(rows, row)
	}
	s.table(rows, func(row, col int, cell string) string {
		switch {
		case row == 0:
			return s.bold(cell)
		case col == 2 && all[row-1].Open:
			return s.level(all[row-1].Severity.String(), cell)
		case col == 4 && unbound:
			return s.level(string(all[row-1].Verdict.Recipient), cell)
		}
		return cell
	})
	return nil
}

// shortest returns how many characters of their ids tell cases apart.
func shortest(all []ledger.CaseRow) int {
	n := shortID
	for seen := map[string]bool{}; n < 26; n++ {
		clear(seen)
		for i := range all {
			seen[all[i].CaseID[:min(n, len(all[i].CaseID))]] = true
		}
		if len(seen) == len(all) {
			break
		}
	}
	return n
}

// fewStars shortens what is masked of an account: the digits at both ends stay.
func fewStars(account string) string {
	for strings.Contains(account, "***") {
		account = strings.ReplaceAll(account, "***", "**")
	}
	return account
}

// Case prints one case: findings, verdict, both sides, evidence.
func (s *Screen) Case(one *ledger.CaseDetail) {
	t := s.t
	state := t("open", "未结")
	if !one.Open {
		state = t("cleared", "已结")
	}
	v := &one.Verdict
	put := func(lines []string) { fmt.Fprintln(s.W, strings.Join(lines, "\n")) }
	put(s.para(4, fmt.Sprintf("%s %s  %s  %s  %s %s", t("case", "案件"), s.bold(one.CaseID), state, s.level(one.Severity.String(), s.name(one.Severity.String())),
		t("opened", "立案"), one.Opened.In(s.Zone).Format("2006-01-02 15:04:05"))))
	fmt.Fprintln(s.W)
	for i := range v.Findings {
		f := &v.Findings[i]
		put(s.para(4, fmt.Sprintf(t("%s: %s (%s, %s)", "%s：%s（%s，%s）"), s.level(f.Severity.String(), s.name(f.Severity.String())), s.bold(s.name(f.Code)), f.Code, f.Rule)))
		put(s.hang("    ", 4, t(f.Text.EN, f.Text.ZH)))
	}
	answer := s.name(string(v.Recipient))
	if v.Reason != "" {
		answer += t(": ", "：") + s.name(v.Reason)
	}
	if v.Evidence != "" {
		answer += fmt.Sprintf(t(" (evidence: %s)", "（依据：%s）"), s.name(string(v.Evidence)))
	}
	found := t("no original was found", "未找到原交易")
	if v.Original != nil {
		found = fmt.Sprintf(t("original found by %s", "原交易依据%s找到"), s.name(v.Original.FoundBy))
	}
	fmt.Fprintln(s.W)
	put(s.para(4, fmt.Sprintf(t("%s: %s; %s", "%s：%s；%s"), t("recipient", "收款方"), s.level(string(v.Recipient), answer), found)))
	fmt.Fprintln(s.W)
	s.sides(one)
	if len(one.Sightings) > 0 {
		fmt.Fprintf(s.W, "\n%s\n", t("evidence", "证据"))
		for _, g := range one.Sightings {
			put(s.hang("  ", 4, fmt.Sprintf("%s %d  %s  %s", t("record", "记录"), g.Seq, g.Received.In(s.Zone).Format("2006-01-02 15:04:05"), g.FrameMAC)))
		}
	}
	for _, would := range one.Judged.Explain.WouldChange {
		put(s.para(4, t("would change it: ", "可能改变结论：")+t(would.EN, would.ZH)))
	}
}

// side is one line of the comparison.
type side struct {
	en, zh           string
	refund, original string
	compared         bool // a difference here is what the case is about
}

// sides prints the refund and its original side by side; ≠ marks what differs
// and should not.
func (s *Screen) sides(one *ledger.CaseDetail) {
	r := &one.Refund
	o := &refund.Record{}
	if one.Original != nil {
		o = one.Original
	}
	all := []side{
		{"kind", "类型", s.word(string(r.Kind)), s.word(string(o.Kind)), false},
		{"outcome", "结果", s.word(string(r.Outcome)), s.word(string(o.Outcome)), false},
		{"amount", "金额", s.amount(r, ""), s.amount(o, ""), false},
		{"currency", "币种", r.Currency, o.Currency, true},
		{"time", "时间", r.At, o.At, false},
		{"merchant", "商户", r.MerchantID, o.MerchantID, true},
		{"terminal", "终端", r.TerminalID, o.TerminalID, false},
		{"operator", "操作员", r.Operator, o.Operator, false},
		{"channel", "渠道", s.word(string(r.Channel)), s.word(string(o.Channel)), true},
		{"entry", "录入", s.word(string(r.Entry)), s.word(string(o.Entry)), false},
		{"batch/stan", "批次/流水", joined(r.Batch, r.Stan), joined(o.Batch, o.Stan), false},
		{"rrn", "参考号", r.RRN, o.RRN, false},
		{"order", "订单号", r.OrderNo, o.OrderNo, false},
		{"channel no.", "渠道单号", first(r.ChannelRefund, r.ChannelTxn), o.ChannelTxn, false},
		{"refund no.", "退款单号", r.RefundNo, "", false},
		{"account", "账户", partyText(r.Party), partyText(o.Party), false},
		{"account kind", "账户类型", s.word(schemeText(r.Party)), s.word(schemeText(o.Party)), false},
	}
	rows := [][]string{{"", s.t("refund: who gets the money", "退款：收款方"), "", s.t("original: who paid", "原交易：付款方")}}
	for _, d := range all {
		if d.refund == "" && d.original == "" {
			continue
		}
		mark := ""
		switch {
		case d.en == "account":
			mark = map[refund.Recipient]string{refund.Different: "≠", refund.Doubtful: "≠?", refund.Unverifiable: "?",
				refund.Same: "=", refund.Equivalent: "="}[one.Verdict.Recipient]
		case d.compared && d.refund != "" && d.original != "" && d.refund != d.original:
			mark = "≠"
		}
		rows = append(rows, []string{s.t(d.en, d.zh), d.refund, mark, d.original})
	}
	s.tableOf(rows, func(row, _ int, cell string) string {
		switch {
		case row == 0:
			return s.bold(cell)
		case strings.HasPrefix(rows[row][2], s.sign("≠")):
			return s.red(cell)
		}
		return cell
	})
}

// amount returns the amount that a record states; "" of the zero record.
func (s *Screen) amount(r *refund.Record, currency string) string {
	switch {
	case r.Kind == "":
		return ""
	case !r.HasAmount:
		return s.t("not stated", "未注明")
	}
	return refund.AmountText(r.Amount, currency)
}

// word returns the name of a value that a record states, "" of none.
func (s *Screen) word(value string) string {
	if value == "" {
		return ""
	}
	return s.name(value)
}

func joined(a, b string) string {
	if a == "" && b == "" {
		return ""
	}
	return a + "/" + b
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// partyText returns what may be shown of a party.
func partyText(p *refund.Party) string {
	switch {
	case p == nil:
		return ""
	case p.Shown != "" && p.Text != "":
		return p.Shown + " " + p.Text
	}
	return first(p.Shown, p.Text)
}

func schemeText(p *refund.Party) string {
	if p == nil {
		return ""
	}
	return string(p.Scheme)
}
