package mispos_test

import (
	"bytes"
	"testing"

	"yuanlu/protocol/mispos"
	"yuanlu/protocol/wiretest"
)

// FuzzWalk: the values lie in DATA in order, and what Decode takes is walked to its end.
func FuzzWalk(f *testing.F) {
	for _, name := range []string{"good.hex", "malformed.hex"} {
		for _, data := range wiretest.Messages(f, name) {
			f.Add(data)
		}
	}
	l := standard(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		rest := mispos.Walk(data, func(tag mispos.Tag, value []byte) {
			again = append(again, byte(tag>>8), byte(tag), byte(len(value)>>8), byte(len(value)))
			again = append(again, value...)
		})
		if again = append(again, rest...); !bytes.Equal(again, data) {
			t.Fatalf("walked over %x\nof %x", again, data)
		}
		if err := l.Decode(new(mispos.Message), data); err == nil && len(rest) > 0 {
			t.Fatalf("%d bytes of good DATA are not walked over", len(rest))
		}
	})
}

func TestRole(t *testing.T) {
	l := standard(t)
	for tag, want := range map[mispos.Tag]mispos.Role{0x9F0B: mispos.Account, 0x9F1B: mispos.Expiry, 0x9F99: mispos.RoleInvalid, 0x5F0B: mispos.RoleInvalid} {
		if got := l.Role(tag); got != want {
			t.Errorf("%v: got role %d, want %d", tag, got, want)
		}
	}
}
