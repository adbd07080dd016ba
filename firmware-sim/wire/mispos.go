package wire

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Mispos encodes records for the cashier link of e-sign and traditional terminals (wires.md § mispos):
// STX frames around TLV with tags in ascending order and text in GBK. The zero value is ready to use.
type Mispos struct {
	// ShortDates writes 9F11 and 9F22 as MMDD, as some acquirers do.
	ShortDates bool
	// LastReprint prints copies as TransType 15 (the last record again) instead of 16.
	LastReprint bool
}

// TransType values of tag 9F01 that the simulator sends.
const (
	misposDump    = 27
	misposLast    = 15
	misposReprint = 16
)

// transType returns the value of 9F01 for a record that is no copy. Wallet sales have a type of their own.
func transType(r *Record) (byte, bool) {
	switch r.Kind {
	case "sale":
		if r.Channel == "card" || r.Channel == "" {
			return 2, true
		}
		return 26, true
	case "void":
		return 3, true
	case "refund":
		return 4, true
	case "preauth":
		return 6, true
	case "preauth_void":
		return 7, true
	case "completion":
		return 8, true
	case "completion_void":
		return 11, true
	case "adjust":
		return 13, true
	case "settlement":
		return 14, true
	}
	return 0, false
}

// wallet reports whether the channel is one that is paid by an account at the channel itself.
func wallet(channel string) bool {
	return channel == "wechat" || channel == "alipay" || channel == "jd"
}

// moneyBack reports whether the record returns money of an earlier one.
func moneyBack(kind string) bool {
	return kind == "refund" || kind == "void" || kind == "completion_void"
}

// tlv builds the DATA of a mispos frame.
type tlv struct {
	data []byte
	err  error
}

func (t *tlv) bytes(tag byte, v []byte) {
	t.data = append(t.data, 0x9F, tag, byte(len(v)>>8), byte(len(v)))
	t.data = append(t.data, v...)
}

// text writes a value that is not empty, as GBK.
func (t *tlv) text(tag byte, v string) {
	if v == "" || t.err != nil {
		return
	}
	b, err := simplifiedchinese.GBK.NewEncoder().String(v)
	if err != nil {
		t.err = fmt.Errorf("tag 9F%02X: text that GBK does not have", tag)
		return
	}
	t.bytes(tag, []byte(b))
}

// Request returns the frame a terminal prints when the customer is asked to pay, before anything is decided: it has no
// result code, so it is no record.
func (m *Mispos) Request(r *Record) (Frame, error) {
	kind, ok := transType(r)
	if !ok {
		return Frame{}, &CannotCarry{"mispos", "kind", "no TransType for it"}
	}
	var t tlv
	t.text(0x00, "AUP01")
	t.bytes(0x01, []byte{kind})
	t.text(0x02, fmt.Sprintf("%012d", r.Amount))
	t.text(0x06, r.Operator)
	return t.frame(r.Kind + " request")
}

func (t *tlv) frame(note string) (Frame, error) {
	if t.err != nil {
		return Frame{}, t.err
	}
	b, err := AppendSTX(nil, t.data)
	return Frame{Bytes: b, Note: note}, err
}

// Encode returns the one frame that states the record, in the usual form.
func (m *Mispos) Encode(r *Record) ([]Frame, error) { return m.EncodeAs(one(r)) }

