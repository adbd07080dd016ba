package ingest

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBytesWithoutFramesAreNoLink: a line on which only garbage comes is degraded after
// 30 s, and online again with the first good frame.
func TestBytesWithoutFramesAreNoLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		port := newMemPort()
		b.ports <- port
		b.run()
		noise := func(n int) {
			for range n {
				port.in <- []byte("\x11\x93\xff\x80\x11\x93\xff\x80")
				pass(time.Second)
			}
		}
		noise(20)
		want(t, "after 20 s", b.w.Health().State, StateOnline)
		noise(20)
		h := b.w.Health()
		want(t, "after 40 s", h.State, StateDegraded)
		want(t, "how", h.Misread, MisreadNoFrame)
		port.in <- sale(1)
		pass(time.Second)
		want(t, "after a frame", b.w.Health().State, StateOnline)
		port.in <- []byte("\xff")
		pass(time.Hour)
		port.in <- []byte("\xff") // two glitches are no wrong speed
		pass(time.Minute)
		want(t, "after glitches", b.w.Health().State, StateOnline)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMostMessagesRefused: of the last 16 messages, at least 4, more than half.
func TestMostMessagesRefused(t *testing.T) {
	for messages, wanted := range map[string]bool{
		"xxx": false, "xxxx": true, "x.x.": false, "xxx.": true, "................xxxxxxxx": false,
		"................xxxxxxxxx": true, "xxxxxxxxxxxxxxxx........": false,
	} {
		var u understanding
		got := false
		for _, m := range messages {
			got = u.message(m == 'x')
		}
		want(t, messages, got, wanted)
	}
}
