// Package tomlfile reads a TOML file with the place of every name and value, which the
// decoders of go-toml do not keep.
package tomlfile

import (
	"sort"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Place is where something stands in a file. The zero Place is none.
type Place struct {
	Line   int // from 1
	Column int // from 1, in characters
	Byte   int // from 1: the column in bytes, as go-toml counts it in its errors
}

// Before reports whether p stands before q in the file.
func (p Place) Before(q Place) bool {
	return p.Line < q.Line || p.Line == q.Line && p.Column < q.Column
}

// Kind is what sort of value it is.
type Kind uint8

// The kinds.
const (
	Text Kind = iota
	Flag
	Integer
	Float
	Time // of a day, a date, or both
	List
	Table
)

// Key is one part of a name: "mqtt.url" has two.
type Key struct {
	Name string
	At   Place
}

// Value is what stands behind the equals sign. At is the place of the key where the value
// itself has none.
type Value struct {
	Kind  Kind
	Text  string       // of a text; as it is written of a flag, a number or a time
	List  []Value      // of a list
	Table []Expression // of a table written inline
	At    Place
}

// Expression is a header or a value with its name.
type Expression struct {
	Header bool // [name]
	Array  bool // [[name]]
	Path   []Key
	Value  Value // of a name that is no header
}

// SyntaxError is where a text is no TOML.
type SyntaxError struct {
	At       Place
	Message  string
	From, To int // the line it is in, in bytes of the text, without its newline
}

// Error returns the message.
func (e *SyntaxError) Error() string { return e.Message }

// Parse returns the headers and values of a text in their order, up to its first syntax
// error, if it has one. It does not notice names that stand twice.
func Parse(text []byte) ([]Expression, *SyntaxError) {
	p := parser{text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	var all []Expression
	var u unstable.Parser
	u.Reset(text)
	for u.NextExpression() {
		switch n := u.Expression(); n.Kind {
		case unstable.Table, unstable.ArrayTable:
			all = append(all, Expression{Header: n.Kind == unstable.Table, Array: n.Kind == unstable.ArrayTable, Path: p.path(n.Key())})
		case unstable.KeyValue:
			all = append(all, p.keyValue(n))
		}
	}
	if u.Error() == nil {
		return all, nil
	}
	offset, message := 0, "this is not TOML"
	if e, ok := u.Error().(*unstable.ParserError); ok {
		message = e.Message
		if at := cap(text) - cap(e.Highlight); at >= 0 && at <= len(text) {
			offset = at
		}
	}
	from, to := lineBounds(text, offset)
	return all, &SyntaxError{At: p.place(offset), Message: message, From: from, To: to}
}

type parser struct {
	text  []byte
	lines []int // where each begins
}

func (p *parser) place(offset int) Place {
	line := sort.SearchInts(p.lines, offset+1)
	before := p.text[p.lines[line-1]:offset]
	return Place{line, 1 + utf8.RuneCount(before), 1 + len(before)}
}

func (p *parser) path(keys unstable.Iterator) (path []Key) {
	for keys.Next() {
		k := keys.Node()
		path = append(path, Key{string(k.Data), p.place(int(k.Raw.Offset))})
	}
	return path
}

func (p *parser) keyValue(n *unstable.Node) Expression {
	e := Expression{Path: p.path(n.Key())}
	e.Value = p.value(n.Value(), e.Path[0].At)
	return e
}

func (p *parser) value(n *unstable.Node, key Place) Value {
	v := Value{Kind: kindOf(n.Kind), Text: string(n.Data), At: key}
	if n.Raw.Length > 0 {
		v.At = p.place(int(n.Raw.Offset))
	}
	if v.Kind != List && v.Kind != Table {
		return v
	}
	for it := n.Children(); it.Next(); {
		switch one := it.Node(); {
		case one.Kind == unstable.Comment:
		case v.Kind == Table:
			v.Table = append(v.Table, p.keyValue(one))
		default:
			v.List = append(v.List, p.value(one, key))
		}
	}
	return v
}

func kindOf(k unstable.Kind) Kind {
	switch k {
	case unstable.String:
		return Text
	case unstable.Bool:
		return Flag
	case unstable.Integer:
		return Integer
	case unstable.Float:
		return Float
	case unstable.Array:
		return List
	case unstable.InlineTable:
		return Table
	}
	return Time
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
