package config

import (
	"fmt"
	"slices"
	"strings"

	"yuanlu/agent/tomlfile"
)

// entry is one "name = value" of the file.
type entry struct {
	table string // "link", "mqtt"
	index int    // of an element of [[link]]; 0 for plain tables
	key   string // the rest of the name
	value tomlfile.Value
	at    tomlfile.Place // of the name
}

// document is the file as a list of entries, and the elements that [[…]] made.
type document struct {
	entries  []entry
	elements map[string][]tomlfile.Place // "link": where each [[link]] stands
	tables   map[string]tomlfile.Place   // "[mqtt]": where
	bare     map[int]string              // by line: a value that is a word without quotes
}

// maxSyntaxErrors bounds how many broken lines are reported for one file.
const maxSyntaxErrors = 20

// reader turns the expressions of a file into a document.
type reader struct {
	file   string
	doc    document
	errs   Errors
	prefix []string // of the current table
	index  int      // of the current array element
	set    map[string]tomlfile.Place
}

// readDocument never fails: what cannot be read is in the errors, the rest in
// the document. A line with a syntax error is left out and the text read again,
// so that one missing quote does not hide the other mistakes.
func readDocument(file string, text []byte) (document, Errors) {
	m := mend(file, text)
	text = m.text
	syntax := m.errs
	for {
		all, wrong := tomlfile.Parse(text)
		if wrong != nil {
			syntax = append(syntax, Problem{File: file, Line: wrong.At.Line, Col: wrong.At.Column, Message: "syntax: " + wrong.Message})
		}
		if wrong == nil || len(syntax) >= maxSyntaxErrors || wrong.From >= wrong.To {
			r := &reader{file: file, set: map[string]tomlfile.Place{}}
			r.doc.elements, r.doc.tables = map[string][]tomlfile.Place{}, map[string]tomlfile.Place{}
			for _, e := range all {
				r.expression(e)
			}
			r.doc.bare = m.bare
			return r.doc, append(syntax, r.errs...)
		}
		for i := wrong.From; i < wrong.To; i++ {
			text[i] = ' '
		}
	}
}

func (r *reader) problem(at tomlfile.Place, name, format string, args ...any) {
	r.errs = append(r.errs, Problem{r.file, at.Line, at.Column, name, fmt.Sprintf(format, args...)})
}

func (r *reader) expression(e tomlfile.Expression) {
	if !e.Header && !e.Array {
		r.keyValue(e, r.prefix, r.index)
		return
	}
	at := e.Path[0].At
	r.prefix, r.index = names(e.Path), 0
	name := strings.Join(r.prefix, ".")
	_, array := r.doc.elements[name]
	if e.Header {
		if before, twice := r.doc.tables[name]; twice {
			r.problem(at, name, "table [%s] is already at line %d", name, before.Line)
		}
		if !array {
			r.doc.tables[name] = at
			return
		}
		r.problem(at, name, "[%s] may stand several times: write [[%s]]", name, name)
	}
	r.doc.elements[name] = append(r.doc.elements[name], at)
	r.index = len(r.doc.elements[name]) - 1
}

func names(path []tomlfile.Key) (all []string) {
	for _, k := range path {
		all = append(all, k.Name)
	}
	return all
}

// keyValue files one entry; tables written inline become the entries they hold.
func (r *reader) keyValue(x tomlfile.Expression, prefix []string, index int) {
	path, at, v := slices.Concat(prefix, names(x.Path)), x.Path[0].At, x.Value
	name := strings.Join(path, ".")
	switch {
	case v.Kind == tomlfile.Table:
		r.inline(v, path, index)
		return
	case v.Kind == tomlfile.List && len(v.List) > 0 && v.List[0].Kind == tomlfile.Table:
		for _, one := range v.List {
			r.doc.elements[name] = append(r.doc.elements[name], at)
			r.inline(one, path, len(r.doc.elements[name])-1)
		}
		return
	}
	unique := fmt.Sprintf("%s#%d", name, index)
	if before, twice := r.set[unique]; twice {
		r.problem(at, name, "%s is already set at line %d", name, before.Line)
		return
	}
	r.set[unique] = at
	e := entry{index: index, at: at, value: v}
	e.table, e.key = split(path)
	r.doc.entries = append(r.doc.entries, e)
}

func (r *reader) inline(v tomlfile.Value, path []string, index int) {
	for _, e := range v.Table {
		r.keyValue(e, path, index)
	}
}

// split parts the last key from the table it stands in.
func split(path []string) (table, key string) {
	last := len(path) - 1
	return strings.Join(path[:last], "."), path[last]
}
