package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// listener reads a line as an agent would: it opens the pty again when it goes away.
type listener struct {
	mu    sync.Mutex
	got   []byte
	done  chan struct{}
	wg    sync.WaitGroup
	reply func(p []byte) []byte // what is written back; may be nil
}

// listen begins to listen; it must be called before play, so that the line is closed first at the end of the test.
func listen(t *testing.T, path string, reply func([]byte) []byte) *listener {
	t.Helper()
	l := &listener{done: make(chan struct{}), reply: reply}
	l.wg.Go(func() {
		for {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err == nil {
				l.read(f)
				f.Close()
			}
			select {
			case <-l.done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { close(l.done); l.wg.Wait() })
	return l
}

func (l *listener) read(f *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if err != nil || n == 0 {
			return
		}
		l.mu.Lock()
		l.got = append(l.got, buf[:n]...)
		l.mu.Unlock()
		if l.reply != nil {
			if _, err := f.Write(l.reply(buf[:n])); err != nil {
				return
			}
		}
	}
}

func (l *listener) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.got)
}

// set is one terminal on a pty with a journal.
type set struct {
	term   *Terminal
	socket *wire.Socket
	player *Player
	sent   []scenario.Entry
	states []Outcome
}

func play(t *testing.T, journal, link string, o Options, change func(*PlayerOptions)) *set {
	t.Helper()
	s := &set{}
	var err error
	if s.term, err = New(o); err != nil {
		t.Fatal(err)
	}
	if s.socket, err = wire.Plug("pty", link, 9600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.socket.Close() })
	j, err := OpenJournal(journal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	po := PlayerOptions{Terminal: s.term, Model: o.Model, Source: Customers(s.term), Socket: s.socket, Journal: j, Wait: true,
		Hold: true, Away: time.Millisecond, Sent: func(e *scenario.Entry, out Outcome) {
			s.sent, s.states = append(s.sent, *e), append(s.states, out)
		}}
	change(&po)
	if s.player, err = NewPlayer(po); err != nil {
		t.Fatal(err)
	}
	return s
}

// missing counts the entries whose record frame stands nowhere in what was read, as itself or as a reprint.
func missing(t *testing.T, model string, entries []scenario.Entry, read []byte) int {
	t.Helper()
	n := 0
	for _, e := range entries {
		e.Asked = false
		again := e
		again.Record.Copy = "reprint"
		found := e.Record.Training
		for _, v := range []scenario.Entry{e, again} {
			speaker, err := NewSpeaker(model, "mispos")
			if err != nil {
				t.Fatal(err)
			}
			frames, err := speaker.Frames(&v)
			if err != nil {
				continue // a query is no open transaction, so it is never printed again
			}
			for _, f := range frames {
				found = found || bytes.Contains(read, f.Bytes)
			}
		}
		if !found {
			n++
		}
	}
	return n
}

// TestPowerCutPrintsTheOpenBatchAgain: entries whose frames were cut come again, whatever the moment.
func TestPowerCutPrintsTheOpenBatchAgain(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "pos")
	l := listen(t, link, nil)
	s := play(t, filepath.Join(dir, "journal"), link, Options{Model: "traditional", Seed: 3}, func(o *PlayerOptions) {
		o.Count = 60
		o.Faults = wire.Faults{Power: []uint64{10, 25, 33}}
	})
	if err := s.player.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := missing(t, "traditional", s.sent, l.bytes()); n > 0 {
		t.Errorf("%d of %d entries were not read whole", n, len(s.sent))
	}
}

// TestJournalSurvivesKill: the second run goes on where the first was cut off, prints the open batch again, and does
// what one run would have done.
func TestJournalSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	link, journal := filepath.Join(dir, "pos"), filepath.Join(dir, "journal")
	o := Options{Model: "e-sign", Seed: 4}
	l := listen(t, link, nil)
	first := play(t, journal, link, o, func(o *PlayerOptions) { o.Count = 30 })
	if err := first.player.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	first.socket.Close()
	f, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"seq":31,"model":"e-s`) // the line that was being written
	f.Close()
	before := len(l.bytes())
	second := play(t, journal, link, o, func(o *PlayerOptions) { o.Count = 20 })
	open := len(first.term.open)
	if err := second.player.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := missing(t, "e-sign", first.term.open, l.bytes()[before:]); n > 0 {
		t.Errorf("%d of %d open entries were not printed again", n, open)
	}
	one, _ := month(t, o, 50)
	in, err := os.Open(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	both, err := scenario.ReadEntries(in)
	if err != nil || len(both) < 50 {
		t.Fatal(len(both), err)
	}
	for i := range 50 {
		if both[i].Seq != one[i].Seq || both[i].Record.Stan != one[i].Record.Stan || both[i].Record.Amount != one[i].Record.Amount {
			t.Fatalf("entry %d differs from what one run does", i+1)
		}
	}
	third := play(t, journal, link, Options{Model: "e-sign", Seed: 5}, func(*PlayerOptions) {})
	if err := third.player.Run(context.Background()); !errors.Is(err, ErrJournal) {
		t.Errorf("another seed went on with this journal: %v", err)
	}
}

