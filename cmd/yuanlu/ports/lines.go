package ports

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/drivers/serialport"
)

// Line is what the kernel knows of the tty of a link. Nothing is opened: settings are read
// through a descriptor that a process of this user has already.
type Line struct {
	Link       string   `json:"link"`
	Port       string   `json:"port"`
	Node       string   `json:"node,omitempty"`
	Configured string   `json:"configured"`
	Holders    []string `json:"holders"`
	Settings   string   `json:"settings,omitempty"` // as stty names them
	Driver     []string `json:"driver,omitempty"`   // its line of /proc/tty/driver/serial, with its counters
	Missing    []string `json:"missing,omitempty"`  // what could not be read, and what would be needed
}

// Lines looks at the tty of each link.
func Lines(c *config.Config) []Line {
	all := []Line{}
	for _, l := range c.Links {
		if IsUSB(l.Port) {
			continue // links list has what there is to know
		}
		all = append(all, lineOf(l))
	}
	return all
}

func lineOf(l config.Link) Line {
	line := Line{Link: l.Name, Port: l.Port, Holders: []string{}, Configured: fmt.Sprintf("%d %d%.1s%s", l.Baud, l.DataBits, strings.ToUpper(l.Parity), l.StopBits)}
	node, err := serialport.Node(l.Port)
	if err != nil {
		line.Missing = append(line.Missing, "the port is not there: "+err.Error())
		return line
	}
	line.Node = node
	held := false
	for _, h := range serialport.Holders(node) {
		line.Holders = append(line.Holders, h.String())
		settings, err := settingsOf(h.PID, node)
		switch {
		case err == nil:
			line.Settings, held = settings, true
		case !held:
			line.Missing = append(line.Missing, fmt.Sprintf("settings of the line: %v; sudo yuanlu support-bundle may read them", err))
		}
	}
	if len(line.Holders) == 0 {
		line.Missing = append(line.Missing, "settings of the line: no process that this user sees has the port open")
	}
	driver, err := os.ReadFile("/proc/tty/driver/serial")
	if errors.Is(err, os.ErrPermission) {
		line.Missing = append(line.Missing, "/proc/tty/driver/serial: sudo yuanlu support-bundle may read it")
	}
	if number, ok := strings.CutPrefix(filepath.Base(node), "ttyS"); ok {
		for text := range strings.Lines(string(driver)) {
			if strings.HasPrefix(text, number+":") {
				line.Driver = append(line.Driver, strings.TrimSpace(text))
			}
		}
	}
	return line
}

// errNotOpen: the process has closed the port meanwhile.
var errNotOpen = errors.New("the process has not the port open any more")

// settingsOf reads the settings through the descriptor of a process.
func settingsOf(pid int, node string) (string, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err != nil || to != node {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return "", err
		}
		return throughDescriptor(pid, fd)
	}
	return "", errNotOpen
}

func throughDescriptor(pid, fd int) (_ string, err error) {
	if pid != os.Getpid() {
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return "", err
		}
		own, err := unix.PidfdGetfd(process, fd, 0)
		if err = errors.Join(err, unix.Close(process)); err != nil {
			return "", err
		}
		defer func() { _ = unix.Close(own) }() // a copy; the process has its own
		fd = own
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return "", err
	}
	return settingsText(t), nil
}

// settingsText writes settings as stty does.
func settingsText(t *unix.Termios) string {
	flag := func(on bool, name string) string {
		if on {
			return " " + name
		}
		return " -" + name
	}
	bits := map[uint32]string{unix.CS5: "cs5", unix.CS6: "cs6", unix.CS7: "cs7", unix.CS8: "cs8"}[t.Cflag&unix.CSIZE]
	return fmt.Sprintf("speed %d baud; %s%s%s%s%s%s%s%s%s", t.Ospeed, bits, flag(t.Cflag&unix.PARENB != 0, "parenb"), flag(t.Cflag&unix.PARODD != 0, "parodd"),
		flag(t.Cflag&unix.CSTOPB != 0, "cstopb"), flag(t.Cflag&unix.CRTSCTS != 0, "crtscts"), flag(t.Cflag&unix.CLOCAL != 0, "clocal"),
		flag(t.Iflag&unix.IXON != 0, "ixon"), flag(t.Lflag&unix.ICANON != 0, "icanon"), flag(t.Lflag&unix.ECHO != 0, "echo"))
}
