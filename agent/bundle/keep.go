package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// mostKept is how many bundles made by command stay on the terminal.
const mostKept = 4

// prefix begins the name of every bundle.
const prefix = "yuanlu-support-"

// File returns the name of a bundle in dir, by terminal and time, with a number where
// another one of the same second has the name.
func File(dir, terminal string, now time.Time) string {
	name := filepath.Join(dir, prefix+terminal+"-"+now.UTC().Format("20060102T150405"))
	file := name + ".tar.gz"
	for n := 2; n < 1000; n++ {
		if _, err := os.Lstat(file); err != nil {
			break
		}
		file = fmt.Sprintf("%s-%d.tar.gz", name, n)
	}
	return file
}

// Dir returns where bundles made by command go.
func Dir(store string) string { return filepath.Join(store, "bundles") }

// Prune makes room in dir for one more bundle, and removes what a power cut left half made.
func Prune(dir string) error {
	all, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var whole []string
	for _, one := range all {
		switch name := one.Name(); {
		case !strings.HasPrefix(name, prefix):
		case strings.HasSuffix(name, ".part"):
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
		case strings.HasSuffix(name, ".tar.gz"):
			whole = append(whole, name)
		}
	}
	stamp := func(name string) string { return name[max(0, len(name)-len("20060102T150405.tar.gz")):] }
	sort.Slice(whole, func(i, j int) bool { return stamp(whole[i]) < stamp(whole[j]) })
	for len(whole) >= mostKept {
		err = errors.Join(err, os.Remove(filepath.Join(dir, whole[0])))
		whole = whole[1:]
	}
	return err
}
