package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// storeLock is the flock on <dir>/lock that keeps a second daemon out. The file
// holds the pid of the process that has it, and a second line "open" while the
// store is open: if that line is there at the next start, the process ended without
// closing the store, and its WAL must be there.
type storeLock struct {
	f       *os.File
	unclean bool
}

const openLine = "open\n"

// lockStore takes the lock or says who has it.
func lockStore(dir string) (*storeLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("ledger: lock: %w", err)
		}
		b, _ := io.ReadAll(io.LimitReader(f, 64))
		line, _, _ := strings.Cut(string(b), "\n")
		pid, _ := strconv.Atoi(line)
		return nil, &LockedError{PID: pid}
	}
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("ledger: lock: %w", err)
	}
	l := &storeLock{f: f, unclean: strings.HasSuffix(string(b), openLine)}
	l.say("")
	return l, nil
}

// say writes the pid and more. A full disk must not keep the store shut.
func (l *storeLock) say(more string) {
	if l == nil || l.f == nil || l.f.Truncate(0) != nil {
		return
	}
	if _, err := l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"+more), 0); err == nil {
		_ = l.f.Sync()
	}
}

// opened notes that the store is open, clean that it is about to be closed and its
// WAL with it.
func (l *storeLock) opened() { l.say(openLine) }

func (l *storeLock) clean() { l.say("") }

func (l *storeLock) release() {
	if l != nil && l.f != nil {
		_ = l.f.Close()
		l.f = nil
	}
}

// proveMount makes sure, before anything is created, that mount is a mounted file
// system and that dir lies on it: without its data partition an agent would
// write to the root file system, confirm, and lose it.
func proveMount(mount, dir string) error {
	real, err := filepath.EvalSymlinks(mount)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotMounted, mount, err)
	}
	mounted, err := mountPoints()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotMounted, err)
	}
	if !mounted[real] {
		return fmt.Errorf("%w: %s is a folder of its parent's file system", ErrNotMounted, mount)
	}
	there, err := firstThatExists(dir)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotMounted, dir, err)
	}
	if there != real && !strings.HasPrefix(there, strings.TrimSuffix(real, "/")+"/") {
		return fmt.Errorf("%w: %s is not below %s", ErrNotMounted, dir, mount)
	}
	a, err1 := os.Stat(real)
	b, err2 := os.Stat(there)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("%w: %w", ErrNotMounted, err)
	}
	sa, ok1 := a.Sys().(*syscall.Stat_t)
	sb, ok2 := b.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || sa.Dev != sb.Dev {
		return fmt.Errorf("%w: %s is on another file system than %s", ErrNotMounted, dir, mount)
	}
	return nil
}

// firstThatExists is dir or the nearest folder above it that is there, with its
// symbolic links resolved.
func firstThatExists(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		real, err := filepath.EvalSymlinks(abs)
		if err == nil {
			return real, nil
		}
		up := filepath.Dir(abs)
		if !errors.Is(err, os.ErrNotExist) || up == abs {
			return "", err
		}
		abs = up
	}
}

// mountPoints reads where file systems are mounted (proc(5), mountinfo, field 5).
func mountPoints() (map[string]bool, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	points := make(map[string]bool)
	s := bufio.NewScanner(f)
	for s.Scan() {
		if field := strings.Fields(s.Text()); len(field) > 4 {
			points[unescapeMount(field[4])] = true
		}
	}
	return points, s.Err()
}

// unescapeMount undoes the \040 escapes of mountinfo.
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
