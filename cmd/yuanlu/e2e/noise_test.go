package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestE2ENoiseDoesNotBlind: garbage at the full speed of a line (115200 baud) for ten
// seconds, after a day with cases. Once that was 343 KiB of log a second, and the cases
// were gone from it. Now tail --cases shows them all, of the daemon, of the next one
// and from the files.
func TestE2ENoiseDoesNotBlind(t *testing.T) {
	fw := newFirmware(t, "e-sign", 77)
	st := newStation(t, settings{port: fw.link, extra: "[log]\nmax_bytes = \"64KiB\"\nkeep = 1\n"})
	st.startOnline()
	fw.day(160, time.Millisecond)
	eventually(t, 20*time.Second, "cases", func() bool { return st.said("case.opened") > 3 })
	pace(2 * time.Second) // the last ones' grace
	cases := func() (lines []string) {
		for line := range strings.Lines(st.out("tail", "--raw", "--cases", "-n", "500")) {
			if strings.Contains(line, " case.") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	before := cases()
	quiet := len(st.log.String())
	const perSecond, seconds = 11520, 10
	frame := []byte("\x02\x00\x01A\x03C") // whole and good, and no message
	chunk := bytes.Repeat(frame, perSecond/10/len(frame))
	began := time.Now()
	for n := range 10 * seconds {
		if _, err := fw.socket.Line().Write(chunk); err != nil {
			t.Fatal(err)
		}
		pace(time.Until(began.Add(time.Duration(n+1) * 100 * time.Millisecond)))
	}
	logged := len(st.log.String()) - quiet
	t.Logf("%d cases; %d bytes of log for %d frames that were refused", len(before), logged, 10*seconds*len(chunk)/len(frame))
	if logged > 20_000 {
		t.Errorf("%d bytes of log in %d s:\n%s", logged, seconds, st.log.tail(20))
	}
	same := func(when string) {
		t.Helper()
		if after := cases(); len(before) < 4 || strings.Join(after, "") != strings.Join(before, "") {
			t.Errorf("%s %d cases are shown, want %d:\n%s", when, len(after), len(before), strings.Join(after, ""))
		}
	}
	same("after the noise")
	st.stop()
	same("without the daemon")
	st.startOnline()
	same("by the next daemon")
	st.stop()
}
