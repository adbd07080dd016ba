package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Frame types of the smart wire (wires.md § smart).
const (
	SmartData      = 0x00
	SmartHandshake = 0x01
	SmartConfirm   = 0x02
)

// MaxSmart is the greatest number of bytes of data in a frame.
const MaxSmart = 16384

// AppendSmart appends 55 AA, type, ack, id, length, data, the XOR of type to data, CC 33.
func AppendSmart(dst []byte, kind, ack, id byte, data []byte) ([]byte, error) {
	if len(data) > MaxSmart {
		return dst, fmt.Errorf("a smart frame holds up to %d bytes, not %d", MaxSmart, len(data))
	}
	dst = append(dst, 0x55, 0xAA)
	at := len(dst)
	dst = append(dst, kind, ack, id, byte(len(data)>>8), byte(len(data)))
	dst = append(dst, data...)
	var check byte
	for _, b := range dst[at:] {
		check ^= b
	}
	return append(dst, check, 0xCC, 0x33), nil
}

// HoldsSmart reports whether b is one whole frame of the smart wire with a right check byte.
func HoldsSmart(b []byte) bool {
	_, n := smartFrame(b)
	return n > 0 && n == len(b)
}

// Confirms is what a smart terminal understands of confirms: it takes bytes as they come and returns the ids confirmed.
type Confirms struct{ in Incoming }

// Push takes bytes and returns the ids that are confirmed by them, 0 for an answer to a handshake.
func (c *Confirms) Push(p []byte) []byte {
	var acks []byte
	for _, f := range c.in.Push(p) {
		if f.Kind == SmartConfirm {
			acks = append(acks, f.Ack)
		}
	}
	return acks
}

// Arrived is one good frame from the agent.
type Arrived struct {
	Kind, Ack, ID byte
	Data          []byte
}

// Incoming finds the frames that an agent sends to a smart terminal: it takes bytes as they come.
type Incoming struct{ buf []byte }

// Push takes bytes and returns the good frames that they complete.
func (c *Incoming) Push(p []byte) []Arrived {
	c.buf = append(c.buf, p...)
	var out []Arrived
	for len(c.buf) > 0 {
		at := bytes.Index(c.buf, []byte{0x55, 0xAA})
		if at < 0 {
			c.buf = c.buf[max(0, len(c.buf)-1):]
			return out
		}
		c.buf = c.buf[at:]
		if len(c.buf) < 7 || len(c.buf) < 10+int(binary.BigEndian.Uint16(c.buf[5:])) && binary.BigEndian.Uint16(c.buf[5:]) <= MaxSmart {
			return out
		}
		head, n := smartFrame(c.buf)
		if n == 0 {
			c.buf = c.buf[2:]
			continue
		}
		out = append(out, Arrived{Kind: head[0], Ack: head[1], ID: head[2], Data: bytes.Clone(c.buf[7 : n-3])})
		c.buf = c.buf[n:]
	}
	return out
}

// smartFrame returns type, ack and id of the frame at the beginning of b and its length, 0 if there is none.
func smartFrame(b []byte) (head [3]byte, n int) {
	if len(b) < 10 || b[0] != 0x55 || b[1] != 0xAA {
		return head, 0
	}
	n = 10 + int(binary.BigEndian.Uint16(b[5:]))
	if n > 10+MaxSmart || len(b) < n || b[n-2] != 0xCC || b[n-1] != 0x33 {
		return head, 0
	}
	var check byte
	for _, c := range b[2 : n-3] {
		check ^= c
	}
	if check != b[n-3] {
		return head, 0
	}
	return [3]byte(b[2:5]), n
}

// Smart encodes records as the messages of a smart terminal: an envelope around the channel's own object where that
// can carry everything the record states, else around the record itself. The zero value is ready to use; it counts frame
// ids, so one serves one line.
type Smart struct{ id byte }

// envelope is wires.md § smart.
type envelope struct {
	V          int    `json:"v"`
	ID         string `json:"id"`
	Src        string `json:"src"`
	TerminalID string `json:"terminal_id"`
	MerchantID string `json:"merchant_id"`
	Operator   string `json:"operator"`
	Training   bool   `json:"training"`
	Copy       string `json:"copy"`
	Ask        string `json:"ask,omitempty"`
	Body       any    `json:"body"`
}

// object is the body of a message as the channel itself writes it.
type object map[string]any

// Encode returns the one data frame that states the record, in the channel's usual form.
func (s *Smart) Encode(r *Record) ([]Frame, error) { return s.EncodeAs(one(r)) }

// EncodeAs returns the data frames of a message; only the shape "asked" has two. The message id is made from the
// message, so that the same message sent again, after a restart of the terminal even, has the same id.
func (s *Smart) EncodeAs(m Message) ([]Frame, error) {
	bodies, err := smartBodies(m)
	if err != nil {
		return nil, err
	}
	r := m.record()
	var out []Frame
	for _, b := range bodies {
		e := envelope{V: 1, Src: b.src, TerminalID: r.TerminalID, MerchantID: r.MerchantID, Operator: r.Operator,
			Training: r.Training, Copy: r.Copy, Ask: r.Ask, Body: b.body}
		if m.Shape != "" {
			e.Copy = "" // the channel's object itself shows it
		}
		f, err := s.frame(e)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (s *Smart) frame(e envelope) (Frame, error) {
	data, err := marshal(e)
	if err != nil {
		return Frame{}, err
	}
	sum := sha256.Sum256(data)
	e.ID = e.TerminalID + "-" + hex.EncodeToString(sum[:8])
	if data, err = marshal(e); err != nil {
		return Frame{}, err
	}
	s.id = s.id%255 + 1
	b, err := AppendSmart(nil, SmartData, 0, s.id, data)
	return Frame{Bytes: b, Note: e.Src}, err
}

// marshal writes JSON without escaping what needs none.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// content is the part of a message that the channel writes.
type content struct {
	src  string
	body any
}

// smartBodies chooses src and body: by the shape, else the channel's own object where that states everything the
// record states, else the record itself.
func smartBodies(m Message) ([]content, error) {
	r := m.record()
	if r.Party.Token != "" && r.Party.ID == "" {
		return nil, &CannotCarry{"smart", "party.token", "a wire carries identities in clear"}
	}
	if m.Shape != "" {
		return smartShaped(m)
	}
	for _, own := range []struct {
		src  string
		fits func(*Record) bool
		body func(*Record) object
	}{
		{"wechat.transaction", isWechatSale, wechatSale},
		{"wechat.refund", isWechatRefund, wechatRefund},
		{"alipay.trade", isAlipayTrade, alipayTrade},
		{"alipay.refund", isAlipayRefund, alipayRefund},
		{"unionpay.qr", isUnionpay, unionpay},
		{"lakala.card", isLakala, lakala},
	} {
		if own.fits(r) {
			return []content{{own.src, own.body(r)}}, nil
		}
	}
	rec := *r
	rec.V = 1
	rec.Party.Shown = ""
	return []content{{"record", rec}}, nil
}
