package topics

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// errExact is all that Exact says: no value of a payload is in an error.
var errExact = errors.New("topics: not JSON in UTF-8, or a value of another type or range")

// Decode checks a payload against the schema with this name and then reads it into
// to, a pointer, as Exact does. It returns nil or a *SchemaError; after an error to
// may hold a part of the payload.
func (v *Validator) Decode(schema string, payload []byte, to any) error {
	if err := v.Check(schema, payload); err != nil {
		return err
	}
	if Exact(payload, to) != nil {
		return &SchemaError{Schema: schema, Got: "a value out of range", Want: "one that this version can hold"}
	}
	return nil
}

// Exact reads JSON as json.Unmarshal does, but for one thing: a member is taken only
// where its name is exactly the known one. json.Unmarshal takes "TTL_S" for "ttl_s"
// as well, which no schema has looked at; to Exact it is a member that it does not
// know, and ignored. What goes into a json.RawMessage stays as it is: whoever reads
// it must use Exact again. The error never holds a value.
func Exact(payload []byte, to any) error {
	t := reflect.TypeOf(to)
	if t == nil || t.Kind() != reflect.Pointer || !utf8.Valid(payload) || !validJSON(payload) {
		return errExact
	}
	x := &exactly{b: payload}
	x.value(scanSpace(payload, 0), t)
	if json.Unmarshal(x.b, to) != nil {
		return errExact
	}
	return nil
}

// exactly goes through valid JSON along a Go type and makes the names that the type
// does not have such that no type can have them.
type exactly struct {
	b     []byte
	owned bool // b is a copy
}

// value goes through the value at i, which is read into a t (nil: into nothing with
// names of its own), and returns the place behind it.
func (x *exactly) value(i int, t reflect.Type) int {
	t = namesOf(t)
	switch {
	case t == nil:
	case x.b[i] == '{' && t.Kind() == reflect.Struct:
		return x.object(i, memberTypes(t), nil)
	case x.b[i] == '{' && t.Kind() == reflect.Map:
		return x.object(i, nil, t.Elem())
	case x.b[i] == '[' && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		return x.array(i, t.Elem())
	}
	i, _ = scanValue(x.b, i, 0)
	return i
}

// object goes through an object. members nil: every name is one, of type elem.
func (x *exactly) object(i int, members map[string]reflect.Type, elem reflect.Type) int {
	for i = scanSpace(x.b, i+1); x.b[i] != '}'; i = x.next(i) {
		end, _ := scanString(x.b, i)
		of := elem
		if members != nil {
			known := false
			if of, known = members[unquoted(x.b[i:end])]; !known {
				x.forget(i+1, end-1)
			}
		}
		i = x.value(scanSpace(x.b, scanSpace(x.b, end)+1), of)
	}
	return i + 1
}

func (x *exactly) array(i int, elem reflect.Type) int {
	for i = scanSpace(x.b, i+1); x.b[i] != ']'; i = x.next(i) {
		i = x.value(i, elem)
	}
	return i + 1
}

// next moves behind a comma, if there is one.
func (x *exactly) next(i int) int {
	if i = scanSpace(x.b, i); x.b[i] == ',' {
		i = scanSpace(x.b, i+1)
	}
	return i
}

// forget writes DEL over a name: no member of ours is called so, whatever the case.
func (x *exactly) forget(from, to int) {
	if !x.owned {
		x.b, x.owned = slices.Clone(x.b), true
	}
	for ; from < to; from++ {
		x.b[from] = 0x7f
	}
}

func unquoted(raw []byte) string {
	if !slices.Contains(raw, '\\') {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil { // the whole was valid JSON
		return ""
	}
	return s
}

// namesOf returns the type that the names in a value of t belong to, nil if there are
// none or t reads itself.
func namesOf(t reflect.Type) reflect.Type {
	reads := reflect.TypeFor[json.Unmarshaler]()
	for t != nil {
		if t.Implements(reads) || reflect.PointerTo(t).Implements(reads) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// memberTypes returns the names that json.Unmarshal knows of a struct, with those of
// structs that stand in it without a name.
func memberTypes(t reflect.Type) map[string]reflect.Type {
	all := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		switch {
		case f.Tag.Get("json") == "-":
		case f.Anonymous && name == "" && of.Kind() == reflect.Struct:
			for inner, it := range memberTypes(of) {
				if _, there := all[inner]; !there {
					all[inner] = it
				}
			}
		case !f.IsExported():
		case name == "":
			all[f.Name] = f.Type
		default:
			all[name] = f.Type
		}
	}
	return all
}
