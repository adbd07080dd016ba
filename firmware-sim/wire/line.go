package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Line is one end of a serial line: what is written goes to the program that has the other end, as bytes.
// Read and Write may be called from two goroutines; Close ends both.
type Line interface {
	io.ReadWriteCloser
	// Place is where the other end is found: "/dev/pts/3", or the tty that was opened.
	Place() string
}

// ErrLine is the class of errors of opening and using a line.
var ErrLine = errors.New("serial line")

// PTY is a pseudo terminal whose slave side the agent opens as its serial port. As on a real line, what is written
// while no program has it open is lost; while one has, Write waits for it to read.
type PTY struct {
	master *os.File
	place  string
	lost   int64
}

// OpenPTY makes a pseudo terminal with raw settings: no echo, no translation, eight bits.
func OpenPTY() (*PTY, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: open /dev/ptmx: %w", ErrLine, err)
	}
	p := &PTY{master: os.NewFile(uintptr(fd), "/dev/ptmx")}
	if err := p.prepare(fd); err != nil {
		p.master.Close()
		return nil, fmt.Errorf("%w: pty: %w", ErrLine, err)
	}
	return p, nil
}

func (p *PTY) prepare(fd int) error {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	p.place = fmt.Sprintf("/dev/pts/%d", n)
	// Open and close the slave once: from then on the kernel reports when no program has it open.
	slave, err := unix.Open(p.place, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(slave) }()
	return setRaw(slave, unix.B9600)
}

// Place is the path of the slave side.
func (p *PTY) Place() string { return p.place }

// Lost is the number of bytes that were written while no program had the other end open.
func (p *PTY) Lost() int64 { return p.lost }

// Open reports whether anybody has the slave side open.
func (p *PTY) Open() bool {
	open := false
	raw, err := p.master.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		_, err := unix.Poll(fds, 0)
		for errors.Is(err, unix.EINTR) { // a signal to this process is nothing about the line
			_, err = unix.Poll(fds, 0)
		}
		open = err == nil && fds[0].Revents&unix.POLLHUP == 0
	})
	return err == nil && open
}

// Write writes all of b, waiting for the reader as long as there is one; without one the bytes are gone, which is
// no error. A closed PTY returns os.ErrClosed.
func (p *PTY) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		if !p.Open() {
			p.lost += int64(len(b) - done)
			return len(b), closedOr(p.master.SetWriteDeadline(time.Time{}))
		}
		if err := p.master.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return done, err
		}
		n, err := p.master.Write(b[done:])
		done += max(n, 0)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.EIO) {
			return done, err
		}
	}
	return done, nil
}

func closedOr(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Read returns what the other end wrote. While no program has it open, Read waits; a closed PTY returns os.ErrClosed.
func (p *PTY) Read(b []byte) (int, error) {
	for {
		if err := p.master.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return 0, err
		}
		n, err := p.master.Read(b)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, unix.EIO):
			time.Sleep(20 * time.Millisecond) // the kernel reports it at once, again and again
		case err != nil:
			return 0, err
		}
	}
}

// Drain waits until the reader has taken what was written, at most so long: closing at once would take the bytes away
// with the line. The kernel carries them from one side to the other when it finds the time, and does not report what is
// on its way: nothing must be there to read ten times in a row.
func (p *PTY) Drain(limit time.Duration) {
	const often = 10
	for end, empty := time.Now().Add(limit), 0; p.Open() && empty < often && time.Now().Before(end); {
		n, err := p.unread()
		if err != nil { // a program has it exclusively: wait for it
			time.Sleep(min(limit, 500*time.Millisecond))
			return
		}
		if n == 0 {
			empty++
		} else {
			empty = 0
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *PTY) unread() (int, error) {
	fd, err := unix.Open(p.place, unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.IoctlGetInt(fd, unix.TIOCINQ)
}

// Close takes the pseudo terminal away: its reader sees the line hang up, and the name is gone.
func (p *PTY) Close() error { return p.master.Close() }

// TTY is an existing serial device, opened for writing as a terminal would be plugged into it.
type TTY struct {
	*os.File
	place string
}

// Place is the path that was opened.
func (t *TTY) Place() string { return t.place }

// OpenTTY opens a serial device raw, eight bits, no parity, one stop bit, at the given speed in baud.
func OpenTTY(path string, baud int) (*TTY, error) {
	speed, ok := speeds()[baud]
	if !ok {
		return nil, fmt.Errorf("%w: %d baud is no usual speed", ErrLine, baud)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", ErrLine, path, err)
	}
	if err := setRaw(fd, speed); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%w: %s: set raw: %w", ErrLine, path, err)
	}
	return &TTY{File: os.NewFile(uintptr(fd), path), place: path}, nil
}

func speeds() map[int]uint32 {
	return map[int]uint32{1200: unix.B1200, 2400: unix.B2400, 4800: unix.B4800, 9600: unix.B9600, 19200: unix.B19200,
		38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200, 230400: unix.B230400, 460800: unix.B460800}
}

func setRaw(fd int, speed uint32) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD
	t.Cflag |= unix.CS8 | unix.CLOCAL | unix.CREAD | speed
	t.Ispeed, t.Ospeed = speed, speed
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
