package ledger

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The ballast is a file of no use but its room: on a full disk SQLite can neither
// delete nor be opened, and removing the ballast lets it.
const (
	ballastFile = "ballast"
	ballastSize = 4 << 20
	ballastLeft = 32 << 20 // make it only if this much stays free
)

// keepBallast makes the ballast if it is not there and there is room to spare.
func (d *DB) keepBallast() {
	path := filepath.Join(d.dir, ballastFile)
	var fs unix.Statfs_t
	if exists(path) || unix.Statfs(d.dir, &fs) != nil || int64(fs.Bavail)*int64(fs.Bsize) < ballastSize+ballastLeft {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, ballastSize)
	for tries := 0; errors.Is(err, unix.EINTR) && tries < 10; tries++ {
		err = unix.Fallocate(int(f.Fd()), 0, 0, ballastSize)
	}
	if e := f.Close(); err != nil || e != nil {
		_ = os.Remove(path)
	}
}

// releaseBallast removes it; false: there was none.
func (d *DB) releaseBallast() bool { return os.Remove(filepath.Join(d.dir, ballastFile)) == nil }
