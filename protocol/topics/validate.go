package topics

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"yuanlu/protocol/strictjson"
)

// ErrSchema is the class of all errors about a payload that breaks its schema.
var ErrSchema = errors.New("topics: payload breaks its schema")

// SchemaError is where a payload breaks its schema. It never holds a value
// of the payload.
type SchemaError struct {
	Schema string // name, "case-event.v1"
	Path   string // JSON pointer, "/data/case_id"; "" is the whole payload
	Want   string
	Got    string
}

// Error names schema, place, what is there and what should be.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("%s %s at %q: %s, want %s", ErrSchema, e.Schema, e.Path, e.Got, e.Want)
}

// Unwrap makes errors.Is(err, ErrSchema) true.
func (e *SchemaError) Unwrap() error { return ErrSchema }

// Validator checks payloads against the shipped schemas. It is immutable and
// safe for concurrent use.
type Validator struct {
	rules map[string]*rule
}

// NewValidator compiles the shipped schemas. The error means that the program
// was built wrongly; a test rules it out.
func NewValidator() (*Validator, error) {
	docs, err := Schemas()
	if err != nil {
		return nil, err
	}
	rules, err := compileAll(docs)
	if err != nil {
		return nil, err
	}
	return &Validator{rules: rules}, nil
}

// maxDepth is how deep a payload may nest: far more than any of ours.
const maxDepth = 64

// Check checks a payload against the schema with this name ("state.v1").
// It returns nil or a *SchemaError.
func (v *Validator) Check(schema string, payload []byte) error {
	r, ok := v.rules[SchemaURN(schema)]
	if !ok {
		return &SchemaError{Schema: schema, Got: "no such schema", Want: "one of Schemas"}
	}
	w := &walker{Reader: strictjson.New(payload, 0, &form)}
	ok = utf8.Valid(payload) && w.value(r, 0) && w.End("the end of the payload")
	switch {
	case ok:
		return nil
	case w.Err() != nil || !utf8.Valid(payload) || !strictjson.Valid(payload):
		return &SchemaError{Schema: schema, Got: "not JSON", Want: "JSON in UTF-8"}
	}
	return &SchemaError{Schema: schema, Path: w.path, Got: w.got, Want: w.want}
}

// form is the form of a payload: what encoding/json takes.
var form = strictjson.Form{End: "the end of the payload", Depth: 10_000, Loose: true}

// walker goes through JSON once, without building it, and checks it on the way.
type walker struct {
	strictjson.Reader
	path      string // of the first failure, built while unwinding
	got, want string
}

func (w *walker) fail(got, want string) bool {
	w.path, w.got, w.want = "", got, want
	return false
}

// value checks the value that comes next and moves behind it. r may be nil: anything.
func (w *walker) value(r *rule, depth int) bool {
	if depth > maxDepth {
		return w.fail("deeper nesting", fmt.Sprintf("at most %d levels", maxDepth))
	}
	if r != nil && r.ref != nil {
		return w.value(r.ref, depth+1)
	}
	if r == nil || r.anyOf == nil {
		return w.plain(r, depth)
	}
	start := w.Reader
	if !w.one(r.anyOf, depth) {
		return false
	}
	if r.bare {
		return true
	}
	w.Reader = start
	return w.plain(r, depth)
}

// one checks the value against the first of these rules that takes it. Where several could
// and none does, the failure is that of the first.
func (w *walker) one(of []*rule, depth int) bool {
	start, kinds := w.Reader, kindsOf(w.Kind())
	var first walker
	failed := false
	for i, sub := range of {
		last := i == len(of)-1
		if to := sub.of(); !last && to != nil && to.kinds&kinds == 0 {
			continue // no value of this kind satisfies it
		}
		w.Reader = start
		if w.value(sub, depth+1) {
			return true
		}
		if !failed {
			first, failed = *w, true
		}
	}
	*w = first
	return false
}

// kindsOf returns the types of a value that begins with c, as Reader.Kind returns it.
func kindsOf(c byte) kind {
	switch c {
	case '{':
		return kindObject
	case '[':
		return kindArray
	case '"':
		return kindString
	case '0':
		return kindInteger | kindNumber
	case 'n':
		return kindNull
	}
	return kindBool
}

// plain checks all but ref and anyOf. (A schema with $ref has nothing else.)
func (w *walker) plain(r *rule, depth int) bool {
	switch c := w.Kind(); c {
	case '{':
		return w.allowed(r, kindObject, "an object") && w.object(r, depth)
	case '[':
		return w.allowed(r, kindArray, "a list") && w.array(r, depth)
	case '"':
		return w.allowed(r, kindString, "a string") && w.str(r)
	case '0':
		return w.number(r)
	case 'n':
		return w.literal(r, kindNull, "null")
	default:
		return w.literal(r, kindBool, "a boolean")
	}
}

// literal checks true, false or null.
func (w *walker) literal(r *rule, k kind, name string) bool {
	at := w.Pos()
	return w.Skip() && w.allowed(r, k, name) && w.oneOf(r, w.Raw(at))
}

func (w *walker) allowed(r *rule, k kind, name string) bool {
	if r == nil || r.kinds&k != 0 {
		return true
	}
	return w.fail(name, kindNames(r.kinds))
}

