package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

func casesVerb() *verb {
	return &verb{name: "cases", usage: "list [--open] [--severity S] [-n N] | show ID",
		en: "cases, both sides side by side", zh: "案件，双方逐项对照", run: (*program).cases}
}

func (p *program) cases(ctx context.Context, args []string) error {
	v := casesVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	var filter ledger.CaseFilter
	f.BoolVar(&filter.OpenOnly, "open", false, p.lang.t("only those not cleared", "仅未结案件"))
	f.IntVar(&filter.Limit, "n", 100, p.lang.t("at most `N`", "最多 `N` 条"))
	severity := f.String("severity", "", p.lang.t("at least this `severity`", "最低`级别`"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	if *severity != "" {
		if filter.Severity = severityOf(*severity); filter.Severity.String() != *severity {
			return p.wrongUsage(v, "%s", p.lang.t("--severity wants info, low, medium, high or critical", "--severity 需要 info、low、medium、high 或 critical"))
		}
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
		return p.withStore(ctx, *path, func(c *config.Config, db *ledger.DB) error { return p.casesList(ctx, c, db, filter) })
	case rest[0] == "show" && len(rest) == 2:
		return p.withStore(ctx, *path, func(c *config.Config, db *ledger.DB) error { return p.casesShow(ctx, c, db, rest[1]) })
	}
	return p.wrongUsage(v, "%s", p.lang.t("want list, or show and the id of a case", "需要 list，或 show 加案件号"))
}

// withStore opens the store of the configuration for reading, whether the daemon
// runs or not.
func (p *program) withStore(ctx context.Context, path string, do func(*config.Config, *ledger.DB) error) (err error) {
	c, err := p.readConfig(path)
	if err != nil {
		return err
	}
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(c, db)
}

func (p *program) casesList(ctx context.Context, c *config.Config, db *ledger.DB, filter ledger.CaseFilter) error {
	all, err := db.Cases(ctx, filter)
	if err != nil {
		return err
	}
	if p.json {
		for i := range all {
			if err := p.printJSON(caseJSON(&ledger.CaseDetail{CaseRow: all[i]})); err != nil {
				return err
			}
		}
		return nil
	}
	t, zone := p.lang.t, c.Time.Location()
	if len(all) == 0 {
		_, err := fmt.Fprintln(p.stdout, t("no cases", "没有案件"))
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
		rows = append(rows, []string{one.CaseID, one.Changed.In(zone).Format("2006-01-02 15:04"), state, one.Severity.String(),
			string(one.Verdict.Recipient), p.amountOf(&one.Refund, one.Refund.Currency), partyText(one.Refund.Party), finding})
	}
	ink := p.ink(p.stdout)
	table(p.stdout, rows, func(row, col int, cell string) string {
		switch {
		case row == 0:
			return ink.bold(cell)
		case col == 3 || col == 4:
			return ink.level(cell, cell)
		}
		return cell
	})
	return nil
}

func (p *program) casesShow(ctx context.Context, c *config.Config, db *ledger.DB, id string) error {
	one, err := db.Case(ctx, strings.ToUpper(id))
	if errors.Is(err, ledger.ErrNotFound) {
		fmt.Fprintf(p.stderr, p.lang.t("yuanlu cases: no case %q, or several begin so\n", "yuanlu cases：没有案件 %q，或有多个以此开头\n"), id)
		return errSaid(exitNotFound)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(caseJSON(&one))
	}
	p.showCase(p.stdout, &one, c.Time.Location())
	return nil
}

func (p *program) showCase(w io.Writer, one *ledger.CaseDetail, zone *time.Location) {
	t, ink := p.lang.t, p.ink(w)
	state := t("open", "未结")
	if !one.Open {
		state = t("cleared", "已结")
	}
	v := &one.Verdict
	fmt.Fprintf(w, "%s %s  %s  %s  %s %s\n\n", t("case", "案件"), ink.bold(one.CaseID), state, ink.level(one.Severity.String(), one.Severity.String()),
		t("opened", "立案"), one.Opened.In(zone).Format("2006-01-02 15:04:05"))
	for i := range v.Findings {
		f := &v.Findings[i]
		fmt.Fprintf(w, "%s %s (%s)\n    %s\n", ink.level(f.Severity.String(), f.Severity.String()), f.Code, f.Rule, t(f.Text.EN, f.Text.ZH))
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
	fmt.Fprintf(w, "\n%s %s; %s\n\n", t("recipient", "收款方"), ink.level(string(v.Recipient), answer), found)
	p.showSides(w, one, ink)
	if len(one.Sightings) > 0 {
		fmt.Fprintf(w, "\n%s\n", t("evidence", "证据"))
		for _, s := range one.Sightings {
			fmt.Fprintf(w, "  %s %d  %s  %s\n", t("record", "记录"), s.Seq, s.Received.In(zone).Format("2006-01-02 15:04:05"), s.FrameMAC)
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

// showSides prints the refund and its original side by side; ≠ marks what differs
// and should not.
func (p *program) showSides(w io.Writer, one *ledger.CaseDetail, ink ink) {
	r := &one.Refund
	o := &refund.Record{}
	if one.Original != nil {
		o = one.Original
	}
	sides := []side{
		{"kind", "类型", string(r.Kind), string(o.Kind), false},
		{"outcome", "结果", string(r.Outcome), string(o.Outcome), false},
		{"amount", "金额", p.amountOf(r, ""), p.amountOf(o, ""), false},
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
	rows := [][]string{{"", p.lang.t("refund: who gets the money", "退款：收款方"), "", p.lang.t("original: who paid", "原交易：付款方")}}
	for _, s := range sides {
		if s.refund == "" && s.original == "" {
			continue
		}
		mark := ""
		switch {
		case s.en == "account":
			mark = map[refund.Recipient]string{refund.Different: "≠", refund.Doubtful: "≠?", refund.Unverifiable: "?",
				refund.Same: "=", refund.Equivalent: "="}[one.Verdict.Recipient]
		case s.compared && s.refund != "" && s.original != "" && s.refund != s.original:
			mark = "≠"
		}
		rows = append(rows, []string{p.lang.t(s.en, s.zh), s.refund, mark, s.original})
	}
	table(w, rows, func(row, _ int, cell string) string {
		switch {
		case row == 0:
			return ink.bold(cell)
		case strings.HasPrefix(rows[row][2], "≠"):
			return ink.red(cell)
		}
		return cell
	})
}

// amountOf writes the amount that a record states; "" of the zero record.
func (p *program) amountOf(r *refund.Record, currency string) string {
	switch {
	case r.Kind == "":
		return ""
	case !r.HasAmount:
		return p.lang.t("not stated", "未注明")
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

// caseObject is a case as --json prints it.
type caseObject struct {
	CaseID   string           `json:"case_id"`
	Open     bool             `json:"open"`
	Severity string           `json:"severity"`
	Opened   time.Time        `json:"opened"`
	Changed  time.Time        `json:"changed"`
	Link     string           `json:"link"`
	Verdict  refund.Verdict   `json:"verdict"`
	Refund   json.RawMessage  `json:"refund"`
	Original json.RawMessage  `json:"original,omitempty"`
	Explain  *refund.Explain  `json:"explain,omitempty"`
	Evidence []evidenceObject `json:"evidence,omitempty"`
}

type evidenceObject struct {
	Record   int64     `json:"record"`
	FrameMAC string    `json:"frame_mac"`
	Received time.Time `json:"received"`
}

func caseJSON(one *ledger.CaseDetail) caseObject {
	o := caseObject{CaseID: one.CaseID, Open: one.Open, Severity: one.Severity.String(), Opened: one.Opened, Changed: one.Changed,
		Link: one.Link, Verdict: one.Verdict, Refund: one.Refund.AppendJSON(nil)}
	if one.Original != nil {
		o.Original = one.Original.AppendJSON(nil)
	}
	if one.Judged.Explain.RuleSet != "" {
		o.Explain = &one.Judged.Explain
	}
	for _, s := range one.Sightings {
		o.Evidence = append(o.Evidence, evidenceObject{s.Seq, s.FrameMAC, s.Received})
	}
	return o
}
