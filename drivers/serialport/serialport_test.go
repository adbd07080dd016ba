package serialport

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func open(t *testing.T, cfg Config) *Port {
	t.Helper()
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

func TestSettingsAreOnTheLine(t *testing.T) {
	tests := []Config{
		{},
		{Baud: 1200},
		{Baud: 115200, DataBits: 8, Parity: "none", StopBits: "1"},
		{Baud: 9600, StopBits: "2"},
		{Baud: 4_000_000},
		{Baud: 12345}, // no B constant: termios2
		{Baud: 250_000},
	}
	for _, cfg := range tests {
		t.Run(fmt.Sprintf("%d stop %q", cfg.Baud, cfg.StopBits), func(t *testing.T) {
			dev := openPTY(t)
			cfg.Port = dev.slave
			open(t, cfg)
			got, err := unix.IoctlGetTermios(int(dev.Fd()), unix.TCGETS2) // the far end sees the slave's line
			if err != nil {
				t.Fatal(err)
			}
			want := cfg.Baud
			if want == 0 {
				want = 9600
			}
			if int(got.Ospeed) != want {
				t.Errorf("speed %d, want %d", got.Ospeed, want)
			}
			if two := got.Cflag&unix.CSTOPB != 0; two != (cfg.StopBits == "2") {
				t.Errorf("two stop bits: %v", two)
			}
		})
	}
}

// TestTune: the speed of an open line is another, a parity that it does not have is an error,
// and what has arrived before is gone.
func TestTune(t *testing.T) {
	dev := openPTY(t)
	p := open(t, Config{Port: dev.slave, StopBits: "2"})
	if _, err := dev.Write([]byte("before")); err != nil {
		t.Fatal(err)
	}
	awaitInput(t, dev.slave, len("before"))
	if err := p.Tune(19200, "none"); err != nil {
		t.Fatal(err)
	}
	got, err := unix.IoctlGetTermios(int(dev.Fd()), unix.TCGETS2)
	if err != nil || got.Ospeed != 19200 || got.Cflag&unix.CSTOPB == 0 {
		t.Errorf("%d, %x, %v", got.Ospeed, got.Cflag, err)
	}
	if _, err := dev.Write([]byte("after")); err != nil {
		t.Fatal(err)
	}
	awaitInput(t, dev.slave, len("after"))
	buf := make([]byte, 100)
	if n, err := p.Read(buf); err != nil || string(buf[:n]) != "after" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if err := p.Tune(19200, "even"); !errors.Is(err, ErrSettings) {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Tune(9600, "none"); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// A pty takes only 8 bits without parity and returns success when asked for others:
// the settings must be read back.
func TestASettingThatWasNotTakenIsNamed(t *testing.T) {
	dev := openPTY(t)
	_, err := Open(t.Context(), Config{Port: dev.slave, DataBits: 7, Parity: "even"})
	var se *SettingsError
	if !errors.As(err, &se) || !errors.Is(err, ErrSettings) {
		t.Fatalf("Open: %v, want a *SettingsError", err)
	}
	want := []Difference{{"data bits", "8", "7"}, {"parity", "none", "even"}}
	if d := cmp.Diff(want, se.Differences); d != "" {
		t.Error(d)
	}
	if want := dev.slave + ": serial settings not possible: data bits is 8, want 7, parity is none, want even"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%q does not end in %q", err, want)
	}
	open(t, Config{Port: dev.slave}) // nothing stayed open or locked
}

func TestImpossibleSettings(t *testing.T) {
	dev := openPTY(t)
	tests := map[string]struct {
		cfg  Config
		want []string
	}{
		"speed":     {Config{Baud: 3}, []string{"speed"}},
		"bits":      {Config{DataBits: 9}, []string{"data bits"}},
		"parity":    {Config{Parity: "Even"}, []string{"parity"}},
		"stop bits": {Config{StopBits: "1.5"}, []string{"stop bits"}},
		"all":       {Config{Baud: -1, DataBits: 1, Parity: "x", StopBits: "3"}, []string{"speed", "data bits", "parity", "stop bits"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.cfg.Port = dev.slave
			_, err := Open(t.Context(), tt.cfg)
			var se *SettingsError
			if !errors.As(err, &se) {
				t.Fatalf("Open: %v", err)
			}
			var got []string
			for _, d := range se.Differences {
				got = append(got, d.Setting)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nothing"), dangling); err != nil {
		t.Fatal(err)
	}
	tests := map[string]error{
		"/dev/ttyNOPE9":                   ErrAbsent,
		"ttyNOPE9":                        ErrAbsent,
		"usb-Nobody_Nothing_0-if00-port0": ErrAbsent,
		dangling:                          ErrAbsent,
		file:                              ErrSettings,
		fifo:                              ErrSettings,
		"/dev/null":                       ErrSettings,
		"":                                ErrSettings,
		"a/b":                             ErrSettings,
		"..":                              ErrSettings,
	}
	for port, want := range tests {
		if p, err := Open(t.Context(), Config{Port: port}); !errors.Is(err, want) {
			t.Errorf("Open(%q): %v, want %v", port, err, want)
			if p != nil {
				_ = p.Close()
			}
		}
	}
}

func TestLinksLeadToTheDevice(t *testing.T) {
	dev := openPTY(t)
	dir := t.TempDir()
	inner, outer := filepath.Join(dir, "inner"), filepath.Join(dir, "outer")
	for link, target := range map[string]string{inner: dev.slave, outer: inner} {
		t.Run(link, func(t *testing.T) {
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
		})
	}
	if got := open(t, Config{Port: outer}).Name(); got != dev.slave {
		t.Errorf("Name = %q, want %q", got, dev.slave)
	}
}

// A link that now names another device, or none, ends the port though its line
// still works: what is asked for is no longer what is read.
func TestANodeThatIsReplacedIsGone(t *testing.T) {
	change := map[string]func(link, other string) error{
		"removed": func(link, _ string) error { return os.Remove(link) },
		"renamed": func(link, _ string) error { return os.Rename(link, link+".old") },
		"replaced": func(link, other string) error {
			if err := os.Symlink(other, link+".new"); err != nil {
				return err
			}
			return os.Rename(link+".new", link)
		},
	}
	for name, do := range change {
		t.Run(name, func(t *testing.T) {
			dev, other := openPTY(t), openPTY(t)
			link := filepath.Join(t.TempDir(), "pos")
			if err := os.Symlink(dev.slave, link); err != nil {
				t.Fatal(err)
			}
			p := open(t, Config{Port: link})
			result := make(chan error, 1)
			go func() { _, err := p.Read(make([]byte, 16)); result <- err }()
			begin := time.Now()
			if err := do(link, other.slave); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-result:
				if !errors.Is(err, ErrGone) {
					t.Errorf("Read: %v, want ErrGone", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the read was not woken")
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("noticed after %v", took)
			}
			if _, err := p.Write([]byte("x")); !errors.Is(err, ErrGone) {
				t.Errorf("Write: %v, want ErrGone", err)
			}
		})
	}
}

// awaitInput returns when the kernel has n bytes for the reader of the tty: a pty
// hands them over in its own time.
func awaitInput(t *testing.T, tty string, n int) {
	t.Helper()
	fd, err := unix.Open(tty, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if have, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || have >= n {
			return
		}
	}
	t.Fatalf("%s never had %d bytes", tty, n)
}

// What the kernel has when the device is lost, it still delivers.
func TestBytesDeliveredBeforeTheLossAreRead(t *testing.T) {
	dev := openPTY(t)
	link := filepath.Join(t.TempDir(), "pos")
	if err := os.Symlink(dev.slave, link); err != nil {
		t.Fatal(err)
	}
	p := open(t, Config{Port: link})
	if _, err := dev.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	awaitInput(t, dev.slave, len("last words"))
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for buf := make([]byte, 4); ; {
		n, err := p.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			if !errors.Is(err, ErrGone) {
				t.Errorf("Read: %v", err)
			}
			break
		}
	}
	if string(got) != "last words" {
		t.Errorf("read %q", got)
	}
}

// Bytes that were there before the port was opened are not flushed away.
func TestOpenKeepsWhatHasArrived(t *testing.T) {
	dev := openPTY(t)
	first := open(t, Config{Port: dev.slave}) // makes the line raw, as it is on a machine that restarts the program
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dev.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	p := open(t, Config{Port: dev.slave})
	if err := p.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	n, err := p.Read(buf)
	if string(buf[:n]) != "kept" || err != nil {
		t.Errorf("Read = %q, %v", buf[:n], err)
	}
}

func TestAWriteThatTheDeviceDoesNotTakeEnds(t *testing.T) {
	dev := openPTY(t)
	p := open(t, Config{Port: dev.slave, Baud: 4_000_000})
	p.patience = 50 * time.Millisecond
	sent, chunk := 0, make([]byte, 32<<10)
	for {
		n, err := p.Write(chunk)
		sent += n
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Write: %v, want os.ErrDeadlineExceeded", err)
		}
		break
	}
	// The line recovers, and exactly the bytes that were counted are on it.
	got := 0
	for buf := make([]byte, 64<<10); got < sent; {
		n, err := dev.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if _, err := p.Write([]byte("again")); err != nil {
		t.Errorf("Write after the device took all: %v", err)
	}
	buf := make([]byte, 16)
	if n, err := dev.Read(buf); string(buf[:n]) != "again" || err != nil {
		t.Errorf("the device read %q, %v", buf[:n], err)
	}
}

// TestHoldPort is not a test: it is the other process of the next one.
func TestHoldPort(t *testing.T) {
	port := os.Getenv("HOLD_PORT")
	if port == "" {
		t.Skip("runs only as the other process of TestBusyNamesTheHolder")
	}
	open(t, Config{Port: port})
	fmt.Println("locked")
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent lets go
}

func TestBusyNamesTheHolder(t *testing.T) {
	dev := openPTY(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestHoldPort$")
	cmd.Env = append(os.Environ(), "HOLD_PORT="+dev.slave)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan() && s.Text() != "locked"; {
	}
	_, err = Open(t.Context(), Config{Port: dev.slave})
	if want := fmt.Sprintf("pid %d (%.15s, locked)", cmd.Process.Pid, filepath.Base(os.Args[0])); !errors.Is(err, ErrBusy) || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("Open: %v, want ErrBusy naming %q", err, want)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Port: dev.slave})
}

// Without the right to open a device the error names the group that has it.
func TestPermissionNamesTheGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to take rights away")
	}
	dev := openPTY(t)
	if err := os.Chmod(dev.slave, 0o620); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dev.slave, 0, 5); err != nil { // tty
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its rights
		if err := unix.Setfsuid(65534); err != nil {
			result <- err
			return
		}
		p, err := Open(t.Context(), Config{Port: dev.slave})
		if p != nil {
			_ = p.Close()
		}
		result <- err
	}()
	err := <-result
	if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "group tty (mode 0620)") || !strings.Contains(err.Error(), "70-yuanlu.rules") {
		t.Errorf("Open: %v", err)
	}
}

