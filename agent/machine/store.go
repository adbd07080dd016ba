package machine

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// fullBelow is the free space below which a disk counts as full: a store is not opened
// with less.
const fullBelow = 256 << 10

// StoreTrouble looks why the store of a configuration cannot be used by a user, the
// daemon's, without opening or changing anything. Fault is health.NoFault where its place
// shows no reason.
func StoreTrouble(c *config.Config, daemon uint32) health.StoreTrouble {
	dir := c.Store.Dir
	s := health.StoreTrouble{Dir: dir, Path: dir}
	if m := c.Store.Mount; m != "" && !isMount(m) {
		s.Fault, s.Mount = health.NotMounted, m
		return s
	}
	s.Want = NameOf(daemon)
	for { // what is not there yet will be made in the folder above
		info, err := os.Lstat(s.Path)
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			info, err = os.Stat(s.Path)
		}
		switch {
		case err == nil && !info.IsDir():
			s.Fault = health.NotFolder
			return s
		case err == nil:
			return placeTrouble(s, info, daemon)
		case os.IsPermission(err):
			s.Fault = health.NoWay
			return s
		}
		up := filepath.Dir(s.Path)
		if up == s.Path {
			return s
		}
		s.Path = up
	}
}

// placeTrouble looks at a folder that is there, and at the files in it.
func placeTrouble(s health.StoreTrouble, info os.FileInfo, daemon uint32) health.StoreTrouble {
	s.Mount = mountPoint(s.Path)
	var fs unix.Statfs_t
	if unix.Statfs(s.Path, &fs) == nil {
		s.Free = int64(fs.Bavail) * int64(fs.Bsize)
		switch {
		case fs.Flags&unix.ST_RDONLY != 0:
			s.Fault = health.ReadOnly
			return s
		case s.Free < fullBelow:
			s.Fault = health.DiskFull
			return s
		}
	}
	self := uint32(os.Geteuid())
	if self != 0 && self != daemon {
		if unix.Access(s.Path, unix.R_OK|unix.X_OK) != nil {
			s.Fault = health.NoWay
		}
		return s
	}
	if s.Path != s.Dir {
		if daemon != 0 && self == daemon && unix.Access(s.Path, unix.W_OK|unix.X_OK) != nil {
			s.Fault, s.Mode = health.NotWritable, info.Mode()
			s.Owner = NameOf(ownerOf(info))
		}
		return s
	}
	paths := []string{s.Dir}
	for _, name := range []string{"yuanlu.db", "yuanlu.db-wal", "yuanlu.db-shm", "lock", "keys", "log"} {
		paths = append(paths, filepath.Join(s.Dir, name))
	}
	if keys, err := filepath.Glob(filepath.Join(s.Dir, "keys", "*")); err == nil {
		paths = append(paths, keys...)
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		switch owner := ownerOf(info); {
		case daemon == 0:
			return s // root may do everything
		case owner != daemon:
			s.Fault, s.Path, s.Owner = health.OthersFile, path, NameOf(owner)
			return s
		case info.Mode().Perm()&0o600 != 0o600:
			s.Fault, s.Path, s.Mode = health.NotWritable, path, info.Mode()
			return s
		}
	}
	return s
}

// DaemonUser is the account that the unit runs the daemon as.
const DaemonUser = "yuanlu"

// DaemonUID returns the user that the daemon is to run as: the account of the unit where
// there is one, else the owner of the store's folder, else the user of this process.
func DaemonUID(dir string) uint32 {
	if u, err := user.Lookup(DaemonUser); err == nil {
		if id, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			return uint32(id)
		}
	}
	if info, err := os.Stat(dir); err == nil {
		return ownerOf(info)
	}
	return uint32(os.Geteuid())
}

func ownerOf(info os.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return uint32(os.Geteuid())
}

// NameOf returns the name of a user, or the number of one without a name.
func NameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// isMount reports whether a folder is a mount point.
func isMount(dir string) bool {
	for _, m := range mounts() {
		if m == filepath.Clean(dir) {
			return true
		}
	}
	return false
}

// mountPoint returns the mount point of the file system that a path lies on.
func mountPoint(path string) string {
	longest := "/"
	for _, m := range mounts() {
		if (path == m || strings.HasPrefix(path, strings.TrimSuffix(m, "/")+"/")) && len(m) >= len(longest) {
			longest = m
		}
	}
	return longest
}

// mounts returns all mount points, with their blanks as they are.
func mounts() []string {
	var all []string
	for _, line := range firstLines("/proc/self/mounts", 500) {
		if f := strings.Fields(line); len(f) >= 2 {
			all = append(all, strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(f[1]))
		}
	}
	return all
}
