package serialport

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keep returns a copy of a port's descriptor, as another process has it.
func keep(t *testing.T, p *Port) *os.File {
	t.Helper()
	var copied int
	var err error
	if e := p.Descriptor(func(fd uintptr) { copied, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return os.NewFile(uintptr(copied), "tty-pos")
}

// TestKept: what comes while no port is open is read by the next one, on the descriptor that
// was kept; the lock is this process's, though a process was killed that had the port for
// itself; a descriptor of another device, or of one that has hung up, is given up.
func TestKept(t *testing.T) {
	line := openPTY(t)
	slave := line.slave
	p := open(t, Config{Port: slave})
	kept := keep(t, p)
	if !IsNode(kept, slave) || IsNode(kept, "/dev/null") {
		t.Error("the kept descriptor is not known as that of its device")
	}
	must(t, p.Close())
	if err := p.Descriptor(func(uintptr) {}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Config{Port: slave}); !errors.Is(err, ErrBusy) {
		t.Errorf("without it the port is free: %v", err)
	}
	if _, err := line.Write([]byte("meanwhile")); err != nil {
		t.Fatal(err)
	}
	// What a process that was killed leaves.
	raw, err := kept.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) { err = unix.IoctlSetInt(int(fd), unix.TIOCEXCL, 0) }))
	must(t, err)
	p, err = Open(t.Context(), Config{Port: slave, Kept: kept})
	must(t, err)
	must(t, p.SetReadDeadline(time.Now().Add(10*time.Second)))
	buf := make([]byte, 100)
	if n, err := p.Read(buf); err != nil || string(buf[:n]) != "meanwhile" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	var st syscall.Stat_t
	must(t, syscall.Stat(slave, &st))
	if owner := lockOwner(&st); owner != os.Getpid() {
		t.Errorf("the lock is of pid %d", owner)
	}
	must(t, p.Close())

	foreign := open(t, Config{Port: openPTY(t).slave})
	other := keep(t, foreign)
	must(t, foreign.Close())
	p = open(t, Config{Port: slave, Kept: other})
	if err := other.Close(); !errors.Is(err, os.ErrClosed) {
		t.Error("a descriptor of another device stays open")
	}
	kept = keep(t, p)
	must(t, p.Close())
	must(t, line.Unplug())
	if _, err := Open(t.Context(), Config{Port: slave, Kept: kept}); err == nil {
		t.Error("a line that has hung up was opened")
	}
	if err := kept.Close(); !errors.Is(err, os.ErrClosed) {
		t.Error("a descriptor that has hung up stays open")
	}
}
