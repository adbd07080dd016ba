package ports

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/drivers/serialport"
	"yuanlu/firmware-sim/wire"
)

// manager is a service manager's socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.conn.Close() })
	return m
}

// next returns the next message on one line, and what came with it.
func (m *manager) next() (string, []*os.File) {
	m.t.Helper()
	data, control := make([]byte, 1000), make([]byte, 1000)
	if err := m.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	n, c, _, _, err := m.conn.ReadMsgUnix(data, control)
	if err != nil {
		m.t.Fatal(err)
	}
	var files []*os.File
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil {
		m.t.Fatal(err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			m.t.Fatal(err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "tty-pos"))
		}
	}
	return strings.ReplaceAll(string(data[:n]), "\n", " "), files
}

func (m *manager) expect(want string) (files []*os.File) {
	m.t.Helper()
	got, files := m.next()
	if got != want {
		m.t.Errorf("got %q, want %q", got, want)
	}
	return files
}

// TestKept: a port is kept from its opening on and given up when it is closed, unless the
// program ends; the next run takes it over, and gives up what no link has.
func TestKept(t *testing.T) {
	m := newManager(t)
	line, err := wire.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = line.Close() }()
	k := NewKept(func(name string) string { return map[string]string{"NOTIFY_SOCKET": m.path}[name] })
	l := config.Link{Name: "pos", Port: line.Place(), Baud: 9600, Enabled: true}
	open := func(k *Kept) interface{ Close() error } {
		t.Helper()
		p, _, err := Opener(l, k)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open(k)
	m.expect("FDSTOREREMOVE=1 FDNAME=tty-pos")
	stored := m.expect("FDSTORE=1 FDNAME=tty-pos")
	if len(stored) != 1 || !serialport.IsNode(stored[0], l.Port) {
		t.Fatal(stored)
	}
	_ = stored[0].Close()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	m.expect("FDSTOREREMOVE=1 FDNAME=tty-pos")

	p = open(k)
	m.expect("FDSTOREREMOVE=1 FDNAME=tty-pos")
	stored = m.expect("FDSTORE=1 FDNAME=tty-pos")
	k.Leave()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	another, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	next := &Kept{socket: m.path, files: append(stored, another)}
	if err := next.Only([]config.Link{l}); err != nil {
		t.Error(err)
	}
	m.expect("FDSTOREREMOVE=1 FDNAME=/dev/null")
	p = open(next) // else it is locked
	m.expect("FDSTOREREMOVE=1 FDNAME=tty-pos")
	m.expect("FDSTOREREMOVE=1 FDNAME=tty-pos")
	for _, f := range m.expect("FDSTORE=1 FDNAME=tty-pos") {
		_ = f.Close()
	}
	if err := p.Close(); err != nil || len(next.files) != 0 {
		t.Error(err, next.files)
	}
	m.expect("FDSTOREREMOVE=1 FDNAME=tty-pos")
	if err := open((*Kept)(nil)).Close(); err != nil {
		t.Error(err)
	}
}
