package main

import (
	"fmt"
	"io"
	"strings"

	"yuanlu/cmd/yuanlu-verify/verify"
)

// page collects lines and prints them at once.
type page struct {
	strings.Builder
}

func (b *page) line(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

// print prints the checks, the keys, and what leaves and journal state (evidence.md § 6).
func (p *program) print(w io.Writer, r *verify.Report) error {
	b := &page{}
	f := &r.Facts
	if len(r.Checks) > 0 {
		b.line(p.t("pack %s, case %s, profile %s, made %s by %s, for: %s", "证据包 %s，案件 %s，配置 %s，%s 由 %s 制作，读者：%s"), f.Pack, f.Case, f.Profile, f.At, f.By, f.For)
	}
	for _, c := range r.Checks {
		b.line("%-12s %-7s %s", c.Name, p.state(c.State), strings.TrimSpace(c.Where+"  "+c.Text.In(p.lang)))
		for _, s := range c.Said {
			b.line("             - %s", s.In(p.lang))
		}
	}
	if len(r.Keys) > 0 {
		b.line("\n%s", p.t("keys: compare each fingerprint with one that you have from elsewhere", "密钥：请与另行获得的指纹核对"))
	}
	for _, k := range r.Keys {
		trusted := p.t("not in the trust file", "不在信任文件中")
		if k.Trusted {
			trusted = p.t("trusted", "已信任")
		}
		b.line("%-9s %s\n          %s  %s", k.Kind, k.Name, k.Fingerprint, trusted)
	}
	p.printRefunds(b, f)
	p.printJournal(b, f)
	p.printLeaves(b, r)
	b.line("\n%s", p.result(r))
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *program) state(state string) string {
	switch state {
	case verify.Wrong:
		return p.t("WRONG", "错误")
	case verify.Absent:
		return p.t("absent", "无")
	}
	return p.t("ok", "通过")
}

func (p *program) result(r *verify.Report) string {
	switch r.Exit {
	case verify.ExitHolds:
		return p.t("0: all checks hold, and every key is trusted. Not proved: that terminal or people told the truth, and that nothing was left out.",
			"0：所有检查均通过，所有密钥均已信任。未证明：终端或人员所述属实、没有任何遗漏。")
	case verify.ExitWrong:
		return p.t("1: THIS PACK IS WRONG: at least one check does not hold", "1：本证据包有误：至少一项检查不成立")
	}
	return fmt.Sprintf("%d: %s", r.Exit, r.Why.In(p.lang))
}

// money writes an amount in minor units.
func money(amount int64, currency string) string {
	sign := ""
	if amount < 0 {
		sign, amount = "-", -amount
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s%d.%02d", currency, sign, amount/100, amount%100))
}

func (p *program) printRefunds(b *page, f *verify.Facts) {
	if len(f.Refunds) > 0 {
		b.line("\n%s", p.t("refunds, as the terminal recorded them", "退款（终端记录）"))
	}
	for _, r := range f.Refunds {
		b.line(p.t("record %d, revision %d: recipient %s (evidence %s), decision %s%s", "记录 %d，版本 %d：收款方 %s（证据 %s），结论 %s%s"),
			r.Seq, r.Rev, r.Recipient, orNone(r.Evidence), r.Decision, p.cancelled(r.Cancelled))
		p.printSide(b, p.t("original", "原交易"), r.Original)
		p.printSide(b, p.t("refund", "退款"), r.Refund)
	}
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (p *program) cancelled(is bool) string {
	if is {
		return p.t(", undone", "，已撤销")
	}
	return ""
}

func (p *program) printSide(b *page, name string, s *verify.Side) {
	if s == nil {
		b.line("  %s: %s", name, p.t("not in this pack", "不在本包内"))
		return
	}
	b.line(p.t("  %s: record %d, %s, %s, %s, %s, at %s, merchant %s, terminal %s, operator %s", "  %s：记录 %d，%s，%s，%s，%s，时间 %s，商户 %s，终端 %s，操作员 %s"),
		name, s.Seq, s.Kind, s.Outcome, s.Channel, money(s.Amount, s.Currency), s.At, s.Merchant, s.Terminal, s.Operator)
	b.line("      %s %s  %s", s.Scheme, s.Shown, s.Numbers)
}

func (p *program) printJournal(b *page, f *verify.Facts) {
	if len(f.Entries) > 0 {
		b.line("\n%s", p.t("who did what, as the desk wrote it down", "处理经过（后台记录）"))
	}
	for _, e := range f.Entries {
		if e.LeftOut {
			b.line("%3d  %s", e.Seq, p.t("(left out by the profile)", "（按配置略去）"))
			continue
		}
		b.line("%3d  %s  %s  %s  %s", e.Seq, e.At, e.By, e.What, e.Data)
		b.line("     "+p.t("anchored in a terminal: %s; outside stamp: %s", "终端锚定：%s；外部时间戳：%s"), orNone(e.Anchored), orNone(e.Stamped))
	}
	for _, s := range f.Sums {
		b.line("     %s: %s", s.Name.In(p.lang), money(s.Amount, ""))
	}
}

func (p *program) printLeaves(b *page, r *verify.Report) {
	if len(r.Leaves) > 0 {
		b.line("\n%s", p.t("when each leaf was made: not before, existed at the latest (both by the desk's own clock), existed at the latest by an outside stamp", "各叶的时间：不早于、最迟已存在（均为后台自身时钟）、外部时间戳证明最迟已存在"))
	}
	for _, l := range r.Leaves {
		b.line("%s %d %s: %s, %s, %s", l.Origin, l.N, l.Type, orNone(l.NotBefore), l.NotAfter, orNone(l.Stamped))
	}
}
