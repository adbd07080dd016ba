package ledger

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDamageIsKnownUntilItIsMovedAway: what a salvage has kept and lost is known after
// the next start too, also after one that was cut short, and is logged once.
func TestDamageIsKnownUntilItIsMovedAway(t *testing.T) {
	files := storeFiles(t, true)
	files[storeFile] = append([]byte(nil), files[storeFile]...)
	copy(files[storeFile][68:72], "ABCD") // every row is readable
	for _, cutShort := range []string{"", "salvage.built:1"} {
		dir := laidOut(t, files)
		if cutShort != "" {
			if out, err := runChild(t, dir, "open", cutShort); !killed(err) {
				t.Fatal(out, err)
			}
			if found := FoundDamage(dir); len(found) > 0 {
				t.Errorf("a salvage that is not finished counts: %+v", found)
			}
		}
		var logged bytes.Buffer
		o := testOptions(dir)
		o.Log = slog.New(slog.NewTextHandler(&logged, nil))
		d := openTest(t, o)
		if n := strings.Count(logged.String(), "msg=store.damaged"); n != 1 {
			t.Errorf("store.damaged is logged %d times:\n%s", n, &logged)
		}
		d = reopened(t, d, testOptions(dir))
		found := FoundDamage(dir)
		if len(d.Damage()) != 0 || len(found) != 1 || found[0].Kept != scriptEvents || found[0].Lost != 0 || !found[0].Whole() {
			t.Fatalf("%q: after the next start %+v", cutShort, found)
		}
		must(t, os.Rename(found[0].Moved, filepath.Join(t.TempDir(), "q")))
		if found := FoundDamage(dir); len(found) != 0 {
			t.Errorf("moved away, but %+v", found)
		}
	}
}

// TestDamageOfKeysIsKnown: a note about what is missing has a folder too; a folder
// without a readable note is named.
func TestDamageOfKeysIsKnown(t *testing.T) {
	files := storeFiles(t, true)
	delete(files, "keys/token")
	dir := laidOut(t, files)
	openTest(t, testOptions(dir))
	found := FoundDamage(dir)
	if len(found) != 1 || found[0].What != "keys/token" || found[0].Why != "missing" || found[0].Whole() {
		t.Fatalf("found %+v", found)
	}
	must(t, os.WriteFile(filepath.Join(found[0].Moved, foundFile), []byte(`{"What":`), 0o600))
	found = FoundDamage(dir)
	if len(found) != 1 || !strings.HasPrefix(found[0].What, quarantineDir+"/") || found[0].Whole() {
		t.Errorf("without a note %+v", found)
	}
}
