package e2e

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/firmware-sim/wire"
)

// TestE2EGuardUnderAFlood: 1 000 asks a second on the wire, right and wrong ones and such as are not to their form, while a
// till asks as fast as it can: each is answered or refused and counted, and of the sales between them none is lost.
func TestE2EGuardUnderAFlood(t *testing.T) {
	const asks, every, history = 3000, 10, 2000
	line, err := wire.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	st := newStation(t, settings{port: line.Place(), wire: "smart", link: `guard = "hold"`})
	withHistory(t, st.store, history)
	st.startOnline()
	f := askFlood{line: line, answers: map[string]string{}}
	read := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		defer close(read)
		_ = f.read() // ends when the line is closed
	})
	listening.Go(func() { f.confirm(read) })
	tills := make(chan map[int]int, 1)
	c := &counter{station: st}
	go func() {
		defer close(tills) // should the test end in there
		tills <- c.askFast(t)
	}()
	var encoder wire.Smart
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var bytes []byte
	for i := range asks {
		about := askAbout(i, (i+1)*7919%history)
		if i%3 == 2 {
			about.Kind = "sale" // no ask
		}
		frame, err := encoder.Guard("guard.ask", wire.Envelope{TerminalID: "10000001", MerchantID: "898000000000001", Operator: "01"}, about)
		if err != nil {
			t.Fatal(err)
		}
		bytes = append(bytes, frame.Bytes...)
		if i%every == 0 {
			sale := saleAt(history + i)
			frames, err := encoder.Encode(&sale)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range frames {
				bytes = append(bytes, one.Bytes...)
			}
		}
		if i%every == every-1 { // ten in 10 ms
			<-tick.C
			if err := f.write(bytes); err != nil {
				t.Fatal(err)
			}
			bytes = bytes[:0]
		}
	}
	eventually(t, 2*time.Minute, "every ask answered", func() bool { return f.count("") == asks })
	eventually(t, 2*time.Minute, "every sale stored", func() bool { return newest(t, st.store) == history+asks/every })
	if n := f.count("refused"); n != asks/3 {
		t.Errorf("%d refused, want %d", n, asks/3)
	}
	seen := <-tills
	var s struct {
		Asks struct{ Answers, Refused map[string]int }
	}
	if err := json.Unmarshal([]byte(st.out("status", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	answered := 0
	for _, n := range s.Asks.Answers {
		answered += n
	}
	if answered != asks-asks/3+seen[200] || s.Asks.Refused["form"] != asks/3 || s.Asks.Refused["too_many"] != seen[429] {
		t.Errorf("counted %+v; tills %v", s.Asks, seen)
	}
	t.Logf("wire: %d proceed, %d confirm, %d hold, %d refused; tills %v; counted %+v", f.count("proceed"), f.count("confirm"), f.count("hold"), f.count("refused"), seen, s.Asks)
	line.Close()
	listening.Wait()
	if out := st.log.String(); len(out) > 1<<20 || strings.Count(out, "ask.refused") > asks/10 {
		t.Errorf("%d bytes of log", len(out))
	}
}

// askFast asks 300 times over the socket of the local API, one after the other, and returns how often which status came.
func (c *counter) askFast(t *testing.T) map[int]int {
	seen := map[int]int{}
	for i := range 300 {
		about := askAbout(1_000_000+2*i, i)
		text, err := json.Marshal(about)
		if err != nil {
			t.Error(err)
			return seen
		}
		status, _ := c.till(t, "/v1/asks", strings.Replace(string(text), "{", `{"merchant_id":"898000000000001","terminal_id":"10000001","operator":"01",`, 1))
		seen[status]++
	}
	return seen
}

// askFlood is the firmware's end of a line: it writes without waiting, and confirms what comes. It goes on reading while the
// line takes none of its bytes, as a firmware with a buffer does: a daemon that stores slowly takes no confirms for a while.
type askFlood struct {
	line *wire.PTY

	writing sync.Mutex // frames are written whole
	mu      sync.Mutex // guards the rest
	answers map[string]string
	owed    []byte // confirms
}

func (f *askFlood) write(b []byte) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	_, err := f.line.Write(b)
	return err
}

// confirm writes the confirms that are owed until end.
func (f *askFlood) confirm(end <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		f.mu.Lock()
		owed := f.owed
		f.owed = nil
		f.mu.Unlock()
		if f.write(owed) != nil {
			return // the line is closed
		}
	}
}

// read takes in what comes until the line is closed.
func (f *askFlood) read() error {
	var in wire.Incoming
	buf := make([]byte, 16<<10)
	for {
		n, err := f.line.Read(buf)
		if err != nil {
			return err
		}
		for _, one := range in.Push(buf[:n]) {
			if one.Kind == wire.SmartData {
				if err := f.take(one); err != nil {
					return err
				}
			}
		}
	}
}

// take keeps an answer, and owes its confirm.
func (f *askFlood) take(one wire.Arrived) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.owed, err = wire.AppendSmart(f.owed, wire.SmartConfirm, one.ID, 0, nil); err != nil {
		return err
	}
	if got, ok := wire.ReadGuard(one.Data); ok && got.Src == "guard.answer" {
		f.answers[got.Ask] = got.Action
	}
	return nil
}

// count returns how many asks have an answer with that action, "" any.
func (f *askFlood) count(action string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.answers {
		if action == "" || a == action {
			n++
		}
	}
	return n
}
