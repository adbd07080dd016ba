package usblab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/drivers/drivertest"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
	"yuanlu/firmware-sim/usbip"
)

func guestOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("YUANLU_USBLAB") != "guest" {
		t.Skip("runs in the lab's guest, started by TestLab")
	}
}

// A bench plugs devices into this machine by a server of its own.
type bench struct {
	server *usbip.Server
	plugs  int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	eventually(t, "the devices of the test before are gone", func() bool {
		devices, err := usbport.List()
		return err == nil && len(devices) == 0
	})
	server, err := usbip.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{server: server}
}

// A plugged device has a serial number of its own, by which it is found.
type plugged struct {
	*usbip.Device
	serial string
}

func (p *plugged) Unplug() error { return p.Close() }

// plug makes a device and attaches it; the kernel still has to find it.
func (b *bench) plug(t *testing.T, cfg usbip.Config) *plugged {
	t.Helper()
	b.plugs++
	cfg.Serial = fmt.Sprintf("LAB-%d", b.plugs)
	d, err := usbip.NewDevice(cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := b.server.Plug(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := usbip.Attach(b.server.Addr(), id); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return &plugged{d, cfg.Serial}
}

// eventually waits for something that kernel events announce.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	events := usbport.NewEvents()
	defer events.Close()
	for end := time.Now().Add(step); !is(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, step)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = events.Wait(ctx)
		cancel()
	}
}

func (b *bench) terminal(t *testing.T, cfg usbip.Config) *plugged {
	t.Helper()
	p := b.plug(t, cfg)
	eventually(t, "the terminal", func() bool {
		devices, err := usbport.List()
		for _, d := range devices {
			if d.Name.Serial == p.serial && (d.Terminal || d.Fault != "") {
				return true
			}
		}
		return err != nil
	})
	return p
}

func name(p *plugged) usbport.Config {
	return usbport.Config{VendorID: 0x1209, ProductID: 0x5053, Serial: p.serial}
}

func openUSB(ctx context.Context, peer drivertest.Peer) (drivertest.Port, error) {
	p, err := usbport.Open(ctx, name(peer.(*plugged)))
	if err != nil {
		return nil, err
	}
	return p, nil
}

func TestGuestVendorConformance(t *testing.T) {
	guestOnly(t)
	for packet, cycles := range map[int]int{64: 4, 512: 2} {
		t.Run(fmt.Sprintf("%d-byte packets", packet), func(t *testing.T) {
			b := newBench(t)
			drivertest.Run(t, drivertest.Harness{
				Plug: func(t *testing.T) drivertest.Peer { return b.terminal(t, usbip.Config{PacketSize: packet}) },
				Open: openUSB, Gone: usbport.ErrGone, Busy: usbport.ErrBusy,
				Patience: step, Cycles: cycles, Bulk: 256 << 10,
			})
		})
	}
}

