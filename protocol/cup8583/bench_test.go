// moov-io/iso8583 compiles where an int has 64 bits only.
//go:build !(386 || arm)

package cup8583_test

import (
	"testing"

	"github.com/moov-io/iso8583"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// BenchmarkMessage is one message of the contract's vectors after the other: this
// package, and moov-io/iso8583 alone, which is less strict and keeps what this one
// drops.
func BenchmarkMessage(b *testing.B) {
	l, good := standard(b), wiretest.Messages(b, "good.hex")
	b.Run("cup8583", func(b *testing.B) {
		m := new(cup8583.Message)
		wiretest.Bench(b, good, func(data []byte) error { return l.Decode(m, data) })
	})
	spec := moovSpec(b)
	b.Run("moov", func(b *testing.B) {
		wiretest.Bench(b, good, func(data []byte) error { return iso8583.NewMessage(spec).Unpack(data[11:]) })
	})
}
