package serialport

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpeningsSeeEachOpenAndClose: of devices (a pty) and after a node was replaced.
func TestOpeningsSeeEachOpenAndClose(t *testing.T) {
	node := openPTY(t).slave
	other := filepath.Join(t.TempDir(), "node")
	replace := func() {
		if err := os.WriteFile(other+"~", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other+"~", other); err != nil {
			t.Fatal(err)
		}
	}
	replace()
	o := NewOpenings()
	defer o.Close()
	var f *os.File
	open := func(path string) func() {
		return func() {
			var err error
			if f, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeIt := func() { _ = f.Close() }
	both := []string{node, other}
	for _, step := range []struct {
		name  string
		do    func()
		nodes []string
		want  bool
	}{
		{"the first look", func() {}, both, true},
		{"nothing", func() {}, both, false},
		{"the device opened", open(node), both, true},
		{"nothing since", func() {}, both, false},
		{"the device closed", closeIt, both, true},
		{"nothing more", func() {}, both, false},
		{"the node replaced", replace, both, true},
		{"nothing after that", func() {}, both, false},
		{"the new node opened", open(other), both, true},
		{"and closed", closeIt, both, true},
		{"one node less", func() {}, both[:1], true},
		{"nothing with one", func() {}, both[:1], false},
		{"none", func() {}, nil, true},
		{"nothing with none", func() {}, nil, false},
	} {
		step.do()
		if got := o.Since(step.nodes); got != step.want {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}

func TestOpeningsWithoutInotify(t *testing.T) {
	o := NewOpenings()
	_ = o.Close()
	gone := filepath.Join(t.TempDir(), "no-node")
	for range 2 { // a node that cannot be watched may have changed each time
		if !o.Since([]string{gone}) {
			t.Error("nothing has changed, though it is not known")
		}
	}
	_ = o.Close()
}
