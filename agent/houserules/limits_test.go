package houserules

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

const (
	maxFunctionLines    = 70
	maxFileLines        = 450
	maxInterfaceMethods = 5
)

func TestSizes(t *testing.T) {
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		lines := func(n ast.Node) int { return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1 }
		if n := fset.File(f.ast.Pos()).LineCount(); n > maxFileLines {
			t.Errorf("%s has %d lines, at most %d", f.path, n, maxFileLines)
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if l := lines(n); l > maxFunctionLines {
					t.Errorf("%s: %s has %d lines, at most %d", f.path, n.Name.Name, l, maxFunctionLines)
				}
			case *ast.InterfaceType:
				methods := 0
				for _, m := range n.Methods.List {
					if _, ok := m.Type.(*ast.FuncType); ok {
						methods++
					}
				}
				if methods > maxInterfaceMethods {
					t.Errorf("%s:%d: an interface of %d methods, at most %d", f.path, fset.Position(n.Pos()).Line, methods, maxInterfaceMethods)
				}
			}
			return true
		})
	})
}

func TestEveryPackageHasADoc(t *testing.T) {
	all, _ := rooms(t)
	for dir, r := range all {
		if r.name == "" {
			continue // tests only
		}
		found := false
		for _, f := range r.files {
			found = found || !f.test && f.ast.Doc.Text() != ""
		}
		if !found {
			t.Errorf("%s: package %s has no package comment", dir, r.name)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		undocumented := func(n ast.Node, name string) {
			t.Errorf("%s:%d: %s has no doc comment", f.path, fset.Position(n.Pos()).Line, name)
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) {
					undocumented(d, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
							undocumented(s, s.Name.Name)
						}
					case *ast.ValueSpec:
						if s.Names[0].IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" && !d.Lparen.IsValid() {
							undocumented(s, s.Names[0].Name)
						}
					}
				}
			}
		}
	})
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func TestNoInitAndNoPanic(t *testing.T) {
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s:%d: init has effects that no reader sees", f.path, fset.Position(fn.Pos()).Line)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" && id.Obj == nil {
					t.Errorf("%s:%d: panic", f.path, fset.Position(call.Pos()).Line)
				}
			}
			return true
		})
	})
}

// A package variable is a constant that Go cannot spell; nothing may change one.
func TestPackageVariablesNeverChange(t *testing.T) {
	all, fset := rooms(t)
	for _, r := range all {
		vars := map[string]bool{}
		specs := map[any]bool{}
		for _, f := range r.files {
			if f.test {
				continue
			}
			for _, d := range f.ast.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, s := range g.Specs {
					v := s.(*ast.ValueSpec)
					specs[v] = true
					for _, n := range v.Names {
						vars[n.Name] = true
					}
					if statefulType(v) {
						t.Errorf("%s:%d: a package variable that holds state", f.path, fset.Position(v.Pos()).Line)
					}
				}
			}
		}
		for _, f := range r.files {
			if f.test {
				continue
			}
			changed := func(e ast.Expr) {
				if id := rootIdent(e); id != nil && vars[id.Name] && (id.Obj == nil || specs[id.Obj.Decl]) {
					t.Errorf("%s:%d: package variable %s is changed", f.path, fset.Position(id.Pos()).Line, id.Name)
				}
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					if n.Tok != token.DEFINE {
						for _, l := range n.Lhs {
							changed(l)
						}
					}
				case *ast.IncDecStmt:
					changed(n.X)
				}
				return true
			})
		}
	}
}

func statefulType(v *ast.ValueSpec) bool {
	sel, ok := v.Type.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "sync" || pkg.Name == "atomic")
}

func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func TestNoTestSleeps(t *testing.T) {
	all, fset := rooms(t)
	for _, r := range all {
		for _, f := range r.files {
			if !f.test || strings.HasPrefix(f.path, "agent/houserules/") {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Sleep" {
					return true
				}
				if id, ok := sel.X.(*ast.Ident); ok && id.Name == "time" {
					t.Errorf("%s:%d: a test that sleeps", f.path, fset.Position(n.Pos()).Line)
				}
				return true
			})
		}
	}
}
