package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// network is a network namespace with one cable to this machine; pulled out, it
// drops packets without an answer.
type network struct {
	t          testing.TB
	name       string // of the namespace
	here       string // our end of the cable
	ours       string // our address, as seen from inside
	theirs     string // the address inside
	unreadable bool   // no namespaces: nothing is cut
}

// newNetwork makes the namespace number which of a test, or one that cannot be cut where that is not
// allowed; with YUANLU_SOAK=1 it must be.
func newNetwork(t testing.TB, which int) *network {
	t.Helper()
	n := &network{t: t, name: fmt.Sprintf("yldesk%d-%d", os.Getpid(), which), here: fmt.Sprintf("yd%d-%d", os.Getpid(), which), ours: "127.0.0.1", theirs: "127.0.0.1"}
	if os.Geteuid() != 0 || n.ip("netns", "add", n.name) != nil {
		if os.Getenv("YUANLU_SOAK") != "" {
			t.Fatal("network namespaces are not allowed here")
		}
		t.Log("network namespaces are not allowed here: the network is not cut")
		n.unreadable = true
		return n
	}
	t.Cleanup(func() {
		_ = n.ip("link", "del", n.here)
		if err := n.ip("netns", "del", n.name); err != nil {
			t.Error(err)
		}
	})
	net := fmt.Sprintf("10.%d.%d.", 213+which, os.Getpid()%250)
	n.ours, n.theirs = net+"1", net+"2"
	for _, args := range [][]string{
		{"link", "add", n.here, "type", "veth", "peer", "name", "up0", "netns", n.name},
		{"addr", "add", n.ours + "/24", "dev", n.here},
		{"link", "set", n.here, "up"},
		{"-n", n.name, "addr", "add", n.theirs + "/24", "dev", "up0"},
		{"-n", n.name, "link", "set", "up0", "up"},
		{"-n", n.name, "link", "set", "lo", "up"},
	} {
		if err := n.ip(args...); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *network) ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}

// command runs a program inside.
func (n *network) command(program string, args ...string) *exec.Cmd {
	if n.unreadable {
		return exec.Command(program, args...)
	}
	return exec.Command("ip", append([]string{"netns", "exec", n.name, program}, args...)...)
}

// cut pulls the cable out, or puts it back.
func (n *network) cut(out bool) {
	n.t.Helper()
	if n.unreadable {
		return
	}
	state := "up"
	if out {
		state = "down"
	}
	if err := n.ip("link", "set", n.here, state); err != nil {
		n.t.Fatal(err)
	}
}
