package topics

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrSchema is the class of all errors about a payload that breaks its schema.
var ErrSchema = errors.New("topics: payload breaks its schema")

// SchemaError says where a payload breaks its schema. It never holds a value
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
	if !utf8.Valid(payload) || !validJSON(payload) {
		return &SchemaError{Schema: schema, Got: "not JSON", Want: "JSON in UTF-8"}
	}
	w := &walker{b: payload}
	w.space()
	if !w.value(r, 0) {
		return &SchemaError{Schema: schema, Path: w.path, Got: w.got, Want: w.want}
	}
	return nil
}

// walker goes through valid JSON once, without building it, and checks it on
// the way.
type walker struct {
	b         []byte
	i         int
	path      string // of the first failure, built while unwinding
	got, want string
}

func (w *walker) space() {
	for w.i < len(w.b) && (w.b[w.i] == ' ' || w.b[w.i] == '\n' || w.b[w.i] == '\t' || w.b[w.i] == '\r') {
		w.i++
	}
}

func (w *walker) fail(got, want string) bool {
	w.path, w.got, w.want = "", got, want
	return false
}

// value checks the value at i and moves behind it and the space after it.
// r may be nil: anything.
func (w *walker) value(r *rule, depth int) bool {
	if depth > maxDepth {
		return w.fail("deeper nesting", fmt.Sprintf("at most %d levels", maxDepth))
	}
	start := w.i
	if r != nil && r.ref != nil {
		return w.value(r.ref, depth+1)
	}
	if r != nil && r.anyOf != nil {
		ok := false
		for _, sub := range r.anyOf {
			w.i = start
			if ok = w.value(sub, depth+1); ok {
				break
			}
		}
		if !ok {
			return false
		}
		w.i = start
	}
	ok := w.plain(r, depth)
	w.space()
	return ok
}

// plain checks all but ref and anyOf. (A schema with $ref has nothing else.)
func (w *walker) plain(r *rule, depth int) bool {
	switch c := w.b[w.i]; c {
	case '{':
		return w.allowed(r, kindObject, "an object") && w.object(r, depth)
	case '[':
		return w.allowed(r, kindArray, "a list") && w.array(r, depth)
	case '"':
		return w.allowed(r, kindString, "a string") && w.str(r)
	case 't', 'f', 'n':
		n, k, name := 4, kindBool, "a boolean"
		if c == 'f' {
			n = 5
		}
		if c == 'n' {
			k, name = kindNull, "null"
		}
		raw := string(w.b[w.i : w.i+n])
		w.i += n
		return w.allowed(r, k, name) && w.oneOf(r, raw)
	default:
		return w.number(r)
	}
}

func (w *walker) allowed(r *rule, k kind, name string) bool {
	if r == nil || r.kinds&k != 0 {
		return true
	}
	return w.fail(name, kindNames(r.kinds))
}

func (w *walker) oneOf(r *rule, raw string) bool {
	if r == nil || r.enum == nil || slices.Contains(r.enum, raw) {
		return true
	}
	return w.fail("another value", fmt.Sprintf("one of %v", r.enum))
}

func (w *walker) number(r *rule) bool {
	start := w.i
	for w.i < len(w.b) {
		c := w.b[w.i]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		w.i++
	}
	if r == nil {
		return true
	}
	raw := string(w.b[start:w.i])
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
	if r.min != nil && n.Cmp(big.NewInt(*r.min)) < 0 {
		return w.fail("a smaller number", fmt.Sprintf("at least %d", *r.min))
	}
	if r.max != nil && n.Cmp(big.NewInt(*r.max)) > 0 {
		return w.fail("a greater number", fmt.Sprintf("at most %d", *r.max))
	}
	return true
}

// integer reads a JSON number that is whole and written without exponent or
// fraction. (1.0 is whole to JSON Schema too, but our readers want int64.)
func integer(raw string) (*big.Int, bool) {
	if len(raw) > 40 {
		return nil, false
	}
	return new(big.Int).SetString(raw, 10)
}

func (w *walker) str(r *rule) bool {
	raw, s := w.quoted()
	if r == nil {
		return true
	}
	if r.enum != nil && !w.oneOf(r, string(raw)) {
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
	if r.pattern != nil && !r.pattern.Match(s) {
		return w.fail("other text", r.pattern.String())
	}
	if r.dateTime {
		if _, err := time.Parse(time.RFC3339Nano, string(s)); err != nil {
			return w.fail("other text", "an RFC 3339 time")
		}
	}
	return true
}

// quoted returns the string at i with and without its quotes and escapes.
func (w *walker) quoted() (raw, text []byte) {
	start, escaped := w.i, false
	for w.i++; w.b[w.i] != '"'; w.i++ {
		if w.b[w.i] == '\\' {
			escaped = true
			w.i++
		}
	}
	w.i++
	raw = w.b[start:w.i]
	if !escaped {
		return raw, raw[1 : len(raw)-1]
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil { // the whole was valid JSON
		return raw, nil
	}
	return raw, []byte(s)
}

func (w *walker) array(r *rule, depth int) bool {
	var items *rule
	if r != nil {
		items = r.items
	}
	n := 0
	for w.open(); w.b[w.i] != ']'; w.comma() {
		if !w.value(items, depth+1) {
			w.path = fmt.Sprintf("/%d", n) + w.path
			return false
		}
		n++
	}
	w.i++
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
	for w.open(); w.b[w.i] != '}'; w.comma() {
		_, name := w.quoted()
		w.space()
		w.i++ // the colon
		w.space()
		var sub *rule
		if r != nil {
			p, known := r.props[string(name)]
			if sub = p.rule; !known {
				if r.closed {
					return w.stranger(r, name)
				}
				sub = r.additional
			}
			if bit := uint64(1) << p.bit; known && seen&bit != 0 { // two readers could take different ones
				w.fail("the member twice", "it once")
				w.path = "/" + string(name)
				return false
			} else if known {
				seen |= bit
			}
		}
		if !w.value(sub, depth+1) {
			w.path = w.step(r, name) + w.path
			return false
		}
	}
	w.i++
	if r == nil {
		return true
	}
	if r.required&^seen != 0 {
		return w.fail("no member "+r.missing(seen), "it")
	}
	return true
}

// stranger refuses a member that the schema does not have. Its name is said where it
// cannot be anything but a word.
func (w *walker) stranger(r *rule, name []byte) bool {
	said := "an unknown member"
	if len(name) <= 32 && strings.Trim(string(name), "abcdefghijklmnopqrstuvwxyz_-") == "" && len(name) > 0 {
		said = "unknown member " + string(name)
	}
	if len(r.props) == 0 {
		return w.fail(said, "no members")
	}
	return w.fail(said, "one of "+strings.Join(slices.Sorted(maps.Keys(r.props)), ", "))
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

func (w *walker) open() { w.i++; w.space() }

func (w *walker) comma() {
	if w.b[w.i] == ',' {
		w.i++
		w.space()
	}
}
