package houserules

import (
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A citation names a page of protocol/contract and a place on it:
//
//	verdicts.md § 2          section 2
//	verdicts.md § 2.3        line 3 of section 2
//	wires.md § mispos        the section with that heading
//	topics.md rule 5         delivery rule 5
//	records.md, token        what begins with that word: a heading, a paragraph, the row of a table
//
// What follows in the same comment may leave the page out. Sections of public
// standards are cited by the name of the standard: RFC 4648 § 4, USB 2.0 § 9.4.1.

// page is what can be cited of one page.
type page struct {
	sections map[string]bool // "2", "2.3"
	rules    map[string]bool // delivery rules
	starts   []string        // beginnings of headings, paragraphs, rows and marked words, lower case
}

var (
	headingNumber = regexp.MustCompile(`^## (\d+)\.? `)
	itemNumber    = regexp.MustCompile(`^(\d+)\. `)
	boldNumber    = regexp.MustCompile(`^\*\*(\d+\.\d+)`)
	leadIn        = regexp.MustCompile("^[-#|*`>\\d. ]+")
	marked        = regexp.MustCompile("\\*\\*|\\*|`")
)

func readPage(text string) page {
	p := page{sections: map[string]bool{}, rules: map[string]bool{}}
	section, rules := "", false
	for _, line := range strings.Split(text, "\n") {
		if m := headingNumber.FindStringSubmatch(line); m != nil {
			section, rules = m[1], false
			p.sections[section] = true
		}
		if strings.HasPrefix(line, "Delivery rules") {
			rules = true
		}
		if m := boldNumber.FindStringSubmatch(line); m != nil {
			p.sections[m[1]] = true
		}
		if m := itemNumber.FindStringSubmatch(line); m != nil {
			if rules {
				p.rules[m[1]] = true
			}
			if section != "" {
				p.sections[section+"."+m[1]] = true
			}
		}
		line = strings.ToLower(line)
		if s := leadIn.ReplaceAllString(line, ""); s != "" {
			p.starts = append(p.starts, marked.ReplaceAllString(s, ""))
		}
		for _, at := range marked.FindAllStringIndex(line, -1) {
			p.starts = append(p.starts, marked.ReplaceAllString(line[at[1]:], ""))
		}
	}
	return p
}

// has reports whether something on the page begins with name.
func (p page) has(name string) bool {
	name = strings.ToLower(strings.Trim(name, " `*\"“”"))
	if len(name) < 2 {
		return false
	}
	for _, s := range p.starts {
		if rest, ok := strings.CutPrefix(s, name); ok && (rest == "" || !isWord(rest[0])) {
			return true
		}
	}
	return false
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 0x80
}

const numbers = `\d+(?:\.\d+)*(?:(?:, | and | to |–)\d+(?:\.\d+)*)*`

var (
	reference = regexp.MustCompile(`((?:[\w.-]+/)*)([\w-]+)\.md\b|§§? ?|\b[Rr]ules? (` + numbers + `)(?:[^-\w]|$)`)
	standard  = regexp.MustCompile(`(?:RFC \d+|USB \d\.\d|CDC \d\.\d|MQTT \d[.\d]*|ISO(?:/IEC)? \d+(?:-\d+)?|WCAG \d\.\d|sqlite\.org/\w+\.html),?\s*$`)
	numberRun = regexp.MustCompile(`^` + numbers)
	number    = regexp.MustCompile(`\d+(?:\.\d+)*`)
	upTo      = regexp.MustCompile(`[,;:()]|\.(?:\s|$)| §|$`)
	spaces    = regexp.MustCompile(`\s+(?://|#)?\s*`)
)

// reader resolves citations.
type reader struct {
	pages  map[string]page
	exists func(file string) bool // whether a file is in the tree
}

const otherSource = "a public standard, or a file of the tree"

// citations returns how many there are in one comment, and what is wrong with them.
func (r reader) citations(text string) (count int, faults []string) {
	text = spaces.ReplaceAllString(text, " ")
	current := ""
	for _, at := range reference.FindAllStringSubmatchIndex(text, -1) {
		whole, after := text[at[0]:at[1]], text[at[1]:]
		fault := func(format string, args ...any) {
			near := text[max(0, at[0]-10):min(len(text), at[1]+25)]
			faults = append(faults, fmt.Sprintf("%s (%q)", fmt.Sprintf(format, args...), strings.ToValidUTF8(near, "")))
		}
		count++
		switch {
		case at[4] >= 0: // a page
			dir, base := text[at[2]:at[3]], text[at[4]:at[5]]
			_, isPage := r.pages[base]
			switch {
			case isPage && (dir == "" || dir == "protocol/contract/"):
				current = base
				if name, ok := placeAfter(after, false); ok && !r.pages[base].has(name) {
					fault("%s.md has no %q", base, name)
				}
			case r.exists(path.Join("/", dir, base+".md")):
				current = otherSource
			default:
				current = otherSource // one fault is enough
				fault("no page %s%s.md", dir, base)
			}
		case at[6] >= 0: // a rule
			switch {
			case current == "" || current == otherSource:
				fault("%s names no page", whole)
			default:
				for _, n := range spread(text[at[6]:at[7]]) {
					if !r.pages[current].rules[n] {
						fault("%s.md has no rule %s", current, n)
					}
				}
			}
		default: // a section
			if standard.MatchString(text[:at[0]]) {
				current = otherSource
			}
			if current == otherSource {
				continue
			}
			if current == "" {
				fault("a § that names no page")
				continue
			}
			if fl := r.section(current, after); fl != "" {
				fault("%s", fl)
			}
		}
	}
	return count, faults
}

// section checks what follows a §: numbers and perhaps a name behind them, or a heading.
func (r reader) section(current, after string) string {
	p := r.pages[current]
	run := numberRun.FindString(after)
	if run == "" {
		name := strings.TrimSpace(after[:upTo.FindStringIndex(after)[0]])
		if first, _, _ := strings.Cut(name, " "); !p.has(name) && !p.has(first) {
			return fmt.Sprintf("%s.md has no § %s", current, name)
		}
		return ""
	}
	for _, n := range spread(run) {
		if !p.sections[n] {
			return fmt.Sprintf("%s.md has no § %s", current, n)
		}
	}
	if name, ok := placeAfter(after[len(run):], true); ok && !p.has(name) {
		return fmt.Sprintf("%s.md § %s has no %q", current, run, name)
	}
	return ""
}

// placeAfter returns the name of a place that follows a page or a section after a comma.
func placeAfter(after string, capital bool) (string, bool) {
	rest, ok := strings.CutPrefix(after, ", ")
	if !ok || rest == "" {
		return "", false
	}
	if at := reference.FindStringIndex(rest); at != nil && at[0] == 0 {
		return "", false
	}
	if capital && (rest[0] < 'A' || rest[0] > 'Z') {
		return "", false
	}
	return rest[:upTo.FindStringIndex(rest)[0]], true
}

// spread returns the numbers of "1, 4–6": a run of whole numbers is filled up.
func spread(list string) []string {
	var all []string
	last := 0
	for _, at := range number.FindAllStringIndex(list, -1) {
		n := list[at[0]:at[1]]
		v, err := strconv.Atoi(n)
		if err == nil && last > 0 && strings.HasSuffix(strings.TrimSuffix(list[:at[0]], " "), "–") {
			for i := last + 1; i < v; i++ {
				all = append(all, strconv.Itoa(i))
			}
		}
		if last = 0; err == nil {
			last = v
		}
		all = append(all, n)
	}
	return all
}

func contractPages(t *testing.T) map[string]page {
	t.Helper()
	pages := map[string]page{}
	files, err := filepath.Glob("../../protocol/contract/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if base := strings.TrimSuffix(filepath.Base(f), ".md"); base != "README" {
			pages[base] = readPage(string(text))
		}
	}
	return pages
}

