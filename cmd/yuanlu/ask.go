package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"yuanlu/agent/ask"
	"yuanlu/agent/config"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/refund"
)

func askVerb() *verb {
	return &verb{name: "ask", usage: "--refund-of NUMBER --amount YUAN [--void] [--card] [--card-read LINK] [--channel C] [--terminal T] [--link L] [--operator N] [--hold]",
		en: "ask what would be found about a refund before it is made", zh: "退款前先询问：这笔退款会有什么问题", run: (*program).ask}
}

// askFlags are the flags of ask.
type askFlags struct {
	path, of, amount, channel, terminal, link, operator, cardRead *string
	void, card, hold                                              *bool
}

// ask is a look (guard.md § 1) for a person at the counter; with --hold it is an ask of the
// till. Exit status: 0 proceed, 4 confirm, 5 hold.
func (p *program) ask(ctx context.Context, args []string) error {
	v := askVerb()
	f := p.flags(v)
	q := askFlags{path: p.configFlag(f),
		of:       f.String("refund-of", "", p.lang.T("the sale: its reference `NUMBER` (12 digits), trace number (6), order number or the channel's", "原交易`编号`：12 位参考号、6 位凭证号、订单号或渠道单号")),
		amount:   f.String("amount", "", p.lang.T("`YUAN` to be refunded, 12.50", "退款金额（`元`），如 12.50")),
		channel:  f.String("channel", "", p.lang.T("card, wechat, alipay, unionpay_qr, jd, ecny; empty: not known", "card、wechat、alipay、unionpay_qr、jd、ecny；可留空")),
		terminal: f.String("terminal", "", p.lang.T("terminal `ID` as in the records; empty: terminal.id", "记录中的终端`号`；留空用 terminal.id")),
		link:     f.String("link", "", p.lang.T("`LINK` it is about; empty: the first", "`链路`名称；留空为第一条")),
		operator: f.String("operator", "", p.lang.T("cashier `number`", "收银员`号`")),
		void:     f.Bool("void", false, p.lang.T("a void instead of a refund", "撤销而非退货")),
		card:     f.Bool("card", false, p.lang.T("ask for the number of the card that will get the money, without showing it", "输入收款卡号（不回显）")),
		cardRead: f.String("card-read", "", p.lang.T("compare with the card that the terminal at `LINK` reads next (a balance inquiry will do)", "与`链路`上终端下一次读到的卡比较（可用余额查询）")),
		hold:     f.Bool("hold", false, p.lang.T("hold it if it must be, as an ask of the till does", "需要时暂停，与收银系统的核查相同"))}
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	fen, ok := fenOf(*q.amount)
	if *q.of == "" || !ok && !(*q.void && *q.amount == "") {
		return p.wrongUsage(v, "%s", p.lang.T("--refund-of names the sale, --amount the yuan (12.50)", "--refund-of 指明原交易，--amount 为金额（元，如 12.50）"))
	}
	c, _, err := p.configInForce(*q.path)
	if err != nil {
		return err
	}
	body, err := p.askBody(&q, c.Config, fen)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	err = p.order(ctx, c.Config, v, exitStore, "guard-ask", till.AskArgs{Link: *q.link, Ask: body, CardRead: *q.cardRead}, func(answer json.RawMessage) error {
		var wait till.CardAwaited
		if json.Unmarshal(answer, &wait) == nil && wait.CardRead != "" {
			fmt.Fprintf(p.stderr, p.lang.T("have the customer's card read on link %[1]s, within %[2]d s (a balance inquiry will do)\n", "请在 %[2]d 秒内于链路 %[1]s 读取顾客的卡（可用余额查询）\n"), wait.CardRead, wait.WithinS)
			return nil
		}
		raw = append(raw[:0], answer...)
		return nil
	})
	if err != nil {
		return err
	}
	return p.answered(c.Config, raw)
}

// answered prints an answer and returns its exit code.
func (p *program) answered(c *config.Config, raw json.RawMessage) error {
	var refused till.Refused
	var a till.Answer
	if err := json.Unmarshal(raw, &refused); err != nil {
		return err
	}
	if p.json {
		if err := p.printJSON(raw); err != nil {
			return err
		}
	}
	if refused.Action == till.ActionRefused {
		if !p.json {
			fmt.Fprintf(p.stderr, "yuanlu ask: %s %s\n", p.lang.Text(refusalText(refused.Error.Code, "")), refused.Error.Field)
		}
		return errPrinted(refusalExit(refused.Error.Code))
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if !p.json {
		if err := p.people(c.Time.Location()).Answered(&a); err != nil {
			return err
		}
	}
	switch a.Action {
	case ask.Proceed:
		return nil
	case ask.Hold:
		return errPrinted(exitErrors)
	}
	return errPrinted(exitWarnings)
}

// askBody makes the ask; a card number is read without echo and stands in no argument.
func (p *program) askBody(q *askFlags, c *config.Config, fen int64) (json.RawMessage, error) {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	about := map[string]any{"id": fmt.Sprintf("cli-%x", id), "deadline_ms": refund.MaxDeadline.Milliseconds()}
	if !*q.hold {
		about["find"] = true
	}
	body := map[string]any{"kind": "refund", "merchant_id": c.Terminal.MerchantID, "terminal_id": *q.terminal, "operator": *q.operator,
		"channel": *q.channel, "currency": "CNY", "original": originalOf(*q.of), "ask": about}
	if *q.void {
		body["kind"] = "void"
	}
	if *q.terminal == "" {
		body["terminal_id"] = c.Terminal.ID
	}
	if *q.amount != "" {
		body["amount"] = fen
	}
	if *q.card {
		number, err := p.secretLine(bufio.NewReader(io.LimitReader(p.stdin, 1<<10)), "card: ", "卡号：")
		if err != nil {
			return nil, err
		}
		body["party"] = map[string]string{"scheme": "pan", "id": number.Reveal()}
	}
	return json.Marshal(body)
}

// originalOf returns how a number that a person reads from a receipt points at a sale.
func originalOf(number string) map[string]string {
	digits := strings.Trim(number, "0123456789") == ""
	switch {
	case digits && len(number) == 12:
		return map[string]string{"rrn": number}
	case digits && len(number) == 6:
		return map[string]string{"stan": number}
	case digits && len(number) >= 28: // transaction numbers of WeChat Pay and Alipay
		return map[string]string{"channel_txn": number}
	}
	return map[string]string{"order_no": number}
}

// fenOf reads yuan with at most two places.
func fenOf(text string) (int64, bool) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > 2 || whole == "" || len(whole) > 12 || strings.Trim(whole+part, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	return n, err == nil
}
