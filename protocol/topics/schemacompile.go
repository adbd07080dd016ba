package topics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// kind is a set of JSON types.
type kind uint8

const (
	kindNull kind = 1 << iota
	kindBool
	kindInteger
	kindNumber // any number, also an integer
	kindString
	kindArray
	kindObject
	kindAny kind = 0xff
)

// rule is one compiled schema: the subset of draft 2020-12 that our schemas
// use. Zero bounds mean "not given" for the pointer fields.
type rule struct {
	kinds      kind
	props      map[string]property
	order      []member // props, as the schema has them: our own payloads have them in that order
	required   uint64   // bit property.bit of each member that must be there
	additional *rule    // of members without a property; nil: anything
	closed     bool     // there may be no member without a property
	items      *rule
	enum       []string // raw JSON of the allowed scalars; nil: any
	pattern    *pattern
	dateTime   bool
	minLen     *int
	maxLen     *int
	minItems   *int
	maxItems   *int
	min, max   *int64
	anyOf      []*rule
	bare       bool // anyOf is all there is
	ref        *rule
}

// of returns the rule that r refers to, r itself if to none; nil for nil.
func (r *rule) of() *rule {
	for r != nil && r.ref != nil {
		r = r.ref
	}
	return r
}

// property is a member with a rule, or one that is only required.
type property struct {
	rule *rule // nil: anything
	bit  uint8 // its place among the members of its object, below 64
}

// member is a property with its name.
type member struct {
	name string
	property
}

// property returns what is known of a member. next is where its name is expected in order;
// behind it stands the one that is expected then.
func (r *rule) property(name []byte, next *int) (p property, known bool) {
	for i := *next; i < min(*next+3, len(r.order)); i++ { // a member or two may be absent
		if r.order[i].name == string(name) {
			*next = i + 1
			return r.order[i].property, true
		}
	}
	p, known = r.props[string(name)]
	return p, known
}

// missing names the first required member that has not come.
func (r *rule) missing(seen uint64) string {
	first := bits.TrailingZeros64(r.required &^ seen)
	for name, p := range r.props {
		if int(p.bit) == first {
			return name
		}
	}
	return ""
}

// compiler turns documents into rules; refs are resolved when all are known.
type compiler struct {
	rules    map[string]*rule // by absolute id, "urn:…" or "urn:…#/$defs/x"
	refs     []pendingRef
	patterns map[string]*pattern // each once
}

type pendingRef struct {
	from *rule
	id   string
	at   string
}

func compileAll(docs []SchemaDoc) (map[string]*rule, error) {
	c := &compiler{rules: map[string]*rule{}, patterns: map[string]*pattern{}}
	for _, d := range docs {
		id := SchemaURN(d.Name)
		var body struct {
			ID   string                     `json:"$id"`
			Defs map[string]json.RawMessage `json:"$defs"`
		}
		if err := json.Unmarshal(d.JSON, &body); err != nil {
			return nil, fmt.Errorf("topics: schema %s: %w", d.Name, err)
		}
		if body.ID != id {
			return nil, fmt.Errorf("topics: schema %s: $id is %q, want %q", d.Name, body.ID, id)
		}
		for name, raw := range body.Defs {
			r, err := c.compile(id, "/$defs/"+name, raw)
			if err != nil {
				return nil, err
			}
			c.rules[id+"#/$defs/"+name] = r
		}
		r, err := c.compile(id, "", d.JSON)
		if err != nil {
			return nil, err
		}
		c.rules[id] = r
	}
	for _, p := range c.refs {
		target, ok := c.rules[p.id]
		if !ok {
			return nil, fmt.Errorf("topics: schema %s: $ref to unknown %q", p.at, p.id)
		}
		p.from.ref = target
	}
	return c.rules, nil
}

// rawSchema is a schema as written. Unknown keywords are refused, because a
// keyword that the validator does not know would silently check nothing.
type rawSchema struct {
	Schema      string                     `json:"$schema"`
	ID          string                     `json:"$id"`
	Defs        map[string]json.RawMessage `json:"$defs"`
	Title       string                     `json:"title"`
	Description string                     `json:"description"`
	Examples    []json.RawMessage          `json:"examples"` // known values, where further ones may come
	Type        json.RawMessage            `json:"type"`
	Properties  rawMembers                 `json:"properties"`
	Required    []string                   `json:"required"`
	Additional  json.RawMessage            `json:"additionalProperties"`
	Items       json.RawMessage            `json:"items"`
	Enum        []json.RawMessage          `json:"enum"`
	Const       json.RawMessage            `json:"const"`
	Pattern     string                     `json:"pattern"`
	Format      string                     `json:"format"`
	MinLength   *int                       `json:"minLength"`
	MaxLength   *int                       `json:"maxLength"`
	MinItems    *int                       `json:"minItems"`
	MaxItems    *int                       `json:"maxItems"`
	Minimum     *int64                     `json:"minimum"`
	Maximum     *int64                     `json:"maximum"`
	AnyOf       []json.RawMessage          `json:"anyOf"`
	Ref         string                     `json:"$ref"`
}

