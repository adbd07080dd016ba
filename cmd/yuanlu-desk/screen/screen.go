// Package screen makes a case readable: a line for the eye, both sides one above the
// other, and the reason, in English or Chinese, coloured where that is wanted. It shows what the
// event shows and nothing else: no identifier is ever clear there.
package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/width"

	"yuanlu/protocol/printable"
	"yuanlu/protocol/topics"
)

// Screen is how to print.
type Screen struct {
	Chinese bool
	Colour  bool
	Zone    *time.Location
}

// event is what is printed of an event.
type event struct {
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	Data    struct {
		CaseID   string  `json:"case_id"`
		Severity string  `json:"severity"`
		Refund   record  `json:"refund"`
		Original *record `json:"original"`
		Verdict  struct {
			Recipient string `json:"recipient"`
			Reason    string `json:"reason"`
			Findings  []struct {
				Code string `json:"code"`
				Text struct {
					EN string `json:"en"`
					ZH string `json:"zh"`
				} `json:"text"`
			} `json:"findings"`
		} `json:"verdict"`
	} `json:"data"`
}

type record struct {
	Kind       string `json:"kind"`
	Channel    string `json:"channel"`
	Amount     *int64 `json:"amount"` // nil: not stated
	Currency   string `json:"currency"`
	At         string `json:"at"`
	MerchantID string `json:"merchant_id"`
	TerminalID string `json:"terminal_id"`
	Batch      string `json:"batch"`
	Stan       string `json:"stan"`
	RRN        string `json:"rrn"`
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	RefundNo   string `json:"refund_no"`
	Operator   string `json:"operator"`
	Party      *struct {
		Scheme string `json:"scheme"`
		Shown  string `json:"shown"`
		Text   string `json:"text"`
	} `json:"party"`
}

func (s *Screen) t(en, zh string) string {
	if s.Chinese {
		return zh
	}
	return en
}

func (s *Screen) colour(code, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// translate returns a value of a case in the language of the screen.
func (s *Screen) translate(w string) string {
	if !s.Chinese {
		return w
	}
	for _, pair := range [][2]string{{"opened", "立案"}, {"revised", "变更"}, {"cleared", "结案"}, {"critical", "严重"}, {"high", "高"},
		{"medium", "中"}, {"low", "低"}, {"info", "提示"}, {"none", "无"}, {"refund", "退款"}, {"void", "撤销"}, {"completion_void", "预授权完成撤销"},
		{"same", "相同"}, {"equivalent", "等同"}, {"different", "不同"}, {"doubtful", "存疑"}, {"unverifiable", "无法核实"}} {
		if pair[0] == w {
			return pair[1]
		}
	}
	return w
}

// Case prints a case event of a terminal. One that cannot be read is printed as such.
func (s *Screen) Case(w io.Writer, terminal string, payload []byte) error {
	var e event
	if topics.Exact(payload, &e) != nil {
		_, err := fmt.Fprintf(w, "%s  %s\n", clean(terminal), s.t("an event of a kind that cannot be shown", "无法显示的事件"))
		return err
	}
	if strings.HasPrefix(e.Type, "yuanlu.hold.") {
		return s.hold(w, terminal, payload)
	}
	d, r := &e.Data, &e.Data.Refund
	what := strings.TrimPrefix(e.Type, "yuanlu.case.")
	what, _, _ = strings.Cut(what, ".")
	colours := map[string]string{"critical": "1;31", "high": "31", "medium": "33"}
	severity := s.colour(colours[d.Severity], pad(s.translate(clean(d.Severity)), 8))
	if what == "cleared" {
		severity = s.colour("32", pad(s.translate("cleared"), 8))
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s  %s %s  %s  %s  %s", e.Time.In(s.Zone).Format("2006-01-02 15:04:05"), pad(clean(terminal), 12),
		pad(s.translate(clean(what)), 7), severity, s.translate(clean(r.Kind)), s.amount(r), clean(r.Channel),
		s.translate(clean(d.Verdict.Recipient)), clean(d.Verdict.Reason)), " "))
	if err != nil {
		return err
	}
	if err := s.sides(w, r, d.Original); err != nil {
		return err
	}
	for _, f := range d.Verdict.Findings {
		if _, err := fmt.Fprintf(w, "    %s  %s\n", clean(f.Code), clean(s.t(f.Text.EN, f.Text.ZH))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "    %s %s\n", s.t("case", "案件"), clean(d.CaseID))
	return err
}

// sides prints who got the money above who paid, each with what it is found by.
func (s *Screen) sides(w io.Writer, refund, original *record) error {
	to, by := party(refund), s.t("no sale was found", "未找到原交易")
	if original != nil {
		by = party(original)
	}
	columns := max(len(to), len(by))
	if _, err := fmt.Fprintf(w, "    %s  %s  %s\n", pad(s.t("paid to", "退至"), 8), pad(to, columns), s.numbers(refund)); err != nil {
		return err
	}
	numbers := ""
	if original != nil {
		numbers = s.numbers(original)
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("    %s  %s  %s", pad(s.t("paid by", "付款"), 8), pad(by, columns), numbers), " "))
	return err
}

// numbers are the moment, the amount and the numbers of a record, as far as it has
// them.
func (s *Screen) numbers(r *record) string {
	list := []string{clean(r.At), s.amount(r)}
	if r.Stan != "" {
		list = append(list, clean(r.TerminalID+"/"+r.Batch+"/"+r.Stan))
	}
	for _, n := range []struct{ en, zh, value string }{{"rrn", "参考号", r.RRN}, {"order", "订单", r.OrderNo}, {"transaction", "渠道单号", r.ChannelTxn},
		{"refund", "退款单", r.RefundNo}, {"operator", "操作员", r.Operator}} {
		if n.value != "" {
			list = append(list, s.t(n.en, n.zh)+" "+clean(n.value))
		}
	}
	return strings.Join(list, "  ")
}

// Event prints another event: its moment, its type, its data.
func (s *Screen) Event(w io.Writer, terminal string, payload []byte) error {
	var e struct {
		Type string          `json:"type"`
		Time time.Time       `json:"time"`
		Data json.RawMessage `json:"data"`
	}
	if topics.Exact(payload, &e) != nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s  %s  %s %s\n", e.Time.In(s.Zone).Format("2006-01-02 15:04:05"), pad(clean(terminal), 12), clean(e.Type), clean(string(e.Data)))
	return err
}

// clean writes as an escape what could move a terminal's cursor, change its colours,
// turn its text round, or would not be seen: what is shown comes from elsewhere.
func clean(text string) string { return printable.Text(text) }

func party(r *record) string {
	if r.Party == nil {
		return "?"
	}
	text := strings.TrimSpace(clean(r.Party.Shown) + " " + clean(r.Party.Text))
	if text == "" {
		return clean(r.Party.Scheme)
	}
	return text
}

// money writes minor units of two digits, as all currencies of these terminals have.
// amount is a record's amount, or that it states none.
func (s *Screen) amount(r *record) string {
	if r.Amount == nil {
		return s.t("no amount", "未注明金额")
	}
	return money(*r.Amount, clean(r.Currency))
}

func money(amount int64, currency string) string {
	sign, n := "", uint64(amount)
	if amount < 0 {
		sign, n = "-", -n
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d.%02d %s", sign, n/100, n%100, currency))
}

// pad fills to n columns; Chinese characters take two.
func pad(text string, n int) string {
	for _, c := range text {
		n--
		if k := width.LookupRune(c).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n--
		}
	}
	return text + strings.Repeat(" ", max(n, 0))
}
