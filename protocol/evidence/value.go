package evidence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"yuanlu/protocol/strictjson"
)

// MaxDepth is how deep objects and lists may stand inside each other (evidence.md § 6).
const MaxDepth = 64

// Value is a JSON value with its members in order and its numbers as written.
type Value struct {
	Kind    byte   // '{', '[', '"', '0', 't', 'f' or 'n'; 0: there is none
	Text    string // characters of a string, digits of a number
	Members []Member
	Items   []Value
	Raw     []byte // as it stands in the text
}

// Member is one of an object.
type Member struct {
	Name  string
	Value Value
}

// Parse reads one JSON value: UTF-8, no member twice anywhere, no lone surrogate, at most
// MaxDepth deep, nothing behind it. ErrForm, with the offset.
func Parse(text []byte) (Value, error) {
	r := strictjson.New(text, 0, &strictjson.Form{End: "the end of the line", Twice: "a second one", Depth: MaxDepth})
	v, ok := parse(&r, 0)
	if ok && r.End("nothing more") {
		return v, nil
	}
	return Value{}, fmt.Errorf("%w: offset %d: got %s, want %s", ErrForm, r.Err().Offset, r.Err().Got, r.Err().Want)
}

func parse(r *strictjson.Reader, depth int) (v Value, ok bool) {
	from := r.At()
	switch v.Kind = r.Kind(); v.Kind {
	case '{', '[':
		if depth >= MaxDepth {
			return v, r.Fail(from, "values nested too deep", "at most "+strconv.Itoa(MaxDepth)+" levels")
		}
		ok = parseInside(r, &v, depth+1)
	case '"':
		var b []byte
		b, ok = r.Quoted("a string")
		v.Text = string(b)
	case '0':
		var b []byte
		b, ok = r.Number()
		v.Text = string(b)
	default:
		ok = r.Skip()
	}
	v.Raw = r.Raw(from)
	return v, ok
}

func parseInside(r *strictjson.Reader, v *Value, depth int) (ok bool) {
	if v.Kind == '[' {
		return r.List(func(int) bool {
			item, ok := parse(r, depth)
			v.Items = append(v.Items, item)
			return ok
		})
	}
	seen := map[string]bool{}
	_, ok = r.Object(nil, func(m strictjson.Member) bool {
		name := string(m.Name)
		if seen[name] {
			return r.Fail(m.At, "a second one", "each member once")
		}
		seen[name] = true
		inner, ok := parse(r, depth)
		v.Members = append(v.Members, Member{name, inner})
		return ok
	})
	return ok
}

// Get returns a member; its Kind is 0 if there is none.
func (v Value) Get(name string) Value {
	for _, m := range v.Members {
		if m.Name == name {
			return m.Value
		}
	}
	return Value{}
}

// Has reports whether v is an object with just these members in this order; a name that
// ends with "?" may be missing.
func (v Value) Has(names ...string) bool {
	i := 0
	for _, name := range names {
		name, optional := strings.CutSuffix(name, "?")
		if i < len(v.Members) && v.Members[i].Name == name {
			i++
		} else if !optional {
			return false
		}
	}
	return v.Kind == '{' && i == len(v.Members)
}

// Int returns an integer of casework.md § 10, written in decimal; false for another value.
func (v Value) Int() (int64, bool) {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return n, v.Kind == '0' && err == nil && n >= -MaxSize && n <= MaxSize && strconv.FormatInt(n, 10) == v.Text
}

// IsBool reports whether v is true or false.
func (v Value) IsBool() bool { return v.Kind == 't' || v.Kind == 'f' }

// Strings returns a list of strings; false for another value.
func (v Value) Strings() ([]string, bool) {
	out := make([]string, len(v.Items))
	for i, item := range v.Items {
		if out[i] = item.Text; item.Kind != '"' {
			return nil, false
		}
	}
	return out, v.Kind == '['
}

// Equal reports whether two values are the same as JSON: members in any order, numbers as
// written.
func (v Value) Equal(o Value) bool {
	if v.Kind != o.Kind || v.Text != o.Text || len(v.Members) != len(o.Members) || len(v.Items) != len(o.Items) {
		return false
	}
	for i := range v.Items {
		if !v.Items[i].Equal(o.Items[i]) {
			return false
		}
	}
	for _, m := range v.Members {
		if other := o.Get(m.Name); other.Kind == 0 || !m.Value.Equal(other) {
			return false
		}
	}
	return true
}

// Canonical reports whether a value is written as casework.md § 1 writes it: no spaces,
// integers in decimal within casework.md § 10, and in texts only what must be is escaped. The
// members named in free may be written otherwise.
func (v Value) Canonical(free ...string) bool {
	return string(v.append(nil, free)) == string(v.Raw)
}

func (v Value) append(b []byte, free []string) []byte {
	switch v.Kind {
	case '{':
		b = append(b, '{')
		for i, m := range v.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, m.Name), ':')
			if slices.Contains(free, m.Name) {
				b = append(b, m.Value.Raw...)
			} else {
				b = m.Value.append(b, free)
			}
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.append(b, free)
		}
		return append(b, ']')
	case '"':
		return AppendString(b, v.Text)
	case '0':
		return append(b, v.decimal()...)
	}
	return append(b, v.Raw...)
}

// decimal returns a number as it stands; nothing if it has another form than Int takes.
func (v Value) decimal() []byte {
	if _, ok := v.Int(); !ok {
		return nil
	}
	return v.Raw
}

// AppendString writes a text as casework.md § 1 does: only '"', '\' and characters below
// U+0020 are escaped.
func AppendString(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case strings.IndexByte("\b\t\n\f\r", c) >= 0:
			b = append(b, '\\', "btn?fr"[c-'\b'])
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"')
}
