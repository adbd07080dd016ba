package houserules

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// passOn are the places that queue an event whose type another place has chosen: those
// that call them are looked at instead. One reads back what the store holds.
var passOn = map[string]string{
	"agent/agent.go workerOptions":             "agent/ingest calls it as OnEvent",
	"agent/agent.go Event":                     "as Agent.Event",
	"agent/events.go Event":                    "as Agent.Event",
	"agent/ledger/bounds.go queueCase":         "the type of a case event",
	"agent/ledger/asks_rows.go queueHold":      "the type of an event of a hold, on up/case",
	"agent/ledger/tally.go tally":              "typeTally, on up/case",
	"agent/ledger/followdata.go queueFollowed": "typeFollowed, on up/case",
	"agent/ledger/rows/entry.go ScanEntryInto": "what the store holds",
	"agent/ledger/digestqueue.go scanPart":     "the type of a digest, on up/day",
	"agent/ledger/outboxlist.go UnmarshalJSON": "a list that is read back",
	"agent/desired/machine.go report":          "Event.Name of a State",
}

// TestEveryEventHasASchema: every type that the code can queue for up/event has a schema
// event-data.{type}.v1, and there is no schema of a type that nothing queues.
func TestEveryEventHasASchema(t *testing.T) {
	queued, passed := map[string]string{"echo.asked": "agent/report/echo.go: sent at once, never queued"}, map[string]bool{}
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		if r.dir != "cmd/yuanlu" && r.dir != "agent" && !strings.HasPrefix(r.dir, "agent/") {
			return
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, e := range eventTypes(r, fn) {
				names := texts(e, fn)
				place := f.path + " " + fn.Name.Name
				if len(names) == 0 && passOn[place] == "" {
					t.Errorf("%s: which type of event this is cannot be seen: write it as a text here, or name %q in passOn", fset.Position(e.Pos()), place)
				}
				passed[place] = passed[place] || len(names) == 0
				for _, name := range names {
					queued[name] = fset.Position(e.Pos()).String()
				}
			}
		}
	})
	for place, why := range passOn {
		if !passed[place] {
			t.Errorf("%s (%s) queues nothing any more: take it from passOn", place, why)
		}
	}
	const before, after = "../../protocol/topics/schema/event-data.", ".v1.json"
	for name, at := range queued {
		if _, err := os.Stat(before + name + after); err != nil {
			t.Errorf("%s: event %s has no schema: %v", at, name, err)
		}
	}
	files, err := filepath.Glob(before + "*" + after)
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(strings.TrimPrefix(file, before), after); name != "v1.json" && queued[name] == "" {
			t.Errorf("nothing queues an event %s, which has a schema", name)
		}
	}
}

// eventTypes finds the expressions in a function that become the type of an event: the
// first argument of Event and OnEvent, Type of a refund.Notice and Name of a desired.Event.
func eventTypes(r *room, fn *ast.FuncDecl) (found []ast.Expr) {
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Event" || sel.Sel.Name == "OnEvent") && len(n.Args) > 0 {
				found = append(found, n.Args[0])
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if sel, ok := l.(*ast.SelectorExpr); ok && sel.Sel.Name == "Type" && r.dir == "agent/ledger" && len(n.Rhs) == len(n.Lhs) && isNamed(sel.X, "n") {
					found = append(found, n.Rhs[i])
				}
			}
		case *ast.CompositeLit:
			switch typ := n.Type.(type) {
			case *ast.SelectorExpr:
				if isNamed(typ.X, "refund") && typ.Sel.Name == "Notice" {
					found = append(found, member(n, "Type")...)
				} else if isNamed(typ.X, "desired") && typ.Sel.Name == "Event" {
					found = append(found, member(n, "Name")...)
				}
			case *ast.Ident:
				if r.dir == "agent/desired" && typ.Name == "Event" {
					found = append(found, member(n, "Name")...)
				}
			}
		}
		return true
	})
	return found
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// member returns the value of a member of a literal, the first value where they have no
// names.
func member(lit *ast.CompositeLit, name string) []ast.Expr {
	for i, e := range lit.Elts {
		kv, named := e.(*ast.KeyValueExpr)
		if !named && i == 0 {
			return []ast.Expr{e}
		}
		if named && isNamed(kv.Key, name) {
			return []ast.Expr{kv.Value}
		}
	}
	return nil
}

