// Package machine reads what the machine that the agent runs on shows of itself: room on
// the disk, memory of the process, the kernel's name, and who may read the agent's files.
package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"yuanlu/agent/health"
)

// DiskFree returns the bytes that may be used where dir lies (or would), -1 if unknown.
func DiskFree(dir string) int64 {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize)
		}
		up := filepath.Dir(dir)
		if err != unix.ENOENT || up == dir {
			return -1
		}
		dir = up
	}
}

// DiskLow reports whether less than health.LowDisk is free where dir lies, or would. It
// is not where that is unknown.
func DiskLow(dir string) bool {
	free := DiskFree(dir)
	return free >= 0 && free < health.LowDisk
}

// Memory returns the resident memory of this process in bytes, 0 if it cannot be read.
func Memory() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// Platform names kernel and machine.
func Platform() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}
