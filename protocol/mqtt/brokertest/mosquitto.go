// Package brokertest owns the brokers that tests talk to: a real mosquitto on a
// loopback port (Start), a scripted one for everything a real one will not do
// (Fake), and certificates made on the spot (Authority). Both brokers check every
// message they carry against the contract (protocol/topics/topicstest) and fail the
// test, unless it declares that it sends what breaks it. Test support only.
package brokertest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options are how mosquitto is to run. The zero value: anonymous, plaintext.
type Options struct {
	Config []string // further lines of mosquitto.conf
	ACL    string   // content of the access list; "": none
	// Passwords are users with their passwords; nil: anonymous unless
	// RequireClientCert.
	Passwords map[string]string
	// Authority makes the listener speak TLS with Server as its certificate.
	Authority *Authority
	Server    Certificate
	// RequireClientCert demands a certificate of Authority; its common name is
	// the user name.
	RequireClientCert bool
	// Unchecked: the test sends what breaks the contract on purpose, or measures.
	// Benchmarks are never checked.
	Unchecked bool
}

// Broker is one mosquitto. It ends with the test.
type Broker struct {
	Port int

	t       testing.TB
	dir     string
	tls     bool
	tapPort int     // where the tap connects; 0: nothing is checked
	faults  *faults // what the tap has found

	mu     sync.Mutex
	cmd    *exec.Cmd     // guarded by mu; nil: not running
	ended  chan struct{} // guarded by mu: closed when cmd has ended
	tap    *tap          // guarded by mu: of this run
	output *output
}

// output collects what mosquitto prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// Find returns the path of mosquitto; tests are skipped without it.
func Find(t testing.TB) string {
	t.Helper()
	for _, p := range []string{"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	p, err := exec.LookPath("mosquitto")
	if err != nil {
		t.Skip("mosquitto is not installed (make test installs it)")
	}
	return p
}

// Start runs mosquitto on a free loopback port and returns when it accepts
// connections.
func Start(t testing.TB, o Options) *Broker {
	t.Helper()
	b := &Broker{t: t, dir: t.TempDir(), Port: FreePort(t), tls: o.Authority != nil, output: &output{}, faults: &faults{t: t}}
	if _, measured := t.(*testing.B); !measured && !o.Unchecked {
		b.tapPort = b.Port
		if o.Authority != nil || o.ACL != "" || o.Passwords != nil { // the tap needs a door of its own
			b.tapPort = FreePort(t)
		}
	}
	b.configure(o)
	t.Cleanup(b.Kill)
	b.Run()
	return b
}

// FreePort returns a loopback port without a listener.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

func (b *Broker) write(name, content string) string {
	b.t.Helper()
	if err := os.WriteFile(b.file(name), []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.file(name)
}

func (b *Broker) configure(o Options) {
	b.t.Helper()
	// 0 means no limit to queueing, and "over the limit" to the answer of a denied
	// PUBLISH in mosquitto 2.0.11, which then ends the connection.
	lines := []string{
		"user root", "persistence false", "log_dest stderr", "log_type all", "max_queued_messages 1000000",
	}
	if b.tapPort != 0 && b.tapPort != b.Port {
		lines = append(lines, "per_listener_settings true", fmt.Sprintf("listener %d 127.0.0.1", b.tapPort), "allow_anonymous true")
	}
	lines = append(lines, fmt.Sprintf("listener %d 127.0.0.1", b.Port))
	if o.Authority != nil {
		lines = append(lines, "cafile "+o.Authority.CAFile, "certfile "+o.Server.CertFile, "keyfile "+o.Server.KeyFile)
	}
	switch {
	case o.RequireClientCert:
		lines = append(lines, "require_certificate true", "use_identity_as_username true", "allow_anonymous false")
	case o.Passwords != nil:
		lines = append(lines, "allow_anonymous false", "password_file "+b.passwords(o.Passwords))
	default:
		lines = append(lines, "allow_anonymous true")
	}
	if o.ACL != "" {
		lines = append(lines, "acl_file "+b.write("acl", o.ACL))
	}
	b.write("mosquitto.conf", strings.Join(append(lines, o.Config...), "\n")+"\n")
}

func (b *Broker) passwords(users map[string]string) string {
	b.t.Helper()
	file := b.write("passwords", "")
	for user, password := range users {
		if out, err := exec.Command("mosquitto_passwd", "-b", file, user, password).CombinedOutput(); err != nil {
			b.t.Fatalf("mosquitto_passwd: %v %s", err, out)
		}
	}
	return file
}

// Run starts the broker again on the same port after Stop or Kill, and returns
// when it accepts connections.
func (b *Broker) Run() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		b.t.Fatal("brokertest: already running")
	}
	cmd := exec.Command(Find(b.t), "-c", b.file("mosquitto.conf"))
	cmd.Stdout, cmd.Stderr = b.output, b.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	b.cmd, b.ended = cmd, ended
	b.listens(ended)
	if b.tapPort != 0 {
		tap, err := openTap(fmt.Sprintf("127.0.0.1:%d", b.tapPort), b.faults)
		if err != nil {
			b.t.Fatalf("%v\n%s", err, b.Log())
		}
		b.tap = tap
	}
}

// listens returns when the broker accepts connections.
func (b *Broker) listens(ended chan struct{}) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.DialTimeout("tcp", b.address(), time.Second)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			b.t.Fatalf("mosquitto ended: %s", b.Log())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("mosquitto does not listen: %v\n%s", err, b.Log())
		}
	}
}

func (b *Broker) address() string { return fmt.Sprintf("127.0.0.1:%d", b.Port) }

// Stop ends the broker as systemd would; all its connections end.
func (b *Broker) Stop() { b.end(syscall.SIGTERM) }

// Kill ends the broker at once.
func (b *Broker) Kill() { b.end(syscall.SIGKILL) }

// Freeze stops the broker without ending it: connections stay, nothing answers.
func (b *Broker) Freeze() { b.signal(syscall.SIGSTOP) }

// Thaw lets a frozen broker go on.
func (b *Broker) Thaw() { b.signal(syscall.SIGCONT) }

func (b *Broker) signal(s syscall.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		_ = b.cmd.Process.Signal(s)
	}
}

func (b *Broker) end(s syscall.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(s)
	select {
	case <-b.ended:
	case <-time.After(5 * time.Second):
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
	b.tap.wait()
	b.cmd, b.tap = nil, nil
}

// PID is the process id of the broker; it must run.
func (b *Broker) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cmd.Process.Pid
}

// Checked is how many messages were checked so far.
func (b *Broker) Checked() int { return b.faults.count() }

// URL is where the broker listens.
func (b *Broker) URL() string {
	if b.tls {
		return fmt.Sprintf("tls://127.0.0.1:%d", b.Port)
	}
	return fmt.Sprintf("tcp://127.0.0.1:%d", b.Port)
}

// Log is what mosquitto has printed so far.
func (b *Broker) Log() string {
	b.output.mu.Lock()
	defer b.output.mu.Unlock()
	return b.output.buf.String()
}

// Logs reports whether mosquitto prints a text within 10 s: what it prints comes later than
// what it sends to a client.
func (b *Broker) Logs(text string) bool {
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(b.Log(), text); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
