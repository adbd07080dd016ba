package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
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

// program is the path of the yuanlu under test, built once.
var program = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("YUANLU_BIN"); bin != "" {
		return bin, nil
	}
	return buildTool("yuanlu")
})

// binaries is the folder of what the tests build, gone with them.
var binaries string

func buildTool(name string) (string, error) {
	bin := filepath.Join(binaries, name)
	out, err := exec.Command("go", "build", "-o", bin, "yuanlu/cmd/"+name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
}

func TestMain(m *testing.M) {
	if host := os.Getenv(labHostEnv); host != "" {
		os.Exit(runGuest(host))
	}
	var err error
	if binaries, err = os.MkdirTemp("", "yuanlu-e2e-bin-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(binaries)
	os.Exit(code)
}

// settings is what a test's configuration says beyond the usual.
type settings struct {
	store  string // folder; empty: store below the station's
	port   string // tty or symlink
	wire   string // "" mispos
	link   string // further lines of [[link]]
	broker string // URL
	ack    string // "" backoffice
	grace  string // "" 1s
	extra  string // further TOML, tables and all
	id     string
}

// station is one terminal's agent: its folder, its configuration, its processes.
type station struct {
	t      testing.TB
	dir    string
	store  string
	config string
	id     string
	log    *capture // standard error of all its runs
	bin    string   // the program; "": the one under test
	cmd    *exec.Cmd
	done   chan error
}

func newStation(t testing.TB, s settings) *station {
	t.Helper()
	dir := t.TempDir()
	st := &station{t: t, dir: dir, store: s.store, config: filepath.Join(dir, "yuanlu.toml"), log: &capture{}, id: s.id}
	if st.store == "" {
		st.store = filepath.Join(dir, "store")
	}
	if st.id == "" {
		st.id = "t-e2e"
	}
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	toml := fmt.Sprintf(`
[terminal]
id = %q
merchant_id = "898000000000001"
[store]
dir = %q
[[link]]
name = "pos"
wire = %q
port = %q
baud = 115200
%s
[mqtt]
url = %q
[delivery]
ack = %q
ack_timeout = "2s"
[case]
pending_grace = %q
%s`, st.id, st.store, or(s.wire, "mispos"), s.port, s.link, or(s.broker, "tcp://127.0.0.1:1"), or(s.ack, "backoffice"), or(s.grace, "1s"), s.extra)
	if err := os.WriteFile(st.config, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		st.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", st.id, st.log.tail(60))
		}
	})
	return st
}

// command prepares a verb of the program on this station's configuration.
func (st *station) command(verb string, args ...string) *exec.Cmd {
	bin := st.bin
	if bin == "" {
		var err error
		if bin, err = program(); err != nil {
			st.t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, append([]string{verb, "--config", st.config}, args...)...)
	cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
	return cmd
}

// start runs the daemon and returns when it has reported to systemd that it is ready.
func (st *station) start() {
	st.t.Helper()
	if err := st.tryStart(30 * time.Second); err != nil {
		st.t.Fatalf("%v\n%s", err, st.log.tail(30))
	}
}

// startOnline is start, and waits until the daemon has opened its port: what is
// sent to a tty that no program has open is lost.
func (st *station) startOnline() {
	st.t.Helper()
	before := st.said("link.online")
	st.start()
	eventually(st.t, 10*time.Second, "the port open", func() bool { return st.said("link.online") > before })
}

// said counts the log's lines with an event.
func (st *station) said(event string) int { return strings.Count(st.log.String(), " "+event+" ") }

func (st *station) tryStart(limit time.Duration) error {
	notify := filepath.Join(st.t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	cmd := st.command("run")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notify)
	cmd.Stdout, cmd.Stderr = st.log, st.log
	if err := cmd.Start(); err != nil {
		return err
	}
	st.cmd, st.done = cmd, make(chan error, 1)
	go func() { st.done <- cmd.Wait() }()
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("the daemon did not become ready: %w", err)
		}
		if bytes.Contains(buf[:n], []byte("READY=1")) {
			return nil
		}
	}
}

// kill ends the daemon as a power cut would.
func (st *station) kill() {
	if st.cmd == nil {
		return
	}
	st.cmd.Process.Kill()
	<-st.done
	st.cmd = nil
}

// stop ends the daemon as systemd would; it has five seconds.
func (st *station) stop() {
	st.t.Helper()
	if st.cmd == nil {
		return
	}
	begin := time.Now()
	if err := st.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		st.t.Fatal(err)
	}
	select {
	case err := <-st.done:
		st.cmd = nil
		if err != nil {
			st.t.Errorf("after SIGTERM: %v", err)
		}
	case <-time.After(20 * time.Second):
		st.t.Error("SIGTERM did not end the daemon")
		st.kill()
	}
	if took := time.Since(begin); took > 5*time.Second {
		st.t.Logf("the stop took %v", took)
	}
}

// out runs a verb and returns its standard output.
func (st *station) out(verb string, args ...string) string {
	st.t.Helper()
	cmd := st.command(verb, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	b, err := cmd.Output()
	if err != nil {
		st.t.Fatalf("yuanlu %s %s: %v: %s", verb, strings.Join(args, " "), err, complaint.Bytes())
	}
	return string(b)
}

// capture keeps what processes print. Safe for concurrent use.
type capture struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	also io.Writer // nil, or who reads along
}

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.also != nil {
		c.also.Write(p)
	}
	return c.buf.Write(p)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

func (c *capture) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(c.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// eventually waits until ok, or fails the test after limit. It asks the real
// world: another process's files, a broker.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

func itoa(n int) string { return fmt.Sprint(n) }
