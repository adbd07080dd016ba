package drivertest

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

// nothingLeft counts goroutines and descriptors around cycles of plug, use,
// unplug and close, and around opens that fail.
func nothingLeft(t *testing.T, h Harness) {
	h.cycle(t, t.Context()) // what a first use keeps for good does not count
	fds, goroutines := descriptors(t), runtime.NumGoroutine()
	for range max(h.Cycles/4, 2) {
		h.cycle(t, t.Context())
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	peer := h.Plug(t)
	if port, err := h.Open(cancelled, peer); err == nil {
		t.Error("Open with a context that is done succeeded")
		_ = port.Close()
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a context that is done: %v", err)
	}
	_ = peer.Unplug()
	if port, err := h.Open(t.Context(), peer); err == nil {
		t.Error("Open of a device that is gone succeeded")
		_ = port.Close()
	}
	settled := func() bool {
		return descriptors(t) <= fds && runtime.NumGoroutine() <= goroutines
	}
	// What an unplugged device's far end still has to end is given a moment.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(h.Patience); !settled(); <-tick.C {
		if time.Now().After(end) {
			stacks := make([]byte, 64<<10)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("descriptors %d -> %d, goroutines %d -> %d\n%s", fds, descriptors(t), goroutines, runtime.NumGoroutine(), stacks)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
