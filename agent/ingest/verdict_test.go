package ingest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/protocol/frame"
)

var errTest = errors.New("of the test")

// TestVerdictOf is the table of the verdicts: what was counted, and what it means.
func TestVerdictOf(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	open := func(wire string, r Recent) LinkHealth { return LinkHealth{Wire: wire, State: StateOnline, Recent: r} }
	for _, c := range []struct {
		name, want string
		l          LinkHealth
	}{
		{"disabled", VerdictDisabled, LinkHealth{State: StateDisabled}},
		{"not tried", VerdictNotOpened, Untried("pos", "mispos", "/dev/ttyS1", at)},
		{"no such device", VerdictNoPort, LinkHealth{State: StateAbsent, Trouble: VerdictNoPort}},
		{"another has it, with its lock", VerdictHeld, LinkHealth{State: StateDenied, Trouble: VerdictHeld}},
		{"no permission", VerdictNoPermission, LinkHealth{State: StateDenied, Trouble: VerdictNoPermission}},
		{"another has it open, too", VerdictHeld, LinkHealth{State: StateOnline, Holders: []string{"pid 8 (minicom)"}, Recent: Recent{Until: at, Ever: true, Messages: 9, Frames: 9, Bytes: 900}}},
		{"nothing came", VerdictSilent, open("mispos", Recent{})},
		{"a message a day ago", VerdictGood, open("mispos", Recent{Until: ago(24 * time.Hour), Ever: true, Frames: 1, Messages: 1, Bytes: 90})},
		{"no handshake for a minute", VerdictSilent, open("smart", Recent{Until: ago(61 * time.Second), Ever: true, Frames: 9, Bytes: 99})},
		{"handshakes", VerdictGood, open("smart", Recent{Until: ago(2 * time.Second), Ever: true, Frames: 9, Bytes: 99})},
		{"a few bytes", VerdictUndecided, open("mispos", Recent{Until: ago(time.Hour), Bytes: 23, Unread: 23, UnreadSince: ago(time.Hour)})},
		{"a frame on its way", VerdictUndecided, open("mispos", Recent{Until: ago(100 * time.Millisecond), Bytes: 200, Unread: 200, UnreadSince: ago(time.Second)})},
		{"a burst, and no frame", VerdictNoFrame, open("mispos", Recent{Until: ago(time.Second), Bytes: 24, Unread: 24, UnreadSince: ago(2 * time.Second)})},
		{"bytes without a pause", VerdictNoFrame, open("mispos", Recent{Until: at, Bytes: 900, Unread: 900, UnreadSince: ago(5 * time.Second)})},
		{"one burst after good messages", VerdictGood, open("mispos", Recent{Until: ago(time.Second), Ever: true, Messages: 20, Frames: 20, Bytes: 2000, Noise: 100, Unread: 100, UnreadSince: ago(2 * time.Second)})},
		{"only bytes since the last good message", VerdictNoFrame, open("mispos", Recent{Until: ago(time.Second), Ever: true, Messages: 20, Frames: 20, Bytes: 2000, Noise: 100, Unread: 100, UnreadSince: ago(9 * time.Second)})},
		{"one message, refused", VerdictRefused, open("mispos", Recent{Until: at, Frames: 1, Refused: 1, Bytes: 90})},
		{"handshakes, and a message that was refused", VerdictRefused, open("smart", Recent{Until: at, Ever: true, Frames: 9, Refused: 1, Bytes: 300})},
		{"most are refused", VerdictRefused, open("mispos", Recent{Until: at, Ever: true, Frames: 9, Refused: 6, Messages: 3, Mostly: true, Bytes: 900})},
		{"one of many refused", VerdictGood, open("mispos", Recent{Until: at, Ever: true, Frames: 9, Refused: 1, Messages: 8, Bytes: 900})},
		{"11 % noise", VerdictNoisy, open("mispos", Recent{Until: at, Ever: true, Frames: 9, Messages: 9, Bytes: 900, Noise: 100})},
		{"10 % noise", VerdictGood, open("mispos", Recent{Until: at, Ever: true, Frames: 9, Messages: 9, Bytes: 1000, Noise: 100})},
		{"a little noise on a quiet line", VerdictGood, open("mispos", Recent{Until: at, Ever: true, Frames: 1, Messages: 1, Bytes: 100, Noise: 63})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := VerdictOf(&c.l, at); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestVerdictOfAWorker: within ten seconds of evidence, in both directions, and control
// characters between frames are none.
func TestVerdictOfAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		want(t, "before", b.w.Health().Verdict, VerdictNotOpened)
		port := newMemPort()
		b.ports <- port
		b.run()
		pass(3 * time.Second)
		want(t, "open", b.w.Health().Verdict, VerdictSilent)
		for range 100 {
			port.in <- []byte{5} // ENQ
			pass(time.Second)
		}
		want(t, "after control characters", b.w.Health().Verdict, VerdictUndecided)
		noise := func(n int) {
			for range n {
				port.in <- []byte("\x11\x93\xff\x80\x11\x93\xff\x80")
				pass(time.Second)
			}
		}
		noise(10)
		h := b.w.Health()
		want(t, "after 10 s of noise", h.Verdict, VerdictNoFrame)
		want(t, "state", h.State, StateDegraded)
		port.in <- sale(1)
		pass(3 * time.Second)
		h = b.w.Health()
		want(t, "after a frame", h.Verdict, VerdictNoisy)
		want(t, "amount", h.LastRecord.Amount, 1000)
		want(t, "share", h.Recent.Share() > 10, true)
		for i := range 60 {
			port.in <- sale(2 + i)
			pass(5 * time.Second)
		}
		want(t, "after five minutes of good frames", b.w.Health().Verdict, VerdictGood)
		want(t, "state", b.w.Health().State, StateOnline)
		noise(20)
		want(t, "the terminal was set to another speed", b.w.Health().Verdict, VerdictNoFrame)
		b.denied = errTest
		port.gone <- errTest
		pass(time.Second)
		want(t, "unplugged", b.w.Health().Verdict, VerdictNoPort)
		b.ports <- newMemPort()
		pass(time.Minute)
		want(t, "plugged in again", b.w.Health().Verdict, VerdictSilent)
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
		var e evidence
		for _, m := range messages {
			var err error
			if m == 'x' {
				err = errTest
			}
			e.frame(frame.Frame{}, 0, false, err, time.Time{}.Add(time.Hour))
		}
		want(t, messages, e.mostly(), wanted)
	}
}
