package topics

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
)

// eachSchema calls do for every schema inside raw, with its place.
func eachSchema(place string, s map[string]any, do func(place string, s map[string]any)) {
	do(place, s)
	for _, group := range []string{"properties", "$defs"} {
		members, _ := s[group].(map[string]any)
		for name, m := range members {
			if m, ok := m.(map[string]any); ok {
				eachSchema(place+"/"+group+"/"+name, m, do)
			}
		}
	}
	for _, one := range []string{"items", "additionalProperties"} {
		if m, ok := s[one].(map[string]any); ok {
			eachSchema(place+"/"+one, m, do)
		}
	}
	for _, many := range []string{"anyOf", "allOf"} {
		list, _ := s[many].([]any)
		for i, m := range list {
			if m, ok := m.(map[string]any); ok {
				eachSchema(fmt.Sprint(place, "/", many, "/", i), m, do)
			}
		}
	}
}

// TestEveryPropertyIsDescribed: no property of any schema is without a description, and
// every object and list of values has a title, from which generators make names of types;
// no two of one document have the same.
func TestEveryPropertyIsDescribed(t *testing.T) {
	docs, err := Schemas()
	if err != nil {
		t.Fatal(err)
	}
	properties := 0
	for _, d := range docs {
		var body map[string]any
		if err := json.Unmarshal(d.JSON, &body); err != nil {
			t.Fatal(err)
		}
		titles := map[string]string{}
		eachSchema(d.Name, body, func(place string, s map[string]any) {
			members, _ := s["properties"].(map[string]any)
			for name, m := range members {
				m, _ := m.(map[string]any)
				properties++
				if text, _ := m["description"].(string); strings.TrimSpace(text) == "" {
					t.Errorf("%s/%s has no description", place, name)
				}
			}
			title, _ := s["title"].(string)
			if title == "" {
				if s["type"] == "object" && !strings.Contains(place, "/anyOf/") || s["enum"] != nil {
					t.Errorf("%s has no title", place)
				}
				return
			}
			letters := strings.Map(func(r rune) rune {
				if unicode.IsLetter(r) || unicode.IsDigit(r) {
					return unicode.ToLower(r)
				}
				return -1
			}, title)
			if other, twice := titles[letters]; twice {
				t.Errorf("%s and %s have one name", place, other)
			}
			titles[letters] = place
		})
	}
	if properties < 300 {
		t.Errorf("only %d properties were looked at", properties)
	}
}

// TestBundlesStandAlone: a bundle refers to nothing but its own $defs, and takes and
// refuses what its schema does.
func TestBundlesStandAlone(t *testing.T) {
	docs, err := Schemas()
	if err != nil {
		t.Fatal(err)
	}
	whole := testValidator(t)
	for _, d := range docs {
		raw, err := Bundle(d.Name)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		eachSchema(d.Name, body, func(place string, s map[string]any) {
			if ref, ok := s["$ref"].(string); ok && !resolves(body, ref) {
				t.Errorf("%s: $ref %s", place, ref)
			}
			if s["$id"] != nil {
				t.Errorf("%s has an $id", place)
			}
		})
		body["$id"] = SchemaURN("alone")
		delete(body, "x-schema-id")
		again, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := compileAll([]SchemaDoc{{"alone", again}})
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		alone := &Validator{rules: rules}
		names, err := Examples()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			example, err := Example(name)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := whole.Check(d.Name, example), alone.Check("alone", example); (a == nil) != (b == nil) {
				t.Errorf("%s and its bundle differ about %s: %v, %v", d.Name, name, a, b)
			}
		}
	}
	if _, err := Bundle("nonsense"); err == nil {
		t.Error("a bundle of no schema")
	}
}

// TestSignedVector: the program makes and takes exactly what the vector holds.
func TestSignedVector(t *testing.T) {
	var v struct {
		Seed    []byte `json:"seed"`
		Private string `json:"private_key"`
		Public  []byte `json:"public_key"`
		Topic   string `json:"topic"`
		Body    string `json:"body"`
		Bytes   string `json:"signed_bytes"`
		Sig     string `json:"sig"`
		Payload json.RawMessage
	}
	if err := json.Unmarshal(SignedVector(), &v); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(v.Private))
	if block == nil {
		t.Fatal("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok || !bytes.Equal(private.Seed(), v.Seed) || !bytes.Equal(private.Public().(ed25519.PublicKey), v.Public) {
		t.Fatal("seed, PEM and public key are not one key")
	}
	var s Signed
	if err := json.Unmarshal(v.Payload, &s); err != nil {
		t.Fatal(err)
	}
	ts, err := time.Parse(time.RFC3339, s.TS)
	if err != nil {
		t.Fatal(err)
	}
	made, err := Sign(private, s.KID, v.Topic, s.Terminal, s.ID, ts, []byte(v.Body))
	var compact bytes.Buffer
	if err := json.Compact(&compact, v.Payload); err != nil {
		t.Fatal(err)
	}
	if err != nil || !bytes.Equal(made, compact.Bytes()) {
		t.Errorf("signed as %s, %v", made, err)
	}
	if string(s.signedBytes(v.Topic)) != v.Bytes || s.Sig != v.Sig || s.Body != base64.StdEncoding.EncodeToString([]byte(v.Body)) {
		t.Error("bytes, signature or body differ")
	}
	_, body, err := Open(testValidator(t), []Key{{s.KID, v.Public}}, v.Topic, s.Terminal, compact.Bytes())
	if err != nil || string(body) != v.Body {
		t.Errorf("opened as %s, %v", body, err)
	}
	example, err := Example("signed")
	var e Signed
	if err != nil || json.Unmarshal(example, &e) != nil || e != s {
		t.Error("the example of signed is not the vector's payload")
	}
}

// TestEveryEventTypeIsDescribed: event.v1 names as examples just the types whose data has a
// schema; each schema has a title and an example that fits it and is of its type.
func TestEveryEventTypeIsDescribed(t *testing.T) {
	docs, err := Schemas()
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]map[string]any{}
	for _, d := range docs {
		var body map[string]any
		if err := json.Unmarshal(d.JSON, &body); err != nil {
			t.Fatal(err)
		}
		bodies[d.Name] = body
	}
	event, _ := bodies["event.v1"]["properties"].(map[string]any)
	typ, _ := event["type"].(map[string]any)
	var want []any
	for _, name := range EventTypes() {
		want = append(want, name)
		data := "event-data." + name + ".v1"
		if title, _ := bodies[data]["title"].(string); title == "" {
			t.Errorf("%s has no title", data)
		}
		raw, err := Example("event." + name)
		if err != nil {
			t.Error(err)
			continue
		}
		var e struct{ Type, DataSchema string }
		if err := json.Unmarshal(raw, &e); err != nil || e.Type != name || e.DataSchema != SchemaURN(data) {
			t.Errorf("the example of %s is of %s, %s: %v", name, e.Type, e.DataSchema, err)
		}
		if err := testValidator(t).Check("event.v1", raw); err != nil {
			t.Error(err)
		}
	}
	if got := typ["examples"]; !reflect.DeepEqual(got, want) {
		t.Errorf("event.v1 names %v, there are schemas of %v", got, want)
	}
}
