package usblab

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

const (
	importRequest = 0x8003 // OP_REQ_IMPORT
	importReply   = 0x0003 // OP_REP_IMPORT
	usbipVersion  = 0x0111
	busIDSize     = 32
	deviceSize    = 0x138 // struct usbip_usb_device
	attachWait    = 10 * time.Second
	controller    = "/sys/devices/platform/vhci_hcd.0"
)

// An Attachment is a device of a USB/IP server that this machine's kernel has
// taken over.
type Attachment struct {
	Port int // of the virtual host controller
}

// Attach does what "usbip attach -r HOST -b BUSID" does, without that program:
// asks the server (host:port) for the device and hands the connection to the
// kernel. Needs root and vhci-hcd. The device shows up in sysfs a moment later.
// Source of the bytes: Linux, Documentation/usb/usbip_protocol.rst.
func Attach(server, busID string) (*Attachment, error) {
	conn, err := net.DialTimeout("tcp", server, attachWait)
	if err != nil {
		return nil, fmt.Errorf("usblab: attach %s: %w", busID, err)
	}
	defer conn.Close()
	speed, devID, err := importDevice(conn, busID)
	if err != nil {
		return nil, fmt.Errorf("usblab: attach %s: %w", busID, err)
	}
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		return nil, fmt.Errorf("usblab: attach %s: %w", busID, err)
	}
	defer f.Close()
	// Several may look for a free port at once; the kernel refuses the slower.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(attachWait); ; <-tick.C {
		port, err := freePort(speed)
		if err == nil {
			line := fmt.Sprintf("%d %d %d %d", port, f.Fd(), devID, speed)
			err = os.WriteFile(filepath.Join(controller, "attach"), []byte(line), 0o200)
		}
		if err == nil {
			return &Attachment{Port: port}, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("usblab: attach %s: %w", busID, err)
		}
	}
}

// Detach pulls the plug on this machine's side.
func (a *Attachment) Detach() error {
	err := os.WriteFile(filepath.Join(controller, "detach"), []byte(strconv.Itoa(a.Port)), 0o200)
	if err != nil {
		return fmt.Errorf("usblab: detach: %w", err)
	}
	return nil
}

// importDevice asks for a device and gives its speed and number.
func importDevice(conn net.Conn, busID string) (speed, devID uint32, err error) {
	if len(busID) >= busIDSize {
		return 0, 0, errors.New("bus id too long")
	}
	if err := conn.SetDeadline(time.Now().Add(attachWait)); err != nil {
		return 0, 0, err
	}
	request := make([]byte, 8+busIDSize)
	binary.BigEndian.PutUint16(request, usbipVersion)
	binary.BigEndian.PutUint16(request[2:], importRequest)
	copy(request[8:], busID)
	if _, err := conn.Write(request); err != nil {
		return 0, 0, err
	}
	reply := make([]byte, 8+deviceSize)
	if _, err := io.ReadFull(conn, reply[:8]); err != nil {
		return 0, 0, err
	}
	if code, status := binary.BigEndian.Uint16(reply[2:]), binary.BigEndian.Uint32(reply[4:]); code != importReply || status != 0 {
		return 0, 0, fmt.Errorf("the server answers code %#x status %d", code, status)
	}
	if _, err := io.ReadFull(conn, reply[8:]); err != nil {
		return 0, 0, err
	}
	numbers := reply[8+256+busIDSize:]
	bus, dev := binary.BigEndian.Uint32(numbers), binary.BigEndian.Uint32(numbers[4:])
	return binary.BigEndian.Uint32(numbers[8:]), bus<<16 | dev, conn.SetDeadline(time.Time{})
}

// freePort picks at random a port of the right speed class that nothing is attached
// to: lines of "hub port sta spd dev sockfd local_busid", sta 4 is free. A port
// whose last device the hub has not taken leave of yet is not used: a plug that
// comes back there at once is taken for the old one, and never enumerated.
func freePort(speed uint32) (int, error) {
	const super, free = 5, "004"
	hub := "hs"
	if speed >= super {
		hub = "ss"
	}
	status, err := os.ReadFile(filepath.Join(controller, "status"))
	if err != nil {
		return 0, err
	}
	var ports []int
	for line := range strings.Lines(string(status)) {
		w := strings.Fields(line)
		if len(w) < 3 || w[0] != hub || w[2] != free {
			continue
		}
		port, err := strconv.Atoi(w[1])
		if err != nil {
			return 0, err
		}
		if old, err := filepath.Glob(fmt.Sprintf("%s/usb*/*-%d", controller, port+1)); err == nil && len(old) == 0 {
			ports = append(ports, port)
		}
	}
	if len(ports) == 0 {
		return 0, errors.New("no free port")
	}
	return ports[rand.IntN(len(ports))], nil
}
