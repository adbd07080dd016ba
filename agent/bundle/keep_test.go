package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBundlesAreKeptFew(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"yuanlu-support-b-20260101T000003.tar.gz", "yuanlu-support-a-20260101T000004.tar.gz", "yuanlu-support-c-20260101T000001.tar.gz",
		"yuanlu-support-d-20260101T000002.tar.gz", "yuanlu-support-e-20260101T000005.tar.gz", "yuanlu-support-f-20260101T000006.tar.gz.part", "notes.txt"} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := Prune(dir); err != nil {
		t.Fatal(err)
	}
	var left []string
	all, _ := os.ReadDir(dir)
	for _, one := range all {
		left = append(left, one.Name())
	}
	if got := strings.Join(left, " "); got != "notes.txt yuanlu-support-a-20260101T000004.tar.gz yuanlu-support-b-20260101T000003.tar.gz yuanlu-support-e-20260101T000005.tar.gz" {
		t.Errorf("left: %s", got)
	}
	if err := Prune(dir + "/none"); err != nil {
		t.Error(err)
	}
}
