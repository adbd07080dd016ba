package screen

import (
	"fmt"
	"strings"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// Cases prints a list of cases.
func (s *Screen) Cases(all []ledger.CaseRow) error {
	t := s.t
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.W, t("no cases", "没有案件"))
		return err
	}
	rows := [][]string{{t("case", "案件"), t("changed", "变更"), t("state", "状态"), t("severity", "级别"), t("recipient", "收款方"), t("amount", "金额"), t("paid to", "退至"), t("finding", "发现")}}
	for i := range all {
		one := &all[i]
		state := t("open", "未结")
		if !one.Open {
			state = t("cleared", "已结")
		}
		finding := ""
		if len(one.Verdict.Findings) > 0 {
			finding = one.Verdict.Findings[0].Code
		}
		rows = append(rows, []string{one.CaseID, one.Changed.In(s.Zone).Format("2006-01-02 15:04"), state, one.Severity.String(),
			string(one.Verdict.Recipient), s.amount(&one.Refund, one.Refund.Currency), partyText(one.Refund.Party), finding})
	}
	s.table(rows, func(row, col int, cell string) string {
		switch {
		case row == 0:
			return s.bold(cell)
		case col == 3 || col == 4:
			return s.level(cell, cell)
		}
		return cell
	})
	return nil
}

// Case prints one case: findings, verdict, both sides, evidence.
func (s *Screen) Case(one *ledger.CaseDetail) {
	t, w := s.t, s.W
	state := t("open", "未结")
	if !one.Open {
		state = t("cleared", "已结")
	}
	v := &one.Verdict
	fmt.Fprintf(w, "%s %s  %s  %s  %s %s\n\n", t("case", "案件"), s.bold(one.CaseID), state, s.level(one.Severity.String(), one.Severity.String()),
		t("opened", "立案"), one.Opened.In(s.Zone).Format("2006-01-02 15:04:05"))
	for i := range v.Findings {
		f := &v.Findings[i]
		fmt.Fprintf(w, "%s %s (%s)\n    %s\n", s.level(f.Severity.String(), f.Severity.String()), f.Code, f.Rule, t(f.Text.EN, f.Text.ZH))
	}
	answer := string(v.Recipient)
	if v.Reason != "" {
		answer += ": " + v.Reason
	}
	if v.Evidence != "" {
		answer += " (" + string(v.Evidence) + ")"
	}
	found := t("no original was found", "未找到原交易")
	if v.Original != nil {
		found = fmt.Sprintf(t("original found by %s", "原交易依据 %s 找到"), v.Original.FoundBy)
	}
	fmt.Fprintf(w, "\n%s %s; %s\n\n", t("recipient", "收款方"), s.level(string(v.Recipient), answer), found)
	s.sides(one)
	if len(one.Sightings) > 0 {
		fmt.Fprintf(w, "\n%s\n", t("evidence", "证据"))
		for _, g := range one.Sightings {
			fmt.Fprintf(w, "  %s %d  %s  %s\n", t("record", "记录"), g.Seq, g.Received.In(s.Zone).Format("2006-01-02 15:04:05"), g.FrameMAC)
		}
	}
	for _, would := range one.Judged.Explain.WouldChange {
		fmt.Fprintf(w, "%s %s\n", t("would change it:", "可能改变结论："), t(would.EN, would.ZH))
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
		{"kind", "类型", string(r.Kind), string(o.Kind), false},
		{"outcome", "结果", string(r.Outcome), string(o.Outcome), false},
		{"amount", "金额", s.amount(r, ""), s.amount(o, ""), false},
		{"currency", "币种", r.Currency, o.Currency, true},
		{"time", "时间", r.At, o.At, false},
		{"merchant", "商户", r.MerchantID, o.MerchantID, true},
		{"terminal", "终端", r.TerminalID, o.TerminalID, false},
		{"operator", "操作员", r.Operator, o.Operator, false},
		{"channel", "渠道", string(r.Channel), string(o.Channel), true},
		{"entry", "录入", string(r.Entry), string(o.Entry), false},
		{"batch/stan", "批次/流水", joined(r.Batch, r.Stan), joined(o.Batch, o.Stan), false},
		{"rrn", "参考号", r.RRN, o.RRN, false},
		{"order", "订单号", r.OrderNo, o.OrderNo, false},
		{"channel no.", "渠道单号", first(r.ChannelRefund, r.ChannelTxn), o.ChannelTxn, false},
		{"refund no.", "退款单号", r.RefundNo, "", false},
		{"account", "账户", partyText(r.Party), partyText(o.Party), false},
		{"account kind", "账户类型", schemeText(r.Party), schemeText(o.Party), false},
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
	s.table(rows, func(row, _ int, cell string) string {
		switch {
		case row == 0:
			return s.bold(cell)
		case strings.HasPrefix(rows[row][2], "≠"):
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
	return money(r.Amount, currency)
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
