package houserules

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The design page, agent/README.md, and the chapter of the README that points at it name
// folders (`agent/ledger`), and code as package and name (`ledger.DB.Submit`,
// `ingest.kindOf()`): all of it has to exist, and every room has to be named.

var (
	span      = regexp.MustCompile("`([^`]+)`")
	codeName  = regexp.MustCompile(`^([a-z]\w*)\.(\w+)(?:\.(\w+))?(\(\))?$`)
	firstCell = regexp.MustCompile(`(?m)^\| ([^|]+) \|`)
	inText    = regexp.MustCompile(`\b[a-z]\w*\.[A-Z]\w*(?:\.\w+)?`)
	treeName  = regexp.MustCompile(`^(?:agent|cmd|drivers|protocol|firmware-sim)(?:/[\w.-]+)*(?:/…)?$`)
)

// names returns what can be named of a package: "Judge", "Judge.Apply", "kindOf".
func names(r *room) map[string]bool {
	found := map[string]bool{}
	for _, f := range r.files {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				found[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						found[s.Name.Name] = true
						for _, m := range members(s.Type) {
							found[s.Name.Name+"."+m] = true
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							found[n.Name] = true
						}
					}
				}
			}
		}
	}
	return found
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name + "."
	}
	return "?."
}

// members returns the fields of a struct and the methods of an interface.
func members(e ast.Expr) (list []string) {
	var fields *ast.FieldList
	switch e := e.(type) {
	case *ast.StructType:
		fields = e.Fields
	case *ast.InterfaceType:
		fields = e.Methods
	default:
		return nil
	}
	for _, f := range fields.List {
		for _, n := range f.Names {
			list = append(list, n.Name)
		}
	}
	return list
}

func TestDesignPageNamesWhatIsThere(t *testing.T) {
	all, _ := rooms(t)
	byName := map[string][]*room{}
	for _, r := range all {
		byName[r.name] = append(byName[r.name], r)
	}
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, ok := strings.Cut(string(readme), "## How it is built")
	if !ok {
		t.Fatal("README.md has no chapter How it is built")
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")

	texts := inText.FindAllString(chapter, -1) // also where they stand in an indented block
	for _, m := range span.FindAllStringSubmatch(string(page)+chapter, -1) {
		texts = append(texts, m[1])
	}
	named, resolved := map[string]bool{}, 0 // named: the rooms, in the first column of a table
	for _, row := range firstCell.FindAllStringSubmatch(string(page), -1) {
		for _, m := range span.FindAllStringSubmatch(row[1], -1) {
			named[m[1]] = true
		}
	}
	for _, text := range texts {
		if treeName.MatchString(text) {
			dir := strings.TrimSuffix(text, "/…")
			if !inTree(dir) {
				t.Errorf("%s is not in the tree", dir)
			}
			continue
		}
		c := codeName.FindStringSubmatch(text)
		if c == nil || byName[c[1]] == nil || !isCode(c) {
			continue // a setting, an event, a file
		}
		want := c[2]
		if c[3] != "" {
			want += "." + c[3]
		}
		found := false
		for _, r := range byName[c[1]] {
			found = found || names(r)[want]
		}
		if resolved++; !found {
			t.Errorf("package %s has no %s", c[1], want)
		}
	}
	for dir, r := range all {
		if r.name == "" {
			continue // tests only
		}
		covered := named[dir] || named[dir+"/…"]
		for d := path.Dir(dir); d != "."; d = path.Dir(d) {
			covered = covered || named[d+"/…"]
		}
		if !covered {
			t.Errorf("the design page does not name the room %s", dir)
		}
	}
	if resolved < 20 {
		t.Errorf("only %d names of code found: the page was not read", resolved)
	}
}

// isCode reports whether a name is code, `ledger.DB` or `ledger.tx.count`, and not an event,
// `outbox.evicted`.
func isCode(c []string) bool {
	return c[4] != "" || c[3] != "" || c[2][0] >= 'A' && c[2][0] <= 'Z'
}
