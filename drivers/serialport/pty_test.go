package serialport

import (
	"context"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"yuanlu/drivers/drivertest"
)

// A pty is a device at the far end of a serial line: the kernel's own terminal
// code stands between it and the port, as between a UART and the port.
type pty struct {
	*os.File
	slave string
}

func openPTY(t testing.TB) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{File: os.NewFile(uintptr(fd), "ptmx"), slave: fmt.Sprintf("/dev/pts/%d", n)}
	t.Cleanup(func() { _ = p.Unplug() })
	return p
}

func (p *pty) Unplug() error {
	_ = p.File.Close() // a second time is fine
	return nil
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Plug: func(t *testing.T) drivertest.Peer { return openPTY(t) },
		Open: func(ctx context.Context, peer drivertest.Peer) (drivertest.Port, error) {
			p, err := Open(ctx, Config{Port: peer.(*pty).slave})
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		Gone: ErrGone,
		Busy: ErrBusy,
	})
}
