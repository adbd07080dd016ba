package topics

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"yuanlu/protocol/strictjson"
)

// errExact is all that Exact returns: no value of a payload is in an error.
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
// know, and ignored. What goes into a json.RawMessage stays as it is: the code that reads
// it must use Exact again. The error never holds a value.
func Exact(payload []byte, to any) error {
	t := reflect.TypeOf(to)
	if t == nil || t.Kind() != reflect.Pointer || !utf8.Valid(payload) {
		return errExact
	}
	x := &exactly{Reader: strictjson.New(payload, 0, &form), b: payload}
	if !x.value(t) || !x.End(form.End) || json.Unmarshal(x.b, to) != nil {
		return errExact
	}
	return nil
}

// exactly goes through JSON along a Go type and makes the names that the type does not
// have such that no type can have them.
type exactly struct {
	strictjson.Reader        // of the payload
	b                 []byte // the payload, or its copy where a name had to be changed
	owned             bool   // b is a copy
}

// value goes through the value that comes next, which is read into a t (nil: into
// nothing with names of its own).
func (x *exactly) value(t reflect.Type) bool {
	t = namesOf(t)
	switch c := x.Kind(); {
	case t == nil:
	case c == '{' && t.Kind() == reflect.Struct:
		return x.object(memberTypes(t), nil)
	case c == '{' && t.Kind() == reflect.Map:
		return x.object(nil, t.Elem())
	case c == '[' && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		return x.List(func(int) bool { return x.value(t.Elem()) })
	}
	return x.Skip()
}

// object goes through an object. members nil: every name is one, of type elem.
func (x *exactly) object(members map[string]reflect.Type, elem reflect.Type) bool {
	_, ok := x.Object(nil, func(m strictjson.Member) bool {
		of := elem
		if members != nil {
			known := false
			if of, known = members[string(m.Name)]; !known {
				x.forget(m.At+1, m.End-1)
			}
		}
		return x.value(of)
	})
	return ok
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
