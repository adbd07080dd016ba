package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"yuanlu/firmware-sim/usbip"
)

// USB is a simulated USB device as a line: what is written arrives at the host's bulk endpoint.
type USB struct {
	device *usbip.Device
	place  string
	modem  bool
}

// Place is where the device is found: "127.0.0.1:3240 busid 1-1".
func (u *USB) Place() string { return u.place }

// Open reports whether a host has taken the device, and for a modem whether a program has its port open (DTR).
func (u *USB) Open() bool {
	if u.modem {
		_, _, dtr := u.device.Line()
		return dtr
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return u.device.Attached(now) == nil
}

// Write hands bytes to the host. A modem that no program has open loses them, as a serial line does; the smart terminal
// waits while its buffer is full. An unplugged device returns os.ErrClosed.
func (u *USB) Write(b []byte) (int, error) {
	if u.modem && !u.Open() {
		return len(b), nil
	}
	n, err := u.device.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = os.ErrClosed
	}
	return n, err
}

// Read returns what the host wrote; io.EOF once the device is unplugged.
func (u *USB) Read(b []byte) (int, error) { return u.device.Read(b) }

// Close pulls the plug.
func (u *USB) Close() error { return u.device.Close() }

// PlugUSB offers a device over USB/IP at an address: the vendor device of the smart terminal, or a CDC-ACM modem. A
// device that is unplugged comes back under another bus id.
func PlugUSB(addr, serial string, modem bool) (*Socket, error) {
	server, err := usbip.Listen(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	s := &Socket{spare: true, end: server.Close}
	s.open = func() (Line, error) {
		kind := usbip.Vendor
		if modem {
			kind = usbip.ACM
		}
		d, err := usbip.NewDevice(usbip.Config{Kind: kind, Serial: serial})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLine, err)
		}
		bus, err := server.Plug(d)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLine, err)
		}
		return &USB{device: d, place: server.Addr() + " busid " + bus, modem: modem}, nil
	}
	if s.line, err = s.open(); err != nil {
		_ = server.Close()
		return nil, err
	}
	return s, nil
}
