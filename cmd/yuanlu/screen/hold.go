package screen

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/refund"
)

// Holds prints holds as a table, the open ones with their time left.
func (s *Screen) Holds(lines []till.HoldLine) error {
	t := s.t
	if len(lines) == 0 {
		_, err := fmt.Fprintln(s.W, t("nothing is held", "没有暂停的退款"))
		return err
	}
	rows := [][]string{{t("ask", "核查号"), t("terminal", "终端"), t("operator", "收银员"), t("state", "状态"), t("left", "剩余"), t("amount", "金额"), t("why", "原因")}}
	for i := range lines {
		l := &lines[i]
		rows = append(rows, []string{l.Ask, l.TerminalID, l.Operator, s.HoldState(l.State), s.left(l), s.heldAmount(l.Refund), s.heldWhy(l)})
	}
	s.Table(rows)
	return nil
}

// HeldNow prints, below a status, the refunds that are held now.
func (s *Screen) HeldNow(lines []till.HoldLine) error {
	if _, err := fmt.Fprintf(s.W, "\n%s\n", s.t("held refunds (yuanlu hold show ASK, release or cancel)", "暂停的退款（用 yuanlu hold 查看、放行或取消）")); err != nil {
		return err
	}
	return s.Holds(lines)
}

// Hold prints one hold: what would be refunded, what is wrong, and what became of it.
func (s *Screen) Hold(l *till.HoldLine) error {
	t := s.t
	mark := ""
	if l.Practice {
		mark = t("[practice] ", "【练习】")
	}
	fmt.Fprintf(s.W, "%s%s  %s  %s\n", mark, l.Ask, s.HoldState(l.State), s.left(l))
	rows := [][]string{
		{t("amount", "金额"), s.heldAmount(l.Refund)}, {t("terminal", "终端"), l.TerminalID}, {t("operator", "收银员"), l.Operator},
		{t("link", "链路"), l.Link}, {t("level", "级别"), string(l.Level)}, {t("opened", "开始"), s.Clock(l.Opened)},
	}
	if !l.Ended.IsZero() {
		rows = append(rows, []string{t("ended", "结束"), strings.TrimSpace(s.Clock(l.Ended) + "  " + l.By + "  " + l.Reason)})
	}
	if l.Text != "" {
		rows = append(rows, []string{t("text", "说明"), l.Text})
	}
	if l.WrongPINs > 0 {
		rows = append(rows, []string{t("wrong PINs", "PIN 错误次数"), fmt.Sprint(l.WrongPINs)})
	}
	s.Table(rows)
	if l.Answer == nil {
		return nil
	}
	return s.Findings(l.Answer)
}

// Answered prints what an ask was answered, for a person at the counter.
func (s *Screen) Answered(a *till.Answer) error {
	t := s.t
	head := map[ask.Action]string{ask.Proceed: t("may be refunded", "可以退款"), ask.Confirm: t("look first", "请先核对"), ask.Hold: t("do not refund so", "请勿这样退款")}[a.Action]
	fmt.Fprintf(s.W, "%s\n%s\n", head, t(a.Text.EN, a.Text.ZH))
	if a.Remaining != nil {
		fmt.Fprintf(s.W, "%s %s\n", t("left of the sale:", "可退余额："), refund.AmountText(*a.Remaining, ""))
	}
	return s.Findings(a)
}

// Findings prints the findings of an answer, and the sales that may be meant instead.
func (s *Screen) Findings(a *till.Answer) error {
	t := s.t
	for _, f := range a.Findings {
		fmt.Fprintf(s.W, "- %s %s: %s\n", f.Severity, f.Code, t(f.Text.EN, f.Text.ZH))
	}
	if len(a.Candidates) == 0 {
		return nil
	}
	rows := [][]string{{t("sale", "交易"), t("at", "时间"), t("amount", "金额"), t("left", "可退"), t("number", "编号")}}
	for i := range a.Candidates {
		c := &a.Candidates[i]
		left := "-"
		if c.Remaining != nil {
			left = refund.AmountText(*c.Remaining, "")
		}
		number := c.OrderNo
		if number == "" {
			number = c.RRN
		}
		rows = append(rows, []string{string(c.Channel), c.At, refund.AmountText(c.Amount, ""), left, number})
	}
	s.Table(rows)
	return nil
}

// HoldState returns the state of a hold, for people.
func (s *Screen) HoldState(state ask.State) string {
	zh := map[ask.State]string{ask.Open: "暂停中", ask.Released: "已放行", ask.Cancelled: "已取消", ask.Corrected: "已更正", ask.Replaced: "已被代替", ask.Expired: "已过期", ask.Bypassed: "未放行已退款"}[state]
	return s.t(string(state), zh)
}

func (s *Screen) left(l *till.HoldLine) string {
	if l.State != ask.Open {
		return ""
	}
	return (time.Duration(l.Left) * time.Second).String()
}

// heldAmount returns the amount of a refund that stands as JSON.
func (s *Screen) heldAmount(record json.RawMessage) string {
	var r struct {
		Amount   *int64 `json:"amount"`
		Currency string `json:"currency"`
	}
	if json.Unmarshal(record, &r) != nil || r.Amount == nil {
		return "-"
	}
	return refund.AmountText(*r.Amount, r.Currency)
}

// heldWhy returns the worst finding.
func (s *Screen) heldWhy(l *till.HoldLine) string {
	if l.Answer == nil {
		return ""
	}
	first, _, _ := strings.Cut(s.t(l.Answer.Text.EN, l.Answer.Text.ZH), "\n")
	return first
}
