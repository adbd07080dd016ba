package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"yuanlu/agent/spelling"
	"yuanlu/agent/tomlfile"
)

// MaxFile is the greatest size of a configuration file, in bytes; a real one has
// one hundredth of that.
const MaxFile = 256 << 10

// Read reads and checks the file. The error is Errors with all mistakes (class
// ErrConfig), or what kept the file from being read (errors.Is fs.ErrNotExist,
// fs.ErrPermission).
func Read(path string, o Options) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{Path: path, Err: err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if len(text) > MaxFile {
		return nil, Errors{{File: path, Message: fmt.Sprintf("the file is larger than %d bytes", MaxFile)}}
	}
	return Parse(path, text, o)
}

// Parse checks the text of a file; path is what errors call it.
func Parse(path string, text []byte, o Options) (*Config, error) {
	return parse(path, text, nil, o)
}

// Partly returns what of a file can be used although it has mistakes, with defaults in
// the place of the rest, and the mistakes as Read returns them. It is for looking at a
// terminal whose configuration is wrong, never for running it.
func Partly(path string, o Options) (*Config, error) {
	c, err := Read(path, o)
	if err == nil {
		return c, nil
	}
	text, readErr := os.ReadFile(path)
	if readErr != nil || len(text) > MaxFile || !utf8.Valid(text) {
		text = nil // the defaults
	}
	doc, _ := readDocument(path, text)
	l := &loader{file: path, settings: settings(o), given: map[string]tomlfile.Place{},
		bare: doc.bare, c: &Config{File: path, sum: sum(text)}, tables: doc.tables, elements: doc.elements}
	l.load(doc)
	l.c.complete()
	l.c.Links = slices.DeleteFunc(l.c.Links, func(k Link) bool { return k.Port == "" || k.Name == "" })
	return l.c, err
}

// parse is Parse, and Desired where base is not nil.
func parse(path string, text []byte, base *Config, o Options) (*Config, error) {
	if !utf8.Valid(text) {
		line, col := badUTF8(text)
		return nil, Errors{{File: path, Line: line, Col: col, Message: wrongEncoding(text)}}
	}
	doc, errs := readDocument(path, text)
	l := &loader{file: path, settings: settings(o), errs: errs, given: map[string]tomlfile.Place{},
		bare: doc.bare, base: base, c: &Config{File: path, sum: sum(text)}, tables: doc.tables, elements: doc.elements}
	l.load(doc)
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	l.c.complete()
	l.c.given = l.given
	return l.c, nil
}

// loader stores a document into a Config.
type loader struct {
	file     string
	settings []Setting
	c        *Config
	errs     Errors
	base     *Config                   // the terminal's own configuration, while one from afar is read
	given    map[string]tomlfile.Place // "mqtt.url", "link[1].port": where the value stands
	bare     map[int]string            // by line: a value that is a word without quotes
	tables   map[string]tomlfile.Place
	elements map[string][]tomlfile.Place
}

func (l *loader) problem(at tomlfile.Place, name, format string, args ...any) {
	l.errs = append(l.errs, Problem{l.file, at.Line, at.Column, name, fmt.Sprintf(format, args...)})
}

// element names a setting of the i-th (from 0) element of a table.
func element(table string, i int, key string) string {
	return fmt.Sprintf("%s[%d].%s", table, i+1, key)
}

// isList reports which tables may stand several times.
func isList(table string) bool {
	_, list := new(Config).elements(table)
	return list
}

// where returns the place of a setting, else that of its table, else none.
func (l *loader) where(table string, i int, key string) tomlfile.Place {
	name := table + "." + key
	if isList(table) {
		name = element(table, i, key)
	}
	if at, ok := l.given[name]; ok {
		return at
	}
	if all := l.elements[table]; i < len(all) {
		return all[i]
	}
	return l.tables[table]
}

func (l *loader) load(doc document) {
	l.checkTables()
	l.c.Links = make([]Link, len(doc.elements["link"]))
	l.c.Backoffice.Keys = make([]Key, len(doc.elements["backoffice.key"]))
	l.c.Guard.Supervisors = make([]Supervisor, len(doc.elements[supervisors]))
	for i := range l.settings {
		l.setDefaults(&l.settings[i])
	}
	l.inherit()
	for _, e := range doc.entries {
		l.entry(e)
	}
	for i := range l.settings {
		l.checkRequired(&l.settings[i])
	}
	l.checkTogether()
}