func TestGuestModemConformance(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	node := func(p *plugged) string {
		devices, err := serialport.List()
		if err != nil {
			t.Error(err)
		}
		for _, d := range devices {
			if d.Serial == p.serial {
				if _, err := os.Stat(d.Node); err == nil {
					return d.Node
				}
			}
		}
		return ""
	}
	drivertest.Run(t, drivertest.Harness{
		Plug: func(t *testing.T) drivertest.Peer {
			p := b.plug(t, usbip.Config{Kind: usbip.ACM, PacketSize: 512})
			eventually(t, "the modem", func() bool { return node(p) != "" })
			return p
		},
		Open: func(ctx context.Context, peer drivertest.Peer) (drivertest.Port, error) {
			// By its stable name, without a link: there is no udev here.
			p, err := serialport.Open(ctx, serialport.Config{
				Port: "usb-Yuanlu_Simulated_e-sign_POS_" + peer.(*plugged).serial + "-if00", Baud: 115200})
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Gone: serialport.ErrGone, Busy: serialport.ErrBusy,
		Patience: step, Cycles: 4,
	})
}

// The line settings reach the device.
func TestGuestModemSettings(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	p := b.plug(t, usbip.Config{Kind: usbip.ACM})
	byID := "usb-Yuanlu_Simulated_e-sign_POS_" + p.serial + "-if00"
	var port *serialport.Port
	eventually(t, "the modem", func() bool {
		var err error
		port, err = serialport.Open(t.Context(), serialport.Config{Port: byID, Baud: 57600, DataBits: 7, Parity: "even"})
		return err == nil
	})
	defer port.Close()
	eventually(t, "the settings", func() bool {
		baud, bits, dtr := p.Line()
		return baud == 57600 && bits == 7 && dtr
	})
}

func (b *bench) open(t *testing.T, cfg usbip.Config) (*plugged, *usbport.Port) {
	t.Helper()
	p := b.terminal(t, cfg)
	port, err := usbport.Open(t.Context(), name(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p, port
}

// readAll reads want bytes before the step's deadline.
func readAll(t *testing.T, port *usbport.Port, want int) []byte {
	t.Helper()
	if err := port.SetReadDeadline(time.Now().Add(step)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, want)
	if n, err := io.ReadFull(port, got); err != nil {
		t.Fatalf("read %d of %d: %v", n, want, err)
	}
	return got
}

// Faults that a port lives through, without a byte lost.
func TestGuestFaultsThatPass(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	message := bytes.Repeat([]byte("0123456789abcdef"), 100)
	for name, faults := range map[string]usbip.Faults{
		"stall in":            {StallIn: 2},
		"stall out":           {StallOut: 2},
		"babble":              {Babble: 3},
		"zero-length packets": {ZeroLength: 300},
		"short packets":       {MaxTransfer: 7},
	} {
		t.Run(name, func(t *testing.T) {
			p, port := b.open(t, usbip.Config{})
			p.SetFaults(faults)
			go func() { _, _ = p.Write(message) }()
			if got := readAll(t, port, len(message)); !bytes.Equal(got, message) {
				t.Error("bytes differ")
			}
			if _, err := port.Write(message); err != nil {
				t.Fatalf("Write: %v", err)
			}
			got := make([]byte, len(message))
			_ = p.SetReadDeadline(time.Now().Add(step))
			if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, message) {
				t.Errorf("the device read: %v", err)
			}
			left := p.Faults()
			left.MaxTransfer = 0
			if left != (usbip.Faults{}) {
				t.Errorf("faults that did not happen: %+v", left)
			}
		})
	}
}

// Faults that end a port: an error at once, Close works, and the next device too.
func TestGuestFaultsThatEndThePort(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	for name, faults := range map[string]usbip.Faults{
		"stalls for ever":            {StallIn: 1 << 30},
		"babbles for ever":           {Babble: 1 << 30},
		"vanishes in clearing":       {StallIn: 1, VanishControl: 1},
		"never answers the clearing": {StallIn: 1 << 30, HangControl: 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			p, port := b.open(t, usbip.Config{})
			p.SetFaults(faults)
			if err := port.SetReadDeadline(time.Now().Add(step)); err != nil {
				t.Fatal(err)
			}
			if _, err := port.Read(make([]byte, 64)); !errors.Is(err, usbport.ErrGone) {
				t.Errorf("Read: %v, want ErrGone", err)
			}
			if _, err := port.Write([]byte("x")); !errors.Is(err, usbport.ErrGone) {
				t.Errorf("Write: %v, want ErrGone", err)
			}
		})
	}
	p, port := b.open(t, usbip.Config{})
	go func() { _, _ = p.Write([]byte("well")) }()
	readAll(t, port, 4)
}

// A device whose descriptors would break the library is refused by name, and one
// beside it works or the error names what is in the way.
func TestGuestRogueDescriptors(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	good := b.terminal(t, usbip.Config{})
	for name, rewrite := range map[string]func([]byte) []byte{
		"interface 3 of 1": func(c []byte) []byte { c[11] = 3; return c },
		"same setting twice": func(c []byte) []byte {
			c = append(c, c[9:]...)
			c[2] = byte(len(c))
			return c
		},
		"interfaces 0, 1, 0": func(c []byte) []byte { // the library panics over this one
			first := append([]byte(nil), c[9:]...)
			second := []byte{9, 4, 1, 0, 0, 0xff, 1, 1, 0}
			c = append(append(c, second...), first...)
			c[2], c[4] = byte(len(c)), 3
			return c
		},
		"claims two interfaces":    func(c []byte) []byte { c[4] = 2; return c },
		"says it is longer":        func(c []byte) []byte { c[2] += 40; return c },
		"ends before its endpoint": func(c []byte) []byte { c[2] -= 10; return c },
	} {
		t.Run(name, func(t *testing.T) {
			rogue := b.plug(t, usbip.Config{Rewrite: rewrite})
			// The kernel may refuse it too; then there is nothing to find.
			eventually(t, "the rogue device", func() bool {
				_, err := usbport.Open(t.Context(), usbport.Config{VendorID: 0x1209, ProductID: 0x5053, Serial: rogue.serial})
				return errors.Is(err, usbport.ErrDevice)
			})
			port, err := usbport.Open(t.Context(), usbport.Config{VendorID: 0x1209, ProductID: 0x5053, Serial: good.serial})
			switch {
			case err == nil:
				if err := port.Close(); err != nil {
					t.Error(err)
				}
			case !errors.Is(err, usbport.ErrDevice) || !strings.Contains(err.Error(), rogue.serial):
				t.Errorf("Open of the good device: %v", err)
			}
			t.Logf("beside it: %v", err)
			_ = rogue.Close()
			eventually(t, "the good device alone", func() bool {
				port, err := usbport.Open(t.Context(), usbport.Config{VendorID: 0x1209, ProductID: 0x5053, Serial: good.serial})
				return err == nil && port.Close() == nil
			})
		})
	}
}

// A kernel driver that holds the interface is detached for the time of the port.
func TestGuestKernelDriver(t *testing.T) {
	guestOnly(t)
	const newID = "/sys/bus/usb-serial/drivers/generic/new_id"
	if err := os.WriteFile(newID, []byte("1209 5053"), 0o200); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.WriteFile(filepath.Dir(newID)+"/remove_id", []byte("1209 5053"), 0o200) }()
	b := newBench(t)
	p := b.terminal(t, usbip.Config{})
	bound := func() bool {
		nodes, err := filepath.Glob("/sys/bus/usb-serial/devices/ttyUSB*")
		return err == nil && len(nodes) == 1
	}
	eventually(t, "usbserial takes the device", bound)
	port, err := usbport.Open(t.Context(), name(p))
	if err != nil {
		t.Fatal(err)
	}
	if bound() {
		t.Error("the kernel's driver still has the device")
	}
	go func() { _, _ = p.Write([]byte("ours")) }()
	if got := readAll(t, port, 4); string(got) != "ours" {
		t.Errorf("read %q", got)
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "usbserial has it back", bound)
}

