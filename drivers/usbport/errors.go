package usbport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Classes of failure, for errors.Is. Every error of the package wraps one of
// them, os.ErrDeadlineExceeded or os.ErrClosed, and names the device.
var (
	// ErrName: the configured name is not usb:VID:PID[:SERIAL].
	ErrName = errors.New("no name of a USB port")
	// ErrNoUSB: this program was built without USB (CGO_ENABLED=0 or tag nousb).
	ErrNoUSB = errors.New("this program was built without USB support")
	// ErrAbsent: no such device now, or several that have this name.
	ErrAbsent = errors.New("no such USB device")
	// ErrPermission: the device may not be opened; the text names the udev rule.
	ErrPermission = errors.New("no permission for the USB device")
	// ErrBusy: another process (or this one) has claimed the device. The text names
	// it, where this user may see it.
	ErrBusy = errors.New("USB device in use")
	// ErrDevice: the device's descriptors are broken or not those of a terminal, or
	// it, or one beside it, broke the USB library.
	ErrDevice = errors.New("USB device not usable")
	// ErrGone: the device has vanished, or failed for good, under the open port.
	// Close it, open again.
	ErrGone = errors.New("USB device gone")
	// ErrStuck: the host controller did not return a transfer; Close left it.
	ErrStuck = errors.New("USB transfer stuck")
)

// plugAgain is the remedy where a device misbehaves for a reason that cannot be found out.
const plugAgain = "unplug it and plug it in again"

// nodeError puts a failure to open a usbfs node into its class.
func nodeError(d *Device, err error) error {
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("usbport: open %s: %w: %s", d, ErrPermission, whoMay(d.Node))
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("usbport: open %s: %w (%v)", d, ErrAbsent, err)
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EBUSY):
		return busyError(d)
	}
	return fmt.Errorf("usbport: open %s: %w", d, err)
}

// whoMay returns to whom a node belongs and what lets this user in.
func whoMay(node string) string {
	const remedy = "install the udev rule 70-yuanlu.rules in /etc/udev/rules.d and plug the device in again"
	info, err := os.Stat(node)
	if err != nil {
		return remedy
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return remedy
	}
	group := strconv.FormatUint(uint64(owner.Gid), 10)
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("%s belongs to group %s (mode %04o); %s", node, group, info.Mode()&fs.ModePerm, remedy)
}

// busyError names the processes that have the node open, beside this one's own
// attempt.
func busyError(d *Device) error {
	var holders []string
	procs, err := os.ReadDir("/proc")
	if err != nil {
		procs = nil // no process can be named; the class is enough
	}
	for _, e := range procs {
		if _, err := strconv.Atoi(e.Name()); err == nil && hasOpen(e.Name(), d.Node) {
			comm, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "comm")) // it may end meanwhile
			holders = append(holders, fmt.Sprintf("pid %s (%s)", e.Name(), strings.TrimSpace(string(comm))))
		}
	}
	if len(holders) == 0 {
		return fmt.Errorf("usbport: open %s: %w by a process or driver this user cannot see", d, ErrBusy)
	}
	return fmt.Errorf("usbport: open %s: %w by %s", d, ErrBusy, strings.Join(holders, ", "))
}

func hasOpen(pid, node string) bool {
	dir := filepath.Join("/proc", pid, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false // not ours to see, or ended
	}
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && target == node {
			return true
		}
	}
	return false
}
