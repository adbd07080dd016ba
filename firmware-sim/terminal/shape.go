package terminal

import (
	"fmt"
	"slices"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// shapeFits checks that the wire knows the form that a step asks for.
func (t *Terminal) shapeFits(s scenario.Step) error {
	if s.Shape == "" || slices.Contains(wire.Shapes(t.o.Wire), s.Shape) {
		return nil
	}
	return fmt.Errorf("%w: shape: wire %s has no %q, only %v", ErrStep, t.o.Wire, s.Shape, wire.Shapes(t.o.Wire))
}

// reshape leaves of a record what its form of message shows (wires.md § smart). sale is the original of a
// refund or void, nil for others.
func reshape(r *wire.Record, shape string, sale *wire.Record) {
	switch r.Channel + " " + shape {
	case "wechat older":
		wechatOlder(r)
	case "wechat combined":
		r.Entry = "qr_scanned"
	case "wechat notice":
		r.RefundRoute, r.Currency = "", ""
	case "wechat reverse":
		cancelled(r, "SUCCESS")
		r.At = r.At.Truncate(time.Second)
	case "alipay cancel":
		cancelled(r, "10000")
		if sale.Outcome != "approved" {
			r.Outcome = "closed"
		}
	case "alipay newer":
		r.ResponseCode = ""
	case "alipay closed":
		r.ResponseCode = "TRADE_CLOSED"
	case "alipay query":
		r.ResponseCode = map[string]string{"approved": "REFUND_SUCCESS", "pending": "REFUND_PROCESSING",
			"abnormal": "REFUND_FAIL"}[r.Outcome]
	case "alipay no_number":
		r.RefundNo = r.Original.OrderNo
	case "alipay lost":
		r.Outcome, r.ResponseCode, r.Amount, r.Party = "unknown", "20000", 0, wire.Party{}
	case "alipay again":
		r.ResponseCode, r.Copy = "10000", "dump"
	case "alipay notified":
		r.RefundNo = "BO" + r.RefundNo[1:]
		r.ResponseCode, r.Party = "TRADE_SUCCESS", sale.Party
	case "unionpay_qr encrypted":
		r.Party = wire.Party{}
	case "unionpay_qr defect":
		r.ResponseCode = "A6"
	}
}

// wechatOlder is what the older interface's answers show: of a refund only that it was taken in.
func wechatOlder(r *wire.Record) {
	if r.Kind == "refund" {
		r.Outcome, r.ResponseCode, r.Party = "pending", "SUCCESS", wire.Party{}
		return
	}
	r.Entry = "qr_shown"
	r.ResponseCode = map[string]string{"approved": "SUCCESS", "pending": "USERPAYING", "declined": "NOTENOUGH"}[r.Outcome]
}

// cancelled is what the answer of a cancel shows: no amount, no party, and the payment's own number as its number.
func cancelled(r *wire.Record, code string) {
	bareNumbers(r)
	r.ResponseCode, r.Amount, r.PayerAmount, r.Currency, r.Entry = code, 0, nil, "", ""
	r.Party, r.RefundNo, r.ChannelRefund, r.RefundRoute = wire.Party{}, r.Original.OrderNo, "", ""
	if r.Outcome == "declined" {
		r.Outcome, r.ResponseCode = "unknown", "SYSTEMERROR"
	}
}

// combined plays one WeChat payment of two orders: two sales, one message.
func (t *Terminal) combined(s scenario.Step) ([]scenario.Entry, error) {
	if t.o.Wire != "smart" || s.Pay != "wechat" || s.Do != "sale" || s.Outcome != "" {
		return nil, fmt.Errorf("%w: shape: combined is of approved wechat sales on wire smart", ErrStep)
	}
	if s.By == "" {
		s.By = fmt.Sprintf("c%04d", t.rng.IntN(2000))
	}
	first, err := t.sale(s)
	if err != nil {
		return nil, err
	}
	s.As, s.Amount = s.As+"-2", first.Record.Amount/2+100
	s.Coupon = 0
	second, err := t.sale(s)
	if err != nil {
		return nil, err
	}
	first.Parts = []wire.Record{first.Record, second.Record}
	second.Silent = true
	return []scenario.Entry{*first, *second}, nil
}

// reportTrade completes the entry of a refund whose form reports the trade as well.
func (t *Terminal) reportTrade(e *scenario.Entry, d *deal, amount int64) {
	if d == nil || e.Record.Channel != "alipay" || e.Record.Outcome == "declined" || e.Record.Outcome == "abnormal" {
		return
	}
	d.returned += amount
	e.Returned = d.returned
	if e.Step.Shape == "notified" {
		sale := d.entry.Record
		e.Parts = []wire.Record{sale, e.Record}
	}
}

// queryRefund asks the channel what became of a refund, or is notified of it: its record again, with the outcome of
// now (wire smart, wechat and alipay).
func (t *Terminal) queryRefund(s scenario.Step, d *deal) (*scenario.Entry, error) {
	was := d.entry.Record
	known := map[string][]string{"wechat": {"", "notice", "older_query"}, "alipay": {"again", "query"}}
	if t.o.Wire != "smart" || !slices.Contains(known[was.Channel], s.Shape) || was.Outcome == "declined" {
		return nil, fmt.Errorf("%w: of: a refund is asked for on wire smart, by wechat or alipay, in shape %v", ErrStep, known)
	}
	t.now = t.now.Add(time.Duration(3+t.rng.IntN(20)) * time.Second)
	r := was
	r.Outcome, r.At = "approved", t.now.Truncate(time.Second)
	decide(&r, s.Outcome)
	if d.lost > 0 {
		r.Amount = d.lost
		r.Party = alipayParty(d.customer, true)
	}
	t.fit(&r)
	if s.Shape == "older_query" {
		r.Currency = "CNY"
	}
	reshape(&r, s.Shape, &d.original.entry.Record)
	e := t.enter(s, r, d.entry.Payer, d.entry.Recipient, nil)
	e.Returned = d.original.returned
	d.entry.Record = r
	d.entry.Record.Copy = ""
	return e, nil
}

// saleShape thinks of the form in which an approved sale of a seeded customer is sent, mostly the usual one.
func (t *Terminal) saleShape(s scenario.Step) string {
	forms := map[string][]string{"mispos card": {"filled"}, "cup8583 card": {"points", "charged", "account"},
		"smart wechat": {"older", "combined"}, "smart alipay": {"notice", "newer"},
		"smart unionpay_qr": {"defect", "query", "encrypted"}}
	channel, _, _ := channelOf(s.Pay)
	list := forms[t.o.Wire+" "+channel]
	if len(list) == 0 || t.rng.IntN(4) > 0 {
		return ""
	}
	form := list[t.rng.IntN(len(list))]
	if form == "older" && s.Entry == "qr_scanned" || form == "combined" && s.Coupon > 0 {
		return ""
	}
	return form
}

// backShape thinks of the form in which an approved refund of a seeded customer is sent.
func (t *Terminal) backShape(d *deal, s scenario.Step) string {
	forms := map[string][]string{"mispos card": {"filled"}, "cup8583 card": {"points", "charged", "account"},
		"smart wechat": {"notice"}, "smart alipay": {"fee", "newer", "query", "asked", "fee", "fee"},
		"smart unionpay_qr": {"defect", "query", "encrypted"}}
	list := forms[t.o.Wire+" "+d.entry.Record.Channel]
	if len(list) == 0 || t.rng.IntN(3) > 0 || s.Pay != "" {
		return ""
	}
	if d.returned == 0 && d.entry.Record.Channel == "alipay" && s.Amount == d.entry.Record.Amount {
		return "no_number"
	}
	form := list[t.rng.IntN(len(list))]
	if form == "notice" && s.Route != "" && s.Route != "ORIGINAL" {
		return "" // the notification names no way back
	}
	return form
}
