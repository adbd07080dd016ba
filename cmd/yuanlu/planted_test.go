package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNoVerbWritesThroughAPlantedLink: a technician runs the verbs that write a file in
// a folder where others have planted symbolic links, under the names that were foreseen
// and under the very name. What they lead to stays as it is.
func TestNoVerbWritesThroughAPlantedLink(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _ := writeConfig(t, "")
	for _, verb := range []struct {
		name string
		args []string
	}{
		{"support-bundle", []string{"support-bundle", "--config", config, "--out"}},
	} {
		out := filepath.Join(dir, verb.name)
		for _, name := range []string{out + ".part", out + ".new", out + ".tmp"} {
			if err := os.Symlink(precious, name); err != nil {
				t.Fatal(err)
			}
		}
		if code, _, errs := yl(t, "", append(verb.args, out)...); code != 0 {
			t.Errorf("%s: exit %d, %s", verb.name, code, errs)
		}
		if info, err := os.Lstat(out); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", verb.name, info, err)
		}
		planted := filepath.Join(dir, "planted-"+verb.name)
		if err := os.Symlink(precious, planted); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := yl(t, "", append(verb.args, planted)...); code != 2 || errs == "" {
			t.Errorf("%s over a link: exit %d, %s", verb.name, code, errs)
		}
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("precious is now %d bytes, %v", len(text), err)
	}
}
