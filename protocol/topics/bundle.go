package topics

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNoSchema: there is no schema of that name.
var ErrNoSchema = errors.New("topics: no such schema")

// Bundle returns the schema of this name with all that it refers to in its own $defs,
// under the names that their titles make: one document that needs no other, for
// generators of types. Its id stands in x-schema-id. Errors: ErrNoSchema.
func Bundle(name string) ([]byte, error) {
	docs, err := Schemas()
	if err != nil {
		return nil, err
	}
	b := &bundler{docs: map[string]object{}, names: map[string]string{}, defs: object{}}
	for _, d := range docs {
		var body object
		if err := json.Unmarshal(d.JSON, &body); err != nil {
			return nil, fmt.Errorf("topics: schema %s: %w", d.Name, err)
		}
		b.docs[SchemaURN(d.Name)] = body
	}
	root := SchemaURN(name)
	if b.docs[root] == nil {
		return nil, fmt.Errorf("%w: %q", ErrNoSchema, name)
	}
	bundle, err := b.local(root, b.docs[root])
	if err != nil {
		return nil, err
	}
	bundle["$schema"], bundle["x-schema-id"] = b.docs[root]["$schema"], root
	if len(b.defs) > 0 {
		bundle["$defs"] = b.defs
	}
	out, err := json.MarshalIndent(bundle, "", " ")
	if err != nil {
		return nil, fmt.Errorf("topics: bundle %s: %w", name, err)
	}
	return append(out, '\n'), nil
}

// bundler gathers what a schema refers to.
type bundler struct {
	docs  map[string]object // by id
	names map[string]string // name in defs, by absolute reference
	defs  object
}

// local copies a schema of the document doc, with every reference turned into one to
// the bundle's own $defs.
func (b *bundler) local(doc string, schema object) (object, error) {
	out := object{}
	for key, value := range schema {
		switch key {
		case "$id", "$schema", "$defs":
			continue
		case "$ref":
			ref, ok := value.(string)
			if !ok {
				return nil, fmt.Errorf("topics: %s: $ref is no text", doc)
			}
			name, err := b.take(doc, ref)
			if err != nil {
				return nil, err
			}
			out[key] = "#/$defs/" + name
			continue
		}
		copied, err := b.copy(doc, value)
		if err != nil {
			return nil, err
		}
		out[key] = copied
	}
	return out, nil
}

func (b *bundler) copy(doc string, value any) (any, error) {
	switch x := value.(type) {
	case object:
		return b.local(doc, x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			var err error
			if out[i], err = b.copy(doc, x[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return value, nil
}

// take puts what a reference in doc leads to into defs, once, and returns its name.
func (b *bundler) take(doc, ref string) (string, error) {
	if strings.HasPrefix(ref, "#") {
		ref = doc + ref
	}
	if name, done := b.names[ref]; done {
		return name, nil
	}
	id, place, _ := strings.Cut(ref, "#")
	target, ok := b.docs[id]
	if def, inside := strings.CutPrefix(place, "/$defs/"); ok && inside {
		defs, _ := target["$defs"].(object)
		target, ok = defs[def].(object)
	}
	if !ok {
		return "", fmt.Errorf("topics: %s: $ref %s leads nowhere", doc, ref)
	}
	title, _ := target["title"].(string)
	name := camel(strings.ReplaceAll(title, " ", "-"))
	for taken := b.defs[name] != nil || name == ""; taken; taken = b.defs[name] != nil {
		name += "Of" + camel(strings.ReplaceAll(strings.TrimPrefix(id, SchemaURN("")), ".", "-"))
	}
	b.names[ref], b.defs[name] = name, object{} // before its own references lead back to it
	copied, err := b.local(id, target)
	if err != nil {
		return "", err
	}
	b.defs[name] = copied
	return name, nil
}
