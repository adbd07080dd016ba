package houserules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A room is one package folder of the tree.
type room struct {
	dir   string // slash path from the project's root, "agent/refund"
	name  string // package name
	files []sourceFile
}

type sourceFile struct {
	path string // from the project's root
	test bool
	ast  *ast.File
}

const module = "yuanlu"

// rooms parses every Go file of the tree.
func rooms(t *testing.T) (map[string]*room, *token.FileSet) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the project's root is not two folders up: %v", err)
	}
	fset := token.NewFileSet()
	found := map[string]*room{}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || n == "testdata" || n == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(rel)
		r := found[dir]
		if r == nil {
			r = &room{dir: dir}
			found[dir] = r
		}
		test := strings.HasSuffix(rel, "_test.go")
		if !test {
			r.name = f.Name.Name
		}
		r.files = append(r.files, sourceFile{rel, test, f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d packages found: the tree was not read", len(found))
	}
	return found, fset
}

// code calls fn for every non-test file.
func code(t *testing.T, fn func(r *room, f sourceFile, fset *token.FileSet)) {
	t.Helper()
	all, fset := rooms(t)
	for _, r := range all {
		for _, f := range r.files {
			if !f.test {
				fn(r, f, fset)
			}
		}
	}
}
