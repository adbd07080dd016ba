package serialport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// maxDescriptor is the first descriptor that the library's select cannot wait
// for (FD_SETSIZE); spare is room for the descriptors it opens beside.
const (
	maxDescriptor = 1024
	spare         = 32
)

// deviceID is for finding out whether a path still names the device that was opened.
type deviceID struct{ dev, ino, rdev uint64 }

func idOf(st *syscall.Stat_t) deviceID {
	return deviceID{uint64(st.Dev), uint64(st.Ino), uint64(st.Rdev)}
}

func deviceNumbers(rdev uint64) (major, minor uint32) { return unix.Major(rdev), unix.Minor(rdev) }

// Open opens the port, locks it, sets its line and proves the setting by reading
// it back. It never waits: a port that is absent or busy is an error at once.
//
// Errors: ErrAbsent, ErrPermission, ErrBusy, ErrSettings (*SettingsError),
// ErrTooManyFiles, or ctx's error. Nothing stays open after an error. The caller
// closes the port.
func Open(ctx context.Context, cfg Config) (*Port, error) {
	if cfg.Kept != nil {
		return openKept(ctx, cfg)
	}
	return openOn(ctx, cfg, openLocked)
}

// openKept opens the port on the descriptor that was kept, if it is of that device.
func openKept(ctx context.Context, cfg Config) (*Port, error) {
	kept, fits := cfg.Kept, false
	p, err := openOn(ctx, cfg, func(node string) (own *os.File, id deviceID, err error) {
		if id, fits = takeKept(kept, node); fits {
			return kept, id, nil
		}
		_ = kept.Close() // of a device that is no longer there
		return openLocked(node)
	})
	if err != nil && !fits {
		_ = kept.Close() // a second time, perhaps
	}
	return p, err
}

// takeKept makes a kept descriptor of the device of node one of this process.
func takeKept(kept *os.File, node string) (id deviceID, fits bool) {
	var st, now syscall.Stat_t
	raw, err := kept.SyscallConn()
	if err != nil || syscall.Stat(node, &st) != nil {
		return id, false
	}
	err = raw.Control(func(fd uintptr) {
		if syscall.Fstat(int(fd), &now) != nil || idOf(&now) != idOf(&st) {
			return
		}
		if _, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil || fd >= maxDescriptor-spare {
			return // it has hung up
		}
		// A process that was killed has left its exclusive mode; and the lock is of the
		// process that took it, for those who want to know who has the port.
		_ = unix.IoctlSetInt(int(fd), unix.TIOCNXCL, 0)
		_ = unix.Flock(int(fd), unix.LOCK_UN)
		fits = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) == nil
	})
	return idOf(&now), fits && err == nil
}

// openOn opens the port on a locked descriptor of its device.
func openOn(ctx context.Context, cfg Config, locked func(node string) (*os.File, deviceID, error)) (*Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mode, err := cfg.mode()
	if err != nil {
		return nil, err
	}
	asked, node, err := locate(cfg.Port)
	if err != nil {
		return nil, err
	}
	own, id, err := locked(node)
	if err != nil {
		return nil, err
	}
	lib, err := openLibrary(own, node, id, &mode)
	if err != nil {
		return nil, errors.Join(err, own.Close())
	}
	p, err := newPort(own, lib, asked, node, id, mode)
	if err != nil {
		return nil, errors.Join(err, lib.Close(), own.Close())
	}
	return p, nil
}

// openLocked opens our own descriptor of the device and locks it.
func openLocked(node string) (*os.File, deviceID, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(node, &st); err != nil {
		return nil, deviceID{}, openError(node, err)
	}
	notTTY := &SettingsError{Port: node, Differences: []Difference{{"device", "no terminal line", "a serial port"}}}
	if !isTTY(&st) {
		return nil, deviceID{}, notTTY
	}
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, deviceID{}, openError(node, err)
	}
	own := os.NewFile(uintptr(fd), node) // non-blocking: Go's poller waits for it
	fail := func(err error) (*os.File, deviceID, error) {
		_ = own.Close() // nothing was written; the first error is the one to return
		return nil, deviceID{}, err
	}
	if fd >= maxDescriptor-spare {
		return fail(fmt.Errorf("serialport: open %s: %w: descriptor %d, limit %d", node, ErrTooManyFiles, fd, maxDescriptor-spare))
	}
	if err := syscall.Fstat(fd, &st); err != nil {
		return fail(openError(node, err))
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
			return fail(notTTY)
		}
		return fail(openError(node, err))
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = own.Close() // so that we are not named as a holder ourselves
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, deviceID{}, busyError(node)
		}
		return nil, deviceID{}, openError(node, err)
	}
	return own, idOf(&st), nil
}

