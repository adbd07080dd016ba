package logbook

import (
	"fmt"
	"io/fs"
	"syscall"
)

// sameStream compares an open file with "device:inode".
func sameStream(info fs.FileInfo, stream string) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
