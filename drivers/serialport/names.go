package serialport

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// A Device is a serial port of this machine as sysfs describes it. Nothing was
// opened to learn it.
type Device struct {
	Node         string // "/dev/ttyUSB0"
	ByID         string // stable name after udev's rule, "usb-…-if00-port0"; "" for a built-in port
	ByPath       string // link in /dev/serial/by-path if udev has made one
	Driver       string // kernel driver, "cdc_acm"
	VendorID     string // four hex digits, USB only
	ProductID    string // four hex digits, USB only
	Serial       string // USB serial number, "" if the device has none
	Manufacturer string
	Product      string
}

// List returns the serial ports that sysfs knows, by node name. Built-in UARTs
// whose chip was never found are left out. Errors: those of reading sysfs.
func List() ([]Device, error) { return systemTree.list() }

// tree is where the kernel shows its devices; tests have their own.
type tree struct{ sys, dev string }

// systemTree is the running kernel's.
var systemTree = tree{sys: "/sys", dev: "/dev"}

func (t tree) list() ([]Device, error) {
	entries, err := os.ReadDir(filepath.Join(t.sys, "class/tty"))
	if err != nil {
		return nil, fmt.Errorf("serialport: list: %w", err)
	}
	links := t.links("serial/by-path")
	var found []Device
	for _, e := range entries {
		dir := filepath.Join(t.sys, "class/tty", e.Name())
		device, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
		if err != nil {
			continue // a console or a pty: no hardware behind it
		}
		if kind := attribute(dir, "type"); kind == "0" {
			continue // PORT_UNKNOWN: a UART that was never found
		}
		d := Device{Node: filepath.Join(t.dev, e.Name()), Driver: linkBase(device, "driver")}
		d.ByPath = links[d.Node]
		t.describe(&d, device)
		found = append(found, d)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Node < found[j].Node })
	return found, nil
}

// describe fills in what the USB device above a port reports of itself.
func (t tree) describe(d *Device, dir string) {
	var number, port string
	for ; len(dir) > len(t.sys); dir = filepath.Dir(dir) {
		if number == "" {
			number = attribute(dir, "bInterfaceNumber")
		}
		if port == "" {
			port = attribute(dir, "port_number")
		}
		if attribute(dir, "idVendor") == "" {
			continue
		}
		d.VendorID, d.ProductID = attribute(dir, "idVendor"), attribute(dir, "idProduct")
		d.Serial = attribute(dir, "serial")
		d.Manufacturer, d.Product = attribute(dir, "manufacturer"), attribute(dir, "product")
		d.ByID = byIDName(d, number, port)
		return
	}
}

// byIDName makes the name that udev's 60-serial.rules would make.
func byIDName(d *Device, number, port string) string {
	name := "usb-" + udevName(d.Manufacturer, d.VendorID) + "_" + udevName(d.Product, d.ProductID)
	if d.Serial != "" {
		name += "_" + udevName(d.Serial, "")
	}
	if number != "" {
		name += "-if" + number
	}
	if port != "" {
		name += "-port" + port
	}
	return name
}

// udevName replaces what udev does not allow in a link's name.
func udevName(s, otherwise string) string {
	s = strings.Join(strings.Fields(s), "_")
	if s == "" {
		return otherwise
	}
	return strings.Map(func(r rune) rune {
		if r > 127 || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("#+-.:=@_", r) {
			return r
		}
		return '_'
	}, s)
}

// byID returns the node of a by-id name where udev has made no link; "" if there is
// none, an error if two devices share the name (adapters without serial number).
func (t tree) byID(name string) (string, error) {
	devices, err := t.list()
	if err != nil {
		return "", nil // no sysfs: the missing link is the error to return
	}
	node := ""
	for _, d := range devices {
		if d.ByID != name || name == "" {
			continue
		}
		if node != "" {
			return "", fmt.Errorf("serialport: open %s: %w: both %s and %s have this name; use a by-path name", name, ErrAbsent, node, d.Node)
		}
		node = d.Node
	}
	return node, nil
}

