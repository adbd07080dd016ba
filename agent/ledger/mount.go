package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

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
