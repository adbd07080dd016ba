package sanitise

import (
	"bytes"
	"strings"
	"testing"

	"yuanlu/protocol/cardnumber"
)

func TestPseudonyms(t *testing.T) {
	p := &pseudonyms{[]byte("key")}
	for _, tt := range []struct{ clear, like string }{
		{"6200000000000005", "620000......0005"},
		{"6200000000000000003", "620000.........0003"},
		{"2088000000000017", "208800......0017"},
		{"oTESTa1b2c3d4e5f6g7h8i9j0k1l", "oTES....................0k1l"},
		{"138****1234", "138****1234"},
		{"12345", "....."},
		{"a需要用户输入支付密码z", "a需........................码z"},
		{"需要用户输入支付密码", "需........................码"}, // no half of a character stays
		{"6200000000000005FFF", "620000......0005FFF"},
		{"12345  ", ".....  "},
	} {
		b, again := []byte(tt.clear), []byte(tt.clear)
		p.text(b)
		p.text(again)
		if !bytes.Equal(b, again) {
			t.Errorf("%s: not the same twice", tt.like)
		}
		for i := range b {
			if len(b) != len(tt.like) || tt.like[i] != '.' && tt.like[i] != b[i] {
				t.Fatalf("like %s: %s", tt.like, b)
			}
		}
		if !strings.Contains(tt.clear, "*") && string(b) == tt.clear {
			t.Errorf("like %s: nothing was changed", tt.like)
		}
		if n := len(bytes.TrimRight(b, "F ")); digitsOnly(b[:n]) && cardnumber.Luhn(b[:n]) != cardnumber.Luhn([]byte(tt.clear[:n])) {
			t.Errorf("like %s: another check digit", tt.like)
		}
	}
}
