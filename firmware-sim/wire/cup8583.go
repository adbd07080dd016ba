package wire

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Cup8583 encodes records as the host messages of a traditional terminal: UnionPay ISO 8583 requests and answers in
// STX frames (wires.md § cup8583). A record is the two messages it was made of; one without an answer is the
// request alone. The zero value is ready to use.
type Cup8583 struct {
	// ICData sends field 55 with every chip and contactless card, not only where the record needs it.
	ICData bool

	asked map[string]shape // by terminal, batch and number: what a reversal takes back
	order []string
}

// shape is what distinguishes kinds of transactions.
type shape struct{ mti, f3, f25, f60 string }

// remembered is how many requests a reversal may reach back.
const remembered = 64

// shapeOf returns the message of a kind: type, F3, F25 and F60.1 as UnionPay terminals send them (wires.md § cup8583).
func (c *Cup8583) shapeOf(r *Record) (shape, bool) {
	if r.Kind == "reversal" {
		s, ok := c.asked[r.TerminalID+r.Batch+r.Stan]
		if !ok {
			s = shape{"", "000000", "00", "22"}
		}
		s.mti = "0400"
		return s, true
	}
	if r.Copy == "upload" {
		s, ok := map[string]shape{"refund": {"0320", "200000", "00", "25"}, "adjust": {"0320", "000000", "00", "34"},
			"completion": {"0320", "000000", "06", "24"}}[r.Kind]
		return s, ok
	}
	s, ok := map[string]shape{
		"sale": {"0200", "000000", "00", "22"}, "void": {"0200", "200000", "00", "23"},
		"refund": {"0220", "200000", "00", "25"}, "preauth": {"0100", "030000", "06", "10"},
		"preauth_void": {"0100", "200000", "06", "11"}, "completion": {"0200", "000000", "06", "20"},
		"completion_void": {"0200", "200000", "06", "21"}, "adjust": {"0220", "000000", "00", "34"},
		"settlement": {"0500", "", "", "00"},
	}[r.Kind]
	return s, ok
}

// Encode returns request and answer in the usual form, or the request alone where the record knows no answer.
func (c *Cup8583) Encode(r *Record) ([]Frame, error) { return c.EncodeAs(one(r)) }

// EncodeAs returns request and answer of a message. Shapes: "charged" adds to the answer what the cardholder is charged
// in his own money, and other fields whose size ISO 8583 fixes; "points" has F25 04, a points shop's; "account" names the
// account's type in F3.
func (c *Cup8583) EncodeAs(msg Message) ([]Frame, error) {
	r := msg.record()
	s, ok := c.shapeOf(r)
	if !ok {
		return nil, &CannotCarry{"cup8583", "kind", "no message for it"}
	}
	switch {
	case msg.Shape == "":
	case r.Kind != "sale" && r.Kind != "void" && r.Kind != "refund":
		return nil, &CannotCarry{"cup8583", "shape", "of a sale, void or refund"}
	case msg.Shape == "points":
		s.f25 = "04"
	case msg.Shape == "account":
		s.f3 = s.f3[:2] + "3000"
	}
	if err := cupCarries(r); err != nil {
		return nil, err
	}
	c.remember(r, s)
	request := c.request(r, s)
	first, err := request.frame(strings.TrimSpace(r.Kind + " " + r.Copy + " request"))
	if err != nil || !answered(r) {
		return []Frame{first}, err
	}
	answer := c.answer(r, s)
	if msg.Shape == "charged" {
		charged(answer, r)
	}
	second, err := answer.frame(strings.TrimSpace(r.Kind + " " + r.Copy + " answer"))
	return []Frame{first, second}, err
}

// answered reports whether the record has an answer at all.
func answered(r *Record) bool { return r.Outcome != "unknown" || r.ResponseCode != "" }

func (c *Cup8583) remember(r *Record, s shape) {
	if r.Kind == "reversal" || r.Kind == "settlement" || r.Copy != "" {
		return
	}
	if c.asked == nil {
		c.asked = map[string]shape{}
	}
	key := r.TerminalID + r.Batch + r.Stan
	c.asked[key] = s
	if c.order = append(c.order, key); len(c.order) > remembered {
		delete(c.asked, c.order[0])
		c.order = c.order[1:]
	}
}

