package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
)

// cluster is the PostgreSQL of this package's tests.
var cluster = desktest.NewCluster()

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.Close()
	if dir, err := binaries(); err == nil && os.Getenv("YUANLU_BIN") == "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// binaries builds the programs once and returns their folder; YUANLU_BIN names one
// in a folder that holds them already.
var binaries = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("YUANLU_BIN"); dir != "" {
		return filepath.Dir(dir), nil
	}
	dir, err := os.MkdirTemp("", "yuanlu-desk-bin-")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", dir, "yuanlu/cmd/yuanlu", "yuanlu/cmd/yuanlu-desk", "yuanlu/cmd/firmware-sim", "yuanlu/cmd/yuanlu-verify").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

func binary(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// captured keeps what a process prints. Safe for concurrent use.
type captured struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *captured) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *captured) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// process is a program that is killed and started again.
type process struct {
	t     testing.TB
	make  func() *exec.Cmd
	log   *captured
	cmd   *exec.Cmd
	done  chan error
	api   string // of a desk
	token string // for it
}

func newProcess(t testing.TB, make func() *exec.Cmd) *process {
	p := &process{t: t, make: make, log: &captured{}}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log:\n%s", tail(p.log.String(), 40))
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = p.make()
	p.cmd.Stderr = p.log
	if p.cmd.Stdout == nil {
		p.cmd.Stdout = p.log
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.done = make(chan error, 1)
	cmd, done := p.cmd, p.done
	go func() { done <- cmd.Wait() }()
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		<-p.done
		p.cmd = nil
	}
}

// stop ends the process as systemd would and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Error("SIGTERM did not end it")
		p.kill()
		return -1
	}
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code
}

// newDesk returns a desk that is not started yet.
func newDesk(t testing.TB, args ...string) *process {
	return newProcess(t, func() *exec.Cmd {
		return exec.Command(binary(t, "yuanlu-desk"), append([]string{"serve", "--json", "--listen", "127.0.0.1:0"}, args...)...)
	})
}

// startDesk starts a desk and returns when it listens.
func (p *process) startDesk() {
	p.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	made := p.make
	p.make = func() *exec.Cmd {
		cmd := made()
		cmd.Stdout = w
		return cmd
	}
	p.start()
	p.make = made
	w.Close()
	defer r.Close()
	_ = r.SetReadDeadline(time.Now().Add(30 * time.Second))
	line, err := bufio.NewReader(r).ReadBytes('\n')
	var ready struct{ API string }
	if err != nil || json.Unmarshal(line, &ready) != nil {
		p.t.Fatalf("the desk is not ready: %v %s\n%s", err, line, p.log)
	}
	p.api = ready.API
}

// get asks the desk's API.
func (p *process) get(path string, to any) error {
	client := http.Client{Timeout: 10 * time.Second}
	q, err := http.NewRequest(http.MethodGet, p.api+path, nil)
	if err != nil {
		return err
	}
	if p.token != "" {
		q.Header.Set("Authorization", "Bearer "+p.token)
	}
	rsp, err := client.Do(q)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, rsp.Status)
	}
	return json.NewDecoder(rsp.Body).Decode(to)
}
