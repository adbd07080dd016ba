// Package frame turns a stream of bytes into checked frames and frames into
// bytes. It knows the two framings of wires.md:
//
//	STX    02 | LEN 2 BCD | DATA 1…9999    | 03  | LRC
//	       LRC = XOR of LEN, DATA and 03
//	smart  55 AA | TYPE | ACK | ID | LEN 2 big-endian | DATA 0…16384 | XOR | CC 33
//	       XOR = XOR of TYPE … DATA
//
// LEN counts the bytes of DATA. Length decides where a frame ends: DATA may hold
// any byte. What a Scanner returns has a valid LEN, its end in place and the right
// check byte; DATA is for others to read.
package frame

import (
	"errors"
	"fmt"
)

// Limits of the two framings, in bytes of DATA.
const (
	MaxSTX   = 9999  // what two BCD bytes can hold
	MaxSmart = 16384 // wires.md, smart
)

// TYPE of a smart frame.
const (
	SmartData      byte = 0
	SmartHandshake byte = 1
	SmartConfirm   byte = 2
)

// ErrLength: DATA is too long for the framing.
var ErrLength = errors.New("frame: wrong length of data")

// Frame is one frame whose check byte holds. Type, Ack and ID are those of a
// smart frame, 0 in an STX frame. Data and Raw (the whole frame) are valid until
// the next call of the Scanner that gave them.
type Frame struct {
	Type, Ack, ID byte
	Data, Raw     []byte
	Offset        int64 // of Raw's first byte, counted from the first byte ever pushed
}

// AppendSmart appends f.Data with f.Type, f.Ack and f.ID as a smart frame.
// ErrLength if it has more than MaxSmart bytes.
func AppendSmart(dst []byte, f Frame) ([]byte, error) {
	n := len(f.Data)
	if n > MaxSmart {
		return dst, fmt.Errorf("%w: %d bytes, want at most %d", ErrLength, n, MaxSmart)
	}
	at := len(dst)
	dst = append(dst, 0x55, 0xAA, f.Type, f.Ack, f.ID, byte(n>>8), byte(n))
	dst = append(dst, f.Data...)
	return append(dst, xorOf(dst[at+2:]), 0xCC, 0x33), nil
}

func xorOf(b []byte) byte {
	var x byte
	for _, c := range b {
		x ^= c
	}
	return x
}

// framing is what a Scanner must know about one framing.
type framing struct {
	first byte // of every frame
	// measure reads the head in b (b[0] is first): the size of the whole frame,
	// 0 while the head is not complete; bad: no frame begins here.
	measure func(b []byte) (size int, bad bool)
	// ends reports whether the end of the whole frame b is in its place.
	ends func(b []byte) bool
	// from and check: the check byte, check places before the end of the frame, is
	// the XOR of the bytes from place from up to it.
	from, check int
	head, tail  int  // bytes before and after DATA
	numbered    bool // bytes 2 to 4 are TYPE, ACK, ID
}

func stx() framing {
	return framing{
		first: 0x02, head: 3, tail: 2, from: 1, check: 1,
		measure: measureSTX,
		ends:    func(b []byte) bool { return b[len(b)-2] == 0x03 },
	}
}

func measureSTX(b []byte) (size int, bad bool) {
	n := 0
	for i := 1; i < 3; i++ {
		if i >= len(b) {
			return 0, false
		}
		hi, lo := int(b[i]>>4), int(b[i]&15)
		if hi > 9 || lo > 9 {
			return 0, true
		}
		n = 100*n + 10*hi + lo
	}
	return n + 5, n == 0
}

func smart() framing {
	return framing{
		first: 0x55, head: 7, tail: 3, from: 2, check: 3, numbered: true,
		measure: measureSmart,
		ends:    func(b []byte) bool { return b[len(b)-2] == 0xCC && b[len(b)-1] == 0x33 },
	}
}

func measureSmart(b []byte) (size int, bad bool) {
	if len(b) > 1 && b[1] != 0xAA {
		return 0, true
	}
	if len(b) < 7 {
		return 0, len(b) == 6 && b[5] > MaxSmart>>8
	}
	n := int(b[5])<<8 | int(b[6])
	return n + 10, n > MaxSmart
}
