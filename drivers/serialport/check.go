package serialport

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Node returns the device node that a configured name (Config.Port) leads to now,
// without opening it. Errors: ErrAbsent, ErrSettings.
func Node(port string) (string, error) {
	_, node, err := locate(port)
	return node, err
}

// Check reports whether a tool may open a port only to listen on it: it is the line of
// a serial device or a pseudo terminal, not the machine's console, and no process
// that this user may see has it open, locked or not. Setting the line of a port that
// somebody works with would take his bytes and his speed away. Check opens nothing.
//
// Errors: ErrAbsent, ErrSettings (no serial line, or the console), ErrBusy (who has
// it open).
func Check(port string) error { return systemTree.check(port) }

func (t tree) check(port string) error {
	_, node, err := locate(port)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Stat(node, &st); err != nil {
		return openError(node, err)
	}
	if !isTTY(&st) || !t.hasHardware(&st) {
		return &SettingsError{Port: node, Differences: []Difference{{"device", "no serial line", "a serial port"}}}
	}
	consoles := strings.Fields(attribute(filepath.Join(t.sys, "class/tty/console"), "active"))
	if slices.Contains(consoles, filepath.Base(node)) {
		return &SettingsError{Port: node, Differences: []Difference{{"device", "the console of this machine", "a port of its own"}}}
	}
	if len(Holders(node)) > 0 {
		return busyError(node)
	}
	return nil
}

// hasHardware distinguishes a serial device from a virtual console: there is something behind
// it in sysfs. A pseudo terminal counts as a line; without sysfs everything does.
func (t tree) hasHardware(st *syscall.Stat_t) bool {
	major, minor := deviceNumbers(uint64(st.Rdev))
	if major >= ptyFirst && major <= ptyLast {
		return true
	}
	dir := filepath.Join(t.sys, "dev/char")
	if _, err := os.Stat(dir); err != nil {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%d:%d", major, minor), "device"))
	return err == nil
}
