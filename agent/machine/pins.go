package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// PINTrouble returns why the file of the supervisors' PINs is not as it must be for the daemon's
// user, nil if it is, or is not there. It opens no file. Source: guard.md § 3.
func PINTrouble(c *config.Config, daemon uint32) *health.PINTrouble {
	path := filepath.Join(c.Store.Dir, "keys", "pins")
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &health.PINTrouble{Path: path, Error: err.Error()}
	case !info.Mode().IsRegular():
		return &health.PINTrouble{Path: path, Error: path + " is no file"}
	case info.Mode().Perm()&^0o600 == 0 && ownerOf(info) == daemon:
		return nil
	}
	return &health.PINTrouble{Path: path, Mode: info.Mode().Perm(), Owner: NameOf(ownerOf(info)), Want: NameOf(daemon)}
}