// texts returns the texts that e can be: its own, or all that are assigned to the variable
// that it is; nil where one of them is anything else.
func texts(e ast.Expr, fn *ast.FuncDecl) []string {
	if lit, ok := e.(*ast.BasicLit); ok {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			return []string{s}
		}
		return nil
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		return nil
	}
	var all []string
	seen := true
	ast.Inspect(fn, func(n ast.Node) bool {
		set, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		for i, l := range set.Lhs {
			if !isNamed(l, id.Name) {
				continue
			}
			lit, ok := set.Rhs[min(i, len(set.Rhs)-1)].(*ast.BasicLit)
			if !ok {
				seen = false
				continue
			}
			s, err := strconv.Unquote(lit.Value)
			seen = seen && err == nil
			all = append(all, s)
		}
		return true
	})
	if !seen {
		return nil
	}
	return all
}

// TestEveryProblemIsInTheSchema: the codes that health can have are the examples of its
// schema, so that a reader finds them all.
func TestEveryProblemIsInTheSchema(t *testing.T) {
	found := map[string]bool{}
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		if r.dir != "agent/health" && r.dir != "agent/report" {
			return
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			at := -1
			if add, ok := call.Fun.(*ast.SelectorExpr); ok && add.Sel.Name == "add" && (isNamed(add.X, "p") || isNamed(add.X, "all")) { // problems.add
				at = 1
			}
			if set, ok := call.Fun.(*ast.SelectorExpr); ok && set.Sel.Name == "set" {
				if of, ok := set.X.(*ast.SelectorExpr); ok && of.Sel.Name == "problems" {
					at = 0
				}
			}
			if at < 0 {
				return true
			}
			if lit, ok := call.Args[at].(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(lit.Value)
				found[name] = true
			} else if sel, ok := call.Args[at].(*ast.SelectorExpr); !ok || sel.Sel.Name != "Code" { // a problem of the reporter's
				t.Errorf("%s: write the code of a problem as a text here", fset.Position(call.Pos()))
			}
			return true
		})
	})
	if got, want := examples(t, "health.v1", "properties", "problems", "items", "properties", "code"), slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("health.v1 names %q, the code has %q", got, want)
	}
}

// examples returns the examples of a place in a schema.
func examples(t *testing.T, schema string, place ...string) (all []string) {
	t.Helper()
	raw, err := os.ReadFile("../../protocol/topics/schema/" + schema + ".json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(place, "examples") {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatal(schema, place, err)
		}
		raw = members[name]
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(schema, place, err)
	}
	return all
}

// TestEveryRefusalIsInTheSchema: the codes with which commands are answered, and payloads
// that came down refused, are among the examples of their schemas.
func TestEveryRefusalIsInTheSchema(t *testing.T) {
	answers := examples(t, "rsp.v1", "properties", "error", "properties", "code")
	refusals := examples(t, "event-data.dn.refused.v1", "properties", "code")
	seen := 0
	hold := func(e ast.Expr, known []string, where token.Position) {
		if lit, ok := e.(*ast.BasicLit); ok {
			seen++
			if name, _ := strconv.Unquote(lit.Value); !slices.Contains(known, name) && name != "bad_request" { // which is answered as args
				t.Errorf("%s: the schema does not name %q", where, name)
			}
		}
	}
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		if r.dir != "cmd/yuanlu" && r.dir != "agent" && r.dir != "agent/command" && r.dir != "agent/report" {
			return
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				name := ""
				switch typ := n.Type.(type) {
				case *ast.Ident:
					name = typ.Name
				case *ast.SelectorExpr:
					name = typ.Sel.Name
				}
				if name == "CommandError" || name == "RspError" || name == "Error" {
					for _, e := range member(n, "Code") {
						hold(e, answers, fset.Position(e.Pos()))
					}
				}
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 1 {
					switch sel.Sel.Name {
					case "refuse", "Refused":
						hold(n.Args[1], refusals, fset.Position(n.Pos()))
					case "reject":
						hold(n.Args[min(3, len(n.Args)-1)], refusals, fset.Position(n.Pos()))
						hold(n.Args[min(3, len(n.Args)-1)], answers, fset.Position(n.Pos()))
					}
				}
			case *ast.ReturnStmt: // status, code and text of an answer
				if len(n.Results) == 3 && f.path == "agent/report/command.go" {
					hold(n.Results[1], append(answers, ""), fset.Position(n.Pos()))
				}
			}
			return true
		})
	})
	if seen < 30 {
		t.Errorf("only %d codes were looked at", seen)
	}
}
