package serialport

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"go.bug.st/serial"
)

// A Config is which port to open and how its line is set. The zero value of a
// line setting means its default, 9600 8N1 (cli.md, Configuration).
type Config struct {
	// Port is an absolute path ("/dev/ttyS1", a symlink of any depth), or a bare
	// name, looked for in /dev/serial/by-id, /dev/serial/by-path and /dev in that
	// order. A by-id name also works where udev has made no link: it is then
	// derived from sysfs, and two devices of one name are refused.
	Port string
	// Baud is the speed in bit/s, 50 to 4 000 000. 0: 9600.
	Baud int
	// DataBits per character, 5 to 8. 0: 8.
	DataBits int
	// Parity is none, odd, even, mark or space. "": none.
	Parity string
	// StopBits is "1" or "2". "": 1. Linux has no 1.5.
	StopBits string
	// Kept is a descriptor of the device that somebody kept open since an earlier opening
	// (Port.Descriptor): the bytes that came since are still there. Open takes it over or
	// closes it. nil, or one of another device: the device is opened.
	Kept *os.File
}

const (
	minBaud, maxBaud, defaultBaud = 50, 4_000_000, 9600
	defaultDataBits               = 8
)

// mode checks the line settings and returns them in the library's form.
func (c Config) mode() (serial.Mode, error) {
	m := serial.Mode{BaudRate: c.Baud, DataBits: c.DataBits}
	var bad []Difference
	if m.BaudRate == 0 {
		m.BaudRate = defaultBaud
	}
	if m.BaudRate < minBaud || m.BaudRate > maxBaud {
		bad = append(bad, Difference{"speed", strconv.Itoa(c.Baud), fmt.Sprintf("%d to %d", minBaud, maxBaud)})
	}
	if m.DataBits == 0 {
		m.DataBits = defaultDataBits
	}
	if m.DataBits < 5 || m.DataBits > 8 {
		bad = append(bad, Difference{"data bits", strconv.Itoa(c.DataBits), "5 to 8"})
	}
	var ok bool
	if m.Parity, ok = parityByName(c.Parity); !ok {
		bad = append(bad, Difference{"parity", strconv.Quote(c.Parity), "none, odd, even, mark or space"})
	}
	switch c.StopBits {
	case "", "1":
		m.StopBits = serial.OneStopBit
	case "2":
		m.StopBits = serial.TwoStopBits
	default:
		bad = append(bad, Difference{"stop bits", strconv.Quote(c.StopBits), "1 or 2"})
	}
	if len(bad) > 0 {
		return m, &SettingsError{Port: c.Port, Differences: bad}
	}
	return m, nil
}

func parityByName(name string) (serial.Parity, bool) {
	switch name {
	case "", "none":
		return serial.NoParity, true
	case "odd":
		return serial.OddParity, true
	case "even":
		return serial.EvenParity, true
	case "mark":
		return serial.MarkParity, true
	case "space":
		return serial.SpaceParity, true
	}
	return serial.NoParity, false
}

func parityName(p serial.Parity) string {
	return [...]string{"none", "odd", "even", "mark", "space"}[p]
}

// locate finds the path that a configured name stands for (asked, which may be a
// link and is watched) and the device node it leads to now.
func locate(port string) (asked, node string, err error) {
	candidates := []string{port}
	if !filepath.IsAbs(port) {
		if port == "" || strings.ContainsRune(port, '/') || port == "." || port == ".." {
			return "", "", &SettingsError{Port: port, Differences: []Difference{
				{"port", strconv.Quote(port), "an absolute path or a bare name"}}}
		}
		candidates = []string{"/dev/serial/by-id/" + port, "/dev/serial/by-path/" + port, "/dev/" + port}
	}
	var first error
	for _, c := range candidates {
		node, err := filepath.EvalSymlinks(c)
		if err == nil {
			return c, node, nil
		}
		if first == nil || !os.IsNotExist(err) {
			first = err
		}
	}
	if os.IsNotExist(first) {
		node, err := systemTree.byID(filepath.Base(port))
		if err != nil {
			return "", "", err
		}
		if node != "" {
			return node, node, nil
		}
	}
	return "", "", openError(port, first)
}

// ptyFirst … ptyLast are the majors of UNIX98 pty slaves, which sysfs does not list.
const ptyFirst, ptyLast = 136, 143

// isTTY distinguishes a terminal device from any other file without opening it: opening
// some devices has effects (a watchdog starts).
func isTTY(st *syscall.Stat_t) bool {
	if st.Mode&syscall.S_IFMT != syscall.S_IFCHR {
		return false
	}
	major, minor := deviceNumbers(uint64(st.Rdev))
	if major >= ptyFirst && major <= ptyLast {
		return true
	}
	subsystem, err := os.Readlink(fmt.Sprintf("/sys/dev/char/%d:%d/subsystem", major, minor))
	if err != nil {
		_, noSysfs := os.Stat("/sys/dev/char")
		return noSysfs != nil
	}
	return filepath.Base(subsystem) == "tty"
}