func TestDescriptorsDoNotReachChildren(t *testing.T) {
	dev := openPTY(t)
	p := open(t, Config{Port: dev.slave})
	found := descriptorsOf(p.id)
	if len(found) != 2 {
		t.Errorf("%d descriptors of the device, want ours and the library's", len(found))
	}
	for fd := range found {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %d, %v: not close-on-exec", fd, flags, err)
		}
	}
}

// The library's select panics at descriptor 1024; such a port is refused.
func TestTooManyFiles(t *testing.T) {
	var old, raised unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	raised = unix.Rlimit{Cur: min(4096, old.Max), Max: old.Max}
	if raised.Cur < 2048 {
		t.Skipf("hard limit of open files is %d", old.Max)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) }()
	dev := openPTY(t)
	var fill []int
	defer func() {
		for _, fd := range fill {
			_ = unix.Close(fd)
		}
	}()
	for _, limit := range []int{maxDescriptor - spare, maxDescriptor} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			for {
				fd, err := unix.FcntlInt(dev.Fd(), unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				fill = append(fill, fd)
				if fd >= limit {
					break
				}
			}
			p, err := Open(t.Context(), Config{Port: dev.slave})
			if !errors.Is(err, ErrTooManyFiles) {
				t.Errorf("Open beyond descriptor %d: %v, want ErrTooManyFiles", limit, err)
				if p != nil {
					_ = p.Close()
				}
			}
		})
	}
}

// The guard around the library itself, should a descriptor slip through.
func TestALibraryThatPanicsIsAnError(t *testing.T) {
	if _, err := readLibrary(nil, nil); !errors.Is(err, ErrTooManyFiles) {
		t.Errorf("readLibrary: %v", err)
	}
}
