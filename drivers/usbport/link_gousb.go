//go:build cgo && !nousb

package usbport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/google/gousb"
	"golang.org/x/sys/unix"
)

// Built: whether this program has the USB library.
const Built = true

const controlTimeout = time.Second

// Open finds the device, locks it, takes its vendor interface and starts to read.
// It waits at most for a few control requests of a second each.
//
// Errors: ErrAbsent, ErrPermission, ErrBusy, ErrDevice, or ctx's. Nothing stays
// open after an error. The caller closes the port.
func Open(ctx context.Context, c Config) (*Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := systemTree.find(c)
	if err != nil {
		return nil, err
	}
	node, err := lockNode(d)
	if err != nil {
		return nil, err
	}
	l, err := openLink(d, node)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return newPort(d.String(), d.channel, l, node, d.present), nil
}

// openChild does the part of Open that is the child's.
func openChild(c Config) (link, error) {
	d, err := systemTree.find(c)
	if err != nil {
		return nil, err
	}
	node, err := lockNode(d)
	if err != nil {
		return nil, err
	}
	l, err := openLink(d, node)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return lockedLink{l, node}, nil
}

// A lockedLink is a link that keeps the lock of its device.
type lockedLink struct {
	link
	node *os.File
}

func (l lockedLink) close() error { return errors.Join(l.link.close(), l.node.Close()) }

// lockNode opens the usbfs node for ourselves and locks it: whether the device may
// be opened, and by whom, is decided here and not by the library.
func lockNode(d *Device) (*os.File, error) {
	fd, err := unix.Open(d.Node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nodeError(d, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = unix.Close(fd) // so that we are not named as a holder ourselves
		return nil, nodeError(d, err)
	}
	return os.NewFile(uintptr(fd), d.Node), nil
}

// A gousbLink is the library's side of a port. Its fields are set in the order of
// opening and closed in the reverse.
type gousbLink struct {
	context  *gousb.Context
	device   *gousb.Device
	config   *gousb.Config
	intf     *gousb.Interface
	in       *gousb.InEndpoint
	out      *gousb.OutEndpoint
	reattach func()
}

// guarded runs a call of the library: it panics on some descriptors and when
// libusb cannot start.
func guarded(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errCrashed, r)
		}
	}()
	return call()
}

