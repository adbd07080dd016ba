package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// theLink returns the only link as status --json has it.
func (st *station) theLink() health.Link {
	st.t.Helper()
	var s struct{ Links []health.Link }
	if err := json.Unmarshal([]byte(st.out("status", "--json")), &s); err != nil || len(s.Links) != 1 {
		st.t.Fatalf("%v: %+v", err, s)
	}
	return s.Links[0]
}

// awaitVerdict waits until status and doctor agree on a verdict with a text.
func (st *station) awaitVerdict(verdict, text string) {
	st.t.Helper()
	var l health.Link
	defer func() {
		if st.t.Failed() {
			st.t.Logf("the link: %s: %s (%s)\nfit %+v recent %+v", l.Verdict, l.Text.EN, l.Text.ZH, l.Fit, l.Recent)
		}
	}()
	eventually(st.t, 30*time.Second, verdict+": "+text, func() bool {
		l = st.theLink()
		return l.Verdict == verdict && strings.Contains(l.Text.EN, text)
	})
	doctor := st.command("doctor")
	doctor.Env = append(doctor.Env, "LC_ALL=C.UTF-8")
	out, err := doctor.CombinedOutput()
	if code := exitOf(err); !strings.Contains(string(out), text) || (verdict == ingest.VerdictGood) != strings.Contains(string(out), "√ link pos") {
		st.t.Errorf("doctor ends with %d: %s", code, out)
	}
	if !strings.Contains(st.log.String(), "verdict="+verdict) {
		st.t.Errorf("the log does not say %s", verdict)
	}
}

// speaking has a simulated terminal play on a line until the test ends, fast. say changes
// the bytes of each frame.
func speaking(t *testing.T, model, wireName string, line wire.Line, say func([]byte) []byte) {
	t.Helper()
	term, err := terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: 7, Wrong: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := terminal.NewSpeaker(model, wireName)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			es, err := term.Next()
			if err != nil {
				return
			}
			for i := range es {
				frames, err := speaker.Frames(&es[i])
				if err != nil {
					return
				}
				for _, f := range frames {
					if _, err := line.Write(say(f.Bytes)); err != nil {
						return
					}
				}
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
}

func asItIs(b []byte) []byte { return b }

// TestE2EVerdictOfAWrongWire: every pair of what is configured and what is sent, both ways:
// the wire that fits is named, and a right one is good with its last sale.
func TestE2EVerdictOfAWrongWire(t *testing.T) {
	models := map[string]string{"mispos": "e-sign", "cup8583": "traditional", "smart": "smart"}
	for _, sent := range ingest.Wires() {
		for _, configured := range ingest.Wires() {
			t.Run(sent+" on "+configured, func(t *testing.T) {
				t.Parallel()
				line, err := wire.OpenPTY()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { line.Close() })
				st := newStation(t, settings{port: line.Place(), wire: configured})
				st.startOnline()
				speaking(t, models[sent], sent, line, asItIs)
				switch {
				case sent == configured:
					st.awaitVerdict(ingest.VerdictGood, "last ")
				case ingest.Framing(sent) == ingest.Framing(configured):
					st.awaitVerdict(ingest.VerdictRefused, "it is wire "+sent)
				default:
					st.awaitVerdict(ingest.VerdictNoFrame, "it is wire "+sent)
				}
				st.stop()
			})
		}
	}
}

// TestE2EVerdictOfALine: another speed, noise, silence, another process that reads along,
// and a port that is gone, one after the other on one daemon.
func TestE2EVerdictOfALine(t *testing.T) {
	t.Run("another speed", func(t *testing.T) {
		line, st := verdictStation(t)
		st.awaitVerdict(ingest.VerdictSilent, "nothing has come")
		speaking(t, "e-sign", "mispos", line, wire.Garble)
		st.awaitVerdict(ingest.VerdictNoFrame, "speed, parity, wire or cable is wrong")
		st.stop()
	})
	t.Run("noise", func(t *testing.T) {
		line, st := verdictStation(t)
		r := rand.New(rand.NewPCG(1, 2))
		speaking(t, "e-sign", "mispos", line, func(b []byte) []byte {
			noise := make([]byte, len(b)/2)
			for i := range noise {
				noise[i] = byte(r.Uint32())
			}
			return append(noise, b...)
		})
		st.awaitVerdict(ingest.VerdictNoisy, "% of the bytes belong to no good frame")
		st.stop()
	})
	t.Run("held, and gone", func(t *testing.T) {
		line, st := verdictStation(t)
		speaking(t, "e-sign", "mispos", line, asItIs)
		st.awaitVerdict(ingest.VerdictGood, "last ")
		other, err := os.OpenFile(line.Place(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		st.awaitVerdict(ingest.VerdictHeld, "also open in pid "+itoa(os.Getpid()))
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		st.awaitVerdict(ingest.VerdictGood, "last ")
		if err := line.Close(); err != nil {
			t.Fatal(err)
		}
		st.awaitVerdict(ingest.VerdictNoPort, "no port")
		st.stop()
	})
}

func verdictStation(t *testing.T) (*wire.PTY, *station) {
	t.Helper()
	line, err := wire.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	st := newStation(t, settings{port: line.Place()})
	st.startOnline()
	return line, st
}
