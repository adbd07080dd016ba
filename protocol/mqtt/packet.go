package mqtt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrProtocol is the class of all errors about a broker that does not keep to
// MQTT 3.1.1, or sends what this client never asked for.
var ErrProtocol = errors.New("mqtt: broker breaks the protocol")

// ErrTooLarge is a packet of the broker over MaxPacket.
var ErrTooLarge = fmt.Errorf("%w: packet too large", ErrProtocol)

// MaxPacket is the largest packet taken from a broker, in bytes after the fixed
// header. Five bytes of header could otherwise ask for 256 MiB.
const MaxPacket = 256 << 10

// Control packet types [MQTT-3.1.1 2.2.1].
const (
	typeConnect   = 1
	typeConnack   = 2
	typePublish   = 3
	typePuback    = 4
	typeSubscribe = 8
	typeSuback    = 9
	typePingresp  = 13
)

// remainingLength reads the length of a fixed header, one to four bytes
// [2.2.3]. done is false while b is too short; n is the number of bytes used.
func remainingLength(b []byte) (length, n int, done bool, err error) {
	for n < len(b) {
		if n == 4 {
			return 0, n, false, fmt.Errorf("%w: length of more than 4 bytes", ErrProtocol)
		}
		length |= int(b[n]&0x7f) << (7 * n)
		n++
		if b[n-1]&0x80 == 0 {
			return length, n, true, nil
		}
	}
	if n >= 4 {
		return 0, n, false, fmt.Errorf("%w: length of more than 4 bytes", ErrProtocol)
	}
	return 0, n, false, nil
}

// checkFlags refuses header bytes that a client may never receive, before the
// body is read.
func checkFlags(first byte, length int) error {
	switch typ, flags := first>>4, first&0x0f; typ {
	case typePublish:
		if qos := flags >> 1 & 3; qos > 1 { // we never subscribe above QoS 1
			return fmt.Errorf("%w: PUBLISH with QoS %d", ErrProtocol, qos)
		}
		if length > MaxPacket {
			return fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, length, MaxPacket)
		}
		return nil
	case typeConnack, typePuback, typeSuback, typePingresp:
		want := 2
		switch typ {
		case typeSuback: // every SUBSCRIBE of ours has one filter, so its SUBACK one code
			want = 3
		case typePingresp:
			want = 0
		}
		if flags != 0 {
			return fmt.Errorf("%w: packet type %d with flags %#x, want 0", ErrProtocol, typ, flags)
		}
		if length != want {
			return fmt.Errorf("%w: packet type %d of %d bytes, want %d", ErrProtocol, typ, length, want)
		}
		return nil
	default:
		return fmt.Errorf("%w: packet type %d, which a client never receives here", ErrProtocol, typ)
	}
}

// checkPublish checks the variable header of a PUBLISH [3.3.2].
func checkPublish(first byte, body []byte) error {
	if len(body) < 2 {
		return fmt.Errorf("%w: PUBLISH of %d bytes", ErrProtocol, len(body))
	}
	n := int(binary.BigEndian.Uint16(body))
	rest := body[2:]
	if n == 0 || n > len(rest) {
		return fmt.Errorf("%w: PUBLISH with a topic of %d bytes in %d", ErrProtocol, n, len(rest))
	}
	topic := rest[:n]
	if !utf8.Valid(topic) || strings.ContainsAny(string(topic), "+#\x00") {
		return fmt.Errorf("%w: PUBLISH whose topic is not one", ErrProtocol)
	}
	if first>>1&3 == 0 {
		return nil
	}
	if rest = rest[n:]; len(rest) < 2 || rest[0] == 0 && rest[1] == 0 {
		return fmt.Errorf("%w: PUBLISH with QoS 1 and no packet id", ErrProtocol)
	}
	return nil
}

// checkConnack checks flags and code of a CONNACK [3.2.2]. A code above 5 would
// make the library report a connection that it has closed.
func checkConnack(body []byte) error {
	if body[0] > 1 || body[1] > 5 {
		return fmt.Errorf("%w: CONNACK %#x %#x", ErrProtocol, body[0], body[1])
	}
	return nil
}

// outgoing returns what the guard must remember of a packet that we send: type and
// packet id (0 if it has none that will be answered).
func outgoing(p []byte) (typ byte, id uint16, err error) {
	if len(p) < 2 {
		return 0, 0, fmt.Errorf("mqtt: write of %d bytes, want a whole packet", len(p))
	}
	length, n, done, err := remainingLength(p[1:])
	if err != nil || !done || 1+n+length != len(p) {
		return 0, 0, fmt.Errorf("mqtt: write of %d bytes is not one whole packet", len(p))
	}
	body := p[1+n:]
	switch typ = p[0] >> 4; typ {
	case typeSubscribe:
		if len(body) < 2 {
			return 0, 0, errors.New("mqtt: SUBSCRIBE without a packet id")
		}
		return typ, binary.BigEndian.Uint16(body), nil
	case typePublish:
		if p[0]>>1&3 == 0 {
			return typ, 0, nil
		}
		if len(body) < 2 {
			return 0, 0, errors.New("mqtt: PUBLISH without a topic")
		}
		at := 2 + int(binary.BigEndian.Uint16(body))
		if len(body) < at+2 {
			return 0, 0, errors.New("mqtt: PUBLISH without a packet id")
		}
		return typ, binary.BigEndian.Uint16(body[at:]), nil
	}
	return typ, 0, nil
}
