package usbport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv marks a process as the USB half of another one; its value is the name
// of the device.
const childEnv = "YUANLU_USB_CHILD"

// The sockets of a child, in the order of its descriptors from 3.
const (
	readSocket = iota
	writeSocket
	controlSocket
	socketCount
	firstSocket = 3
)

// IsChild reports whether this process was started by OpenIsolated. main asks it
// before anything else, and if so does nothing but os.Exit(RunChild()).
func IsChild() bool { return os.Getenv(childEnv) != "" }

// OpenIsolated is Open with the USB library in a process of its own, a second
// instance of this program (see IsChild): whatever a device does to libusb or to
// the kernel's side of a transfer, this process sees a port that is gone. It costs
// the memory of a small process and a copy of each byte. Errors are those of Open.
func OpenIsolated(ctx context.Context, c Config) (*Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !Built {
		return Open(ctx, c) // it returns ErrNoUSB
	}
	d, err := systemTree.find(c)
	if err != nil {
		return nil, err
	}
	l, err := startChild(ctx, d)
	if err != nil {
		return nil, err
	}
	return newPort(d.String(), d.channel, l, io.NopCloser(nil), d.present), nil
}

// RunChild serves the device named in the environment over the inherited sockets
// until the parent closes them, and returns the exit status.
func RunChild() int {
	var conns [socketCount]*os.File
	for i := range conns {
		fd := firstSocket + i
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return 1
		}
		conns[i] = os.NewFile(uintptr(fd), "parent")
	}
	c, err := ParseName(os.Getenv(childEnv))
	var l link
	if err == nil {
		l, err = openChild(c)
	}
	if werr := writeReply(conns[controlSocket], 0, err, nil); err != nil || werr != nil {
		return 1
	}
	serveLink(l, conns[readSocket], conns[writeSocket], conns[controlSocket])
	if l.close() != nil {
		return 1
	}
	return 0
}

// serveLink answers the three sockets of a link until they end.
func serveLink(l link, reads, writes, control io.ReadWriter) {
	var work sync.WaitGroup
	for conn, handle := range map[io.ReadWriter]func(context.Context, byte, []byte) (int, []byte, error){
		reads: func(ctx context.Context, _ byte, data []byte) (int, []byte, error) {
			size := readSize
			if len(data) == 4 {
				size = min(int(binary.BigEndian.Uint32(data)), readSize)
			}
			buf := make([]byte, size)
			n, err := l.read(ctx, buf)
			return n, buf[:n], err
		},
		writes: func(ctx context.Context, _ byte, data []byte) (int, []byte, error) {
			n, err := l.write(ctx, data)
			return n, nil, err
		},
		control: func(_ context.Context, op byte, data []byte) (int, []byte, error) {
			if op != opHalt || len(data) != 1 {
				return 0, nil, errTransfer
			}
			return 0, nil, l.clearHalt(data[0])
		},
	} {
		work.Add(1)
		go func() {
			defer work.Done()
			serve(conn, handle)
		}()
	}
	work.Wait()
}

// A childLink is the parent's end: a link whose transfers another process does.
type childLink struct {
	conns   [socketCount]*os.File
	control sync.Mutex // clearHalt of both endpoints
	ended   func()     // waits for the other process when its sockets are closed
}

// A pair is one socket of each side.
type pair struct{ ours, theirs *os.File }

// pairs makes the sockets; ours are non-blocking.
func pairs() ([]pair, error) {
	var made []pair
	for i := range socketCount {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			for _, p := range made {
				_, _ = p.ours.Close(), p.theirs.Close() // the first error is the one to return
			}
			return nil, err
		}
		name := "usb" + strconv.Itoa(i)
		made = append(made, pair{os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)})
	}
	return made, nil
}

// startChild starts the other process and waits for its message that the device is
// open.
func startChild(ctx context.Context, d *Device) (*childLink, error) {
	fail := func(err error) (*childLink, error) {
		return nil, fmt.Errorf("usbport: open %s: child: %w", d, err)
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	sockets, err := pairs()
	if err != nil {
		return fail(err)
	}
	l := &childLink{}
	cmd := exec.Command(self)
	cmd.Args[0] = "yuanlu-usb"
	cmd.Env = append(os.Environ(), childEnv+"="+d.Name.String())
	for i, p := range sockets {
		l.conns[i] = p.ours
		cmd.ExtraFiles = append(cmd.ExtraFiles, p.theirs)
	}
	err = cmd.Start()
	for _, f := range cmd.ExtraFiles {
		_ = f.Close() // the child has its own
	}
	if err != nil {
		return fail(errors.Join(err, l.closeSockets()))
	}
	l.ended = func() {
		killer := time.AfterFunc(stuckPatience/2, func() { _ = cmd.Process.Kill() })
		defer killer.Stop()
		_ = cmd.Wait() // its exit status adds nothing to what the port has returned
	}
	stop := context.AfterFunc(ctx, func() { _ = l.conns[controlSocket].SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := l.conns[controlSocket].SetReadDeadline(time.Now().Add(2 * stuckPatience)); err != nil {
		return fail(errors.Join(err, l.close()))
	}
	_, rerr, broken := readReply(l.conns[controlSocket], nil)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fail(errors.Join(fmt.Errorf("%w: it was not open in time (%w); %s", ErrDevice, ctx.Err(), plugAgain), l.close()))
	case ctx.Err() != nil:
		return fail(errors.Join(ctx.Err(), l.close()))
	case broken != nil:
		return fail(errors.Join(fmt.Errorf("%w: it does not answer (%v); %s", ErrDevice, broken, plugAgain), l.close()))
	case rerr != nil:
		_ = l.close() // it has ended with that error
		return nil, rerr
	}
	return l, l.conns[controlSocket].SetReadDeadline(time.Time{})
}

// call sends a request and waits for its reply. A cancelled call waits for the
// cancelled transfer, but not for a child that is stuck.
func (l *childLink) call(ctx context.Context, socket int, op byte, data, into []byte) (int, error) {
	conn := l.conns[socket]
	if err := writeRequest(conn, op, data); err != nil {
		return 0, fmt.Errorf("%w: %v", errCrashed, err)
	}
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cancelled)
		_ = conn.SetReadDeadline(time.Now().Add(stuckPatience / 2))
		_ = writeRequest(conn, opCancel, nil) // a broken socket is met by the reader
	})
	n, err, broken := readReply(conn, into)
	if !stop() {
		<-cancelled
		_ = conn.SetReadDeadline(time.Time{})
	}
	if broken != nil {
		return 0, fmt.Errorf("%w: %v", errCrashed, broken)
	}
	return n, err
}

func (l *childLink) read(ctx context.Context, p []byte) (int, error) {
	return l.call(ctx, readSocket, opRead, binary.BigEndian.AppendUint32(nil, uint32(len(p))), p)
}

func (l *childLink) write(ctx context.Context, p []byte) (int, error) {
	return l.call(ctx, writeSocket, opWrite, p, nil)
}

func (l *childLink) clearHalt(endpoint byte) error {
	l.control.Lock()
	defer l.control.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stuckPatience)
	defer cancel()
	_, err := l.call(ctx, controlSocket, opHalt, []byte{endpoint}, nil)
	return err
}

// close ends the child: it returns the device back when its sockets end, and is
// killed if it cannot.
func (l *childLink) close() error {
	err := l.closeSockets()
	l.ended()
	return err
}

func (l *childLink) closeSockets() error {
	var all error
	for _, c := range l.conns {
		if c != nil {
			all = errors.Join(all, c.Close())
		}
	}
	return all
}
