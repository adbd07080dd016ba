package ingest

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// node is one value of a TOML file with its place, which go-toml's decoder into
// values does not tell.
type node struct {
	kind         nodeKind
	line, column int
	text         string // of texts and flags
	number       int64
	items        []*node          // of an array
	table        map[string]*node // of a table
}

type nodeKind uint8

const (
	nodeOther nodeKind = iota // a kind no profile uses: float, date
	nodeText
	nodeFlag
	nodeNumber
	nodeArray
	nodeTable
)

// String names the kind as a profile's author knows it.
func (k nodeKind) String() string {
	switch k {
	case nodeText:
		return "a string"
	case nodeFlag:
		return "true or false"
	case nodeNumber:
		return "a whole number"
	case nodeArray:
		return "an array"
	case nodeTable:
		return "a table"
	}
	return "another kind of value"
}

// parseTOML reads a whole file. Errors are a ProfileError: what is no TOML at all ends
// the reading, so there is one.
func parseTOML(text []byte) (map[string]*node, error) {
	var whole map[string]any
	if err := toml.Unmarshal(text, &whole); err != nil {
		var e *toml.DecodeError
		if !errors.As(err, &e) {
			return nil, err
		}
		line, column := e.Position()
		return nil, ProfileError{line, column, strings.Join(e.Key(), "."), strings.TrimPrefix(e.Error(), "toml: ")}
	}
	r := tomlReader{root: map[string]*node{}}
	r.parser.Reset(text)
	at := r.root
	for r.parser.NextExpression() {
		e := r.parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			// An array of tables is no part of any profile: its keys go where those
			// of a table would, and are unknown there.
			at = r.descend(r.root, e.Key())
		case unstable.KeyValue:
			r.keyValue(at, e)
		}
	}
	return r.root, r.parser.Error()
}

type tomlReader struct {
	parser unstable.Parser
	root   map[string]*node
}

// descend returns the table at a dotted key, made where it is missing.
func (r *tomlReader) descend(at map[string]*node, key unstable.Iterator) map[string]*node {
	for key.Next() {
		at = r.child(at, key.Node())
	}
	return at
}

func (r *tomlReader) child(at map[string]*node, key *unstable.Node) map[string]*node {
	n := at[string(key.Data)]
	if n == nil {
		n = r.place(key)
		n.kind, n.table = nodeTable, map[string]*node{}
		at[string(key.Data)] = n
	}
	if n.table == nil {
		n.table = map[string]*node{}
	}
	return n.table
}

func (r *tomlReader) place(n *unstable.Node) *node {
	p := r.parser.Shape(n.Raw).Start
	return &node{line: p.Line, column: p.Column}
}

func (r *tomlReader) keyValue(at map[string]*node, e *unstable.Node) {
	var last *unstable.Node
	for key := e.Key(); key.Next(); {
		if last != nil {
			at = r.child(at, last)
		}
		last = key.Node()
	}
	n := r.place(last)
	r.fill(n, e.Value())
	at[string(last.Data)] = n
}

// fill reads a value into n, whose place is that of its key.
func (r *tomlReader) fill(n *node, v *unstable.Node) {
	switch v.Kind {
	case unstable.String:
		n.kind, n.text = nodeText, string(v.Data)
	case unstable.Bool:
		n.kind, n.text = nodeFlag, string(v.Data)
	case unstable.Integer:
		number, err := strconv.ParseInt(strings.ReplaceAll(string(v.Data), "_", ""), 0, 64)
		if err == nil {
			n.kind, n.number = nodeNumber, number
		}
	case unstable.InlineTable:
		n.kind, n.table = nodeTable, map[string]*node{}
		for it := v.Children(); it.Next(); {
			r.keyValue(n.table, it.Node())
		}
	case unstable.Array:
		n.kind = nodeArray
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			item := &node{line: n.line, column: n.column}
			if it.Node().Raw.Length > 0 {
				item = r.place(it.Node())
			}
			r.fill(item, it.Node())
			n.items = append(n.items, item)
		}
	}
}
