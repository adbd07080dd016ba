package houserules

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/catalogue/cataloguetest"
)

// englishRooms are rooms whose errors reach people although they know no languages: each
// needs its Chinese in agent/catalogue/chinese.txt.
var englishRooms = []string{"agent/bundle", "agent/capture", "agent/config", "agent/control", "agent/desired", "agent/ledger", "agent/ledger/carry", "agent/ledger/sqlite",
	"agent/machine", "agent/newfile", "agent/transfer", "cmd/yuanlu", "cmd/yuanlu/ports", "cmd/yuanlu/screen", "drivers/serialport", "drivers/usbport", "protocol/mqtt"}

// texts that only programs read: a link to the rest of a chain, the wire of the USB child.
var noTexts = map[string]bool{"drivers/usbport/rpc.go": true, "drivers/usbport/descriptors.go": true, "protocol/mqtt/tape.go": true, "cmd/yuanlu/manual.go": true}

var verbs = regexp.MustCompile(`%(?:\[\d+\])?[-+#0-9.*]*[a-zA-Z]`)

var hint = regexp.MustCompile(`([^\s:("'\[/.=-])%s$`)

// sample is what a text may look like once its gaps are filled.
func sample(format string) string {
	if rest, glued := strings.CutPrefix(format, "%s"); glued && rest != "" && unicode.IsLower(rune(rest[0])) {
		format = rest
	}
	format = hint.ReplaceAllString(format, "$1") // nothing, or a hint that has an entry of its own
	return verbs.ReplaceAllStringFunc(format, func(verb string) string {
		if verb[len(verb)-1] == 'q' {
			return `"X9"`
		}
		return "X9"
	})
}

// madeText returns the text that an expression makes, with X9 for what is not known here.
func madeText(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return sample(text), err == nil
	case *ast.BinaryExpr:
		left, known := madeText(e.X)
		right, also := madeText(e.Y)
		if !known {
			left = "X9"
		}
		if !also {
			right = "X9"
		}
		return left + right, known || also
	case *ast.ParenExpr:
		return madeText(e.X)
	case *ast.CallExpr:
		if name := called(e); (name == "Sprintf" || name == "Errorf" || name == "New") && len(e.Args) > 0 {
			return madeText(e.Args[0])
		}
	}
	return "", false
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// TestErrorsHaveTheirChinese: every error that a lower room makes in English is in the
// catalogue.
func TestErrorsHaveTheirChinese(t *testing.T) {
	checked := 0
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		if !contains(englishRooms, r.dir) || noTexts[f.path] {
			return
		}
		check := func(e ast.Expr, before string) {
			text, known := madeText(e)
			if !known || !strings.Contains(text, " ") || strings.Trim(text, "X9:%() ") == "" || hasHan(text) {
				return
			}
			checked++
			zh := catalogue.Chinese(before + text)
			if before != "" && cataloguetest.Foreign(zh, true) != "" {
				zh = catalogue.Chinese(text)
			}
			if cataloguetest.Foreign(zh, true) != "" && text != "usbport: open X9: X9 by X9" && text != "serialport: open X9: X9 by X9" { // "X9 in use by X9" has its Chinese
				t.Errorf("%s: no Chinese in agent/catalogue/chinese.txt for %q: %s", fset.Position(e.Pos()), text, zh)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				switch sel, _ := n.Fun.(*ast.SelectorExpr); {
				case sel == nil:
				case (isNamed(sel.X, "errors") && sel.Sel.Name == "New" || isNamed(sel.X, "fmt") && sel.Sel.Name == "Errorf") && len(n.Args) > 0:
					check(n.Args[0], "")
				case sel.Sel.Name == "problem" && r.dir == "agent/config" && len(n.Args) > 2:
					check(n.Args[2], "")
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "What" || key.Name == "Remedy") && r.dir == "protocol/mqtt" {
					check(n.Value, "")
				}
			case *ast.ReturnStmt:
				if r.dir == "agent/config" && len(n.Results) > 0 {
					check(n.Results[len(n.Results)-1], "X9 ")
				}
			}
			return true
		})
	})
	if checked < 250 {
		t.Errorf("only %d texts looked at", checked)
	}
}

// TestProblemsOfTheReporterHaveTheirChinese: every problem that the reporter sets is in the
// catalogue.
func TestProblemsOfTheReporterHaveTheirChinese(t *testing.T) {
	checked := 0
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		if r.dir != "agent/report" {
			return
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || called(c) != "set" || len(c.Args) < 2 {
				return true
			}
			text, known := madeText(c.Args[1])
			if !known {
				return true
			}
			checked++
			if wrong := cataloguetest.Foreign(catalogue.Chinese(text), true); wrong != "" {
				t.Errorf("%s: no Chinese in agent/catalogue/chinese.txt for %q: %s", fset.Position(n.Pos()), text, wrong)
			}
			return true
		})
	})
	if checked < 3 {
		t.Errorf("only %d texts looked at", checked)
	}
}

// values are words of arguments, which are typed as they are, in the texts that list them.
var values = map[string][]string{"cmd/yuanlu/cases.go": {"low", "medium", "high", "critical"}, "cmd/yuanlu/ask.go": {"card", "wechat", "alipay", "jd", "ecny"}}

// TestPairsOfTexts: where a text stands in both languages, each is in its own, and both have
// the same gaps.
func TestPairsOfTexts(t *testing.T) {
	checked := 0
	code(t, func(r *room, f sourceFile, fset *token.FileSet) {
		if strings.HasPrefix(r.dir, "cmd/yuanlu-desk") || strings.HasPrefix(r.dir, "firmware-sim") {
			return
		}
		words := values[f.path]
		pair := func(first, second ast.Expr) {
			en, ok := basic(first)
			zh, also := basic(second)
			if !ok || !also || !hasHan(zh) || hasHan(en) {
				return
			}
			checked++
			at := fset.Position(first.Pos())
			if wrong := cataloguetest.Foreign(en, false); wrong != "" {
				t.Errorf("%s: %s", at, wrong)
			}
			if wrong := cataloguetest.Foreign(zh, true, words...); wrong != "" {
				t.Errorf("%s: %s: %s", at, wrong, zh)
			}
			if a, b := len(verbs.FindAllString(strings.ReplaceAll(en, "%%", ""), -1)), len(verbs.FindAllString(strings.ReplaceAll(zh, "%%", ""), -1)); a != b {
				t.Errorf("%s: %d gaps in English, %d in Chinese: %s", at, a, b, zh)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			var all []ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				all = n.Args
			case *ast.CompositeLit:
				all = n.Elts
			}
			for i := 1; i < len(all); i++ {
				a, b := all[i-1], all[i]
				if ka, ok := a.(*ast.KeyValueExpr); ok {
					if kb, ok := b.(*ast.KeyValueExpr); ok {
						a, b = ka.Value, kb.Value
					}
				}
				pair(a, b)
			}
			return true
		})
	})
	if checked < 500 {
		t.Errorf("only %d pairs looked at", checked)
	}
}

func basic(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func hasHan(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) })
}

func contains(all []string, one string) bool {
	for _, a := range all {
		if a == one {
			return true
		}
	}
	return false
}
