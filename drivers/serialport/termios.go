package serialport

import (
	"fmt"
	"strconv"
	"strings"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// compare reads the line settings back and returns which are not as asked.
func compare(fd int, node string, want *serial.Mode) error {
	got, err := unix.IoctlGetTermios(fd, unix.TCGETS2) // TCGETS has no true speeds
	if err != nil {
		return openError(node, err)
	}
	var d []Difference
	check := func(setting, got, want string) {
		if got != want {
			d = append(d, Difference{setting, got, want})
		}
	}
	if !nearSpeed(got.Ospeed, want.BaudRate) {
		check("speed", strconv.Itoa(int(got.Ospeed)), strconv.Itoa(want.BaudRate))
	}
	if got.Ispeed != 0 && !nearSpeed(got.Ispeed, want.BaudRate) {
		check("input speed", strconv.Itoa(int(got.Ispeed)), strconv.Itoa(want.BaudRate))
	}
	check("data bits", strconv.Itoa(dataBitsOf(got.Cflag)), strconv.Itoa(want.DataBits))
	check("parity", parityName(parityOf(got.Cflag)), parityName(want.Parity))
	stop := map[bool]string{false: "1", true: "2"}
	check("stop bits", stop[got.Cflag&unix.CSTOPB != 0], stop[want.StopBits == serial.TwoStopBits])
	check("raw mode", notRaw(got), "complete")
	if len(d) > 0 {
		return &SettingsError{Port: node, Differences: d}
	}
	return nil
}

// nearSpeed allows what the kernel calls the same speed: within 2 %.
func nearSpeed(got uint32, want int) bool {
	diff := int64(got) - int64(want)
	return max(diff, -diff)*50 <= int64(want)
}

func dataBitsOf(cflag uint32) int {
	switch cflag & unix.CSIZE {
	case unix.CS5:
		return 5
	case unix.CS6:
		return 6
	case unix.CS7:
		return 7
	}
	return 8
}

func parityOf(cflag uint32) serial.Parity {
	odd, stick := cflag&unix.PARODD != 0, cflag&unix.CMSPAR != 0
	switch {
	case cflag&unix.PARENB == 0:
		return serial.NoParity
	case stick && odd:
		return serial.MarkParity
	case stick:
		return serial.SpaceParity
	case odd:
		return serial.OddParity
	}
	return serial.EvenParity
}

// notRaw names what would change, hold back or drop bytes; "complete" if nothing.
func notRaw(t *unix.Termios) string {
	var left []string
	flag := func(name string, wrong bool) {
		if wrong {
			left = append(left, name)
		}
	}
	const (
		translate = unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IUCLC
		drop      = unix.IGNBRK | unix.IGNPAR
	)
	flag("canonical input", t.Lflag&unix.ICANON != 0)
	flag("echo", t.Lflag&(unix.ECHO|unix.ECHONL) != 0)
	flag("signals", t.Lflag&(unix.ISIG|unix.IEXTEN) != 0 || t.Iflag&unix.BRKINT != 0)
	flag("input translation", t.Iflag&translate != 0)
	flag("input dropped", t.Iflag&drop != 0)
	flag("marked errors", t.Iflag&unix.PARMRK != 0)
	flag("software flow control", t.Iflag&(unix.IXON|unix.IXOFF|unix.IXANY) != 0)
	flag("hardware flow control", t.Cflag&unix.CRTSCTS != 0)
	flag("output processing", t.Oflag&unix.OPOST != 0)
	flag("receiver off", t.Cflag&unix.CREAD == 0)
	flag("modem control", t.Cflag&unix.CLOCAL == 0)
	flag("read timing", t.Cc[unix.VMIN] != 1 || t.Cc[unix.VTIME] != 0)
	if len(left) == 0 {
		return "complete"
	}
	return fmt.Sprintf("broken by %s", strings.Join(left, ", "))
}