// Only the device that was named is ever opened, with the library in this process and
// in another one: not one beside it, not one that sysfs shows to be broken, not one
// that the kernel was set to keep off.
func TestGuestOpensOnlyTheDeviceItIsTo(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	good := b.terminal(t, usbip.Config{})
	beside := b.terminal(t, usbip.Config{})
	broken := b.terminal(t, usbip.Config{Rewrite: func(c []byte) []byte { c[4] = 2; return c }})
	keptOff := b.terminal(t, usbip.Config{})
	nodes := map[string]string{}
	devices, err := usbport.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		nodes[d.Name.Serial] = d.Node
		if d.Name.Serial == keptOff.serial {
			if err := os.WriteFile("/sys/bus/usb/devices/"+d.ID+"/authorized", []byte("0"), 0o200); err != nil {
				t.Fatal(err)
			}
		}
	}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	watched := map[int32]string{}
	for serial, node := range nodes {
		wd, err := unix.InotifyAddWatch(fd, node, unix.IN_OPEN)
		if err != nil {
			t.Fatal(err)
		}
		watched[int32(wd)] = serial
	}
	for _, open := range []func(context.Context, usbport.Config) (*usbport.Port, error){usbport.Open, usbport.OpenIsolated} {
		for _, p := range []*plugged{broken, keptOff} {
			if _, err := open(t.Context(), name(p)); !errors.Is(err, usbport.ErrDevice) {
				t.Errorf("%s: %v, want ErrDevice", p.serial, err)
			}
		}
		port, err := open(t.Context(), name(good))
		if err != nil {
			t.Fatal(err)
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
	opened := map[string]int{}
	buf := make([]byte, 64<<10)
	n, err := unix.Read(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		opened[watched[int32(binary.NativeEndian.Uint32(buf[at:]))]]++
		at += unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[at+12:]))
	}
	if opened[good.serial] == 0 || opened[beside.serial]+opened[broken.serial]+opened[keptOff.serial] > 0 {
		t.Errorf("opened: %v; named was %s", opened, good.serial)
	}
}

