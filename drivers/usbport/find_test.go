package usbport

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseName(t *testing.T) {
	good := map[string]Config{
		"usb:1209:5053":         {0x1209, 0x5053, ""},
		"usb:1A86:7523:S-0001":  {0x1a86, 0x7523, "S-0001"},
		"usb:1209:5053:a:b c:日": {0x1209, 0x5053, "a:b c:日"},
	}
	for name, want := range good {
		got, err := ParseName(name)
		if got != want || err != nil {
			t.Errorf("ParseName(%q) = %+v, %v", name, got, err)
		}
		if back, err := ParseName(got.String()); back != want || err != nil {
			t.Errorf("ParseName(%q) = %+v, %v", got, back, err)
		}
	}
	for _, name := range []string{"", "usb:", "usb:1209", "1209:5053", "usb:1209:505", "usb:1209:50533", "usb:12g9:5053", "usb:1209:5053:", "usb:-209:5053", "/dev/ttyS0"} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseName(name); !errors.Is(err, ErrName) {
				t.Errorf("ParseName(%q) = %+v, %v, want ErrName", name, got, err)
			}
		})
	}
}

// The smart terminal as wires.md describes it, by USB 2.0 chapter 9.
const (
	goodDevice = "12010002000000400912535000010102030" + "1"
	goodConfig = "090220000101008032" + "0904000002ff505300" + "07058102400000" + "07050202400000"
)

