package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/mqtt/brokertest"
)

// hostileLine is one link on which a terminal works while something floods the line.
type hostileLine struct {
	*firmware
	wire   string
	rng    *rand.Rand
	donors [][]byte // frames of a terminal that is never on this line
	bytes  atomic.Int64
	frames atomic.Int64 // damaged frames with a right check byte
}

// strange is the number, eight digits, of a terminal whose frames only damage carries.
const strange = "66666666"

func newHostileLine(t *testing.T, model, wireName string, n int) *hostileLine {
	t.Helper()
	h := &hostileLine{wire: wireName, rng: rand.New(rand.NewPCG(10, uint64(n)))}
	h.firmware = newFirmwareOn(t, model, wireName, uint64(40+n))
	term, err := terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: uint64(40 + n), Wrong: 0.5, TerminalID: fmt.Sprintf("1000%04d", n)})
	if err != nil {
		t.Fatal(err)
	}
	h.term = term
	other := newFirmwareOn(t, model, wireName, uint64(90+n))
	if other.term, err = terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: uint64(90 + n), Wrong: 0.5, TerminalID: strange}); err != nil {
		t.Fatal(err)
	}
	for len(h.donors) < 200 {
		es := other.next()
		for i := range es {
			frames, err := other.speaker.Frames(&es[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				h.donors = append(h.donors, f.Bytes)
			}
		}
	}
	if wireName == "smart" {
		listen(t, h.socket.Line())
	}
	return h
}

// seal makes length and check byte of a frame right again; what is too short or too
// long to be a frame stays as it is.
func (h *hostileLine) seal(f []byte) {
	if h.wire == "smart" {
		if n := len(f); n > 10 && n <= 10+wire.MaxSmart {
			f[0], f[1], f[n-2], f[n-1] = 0x55, 0xAA, 0xCC, 0x33
			binary.BigEndian.PutUint16(f[5:], uint16(n-10))
			f[n-3] = xor(f[2 : n-3])
			h.frames.Add(1)
		}
		return
	}
	if n := len(f) - 5; n > 0 && n <= 9999 {
		f[0], f[n+3] = 0x02, 0x03
		f[1], f[2] = byte(n/1000<<4|n/100%10), byte(n/10%10<<4|n%10)
		f[n+4] = xor(f[1 : n+4])
		h.frames.Add(1)
	}
}

// noise returns one piece of hostile bytes: random ones, random ones that begin like a
// frame, a damaged frame as a line leaves it, or a damaged frame made right again.
func (h *hostileLine) noise() []byte {
	random := make([]byte, 1+h.rng.IntN(4096))
	for i := range random {
		random[i] = byte(h.rng.Uint32())
	}
	donor := bytes.Clone(h.donors[h.rng.IntN(len(h.donors))])
	switch h.rng.IntN(8) {
	case 0, 1, 2:
		return random
	case 3:
		copy(random, donor[:min(len(donor), 3)])
		return random
	case 4:
		return donor[:h.rng.IntN(len(donor))]
	case 5:
		return append(donor[:h.rng.IntN(len(donor))], random[:1+h.rng.IntN(len(random))]...)
	}
	for range 1 + h.rng.IntN(6) {
		donor[h.rng.IntN(len(donor))] ^= byte(1 + h.rng.IntN(255))
	}
	if h.rng.IntN(100) == 0 {
		at := h.rng.IntN(len(donor))
		donor = append(donor[:at], append(random[:h.rng.IntN(len(random))], donor[at:]...)...)
		h.seal(donor)
	}
	return donor
}

// flood writes hostile bytes until the end, and lets the terminal work between them.
func (h *hostileLine) flood(end time.Time) error {
	// No unfinished frame may swallow what the terminal says next.
	quiet := make([]byte, 2*wire.MaxSmart)
	for time.Now().Before(end) {
		for part := int64(0); part < 1<<20 && time.Now().Before(end); {
			piece := h.noise()
			if _, err := h.socket.Line().Write(piece); err != nil {
				return err
			}
			part += int64(len(piece))
			h.bytes.Add(int64(len(piece)))
		}
		if _, err := h.socket.Line().Write(quiet); err != nil {
			return err
		}
		h.say(h.next())
	}
	return nil
}

// Three terminals on three wires work while each line carries hostile bytes as fast as
// the daemon takes them: the daemon lives on as one process, stays below its cap, stores
// all that the terminals did, and neither store nor log nor traffic holds an identity.
// YUANLU_SOAK=1: ten minutes.
func TestE2EHostileLines(t *testing.T) {
	last := 10 * time.Second
	if os.Getenv("YUANLU_SOAK") != "" {
		last = 10 * time.Minute
	}
	lines := []*hostileLine{
		newHostileLine(t, "e-sign", "mispos", 1), newHostileLine(t, "traditional", "cup8583", 2), newHostileLine(t, "smart", "smart", 3),
	}
	more := ""
	for _, h := range lines[1:] {
		more += fmt.Sprintf("[[link]]\nname = %q\nwire = %q\nport = %q\nbaud = 115200\n", h.wire, h.wire, h.link)
	}
	broker := brokertest.Start(t, brokertest.Options{})
	st := newStation(t, settings{port: lines[0].link, broker: broker.URL(), extra: more})
	d := newDesk(t, broker.URL(), st.id)
	before := st.said("link.online")
	st.start()
	eventually(t, 20*time.Second, "three ports open", func() bool { return st.said("link.online") >= before+3 })
	pid := st.cmd.Process.Pid
	var wait sync.WaitGroup
	end := time.Now().Add(last)
	for _, h := range lines {
		wait.Go(func() {
			if err := h.flood(end); err != nil {
				t.Errorf("%s: %v", h.wire, err)
			}
		})
	}
	wait.Wait()
	var entries []scenario.Entry
	var secrets []string
	total := int64(0)
	for _, h := range lines {
		entries = append(entries, h.entries...)
		secrets = append(secrets, h.term.Secrets()...)
		total += h.bytes.Load()
		t.Logf("%s: %d MB of hostile bytes, %d damaged frames with a right check byte, %d entries", h.wire, h.bytes.Load()>>20, h.frames.Load(), len(h.entries))
	}
	ok := waitFor(60*time.Second, func() bool {
		lost, _, err := missing(st.store, entries)
		return err == nil && len(lost) == 0
	})
	if !ok {
		report(t, st.store, entries)
		t.Error("what the terminals did is not all in the store")
	}
	p := look(t, pid)
	if p.hwm > residentCap {
		t.Errorf("%d KiB resident, want at most %d", p.hwm, residentCap)
	}
	t.Logf("%d MB in %v, %d entries stored, at most %d KiB resident, %d KiB logged", total>>20, last, len(entries), p.hwm, len(st.log.String())>>10)
	st.stop()
	searchForSecrets(t, secrets, []string{st.store}, map[string][]byte{"log": []byte(st.log.String()), "MQTT traffic": d.bytes()})
}
