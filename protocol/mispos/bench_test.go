package mispos_test

import (
	"testing"

	"yuanlu/protocol/mispos"
	"yuanlu/protocol/wiretest"
)

// BenchmarkMessage is one message of the contract's vectors after the other.
// moov-io/iso8583 does not know this wire: beside it stand a copy of the bytes, which
// nothing that keeps a message does without, and a walk over tags and lengths.
func BenchmarkMessage(b *testing.B) {
	l, good := standard(b), wiretest.Messages(b, "good.hex")
	b.Run("mispos", func(b *testing.B) {
		m := new(mispos.Message)
		wiretest.Bench(b, good, func(data []byte) error { return l.Decode(m, data) })
	})
	b.Run("copy", func(b *testing.B) {
		var kept []byte
		wiretest.Bench(b, good, func(data []byte) error { kept = append(kept[:0], data...); return nil })
	})
	b.Run("walk", func(b *testing.B) {
		fields := 0
		wiretest.Bench(b, good, func(data []byte) error {
			for len(data) >= 4 {
				data = data[4+int(data[2])<<8+int(data[3]):]
				fields++
			}
			return nil
		})
	})
}