// rawMembers are the members of an object in their order.
type rawMembers []rawMember

type rawMember struct {
	name string
	json json.RawMessage
}

// UnmarshalJSON reads an object.
func (m *rawMembers) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("properties are no object (%w)", err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		one := rawMember{name: fmt.Sprint(name)}
		if err := dec.Decode(&one.json); err != nil {
			return err
		}
		*m = append(*m, one)
	}
	return nil
}

func (c *compiler) compile(doc, path string, raw json.RawMessage) (*rule, error) {
	at := doc + "#" + path
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	var s rawSchema
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("topics: schema %s: %w", at, err)
	}
	r := &rule{kinds: kindAny, dateTime: s.Format == "date-time",
		minLen: s.MinLength, maxLen: s.MaxLength, minItems: s.MinItems, maxItems: s.MaxItems, min: s.Minimum, max: s.Maximum}
	if s.Format != "" && s.Format != "date-time" {
		return nil, fmt.Errorf("topics: schema %s: format %q is not supported", at, s.Format)
	}
	var err error
	if r.kinds, err = compileType(s.Type); err != nil {
		return nil, fmt.Errorf("topics: schema %s: %w", at, err)
	}
	if r.pattern = c.patterns[s.Pattern]; r.pattern == nil && s.Pattern != "" {
		if r.pattern, err = compilePattern(s.Pattern); err != nil {
			return nil, fmt.Errorf("topics: schema %s: %w", at, err)
		}
		c.patterns[s.Pattern] = r.pattern
	}
	for _, e := range s.Enum {
		r.enum = append(r.enum, string(e))
	}
	if s.Const != nil {
		r.enum = append(r.enum, string(s.Const))
	}
	if s.Ref != "" {
		id := s.Ref
		if r.kinds != kindAny || s.Properties != nil || s.Required != nil || s.AnyOf != nil {
			return nil, fmt.Errorf("topics: schema %s: $ref with further conditions is not supported", at)
		}
		if strings.HasPrefix(id, "#") {
			id = doc + id
		}
		c.refs = append(c.refs, pendingRef{r, id, at})
	}
	return r, c.compileParts(r, &s, doc, path)
}

// compileParts compiles the schemas inside a schema.
func (c *compiler) compileParts(r *rule, s *rawSchema, doc, path string) error {
	var err error
	if len(s.Properties)+len(s.Required) > 0 {
		r.props = make(map[string]property, len(s.Properties))
	}
	for _, name := range s.Required {
		bit := uint8(len(r.props))
		r.props[name] = property{bit: bit}
		r.required |= 1 << bit
	}
	for _, m := range s.Properties {
		sub, err := c.compile(doc, path+"/properties/"+m.name, m.json)
		if err != nil {
			return err
		}
		p, there := r.props[m.name]
		if !there {
			p.bit = uint8(min(len(r.props), 64))
		}
		p.rule = sub
		r.props[m.name] = p
		r.order = append(r.order, member{m.name, p})
	}
	if len(r.props) > 64 {
		return fmt.Errorf("topics: schema %s#%s: more than 64 members", doc, path)
	}
	switch {
	case string(s.Additional) == "false":
		r.closed = true
	case s.Additional != nil:
		if r.additional, err = c.compile(doc, path+"/additionalProperties", s.Additional); err != nil {
			return err
		}
	}
	if s.Items != nil {
		if r.items, err = c.compile(doc, path+"/items", s.Items); err != nil {
			return err
		}
	}
	for i, raw := range s.AnyOf {
		sub, err := c.compile(doc, fmt.Sprintf("%s/anyOf/%d", path, i), raw)
		if err != nil {
			return err
		}
		r.anyOf = append(r.anyOf, sub)
	}
	r.bare = r.kinds == kindAny && len(r.props) == 0 && !r.closed && r.additional == nil && r.items == nil && r.enum == nil && r.pattern == nil && !r.dateTime &&
		r.minLen == nil && r.maxLen == nil && r.minItems == nil && r.maxItems == nil && r.min == nil && r.max == nil
	return nil
}

// kindNames lists which types there may be.
func kindNames(k kind) string {
	var names []string
	for i, name := range []string{"null", "a boolean", "an integer", "a number", "a string", "a list", "an object"} {
		if k&(1<<i) != 0 && (name != "an integer" || k&kindNumber == 0) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

func compileType(raw json.RawMessage) (kind, error) {
	if raw == nil {
		return kindAny, nil
	}
	var names []string
	var one string
	if json.Unmarshal(raw, &one) == nil {
		names = []string{one}
	} else if err := json.Unmarshal(raw, &names); err != nil {
		return 0, err
	}
	all := []string{"null", "boolean", "integer", "number", "string", "array", "object"}
	var k kind
	for _, n := range names {
		i := slices.Index(all, n)
		if i < 0 {
			return 0, fmt.Errorf("type %q is not a JSON type", n)
		}
		k |= 1 << i
	}
	if k&kindNumber != 0 {
		k |= kindInteger
	}
	return k, nil
}
