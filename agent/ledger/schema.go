package ledger

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID is "YUAN" in the header of every store, so that another program's
// database is never taken for one.
const applicationID = 0x5955414e

// keysVersion is the schema version from which on the newest keys are in memory alone
// (keyindex.go).
const keysVersion = 4

// daysVersion is the one from which on cases lack their indexes, and the table daily what is
// counted again at the opening (days.go).
const daysVersion = 5

// followVersion is the one from which on it is known what was published of what became of cases
// (follow.go).
const followVersion = 6

// datesVersion is the one from which on records are found by their date (dates.go).
const datesVersion = 7

// packedVersion is the one from which on the JSON of rows is packed.
const packedVersion = 8

// migrations returns the steps that lead from version n to n+1, in order. Step n is
// the file migrations/000n.sql; a published one never changes.
func migrations() ([]string, error) {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(entries))
	for i, e := range entries {
		if want := fmt.Sprintf("%04d.sql", i+1); e.Name() != want {
			return nil, fmt.Errorf("ledger: migration %s, want %s", e.Name(), want)
		}
		b, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			return nil, err
		}
		steps[i] = string(b)
	}
	return steps, nil
}

// migrate brings the schema to the newest version, each step in a transaction of
// its own together with its version number. A newer store is ErrNewer.
func migrate(c *conn, steps []string) error {
	version, _, err := c.Int("PRAGMA user_version")
	if err != nil {
		return err
	}
	if version > int64(len(steps)) {
		return fmt.Errorf("%w: %d, this one knows %d", ErrNewer, version, len(steps))
	}
	for ; version < int64(len(steps)); version++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\nCOMMIT;",
			steps[version], applicationID, version+1)
		if err := c.Script(script); err != nil {
			if c.InTransaction() {
				_ = c.Script("ROLLBACK")
			}
			return fmt.Errorf("ledger: schema version %d: %w", version+1, err)
		}
	}
	return nil
}

// setting is a PRAGMA that is set and then read back: a connection on which it
// did not take is not used.
type setting struct{ name, value string }

// settings are those of one kind of connection. cell_size_check finds damaged
// pages early; mmap would turn an I/O error into a SIGBUS; the size limits keep
// the WAL small on flash.
func settings(synchronous string, cacheKiB int, temporary bool) []setting {
	s := []setting{
		{"busy_timeout", "5000"},
		{"cell_size_check", "1"},
		{"trusted_schema", "0"},
		{"mmap_size", "0"},
		{"temp_store", "2"},
		{"foreign_keys", "0"},
		{"secure_delete", "0"},
		{"cache_size", fmt.Sprint(-cacheKiB)},
	}
	if temporary {
		return append([]setting{{"page_size", temporaryPage}}, append(s, setting{"locking_mode", "exclusive"}, setting{"journal_mode", "off"}, setting{"synchronous", "0"})...)
	}
	return append(s,
		setting{"synchronous", synchronousNumber(synchronous)},
		setting{"wal_autocheckpoint", "1000"},
		setting{"journal_size_limit", "4194304"})
}

func synchronousNumber(name string) string {
	switch strings.ToUpper(name) {
	case "OFF":
		return "0"
	case "NORMAL":
		return "1"
	case "EXTRA":
		return "3"
	}
	return "2" // FULL
}

// configure applies settings and reads each back.
func configure(c *conn, list []setting) error {
	for _, s := range list {
		if err := c.Script("PRAGMA " + s.name + " = " + s.value); err != nil {
			return err
		}
	}
	for _, s := range list {
		got, err := c.Text("PRAGMA " + s.name)
		if err != nil {
			return err
		}
		if got != s.value {
			return fmt.Errorf("ledger: PRAGMA %s is %q, want %q", s.name, got, s.value)
		}
	}
	return nil
}
