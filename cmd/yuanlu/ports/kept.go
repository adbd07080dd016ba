package ports

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/drivers/serialport"
)

// Kept are the serial ports that systemd keeps open while one run of the program ends and the
// next begins (FileDescriptorStoreMax= of the unit): what comes meanwhile waits in the kernel.
// Without systemd it keeps nothing. It is safe for concurrent use; a nil *Kept keeps nothing.
type Kept struct {
	socket string // of systemd, "" none

	mu      sync.Mutex // guards the rest
	files   []*os.File // from the run before, until their links open them
	leaving bool       // the program ends: what is open stays so
}

// fdName is what a link's descriptor is called in systemd's store.
func fdName(link string) string { return "tty-" + link }

// NewKept takes what the run before has left with systemd. env is the environment.
func NewKept(env func(string) string) *Kept {
	k := &Kept{socket: env("NOTIFY_SOCKET")}
	if k.socket != "" {
		k.files = activation.Files(true) // of this process only, and close-on-exec
	}
	return k
}

// Only gives up what was kept of ports that none of these links has.
func (k *Kept) Only(links []config.Link) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	k.files = slices.DeleteFunc(k.files, func(f *os.File) bool {
		for _, l := range links {
			if l.Enabled && !IsUSB(l.Port) && serialport.IsNode(f, l.Port) {
				return false
			}
		}
		errs = append(errs, k.notify("FDSTOREREMOVE=1\nFDNAME="+f.Name()), f.Close())
		return true
	})
	return errors.Join(errs...)
}

// Leave makes what is open now stay open after its port is closed: the program ends, and
// another run of it may follow.
func (k *Kept) Leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaving = true
}

// take returns what was kept of a port, nil: nothing.
func (k *Kept) take(port string) *os.File {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.files {
		if serialport.IsNode(f, port) {
			k.files = slices.Delete(k.files, i, i+1)
			// Under the name it had; keep has it kept under the link's name of now.
			_ = k.notify("FDSTOREREMOVE=1\nFDNAME=" + f.Name())
			return f
		}
	}
	return nil
}

// keep has systemd keep a port open. Where it does not, the port is as good without.
func (k *Kept) keep(link string, p *serialport.Port) {
	if k == nil || k.socket == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.notify("FDSTOREREMOVE=1\nFDNAME=" + fdName(link))
	_ = p.Descriptor(func(fd uintptr) { _ = k.notify("FDSTORE=1\nFDNAME="+fdName(link), int(fd)) })
}

// forget has a port no longer kept, unless the program ends.
func (k *Kept) forget(link string) {
	if k == nil || k.socket == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.leaving {
		_ = k.notify("FDSTOREREMOVE=1\nFDNAME=" + fdName(link)) // else it is kept until the service ends
	}
}

// notify sends systemd a state, with descriptors.
func (k *Kept) notify(state string, fds ...int) (err error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: k.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Write(func(fd uintptr) bool {
		err = syscall.Sendmsg(int(fd), []byte(state), rights, nil, 0)
		return !errors.Is(err, syscall.EAGAIN)
	})
	return errors.Join(err, cerr)
}