// Two devices of one name are not guessed between; a bare name is fine for one.
func TestGuestAmbiguousName(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	first := b.terminal(t, usbip.Config{})
	bare := usbport.Config{VendorID: 0x1209, ProductID: 0x5053}
	port, err := usbport.Open(t.Context(), bare)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(port.Name(), "usb:1209:5053:"+first.serial) {
		t.Errorf("Name = %q", port.Name())
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	second := b.terminal(t, usbip.Config{})
	_, err = usbport.Open(t.Context(), bare)
	if !errors.Is(err, usbport.ErrAbsent) || !strings.Contains(err.Error(), first.serial) || !strings.Contains(err.Error(), second.serial) {
		t.Errorf("Open: %v, want ErrAbsent naming both", err)
	}
}

// The simulator on the machine outside, over the network card.
func TestGuestAgainstHost(t *testing.T) {
	guestOnly(t)
	server := os.Getenv("YUANLU_LAB_SERVER")
	if server == "" {
		t.Skip("no server outside")
	}
	if _, err := usbip.Attach(server, "1-1"); err != nil {
		t.Fatal(err)
	}
	c := usbport.Config{VendorID: 0x1209, ProductID: 0x5053, Serial: "HOST"}
	var port *usbport.Port
	eventually(t, "the device outside", func() bool {
		var err error
		port, err = usbport.Open(t.Context(), c)
		return err == nil
	})
	defer port.Close()
	message := bytes.Repeat([]byte("there and back "), 500)
	if _, err := port.Write(message); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, port, len(message)); !bytes.Equal(got, message) {
		t.Error("bytes differ")
	}
	if _, err := port.Write([]byte("bye")); err != nil && !errors.Is(err, usbport.ErrGone) {
		t.Fatal(err) // the plug may be out before the transfer is confirmed
	}
	_ = port.SetReadDeadline(time.Now().Add(step))
	if _, err := port.Read(make([]byte, 64)); !errors.Is(err, usbport.ErrGone) {
		t.Errorf("Read after the plug was pulled outside: %v, want ErrGone", err)
	}
}

// The same program is the child of OpenIsolated.
func TestMain(m *testing.M) {
	if usbport.IsChild() {
		os.Exit(usbport.RunChild())
	}
	os.Exit(m.Run())
}

// children returns the processes that this one has started.
func children(t *testing.T) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		var state string
		var pid, parent int
		if n, err := fmt.Sscanf(string(b), "%d", &pid); n != 1 || err != nil {
			continue
		}
		if n, err := fmt.Sscanf(rest, "%s %d", &state, &parent); n == 2 && err == nil && parent == os.Getpid() {
			found = append(found, pid)
		}
	}
	return found
}

// A crash of the process that has the library is a port that is gone, no more.
func TestGuestIsolated(t *testing.T) {
	guestOnly(t)
	b := newBench(t)
	p := b.terminal(t, usbip.Config{})
	message := bytes.Repeat([]byte("isolated "), 5000)
	for _, how := range []string{"closed", "killed"} {
		t.Run(how, func(t *testing.T) {
			port, err := usbport.OpenIsolated(t.Context(), name(p))
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = p.Write(message) }()
			if got := readAll(t, port, len(message)); !bytes.Equal(got, message) {
				t.Error("bytes differ")
			}
			if _, err := usbport.OpenIsolated(t.Context(), name(p)); !errors.Is(err, usbport.ErrBusy) {
				t.Errorf("second open: %v, want ErrBusy", err)
			}
			if n, err := port.Write(message); n != len(message) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			if _, err := io.ReadFull(p, make([]byte, len(message))); err != nil {
				t.Error(err)
			}
			if how == "killed" {
				pids := children(t)
				if len(pids) != 1 {
					t.Fatalf("%d children, want 1", len(pids))
				}
				child, err := os.FindProcess(pids[0])
				if err != nil {
					t.Fatal(err)
				}
				if err := child.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = port.SetReadDeadline(time.Now().Add(step))
				if _, err := port.Read(make([]byte, 8)); !errors.Is(err, usbport.ErrGone) {
					t.Errorf("Read: %v, want ErrGone", err)
				}
			}
			if err := port.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if left := children(t); len(left) != 0 {
				t.Errorf("children left: %v", left)
			}
		})
	}
}
