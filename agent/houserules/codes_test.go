package houserules

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/codes"
)

// codeForm is how the code of a log line or problem looks: "link.online", "no_link".
var codeForm = regexp.MustCompile(`^[a-z][a-z_]*(\.[a-z_]+)*$`)

// variableCodes are the places where a code is no literal of the call, with what it may be.
var variableCodes = map[string][]string{
	"agent/applied.go logCase":              {"case.opened", "case.revised", "case.cleared"},
	"agent/applied.go watchRecord":          {"record.stored"},
	"agent/ingest/link.go notOpen":          {"link.absent", "link.denied"},
	"agent/watch.go clockState":             {"clock.unsynced", "clock.synced"},
	"agent/desired/machine.go report":       {"config.state_lost", "config.reverted", "config.local"},
	"agent/health/broker.go brokerProblems": nil, // those that report sets: problems.set
}

// used is one code that the source logs or reports.
type used struct{ code, kind, level, at string }

// TestCodes: every code that is logged or reported is in the table of agent/codes, at a
// level that the table has, and the table has no other.
func TestCodes(t *testing.T) {
	var all []used
	places := map[string]bool{}
	code(t, func(r *room, f sourceFile, set *token.FileSet) {
		if !strings.HasPrefix(r.dir, "agent") && !strings.HasPrefix(r.dir, "cmd/yuanlu") && !strings.HasPrefix(r.dir, "drivers") && r.dir != "protocol/mqtt" ||
			strings.HasPrefix(r.dir, "cmd/yuanlu-desk") || r.dir == "drivers/drivertest" || r.dir == "agent/codes" {
			return
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			place := f.path + " " + fn.Name.Name
			ast.Inspect(fn, func(n ast.Node) bool {
				u, variable := codeOf(n, r.dir)
				u.at = place
				switch {
				case variable:
					if _, known := variableCodes[place]; !known {
						t.Errorf("%s: the code is no literal; name what it may be in variableCodes", set.Position(n.Pos()))
					}
					places[place] = true
					for _, c := range variableCodes[place] {
						all = append(all, used{c, u.kind, u.level, place})
					}
				case u.code != "":
					all = append(all, u)
				}
				return true
			})
		}
	})
	for place := range variableCodes {
		if !places[place] {
			t.Errorf("variableCodes: nothing at %s", place)
		}
	}
	table := map[string]codes.Code{}
	for _, c := range codes.All() {
		table[c.Kind+" "+c.Code] = c
		for _, text := range []catalogue.Text{c.Meaning, c.Cause, c.Remedy} {
			if text.EN == "" || text.ZH == "" {
				t.Errorf("%s: a text is missing", c.Code)
			}
		}
	}
	seen := map[string]bool{}
	for _, u := range all {
		key := u.kind + " " + u.code
		c, known := table[key]
		switch seen[key] = true; {
		case !known:
			t.Errorf("%s: %s code %q is not in the table of agent/codes", u.at, u.kind, u.code)
		case u.level != "" && !slices.Contains(strings.Split(c.Level, ", "), u.level):
			t.Errorf("%s: %s is used at level %s, the table of agent/codes has %q", u.at, u.code, u.level, c.Level)
		}
	}
	for key := range table {
		if !seen[key] {
			t.Errorf("agent/codes has %s, which nothing logs or reports", key)
		}
	}
}

// codeOf returns the code that a node logs or reports; variable: it is one, and not a
// literal.
func codeOf(n ast.Node, dir string) (u used, variable bool) {
	if line, ok := n.(*ast.CompositeLit); ok { // logbook.Line{Code: …}
		for _, e := range line.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && isIdent(kv.Key, "Code") && isIdent(line.Type, "Line") {
				u.code, _ = literal(kv.Value)
			}
		}
		u.kind = codes.Log
		return u, false
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return u, false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return u, false
	}
	at := -1
	switch u.kind = codes.Log; sel.Sel.Name {
	case "Debug", "Info", "Warn", "Error":
		if at = 0; isIdent(sel.X, "http") || isIdent(sel.X, "t") {
			return used{}, false
		}
		u.level = strings.ToLower(sel.Sel.Name)
	case "Log", "LogAttrs":
		if at = 2; len(call.Args) > 2 {
			if level, ok := call.Args[1].(*ast.SelectorExpr); ok {
				u.level = strings.ToLower(strings.TrimPrefix(level.Sel.Name, "Level"))
			}
		}
	case "set":
		if inner, ok := sel.X.(*ast.SelectorExpr); ok && inner.Sel.Name == "problems" {
			u.kind, at = codes.Problem, 0
		}
	case "add":
		if dir == "agent/health" && len(call.Args) == 5 {
			u.kind, at = codes.Problem, 1
			if level, ok := call.Args[0].(*ast.Ident); ok && level.IsExported() {
				u.level = strings.ToLower(level.Name)
			}
		}
	}
	if at < 0 || len(call.Args) <= at {
		return used{}, false
	}
	text, isLiteral := literal(call.Args[at])
	if isLiteral && !codeForm.MatchString(text) {
		return used{}, false
	}
	u.code = text
	return u, !isLiteral
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}
