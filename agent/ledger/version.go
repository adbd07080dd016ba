package ledger

import (
	"context"
	"fmt"
	"path/filepath"
)

// SchemaVersion returns the newest version of a store's schema that this program can read.
// A store of a newer one is ErrNewer.
func SchemaVersion() int {
	steps, err := migrations()
	if err != nil {
		return 0 // what is embedded is there; TestMigrationsAreInOrder
	}
	return len(steps)
}

// VersionOf returns the version of the schema of the store in dir, whether a daemon has it
// open or not, also of one that is newer than this program. Errors: ErrNotFound,
// ErrUnavailable.
func VersionOf(ctx context.Context, dir string) (int64, error) {
	path := filepath.Join(dir, storeFile)
	if !exists(path) {
		return 0, fmt.Errorf("%w: %s", ErrNotFound, path)
	}
	c, err := openReader(path)
	if err != nil {
		return 0, unavailable(err)
	}
	defer func() { _ = c.Close() }()
	defer c.InterruptAt(ctx)()
	version, _, err := c.Int("PRAGMA user_version")
	if err != nil {
		return 0, unavailable(err)
	}
	return version, nil
}