func (c *Cup8583) request(r *Record, s shape) *message {
	m := newMessage(s.mti)
	m.test = r.Training
	m.set(3, s.f3)
	m.set(11, r.Stan)
	m.set(25, s.f25)
	m.set(41, r.TerminalID)
	m.set(42, r.MerchantID)
	m.set(49, currencyNumber(r.Currency))
	if r.Kind == "settlement" {
		m.set(48, totals62(*r.Totals, '0'))
		m.set(60, "00"+r.Batch+"201")
		m.set(63, "01 ")
		return m
	}
	m.set(4, fmt.Sprintf("%012d", r.Amount))
	m.set(22, cupEntry(r.Entry))
	c.card(m, r)
	m.set(37, r.Original.RRN)
	m.set(38, r.Original.AuthCode)
	if r.Kind == "reversal" {
		m.set(39, "98")
	}
	m.set(60, s.f60+r.Batch+"000600")
	if r.Channel == "unionpay_qr" {
		m.text[60] = s.f60 + r.Batch + "000"
		switch {
		case r.Original.ChannelTxn != "":
			m.set(59, sub("A4", r.Original.ChannelTxn))
		case r.Kind == "sale":
			m.set(59, sub("A3", "62"+fmt.Sprintf("%017s", r.Batch+r.Stan)))
		}
	}
	m.set(61, original61(r))
	return m
}

// card writes the account: the number itself, or the second track of a swiped card, and chip data.
func (c *Cup8583) card(m *message, r *Record) {
	chip := r.Entry == "chip" || r.Entry == "contactless"
	if r.Entry == "swipe" && r.Party.ID != "" {
		m.set(35, r.Party.ID+"=30121010000000000"[:min(17, 37-len(r.Party.ID))])
	} else {
		m.set(2, r.Party.ID)
	}
	if chip && r.Party.ID != "" && (c.ICData || r.Party.PAR != "" || r.Party.Scheme == "dpan") {
		m.raw[55] = icData(r)
	}
}

// icData writes field 55: cryptogram, counter and sequence of a test card, with token requestor and PAR if known.
func icData(r *Record) []byte {
	b := []byte{0x9F, 0x26, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x9F, 0x36, 2, 0, 1, 0x5F, 0x34, 1, 1}
	if r.Party.Scheme == "dpan" {
		b = append(b, 0x9F, 0x19, 6, 1, 2, 3, 4, 5, 6)
	}
	if r.Party.PAR != "" {
		b = append(b, 0x9F, 0x24, byte(len(r.Party.PAR)))
		b = append(b, r.Party.PAR...)
	}
	return b
}

// original61 writes batch, number and date of the original, as far as given.
func original61(r *Record) string {
	o := r.Original
	if o.Batch == "" && o.Stan == "" && o.Date == "" {
		return ""
	}
	zeros := func(s string) string {
		if s == "" {
			return "000000"
		}
		return s
	}
	return zeros(o.Batch) + zeros(o.Stan) + o.Date
}

func sub(tag, v string) string { return fmt.Sprintf("%s%03d%s", tag, len(v), v) }

func (c *Cup8583) answer(r *Record, s shape) *message {
	m := newMessage(s.mti[:2] + string(s.mti[2]+1) + "0")
	m.answer, m.test = true, r.Training
	m.set(3, s.f3)
	m.set(11, r.Stan)
	if !r.At.IsZero() {
		m.set(12, r.At.Format("150405"))
		m.set(13, r.At.Format("0102"))
		m.set(15, r.At.Format("0102"))
	}
	m.set(25, s.f25)
	m.set(32, "48021000")
	m.set(37, r.RRN)
	m.set(38, r.AuthCode)
	m.set(41, r.TerminalID)
	m.set(42, r.MerchantID)
	m.set(49, currencyNumber(r.Currency))
	if r.Kind == "settlement" {
		code := byte('1')
		if r.Outcome != "approved" {
			code = '3'
		}
		m.set(48, totals62(*r.Totals, code))
		m.set(60, "00"+r.Batch+"201")
		return m
	}
	m.set(4, fmt.Sprintf("%012d", r.Amount))
	m.set(2, r.Party.ID)
	m.set(39, cupResult(r))
	m.set(60, s.f60+r.Batch+"000600")
	if r.Channel == "unionpay_qr" {
		m.text[60] = s.f60 + r.Batch + "000"
		if r.ChannelTxn != "" {
			m.set(59, sub("A4", r.ChannelTxn))
		}
	}
	return m
}

// charged adds the amounts in settlement's and cardholder's currency, their rates, and the network's own numbers.
func charged(m *message, r *Record) {
	hkd := fmt.Sprintf("%012d", r.Amount*109/100)
	m.set(5, fmt.Sprintf("%012d", r.Amount))
	m.set(6, hkd)
	m.set(9, "61000000")
	m.set(10, "71090000")
	m.set(16, r.At.Format("0102"))
	m.set(24, "001")
	m.set(50, "156")
	m.set(51, "344")
}

func cupResult(r *Record) string {
	switch {
	case r.ResponseCode != "":
		return r.ResponseCode
	case r.Copy == "upload" && r.Outcome == "unknown":
		return "96"
	case r.Outcome == "approved":
		return "00"
	}
	return "05"
}

