package usbport

import (
	"bytes"
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often sysfs is looked at where the kernel says nothing.
const pollInterval = 2 * time.Second

// Events tells when USB or serial devices come and go: kernel uevents over
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

// Wait returns nil when a USB or serial device came or went since the last Wait,
// ctx's error when that ends first, os.ErrClosed after Close.
func (e *Events) Wait(ctx context.Context) error {
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
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return os.ErrClosed
		case errors.Is(rerr, unix.ENOBUFS):
			return nil // some were lost: better look
		case rerr != nil:
			continue // interrupted
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 && aboutDevices(buf[:n]) {
			return nil
		}
	}
}

// aboutDevices reads a uevent, "remove@/devices/…\0ACTION=remove\0SUBSYSTEM=usb\0…".
func aboutDevices(message []byte) bool {
	for field := range bytes.SplitSeq(message, []byte{0}) {
		switch string(field) {
		case "SUBSYSTEM=usb", "SUBSYSTEM=tty":
			return true
		}
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
	defer events.Close()
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