func raw(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseDescriptors(t *testing.T) {
	settings, err := parseDescriptors(raw(t, goodDevice+goodConfig))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := terminalChannel(settings, 1)
	want := channel{config: 1, number: 0, alternate: 0, in: 0x81, out: 0x02, inPacket: 64, outPacket: 64}
	if !ok || got != want {
		t.Errorf("channel %+v, %v, want %+v", got, ok, want)
	}
	if _, ok := terminalChannel(settings, 2); ok {
		t.Error("a channel in a configuration that is not active")
	}
}

func TestDescriptorsThatAreRefused(t *testing.T) {
	tests := map[string]struct{ raw, want string }{
		"nothing":                {"", "offset 0: no device descriptor"},
		"short device":           {goodDevice[:34], "offset 0: no device descriptor"},
		"device of another type": {"1202" + goodDevice[4:] + goodConfig, "offset 0: no device descriptor"},
		"no configuration":       {goodDevice, "0 configurations, the device says 1"},
		"one too many":           {goodDevice + goodConfig + goodConfig, "2 configurations, the device says 1"},
		"cut configuration":      {goodDevice + goodConfig[:60], "offset 18: configuration of 32 bytes, 30 are there"},
		"total too small":        {goodDevice + "09020800010100803200", "offset 18: configuration of 8 bytes, 10 are there"},
		"zero length inside":     {goodDevice + "09022000010100803200" + goodConfig[20:], "offset 27: a descriptor without room"},
		"interface 3 of 1":       {goodDevice + strings.Replace(goodConfig, "09040000", "09040300", 1), "offset 27: interface 3 of 1"},
		"interface missing":      {goodDevice + strings.Replace(goodConfig, "0902200001", "0902200002", 1), "offset 18: 1 interfaces, the configuration says 2"},
		"endpoint first":         {goodDevice + "09021000010100803207058102400000", "offset 27: an endpoint out of place"},
		"same setting twice": {goodDevice + "09022900010100803" + "2" + "0904000002ff505300" + "07058102400000" + "07050202400000" + "0904000000ff505300",
			"offset 50: interface 0 has setting 0 twice"},
		"out of order": {goodDevice + "09021b00020100803" + "2" + "0904010000ff505300" + "0904000000ff505300", "offset 27: interface 1 before interface 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseDescriptors(raw(t, tt.raw))
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestChannelsThatAreNone(t *testing.T) {
	for name, change := range map[string][2]string{
		"other class":     {"ff5053", "fe5053"},
		"other subclass":  {"ff5053", "ff5153"},
		"other protocol":  {"ff5053", "ff5054"},
		"interrupt":       {"0705810240", "0705810340"},
		"no packet":       {"07058102400000", "07058102000000"},
		"giant packet":    {"07058102400000", "07058102ff0700"},
		"two in":          {"07050202", "07058202"},
		"endpoint number": {"07050202", "07050002"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := parseDescriptors(raw(t, goodDevice+strings.Replace(goodConfig, change[0], change[1], 1)))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if c, ok := terminalChannel(settings, 1); ok {
				t.Errorf("%s: taken for a terminal: %+v", name, c)
			}
		})
	}
}

// Whatever the descriptors of a device are, the parser ends, and what it accepts is what
// the library can index: numbers without gaps, settings once.
func FuzzParseDescriptors(f *testing.F) {
	f.Add(raw(f, goodDevice+goodConfig))
	f.Add(raw(f, goodDevice+strings.Replace(goodConfig, "09040000", "09040300", 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		settings, err := parseDescriptors(b)
		if err != nil {
			return
		}
		seen := map[[3]byte]bool{}
		for _, s := range settings {
			key := [3]byte{s.config, s.number, s.alternate}
			if seen[key] && b[17] == 1 {
				t.Errorf("setting %v twice", key)
			}
			seen[key] = true
			if s.number > 0 && b[17] == 1 && !seen[[3]byte{s.config, s.number - 1, 0}] && !anyAlternate(seen, s.config, s.number-1) {
				t.Errorf("interface %d without one before it", s.number)
			}
		}
		if c, ok := terminalChannel(settings, 1); ok && (c.in&0x80 == 0 || c.out&0x80 != 0 || c.inPacket < 1 || c.outPacket < 1) {
			t.Errorf("channel %+v", c)
		}
	})
}

func anyAlternate(seen map[[3]byte]bool, config, number byte) bool {
	for k := range seen {
		if k[0] == config && k[1] == number {
			return true
		}
	}
	return false
}

// fakeTree lays down a bus: a root hub, a hub, and the devices given by change.
func fakeTree(t *testing.T, devices map[string]map[string]string) tree {
	t.Helper()
	root := t.TempDir()
	write := func(dir, name, content string) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bus := filepath.Join(root, "sys/bus/usb/devices")
	if err := os.MkdirAll(bus, 0o700); err != nil {
		t.Fatal(err)
	}
	for id, change := range devices {
		attributes := map[string]string{
			"busnum": "1\n", "devnum": "4\n", "idVendor": "1209\n", "idProduct": "5053\n", "authorized": "1\n",
			"bDeviceClass": "00\n", "bConfigurationValue": "1\n", "descriptors": string(raw(t, goodDevice+goodConfig)),
		}
		for k, v := range change {
			attributes[k] = v
		}
		dir := filepath.Join(root, "sys/devices/pci0/usb1", id)
		for k, v := range attributes {
			write(dir, k, v)
		}
		if err := os.Symlink(dir, filepath.Join(bus, id)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(dir, filepath.Join(bus, id+":1.0")); err != nil {
			t.Fatal(err)
		}
	}
	return tree{sys: filepath.Join(root, "sys"), dev: "/dev"}
}

func TestList(t *testing.T) {
	tr := fakeTree(t, map[string]map[string]string{
		"usb1":  {"bDeviceClass": "09\n"},
		"1-2":   {"bDeviceClass": "09\n"},
		"1-2.1": {"serial": "S-0001\n", "manufacturer": "Maker\n", "product": "Smart POS\n", "devnum": "12\n"},
		"1-3":   {"authorized": "0\n", "descriptors": "x"},
	})
	got, err := tr.list()
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].dir = ""
	}
	want := []Device{
		{ID: "1-2.1", Node: "/dev/bus/usb/001/012", Bus: 1, Number: 12, Name: Config{0x1209, 0x5053, "S-0001"},
			Manufacturer: "Maker", Product: "Smart POS", Authorized: true, Terminal: true,
			channel: channel{config: 1, in: 0x81, out: 2, inPacket: 64, outPacket: 64}},
		{ID: "1-3", Node: "/dev/bus/usb/001/004", Bus: 1, Number: 4, Name: Config{0x1209, 0x5053, ""}, Fault: "offset 0: no device descriptor"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Device{}, channel{})); d != "" {
		t.Error(d)
	}
	if none, err := (tree{sys: t.TempDir()}).list(); len(none) != 0 || err != nil {
		t.Errorf("a machine without USB: %v, %v", none, err)
	}
}

func TestFind(t *testing.T) {
	tr := fakeTree(t, map[string]map[string]string{
		"1-1": {"serial": "A\n"}, "1-2": {"serial": "B\n"},
		"1-3": {"idProduct": "0001\n", "authorized": "0\n"},
		"1-4": {"idProduct": "0002\n", "descriptors": "rogue"},
		"1-5": {"idProduct": "0003\n", "bConfigurationValue": "\n"},
	})
	tests := []struct {
		name  Config
		class error
		want  string
	}{
		{Config{0x1209, 0x5053, "A"}, nil, "usb:1209:5053:A at 1-1"},
		{Config{0x1209, 0x5053, ""}, ErrAbsent, "add the serial number"},
		{Config{0x1209, 0x5053, "C"}, ErrAbsent, "usb:1209:5053:C"},
		{Config{0x1209, 0x0001, ""}, ErrDevice, "echo 1 > "},
		{Config{0x1209, 0x0002, ""}, ErrDevice, "descriptors: offset 0"},
		{Config{0x1209, 0x0003, ""}, ErrDevice, "class ff, subclass 50, protocol 53"},
	}
	for _, tt := range tests {
		d, err := tr.find(tt.name)
		got := ""
		if d != nil {
			got = d.String()
		} else if err != nil {
			got = err.Error()
		}
		if !errors.Is(err, tt.class) || !strings.Contains(got, tt.want) {
			t.Errorf("find(%s): %q, want %v with %q", tt.name, got, tt.class, tt.want)
		}
	}
	if s := tr.suspects(); !strings.Contains(s, "usb:1209:0002 at 1-4") {
		t.Errorf("suspects: %q", s)
	}
	d, err := tr.find(Config{0x1209, 0x5053, "A"})
	if err != nil || !d.present() {
		t.Fatalf("present: %v", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "devnum"), []byte("5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.present() {
		t.Error("another device in the same place is taken for the first")
	}
}

// Of a uevent we learn which device it may be about: its ids, or its node.
func TestChanges(t *testing.T) {
	var c Changes
	for _, one := range []struct {
		message string
		about   bool
	}{
		{"remove@/devices/x/usb1/1-1\x00ACTION=remove\x00SUBSYSTEM=usb\x00PRODUCT=1209/5053/100\x00SEQNUM=7\x00", true},
		{"bind@/devices/x/usb1/1-1/1-1:1.0\x00SUBSYSTEM=usb\x00PRODUCT=1209/5053/100\x00", true},
		{"add@/devices/x/usb1/1-2\x00SUBSYSTEM=usb\x00PRODUCT=46d/c31c/6402\x00", true},
		{"add@/devices/x/usb1/1-3\x00SUBSYSTEM=usb\x00PRODUCT=zzzzz/1\x00", true},
		{"add@/devices/x/ttyACM0\x00SUBSYSTEM=tty\x00DEVNAME=ttyACM0\x00", true},
		{"add@/devices/virtual/net/lo\x00SUBSYSTEM=net\x00", false},
		{"", false},
	} {
		t.Run(one.message, func(t *testing.T) {
			if got := c.take([]byte(one.message)); got != one.about {
				t.Errorf("%q: %v", one.message, got)
			}
		})
	}
	want := Changes{USB: []Config{{VendorID: 0x1209, ProductID: 0x5053}, {VendorID: 0x46d, ProductID: 0xc31c}}, TTY: []string{"/dev/ttyACM0"}}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
	if !c.MayBe(Config{0x1209, 0x5053, "S-0001"}) || c.MayBe(Config{0x1209, 0x5054, ""}) {
		t.Error("a USB device by its ids")
	}
	if !c.MayBeTTY("/dev/ttyACM0") || !c.MayBeTTY("") || c.MayBeTTY("/dev/ttyS1") {
		t.Error("a serial port by its node")
	}
	if lost := (&Changes{Any: true}); !lost.MayBe(Config{1, 2, ""}) || !lost.MayBeTTY("/dev/ttyS1") {
		t.Error("events that were lost")
	}
	if (&Changes{}).MayBeTTY("") {
		t.Error("no serial port has changed")
	}
}

// Check returns what Open would, and opens nothing.
func TestCheck(t *testing.T) {
	tr := fakeTree(t, map[string]map[string]string{"1-1": {}})
	tr.dev = t.TempDir()
	if err := tr.check(Config{0xffff, 0x0001, ""}); !errors.Is(err, ErrAbsent) {
		t.Errorf("none: %v", err)
	}
	devices, err := tr.list()
	if err != nil || len(devices) == 0 {
		t.Fatalf("%v, %v", devices, err)
	}
	// There is no node in this tree: it went a moment ago.
	if err := tr.check(devices[0].Name); !errors.Is(err, ErrAbsent) {
		t.Errorf("no node: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	node := devices[0].Node
	if err := os.MkdirAll(filepath.Dir(node), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(node, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tr.check(devices[0].Name); err != nil {
		t.Errorf("a device that may be opened: %v", err)
	}
}

func TestEventsEnd(t *testing.T) {
	e := NewEvents()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for e.Wait(ctx) == nil { // this machine's own events
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(ctx); err == nil {
		t.Error("Wait after Close")
	}
}

func TestOpenWhereThereIsNoDevice(t *testing.T) {
	_, err := Open(t.Context(), Config{0xffff, 0xfffe, "none"})
	if !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrNoUSB) {
		t.Errorf("Open: %v", err)
	}
}
