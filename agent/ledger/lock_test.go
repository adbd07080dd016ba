package ledger

import (
	"testing"

	"yuanlu/agent/ledger/sqlite"
)

// FuzzLock: whatever stands in the file lock, reading it does not fail, and what is
// taken from it is what was written.
func FuzzLock(f *testing.F) {
	f.Add("0000000001\n" + leftOpen{open: true, mark: sqlite.Mark{Salts: 1 << 60, Frames: 812, Sum: 7}}.text())
	f.Add("12\nopen\n")
	f.Add("12\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		var l storeLock
		l.read([]byte(text))
		if l.spoilt || l.left == (leftOpen{}) || text[len(text)-len(openLine):] == openLine {
			return
		}
		if text[len(text)-stateLine-markLine:] != l.left.text() {
			t.Errorf("%q is read as %+v", text, l.left)
		}
	})
}