// links maps nodes to the links of a folder that name them.
func (t tree) links(folder string) map[string]string {
	found := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(t.dev, folder))
	if err != nil {
		return found // no udev here
	}
	for _, e := range entries {
		link := filepath.Join(t.dev, folder, e.Name())
		if node, err := filepath.EvalSymlinks(link); err == nil {
			found[node] = link
		}
	}
	return found
}

func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func linkBase(dir, name string) string {
	target, err := os.Readlink(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// IsNode reports whether an open file is the device that a port names now (Config.Port).
func IsNode(f *os.File, port string) bool {
	_, node, err := locate(port)
	if err != nil {
		return false
	}
	var st syscall.Stat_t
	info, err := f.Stat()
	if err != nil || syscall.Stat(node, &st) != nil {
		return false
	}
	own, ok := info.Sys().(*syscall.Stat_t)
	return ok && idOf(own) == idOf(&st)
}

// A Holder is a process that has a port open.
type Holder struct {
	PID     int
	Command string // short command name
	Locked  bool   // it holds the lock (flock) too
}

// String returns "pid 812 (minicom)".
func (h Holder) String() string {
	locked := ""
	if h.Locked {
		locked = ", locked"
	}
	return fmt.Sprintf("pid %d (%s%s)", h.PID, h.Command, locked)
}

// Holders returns the processes that have the device open, as far as this user may
// see them, by pid. It opens nothing.
func Holders(node string) []Holder { return AllHolders([]string{node})[node] }

// AllHolders is Holders for several devices, by node, in one walk through /proc.
func AllHolders(nodes []string) map[string][]Holder {
	devices := map[deviceID]string{}
	lockers := map[deviceID]int{}
	for _, node := range nodes {
		var st syscall.Stat_t
		if syscall.Stat(node, &st) == nil {
			devices[idOf(&st)], lockers[idOf(&st)] = node, lockOwner(&st)
		}
	}
	found := map[string][]Holder{}
	if len(devices) == 0 {
		return found
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, e := range procs {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 && attribute("/proc/1", "comm") == "systemd" {
			continue // systemd reads nothing: it keeps what a service that starts again has open
		}
		open := openDevices(pid, devices)
		for id, node := range devices {
			if locker := lockers[id]; pid == locker || open[id] {
				found[node] = append(found[node], Holder{pid, attribute("/proc/"+e.Name(), "comm"), pid == locker})
			}
		}
	}
	for _, all := range found {
		sort.Slice(all, func(i, j int) bool { return all[i].PID < all[j].PID })
	}
	return found
}

// openDevices returns which of the devices a process has open.
func openDevices(pid int, devices map[deviceID]string) map[deviceID]bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil // not ours to see, or ended
	}
	var open map[deviceID]bool
	for _, fd := range fds {
		link := filepath.Join(dir, fd.Name())
		if target, err := os.Readlink(link); err != nil || !strings.HasPrefix(target, "/dev/") {
			continue // nor is a file of a dead network mount touched
		}
		var st syscall.Stat_t
		if syscall.Stat(link, &st) != nil {
			continue
		}
		if id := idOf(&st); devices[id] != "" {
			if open == nil {
				open = map[deviceID]bool{}
			}
			open[id] = true
		}
	}
	return open
}

// LockOwner returns the process that holds the lock (flock) of a file, 0 where none does.
// It opens nothing but the kernel's list.
func LockOwner(path string) int {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return 0
	}
	return lockOwner(&st)
}

// lockOwner reads the pid that holds the flock of an inode from /proc/locks:
// "1: FLOCK  ADVISORY  WRITE 812 00:05:93 0 EOF" (device numbers in hex).
func lockOwner(st *syscall.Stat_t) int {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	major, minor := deviceNumbers(uint64(st.Dev))
	inode := fmt.Sprintf("%02x:%02x:%d", major, minor, st.Ino)
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) >= 6 && w[1] == "FLOCK" && w[5] == inode {
			pid, err := strconv.Atoi(w[4])
			if err == nil {
				return pid
			}
		}
	}
	return 0
}
