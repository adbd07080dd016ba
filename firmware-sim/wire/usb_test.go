package wire

import (
	"strings"
	"testing"
	"time"
)

func TestUSBComesBackUnderAnotherBusID(t *testing.T) {
	s, err := PlugUSB("127.0.0.1:0", "SIM-1", true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := s.Place()
	if !strings.Contains(before, " busid 1-1") || s.Open() {
		t.Errorf("%s, open %v", before, s.Open())
	}
	if n, err := s.Line().Write([]byte("nobody has it open")); n != 18 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Replug(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if after := s.Place(); after == before || !strings.Contains(after, " busid 1-") {
		t.Errorf("%s, then %s", before, after)
	}
}
