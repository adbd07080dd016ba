// Package desktest owns what tests of the desk need: a PostgreSQL cluster of their
// own, and events as a terminal makes them. Test support only.
package desktest

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Cluster is a PostgreSQL cluster on a loopback port, started when the first test
// asks for it.
type Cluster struct {
	start  func() (string, error)
	stop   func()
	next   atomic.Int64
	dir    string // of its files and its socket
	port   int
	bin    string // of PostgreSQL's programs
	url    string
	attr   *syscall.SysProcAttr
	server *exec.Cmd
}

// NewCluster prepares a cluster; Close ends it. The driver "pgx" must be linked in.
func NewCluster() *Cluster {
	c := &Cluster{stop: func() {}}
	var url string
	var err error
	started := false
	c.start = func() (string, error) {
		if !started {
			started = true
			url, err = c.run()
		}
		return url, err
	}
	return c
}

// errNone: no PostgreSQL is installed.
var errNone = errors.New("PostgreSQL is not installed (Debian: postgresql)")

// Database makes an empty database and returns its URL. Without PostgreSQL the test
// is skipped with the reason; with YUANLU_SOAK=1 it fails. Not for parallel tests.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	url, name := c.database(t)
	return url + "/" + name
}

// Socket is Database, reached through a socket in the file system.
func (c *Cluster) Socket(t testing.TB) string {
	t.Helper()
	_, name := c.database(t)
	return "postgres://desk@/" + name + "?host=" + c.dir + "&port=" + strconv.Itoa(c.port)
}

func (c *Cluster) database(t testing.TB) (url, name string) {
	t.Helper()
	url, err := c.start()
	if errors.Is(err, errNone) && os.Getenv("YUANLU_SOAK") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", url+"/postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name = fmt.Sprintf("desk%d", c.next.Add(1))
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return url, name
}

// Halt ends the server at once; its files stay, and Resume starts it again.
func (c *Cluster) Halt() {
	_ = c.server.Process.Signal(syscall.SIGQUIT)
	_ = c.server.Wait()
}

// Resume starts the server again after Halt and returns when it answers.
func (c *Cluster) Resume() error {
	if err := c.serve(); err != nil {
		return err
	}
	return waitFor(c.url)
}

// Close ends the cluster and removes its files.
func (c *Cluster) Close() { c.stop() }

// run makes a cluster as user postgres (root may not) and starts it.
func (c *Cluster) run() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNone
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "yuanlu-pg-")
	if err != nil {
		return "", err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 {
		if attr.Credential, err = postgresUser(dir); err != nil {
			return "", err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-N", "-A", "trust", "-U", "desk", "-E", "UTF8", "--locale=C", "-D", data)
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	c.dir, c.port = dir, port
	if err := l.Close(); err != nil {
		return "", err
	}
	c.bin, c.attr, c.url = bin, attr, fmt.Sprintf("postgres://desk@127.0.0.1:%d", port)
	if err := c.serve(); err != nil {
		return "", err
	}
	c.stop = func() {
		c.Halt()
		_ = os.RemoveAll(dir)
	}
	return c.url, waitFor(c.url)
}

// serve starts the server. The cluster itself never loses power here, so it need
// not sync.
func (c *Cluster) serve() error {
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), "-D", filepath.Join(c.dir, "data"), "-p", strconv.Itoa(c.port), "-k", c.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=40", "-c", "shared_buffers=16MB")
	c.server.SysProcAttr, c.server.Dir = c.attr, c.dir
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.server.Stdout, c.server.Stderr = log, log
	return c.server.Start()
}

func postgresUser(dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNone, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func waitFor(url string) error {
	db, err := sql.Open("pgx", url+"/postgres")
	if err != nil {
		return err
	}
	defer db.Close()
	end := time.After(30 * time.Second)
	for {
		if err = db.Ping(); err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-end:
			return err
		}
	}
}