// EncodeAs returns the one frame of a message. The shape "filled" fills the account with F to 20 characters, as
// acquirers do whose field has a fixed width.
func (m *Mispos) EncodeAs(msg Message) ([]Frame, error) {
	r := msg.record()
	if msg.Shape != "" && (msg.Shape != "filled" || r.Party.ID == "" || wallet(r.Channel)) {
		return nil, &CannotCarry{"mispos", "shape", "filled, of a card's number"}
	}
	if err := misposCarries(r); err != nil {
		return nil, err
	}
	own, _ := transType(r)
	sent := own
	switch r.Copy {
	case "reprint":
		sent = misposReprint
		if m.LastReprint {
			sent = misposLast
		}
	case "dump":
		sent = misposDump
	}
	var t tlv
	t.bytes(0x01, []byte{sent})
	if r.Kind != "settlement" {
		t.text(0x02, fmt.Sprintf("%012d", r.Amount))
	}
	t.text(0x04, r.MerchantID)
	t.text(0x05, r.TerminalID)
	t.text(0x06, r.Operator)
	m.transaction(&t, r, msg.Shape == "filled")
	t.text(0x14, misposResult(r))
	t.text(0x20, r.Original.Stan)
	t.text(0x21, r.Original.RRN)
	t.text(0x22, m.date(r.Original.Date))
	t.text(0x31, r.Party.Namespace)
	t.text(0x32, r.Signature)
	t.text(0x33, r.RefundNo)
	if sent == misposReprint || sent == misposLast {
		t.bytes(0x34, []byte{own})
	}
	if r.Totals != nil {
		t.text(0x35, totals62(*r.Totals, '0'))
	}
	t.text(0x36, r.RefundRoute)
	order := r.OrderNo
	if moneyBack(r.Kind) {
		order = r.Original.OrderNo
	}
	t.text(0xFF, order)
	f, err := t.frame(strings.TrimSpace(r.Kind + " " + r.Copy))
	return []Frame{f}, err
}

// transaction writes the tags from 9F09 to 9F12.
func (m *Mispos) transaction(t *tlv, r *Record, filled bool) {
	if r.Kind != "settlement" {
		t.text(0x09, misposIssuer(r))
		account := r.Party.ID
		if account == "" {
			account = r.Party.Text
		}
		if filled {
			account += strings.Repeat("F", max(1, 20-len(account)))
		}
		t.text(0x0B, account)
		t.text(0x0C, misposEntry(r.Entry))
	}
	t.text(0x0D, r.Batch)
	t.text(0x0E, r.Stan)
	t.text(0x0F, r.AuthCode)
	switch {
	case !wallet(r.Channel):
		t.text(0x10, r.RRN)
	case moneyBack(r.Kind):
		t.text(0x10, r.ChannelRefund)
	default:
		t.text(0x10, r.ChannelTxn)
	}
	if !r.At.IsZero() {
		t.text(0x11, m.date(r.At.Format("2006-01-02")))
		t.text(0x12, r.At.Format("150405"))
	}
}

// date writes YYYY-MM-DD without its dashes, or as MMDD where the terminal does so; MMDD stays.
func (m *Mispos) date(d string) string {
	d = strings.ReplaceAll(d, "-", "")
	if m.ShortDates && len(d) == 8 {
		return d[4:]
	}
	return d
}

func misposIssuer(r *Record) string {
	switch r.Channel {
	case "wechat":
		return "微信支付"
	case "alipay":
		return "支付宝"
	case "unionpay_qr":
		if r.Entry == "qr_scanned" {
			return "云闪付"
		}
		return "银联二维码"
	case "jd":
		return "京东支付"
	case "ecny":
		if r.Entry == "qr_scanned" {
			return "DCEP"
		}
		return "数字人民币"
	case "unknown":
		if r.Entry == "qr_scanned" {
			return "翼支付"
		}
		return "会员余额"
	}
	if strings.HasPrefix(r.Party.ID, "62055") {
		return "招商银行"
	}
	return "工商银行"
}

func misposEntry(entry string) string {
	switch entry {
	case "keyed":
		return "01"
	case "swipe":
		return "02"
	case "qr_shown":
		return "03"
	case "qr_scanned":
		return "04"
	case "chip":
		return "05"
	case "contactless":
		return "07"
	case "fallback":
		return "80"
	}
	return ""
}

// misposResult returns 9F14: the code the record has, or the usual one of its outcome.
func misposResult(r *Record) string {
	if r.ResponseCode != "" {
		return r.ResponseCode
	}
	switch r.Outcome {
	case "approved":
		return "00"
	case "unknown":
		return "98"
	case "pending":
		return "P1"
	}
	return "05"
}

// totals62 writes F48 of a settlement (wires.md § cup8583): domestic sums, the reconciliation code, and
// foreign sums of nothing with the same code.
func totals62(t Totals, code byte) string {
	return fmt.Sprintf("%012d%03d%012d%03d%c", t.DebitAmount, t.DebitCount, t.CreditAmount, t.CreditCount, code) +
		strings.Repeat("0", 30) + string(rune(code))
}
