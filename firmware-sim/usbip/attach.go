package usbip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// controller is the virtual host controller of Linux, module vhci-hcd.
const controller = "/sys/devices/platform/vhci_hcd.0"

// attachAgain is how long to wait before a port is looked for again.
const attachAgain = 20 * time.Millisecond

// ErrNoHost: this machine cannot take devices over: no vhci-hcd, or no permission.
var ErrNoHost = errors.New("usbip: no virtual host controller here")

// CanAttach reports whether this machine can take devices over itself: its kernel has
// the virtual host controller, and this process may use it.
func CanAttach() bool {
	f, err := os.OpenFile(filepath.Join(controller, "attach"), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// Attach has this machine's kernel take over a device of a server (host:port), as
// "usbip attach -r HOST -b BUSID" does: asks for it and hands the connection to the
// kernel, which finds the device a moment later and keeps it until the plug is
// pulled. It returns the port of the virtual controller, waiting for a free one at most
// ten seconds. Errors: ErrNoHost, those of the connection. Safe for concurrent use.
func Attach(server, busID string) (port int, err error) {
	if !CanAttach() {
		return 0, ErrNoHost
	}
	if port, err = attach(server, busID); err != nil {
		return 0, fmt.Errorf("usbip: attach %s: %w", busID, err)
	}
	return port, nil
}

func attach(server, busID string) (int, error) {
	conn, err := net.DialTimeout("tcp", server, patience)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	speed, number, err := ask(conn, busID)
	if err != nil {
		return 0, err
	}
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return 0, err
	}
	defer file.Close()
	// Several may look for a free port at once; the kernel refuses the slower.
	tick := time.NewTicker(attachAgain)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		port, err := freePort()
		if err == nil {
			line := fmt.Sprintf("%d %d %d %d", port, file.Fd(), number, speed)
			err = os.WriteFile(filepath.Join(controller, "attach"), []byte(line), 0o200)
		}
		if err == nil || time.Now().After(end) {
			return port, err
		}
	}
}

// ask imports a device and returns its speed and number.
func ask(conn net.Conn, busID string) (speed, number uint32, err error) {
	if len(busID) >= busIDSize {
		return 0, 0, errors.New("bus id too long")
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, 0, err
	}
	request := opHeader(opReqImport, 0)
	request = append(request, busID...)
	request = append(request, make([]byte, busIDSize-len(busID))...)
	if _, err := conn.Write(request); err != nil {
		return 0, 0, err
	}
	const device, path = 0x138, 256
	var reply [opHeaderSize + device]byte
	if _, err := io.ReadFull(conn, reply[:opHeaderSize]); err != nil {
		return 0, 0, err
	}
	if status := binary.BigEndian.Uint32(reply[4:]); status != 0 {
		return 0, 0, fmt.Errorf("the server refuses it (status %d)", status)
	}
	if _, err := io.ReadFull(conn, reply[opHeaderSize:]); err != nil {
		return 0, 0, err
	}
	at := reply[opHeaderSize+path+busIDSize:]
	bus, dev := binary.BigEndian.Uint32(at), binary.BigEndian.Uint32(at[4:])
	return binary.BigEndian.Uint32(at[8:]), bus<<16 | dev, conn.SetDeadline(time.Time{})
}

// freePort picks a port that nothing is attached to: lines of "hs port sta …", sta 4
// is free. All our devices are slower than SuperSpeed.
func freePort() (int, error) {
	status, err := os.ReadFile(filepath.Join(controller, "status"))
	if err != nil {
		return 0, err
	}
	var free []int
	for line := range strings.Lines(string(status)) {
		w := strings.Fields(line)
		if len(w) < 3 || w[0] != "hs" || w[2] != "004" {
			continue
		}
		port, err := strconv.Atoi(w[1])
		if err != nil {
			return 0, err
		}
		// The hub has not taken leave of an old device: it would take this one for it.
		if old, err := filepath.Glob(fmt.Sprintf("%s/usb*/*-%d", controller, port+1)); err == nil && len(old) == 0 {
			free = append(free, port)
		}
	}
	if len(free) == 0 {
		return 0, errors.New("no free port")
	}
	return free[rand.IntN(len(free))], nil
}
