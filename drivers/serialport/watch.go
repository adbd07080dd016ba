package serialport

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A watch notices when the nodes of an open port change in their folders: a node
// that is removed or replaced does not always hang up the open line.
type watch struct {
	file *os.File // inotify; nil where there is none, then deadlines check
	done chan struct{}
}

// watchNode calls lost once when vanished turns true after a change in a folder
// of one of the paths. It never fails: without inotify (its instances are a
// limited good) the port looks at every deadline instead.
func watchNode(vanished func() bool, lost func(), paths ...string) *watch {
	w := &watch{done: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		close(w.done)
		return w
	}
	w.file = os.NewFile(uintptr(fd), "inotify")
	const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	for _, p := range paths {
		_, _ = unix.InotifyAddWatch(fd, filepath.Dir(p), changes) // a folder that is gone is seen below
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

// stop ends the watch and waits for it.
func (w *watch) stop() {
	if w.file != nil {
		_ = w.file.Close() // wakes the reader; nothing is written to it
	}
	<-w.done
}
