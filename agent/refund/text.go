package refund

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"yuanlu/protocol/printable"
)

// Value fills one {placeholder} of a template. ZH may be left empty where both
// languages write the same.
type Value struct{ Name, EN, ZH string }

// Put is a Value that reads the same in both languages.
func Put(name, value string) Value { return Value{name, value, value} }

// PutInt is a Value for a number.
func PutInt(name string, value int) Value { return Put(name, strconv.Itoa(value)) }

// PutText is a Value with a text for each language.
func PutText(name string, t Text) Value { return Value{name, t.EN, t.ZH} }

// Fill puts values in place of the {placeholders} of a template. A value's own
// braces are left alone; what would not be seen of it stands there as an escape.
func Fill(t Text, values ...Value) Text {
	return Text{
		fill(t.EN, values, func(v *Value) string { return v.EN }),
		fill(t.ZH, values, func(v *Value) string { return v.ZH }),
	}
}

// fill is Fill in one language. A strings.Replacer would build a tree for each text: a quarter
// of all that a refund allocated.
func fill(template string, values []Value, of func(*Value) string) string {
	var b strings.Builder
	b.Grow(2 * len(template))
	for template != "" {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			break
		}
		b.WriteString(template[:open])
		template = template[open:]
		at := slices.IndexFunc(values, func(v Value) bool {
			rest, ok := strings.CutPrefix(template[1:], v.Name)
			return ok && strings.HasPrefix(rest, "}")
		})
		if at < 0 {
			b.WriteByte('{')
			template = template[1:]
			continue
		}
		b.WriteString(printable.Text(of(&values[at])))
		template = template[len(values[at].Name)+2:]
	}
	b.WriteString(template)
	return b.String()
}

// Number names a record for people: the first number that it states.
func (e *Event) Number() string {
	r := &e.Record
	switch {
	case r.Kind.Judged() && r.RefundNo != "":
		return r.RefundNo
	case r.Kind.Judged() && r.ChannelRefund != "":
		return r.ChannelRefund
	case r.RRN != "":
		return r.RRN
	case r.OrderNo != "":
		return r.OrderNo
	case r.ChannelTxn != "":
		return r.ChannelTxn
	case r.Stan != "" && r.Batch != "":
		return r.Batch + "/" + r.Stan
	}
	return "#" + strconv.FormatInt(e.Seq, 10)
}

// AmountText writes the event's amount with its currency, or that it states none.
func (e *Event) AmountText() Text {
	if !e.Record.HasAmount {
		return Text{"an amount not stated", "金额未注明"}
	}
	return sameText(AmountText(e.Record.Amount, e.Record.Currency))
}

func sameText(s string) Text { return Text{s, s} }

// amountText is the amount of the case's own record; a void that states none is of
// its original's amount.
func (c *Case) amountText() Text {
	r := &c.Refund.Record
	switch currency := cmp.Or(r.Currency, c.Currency()); {
	case r.HasAmount:
		return sameText(AmountText(r.Amount, currency))
	case r.Kind.IsVoid() && c.Original != nil:
		return sameText(AmountText(c.Money.Amount, currency))
	}
	return c.Refund.AmountText()
}

// Currency is the currency in which the case is reckoned: the original's, else the
// refund's (verdicts.md § 3).
func (c *Case) Currency() string {
	if c.Original != nil && c.Original.Record.Currency != "" {
		return c.Original.Record.Currency
	}
	return c.Refund.Record.Currency
}

// Standard returns the values that most templates use: {refund_no}, {amt}, {orig_no},
// {payer}, {recipient}. Identifiers are masked.
func (c *Case) Standard(more ...Value) []Value {
	orig, payer := Put("orig_no", ""), Put("payer", "")
	if c.Original != nil {
		orig = Put("orig_no", c.Original.Number())
		payer = PutText("payer", partyName(c.Original.Record.Party, c.Compared.PayerShown))
	}
	return append([]Value{
		Put("refund_no", c.Refund.Number()),
		PutText("amt", c.amountText()),
		orig, payer,
		PutText("recipient", partyName(c.Refund.Record.Party, c.Compared.RecipientShown)),
	}, more...)
}

// ShownText names a party by a masked identifier, which may be empty.
func ShownText(shown string) Text { return partyName(nil, shown) }

// partyName names a party: the identifier that was compared, else its own, else the
// channel's description.
func partyName(p *Party, compared string) Text {
	s := compared
	if s == "" && p != nil {
		if s = p.shownIdentifier().Shown; s == "" {
			s = p.Text
		}
	}
	switch {
	case s != "":
		return Text{s, s}
	case p != nil && p.Scheme == SchemeCash:
		return Text{"cash", "现金"}
	}
	return Text{"an account that the record does not name", "记录中未注明的账户"}
}

// KeyKindText names what was compared, for {key_kind}.
func (c *Case) KeyKindText() Text {
	if c.Compared.ByPAR {
		return Text{"the payment account reference", "支付账户参考号（PAR）"}
	}
	switch c.Compared.RecipientScheme {
	case SchemePAN:
		return Text{"the card number", "卡号"}
	case SchemeDPAN:
		return Text{"the device card number", "设备卡号"}
	case SchemePANMasked:
		if c.ofWallet() {
			return Text{"the visible digits of the e-CNY wallet number", "数字人民币钱包编号的可见位"}
		}
		return Text{"the visible digits of the card number", "卡号的可见位"}
	case SchemeWeChatOpenID, SchemeAlipayOpenID:
		return Text{"the openid", "openid"}
	case SchemeAlipayUserID:
		return Text{"the Alipay user id", "支付宝用户号"}
	case SchemeAlipayLogon:
		return Text{"the masked Alipay logon", "脱敏的支付宝登录号"}
	case SchemeUnionPayToken:
		return Text{"the UnionPay token", "银联支付标记"}
	case SchemeECNYWallet:
		return Text{"the e-CNY wallet number", "数字人民币钱包编号"}
	case SchemeAccount:
		return Text{"the account", "账户"}
	}
	return Text{"the identifier", "标识"}
}

// ofWallet reports whether a masked number is that of an e-CNY wallet.
func (c *Case) ofWallet() bool { return c.Original != nil && c.channel() == ChannelECNY }

// CompareText names what two different people may share where only a part of their
// identifiers is visible.
func (c *Case) CompareText() Text {
	switch {
	case c.ofWallet():
		return Text{"wallets", "钱包"}
	case c.Compared.RecipientScheme == SchemePANMasked, c.Compared.PayerScheme == SchemePANMasked:
		return Text{"cards", "卡"}
	}
	return Text{"users", "用户"}
}

// DifferenceText returns where two identifiers differ: at the first visible digit that
// does, in their lengths, or only in what is hidden.
func (c *Case) DifferenceText() Text {
	payer, recipient := []rune(c.Compared.PayerShown), []rune(c.Compared.RecipientShown)
	at := func(pos int) Text {
		n := strconv.Itoa(pos)
		return Text{"at position " + n, "第 " + n + " 位"}
	}
	switch {
	case c.Compared.Position > 0:
		return at(c.Compared.Position)
	case c.Compared.Position < 0:
		n := strconv.Itoa(-c.Compared.Position)
		return Text{"at position " + n + " from the right", "倒数第 " + n + " 位"}
	case len(payer) != len(recipient):
		return Text{"in length", "长度"}
	}
	for i := range payer {
		if payer[i] != recipient[i] && payer[i] != '*' && recipient[i] != '*' {
			return at(i + 1)
		}
	}
	return Text{"in the hidden characters", "隐藏部分"}
}
