package page

import (
	"encoding/json"
	"html/template"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// How two sides compare in one field.
const (
	differs  = "different"
	equals   = "equal"
	oneOnly  = "onlyone"
	ofItsOwn = "own"
)

// field is one line of the original beside the refund.
type field struct {
	Name             string // of the text "f.…"
	Original, Refund template.HTML
	Compare          string // differs, equals, oneOnly, ofItsOwn
	Note             string // key of a text that explains; ""
}

// sideBySide is a refund of a case beside its original.
type sideBySide struct {
	casework.RefundView
	Fields  []field // that are compared
	Own     []field // numbers that each record has of its own
	Known   bool    // there is an original
	ByHand  bool
	Billed  bool // no terminal reported it: a bill shows it
	Kept    bool // the terminal's message is there
	Reasons []reason
	Rules   []ruled
	Would   []bilingual
}

// bilingual is a text that a terminal sent in both languages.
type bilingual struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// reason is a finding of the terminal's verdict.
type reason struct {
	Code     string    `json:"code"`
	Rule     string    `json:"rule"`
	Severity string    `json:"severity"`
	Text     bilingual `json:"text"`
}

// ruled is what one rule found.
type ruled struct {
	Rule   string `json:"rule"`
	Result string `json:"result"`
	Why    string `json:"why"`
}

// beside puts both sides of a refund beside each other (casework.md § 14, 2 and 3).
func (s *speaker) beside(v casework.RefundView, one casework.Sides, verdict, explain json.RawMessage) sideBySide {
	b := sideBySide{RefundView: v, Known: one.Original != nil, ByHand: one.ByHand, Billed: one.Event == "" && !one.ByHand, Kept: verdict != nil}
	var said struct {
		Findings []reason `json:"findings"`
	}
	var rules struct {
		Rules []ruled     `json:"rules"`
		Would []bilingual `json:"would_change"`
	}
	if verdict != nil && json.Unmarshal(verdict, &said) == nil {
		b.Reasons = said.Findings
	}
	if explain != nil && json.Unmarshal(explain, &rules) == nil {
		b.Rules, b.Would = rules.Rules, rules.Would
	}
	refund, original := one.Refund, casework.Side{}
	if one.Original != nil {
		original = *one.Original
	}
	text := func(name, o, r string, show func(string) template.HTML) field {
		return field{Name: name, Original: show(o), Refund: show(r), Compare: compare(b.Known, o, r)}
	}
	group := func(name string) func(string) template.HTML {
		return func(value string) template.HTML {
			if value == "" {
				return ""
			}
			return s.named(name, value)
		}
	}
	account := text("shown", original.Shown, refund.Shown, mono)
	account.token(original.Token, refund.Token, v.Recipient)
	amount := field{Name: "amount", Refund: money(refund.Amount, refund.Currency), Compare: compare(b.Known, plainMoney(original.Amount, original.Currency), plainMoney(refund.Amount, refund.Currency))}
	if b.Known && original.Amount == 0 && original.At == "" { // a bill names the sale and no more of it
		amount.Compare = oneOnly
	} else if b.Known {
		amount.Original = money(original.Amount, original.Currency)
		if refund.Amount < original.Amount && code(refund.Currency) == code(original.Currency) {
			amount.Note = "sides.part"
		}
	}
	b.Fields = []field{account, amount,
		text("channel", original.Channel, refund.Channel, group("channel")), text("merchant_id", original.MerchantID, refund.MerchantID, mono),
		text("terminal_id", original.TerminalID, refund.TerminalID, mono), text("operator", original.Operator, refund.Operator, mono)}
	own := func(name string, o, r template.HTML) {
		if o != "" || r != "" {
			b.Own = append(b.Own, field{Name: name, Original: o, Refund: r, Compare: ofItsOwn})
		}
	}
	moment := func(at string) template.HTML {
		if at == "" {
			return ""
		}
		return s.when(at)
	}
	own("kind", group("kind")(original.Kind), group("kind")(refund.Kind))
	own("outcome", group("outcome")(original.Outcome), group("outcome")(refund.Outcome))
	own("at", moment(original.At), moment(refund.At))
	for _, n := range []struct{ name, o, r string }{{"stan", original.STAN, refund.STAN}, {"batch", original.Batch, refund.Batch}, {"rrn", original.RRN, refund.RRN},
		{"order_no", original.OrderNo, refund.OrderNo}, {"channel_txn", original.ChannelTxn, refund.ChannelTxn}, {"refund_no", original.RefundNo, refund.RefundNo},
		{"channel_refund", original.ChannelRefund, refund.ChannelRefund}, {"approver", "", refund.Approver}, {"releaser", "", refund.Releaser}, {"points_to", "", refund.Points()}} {
		own(n.name, mono(n.o), mono(n.r))
	}
	return b
}

// compare compares a field of both sides.
func compare(known bool, original, refund string) string {
	switch {
	case !known || original == "" && refund == "":
		return oneOnly
	case original == refund:
		return equals
	case original == "" || refund == "":
		return oneOnly
	}
	return differs
}

// token compares accounts by what stands for them, where both are known: the same mask may
// hide two accounts, and two numbers may be one account.
func (f *field) token(original, refund, recipient string) {
	if original == "" || refund == "" {
		return
	}
	switch same := original == refund; {
	case same:
		f.Compare = equals
	case recipient == "equivalent":
		f.Compare, f.Note = equals, "sides.equivalent"
	default:
		if f.Compare == equals {
			f.Note = "sides.sameMask"
		}
		f.Compare = differs
	}
}
