package machine

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Facts returns what the program stands on, for support: kernel, memory, disk and mounts of
// a store, clock. It marshals to JSON.
func Facts(store string) any {
	var u unix.Utsname
	kernel := ""
	if unix.Uname(&u) == nil {
		kernel = strings.Join([]string{unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]),
			unix.ByteSliceToString(u.Version[:]), unix.ByteSliceToString(u.Machine[:])}, " ")
	}
	disk := map[string]any{"dir": store, "free_bytes": DiskFree(store)}
	var st unix.Statfs_t
	if unix.Statfs(store, &st) == nil {
		disk["bytes"], disk["inodes_free"] = int64(st.Blocks)*int64(st.Bsize), st.Ffree
		disk["read_only"] = st.Flags&unix.ST_RDONLY != 0
	}
	var clock unix.Timex
	state, err := unix.Adjtimex(&clock)
	return map[string]any{
		"kernel": kernel, "go": runtime.Version(), "cpus": runtime.NumCPU(), "uid": os.Geteuid(),
		"os_release": firstLines("/etc/os-release", 20), "memory": firstLines("/proc/meminfo", 5), "load": firstLines("/proc/loadavg", 1),
		"uptime": firstLines("/proc/uptime", 1), "model": firstLines("/proc/device-tree/model", 1), "mounts": mountsOf(store), "disk": disk,
		"clock": map[string]any{"now": time.Now(), "adjtimex": state, "unsynchronised": err != nil || clock.Status&unix.STA_UNSYNC != 0},
	}
}

// firstLines returns at most n lines of a small file of the system, none if it cannot be
// read.
func firstLines(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []string
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() && len(all) < n {
		all = append(all, strings.Trim(lines.Text(), "\x00"))
	}
	return all
}

// mountsOf returns the file systems that dir lies on, from the root down.
func mountsOf(dir string) []string {
	var all []string
	for _, line := range firstLines("/proc/self/mounts", 500) {
		f := strings.Fields(line)
		if len(f) >= 4 && (f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/")) {
			options, _, _ := strings.Cut(f[3], ",") // rw or ro; the others may hold names of the site
			all = append(all, strings.Join(append(f[:3:3], options), " "))
		}
	}
	return all
}
