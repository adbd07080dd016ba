package serialport

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Counts are what the driver of a port has counted since it knows the device. They wrap.
type Counts struct {
	Overrun    uint32 // the UART had no room for a byte
	BufOverrun uint32 // the kernel had no room
	Frame      uint32 // stop bits that were none
	Parity     uint32
	Break      uint32
}

// Counts returns what the driver has counted. ok is false where it does not count: a
// pseudo terminal, some adapters, a port that is closed or gone.
func (p *Port) Counts() (c Counts, ok bool) {
	p.use.RLock()
	defer p.use.RUnlock()
	if closed, gone := p.state(); closed || gone {
		return Counts{}, false
	}
	var icount [icountSize]byte
	err := p.raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.TIOCGICOUNT, uintptr(unsafe.Pointer(&icount)))
		ok = errno == 0
	})
	if err != nil || !ok {
		return Counts{}, false
	}
	return decodeCounts(&icount), true
}

// icountSize is the size of struct serial_icounter_struct (linux/serial.h): twenty ints.
const icountSize = 20 * 4

func decodeCounts(icount *[icountSize]byte) Counts {
	at := func(i int) uint32 { return binary.NativeEndian.Uint32(icount[4*i:]) }
	return Counts{Frame: at(6), Overrun: at(7), Parity: at(8), Break: at(9), BufOverrun: at(10)}
}