func cupEntry(entry string) string {
	return map[string]string{"keyed": "012", "swipe": "022", "qr_shown": "032", "chip": "052", "contactless": "072",
		"fallback": "802"}[entry]
}

func currencyNumber(letters string) string {
	return map[string]string{"CNY": "156", "RMB": "156", "HKD": "344", "MOP": "446", "USD": "840"}[letters]
}

// cupCarries returns what of a record the wire has no place for.
func cupCarries(r *Record) error {
	no := func(member, why string) error { return &CannotCarry{"cup8583", member, why} }
	for _, m := range []struct{ name, value string }{{"operator", r.Operator}, {"funding", r.Funding},
		{"order_no", r.OrderNo}, {"refund_no", r.RefundNo}, {"channel_refund", r.ChannelRefund},
		{"refund_route", r.RefundRoute}, {"signature", r.Signature}, {"original.order_no", r.Original.OrderNo},
		{"original.terminal_id", r.Original.TerminalID}, {"party.text", r.Party.Text}, {"party.namespace", r.Party.Namespace}} {
		if m.value != "" {
			return no(m.name, "no field for it")
		}
	}
	switch {
	case r.PayerAmount != nil:
		return no("payer_amount", "no field for it")
	case r.Journal != nil:
		return no("journal", "no field for it")
	case (r.Totals != nil) != (r.Kind == "settlement"):
		return no("totals", "exactly in a settlement")
	case r.Kind != "settlement" && r.Channel != "card" && r.Channel != "unionpay_qr":
		return no("channel", "card, unionpay_qr")
	case r.Copy != "" && r.Copy != "upload":
		return no("copy", "upload")
	case r.Copy == "upload" && (r.RRN != "" || r.AuthCode != "" || r.ResponseCode != ""):
		return no("rrn", "an uploaded copy has no rrn, auth_code and response_code of its own")
	case r.Currency != "" && currencyNumber(r.Currency) == "":
		return no("currency", "CNY, HKD, MOP, USD")
	case len(r.Stan) != 6 || !digits(r.Stan):
		return no("stan", "six digits")
	case len(r.Batch) != 6 || !digits(r.Batch):
		return no("batch", "six digits")
	case r.Amount < 0 || r.Amount > 999_999_999_999:
		return no("amount", "12 digits")
	}
	if err := cupOutcome(r, no); err != nil {
		return err
	}
	return cupParty(r, no)
}

func cupOutcome(r *Record, no func(string, string) error) error {
	if r.Kind == "settlement" {
		if r.ResponseCode != "" {
			return no("response_code", "the answer to a settlement has none")
		}
		return nil
	}
	code := cupResult(r)
	read := "declined"
	success := "00 11 16 A2 A4 A5 A6"
	if r.Kind == "reversal" {
		success = "00 12 25"
	}
	switch {
	case !answered(r), r.Copy == "upload" && r.Outcome == "unknown", code == "98", code == "68":
		read = "unknown"
	case strings.Contains(success, code):
		read = "approved"
	}
	if read != r.Outcome {
		return no("outcome", "its response code reads as "+read)
	}
	return nil
}

func cupParty(r *Record, no func(string, string) error) error {
	p, o := r.Party, r.Original
	chip := r.Entry == "chip" || r.Entry == "contactless"
	switch {
	case len(p.Also) > 0:
		return no("party.also", "one account only")
	case p.Token != "" && p.ID == "":
		return no("party.token", "a wire carries identities in clear")
	case p.Scheme != "pan" && p.Scheme != "dpan" && p.Scheme != "" && p.Scheme != "none":
		return no("party.scheme", "pan, dpan")
	case p.ID != "" && (!digits(p.ID) || len(p.ID) > 19):
		return no("party.id", "up to 19 digits")
	case (p.Scheme == "dpan" || p.PAR != "") && !chip:
		return no("party.par", "chip data of a chip or contactless card only")
	case r.Kind != "settlement" && r.Entry != "" && cupEntry(r.Entry) == "":
		return no("entry", "keyed, swipe, qr_shown, chip, contactless, fallback")
	case r.Channel == "unionpay_qr" && r.Entry != "qr_shown":
		return no("entry", "qr_shown for unionpay_qr")
	case o.Date != "" && (len(o.Date) != 4 || !digits(o.Date)):
		return no("original.date", "MMDD")
	case o.Stan != "" && (len(o.Stan) != 6 || !digits(o.Stan)), o.Batch != "" && (len(o.Batch) != 6 || !digits(o.Batch)):
		return no("original.stan", "six digits")
	case r.ChannelTxn != "" && (r.Channel != "unionpay_qr" || r.Kind != "sale"), o.ChannelTxn != "" && r.Channel != "unionpay_qr":
		return no("channel_txn", "of unionpay_qr only")
	}
	if _, err := hex.DecodeString(r.Stan); err != nil {
		return no("stan", "six digits")
	}
	return nil
}
