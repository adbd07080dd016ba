package usbip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Numbers of the protocol (usbip_protocol.rst).
const (
	version       = 0x0111
	opReqDevlist  = 0x8005
	opRepDevlist  = 0x0005
	opReqImport   = 0x8003
	opRepImport   = 0x0003
	opHeaderSize  = 8
	busIDSize     = 32
	pathSize      = 256
	deviceSize    = 0x138
	statusRefused = 1

	cmdSubmit  = 1
	cmdUnlink  = 2
	retSubmit  = 3
	retUnlink  = 4
	headerSize = 48

	notIsochronous = 0xffffffff
	maxTransfer    = 1 << 20 // bytes; usbfs splits at 16 KiB, the largest of drivers is below this
)

// Status of a transfer, negative errno of Linux.
const (
	statusOK       = 0
	statusStall    = -32  // EPIPE
	statusBabble   = -75  // EOVERFLOW
	statusUnlinked = -104 // ECONNRESET
)

// ErrProtocol is the class of everything a host sends that is no USB/IP.
var ErrProtocol = errors.New("usbip: protocol")

// A urb is one transfer that the host has asked for.
type urb struct {
	seq    uint32
	ep     uint8
	in     bool
	length int     // bytes asked for, or of data
	setup  [8]byte // control requests
	data   []byte  // OUT
}

// readCommand reads one command after the import: a transfer, or the number of
// one to unlink (command cmdUnlink; u.seq is the unlink's own number).
func readCommand(r io.Reader) (command uint32, u urb, unlink uint32, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, urb{}, 0, err
	}
	be := binary.BigEndian
	command = be.Uint32(h[0:])
	u.seq = be.Uint32(h[4:])
	u.in = be.Uint32(h[12:]) == 1
	ep := be.Uint32(h[16:])
	switch command {
	case cmdUnlink:
		return command, u, be.Uint32(h[20:]), nil
	case cmdSubmit:
	default:
		return 0, urb{}, 0, fmt.Errorf("%w: command %d", ErrProtocol, command)
	}
	length, packets := be.Uint32(h[24:]), be.Uint32(h[32:])
	switch {
	case ep > 15:
		return 0, urb{}, 0, fmt.Errorf("%w: endpoint %d", ErrProtocol, ep)
	case length > maxTransfer:
		return 0, urb{}, 0, fmt.Errorf("%w: transfer of %d bytes, at most %d", ErrProtocol, length, maxTransfer)
	case packets != 0 && packets != notIsochronous:
		return 0, urb{}, 0, fmt.Errorf("%w: isochronous transfer", ErrProtocol)
	}
	u.ep, u.length = uint8(ep), int(length)
	copy(u.setup[:], h[40:48])
	if !u.in && u.length > 0 {
		u.data = make([]byte, u.length)
		if _, err := io.ReadFull(r, u.data); err != nil {
			return 0, urb{}, 0, err
		}
	}
	return command, u, 0, nil
}

// appendSubmitted appends the answer to a transfer. actual is what it claims; data
// follows an IN transfer.
func appendSubmitted(dst []byte, seq uint32, status int32, actual int, data []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, retSubmit)
	dst = be.AppendUint32(dst, seq)
	dst = append(dst, make([]byte, 12)...) // device, direction, endpoint: 0 in answers
	dst = be.AppendUint32(dst, uint32(status))
	dst = be.AppendUint32(dst, uint32(actual))
	dst = be.AppendUint32(dst, 0) // start frame
	dst = be.AppendUint32(dst, notIsochronous)
	dst = append(dst, make([]byte, 12)...) // error count, padding
	return append(dst, data...)
}

// appendUnlinked appends the answer to an unlink.
func appendUnlinked(dst []byte, seq uint32, status int32) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, retUnlink)
	dst = be.AppendUint32(dst, seq)
	dst = append(dst, make([]byte, 12)...)
	dst = be.AppendUint32(dst, uint32(status))
	return append(dst, make([]byte, 24)...)
}

// opHeader returns the head of a request or reply before the transfers begin.
func opHeader(code uint16, status uint32) []byte {
	dst := binary.BigEndian.AppendUint16(nil, version)
	dst = binary.BigEndian.AppendUint16(dst, code)
	return binary.BigEndian.AppendUint32(dst, status)
}

// appendDevice appends the 0x138 bytes that describe a device to a host.
func (d *Device) appendDevice(dst []byte, port int) []byte {
	be := binary.BigEndian
	fixed := func(s string, size int) {
		dst = append(dst, s...)
		dst = append(dst, make([]byte, size-len(s))...)
	}
	fixed("/sys/devices/pci0000:00/0000:00:01.2/usb1/"+busID(port), pathSize)
	fixed(busID(port), busIDSize)
	dst = be.AppendUint32(dst, busNumber)
	dst = be.AppendUint32(dst, uint32(port))
	dst = be.AppendUint32(dst, d.cfg.speed())
	dst = be.AppendUint16(dst, d.cfg.VendorID)
	dst = be.AppendUint16(dst, d.cfg.ProductID)
	dst = be.AppendUint16(dst, deviceRelease)
	device, interfaces := d.device, d.interfaces()
	dst = append(dst, device[4:7]...)                          // class, subclass, protocol
	return append(dst, 0, device[17], byte(len(interfaces)/4)) // not configured yet
}
