package smart

import (
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// The kinds of body (member src).
const (
	SrcWeChatTransaction = "wechat.transaction"
	SrcWeChatRefund      = "wechat.refund"
	SrcWeChatReverse     = "wechat.reverse"
	SrcAlipayTrade       = "alipay.trade"
	SrcAlipayRefund      = "alipay.refund"
	SrcAlipayCancel      = "alipay.cancel"
	SrcUnionPayQR        = "unionpay.qr"
	SrcLakalaCard        = "lakala.card"
	SrcRecord            = "record"
)

// Copies that an envelope may state (member copy), besides "".
const (
	CopyReprint = "reprint"
	CopyUpload  = "upload"
	CopyDump    = "dump"
)

// Message is one envelope. Its texts are copies; its body refers to the bytes it was
// decoded from and is valid as long as they are. It prints as its size only.
type Message struct {
	ID, Src, TerminalID, MerchantID, Operator string
	Training                                  bool
	Copy                                      string
	Ask                                       string // id of the guard's ask that a refund was made by (guard.md § 3)

	data     []byte
	from, to int // of the body in data; both 0: none
	trace    *trace
}

// Decode reads DATA as an envelope. v must be 1 and src be there; the body is only
// checked to be JSON. Every error is a *DecodeError.
func Decode(data []byte) (Message, error) { return decode(data, nil) }

func decode(data []byte, t *trace) (Message, error) {
	m := Message{data: data}
	r := newReader(data, 0, t)
	var v Number
	ok := r.object([]field{
		{name: "v", value: func(r *reader) bool {
			at := r.Pos()
			return r.integer(&v) && (v.Value == 1 || r.Fail(at, "another version", "1"))
		}},
		{name: "id", text: &m.ID},
		{name: "src", text: &m.Src},
		{name: "terminal_id", text: &m.TerminalID},
		{name: "merchant_id", text: &m.MerchantID},
		{name: "operator", text: &m.Operator},
		{name: "training", flag: &m.Training},
		{name: "copy", value: func(r *reader) bool { return r.copy(&m.Copy) }},
		{name: "ask", text: &m.Ask},
		{name: "body", value: func(r *reader) bool {
			m.from = r.Pos()
			ok := r.Skip()
			m.to = r.Pos()
			return ok
		}},
	}, nil) && r.end() && (v.Given || r.missing("v", "1")) && (m.Src != "" || r.missing("src", "one that says what body is"))
	if !ok {
		if r.Err().Path == "" {
			r.Within(whole)
		}
		return Message{}, r.failed()
	}
	return m, nil
}

// whole is the name of all of a message, where no member can be named.
const whole = "DATA"

// copy reads one of the copies.
func (r *reader) copy(v *string) bool {
	at, b, ok := r.trimmed()
	if !ok {
		return false
	}
	switch string(b) {
	case "", CopyReprint, CopyUpload, CopyDump:
		*v = string(b)
		return true
	}
	return r.Fail(at, "another word", "one of "+CopyReprint+", "+CopyUpload+", "+CopyDump)
}

// missing notes that the object read has no such member.
func (r *reader) missing(name, want string) bool {
	r.Fail(r.Pos(), "no such member", want)
	return r.Within(name)
}

// Body returns the bytes of the body, nil if there is none.
func (m *Message) Body() []byte {
	if m.to == 0 {
		return nil
	}
	return m.data[m.from:m.to]
}

// read reads the body as an object.
func (m *Message) read(fields []field, other func([]byte) *field) error {
	if m.to == 0 {
		r := newReader(m.data, len(m.data), m.trace)
		r.missing("body", "an object")
		return r.failed()
	}
	r := newReader(m.data[:m.to], m.from, m.trace)
	if !r.object(fields, other) {
		r.Within("body")
		return r.failed()
	}
	return nil
}

// BodyError returns a *DecodeError for a body that somebody else has read: column
// counts the characters of the body from 1.
func (m *Message) BodyError(member string, column int, got, want string) error {
	field := "body"
	if member != "" {
		field += "." + member
	}
	at := m.from
	for ; column > 1 && at < m.to; column-- {
		_, n := utf8.DecodeRune(m.data[at:m.to])
		at += n
	}
	return &DecodeError{Field: field, Offset: at, Got: got, Want: want}
}

// String returns the size.
func (m Message) String() string { return "smart message of " + strconv.Itoa(len(m.data)) + " bytes" }

// Format writes String for every verb and flag.
func (m Message) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }
