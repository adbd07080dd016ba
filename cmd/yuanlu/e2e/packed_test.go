package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"yuanlu/agent/ledger/packed"
)

// unpackedTexts returns every text of the store in dir that its rows have packed, so that what
// is looked for in its bytes is not missed there; nothing where there is no store.
func unpackedTexts(t testing.TB, dir string) []byte {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "yuanlu.db")); err != nil {
		return nil
	}
	db := openRows(t, dir)
	defer db.Close()
	var all bytes.Buffer
	for _, query := range []string{
		`SELECT body FROM record`, `SELECT verdict FROM verdict`, `SELECT explain FROM verdict`,
		`SELECT data FROM outbox`, `SELECT data FROM untold`, `SELECT data FROM quarantine`,
	} {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatalf("%s: %s: %v", dir, query, err)
		}
		for rows.Next() {
			var stored []byte
			err := rows.Scan(&stored)
			text, bad := packed.Text(nil, stored)
			if err != nil || bad != nil {
				t.Fatalf("%s: %s: %v, %v", dir, query, err, bad)
			}
			all.Write(append(text, '\n'))
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %s: %v", dir, query, err)
		}
		rows.Close()
	}
	return all.Bytes()
}

// foldersBelow returns dir and the folders in it, at any depth, but those of damaged stores.
func foldersBelow(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "quarantine" {
			return fs.SkipDir // damaged stores, which need not open
		}
		if err == nil && d.IsDir() {
			list = append(list, p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return list
}

// laidDown writes files handed over from elsewhere into a folder of their own.
func laidDown(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
