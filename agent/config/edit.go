package config

import (
	"bytes"
	"fmt"
	"strings"

	"yuanlu/agent/tomlfile"
)

// Change is one setting to be changed in the text of a file.
type Change struct {
	Table   string // "mqtt", "link", "backoffice.key"
	Element int    // which one of a table that may stand several times, from 0; else 0
	Key     string
	Value   string // as it stands in a file, with its quotes; "": the line is removed
}

// Edit returns the text with the changes made, and all else as it stood: comments, order,
// settings that are not named. A setting that is not there comes behind the last one of its
// table, a table that is not there to the end; to add an element of a list, name the one
// after the last. The text must be free of syntax errors and is not checked otherwise: Parse
// the result. Errors (class ErrConfig): a syntax error, a value whose end is not found.
func Edit(text []byte, changes []Change) ([]byte, error) {
	for _, c := range changes {
		next, err := edit(text, c)
		if err != nil {
			return nil, err
		}
		text = next
	}
	return text, nil
}

func edit(text []byte, c Change) ([]byte, error) {
	all, wrong := tomlfile.Parse(text)
	if wrong != nil {
		return nil, fmt.Errorf("%w: line %d: %s", ErrConfig, wrong.At.Line, wrong.Message)
	}
	table, index, there, insert := "", 0, false, len(text)
	seen := map[string]int{} // elements of [[…]] so far
	for _, e := range all {
		begin := offsetOf(text, e.Path[0].At)
		if e.Header || e.Array {
			table, index = strings.Join(names(e.Path), "."), 0
			if e.Array {
				index = seen[table]
				seen[table]++
			}
			if table == c.Table && index == c.Element {
				there, insert = true, lineEnd(text, begin)
			}
			continue
		}
		end, err := valueEnd(text, begin)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrConfig, e.Path[0].At.Line, err)
		}
		if table != c.Table || index != c.Element {
			continue
		}
		insert = lineEnd(text, end.to)
		if strings.Join(names(e.Path), ".") != c.Key {
			continue
		}
		if c.Value == "" {
			return splice(text, bytes.LastIndexByte(text[:begin], '\n')+1, insert, ""), nil
		}
		return splice(text, end.from, end.to, c.Value), nil
	}
	return added(text, c, there, insert), nil
}

// added returns the text with a setting that it has not: behind the last one of its table,
// which is there and ends at insert, or in a table at the end.
func added(text []byte, c Change, there bool, insert int) []byte {
	line := c.Key + " = " + c.Value + "\n"
	switch {
	case c.Value == "":
		return text
	case there:
		if insert == len(text) && !bytes.HasSuffix(text, []byte("\n")) {
			line = "\n" + line
		}
		return splice(text, insert, insert, line)
	default:
		return splice(text, len(text), len(text), newTable(text, c.Table)+line)
	}
}

func newTable(text []byte, table string) string {
	header := "[" + table + "]\n"
	if isList(table) {
		header = "[[" + table + "]]\n"
	}
	if len(text) == 0 {
		return header
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		return "\n\n" + header
	}
	return "\n" + header
}

func splice(text []byte, from, to int, with string) []byte {
	return bytes.Join([][]byte{text[:from], []byte(with), text[to:]}, nil)
}

// offsetOf returns where a place is, in bytes of the text.
func offsetOf(text []byte, at tomlfile.Place) int {
	offset := 0
	for range at.Line - 1 {
		offset += bytes.IndexByte(text[offset:], '\n') + 1
	}
	return offset + at.Byte - 1
}

// lineEnd returns the beginning of the line after offset.
func lineEnd(text []byte, offset int) int {
	if i := bytes.IndexByte(text[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(text)
}

type extent struct{ from, to int }

// valueEnd returns where the value of the name at begin stands.
func valueEnd(text []byte, begin int) (extent, error) {
	equals := bytes.IndexByte(text[begin:], '=')
	if equals < 0 {
		return extent{}, fmt.Errorf("no value")
	}
	from := begin + equals + 1
	for from < len(text) && (text[from] == ' ' || text[from] == '\t') {
		from++
	}
	depth := 0
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case bytes.HasPrefix(text[i:], []byte(`"""`)), bytes.HasPrefix(text[i:], []byte(`'''`)):
			return extent{}, fmt.Errorf("text of several lines is not changed by this program")
		case c == '"' || c == '\'':
			if i = stringEnd(text, i); i < 0 {
				return extent{}, fmt.Errorf("text without an end")
			}
			if depth == 0 {
				return extent{from, i + 1}, nil
			}
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth <= 0 {
				return extent{from, i + 1}, nil
			}
		case c == '#' && depth > 0:
			i = lineEnd(text, i) - 1
		case depth == 0 && strings.IndexByte(" \t\r\n#", c) >= 0:
			return extent{from, i}, nil
		}
	}
	return extent{from, len(text)}, nil
}

// stringEnd returns where the text that begins at i ends, -1: nowhere.
func stringEnd(text []byte, i int) int {
	quote := text[i]
	for i++; i < len(text) && text[i] != '\n'; i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote:
			return i
		}
	}
	return -1
}

// WrongValue returns what is wrong with a text as the value of a setting ("mqtt.url",
// "link[].port"), as a sentence that can follow its name; "": nothing.
func WrongValue(o Options, setting, text string) string {
	all := settings(o)
	for i := range all {
		if s := &all[i]; s.Name == setting {
			c := &Config{Links: make([]Link, 1), Backoffice: Backoffice{Keys: make([]Key, 1)}}
			return s.store(c, 0, tomlfile.Value{Kind: tomlfile.Text, Text: text})
		}
	}
	return "is no setting"
}
