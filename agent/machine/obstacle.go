package machine

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// Obstacles returns what keeps a daemon that runs as that user from making its log file and
// its control socket. It opens and changes nothing; where this user may not look, and where
// the store's own folder is in the way (StoreTrouble), nothing is returned.
func Obstacles(c *config.Config, daemon uint32) []health.Obstacle {
	var all []health.Obstacle
	look := func(path string, wanted fs.FileMode, o health.Obstacle) {
		if path != "" && inTheWay(c.Store.Dir, path, wanted, daemon, &o) {
			all = append(all, o)
		}
	}
	look(c.Control.Socket, fs.ModeSocket, health.Obstacle{What: config.Text{EN: "the control socket (control.socket)", ZH: "控制套接字（control.socket）"}, Fatal: true,
		Place: filepath.Join(c.Store.Dir, "control.sock")})
	look(c.Log.Path(), 0, health.Obstacle{What: config.Text{EN: "the log file (log.file)", ZH: "日志文件（log.file）"}, Place: filepath.Join(c.Store.Dir, "log", "yuanlu.log")})
	return all
}

// inTheWay looks for what is in the way of a file of the wanted type, and fills it in.
func inTheWay(store, path string, wanted fs.FileMode, daemon uint32, o *health.Obstacle) bool {
	o.Path, o.Want = path, NameOf(daemon)
	found := func(kind health.ObstacleKind, info fs.FileInfo) bool {
		o.Kind, o.Mode, o.Owner = kind, info.Mode(), NameOf(ownerOf(info))
		return true
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != wanted:
		return found(health.Misplaced, info)
	case err == nil:
		return wanted == 0 && !Permits(info, daemon, 0o6) && found(health.OthersPlace, info)
	case os.IsPermission(err):
		return false
	}
	for err != nil && o.Path != filepath.Dir(o.Path) { // what is not there yet will be made in the folder above
		o.Path = filepath.Dir(o.Path)
		info, err = os.Stat(o.Path)
	}
	made := strings.HasPrefix(path, "/run/") && o.Path != filepath.Dir(path) // by the service manager, before each start
	if err != nil || made || within(store, o.Path) {
		return false
	}
	if !info.IsDir() {
		return found(health.NoFolder, info)
	}
	own := strings.HasPrefix(o.Path, store+"/") // StoreTrouble looks at who owns what is there
	return !own && !Permits(info, daemon, 0o3) && found(health.OthersPlace, info)
}

// within reports whether a path is a folder or lies in it.
func within(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// Permits reports whether the permissions of a file let a user do all that the bits state:
// 4 to read, 2 to write, 1 to run or enter.
func Permits(info fs.FileInfo, uid uint32, bits fs.FileMode) bool {
	mode := info.Mode().Perm()
	switch {
	case uid == 0:
		return true
	case uid == ownerOf(info):
		return mode>>6&bits == bits
	case mode&bits == bits:
		return true
	case mode>>3&bits != bits:
		return false
	}
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return false
	}
	groups, err := u.GroupIds()
	st, known := info.Sys().(*syscall.Stat_t)
	return err == nil && known && slices.Contains(groups, strconv.FormatUint(uint64(st.Gid), 10))
}
