package ledger

import (
	"log/slog"
	"os"
)

// closeToOthers takes from the database and the files beside it what others than their
// owner may do with them: SQLite makes them with what the umask leaves, and a store of an
// older version has them so. doctor prints one that cannot be changed.
func closeToOthers(file string, log *slog.Logger) {
	for _, end := range []string{"", "-wal", "-shm"} {
		path := file + end
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(path, 0o600); err != nil {
			log.Warn("store.open_to_others", "path", path, "mode", info.Mode().Perm(), "err", err)
		}
	}
}