// openLibrary lets the library open the very device of own, and sets and checks
// the line.
func openLibrary(own *os.File, node string, id deviceID, mode *serial.Mode) (serial.Port, error) {
	raw, err := own.SyscallConn()
	if err != nil {
		return nil, openError(node, err)
	}
	var lib serial.Port
	cerr := raw.Control(func(fd uintptr) {
		known := descriptorsOf(id)
		if lib, err = serial.Open("/proc/self/fd/"+strconv.Itoa(int(fd)), mode); err != nil {
			if _, dead := unix.IoctlGetTermios(int(fd), unix.TCGETS); dead != nil {
				err = dead // it hung up in between: that is the error to return
			}
			err = libraryError(node, err)
			return
		}
		if err = prepare(lib, node, id, known); err == nil {
			err = compare(int(fd), node, mode)
		}
	})
	if err == nil {
		err = cerr
	}
	if err != nil && lib != nil {
		return nil, errors.Join(err, lib.Close())
	}
	return lib, err
}

// prepare makes the library's descriptor non-blocking and close-on-exec, and
// proves that its select can wait for it.
func prepare(lib serial.Port, node string, id deviceID, known map[int]bool) error {
	if err := lib.SetReadTimeout(0); err != nil {
		return openError(node, err)
	}
	found := -1
	for fd := range descriptorsOf(id) {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 && !known[fd] {
			found = max(found, fd) // ours are close-on-exec from birth, the library's is not
		}
	}
	if found < 0 {
		return fmt.Errorf("serialport: open %s: %w: its descriptor is not in /proc/self/fd", node, ErrSettings)
	}
	if found >= maxDescriptor {
		return fmt.Errorf("serialport: open %s: %w: descriptor %d", node, ErrTooManyFiles, found)
	}
	if _, err := unix.FcntlInt(uintptr(found), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return openError(node, err)
	}
	if err := unix.SetNonblock(found, true); err != nil {
		return openError(node, err)
	}
	// An empty read takes no byte and walks the whole way through select.
	if _, err := readLibrary(lib, nil); errors.Is(err, ErrTooManyFiles) {
		return fmt.Errorf("serialport: open %s: %w", node, err)
	}
	return nil
}

// descriptorsOf returns this process's descriptors of one device.
func descriptorsOf(id deviceID) map[int]bool {
	found := map[int]bool{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return found
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		var st syscall.Stat_t
		if err == nil && syscall.Fstat(fd, &st) == nil && idOf(&st) == id {
			found[fd] = true
		}
	}
	return found
}

// libraryError puts an error of the library's open into its class.
func libraryError(node string, err error) error {
	var pe *serial.PortError
	if !errors.As(err, &pe) {
		return openError(node, err)
	}
	switch pe.Code() {
	case serial.PortBusy:
		return busyError(node)
	case serial.PermissionDenied:
		return openError(node, syscall.EACCES)
	}
	return fmt.Errorf("serialport: open %s: %w (%v)", node, ErrSettings, pe)
}

// newPort starts the watch of the node and returns the finished port.
func newPort(own *os.File, lib serial.Port, asked, node string, id deviceID, mode serial.Mode) (*Port, error) {
	raw, err := own.SyscallConn()
	if err != nil {
		return nil, openError(node, err)
	}
	p := &Port{
		name: node, asked: asked, id: id, file: own, raw: raw, lib: lib, mode: mode,
		perByte:  bitsPerByte * time.Second / time.Duration(mode.BaudRate),
		patience: writePatience,
	}
	if err := own.SetDeadline(time.Time{}); err != nil {
		return nil, openError(node, err) // the poller does not take it: no deadlines
	}
	p.watch = watchNode(p.vanished, p.markGone, asked, node)
	return p, nil
}
