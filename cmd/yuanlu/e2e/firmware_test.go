package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// firmware is a simulated terminal that the test plays step by step.
type firmware struct {
	t       testing.TB
	term    *terminal.Terminal
	speaker *terminal.Speaker
	socket  *wire.Socket
	link    string // symbolic link to the pty's present name
	entries []scenario.Entry
	closing []scenario.Entry // the batch whose settlement is not said yet, nil if none
	mu      sync.Mutex       // one mouth
}

func newFirmware(t testing.TB, model string, seed uint64) *firmware {
	t.Helper()
	return newFirmwareOn(t, model, "mispos", seed)
}

// newFirmwareOn is newFirmware for any wire.
func newFirmwareOn(t testing.TB, model, wireName string, seed uint64) *firmware {
	t.Helper()
	term, err := terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: seed, Wrong: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := terminal.NewSpeaker(model, wireName)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "pos")
	socket, err := wire.Plug("pty", link, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return &firmware{t: t, term: term, speaker: speaker, socket: socket, link: link}
}

// place is the present name of the port.
func (f *firmware) place() string {
	f.t.Helper()
	p, err := os.Readlink(f.link)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// next lets the next customer come, without saying anything yet.
func (f *firmware) next() []scenario.Entry {
	f.t.Helper()
	es, err := f.term.Next()
	if err != nil {
		f.t.Fatal(err)
	}
	f.entries = append(f.entries, es...)
	return es
}

// say puts entries on the line. What the line does not take is lost, as it is on a
// real one.
func (f *firmware) say(es []scenario.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range es {
		frames, err := f.speaker.Frames(&es[i])
		if err != nil {
			f.t.Error(err)
			return
		}
		for _, fr := range frames {
			if _, err := f.socket.Line().Write(fr.Bytes); err != nil {
				return
			}
		}
	}
}

// reprint prints the open batch again, as the firmware does after a power cut.
func (f *firmware) reprint() {
	f.t.Helper()
	if f.closing != nil {
		f.say(f.closing)
		return
	}
	f.say(f.open())
}

// open returns the open batch as it would be printed again.
func (f *firmware) open() []scenario.Entry {
	f.t.Helper()
	es, err := f.term.Do(scenario.Step{Do: "reprint"})
	if err != nil {
		f.t.Fatal(err)
	}
	return es
}

// settles reports whether entries hold a settlement: the open batch ends there.
func settles(es []scenario.Entry) bool {
	return slices.ContainsFunc(es, func(e scenario.Entry) bool { return e.Record.Kind == "settlement" })
}

// truths returns the last truth of every refund and void, by number and kind.
func (f *firmware) truths() map[string]*scenario.Truth {
	out := map[string]*scenario.Truth{}
	bySeq := map[int64]string{}
	for _, e := range f.entries {
		k := number(e.Record.TerminalID, e.Record.Batch, e.Record.Stan) + " " + e.Record.Kind
		bySeq[e.Seq] = k
		if e.Truth != nil {
			out[k] = e.Truth
		}
		for _, r := range e.Revises {
			out[bySeq[r.Seq]] = r.Truth
		}
	}
	return maps.Clone(out)
}

func number(terminal, batch, stan string) string {
	return fmt.Sprintf("%s/%s/%s", terminal, batch, stan)
}

// pace waits a real moment between two things a firmware says.
func pace(d time.Duration) { <-time.After(d) }
