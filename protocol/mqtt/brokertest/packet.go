package brokertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind is an MQTT control packet type (MQTT 3.1.1, 2.2.1).
type Kind byte

// The kinds that a broker sees or sends here.
const (
	Connect    Kind = 1
	Connack    Kind = 2
	Publish    Kind = 3
	Puback     Kind = 4
	Subscribe  Kind = 8
	Suback     Kind = 9
	Pingreq    Kind = 12
	Pingresp   Kind = 13
	Disconnect Kind = 14
)

// Packet is one received packet. The codec is the fake broker's own: a client
// tested against its own library's codec proves little.
type Packet struct {
	Kind    Kind
	ID      uint16 // PUBLISH with QoS 1, SUBSCRIBE
	QoS     byte
	Retain  bool
	Topic   string
	Payload []byte
	Filters []string // SUBSCRIBE
	Connect ConnectPacket
}

// ConnectPacket is the content of a CONNECT.
type ConnectPacket struct {
	Protocol     string
	Level        byte
	CleanSession bool
	KeepAlive    uint16 // seconds
	ClientID     string
	Will         bool
	WillTopic    string
	WillPayload  []byte
	WillQoS      byte
	WillRetain   bool
	Username     string
	Password     []byte
}

var errShort = errors.New("brokertest: packet too short")

// fields reads the fields of a packet; after the first failure it returns zeros.
type fields struct {
	b   []byte
	err error
}

func (f *fields) take(n int) []byte {
	if f.err != nil || len(f.b) < n {
		f.err = errShort
		return make([]byte, n)
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) byte() byte     { return f.take(1)[0] }
func (f *fields) uint16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }
func (f *fields) bytes() []byte  { return f.take(int(f.uint16())) }

// readPacket reads one packet of a client.
func readPacket(r *bufio.Reader) (*Packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	length, err := binary.ReadUvarint(r)
	if err != nil || length > 1<<20 {
		return nil, fmt.Errorf("brokertest: length %d: %w", length, err)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	p, f := &Packet{Kind: Kind(first >> 4)}, &fields{b: body}
	switch p.Kind {
	case Connect:
		p.Connect = readConnect(f)
	case Publish:
		p.QoS, p.Retain, p.Topic = first>>1&3, first&1 != 0, string(f.bytes())
		if p.QoS > 0 {
			p.ID = f.uint16()
		}
		p.Payload = f.b
	case Subscribe:
		for p.ID = f.uint16(); len(f.b) > 0; {
			p.Filters = append(p.Filters, string(f.bytes()))
			p.QoS = f.byte()
		}
	case Puback, Suback: // a Suback comes to the tap only
		p.ID = f.uint16()
	}
	return p, f.err
}

func readConnect(f *fields) (c ConnectPacket) {
	c.Protocol, c.Level = string(f.bytes()), f.byte()
	flags := f.byte()
	c.CleanSession, c.KeepAlive, c.ClientID = flags&2 != 0, f.uint16(), string(f.bytes())
	if c.Will = flags&4 != 0; c.Will {
		c.WillQoS, c.WillRetain = flags>>3&3, flags&0x20 != 0
		c.WillTopic, c.WillPayload = string(f.bytes()), f.bytes()
	}
	if flags&0x80 != 0 {
		c.Username = string(f.bytes())
	}
	if flags&0x40 != 0 {
		c.Password = f.bytes()
	}
	return c
}

// encodePublish writes a PUBLISH; id 0 means QoS 0.
func encodePublish(topic string, payload []byte, id uint16, retain bool) []byte {
	first := byte(Publish << 4)
	body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
	body = append(body, topic...)
	if id != 0 {
		first |= 2
		body = binary.BigEndian.AppendUint16(body, id)
	}
	if retain {
		first |= 1
	}
	out := binary.AppendUvarint([]byte{first}, uint64(len(body)+len(payload)))
	return append(append(out, body...), payload...)
}
