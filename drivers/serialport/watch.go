package serialport

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A watch notices when the nodes of an open port change in their folders: a node
// that is removed or replaced does not always hang up the open line.
type watch struct {
	file *os.File      // inotify; nil where there is none
	end  chan struct{} // closed by stop where there is none
	done chan struct{}
}

// lookEvery is how often the nodes are looked at where the kernel reports no change.
const lookEvery = 500 * time.Millisecond

// watchNode calls lost once when vanished turns true after a change in a folder
// of one of the paths. It never fails: without inotify (its instances are a
// limited good) it looks every lookEvery.
func watchNode(vanished func() bool, lost func(), paths ...string) *watch {
	w := &watch{done: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		w.look(vanished, lost)
		return w
	}
	w.file = os.NewFile(uintptr(fd), "inotify")
	const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	for _, p := range paths {
		_, err := unix.InotifyAddWatch(fd, filepath.Dir(p), changes)
		if err != nil && !errors.Is(err, unix.ENOENT) { // a folder that is gone is seen below
			_ = w.file.Close() // nothing is written to it
			w.file = nil
			w.look(vanished, lost)
			return w
		}
	}
	go func() {
		defer close(w.done)
		buf := make([]byte, 4096)
		for !vanished() {
			if _, err := w.file.Read(buf); err != nil {
				return // closed by stop
			}
		}
		lost()
	}()
	return w
}

// look is the watch without inotify.
func (w *watch) look(vanished func() bool, lost func()) {
	w.end = make(chan struct{})
	go func() {
		defer close(w.done)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for !vanished() {
			select {
			case <-tick.C:
			case <-w.end:
				return
			}
		}
		lost()
	}()
}

// stop ends the watch and waits for it.
func (w *watch) stop() {
	if w.end != nil {
		close(w.end)
	}
	if w.file != nil {
		_ = w.file.Close() // wakes the reader; nothing is written to it
	}
	<-w.done
}
