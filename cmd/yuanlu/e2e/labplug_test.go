package e2e

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// plug is a simulated terminal as a USB device whose plug a test pulls.
type plug struct {
	*firmware
	bench *labBench
	pulls atomic.Int64 // plugs pulled so far
}

// newPlug offers a device over USB/IP and asks the guest to attach it.
func newPlug(t *testing.T, b *labBench, model, terminalID string, seed uint64) *plug {
	t.Helper()
	wireName := map[string]string{"smart": "smart", "e-sign": "mispos"}[model]
	term, err := terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: seed, TerminalID: terminalID, Wrong: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := terminal.NewSpeaker(model, wireName)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := wire.PlugUSB("127.0.0.1:0", "SIM-"+terminalID, model != "smart")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	p := &plug{firmware: &firmware{t: t, term: term, speaker: speaker, socket: socket}, bench: b}
	p.attach()
	return p
}

// attach asks the guest to take the device over as it is plugged in now.
func (p *plug) attach() {
	server, bus, _ := strings.Cut(p.socket.Place(), " busid ")
	_, port, _ := strings.Cut(server, ":")
	p.bench.task("attach 10.0.2.2:" + port + " " + bus)
}

// pull takes the plug out and puts it in again.
func (p *plug) pull(away time.Duration) {
	if err := p.socket.Replug(away); err != nil {
		p.t.Error(err)
		return
	}
	p.pulls.Add(1)
	p.attach()
}

// pullAtRandom pulls the plug n times. back waits until the agent has the device
// again; now and then that is not waited for, and the plug comes out in the middle of
// enumeration or of opening.
func (p *plug) pullAtRandom(rng *rand.Rand, n int, back func(pulls int64)) {
	for i := range n {
		if rng.IntN(5) > 0 {
			back(p.pulls.Load())
		}
		pace(time.Duration(rng.IntN(1200)) * time.Millisecond)
		p.pull(time.Duration(20+rng.IntN(300)) * time.Millisecond)
		if i == n-1 {
			back(p.pulls.Load())
		}
	}
}

// smartMouth says one message at a time, again and again until the agent confirms
// it, as the firmware does.
type smartMouth struct {
	*plug
	confirms chan byte
	stopped  chan struct{} // no further customers
	ended    sync.WaitGroup

	mu        sync.Mutex
	confirmed []scenario.Entry
	after     int64 // pulls there were at the newest confirm
}

func (m *smartMouth) start() {
	m.confirms, m.stopped = make(chan byte, 1024), make(chan struct{})
	m.ended.Go(m.speak)
	go m.listen()
}

// listen ends with the socket.
func (m *smartMouth) listen() {
	buf := make([]byte, 4096)
	for {
		line := m.socket.Line()
		var in wire.Confirms
		for {
			n, err := line.Read(buf)
			for _, id := range in.Push(buf[:n]) {
				m.confirms <- id
			}
			if err != nil {
				break
			}
		}
		for m.socket.Line() == line {
			select {
			case <-m.t.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

func (m *smartMouth) speak() {
	for {
		select {
		case <-m.stopped:
			return
		case <-m.t.Context().Done():
			return
		default:
		}
		es, err := m.term.Next()
		if err != nil {
			m.t.Error(err)
			return
		}
		for i := range es {
			if !m.deliver(&es[i]) {
				return
			}
		}
	}
}

// deliver says an entry until every frame of it is confirmed.
func (m *smartMouth) deliver(e *scenario.Entry) bool {
	frames, err := m.speaker.Frames(e)
	if err != nil {
		m.t.Error(err)
		return false
	}
	for _, f := range frames {
		const idAt = 4 // 55 AA type ack id
		for !m.said(f.Bytes, f.Bytes[idAt]) {
			if m.t.Context().Err() != nil {
				return false
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.confirmed = append(m.confirmed, *e)
	return true
}

// said says a frame once and waits a second for its confirm.
func (m *smartMouth) said(frame []byte, id byte) bool {
	pulls := m.pulls.Load()
	_, err := m.socket.Line().Write(frame) // a plug that is out is seen by the missing confirm
	end := time.After(time.Second)
	if err != nil {
		end = time.After(20 * time.Millisecond)
	}
	for {
		select {
		case got := <-m.confirms:
			if got == id {
				m.mu.Lock()
				m.after = pulls
				m.mu.Unlock()
				return true
			}
		case <-end:
			return false
		case <-m.t.Context().Done():
			return false
		}
	}
}

// back waits until a message was confirmed that was said after so many pulls.
func (m *smartMouth) back(pulls int64) {
	ok := waitFor(time.Minute, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.after >= pulls && len(m.confirmed) > 0
	})
	if !ok {
		m.t.Errorf("smart: no confirm within a minute after plug %d", pulls)
	}
}

func (m *smartMouth) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.confirmed)
}

func (m *smartMouth) stop() {
	close(m.stopped)
	m.ended.Wait()
}

// modemMouth is the e-sign terminal: what it sends is not confirmed, so after the
// plug was out it says its open batch again. Its day ends before the settlement.
type modemMouth struct {
	*plug
	stopped chan struct{}
	ended   sync.WaitGroup
	said    atomic.Int64 // pulls there were when the batch was said to an open port
}

func (m *modemMouth) start() {
	m.stopped = make(chan struct{})
	m.said.Store(-1)
	m.ended.Go(func() {
		night := false
		for m.alive() {
			if pulls := m.pulls.Load(); m.said.Load() != pulls {
				if m.socket.Open() && m.again() && m.pulls.Load() == pulls {
					m.said.Store(pulls)
				}
			} else if es := m.customer(&night); len(es) > 0 {
				m.say(es)
			}
			pace(20 * time.Millisecond)
		}
	})
}

// again says the open batch once more, and tells whether the port stayed open.
func (m *modemMouth) again() bool {
	if batch := m.batch(); batch != nil {
		m.say(batch)
	}
	return m.socket.Open()
}

// batch is the open batch as it is printed again.
func (m *modemMouth) batch() []scenario.Entry {
	if m.closing != nil {
		return m.closing
	}
	batch, err := m.term.Do(scenario.Step{Do: "reprint"})
	if err != nil {
		m.t.Error(err)
	}
	return batch
}

// customer lets the next one come, until one would come after the day's end.
func (m *modemMouth) customer(night *bool) []scenario.Entry {
	if *night {
		return nil
	}
	batch := m.batch()
	es, err := m.term.Next()
	if err != nil {
		m.t.Error(err)
	}
	if err != nil || settles(es) {
		*night, m.closing = true, batch
		return nil
	}
	m.entries = append(m.entries, es...)
	return es
}

func (m *modemMouth) alive() bool {
	select {
	case <-m.stopped:
		return false
	case <-m.t.Context().Done():
		return false
	default:
		return true
	}
}

// back waits until the batch was said again after so many pulls.
func (m *modemMouth) back(pulls int64) {
	if !waitFor(time.Minute, func() bool { return m.said.Load() >= pulls }) {
		m.t.Errorf("e-sign: the port was not open within a minute after plug %d", pulls)
	}
}

func (m *modemMouth) stop() {
	close(m.stopped)
	m.ended.Wait()
}
