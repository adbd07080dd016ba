package serialport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// Classes of failure, for errors.Is. Every error of the package wraps one of
// them, os.ErrDeadlineExceeded or os.ErrClosed, and names the port.
var (
	// ErrAbsent: no such device now. Normal at start; try again later.
	ErrAbsent = errors.New("no such serial port")
	// ErrPermission: the device is there and may not be opened. The text names
	// the group that may, and the udev rule to install.
	ErrPermission = errors.New("no permission for the serial port")
	// ErrBusy: another process (or this one) holds the port. The text names it.
	ErrBusy = errors.New("serial port in use")
	// ErrSettings: the configuration names no serial line, or the driver did not
	// take a setting. *SettingsError lists them.
	ErrSettings = errors.New("serial settings not possible")
	// ErrGone: the device has vanished under the open port. Close it, open again.
	ErrGone = errors.New("serial port gone")
	// ErrTooManyFiles: the process has so many files open that the library could
	// not wait for this one (its select ends at descriptor 1023).
	ErrTooManyFiles = errors.New("too many open files for a serial port")
)

// A Difference is one line setting that is not as asked.
type Difference struct {
	Setting string // "speed", "data bits", "parity" …
	Got     string // what the device reports
	Want    string // what was asked
}

// A SettingsError lists which settings of a port are impossible or were not taken.
type SettingsError struct {
	Port        string
	Differences []Difference
}

// Error lists every difference with what the device reports and what was asked.
func (e *SettingsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "serialport: %s: %v", e.Port, ErrSettings)
	for i, d := range e.Differences {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s is %s, want %s", sep, d.Setting, d.Got, d.Want)
	}
	return b.String()
}

// Unwrap makes errors.Is(err, ErrSettings) true.
func (e *SettingsError) Unwrap() error { return ErrSettings }

// openError puts a failed open of a node into its class.
func openError(node string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENXIO),
		errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("serialport: open %s: %w (%v)", node, ErrAbsent, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return permissionError(node)
	case errors.Is(err, syscall.EBUSY):
		return busyError(node)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("serialport: open %s: %w (%v)", node, ErrTooManyFiles, err)
	}
	return fmt.Errorf("serialport: open %s: %w", node, err)
}

// A PermissionError names who may open a port.
type PermissionError struct {
	Node  string
	Group string      // "" where it cannot be seen
	Mode  fs.FileMode // permissions
}

// Error names the port, its group and its permissions, and what permits it.
func (e *PermissionError) Error() string {
	remedy := "install the udev rule 70-yuanlu.rules"
	if e.Mode&0o060 == 0o060 {
		remedy = "add this user to that group"
	}
	if e.Group == "" {
		return fmt.Sprintf("serialport: open %s: %v; %s", e.Node, ErrPermission, remedy)
	}
	return fmt.Sprintf("serialport: open %s: %v: it belongs to group %s (mode %04o); %s", e.Node, ErrPermission, e.Group, e.Mode, remedy)
}

// Unwrap makes errors.Is(err, ErrPermission) true.
func (e *PermissionError) Unwrap() error { return ErrPermission }

// Owner returns the group of a device node and its permissions, "" where it cannot be
// seen.
func Owner(node string) (group string, uid uint32, mode fs.FileMode) {
	info, err := os.Stat(node)
	if err != nil {
		return "", 0, 0
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", 0, 0
	}
	return groupName(owner.Gid), owner.Uid, info.Mode() & fs.ModePerm
}

func permissionError(node string) error {
	group, _, mode := Owner(node)
	return &PermissionError{Node: node, Group: group, Mode: mode}
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// A BusyError names who holds a port.
type BusyError struct {
	Node    string
	Holders []Holder // empty: a process that this user cannot see
}

// Error names the port and every holder.
func (e *BusyError) Error() string {
	if len(e.Holders) == 0 {
		return fmt.Sprintf("serialport: open %s: %v by a process this user cannot see", e.Node, ErrBusy)
	}
	names := make([]string, len(e.Holders))
	for i, h := range e.Holders {
		names[i] = h.String()
	}
	return fmt.Sprintf("serialport: open %s: %v by %s", e.Node, ErrBusy, strings.Join(names, ", "))
}

// Unwrap makes errors.Is(err, ErrBusy) true.
func (e *BusyError) Unwrap() error { return ErrBusy }

func busyError(node string) error { return &BusyError{node, Holders(node)} }
