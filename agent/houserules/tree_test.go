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
	"sync"
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

// rooms returns every package folder of the tree. The tree is read once for all tests,
// which only look at it.
func rooms(t *testing.T) (map[string]*room, *token.FileSet) {
	t.Helper()
	read := readTree()
	if read.err != nil {
		t.Fatal(read.err)
	}
	if len(read.rooms) < 10 {
		t.Fatalf("only %d packages found: the tree was not read", len(read.rooms))
	}
	return read.rooms, read.fset
}

type tree struct {
	rooms map[string]*room
	fset  *token.FileSet
	err   error
}

var readTree = sync.OnceValue(func() tree {
	read := tree{rooms: map[string]*room{}, fset: token.NewFileSet()}
	root, err := filepath.Abs("../..")
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "go.mod")) // else the project's root is not two folders up
	}
	if err == nil {
		err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error { return read.add(root, p, d, err) })
	}
	read.err = err
	return read
})

// add takes one file or folder of the walk.
func (r *tree) add(root, p string, d fs.DirEntry, err error) error {
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
	rel, err := filepath.Rel(root, p)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	f, err := parser.ParseFile(r.fset, p, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(rel)
	if r.rooms[dir] == nil {
		r.rooms[dir] = &room{dir: dir}
	}
	test := strings.HasSuffix(rel, "_test.go")
	if !test {
		r.rooms[dir].name = f.Name.Name
	}
	r.rooms[dir].files = append(r.rooms[dir].files, sourceFile{rel, test, f})
	return nil
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
