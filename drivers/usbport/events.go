package usbport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often sysfs is looked at where the kernel reports nothing.
const pollInterval = 2 * time.Second

// Events reports when USB or serial devices come and go: kernel uevents over
// netlink. For one goroutine at a time.
type Events struct {
	file *os.File // nil where there is no netlink: Wait then only waits
	raw  syscall.RawConn
}

// NewEvents subscribes. It never fails: without netlink (some containers) Wait
// ends only with its context, and its caller looks for itself.
func NewEvents() *Events {
	const kernelGroup = 1
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return &Events{}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		_ = unix.Close(fd)
		return &Events{}
	}
	e := &Events{file: os.NewFile(uintptr(fd), "uevents")}
	if e.raw, err = e.file.SyscallConn(); err != nil {
		_ = e.file.Close()
		return &Events{}
	}
	return e
}

// Changes are the devices that came or went since the last look.
type Changes struct {
	USB []Config // vendor and product ids
	TTY []string // nodes, "/dev/ttyACM0"
	Any bool     // the kernel had more to report than fitted: any device may be among them
}

// MayBe reports whether the device of a name is among those that came or went: its ids
// are all that an event states of it.
func (c *Changes) MayBe(name Config) bool {
	return c.Any || slices.Contains(c.USB, Config{VendorID: name.VendorID, ProductID: name.ProductID})
}

// MayBeTTY is MayBe for the node of a serial port; "" is one that is not known, which
// may be any.
func (c *Changes) MayBeTTY(node string) bool {
	return c.Any || node == "" && len(c.TTY) > 0 || slices.Contains(c.TTY, node)
}

// Next waits until a USB or serial device comes or goes, then settle longer, since one
// plug makes many events and udev is at work after them, and returns all that were reported.
// Errors: ctx's when that ends first, os.ErrClosed after Close.
func (e *Events) Next(ctx context.Context, settle time.Duration) (*Changes, error) {
	c := &Changes{}
	if err := e.wait(ctx, c); err != nil {
		return nil, err
	}
	more, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for {
		err := e.wait(more, c)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return c, nil
		case err != nil:
			return nil, err
		}
	}
}

// Wait returns nil when a USB or serial device came or went since the last Wait,
// ctx's error when that ends first, os.ErrClosed after Close.
func (e *Events) Wait(ctx context.Context) error { return e.wait(ctx, &Changes{}) }

// wait takes the next event about devices into c.
func (e *Events) wait(ctx context.Context, c *Changes) error {
	if e.file == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := e.file.SetReadDeadline(time.Time{}); err != nil {
		return os.ErrClosed
	}
	stop := context.AfterFunc(ctx, func() { _ = e.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		var n int
		var from unix.Sockaddr
		var rerr error
		err := e.raw.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(rerr, unix.EAGAIN)
		})
		switch {
		case err == nil && rerr == nil: // an event that has come counts, whatever the time
			if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 && c.take(buf[:n]) {
				return nil
			}
		case errors.Is(rerr, unix.ENOBUFS):
			c.Any = true // some were lost: better look
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return os.ErrClosed
		}
	}
}

// take reads a uevent, "remove@/devices/…\0ACTION=remove\0SUBSYSTEM=usb\0…"; false if
// it is about something else.
func (c *Changes) take(message []byte) bool {
	fields := map[string]string{}
	for field := range bytes.SplitSeq(message, []byte{0}) {
		if name, value, ok := strings.Cut(string(field), "="); ok {
			fields[name] = value
		}
	}
	switch fields["SUBSYSTEM"] {
	case "usb": // PRODUCT=1209/5053/100, hexadecimal without leading zeros
		var vendor, product uint16
		if n, err := fmt.Sscanf(fields["PRODUCT"], "%x/%x/", &vendor, &product); n != 2 || err != nil {
			return true // a node of an endpoint and the like: no device is named
		}
		if ids := (Config{VendorID: vendor, ProductID: product}); !slices.Contains(c.USB, ids) {
			c.USB = append(c.USB, ids)
		}
		return true
	case "tty":
		if node := filepath.Join("/dev", fields["DEVNAME"]); fields["DEVNAME"] != "" && !slices.Contains(c.TTY, node) {
			c.TTY = append(c.TTY, node)
		}
		return true
	}
	return false
}

// Close ends the subscription and a Wait under way.
func (e *Events) Close() error {
	if e.file == nil {
		return nil
	}
	return e.file.Close()
}

// watchDevice calls lost once when the device is no longer present, and returns
// when it has or ctx ends.
func watchDevice(ctx context.Context, present func() bool, lost func()) {
	events := NewEvents()
	defer func() { _ = events.Close() }()
	for ctx.Err() == nil {
		if !present() {
			lost()
			return
		}
		wait, cancel := context.WithTimeout(ctx, pollInterval)
		_ = events.Wait(wait) // event or not: look
		cancel()
	}
}