// openLink opens and claims exactly the device that sysfs has named.
func openLink(d *Device, node *os.File) (link, error) {
	l := &gousbLink{reattach: func() {}}
	if err := guarded(func() error { return l.open(d, node) }); err != nil {
		err = openFault(d, err)
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *gousbLink) open(d *Device, node *os.File) error {
	l.context = gousb.NewContext()
	// First a look without opening: if the library panics over some device on the
	// bus, nothing is open yet and the context can be closed.
	_, _ = l.context.OpenDevices(func(*gousb.DeviceDesc) bool { return false })
	devices, err := l.context.OpenDevices(func(desc *gousb.DeviceDesc) bool {
		return desc.Bus == d.Bus && desc.Address == d.Number &&
			uint16(desc.Vendor) == d.Name.VendorID && uint16(desc.Product) == d.Name.ProductID
	})
	// The error may be of another device on the bus; ours counts.
	if len(devices) != 1 {
		for _, other := range devices {
			err = errors.Join(err, other.Close())
		}
		if err == nil {
			err = errNoDevice
		}
		return err
	}
	l.device = devices[0]
	l.device.ControlTimeout = controlTimeout
	active, err := l.device.ActiveConfigNum()
	if err != nil {
		return err
	}
	if active != d.channel.config {
		return fmt.Errorf("configuration %d is active, want %d", active, d.channel.config)
	}
	if l.config, err = l.device.Config(active); err != nil {
		return err
	}
	if driver := d.driver(); driver != "" && driver != "usbfs" {
		if err := driverRequest(node, d.channel.number, disconnectDriver); err != nil {
			return fmt.Errorf("detach driver %s: %w", driver, err)
		}
		l.reattach = func() { _ = driverRequest(node, d.channel.number, connectDriver) } // a favour; the device may be gone
	}
	if l.intf, err = l.config.Interface(d.channel.number, d.channel.alternate); err != nil {
		return err
	}
	const number = 0x0f
	if l.in, err = l.intf.InEndpoint(int(d.channel.in & number)); err != nil {
		return err
	}
	l.out, err = l.intf.OutEndpoint(int(d.channel.out & number))
	return err
}

// openFault returns an error of opening its class. The library's text of a refused
// claim has lost the cause, so the facts are asked again.
func openFault(d *Device, err error) error {
	switch {
	case !d.present(), errors.Is(err, errNoDevice), errors.Is(err, gousb.ErrorNoDevice):
		return fmt.Errorf("usbport: open %s: %w (%v)", d, ErrAbsent, err)
	case errors.Is(err, errCrashed):
		return fmt.Errorf("usbport: open %s: %w: %w%s", d, ErrDevice, err, systemTree.suspects())
	case errors.Is(err, gousb.ErrorAccess):
		return nodeError(d, unix.EACCES)
	case errors.Is(err, gousb.ErrorBusy), d.driver() == "usbfs":
		return busyError(d)
	}
	return fmt.Errorf("usbport: open %s: %w: %w; %s", d, ErrDevice, err, plugAgain)
}

// read does one IN transfer.
func (l *gousbLink) read(ctx context.Context, p []byte) (n int, err error) {
	err = guarded(func() error {
		var e error
		n, e = l.in.ReadContext(ctx, p)
		return transferFault(e)
	})
	return n, err
}

// write does one OUT transfer; an empty one is a zero-length packet.
func (l *gousbLink) write(ctx context.Context, p []byte) (n int, err error) {
	err = guarded(func() error {
		var e error
		n, e = l.out.WriteContext(ctx, p)
		return transferFault(e)
	})
	return n, err
}

// clearHalt sends CLEAR_FEATURE(ENDPOINT_HALT), USB 2.0 § 9.4.1.
func (l *gousbLink) clearHalt(endpoint byte) error {
	const toEndpoint, clearFeature, halt = 0x02, 0x01, 0
	return guarded(func() error {
		_, err := l.device.Control(toEndpoint, clearFeature, halt, uint16(endpoint), nil)
		return transferFault(err)
	})
}

func transferFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gousb.TransferNoDevice), errors.Is(err, gousb.ErrorNoDevice), errors.Is(err, gousb.ErrorNotFound):
		return fmt.Errorf("%w: %w", errNoDevice, err)
	case errors.Is(err, gousb.TransferStall), errors.Is(err, gousb.ErrorPipe):
		return fmt.Errorf("%w: %w", errStall, err)
	}
	return err
}

// close returns what was taken, in the reverse order; every step runs although
// one before it failed.
func (l *gousbLink) close() error {
	var all error
	step := func(call func() error) { all = errors.Join(all, guarded(call)) }
	if l.intf != nil {
		step(func() error { l.intf.Close(); return nil })
	}
	l.reattach()
	if l.config != nil {
		step(l.config.Close)
	}
	if l.device != nil {
		step(l.device.Close)
	}
	if l.context != nil {
		step(l.context.Close)
	}
	return all
}

// Requests to usbfs about the kernel driver of one interface
// (linux/usbdevice_fs.h: _IO('U', 22) and _IO('U', 23) inside _IOWR('U', 18)).
const (
	disconnectDriver = 'U'<<8 | 22
	connectDriver    = 'U'<<8 | 23
)

func driverRequest(node *os.File, number int, request int32) error {
	arg := struct {
		number, code int32
		data         uintptr
	}{int32(number), request, 0}
	const readWrite = 3
	op := uintptr(readWrite)<<30 | unsafe.Sizeof(arg)<<16 | 'U'<<8 | 18
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, node.Fd(), op, uintptr(unsafe.Pointer(&arg)))
	runtime.KeepAlive(node)
	if errno != 0 && errno != unix.ENODATA { // ENODATA: there was no driver any more
		return errno
	}
	return nil
}
