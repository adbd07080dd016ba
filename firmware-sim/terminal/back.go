package terminal

import (
	"fmt"
	"slices"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// about finds the transaction a step speaks of; nil for the ones that are not here.
func (t *Terminal) about(s scenario.Step) (*deal, error) {
	switch s.Of {
	case "nothing", "invented", "elsewhere", "before":
		if s.Do != "refund" {
			return nil, fmt.Errorf("%w: of: %q is for refunds", ErrStep, s.Of)
		}
		return nil, nil
	}
	d := t.named[s.Of]
	if d == nil {
		return nil, fmt.Errorf("%w: of: no earlier transaction is called %q", ErrStep, s.Of)
	}
	return d, nil
}

// refund plays a refund, right or wrong.
func (t *Terminal) refund(s scenario.Step) (*scenario.Entry, error) {
	d, err := t.about(s)
	if err != nil {
		return nil, err
	}
	channel, account := "card", "card"
	payer := "nobody"
	to := s.To
	if d != nil {
		channel, payer = d.entry.Record.Channel, d.entry.Payer
		_, _, account = channelOf(d.entry.Step.Pay)
		if to == "" {
			to = d.customer.Name
		}
	}
	if s.Pay != "" {
		channel, _, account = channelOf(s.Pay)
	}
	if to == "" {
		to = fmt.Sprintf("c%04d", t.rng.IntN(2000))
	}
	if t.o.Wire == "cup8583" && to == "merchant" {
		return nil, fmt.Errorf("%w: to: host messages show card numbers only", ErrStep)
	}
	if channel != "card" && (d == nil || to == "merchant" && t.o.Wire != "smart") {
		return nil, fmt.Errorf("%w: a %s refund names its order, and goes to a customer", ErrStep, channel)
	}
	r := t.record("refund", channel)
	decide(&r, s.Outcome)
	r.Amount = t.backAmount(s, d)
	t.backNumbers(&r)
	t.refer(&r, s, d)
	t.recipient(&r, s, d, to)
	r.RefundRoute = s.Route
	if d != nil && d.entry.Record.PayerAmount != nil && t.o.Wire == "smart" && r.Channel == "wechat" {
		paid := r.Amount * *d.entry.Record.PayerAmount / d.entry.Record.Amount
		r.PayerAmount = &paid
	}
	amount := r.Amount
	t.fit(&r)
	if d != nil {
		reshape(&r, s.Shape, &d.entry.Record)
	}
	facts := scenario.Facts{Invented: s.Of == "invented", OtherWay: d != nil && channel != d.entry.Record.Channel}
	recipient := to + "/" + account
	payer = payerOf(s, payer, recipient)
	g, err := t.consult(s, &r, payer, recipient, facts)
	if err != nil {
		return nil, err
	}
	if !g.Made() {
		return t.prevented(s, r, payer, recipient, g), nil
	}
	facts.Bypassed = g != nil && g.End == scenario.Bypassed
	e := t.enter(s, r, payer, recipient, &facts)
	e.Guard = g
	t.reportTrade(e, d, amount)
	if d != nil && r.Outcome != "declined" && r.Outcome != "abnormal" {
		d.left = max(0, d.left-amount)
	}
	kept := t.keep(e, t.customer(to))
	if kept.original = d; r.Amount == 0 {
		kept.lost = amount
	}
	return e, nil
}

// payerOf returns who paid what a refund is of, where the terminal knows of no sale.
func payerOf(s scenario.Step, payer, recipient string) string {
	switch {
	case s.Of == "nothing" && s.By != "":
		return s.By + "/card"
	case s.Of == "elsewhere" || s.Of == "before" || s.Of == "nothing":
		return recipient
	}
	return payer
}

func (t *Terminal) backAmount(s scenario.Step, d *deal) int64 {
	switch {
	case s.Amount > 0:
		return s.Amount
	case d == nil:
		return int64(t.rng.IntN(200)+1) * 100
	case d.left > 0:
		return d.left
	}
	return d.entry.Record.Amount
}

// backNumbers returns a refund or void its own numbers.
func (t *Terminal) backNumbers(r *wire.Record) {
	answered := r.Outcome == "approved" || r.Outcome == "declined"
	if byHost(r.Channel) && answered {
		r.RRN = rrn(r)
	}
	if r.Channel == "card" {
		return
	}
	r.RefundNo = fmt.Sprintf("R%s%s%s", r.TerminalID, r.At.Format("060102"), r.Stan)
	if byHost(r.Channel) && r.Channel != "unionpay_qr" {
		return
	}
	if (r.Channel != "unionpay_qr" || t.o.Wire == "smart") && r.Outcome == "approved" {
		r.ChannelRefund = t.channelNumber(r)
	}
}

// byHost reports whether the host numbers what goes over a channel, by an RRN; else the channel itself does.
func byHost(channel string) bool {
	return slices.Contains([]string{"card", "unionpay_qr", "ecny", "unknown"}, channel)
}

// refer writes how the refund points at its sale.
func (t *Terminal) refer(r *wire.Record, s scenario.Step, d *deal) {
	at := r.At
	switch {
	case s.Of == "nothing":
		return
	case s.Of == "before":
		at = t.o.Start.AddDate(0, 0, -3)
		r.Original.RRN = at.Format("060102") + fmt.Sprintf("%06d", t.rng.IntN(900_000)+99_999)
	case d == nil: // a sale that never was, or of another terminal: today's number that was not assigned here
		r.Original.RRN = at.Format("060102") + fmt.Sprintf("%06d", (t.stan+500_000+t.rng.IntN(1000))%999_999+1)
	default:
		o := &d.entry.Record
		at = o.At
		t.pointer(r, s, o)
	}
	switch s.Date {
	case "none":
		return
	case "typo":
		at = at.AddDate(0, 0, -5)
	}
	if r.Original.RRN != "" || r.Original.Stan != "" {
		r.Original.Date = at.Format("2006-01-02")
		if t.o.Wire == "cup8583" {
			r.Original.Date = at.Format("0102")
		}
	}
}

// pointer names the original: by the step's wish, else by the custom of channel and wire.
func (t *Terminal) pointer(r *wire.Record, s scenario.Step, o *wire.Record) {
	ref := s.Ref
	if ref == "" {
		switch {
		case o.Channel == "unionpay_qr" && t.o.Wire == "cup8583", o.Channel == "unknown" && t.o.Wire == "smart":
			ref = "rrn"
		case o.Channel != "card":
			ref = "order"
		case o.RRN == "":
			ref = "stan"
		default:
			ref = "rrn"
		}
	}
	switch ref {
	case "order":
		r.Original.OrderNo = o.OrderNo
		if t.o.Wire == "smart" {
			r.Original.ChannelTxn = o.ChannelTxn
		}
	case "stan":
		r.Original.Stan = o.Stan
		if t.o.Wire == "cup8583" {
			r.Original.Batch = o.Batch
		}
	case "both":
		r.Original.Stan, r.Original.RRN = o.Stan, o.RRN
		if t.o.Wire == "cup8583" {
			r.Original.Batch = o.Batch
		}
	default:
		r.Original.RRN = o.RRN
	}
	if t.o.Wire == "cup8583" && o.Channel == "unionpay_qr" {
		r.Original.ChannelTxn, r.Original.Stan, r.Original.Batch = o.ChannelTxn, o.Stan, o.Batch
	}
}

// recipient writes who gets the money, as far as the wire shows it.
func (t *Terminal) recipient(r *wire.Record, s scenario.Step, d *deal, to string) {
	if to == "merchant" {
		r.Party = wire.Party{Scheme: "account_text", Text: "商户结算账户"}
		if t.o.Wire == "smart" {
			r.Party.Scheme = "merchant_account"
		}
		return
	}
	c := t.customer(to)
	if r.Channel == "card" {
		r.Entry = s.Entry
		if r.Entry == "" {
			r.Entry = "chip"
			if d != nil && d.entry.Record.Entry != "keyed" && d.entry.Record.Channel == "card" {
				r.Entry = d.entry.Record.Entry
			}
		}
		phone := d != nil && d.entry.Step.Pay == "phone" && to == d.customer.Name && s.Entry == ""
		r.Party = t.cardParty(c, phone, s.Form)
		return
	}
	switch {
	case s.Account == "none", t.o.Wire == "cup8583", t.o.Wire == "smart" && r.Channel == "wechat":
	case s.Account == "other_app" && r.Channel == "wechat":
		r.Party = wire.Party{Scheme: "wechat_openid", Namespace: otherAppid, ID: c.OtherOpenID}
	case s.Account == "logon" && r.Channel == "alipay":
		r.Party = wire.Party{Scheme: "alipay_logon", ID: c.AlipayLogon}
	default:
		pay := r.Channel
		if d != nil && s.Pay == "" {
			pay = d.entry.Step.Pay
		}
		r.Party = t.party(c, pay, s.Form)
	}
}

// void plays a void, preauth_void or completion_void: the same card, the whole amount, the same batch, if it is right.
func (t *Terminal) void(s scenario.Step) (*scenario.Entry, error) {
	d, err := t.about(s)
	if err != nil {
		return nil, err
	}
	o := &d.entry.Record
	to := s.To
	if to == "" {
		to = d.customer.Name
	}
	r := t.record(s.Do, o.Channel)
	decide(&r, s.Outcome)
	r.Amount = s.Amount
	if r.Amount == 0 {
		r.Amount = o.Amount
	}
	t.backNumbers(&r)
	if s.Ref == "" && o.Channel == "card" {
		s.Ref = "stan"
		if o.RRN != "" {
			s.Ref = "both"
		}
	}
	t.pointer(&r, s, o)
	t.recipient(&r, s, d, to)
	_, _, account := channelOf(d.entry.Step.Pay)
	t.fit(&r)
	reshape(&r, s.Shape, o)
	var g *scenario.Guarded
	if s.Do != "preauth_void" {
		if g, err = t.consult(s, &r, d.entry.Payer, to+"/"+account, scenario.Facts{}); err != nil {
			return nil, err
		}
	}
	if !g.Made() {
		return t.prevented(s, r, d.entry.Payer, to+"/"+account, g), nil
	}
	e := t.enter(s, r, d.entry.Payer, to+"/"+account, &scenario.Facts{Bypassed: g != nil && g.End == scenario.Bypassed})
	e.Guard = g
	if r.Outcome == "approved" {
		d.voided, d.left = true, 0
	}
	t.keep(e, t.customer(to))
	return e, nil
}

// follow plays what else may come after a transaction: completion, adjust, reversal, query.
func (t *Terminal) follow(s scenario.Step) (*scenario.Entry, error) {
	d, err := t.about(s)
	if err != nil {
		return nil, err
	}
	o := d.entry.Record
	if s.Do == "query" {
		return t.query(s, d)
	}
	if s.Do == "reversal" {
		return t.reverse(s, d)
	}
	if o.Channel != "card" {
		return nil, fmt.Errorf("%w: of: a %s is about a card", ErrStep, s.Do)
	}
	r := t.record(s.Do, "card")
	decide(&r, s.Outcome)
	r.Amount = s.Amount
	if r.Amount == 0 {
		r.Amount = o.Amount
	}
	t.numbers(&r)
	r.Party, r.Entry = o.Party, o.Entry
	r.Original.Stan, r.Original.RRN = o.Stan, o.RRN
	if t.o.Wire == "cup8583" {
		r.Original = wire.Original{AuthCode: o.AuthCode, Date: o.At.Format("0102")}
		if s.Do == "adjust" {
			r.Original = wire.Original{Stan: o.Stan, Batch: o.Batch, Date: o.At.Format("0102")}
		}
	}
	t.fit(&r)
	e := t.enter(s, r, d.entry.Payer, "", nil)
	if s.Do == "adjust" {
		if r.Outcome == "approved" {
			d.left += r.Amount - o.Amount
			if o.Batch == r.Batch {
				t.totals.DebitAmount += r.Amount - o.Amount
			}
			d.entry.Record.Amount = r.Amount
		}
		return e, nil
	}
	kept := t.keep(e, d.customer)
	kept.entry.Step.Pay = d.entry.Step.Pay
	return e, nil
}

// query asks the channel what became of a wallet sale: its record again, with the final outcome.
func (t *Terminal) query(s scenario.Step, d *deal) (*scenario.Entry, error) {
	if d.entry.Record.Kind == "refund" {
		return t.queryRefund(s, d)
	}
	if d.entry.Record.Channel == "card" || d.entry.Record.Kind != "sale" || t.o.Wire == "cup8583" {
		return nil, fmt.Errorf("%w: of: only a wallet's sale is asked for", ErrStep)
	}
	t.now = t.now.Add(time.Duration(3+t.rng.IntN(20)) * time.Second)
	was := d.entry.Record.Outcome
	r := d.entry.Record
	r.Outcome, r.ResponseCode, r.Copy = "approved", "00", "dump"
	decide(&r, s.Outcome)
	if r.Outcome == "approved" && r.ChannelTxn == "" && !byHost(r.Channel) {
		r.ChannelTxn = t.channelNumber(&r)
	}
	if r.Outcome == "approved" && r.RRN == "" && byHost(r.Channel) {
		r.RRN = rrn(&r)
	}
	t.fit(&r)
	reshape(&r, s.Shape, nil)
	e := t.enter(s, r, d.entry.Payer, "", nil)
	d.entry.Record = r
	d.entry.Record.Copy = ""
	if was != "approved" && r.Outcome == "approved" {
		d.left = r.Amount
		t.count(&r)
		for i := range t.open {
			if t.open[i].Seq == d.entry.Seq {
				t.open[i].Record = d.entry.Record
			}
		}
	}
	return e, nil
}