func inTree(file string) bool {
	_, err := os.Stat(filepath.Join("../..", filepath.FromSlash(file)))
	return err == nil
}

// TestContractPages: the nine pages are there, and a section or rule of each that the
// code leans on is found on it.
func TestContractPages(t *testing.T) {
	pages := contractPages(t)
	want := []string{"bills", "casework", "cli", "evidence", "guard", "records", "topics", "verdicts", "wires"}
	for name := range pages {
		if !slices.Contains(want, name) {
			t.Errorf("%s.md is no page that this test knows", name)
		}
	}
	places := map[string][]string{
		"bills": {"§ 1", "§ 7"}, "casework": {"§ 3.2", "§ 14.14"}, "cli": {", Configuration"}, "evidence": {"§ 7"},
		"guard": {"§ 8"}, "records": {", party", ", shown"}, "topics": {"rules 1–11", ", Case event"},
		"verdicts": {"§ 1.5", "§ 2.7", "§ 6"}, "wires": {"§ mispos", "§ cup8583", "§ smart", ", Common"},
	}
	r := reader{pages, inTree}
	for _, name := range want {
		t.Run(name, func(t *testing.T) {
			if _, ok := pages[name]; !ok {
				t.Fatalf("protocol/contract/%s.md is not there", name)
			}
			for _, place := range places[name] {
				sep := " "
				if strings.HasPrefix(place, ",") {
					sep = ""
				}
				if _, faults := r.citations(name + ".md" + sep + place); len(faults) > 0 {
					t.Error(faults)
				}
			}
		})
	}
}

