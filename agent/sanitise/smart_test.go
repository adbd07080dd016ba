package sanitise

import (
	"strings"
	"testing"
)

// A text in a list is redacted by the name of the list, whatever objects stand before it
// there.
func TestTextInAListHasTheNameOfTheList(t *testing.T) {
	for in, want := range map[string]string{
		`{"openid":[{"currency":"CNY"},"oTESTa1b2c3d4e5f6g7h8i9j0k1l"]}`:                                  "oTESTa1b2c3d",
		`{"openid":["oTESTa1b2c3d4e5f6g7h8i9j0k1l",[{"currency":"CNY"}],"oTESTa1b2c3d4e5f6g7h8i9j0k1l"]}`: "oTESTa1b2c3d",
	} {
		data := []byte(in)
		(&pseudonyms{[]byte("key")}).message(data)
		if got := string(data); strings.Contains(got, want) || !strings.Contains(got, `"currency":"CNY"`) {
			t.Errorf("%s became %s", in, got)
		}
	}
}
