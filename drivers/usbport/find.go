package usbport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Config names one device.
type Config struct {
	VendorID, ProductID uint16
	Serial              string // "": any, if there is only one
}

// ParseName reads "usb:1209:5053" or "usb:1209:5053:SERIAL" (cli.md,
// "Configuration"): hexadecimal ids of four digits. Errors are ErrName.
func ParseName(name string) (Config, error) {
	rest, ok := strings.CutPrefix(name, "usb:")
	parts := strings.SplitN(rest, ":", 3)
	if !ok || len(parts) < 2 {
		return Config{}, fmt.Errorf("usbport: %q: %w: want usb:VID:PID[:SERIAL]", name, ErrName)
	}
	var ids [2]uint16
	for i := range ids {
		n, err := strconv.ParseUint(parts[i], 16, 16)
		if err != nil || len(parts[i]) != 4 {
			return Config{}, fmt.Errorf("usbport: %q: %w: %s is %q, want four hexadecimal digits", name, ErrName, [...]string{"VID", "PID"}[i], parts[i])
		}
		ids[i] = uint16(n)
	}
	c := Config{VendorID: ids[0], ProductID: ids[1]}
	if len(parts) == 3 {
		if c.Serial = parts[2]; c.Serial == "" {
			return Config{}, fmt.Errorf("usbport: %q: %w: SERIAL is empty; leave its colon out", name, ErrName)
		}
	}
	return c, nil
}

// String returns the name that ParseName reads.
func (c Config) String() string {
	s := fmt.Sprintf("usb:%04x:%04x", c.VendorID, c.ProductID)
	if c.Serial != "" {
		s += ":" + c.Serial
	}
	return s
}

// A Device is a USB device as sysfs shows it. Nothing was opened to learn it.
type Device struct {
	ID           string // bus and ports, "1-1.4": the same as long as the plug is not moved
	Node         string // "/dev/bus/usb/001/004"
	Bus, Number  int    // what the library calls bus and address
	Name         Config // vendor id, product id, serial number
	Manufacturer string
	Product      string
	Authorized   bool   // the kernel lets it be used
	Terminal     bool   // it has the terminal's vendor interface
	Fault        string // what is wrong with its descriptors, "" if nothing

	dir     string  // in sysfs, links resolved
	channel channel // valid if Terminal
}

// String returns "usb:1209:5053:S-0001 at 1-1.4".
func (d *Device) String() string { return d.Name.String() + " at " + d.ID }

// tree is where the kernel shows its devices; tests have their own.
type tree struct{ sys, dev string }

// systemTree is the running kernel's.
var systemTree = tree{sys: "/sys", dev: "/dev"}

// List returns the USB devices that are there now, hubs left out, by ID. A machine
// without USB has none.
func List() ([]Device, error) { return systemTree.list() }

func (t tree) list() ([]Device, error) {
	dir := filepath.Join(t.sys, "bus/usb/devices")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("usbport: list: %w", err)
	}
	var found []Device
	for _, e := range entries {
		if strings.ContainsRune(e.Name(), ':') || strings.HasPrefix(e.Name(), "usb") {
			continue // an interface, or a root hub
		}
		if d, ok := t.device(filepath.Join(dir, e.Name())); ok {
			found = append(found, d)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].ID < found[j].ID })
	return found, nil
}

// device reads one device; false if it is a hub or vanishes meanwhile.
func (t tree) device(link string) (Device, bool) {
	dir, err := filepath.EvalSymlinks(link)
	if err != nil {
		return Device{}, false
	}
	const hub = "09"
	number := func(name string, base int) int {
		n, err := strconv.ParseUint(attribute(dir, name), base, 16)
		if err != nil {
			return -1
		}
		return int(n)
	}
	d := Device{
		ID: filepath.Base(link), dir: dir, Bus: number("busnum", 10), Number: number("devnum", 10),
		Manufacturer: attribute(dir, "manufacturer"), Product: attribute(dir, "product"),
		Authorized: attribute(dir, "authorized") != "0",
	}
	vendor, product := number("idVendor", 16), number("idProduct", 16)
	if d.Bus < 0 || d.Number < 0 || vendor < 0 || product < 0 || attribute(dir, "bDeviceClass") == hub {
		return Device{}, false
	}
	d.Name = Config{VendorID: uint16(vendor), ProductID: uint16(product), Serial: attribute(dir, "serial")}
	d.Node = filepath.Join(t.dev, fmt.Sprintf("bus/usb/%03d/%03d", d.Bus, d.Number))
	raw, err := os.ReadFile(filepath.Join(dir, "descriptors"))
	if err != nil {
		return Device{}, false
	}
	settings, err := parseDescriptors(raw)
	if err != nil {
		d.Fault = err.Error()
		return d, true
	}
	d.channel, d.Terminal = terminalChannel(settings, number("bConfigurationValue", 10))
	return d, true
}

// find returns the one device of a name. Errors: ErrAbsent, ErrDevice.
func (t tree) find(c Config) (*Device, error) {
	all, err := t.list()
	if err != nil {
		return nil, err
	}
	var found []*Device
	for i := range all {
		d := &all[i]
		if d.Name.VendorID == c.VendorID && d.Name.ProductID == c.ProductID && (c.Serial == "" || d.Name.Serial == c.Serial) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("usbport: open %s: %w", c, ErrAbsent)
	case len(found) > 1:
		return nil, fmt.Errorf("usbport: open %s: %w: both %s and %s have this name; add the serial number", c, ErrAbsent, found[0], found[1])
	case !found[0].Authorized:
		return nil, fmt.Errorf("usbport: open %s: %w: the kernel is told not to use it: echo 1 > %s/authorized", found[0], ErrDevice, found[0].dir)
	case found[0].Fault != "":
		return nil, fmt.Errorf("usbport: open %s: %w: descriptors: %s; unplug it, its firmware is broken or it is no terminal", found[0], ErrDevice, found[0].Fault)
	case !found[0].Terminal:
		return nil, fmt.Errorf("usbport: open %s: %w: no interface of class ff, subclass 50, protocol 53 with a bulk IN and a bulk OUT endpoint; name another device (yuanlu links list)", found[0], ErrDevice)
	}
	return found[0], nil
}

// Check reports whether the device of a name is there, whole, and may be opened by this
// user, without opening it. Errors: ErrAbsent, ErrDevice, ErrPermission.
func Check(c Config) error { return systemTree.check(c) }

func (t tree) check(c Config) error {
	d, err := t.find(c)
	if err != nil {
		return err
	}
	if err := unix.Access(d.Node, unix.R_OK|unix.W_OK); err != nil {
		return nodeError(d, err)
	}
	return nil
}

// present reports whether the very device is still there: same place, same number.
func (d *Device) present() bool {
	return attribute(d.dir, "devnum") == strconv.Itoa(d.Number) && attribute(d.dir, "busnum") == strconv.Itoa(d.Bus)
}

// driver returns the kernel driver of the terminal's interface, "" if none.
func (d *Device) driver() string {
	name := fmt.Sprintf("%s:%d.%d", filepath.Base(d.dir), d.channel.config, d.channel.number)
	target, err := os.Readlink(filepath.Join(d.dir, name, "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// suspects names devices whose descriptors may be what broke the library.
func (t tree) suspects() string {
	all, err := t.list()
	if err != nil {
		return ""
	}
	var names []string
	for i := range all {
		if all[i].Fault != "" {
			names = append(names, fmt.Sprintf("%s (%s)", &all[i], all[i].Fault))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; unplug " + strings.Join(names, ", ")
}

func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
