package terminal

import (
	"fmt"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// appids of the shop's own WeChat and Alipay applications, and of another shop's.
const (
	appid      = "wxtest0000000001"
	otherAppid = "wxtest0000000002"
	alipayApp  = "2021000000000001"
)

// takes returns the ways of paying that a model takes over a wire, the frequent ones more than once.
func takes(model, wireName string) []string {
	cards := []string{"chip", "chip", "contactless", "contactless", "swipe", "phone"}
	if wireName == "cup8583" {
		return append(cards, "chip", "fallback", "unionpay_qr", "unionpay_qr")
	}
	switch model {
	case "e-sign":
		return append(cards, "wechat", "wechat", "alipay", "unionpay_qr", "ecny", "member")
	case "traditional":
		return append(cards, "chip", "fallback", "wechat", "alipay", "unionpay_qr", "jd", "ecny", "member")
	}
	return append(cards[1:4:4], "phone", "wechat", "wechat", "wechat", "alipay", "alipay", "huabei", "unionpay_qr",
		"unionpay_qr", "jd", "baitiao", "member")
}

// channelOf returns channel, funding and account kind of a way of paying.
func channelOf(pay string) (channel, funding, account string) {
	switch pay {
	case "wechat":
		return "wechat", "balance", "wechat"
	case "alipay":
		return "alipay", "balance", "alipay"
	case "huabei":
		return "alipay", "huabei", "alipay"
	case "unionpay_qr":
		return "unionpay_qr", "", "card"
	case "jd":
		return "jd", "balance", "jd"
	case "baitiao":
		return "jd", "baitiao", "jd"
	case "ecny":
		return "ecny", "", "ecny"
	case "member":
		return "unknown", "", "member"
	}
	return "card", "", "card"
}

// sale plays a sale or a preauth.
func (t *Terminal) sale(s scenario.Step) (*scenario.Entry, error) {
	if s.By == "" {
		s.By = fmt.Sprintf("c%04d", t.rng.IntN(2000))
	}
	if s.Pay == "" {
		s.Pay = "chip"
	}
	c := t.customer(s.By)
	channel, funding, account := channelOf(s.Pay)
	if t.o.Wire == "cup8583" && channel != "card" && channel != "unionpay_qr" {
		return nil, fmt.Errorf("%w: pay: %s does not come over wire cup8583", ErrStep, s.Pay)
	}
	if s.Do == "preauth" && channel != "card" {
		return nil, fmt.Errorf("%w: pay: a preauth is paid by card", ErrStep)
	}
	r := t.record(s.Do, channel)
	decide(&r, s.Outcome)
	r.Amount = s.Amount
	if r.Amount == 0 {
		r.Amount = int64(t.rng.IntN(200)+1) * int64([]int{50, 100, 100, 250, 990}[t.rng.IntN(5)])
	}
	t.numbers(&r)
	r.Party = t.party(c, s.Pay, s.Form)
	r.Entry = entryOf(s)
	if t.o.Wire == "smart" {
		r.Funding = funding
		if channel == "wechat" && s.Coupon > 0 && s.Coupon < r.Amount {
			paid := r.Amount - s.Coupon
			r.PayerAmount = &paid
		}
	}
	if t.o.Model == "e-sign" && channel == "card" && r.Outcome == "approved" {
		r.Signature = t.signature()
	}
	t.fit(&r)
	reshape(&r, s.Shape, nil)
	e := t.enter(s, r, c.Name+"/"+account, "", nil)
	t.keep(e, c)
	return e, nil
}

func entryOf(s scenario.Step) string {
	switch s.Pay {
	case "phone":
		return "contactless"
	case "chip", "swipe", "contactless", "fallback", "keyed":
		return s.Pay
	}
	if s.Entry == "qr_scanned" {
		return s.Entry
	}
	return "qr_shown"
}

// numbers returns a sale the numbers that host or channel and merchant know it by.
func (t *Terminal) numbers(r *wire.Record) {
	answered := r.Outcome == "approved" || r.Outcome == "declined"
	switch r.Channel {
	case "card":
		if answered {
			r.RRN = rrn(r)
		}
		if r.Outcome == "approved" {
			r.AuthCode = fmt.Sprintf("%06d", t.rng.IntN(1_000_000))
		}
		return
	case "ecny", "unknown":
		if answered {
			r.RRN = rrn(r)
		}
	case "unionpay_qr":
		if answered {
			r.RRN = rrn(r)
		}
		// UnionPay's own interface numbers a payment before it knows what becomes of it.
		if r.Outcome == "approved" && t.o.Wire != "mispos" || t.o.Wire == "smart" {
			r.ChannelTxn = t.channelNumber(r)
		}
	default:
		if r.Outcome == "approved" {
			r.ChannelTxn = t.channelNumber(r)
		}
	}
	t.orders++
	r.OrderNo = fmt.Sprintf("O%s%s%s", r.TerminalID, r.At.Format("060102"), r.Stan)
}

// channelNumber is the channel's number of a payment or a refund, as long as the channel makes them.
func (t *Terminal) channelNumber(r *wire.Record) string {
	day := r.At.Format("20060102")
	stan := r.Stan
	if stan == "" && len(r.OrderNo) > 6 { // the wallets' own objects have none
		stan = r.OrderNo[len(r.OrderNo)-6:]
	}
	tail := r.TerminalID[len(r.TerminalID)-4:] + stan
	switch r.Channel {
	case "wechat":
		if r.Kind == "sale" {
			return "4200000000" + day + tail
		}
		return "5030000000" + day + tail
	case "alipay":
		return day + "2200140000" + tail
	case "unionpay_qr":
		return day + "000" + tail // 21 digits, as queryId
	}
	return "JD" + day + tail
}

// form is how this acquirer shows a card number by custom: traditional terminals of this shop are with an acquirer
// that masks the 19-digit cards, on the cashier link.
func (t *Terminal) form(c *Customer, form string) string {
	if form != "" {
		return form
	}
	if t.o.Wire == "mispos" && t.o.Model == "traditional" && len(c.Card) == 19 {
		if c.Card[18]%4 == 0 {
			return "four"
		}
		return "masked"
	}
	return "clear"
}

// party is how the wire shows the account of a customer who pays that way.
func (t *Terminal) party(c *Customer, pay, form string) wire.Party {
	switch pay {
	case "wechat":
		return wire.Party{Scheme: "wechat_openid", Namespace: appid, ID: c.OpenID}
	case "alipay", "huabei":
		return alipayParty(c, t.o.Wire == "smart")
	case "jd":
		return wire.Party{}
	case "baitiao":
		if t.o.Wire == "mispos" {
			return wire.Party{Scheme: "account_text", Text: "京东白条尾号" + c.Card[len(c.Card)-4:]}
		}
		return wire.Party{}
	case "ecny":
		if form == "clear" || form == "" && c.Ecny[15]%2 == 0 {
			return wire.Party{Scheme: "ecny_wallet", ID: c.Ecny}
		}
		return wire.Party{Scheme: "pan_masked", ID: hide(c.Ecny, "four")}
	case "member":
		return wire.Party{Scheme: "account", ID: c.Member}
	case "unionpay_qr":
		if t.o.Wire == "cup8583" {
			return wire.Party{}
		}
		if c.Card[9]%2 == 0 {
			return wire.Party{Scheme: "unionpay_token", ID: c.Token}
		}
		return wire.Party{Scheme: "pan_masked", ID: hide(c.Card, "masked")}
	}
	return t.cardParty(c, pay == "phone", form)
}

// cardParty shows a card. The cashier link knows no difference between plastic and phone, and no PAR; the call result of
// a smart terminal's card application has no PAR either, what it sends of a phone has.
func (t *Terminal) cardParty(c *Customer, phone bool, form string) wire.Party {
	p := wire.Party{Scheme: "pan", ID: c.Card}
	if phone {
		p.ID = c.Phone
		if t.o.Wire != "mispos" {
			p.Scheme = "dpan"
		}
	}
	if (t.o.Wire == "cup8583" || t.o.Wire == "smart" && phone) && c.PAR[6]%2 == 0 {
		p.PAR = c.PAR
	}
	if f := t.form(c, form); f != "clear" && t.o.Wire != "cup8583" {
		p.Scheme, p.ID = "pan_masked", hide(p.ID, f)
	}
	return p
}

func alipayParty(c *Customer, all bool) wire.Party {
	user := wire.Ident{Scheme: "alipay_user_id", ID: c.AlipayUser}
	open := wire.Ident{Scheme: "alipay_open_id", Namespace: alipayApp, ID: c.AlipayOpen}
	logon := wire.Ident{Scheme: "alipay_logon", ID: c.AlipayLogon}
	first := map[string]wire.Ident{"user": user, "open": open, "logon": logon}[c.AlipayForm]
	p := wire.Party{Scheme: first.Scheme, Namespace: first.Namespace, ID: first.ID}
	if all && c.AlipayForm != "logon" {
		p.Also = []wire.Ident{logon}
	}
	return p
}
