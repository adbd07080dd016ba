package ingest

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"yuanlu/agent/tomlfile"
)

// node is one value of a profile file, with the place of its key.
type node struct {
	kind   tomlfile.Kind
	at     tomlfile.Place
	text   string // of texts and flags
	number int64
	items  []*node          // of a list
	table  map[string]*node // of a table
}

// tooLarge is the kind of a whole number of more than 64 bits, which no profile uses.
const tooLarge = tomlfile.Float

// kindName names a kind as a profile's author knows it.
func kindName(k tomlfile.Kind) string {
	switch k {
	case tomlfile.Text:
		return "a string"
	case tomlfile.Flag:
		return "true or false"
	case tomlfile.Integer:
		return "a whole number"
	case tomlfile.List:
		return "an array"
	case tomlfile.Table:
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
	all, wrong := tomlfile.Parse(text)
	if wrong != nil {
		return nil, ProfileError{wrong.At.Line, wrong.At.Byte, "", wrong.Message}
	}
	root := map[string]*node{}
	at := root
	for _, e := range all {
		if e.Header || e.Array {
			// An array of tables is no part of any profile: its keys go where those
			// of a table would, and are unknown there.
			at = descend(root, e.Path)
		} else {
			put(at, e)
		}
	}
	return root, nil
}

// descend returns the table at a path, made where it is missing.
func descend(at map[string]*node, path []tomlfile.Key) map[string]*node {
	for _, key := range path {
		n := at[key.Name]
		if n == nil {
			n = &node{kind: tomlfile.Table, at: key.At}
			at[key.Name] = n
		}
		if n.table == nil {
			n.table = map[string]*node{}
		}
		at = n.table
	}
	return at
}

// put puts a value into the table at.
func put(at map[string]*node, e tomlfile.Expression) {
	last := e.Path[len(e.Path)-1]
	descend(at, e.Path[:len(e.Path)-1])[last.Name] = newNode(e.Value, last.At)
}

func newNode(v tomlfile.Value, at tomlfile.Place) *node {
	n := &node{kind: v.Kind, at: at, text: v.Text}
	switch v.Kind {
	case tomlfile.Integer:
		number, err := strconv.ParseInt(strings.ReplaceAll(v.Text, "_", ""), 0, 64)
		if n.number = number; err != nil {
			n.kind = tooLarge
		}
	case tomlfile.Table:
		n.table = map[string]*node{}
		for _, e := range v.Table {
			put(n.table, e)
		}
	case tomlfile.List:
		for _, item := range v.List {
			n.items = append(n.items, newNode(item, item.At))
		}
	}
	return n
}
