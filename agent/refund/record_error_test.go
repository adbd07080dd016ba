package refund

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However a record is damaged, the error holds no identifier.
func TestErrorsTellNothing(t *testing.T) {
	const secret = "6200000111122227"
	lines := []string{
		recordHead + `,"party":{"scheme":"pan","id":"` + secret + `","par":"` + secret + `","also":[{"scheme":"pan","id":"` + secret + `"}],"text":"` + secret + `"}}`,
		recordHead + `,"amount":` + secret + `,"stan":"` + secret + `","channel":"card","original":{"rrn":"` + secret + `"}}`,
	}
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.SampledFrom(lines).Draw(t, "line"))
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			if len(b) == 0 {
				break
			}
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				b = append(b[:at:at], b[at+1:]...)
			case 1:
				b[at] = rapid.SampledFrom([]byte("\"\\{}[]:,\x00\xff0e.-x ")).Draw(t, "byte")
			case 2:
				b = b[:at+1]
			}
		}
		for _, policy := range []UnknownPolicy{Reject, Ignore} {
			if _, err := ParseRecord(b, policy); err != nil && strings.Contains(err.Error(), "111122") {
				t.Fatalf("the error holds an identifier: %v", err)
			}
		}
		if _, err := DecodeStored(b); err != nil && strings.Contains(err.Error(), "111122") {
			t.Fatalf("the error holds an identifier: %v", err)
		}
	})
}

func TestSafeNames(t *testing.T) {
	tests := []struct{ name, want string }{
		{"bogus", "bogus"},
		{"", "(a name of 0 bytes)"},
		{strings.Repeat("a", 41), "(a name of 41 bytes)"},
		{"card 6200 0001 1112 2227", "card **** **** **** 2227"},
		{"oTESTa1b2c3d4e5f6g7h8i9j0k1l", "oTES********************0k1l"},
		{"a\nb", `"a\nb"`},
		{"金额", `"金额"`},
	}
	for _, tt := range tests {
		if got := safeName([]byte(tt.name)); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.name, got, tt.want)
		}
	}
	for word, want := range map[string]string{"paypal": `"paypal"`, "a1": "another word", "aaaaaaaaaaaaaaaaaaaaa": "another word", "": `""`} {
		t.Run(word, func(t *testing.T) {
			if got := safeWord([]byte(word)); got != want {
				t.Errorf("%q: got %s, want %s", word, got, want)
			}
		})
	}
	for token, want := range map[string]bool{
		"k1:00112233445566778899":   true,
		"in.k1:0011223344556677889": false, "in.k1:00112233445566778899": true,
		"k1": false, ":00112233445566778899": false, "1k:00112233445566778899": false, "K:00112233445566778899": false,
		"k1:0011223344556677889G": false, "k_1:00112233445566778899": false, "k1:" + strings.Repeat("a", 129): false,
		"kkkkkkkkkkkkkkkkk:00112233445566778899": false, "5001AAAAAAAAAAAAAAAAAAAAAAAAA": false, "k1:AABBCCDDEEFF00112233": false,
	} {
		t.Run(token, func(t *testing.T) {
			if isToken(token) != want {
				t.Errorf("%q: is a token %v, want %v", token, !want, want)
			}
		})
	}
}