// TestUnplugAndDamageAreReported: what is reported to have stood whole on the line was read.
func TestUnplugAndDamageAreReported(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "pos")
	l := listen(t, link, nil)
	s := play(t, filepath.Join(dir, "journal"), link, Options{Model: "e-sign", Seed: 6}, func(o *PlayerOptions) {
		o.Count = 120
		o.Faults = wire.Faults{Unplug: []uint64{20, 70}, Flip: 1e-4, Drop: 1e-4, Split: 0.2, Baud: []uint64{40}}
	})
	if err := s.player.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	read := l.bytes()
	whole := 0
	speaker, err := NewSpeaker("e-sign", "mispos")
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range s.sent {
		frames, err := speaker.Frames(&e)
		if err != nil {
			t.Fatal(err)
		}
		if s.states[i].Whole > 0 {
			whole++
			if !bytes.Contains(read, frames[len(frames)-1].Bytes) {
				t.Errorf("entry %d was reported to stand whole on the line", e.Seq)
			}
		}
	}
	if whole == 0 || whole == len(s.sent) {
		t.Errorf("%d of %d whole", whole, len(s.sent))
	}
}

// TestSmartSaysUntilConfirmed: an agent that confirms only every other frame gets each message all the same.
func TestSmartSaysUntilConfirmed(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "pos")
	asked := 0
	var buf []byte
	reply := func(p []byte) []byte {
		var out []byte
		buf = append(buf, p...)
		for {
			at := bytes.Index(buf, []byte{0x55, 0xAA})
			if at < 0 || len(buf) < at+10 {
				return out
			}
			n := 10 + int(buf[at+5])<<8 + int(buf[at+6])
			if len(buf) < at+n {
				if len(buf) > at+400 && at+n > len(buf)+8000 {
					buf = buf[at+2:]
					continue
				}
				return out
			}
			frame := buf[at : at+n]
			if !wire.HoldsSmart(frame) {
				buf = buf[at+2:]
				continue
			}
			if frame[2] == wire.SmartHandshake {
				out, _ = wire.AppendSmart(out, wire.SmartConfirm, 0, 0, nil)
			} else if asked++; asked%4 != 3 {
				out, _ = wire.AppendSmart(out, wire.SmartConfirm, frame[4], 0, nil)
			}
			buf = buf[at+n:]
		}
	}
	listen(t, link, reply)
	s := play(t, filepath.Join(dir, "journal"), link, Options{Model: "smart", Seed: 7}, func(o *PlayerOptions) {
		o.Count = 12
		o.Faults = wire.Faults{Unplug: []uint64{4}}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if err := s.player.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(s.sent) < 12 {
		t.Fatalf("%d sent", len(s.sent))
	}
	for i, out := range s.states {
		if !out.Confirmed {
			t.Errorf("entry %d went on without its confirm", i+1)
		}
	}
	j, err := OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, e := range j.Had() {
		if !j.Confirmed(e.Seq) {
			t.Errorf("the journal knows no confirm of entry %d", e.Seq)
		}
	}
}

// TestProgramme: what the demo shows has every label on every wire, and ends.
func TestProgramme(t *testing.T) {
	for _, o := range []Options{{Model: "e-sign", Wrong: 0.35}, {Model: "traditional", Wire: "cup8583", Wrong: 0.35}, {Model: "smart", Wrong: 0.35}} {
		for seed := range uint64(5) {
			o.Seed = seed
			term, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			speaker, err := NewSpeaker(o.Model, term.Wire())
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]int{}
			for src := Programme(term, term.Wire()); ; {
				es, err := src.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(o.Model, seed, err)
				}
				for i := range es {
					if _, err := speaker.Frames(&es[i]); err != nil {
						t.Fatal(o.Model, seed, err)
					}
					if es[i].Truth != nil {
						labels[es[i].Truth.Label]++
					}
				}
			}
			if labels[scenario.Wrong] < 3 || labels[scenario.Right] < 3 || labels[scenario.CannotTell] < 2 {
				t.Errorf("%s seed %d: %v", o.Model, seed, labels)
			}
		}
	}
}
