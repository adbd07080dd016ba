package houserules

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// The delivery rules of topics.md are eleven, and each has a test that is
// named after its number.
func TestEveryDeliveryRuleHasATest(t *testing.T) {
	numbers := regexp.MustCompile(`_?(\d\d)`)
	found := map[string]int{}
	all, _ := rooms(t)
	for _, r := range all {
		for _, f := range r.files {
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !f.test {
					continue
				}
				rest, ok := strings.CutPrefix(strings.Replace(fn.Name.Name, "TestKill", "Test", 1), "TestRule")
				if !ok {
					continue
				}
				for _, m := range numbers.FindAllStringSubmatch(rest, -1) {
					found[m[1]]++
				}
			}
		}
	}
	for n := 1; n <= 11; n++ {
		if found[fmt.Sprintf("%02d", n)] == 0 {
			t.Errorf("no test TestRule%02d…", n)
		}
	}
}
