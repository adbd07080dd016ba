package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"yuanlu/agent/ledger/carry"
	"yuanlu/agent/ledger/sqlite"
)

// Export writes the whole store (records, verdicts, cases, what waits for the back
// office, keys) to w as Import reads it, as it is at one moment, whether a daemon has
// it open or not. The keys are in clear: w must encrypt. progress is called with how
// many of how many rows are written; it may be nil. The store is not changed.
//
// Errors: of w; ErrUnavailable if a row or a key is damaged.
func (d *DB) Export(ctx context.Context, w io.Writer, progress func(done, all int64)) error {
	if d.temporary {
		return ErrReadOnly
	}
	return d.read(ctx, func(c *conn) (err error) {
		// A key that is made or dropped beside it is in one of the two readings.
		before, err := readKeyFiles(d.dir)
		if err != nil {
			return err
		}
		if err := c.Do("BEGIN"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Do("ROLLBACK")) }()
		if err := checkRows(c); err != nil {
			return err
		}
		after, err := readKeyFiles(d.dir)
		if err != nil {
			return err
		}
		return carry.Write(ctx, c.Conn, w, d.o.Now(), unite(before, after), progress)
	})
}

// readKeyFiles reads both files of keys/ as they are.
func readKeyFiles(dir string) (files [2][]byte, err error) {
	for i, name := range []string{tokenFile, caseFile} {
		path := filepath.Join(dir, "keys", name)
		if files[i], err = os.ReadFile(path); err != nil {
			return files, keyError("read", path, err)
		}
		if !wholeRing(string(files[i])) {
			return files, unavailable(keyError("read", path, sqlite.ErrDamaged))
		}
	}
	return files, nil
}

// unite returns the newer files with the keys that stand in the older ring only.
func unite(before, after [2][]byte) [2][]byte {
	known := slices.Collect(strings.Lines(string(after[0])))
	for line := range strings.Lines(string(before[0])) {
		if !slices.Contains(known, line) {
			after[0] = fmt.Append(after[0], line)
		}
	}
	return after
}
