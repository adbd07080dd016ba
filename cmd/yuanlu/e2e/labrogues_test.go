package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"yuanlu/firmware-sim/usbip"
)

// for ever, as far as a test is concerned.
const always = 1 << 30

// A rogue is a device that misbehaves, and what the agent has to say of it.
type rogue struct {
	name   string
	cfg    usbip.Config
	first  usbip.Faults // from the first request on
	later  usbip.Faults // once it is configured, before anybody opens it
	sends  []byte
	state  string
	says   string // part of the reason
	shakes bool   // it can be talked to all the same
}

// interfaces returns a configuration of n interfaces like the terminal's.
func interfaces(n int) func([]byte) []byte {
	return func(c []byte) []byte {
		one := c[9:]
		out := bytes.Clone(c[:9])
		for i := range n {
			at := len(out)
			out = append(out, one...)
			out[at+2] = byte(i)
			const in, outAt = 9 + 2, 9 + 7 + 2 // endpoint addresses
			out[at+in], out[at+outAt] = 0x80|byte(1+i%7*2), byte(2+i%7*2)
		}
		out[4] = byte(n)
		binary.LittleEndian.PutUint16(out[2:], uint16(len(out)))
		return out
	}
}

// filled makes a configuration of 60 000 bytes.
func filled(c []byte) []byte {
	for len(c) < 60_000 {
		c = append(c, 250, 0x24)
		c = append(c, make([]byte, 248)...)
	}
	binary.LittleEndian.PutUint16(c[2:], uint16(len(c)))
	return c
}

func rogues() []rogue {
	all := []rogue{
		{name: "no endpoints", cfg: usbip.Config{Rewrite: func(c []byte) []byte { c[2], c[13] = 18, 0; return c[:18] }},
			state: "absent", says: "no interface of class ff"},
		{name: "a configuration of 60000 bytes", cfg: usbip.Config{Rewrite: filled}, state: "online", shakes: true},
		{name: "30 interfaces", cfg: usbip.Config{Rewrite: interfaces(30)}, state: "online", shakes: true},
		{name: "200 interfaces", cfg: usbip.Config{Rewrite: interfaces(200)}, state: "absent", says: "200 interfaces, at most 32"},
		{name: "says it is longer", cfg: usbip.Config{Rewrite: func(c []byte) []byte { c[2] += 40; return c }},
			state: "absent", says: "descriptors: offset"},
		{name: "interface 3 of 1", cfg: usbip.Config{Rewrite: func(c []byte) []byte { c[11] = 3; return c }},
			state: "absent", says: "interface 3 of 1"},
		{name: "a hub", cfg: usbip.Config{RewriteDevice: func(b []byte) []byte { b[4] = 9; return b }},
			state: "absent", says: "no such USB device"},
		{name: "stalls for ever", later: usbip.Faults{StallIn: always}, state: "absent", says: "stall"},
		{name: "babbles for ever", later: usbip.Faults{Babble: always}, state: "absent", says: "again and again"},
		{name: "answers no request", later: usbip.Faults{HangControl: always}, state: "online", shakes: true}, // needs none
		{name: "refuses every request", later: usbip.Faults{StallControl: always}, state: "online", shakes: true},
		{name: "stalls and answers no request", later: usbip.Faults{StallIn: always, HangControl: always}, state: "absent", says: "stall"},
		{name: "sends nothing, and again", later: usbip.Faults{ZeroLength: always}, state: "online"},
		{name: "one byte at a time", later: usbip.Faults{MaxTransfer: 1}, state: "online", shakes: true},
		{name: "takes nothing", later: usbip.Faults{HangOut: always}, sends: []byte{0x55, 0xaa, 1, 0, 0, 0, 0, 1, 0xcc, 0x33}, state: "online"},
		{name: "garbage", sends: bytes.Repeat([]byte{0x55, 0xaa, 0, 0, 1, 0x40, 0, 0xff}, 4<<10), state: "online", shakes: true},
	}
	all = append(all, rogue{name: "stalls and vanishes in clearing", later: usbip.Faults{StallIn: 1, VanishControl: 1},
		state: "absent", says: "no such USB device"})
	for _, n := range []int{2, 5, 8} { // the kernel asks so often before anybody may open it; later ones depend on who reads its names
		all = append(all, rogue{name: fmt.Sprintf("vanishes in request %d", n), first: usbip.Faults{VanishControl: n},
			state: "absent", says: "no such USB device"})
	}
	return all
}

// meet plugs a rogue in and hears what the agent says.
func (d *deviceBench) meet(t *testing.T, r rogue) {
	device := d.plug(t, r.cfg, r.first)
	if r.later != (usbip.Faults{}) {
		if err := device.Attached(t.Context()); err != nil {
			t.Fatal(err)
		}
		device.SetFaults(r.later)
	}
	if r.sends != nil {
		if _, err := device.Write(r.sends); err != nil {
			t.Fatal(err)
		}
	}
	if r.first.VanishControl+r.later.VanishControl > 0 && !waitFor(15*time.Second, func() bool { return device.Faults().VanishControl == 0 }) {
		t.Errorf("nobody has sent it so many requests")
	}
	t.Log(d.says(t, r.state, r.says))
	if r.shakes {
		d.shakes(t, device)
	}
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}