// TestCitationsResolve reads every comment and text of the tree.
func TestCitationsResolve(t *testing.T) {
	r := reader{contractPages(t), inTree}
	total := 0
	check := func(where, text string) {
		n, faults := r.citations(text)
		total += n
		for _, f := range faults {
			t.Errorf("%s: %s", where, f)
		}
	}
	all, fset := rooms(t)
	for _, rm := range all {
		for _, f := range rm.files {
			if f.path == "agent/houserules/citations_test.go" {
				continue // its examples are wrong on purpose
			}
			at := func(n ast.Node) string { return fmt.Sprintf("%s:%d", f.path, fset.Position(n.Pos()).Line) }
			for _, c := range f.ast.Comments {
				check(at(c), c.Text())
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.BasicLit); ok && strings.ContainsAny(s.Value[:1], "\"`") {
					// A text that names no page and has no § cites nothing: "rule 1" may be output.
					if v, err := strconv.Unquote(s.Value); err == nil && (strings.Contains(v, "§") || strings.Contains(v, ".md")) {
						check(at(s), v)
					}
				}
				return true
			})
		}
	}
	for file, text := range textFiles(t) {
		line := 1
		for _, para := range strings.SplitAfter(text, "\n\n") {
			check(fmt.Sprintf("%s:%d", file, line), para)
			line += strings.Count(para, "\n")
		}
	}
	t.Logf("%d citations", total)
	if total < 100 {
		t.Errorf("only %d citations found: the tree was not read", total)
	}
}

// textFiles returns what people read beside Go: documents, scripts, settings, schemas
// and the heads of test data. The contract's pages cite what their authors have.
func textFiles(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("../..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, "../../"))
		if d.IsDir() {
			switch d.Name() {
			case ".git", "bin", "node_modules", "fuzz", "contract":
				return filepath.SkipDir
			}
			return nil
		}
		switch ext := path.Ext(rel); {
		case rel == "CHANGELOG.md" || rel == "LICENSE" || ext == ".go" || ext == ".sum" || !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(p)
		if err == nil && !slices.Contains(text, 0) {
			found[rel] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCitationReader(t *testing.T) {
	r := reader{contractPages(t), inTree}
	tests := []struct{ text, fault string }{
		{"as verdicts.md § 2 has it", ""},
		{"verdicts.md § 2.7", ""},
		{"verdicts.md §§ 1.5, 3 and 4", ""},
		{"verdicts.md § 4, Voids", ""},
		{"verdicts.md § 4, cell by cell", ""},
		{"verdicts.md § 1.3 and then § 6", ""},
		{"(topics.md rule 5)", ""},
		{"topics.md rules 1, 4–6 and rule 11", ""},
		{"topics.md, Case event; and so on", ""},
		{"protocol/contract/topics.md", ""},
		{"wires.md § mispos", ""},
		{"wires.md, Frame scan", ""},
		{"records.md, token", ""},
		{"RFC 4648 § 4, and USB 2.0 § 9.4.1", ""},
		{"sqlite.org/fileformat2.html, § 1.3.4", ""},
		{"the README.md tells more", ""},
		{"a rule of the house; rule RC-101", ""},

		{"as § 2 has it", "names no page"},
		{"rule 5", "names no page"},
		{"verdicts.md § 9", "no § 9"},
		{"verdicts.md § 2.8", "no § 2.8"},
		{"verdicts.md § 1.3 and then § 7", "no § 7"},
		{"verdicts.md § 4, Vouchers", `no "Vouchers"`},
		{"topics.md rule 12", "no rule 12"},
		{"topics.md rules 9–12", "no rule 12"},
		{"records.md rule 1", "no rule 1"},
		{"wires.md § canbus", "no § canbus"},
		{"records.md, tokens", `no "tokens"`},
		{"design.md, Rooms", "no page design.md"},
		{"contract/topics.md", "no page contract/topics.md"},
		{"findings/code.md § 3", "no page findings/code.md"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, faults := r.citations(tt.text)
			if got := strings.Join(faults, "; "); tt.fault == "" && got != "" || !strings.Contains(got, tt.fault) {
				t.Errorf("got %q, want %q", got, tt.fault)
			}
		})
	}
}
