package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is a line and a column, both from 1; the column in characters.
type place struct{ line, col int }

// entry is one "name = value" of the file.
type entry struct {
	table string // "link", "mqtt"
	index int    // of an element of [[link]]; 0 for plain tables
	key   string // the rest of the name
	value value
	at    place // of the name
}

// value is what stands behind the equals sign.
type value struct {
	kind unstable.Kind
	text string  // for arrays: unused
	list []value // only arrays
	at   place
}

// document is the file as a list of entries, and the elements that [[…]] made.
type document struct {
	entries  []entry
	elements map[string][]place // "link": where each [[link]] stands
	tables   map[string]place   // "[mqtt]": where
}

// maxSyntaxErrors bounds how many broken lines are reported for one file.
const maxSyntaxErrors = 20

// reader turns the text into a document.
type reader struct {
	file   string
	text   []byte
	doc    document
	errs   Errors
	prefix []string // of the current table
	index  int      // of the current array element
	set    map[string]place
}

// readDocument never fails: what cannot be read is in the errors, the rest in
// the document. A line with a syntax error is left out and the text read again,
// so that one missing quote does not hide the other mistakes.
func readDocument(file string, text []byte) (document, Errors) {
	text = append([]byte(nil), text...)
	var syntax Errors
	for {
		r := &reader{file: file, text: text, set: map[string]place{}}
		r.doc.elements, r.doc.tables = map[string][]place{}, map[string]place{}
		p, from, to := r.read()
		if p == nil {
			return r.doc, append(syntax, r.errs...)
		}
		syntax = append(syntax, *p)
		if len(syntax) >= maxSyntaxErrors || from >= to {
			return r.doc, append(syntax, r.errs...)
		}
		for i := from; i < to; i++ {
			text[i] = ' '
		}
	}
}

func badUTF8Line(text []byte) int {
	line := 1
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		if c == utf8.RuneError && n <= 1 {
			break
		}
		if c == '\n' {
			line++
		}
		text = text[n:]
	}
	return line
}

// read walks the text once. A syntax error comes back with the bounds of its line.
func (r *reader) read() (syntax *Problem, from, to int) {
	var p unstable.Parser
	p.Reset(r.text)
	for p.NextExpression() {
		r.expression(&p, p.Expression())
	}
	if p.Error() == nil {
		return nil, 0, 0
	}
	offset, message := 0, "this is not TOML"
	if e, ok := p.Error().(*unstable.ParserError); ok {
		message = e.Message
		if at := cap(r.text) - cap(e.Highlight); at >= 0 && at <= len(r.text) {
			offset = at
		}
	}
	from, to = lineBounds(r.text, offset)
	at := r.place(offset)
	return &Problem{File: r.file, Line: at.line, Col: at.col, Message: "syntax: " + message}, from, to
}

// lineBounds returns the line that offset is in, without its newline.
func lineBounds(text []byte, offset int) (from, to int) {
	if offset > 0 && (offset == len(text) || text[offset] == '\n') {
		offset--
	}
	from, to = offset, offset
	for from > 0 && text[from-1] != '\n' {
		from--
	}
	for to < len(text) && text[to] != '\n' {
		to++
	}
	return from, to
}

func (r *reader) place(offset int) place {
	before := string(r.text[:min(offset, len(r.text))])
	at := place{line: 1 + strings.Count(before, "\n")}
	at.col = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return at
}

func (r *reader) problem(at place, name, format string, args ...any) {
	r.errs = append(r.errs, Problem{r.file, at.line, at.col, name, fmt.Sprintf(format, args...)})
}

func (r *reader) expression(p *unstable.Parser, n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		path, at := r.path(n.Key())
		r.prefix, r.index = path, 0
		name := strings.Join(path, ".")
		if before, twice := r.doc.tables[name]; twice {
			r.problem(at, name, "table [%s] is already at line %d", name, before.line)
		}
		if _, array := r.doc.elements[name]; array {
			r.problem(at, name, "[%s] may stand several times: write [[%s]]", name, name)
			r.doc.elements[name] = append(r.doc.elements[name], at)
			r.index = len(r.doc.elements[name]) - 1
			return
		}
		r.doc.tables[name] = at
	case unstable.ArrayTable:
		path, at := r.path(n.Key())
		name := strings.Join(path, ".")
		r.prefix = path
		r.doc.elements[name] = append(r.doc.elements[name], at)
		r.index = len(r.doc.elements[name]) - 1
	case unstable.KeyValue:
		r.keyValue(n, r.prefix, r.index)
	}
}

func (r *reader) path(keys unstable.Iterator) ([]string, place) {
	var path []string
	var at place
	for keys.Next() {
		k := keys.Node()
		if at.line == 0 {
			at = r.place(int(k.Raw.Offset))
		}
		path = append(path, string(k.Data))
	}
	return path, at
}

// keyValue files one entry; tables written inline become the entries they hold.
func (r *reader) keyValue(n *unstable.Node, prefix []string, index int) {
	keys, at := r.path(n.Key())
	path := append(append([]string(nil), prefix...), keys...)
	v := n.Value()
	switch {
	case v.Kind == unstable.InlineTable:
		r.inline(v, path, index)
		return
	case v.Kind == unstable.Array && v.Child() != nil && v.Child().Kind == unstable.InlineTable:
		name := strings.Join(path, ".")
		for it := v.Children(); it.Next(); {
			r.doc.elements[name] = append(r.doc.elements[name], at)
			r.inline(it.Node(), path, len(r.doc.elements[name])-1)
		}
		return
	}
	name := strings.Join(path, ".")
	unique := fmt.Sprintf("%s#%d", name, index)
	if before, twice := r.set[unique]; twice {
		r.problem(at, name, "%s is already set at line %d", name, before.line)
		return
	}
	r.set[unique] = at
	e := entry{index: index, at: at, value: r.value(v, at)}
	e.table, e.key = split(path)
	r.doc.entries = append(r.doc.entries, e)
}

func (r *reader) inline(v *unstable.Node, path []string, index int) {
	if v.Kind != unstable.InlineTable {
		return
	}
	for it := v.Children(); it.Next(); {
		r.keyValue(it.Node(), path, index)
	}
}

// split parts the last key from the table it stands in.
func split(path []string) (table, key string) {
	last := len(path) - 1
	return strings.Join(path[:last], "."), path[last]
}

func (r *reader) value(n *unstable.Node, key place) value {
	v := value{kind: n.Kind, text: string(n.Data), at: key}
	if n.Raw.Length > 0 {
		v.at = r.place(int(n.Raw.Offset))
	}
	if n.Kind != unstable.Array {
		return v
	}
	for it := n.Children(); it.Next(); {
		if it.Node().Kind == unstable.Comment {
			continue
		}
		v.list = append(v.list, r.value(it.Node(), key))
	}
	return v
}