func (w *walker) oneOf(r *rule, raw []byte) bool {
	if r == nil || r.enum == nil || slices.Contains(r.enum, string(raw)) {
		return true
	}
	return w.fail("another value", fmt.Sprintf("one of %v", r.enum))
}

func (w *walker) number(r *rule) bool {
	raw, ok := w.Number()
	if !ok || r == nil {
		return ok
	}
	n, isInt := integer(raw)
	if isInt {
		if !w.allowed(r, kindInteger, "an integer") {
			return false
		}
	} else if !w.allowed(r, kindNumber, "a number") {
		return false
	}
	if !w.oneOf(r, raw) {
		return false
	}
	if !isInt || r.min == nil && r.max == nil {
		return true
	}
	if r.min != nil && n < *r.min {
		return w.fail("a smaller number", fmt.Sprintf("at least %d", *r.min))
	}
	if r.max != nil && n > *r.max {
		return w.fail("a greater number", fmt.Sprintf("at most %d", *r.max))
	}
	return true
}

// integer reads a JSON number that is whole and written without exponent or
// fraction, of at most 40 characters; one beyond int64 is the nearest int64, which no bound
// of ours is. (1.0 is whole to JSON Schema too, but our readers want int64.)
func integer(raw []byte) (n int64, ok bool) {
	digits := bytes.TrimPrefix(raw, []byte("-"))
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	if len(raw) > 40 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil || errors.Is(err, strconv.ErrRange)
}

func (w *walker) str(r *rule) bool {
	if r == nil {
		return w.Skip()
	}
	at := w.Pos()
	s, ok := w.Quoted("a string")
	if !ok || !w.oneOf(r, w.Raw(at)) {
		return false
	}
	if r.minLen != nil || r.maxLen != nil {
		n := utf8.RuneCount(s)
		if r.minLen != nil && n < *r.minLen {
			return w.fail(fmt.Sprintf("%d characters", n), fmt.Sprintf("at least %d", *r.minLen))
		}
		if r.maxLen != nil && n > *r.maxLen {
			return w.fail(fmt.Sprintf("%d characters", n), fmt.Sprintf("at most %d", *r.maxLen))
		}
	}
	if r.pattern != nil && !r.pattern.match(s) {
		return w.fail("other text", r.pattern.source)
	}
	if r.dateTime {
		if _, err := time.Parse(time.RFC3339Nano, string(s)); err != nil {
			return w.fail("other text", "an RFC 3339 time")
		}
	}
	return true
}

func (w *walker) array(r *rule, depth int) bool {
	var items *rule
	if r != nil {
		items = r.items
	}
	n := 0
	ok := w.List(func(i int) bool {
		n = i + 1
		if !w.value(items, depth+1) {
			w.path = fmt.Sprintf("/%d", i) + w.path
			return false
		}
		return true
	})
	if !ok {
		return false
	}
	if r != nil && r.minItems != nil && n < *r.minItems {
		return w.fail(fmt.Sprintf("%d items", n), fmt.Sprintf("at least %d", *r.minItems))
	}
	if r != nil && r.maxItems != nil && n > *r.maxItems {
		return w.fail(fmt.Sprintf("%d items", n), fmt.Sprintf("at most %d", *r.maxItems))
	}
	return true
}

func (w *walker) object(r *rule, depth int) bool {
	var seen uint64 // bit property.bit of each known member that came
	next := 0       // of r.order, that is expected
	_, ok := w.Object(nil, func(m strictjson.Member) bool {
		var sub *rule
		if r != nil {
			p, known := r.property(m.Name, &next)
			if sub = p.rule; !known {
				if r.closed {
					return w.unknown(r, m.Name)
				}
				sub = r.additional
			}
			if bit := uint64(1) << p.bit; known && seen&bit != 0 { // two readers could take different ones
				w.fail("the member twice", "it once")
				w.path = "/" + string(m.Name)
				return false
			} else if known {
				seen |= bit
			}
		}
		if !w.value(sub, depth+1) {
			w.path = w.step(r, m.Name) + w.path
			return false
		}
		return true
	})
	if !ok || r == nil {
		return ok
	}
	if r.required&^seen != 0 {
		return w.fail("no member "+r.missing(seen), "it")
	}
	return true
}

// unknown refuses a member that the schema does not have. Its name is in the error only
// where it can be no identifier: small letters, hyphens and underscores.
func (w *walker) unknown(r *rule, name []byte) bool {
	got := "an unknown member"
	if len(name) <= 32 && strings.Trim(string(name), "abcdefghijklmnopqrstuvwxyz_-") == "" && len(name) > 0 {
		got = "unknown member " + string(name)
	}
	if len(r.props) == 0 {
		return w.fail(got, "no members")
	}
	return w.fail(got, "one of "+strings.Join(slices.Sorted(maps.Keys(r.props)), ", "))
}

// step is the pointer step of a member; a name that no schema of ours has is
// not repeated, since it may be anything.
func (w *walker) step(r *rule, name []byte) string {
	if r != nil {
		if _, known := r.props[string(name)]; known {
			return "/" + string(name)
		}
	}
	return "/*"
}
