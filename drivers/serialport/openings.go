package serialport

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Openings tells whether devices were opened or closed by any process, so that it need not be
// looked through all of /proc to know that nothing has changed. It is used by one goroutine.
type Openings struct {
	fd      int // inotify; -1: there is none
	watched map[string]bool
}

// NewOpenings never fails: where the kernel reports nothing (inotify's instances and watches
// are limited goods), Since returns true.
func NewOpenings() *Openings {
	o := &Openings{}
	o.begin()
	return o
}

func (o *Openings) begin() {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		fd = -1
	}
	o.fd, o.watched = fd, map[string]bool{}
}

// Since reports whether one of the nodes may have been opened or closed since the last call
// for it. What a process hands to another one is not seen.
func (o *Openings) Since(nodes []string) bool {
	changed, lost := o.events()
	for node := range o.watched {
		lost = lost || !slices.Contains(nodes, node)
	}
	if lost || o.fd < 0 { // a node is gone, or another one has its name: begin again
		_ = o.Close()
		o.begin()
		changed = true
	}
	for _, node := range nodes {
		if o.watched[node] {
			continue
		}
		changed = true
		if _, err := unix.InotifyAddWatch(o.fd, node, unix.IN_OPEN|unix.IN_CLOSE); err == nil {
			o.watched[node] = true
		}
	}
	return changed
}

// events takes what the kernel has reported; lost: a node is watched no more.
func (o *Openings) events() (some, lost bool) {
	buf := make([]byte, 4096)
	for o.fd >= 0 {
		n, err := unix.Read(o.fd, buf)
		if err != nil || n < unix.SizeofInotifyEvent {
			return some, lost
		}
		some = true
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			lost = lost || binary.NativeEndian.Uint32(b[4:])&(unix.IN_IGNORED|unix.IN_Q_OVERFLOW) != 0
			b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
		}
	}
	return some, lost
}

// Close frees what NewOpenings has taken. It may be called repeatedly.
func (o *Openings) Close() error {
	if o.fd < 0 {
		return nil
	}
	fd := o.fd
	o.fd, o.watched = -1, map[string]bool{}
	return unix.Close(fd)
}