// count returns how many elements the setting's table has; 1 for plain tables.
func (l *loader) count(s *Setting) int {
	n, _ := l.c.elements(s.table)
	return n
}

func (l *loader) setDefaults(s *Setting) {
	for i := range l.count(s) {
		s.reset(l.c, i)
	}
}

// reset stores the default. TestDefaults proves that every default is valid.
func (s *Setting) reset(c *Config, i int) string {
	v := tomlfile.Value{Text: s.Default, Kind: tomlfile.Text}
	switch s.Type {
	case "bool":
		v.Kind = tomlfile.Flag
	case "integer":
		v.Kind = tomlfile.Integer
	case "string", "string or integer", "string or list of strings":
		if s.Default == "" {
			return ""
		}
	}
	return s.store(c, i, v)
}

// checkTables notes which headers name no table.
func (l *loader) checkTables() {
	known := map[string]bool{"": true}
	var names []string
	for _, s := range l.settings {
		if !known[s.table] {
			known[s.table] = true
			names = append(names, s.table)
		}
	}
	for name, at := range l.tables {
		switch {
		case isList(name):
			l.problem(at, name, "[%s] may stand several times: write [[%s]]", name, name)
		case !known[name]:
			l.unknown(at, name, "table", names)
		}
	}
	for name, all := range l.elements {
		for _, at := range all {
			switch {
			case !known[name]:
				l.unknown(at, name, "table", names)
			case !isList(name):
				l.problem(at, name, "[[%s]] stands once: write [%s]", name, name)
			}
		}
	}
}

func (l *loader) unknown(at tomlfile.Place, name, what string, known []string) {
	hint := ""
	if near := spelling.Nearest(name, known); near != "" && near != name {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	l.problem(at, name, "unknown %s %q%s", what, name, hint)
}

func (l *loader) entry(e entry) {
	var s *Setting
	var inTable []string
	for i := range l.settings {
		c := &l.settings[i]
		if c.table != e.table {
			continue
		}
		inTable = append(inTable, c.key)
		if c.key == e.key {
			s = c
		}
	}
	switch {
	case s == nil && len(inTable) == 0:
		// The header has been complained of already; a name outside any table has not.
		if _, header := l.tables[e.table]; e.table == "" || !header && l.elements[e.table] == nil {
			l.unknown(e.at, strings.TrimPrefix(e.table+"."+e.key, "."), "name", l.names())
		}
		return
	case s == nil:
		hint := ""
		if near := spelling.Nearest(e.key, inTable); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		l.problem(e.at, e.table+"."+e.key, "unknown name %q in [%s]%s", e.key, e.table, hint)
		return
	case e.index >= l.count(s):
		return // the wrong kind of header, complained of already
	}
	name := s.Name
	if s.list() {
		name = element(s.table, e.index, s.key)
	}
	if wrong := s.store(l.c, e.index, e.value); wrong != "" {
		at := e.value.At
		if p, list := s.field(l.c, e.index).(*[]string); list {
			_, at = s.storeList(p, e.value)
		}
		l.problem(at, name, "%s %s", s.key, l.wrongWord(s, e, wrong))
	} else if word := l.bare[e.value.At.Line]; word != "" {
		l.problem(e.value.At, name, "%s is text, which needs quotes: write %s = %q", word, s.key, word)
	} else {
		l.checkLocal(s, e)
	}
	l.given[name] = e.value.At
}

// wrongWord adds to what is wrong with a word without quotes how the line should be.
func (l *loader) wrongWord(s *Setting, e entry, wrong string) string {
	word := l.bare[e.value.At.Line]
	if word == "" {
		return wrong
	}
	var c Config
	c.Links, c.Backoffice.Keys = make([]Link, 1), make([]Key, 1)
	if s.reset(&c, 0) != "" || s.Default == "" {
		return wrong
	}
	return fmt.Sprintf("%s; write for example: %s = %s", wrong, s.key, s.literal(&c, 0))
}

func (l *loader) names() []string {
	var all []string
	for _, s := range l.settings {
		all = append(all, strings.ReplaceAll(s.Name, "[]", ""))
	}
	return all
}

func (l *loader) checkRequired(s *Setting) {
	if !s.Required {
		return
	}
	for i := range l.count(s) {
		name := s.Name
		if s.list() {
			name = element(s.table, i, s.key)
		}
		if _, ok := l.given[name]; !ok {
			l.problem(l.where(s.table, i, s.key), name, "%s is missing", name)
		}
	}
}
