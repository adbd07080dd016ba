package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"yuanlu/agent/ledger/sqlite"
)

// storeLock is the flock on <dir>/lock that keeps a second daemon out, and what the
// next start must know about the end of this one. The file has three lines:
//
//	0000001234                                             pid of the process that has it
//	open                                                   or "closed"
//	6d1f… 0000000812 9c4e… 5d1ac2f0                        the mark, or blanks: none
//
// "open" while the store is open: a process that ended without closing it has left a
// WAL. The mark is how far that WAL goes: its salts, the number of frames up to the
// newest commit, the checksum of the last of them, and the CRC-32C of that text. It is
// written after each commit and not synced, which costs two calls of the kernel. So
// after a kill it is exact; after a power cut it is as old as what the kernel had not
// yet written of its own accord (30 s), and never goes further than what was durable.
//
// It is used by the holder of the store's writer only.
type storeLock struct {
	f      *os.File
	shm    *os.File // the WAL's index, while the store is open
	left   leftOpen // now; at first as the process before has left it
	spoilt bool     // the file was none of ours
}

// leftOpen is what the file holds about the store.
type leftOpen struct {
	open bool // it was not closed
	mark sqlite.Mark
}

const (
	lockFile   = "lock"
	pidLine    = 11 // bytes, with the line's end
	stateLine  = 7
	markLine   = 16 + 1 + 10 + 1 + 16 + 1 + 8 + 1
	lockLen    = pidLine + stateLine + markLine
	openLine   = "open\n"   // as versions before the mark ended their file
	openState  = "open  \n" // of stateLine bytes, as the next
	closeState = "closed\n"
)

// lockStore takes the lock; *LockedError names the process that has it. A thing that no
// lock can be, it moves aside and names it in notes.
func lockStore(dir string, now time.Time) (*storeLock, []DamageNote, error) {
	path := filepath.Join(dir, lockFile)
	if pid, held := lockedThroughLink(path); held {
		return nil, nil, &LockedError{PID: pid}
	}
	notes, err := clearWay(dir, []place{{lockFile, aFile}}, now)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: lock: %w", err)
	}
	b, err := takeLock(f)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	l := &storeLock{f: f}
	l.read(b)
	if l.spoilt {
		notes = append(notes, DamageNote{What: lockFile, When: now,
			Why: "not readable: whether the store was closed is not known"})
	}
	l.writeAt(fmt.Sprintf("%010d\n", os.Getpid()), 0)
	return l, notes, nil
}

// takeLock locks the open file and reads it.
func takeLock(f *os.File) ([]byte, error) {
	failed := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if failed != nil && !errors.Is(failed, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("ledger: lock: %w", failed)
	}
	b, err := io.ReadAll(io.LimitReader(f, 2*lockLen))
	if failed != nil {
		line, _, _ := strings.Cut(string(b), "\n")
		pid, _ := strconv.Atoi(line)
		return nil, &LockedError{PID: pid}
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: lock: %w", err)
	}
	return b, nil
}

// lockedThroughLink reports whether lock is a symbolic link to a file that a process
// has locked: one of an earlier version, which followed it.
func lockedThroughLink(path string) (pid int, held bool) {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSymlink {
		return 0, false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	var locked *LockedError
	if _, err := takeLock(f); errors.As(err, &locked) {
		return locked.PID, true
	}
	return 0, false
}

// read takes up what the process before has left.
func (l *storeLock) read(b []byte) {
	text := string(b)
	pid, rest, ok := strings.Cut(text, "\n")
	_, err := strconv.Atoi(pid)
	switch {
	case strings.Trim(text, "\x00") == "": // new, or never written to the disk
	case !ok || err != nil:
		l.spoilt = true
	case rest == "" || rest == openLine: // of a version without a mark
		l.left.open = rest == openLine
	default:
		l.left, ok = parseLeft(rest)
		l.spoilt = !ok
	}
}

// parseLeft reads the second and third line; false: they are not as they were written.
func parseLeft(text string) (l leftOpen, ok bool) {
	if len(text) != stateLine+markLine {
		return l, false
	}
	switch text[:stateLine] {
	case openState:
		l.open = true
	case closeState:
	default:
		return l, false
	}
	l.mark, ok = parseMark(text[stateLine:])
	return l, ok
}

// text is what parseLeft reads.
func (l leftOpen) text() string {
	if l.open {
		return openState + markText(l.mark)
	}
	return closeState + markText(l.mark)
}

// parseMark reads a mark's line; false: it is not as it was written.
func parseMark(line string) (m sqlite.Mark, ok bool) {
	if strings.TrimSpace(line) == "" {
		return m, true
	}
	var sum uint32
	n, err := fmt.Sscanf(line, "%16x %10d %16x %08x\n", &m.Salts, &m.Frames, &m.Sum, &sum)
	if err != nil || n != 4 || line != markText(m) {
		return sqlite.Mark{}, false
	}
	return m, true
}

// markText is the mark as it stands in the file.
func markText(m sqlite.Mark) string {
	if m == (sqlite.Mark{}) {
		return strings.Repeat(" ", markLine-1) + "\n"
	}
	text := fmt.Sprintf("%016x %010d %016x", m.Salts, m.Frames, m.Sum)
	return fmt.Sprintf("%s %08x\n", text, sqlite.Checksum(0, []byte(text)))
}

// writeAt writes a part of the file. A full disk must not keep the store shut, and a
// mark that is not written is only an older one.
func (l *storeLock) writeAt(text string, at int64) { _, _ = l.f.WriteAt([]byte(text), at) }

// setState writes the state without a mark, durably.
func (l *storeLock) setState(open bool) {
	if l == nil || l.f == nil {
		return
	}
	l.left = leftOpen{open: open}
	l.writeAt(fmt.Sprintf("%010d\n", os.Getpid())+l.left.text(), 0)
	if l.f.Truncate(lockLen) == nil {
		_ = l.f.Sync()
	}
}

// opened notes that the store is open and that nothing is known of its WAL yet; clean
// that it is about to be closed and its WAL with it.
func (l *storeLock) opened() { l.setState(true) }

func (l *storeLock) clean() { l.setState(false) }

// follow begins to read where commits end from the WAL's index (path: the "-shm" of an
// open store). The file is closed after the store is (unfollow): until then SQLite's
// locks on it must not be touched.
func (l *storeLock) follow(path string) {
	if l == nil {
		return
	}
	l.unfollow()
	if f, err := os.Open(path); err == nil {
		l.shm = f
	}
}

func (l *storeLock) unfollow() {
	if l != nil && l.shm != nil {
		_ = l.shm.Close()
		l.shm = nil
	}
}

// committed notes how far the WAL goes after a durable commit.
func (l *storeLock) committed() {
	if l == nil || l.shm == nil || l.f == nil {
		return
	}
	m := sqlite.ReadMark(l.shm)
	if m.Frames == 0 || m == l.left.mark {
		return
	}
	l.left.mark = m
	l.writeAt(markText(m), pidLine+stateLine)
}

func (l *storeLock) release() {
	if l != nil && l.f != nil {
		l.unfollow()
		_ = l.f.Close()
		l.f = nil
	}
}
