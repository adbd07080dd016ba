package usbip

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A client is the smallest USB/IP host: it writes commands and reads answers as
// the protocol's document has them, with code of its own.
type client struct {
	t    *testing.T
	conn net.Conn
	seq  uint32
}

func dial(t *testing.T, s *Server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, conn: conn}
}

func (c *client) read(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.conn, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// take imports a device and returns its 0x138 bytes; nil if it was refused.
func (c *client) take(busID string) []byte {
	c.t.Helper()
	request, _ := hex.DecodeString("01118003" + "00000000")
	id := make([]byte, 32)
	copy(id, busID)
	c.write(append(request, id...))
	reply := c.read(8)
	if status := binary.BigEndian.Uint32(reply[4:]); status != 0 {
		return nil
	}
	if got := hex.EncodeToString(reply); got != "0111000300000000" {
		c.t.Fatalf("reply header %s", got)
	}
	return c.read(0x138)
}

// submit sends a transfer and returns its sequence number.
func (c *client) submit(ep int, in bool, length int, setup string, data []byte) uint32 {
	c.t.Helper()
	c.seq++
	b := make([]byte, 48)
	be := binary.BigEndian
	be.PutUint32(b, 1)
	be.PutUint32(b[4:], c.seq)
	be.PutUint32(b[8:], 1<<16|1)
	if in {
		be.PutUint32(b[12:], 1)
	}
	be.PutUint32(b[16:], uint32(ep))
	be.PutUint32(b[24:], uint32(length))
	be.PutUint32(b[32:], 0xffffffff)
	s, err := hex.DecodeString(setup)
	if err != nil {
		c.t.Fatal(err)
	}
	copy(b[40:], s)
	c.write(append(b, data...))
	return c.seq
}

func (c *client) unlink(seq uint32) uint32 {
	c.seq++
	b := make([]byte, 48)
	binary.BigEndian.PutUint32(b, 2)
	binary.BigEndian.PutUint32(b[4:], c.seq)
	binary.BigEndian.PutUint32(b[20:], seq)
	c.write(b)
	return c.seq
}

type answer struct {
	Command, Seq uint32
	Status       int32
	Actual       uint32
	Data         string
}

// answer reads one; in: an IN transfer, whose data follows.
func (c *client) answer(in bool) answer {
	c.t.Helper()
	b := c.read(48)
	be := binary.BigEndian
	a := answer{Command: be.Uint32(b), Seq: be.Uint32(b[4:]), Status: int32(be.Uint32(b[20:]))}
	if a.Command == 3 {
		a.Actual = be.Uint32(b[24:])
		if in {
			a.Data = string(c.read(int(a.Actual)))
		}
	}
	return a
}

// control does one control request.
func (c *client) control(setup string, length int, data []byte) answer {
	c.t.Helper()
	s, _ := hex.DecodeString(setup)
	in := s[0]&0x80 != 0
	seq := c.submit(0, in, length, setup, data)
	a := c.answer(in)
	if a.Seq != seq {
		c.t.Fatalf("answer to %d, want %d", a.Seq, seq)
	}
	return a
}

func served(t *testing.T, cfg Config) (*Server, *Device) {
	t.Helper()
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := NewDevice(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := s.Plug(d); id != "1-1" || err != nil {
		t.Fatalf("Plug = %q, %v", id, err)
	}
	return s, d
}

func taken(t *testing.T, cfg Config) (*client, *Device) {
	t.Helper()
	s, d := served(t, cfg)
	c := dial(t, s)
	if c.take("1-1") == nil {
		t.Fatal("the import was refused")
	}
	return c, d
}

// Golden bytes after usbip_protocol.rst.
func TestDeviceList(t *testing.T) {
	s, _ := served(t, Config{Serial: "S-0001"})
	acm, err := NewDevice(Config{Kind: ACM, PacketSize: 512})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := s.Plug(acm); id != "1-2" || err != nil {
		t.Fatalf("Plug = %q, %v", id, err)
	}
	c := dial(t, s)
	for range 2 { // one connection may ask again
		c.write([]byte{0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0})
		got := hex.EncodeToString(c.read(12 + 0x138 + 4 + 0x138 + 8))
		text := func(s string, size int) string {
			return hex.EncodeToString(append([]byte(s), make([]byte, size-len(s))...))
		}
		want := "0111" + "0005" + "00000000" + "00000002" +
			text("/sys/devices/pci0000:00/0000:00:01.2/usb1/1-1", 256) + text("1-1", 32) +
			"00000001" + "00000001" + "00000002" + "1209" + "5053" + "0100" + "00" + "00" + "00" + "00" + "01" + "01" +
			"ff505300" +
			text("/sys/devices/pci0000:00/0000:00:01.2/usb1/1-2", 256) + text("1-2", 32) +
			"00000001" + "00000002" + "00000003" + "1209" + "5054" + "0100" + "02" + "00" + "00" + "00" + "01" + "02" +
			"02020100" + "0a000000"
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
}

func TestImport(t *testing.T) {
	s, d := served(t, Config{})
	for _, id := range []string{"1-2", "1-", "2-1", "1-1x", "", strings.Repeat("9", 32)} {
		t.Run(id, func(t *testing.T) {
			if dial(t, s).take(id) != nil {
				t.Errorf("device %q was given", id)
			}
		})
	}
	c := dial(t, s)
	if got := c.take("1-1"); len(got) != 0x138 {
		t.Fatal("the device was refused")
	}
	if dial(t, s).take("1-1") != nil {
		t.Error("a device that is taken was given again")
	}
	if _, err := s.Plug(d); err == nil {
		t.Error("a device was plugged twice")
	}
	// Let go, it may be taken again.
	c.control("0009010000000000", 0, nil)
	if err := d.Attached(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = c.conn.Close()
	for end := time.Now().Add(10 * time.Second); dial(t, s).take("1-1") == nil; {
		if time.Now().After(end) {
			t.Fatal("not to be had again")
		}
	}
}

func TestDescriptors(t *testing.T) {
	vendorConfig := "0902200001010080" + "32" + "0904000002ff505300" + "07058102400000" + "07050202400000"
	acmConfig := "0902430002010080" + "32" + "0904000001020201" + "00" + "0524001001" + "0524010001" + "04240202" + "0524060001" +
		"07058303080010" + "09040100020a000000" + "07058102000200" + "07050202000200"
	tests := []struct {
		name        string
		cfg         Config
		setup, want string
	}{
		{"device", Config{Serial: "x"}, "8006000100001200", "120100020000004009125350000101020301"},
		{"device without serial", Config{}, "8006000100001200", "120100020000004009125350000101020001"},
		{"device, eight bytes", Config{}, "8006000100000800", "1201000200000040"},
		{"acm device", Config{Kind: ACM, PacketSize: 512}, "8006000100001200", "120100020200004009125450000101020001"},
		{"configuration", Config{}, "800600020000ff00", vendorConfig},
		{"acm configuration", Config{Kind: ACM, PacketSize: 512}, "800600020000ff00", acmConfig},
		{"languages", Config{}, "800600030000ff00", "04030904"},
		{"serial", Config{Serial: "S1"}, "800603030904ff00", "060353003100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := taken(t, tt.cfg)
			setup, _ := hex.DecodeString(tt.setup)
			a := c.control(tt.setup, int(binary.LittleEndian.Uint16(setup[6:])), nil)
			if got := hex.EncodeToString([]byte(a.Data)); a.Status != 0 || got != tt.want {
				t.Errorf("status %d\n got %s\nwant %s", a.Status, got, tt.want)
			}
		})
	}
}

func TestRequestsADeviceRefuses(t *testing.T) {
	for name, setup := range map[string]string{
		"serial it does not have": "800603030904ff00",
		"qualifier":               "8006000600000a00",
		"BOS":                     "8006000f00000500",
		"configuration 2":         "0009020000000000",
		"vendor request":          "c001000000000400",
		"class request":           "a121000000000700",
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := taken(t, Config{})
			if a := c.control(setup, 0, nil); a.Status != -32 {
				t.Errorf("%s: status %d, want -32", name, a.Status)
			}
		})
	}
}

func TestBytesBothWays(t *testing.T) {
	c, d := taken(t, Config{Buffer: 100})
	if a := c.control("0009010000000000", 0, nil); a.Status != 0 {
		t.Fatal(a)
	}
	// IN waits for bytes; a transfer that asks for less gets less.
	first := c.submit(1, true, 4, "", nil)
	second := c.submit(1, true, 64, "", nil)
	if _, err := d.Write([]byte("abcdefg")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []answer{{3, first, 0, 4, "abcd"}, {3, second, 0, 3, "efg"}} {
		if d := cmp.Diff(want, c.answer(true)); d != "" {
			t.Error(d)
		}
	}
	// OUT waits for room: the third stays until the firmware reads.
	for i, piece := range []int{60, 40, 50} {
		seq := c.submit(2, false, piece, "", bytes.Repeat([]byte{byte('x' + i)}, piece))
		if i < 2 {
			if d := cmp.Diff(answer{3, seq, 0, uint32(piece), ""}, c.answer(false)); d != "" {
				t.Error(d)
			}
		}
	}
	got := make([]byte, 150)
	if _, err := io.ReadFull(d, got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("x", 60) + strings.Repeat("y", 40) + strings.Repeat("z", 50); string(got) != want {
		t.Errorf("the firmware read %q", got)
	}
	if a := c.answer(false); a.Status != 0 || a.Actual != 50 {
		t.Errorf("the transfer that waited: %+v", a)
	}
}

func TestUnlink(t *testing.T) {
	c, d := taken(t, Config{})
	waiting := c.submit(1, true, 64, "", nil)
	u := c.unlink(waiting)
	if diff := cmp.Diff(answer{4, u, -104, 0, ""}, c.answer(false)); diff != "" {
		t.Error(diff)
	}
	// The bytes go to the next transfer, and one that has ended cannot be unlinked.
	if _, err := d.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	next := c.submit(1, true, 64, "", nil)
	if diff := cmp.Diff(answer{3, next, 0, 4, "kept"}, c.answer(true)); diff != "" {
		t.Error(diff)
	}
	u = c.unlink(next)
	if diff := cmp.Diff(answer{4, u, 0, 0, ""}, c.answer(false)); diff != "" {
		t.Error(diff)
	}
}

func TestStallLastsUntilItIsCleared(t *testing.T) {
	c, d := taken(t, Config{})
	d.SetFaults(Faults{StallIn: 1, StallOut: 1})
	if _, err := d.Write([]byte("data")); err != nil {
		t.Fatal(err)
	}
	for _, ep := range []struct {
		number, address string
		in              bool
	}{{"IN", "81", true}, {"OUT", "02", false}} {
		t.Run(ep.number, func(t *testing.T) {
			number := map[bool]int{true: 1, false: 2}[ep.in]
			for range 2 {
				c.submit(number, ep.in, 0, "", nil)
				if a := c.answer(ep.in); a.Status != -32 {
					t.Errorf("%s: status %d, want -32", ep.number, a.Status)
				}
			}
			if a := c.control("82000000"+ep.address+"000200", 2, nil); a.Data != "\x01\x00" {
				t.Errorf("%s: GET_STATUS %q, want halted", ep.number, a.Data)
			}
			if a := c.control("02010000"+ep.address+"000000", 0, nil); a.Status != 0 {
				t.Errorf("%s: CLEAR_FEATURE: %d", ep.number, a.Status)
			}
		})
	}
	c.submit(1, true, 64, "", nil)
	if a := c.answer(true); a.Data != "data" {
		t.Errorf("after the stall: %+v", a)
	}
}

func TestFaultsOfInTransfers(t *testing.T) {
	c, d := taken(t, Config{})
	d.SetFaults(Faults{ZeroLength: 1, Babble: 1, MaxTransfer: 3})
	var got []answer
	for range 2 {
		c.submit(1, true, 8, "", nil)
		got = append(got, c.answer(true))
	}
	if _, err := d.Write([]byte("abcde")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c.submit(1, true, 8, "", nil)
		got = append(got, c.answer(true))
	}
	want := []answer{
		{3, 1, 0, 0, ""}, {3, 2, -75, 0, ""},
		{3, 3, 0, 3, "abc"}, {3, 4, 0, 2, "de"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsOfControlRequests(t *testing.T) {
	c, d := taken(t, Config{})
	d.SetFaults(Faults{StallControl: 1})
	if a := c.control("8006000100001200", 18, nil); a.Status != -32 {
		t.Errorf("refused request: %+v", a)
	}
	d.SetFaults(Faults{HangControl: 1, VanishControl: 2})
	hung := c.submit(0, true, 18, "8006000100001200", nil)
	u := c.unlink(hung)
	if diff := cmp.Diff(answer{4, u, -104, 0, ""}, c.answer(false)); diff != "" {
		t.Error(diff)
	}
	c.submit(0, true, 18, "8006000100001200", nil)
	if n, err := c.conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from a device that vanished", n)
	}
	if _, err := d.Write([]byte("x")); err != io.ErrClosedPipe {
		t.Errorf("Write: %v", err)
	}
	if _, err := d.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: %v", err)
	}
}

func TestFaultsOfOutTransfers(t *testing.T) {
	c, d := taken(t, Config{})
	d.SetFaults(Faults{HangOut: 1})
	hung := c.submit(2, false, 4, "", []byte("lost"))
	u := c.unlink(hung)
	if diff := cmp.Diff(answer{4, u, -104, 0, ""}, c.answer(false)); diff != "" {
		t.Error(diff)
	}
	c.submit(2, false, 4, "", []byte("here"))
	if a := c.answer(false); a.Status != 0 || a.Actual != 4 {
		t.Errorf("after it: %+v", a)
	}
	buf := make([]byte, 16)
	if n, err := d.Read(buf); string(buf[:n]) != "here" || err != nil {
		t.Errorf("the device read %q, %v", buf[:n], err)
	}
}

// A device may describe itself as something else altogether.
func TestRewrittenDescriptors(t *testing.T) {
	c, _ := taken(t, Config{
		RewriteDevice: func(b []byte) []byte { b[4] = 9; return b },
		Rewrite:       func(b []byte) []byte { return append(b, make([]byte, 60_000)...) },
	})
	if a := c.control("8006000100001200", 18, nil); len(a.Data) != 18 || a.Data[4] != 9 {
		t.Errorf("device descriptor %x", a.Data)
	}
	if a := c.control("800600020000ffff", 65535, nil); a.Actual != 60_032 {
		t.Errorf("a configuration of %d bytes", a.Actual)
	}
}

func TestUnplug(t *testing.T) {
	s, d := served(t, Config{})
	c := dial(t, s)
	c.take("1-1")
	c.submit(1, true, 64, "", nil)
	read := make(chan error, 1)
	go func() { _, err := d.Read(make([]byte, 1)); read <- err }()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != io.EOF {
		t.Errorf("Read: %v", err)
	}
	if n, err := c.conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes after the unplug", n)
	}
	next, err := NewDevice(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := s.Plug(next); id != "1-1" || err != nil {
		t.Errorf("the next device: %q, %v; the port is free again", id, err)
	}
	if _, err := s.Plug(d); err == nil {
		t.Error("an unplugged device was plugged in again")
	}
}

func TestLineOfAModem(t *testing.T) {
	c, d := taken(t, Config{Kind: ACM})
	c.control("0009010000000000", 0, nil)
	c.control("2120000000000700", 7, []byte{0x00, 0xc2, 0x01, 0x00, 0, 0, 8}) // 115200
	c.control("2122010000000000", 0, nil)                                     // DTR
	if baud, bits, dtr := d.Line(); baud != 115200 || bits != 8 || !dtr {
		t.Errorf("Line = %d, %d, %v", baud, bits, dtr)
	}
	if a := c.control("a121000000000700", 7, nil); a.Data != "\x00\xc2\x01\x00\x00\x00\x08" {
		t.Errorf("GET_LINE_CODING % x", a.Data)
	}
}

func TestDeadlinesOfTheFirmwareEnd(t *testing.T) {
	_, d := served(t, Config{Buffer: 10})
	_ = d.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	_ = d.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := d.Write(make([]byte, 11)); n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %d, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := d.Attached(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Attached: %v", err)
	}
}

func TestConfigsNoHardwareHas(t *testing.T) {
	for name, cfg := range map[string]Config{
		"packets": {PacketSize: 63}, "kind": {Kind: 9}, "string": {Serial: strings.Repeat("x", 127)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewDevice(cfg); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
}

// Whatever a host sends, the reader of commands ends with an error or a command
// within its limits.
func FuzzReadCommand(f *testing.F) {
	submit := make([]byte, 48)
	submit[3], submit[27], submit[19] = 1, 4, 2
	f.Add(append(submit, "data"...))
	f.Add(append(bytes.Repeat([]byte{0, 0, 0, 2}, 12), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		command, u, _, err := readCommand(bytes.NewReader(b))
		switch {
		case err != nil:
		case command == cmdSubmit && (u.ep > 15 || u.length > maxTransfer || !u.in && len(u.data) != u.length):
			t.Errorf("accepted %+v", u)
		case command != cmdSubmit && command != cmdUnlink:
			t.Errorf("command %d", command)
		}
	})
}
