package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"yuanlu/agent/logbook"
)

// TestOpenFilesAreInTheLogAndInDoctor, and a database that an older version left open
// is closed.
func TestOpenFilesAreInTheLogAndInDoctor(t *testing.T) {
	r := newRig(t, "", nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	dir := r.config.Store.Dir
	database := filepath.Join(dir, "yuanlu.db")
	if info, err := os.Stat(database); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new database: %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(database, 0o644); err != nil {
		t.Fatal(err)
	}
	r = newRig(t, "", func(o *Options) { o.Config.Store.Dir = dir })
	stop = r.run(t)
	r.await(t, "READY=1")
	modes := map[string]string{}
	past, sub := r.book.Subscribe(10, func(l logbook.Line) bool { return l.Code == "file.open_to_others" })
	sub.Cancel()
	for _, l := range past {
		modes[l.Field("path")] = l.Field("mode")
	}
	if modes[dir] != "0777" || modes[database] != "0644" { // the database is closed to others when it is opened: it is logged all the same
		t.Errorf("lines of %v", modes)
	}
	named := false
	for _, line := range r.agent.Examine(t.Context(), true, nil) {
		named = named || line.Name == "权限" && strings.Contains(line.Text, dir) && strings.Contains(line.Remedy, "chmod 0700")
	}
	if !named {
		t.Error("doctor does not name the folder")
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(database + end); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
