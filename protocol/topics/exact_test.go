package topics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// emptyPayloads makes an empty payload of each schema that is read somewhere.
func emptyPayloads() map[string]func() any {
	return map[string]func() any{
		"state.v1": func() any { return &State{} }, "info.v1": func() any { return &Info{} }, "health.v1": func() any { return &Health{} },
		"link-state.v1": func() any { return &LinkState{} }, "case-event.v1": func() any { return &Event{} }, "event.v1": func() any { return &Event{} },
		"case-summary.v1": func() any { return &CaseSummary{} }, "log.v1": func() any { return &LogLine{} }, "rsp.v1": func() any { return &Rsp{} },
		"config.v1": func() any { return &Config{} }, "cmd.v1": func() any { return &Cmd{} }, "ack.v1": func() any { return &Ack{} },
		"desired-config.v1": func() any { return &DesiredConfig{} }, "host-state.v1": func() any { return &HostState{} }, "signed.v1": func() any { return &Signed{} },
	}
}

// withNamed is a struct in a struct, as the desk's own presence is.
type withNamed struct {
	HostState
	Store string `json:"store,omitzero"`
}

// TestDecodeExactly: what the schema has not looked at is not taken, whatever its
// letters look like, at any depth; a member of the future is ignored.
func TestDecodeExactly(t *testing.T) {
	v := testValidator(t)
	decode := func(schema, payload string, to any) any {
		t.Helper()
		if err := v.Decode(schema, []byte(payload), to); err != nil {
			t.Errorf("%s: %v", payload, err)
		}
		return reflect.ValueOf(to).Elem().Interface()
	}
	const ts = "2026-08-23T01:00:00.345Z"
	var cmd Cmd
	decode("cmd.v1", `{"id":"c1","ts":"`+ts+`","ttl_s":60,"TTL_S":9000000000,"ttl_\u017f":9000000000,"ID":"evil \u001b","Args":{"a":1},"later":{"id":"x"}}`, &cmd)
	if cmd.ID != "c1" || cmd.TTLS != 60 || cmd.Args != nil {
		t.Errorf("command %+v", cmd)
	}
	got := decode("desired-config.v1", `{"version":3,"expected":2,"config":"a","Version":9223372036854775807,"Trial_s":-1,"CONFIG":"b"}`, &DesiredConfig{})
	if want := (DesiredConfig{Version: 3, Expected: 2, Config: "a"}); got != want {
		t.Errorf("configuration %+v", got)
	}
	var ack Ack
	decode("ack.v1", `{"stream":"s","nack":[{"seq":4,"code":"schema","message":"m","Seq":-9,"CODE":{}}],"Acked_Seq":77}`, &ack)
	if ack.AckedSeq != nil || len(ack.Nack) != 1 || ack.Nack[0] != (Nack{4, "schema", "m"}) {
		t.Errorf("acknowledgement %+v", ack)
	}
	named := decode("host-state.v1", `{"online":true,"timestamp":5,"\u0054imestamp":6,"Online":false,"store":"a","STORE":"b"}`, &withNamed{})
	if named != (withNamed{HostState{true, 5}, "a"}) {
		t.Errorf("presence %+v", named)
	}
	// A name written with escapes is the same name; a link may be called as it likes.
	health, err := Example("health")
	if err != nil {
		t.Fatal(err)
	}
	health = bytes.Replace(health, []byte(`"verdict"`), []byte(`"v\u0065rdict"`), 1)
	health = bytes.Replace(health, []byte(`"links": {`), []byte(`"links": {"PROBLEMS":{"state":"absent","frames_good":1,"frames_bad":0,"reopens":0,"STATE":"online"},`), 1)
	var h Health
	decode("health.v1", string(health), &h)
	if h.Verdict == "" || h.Links["PROBLEMS"] != (HealthLink{State: "absent", FramesGood: 1}) {
		t.Errorf("health %+v", h)
	}
}

// TestDecodeRefuses: the schema first, then what the type cannot hold; no error holds
// a value.
func TestDecodeRefuses(t *testing.T) {
	v := testValidator(t)
	for schema, payload := range map[string]string{
		"cmd.v1":        `{"id":"c1","ts":"2026-08-23T01:00:00Z","ttl_s":60,"ttl_s":6205500000000004}`,
		"health.v1":     `{"v":6205500000000004}`,
		"state.v1":      `{"state":"6205500000000004"`,
		"host-state.v1": `{"online":true,"timestamp":620550000000000400000000}`,
	} {
		t.Run(schema, func(t *testing.T) {
			err := v.Decode(schema, []byte(payload), emptyPayloads()[schema]())
			if !errors.Is(err, ErrSchema) || strings.Contains(fmt.Sprint(err), "62055") {
				t.Errorf("%s: %v", payload, err)
			}
		})
	}
	for _, payload := range []string{"", "{", "\xff", `{"online":"6205500000000004"}`, `{"timestamp":620550000000000400000000}`} {
		t.Run(payload, func(t *testing.T) {
			if err := Exact([]byte(payload), &HostState{}); err == nil || strings.Contains(err.Error(), "62055") {
				t.Errorf("%q: %v", payload, err)
			}
		})
	}
	for _, to := range []any{nil, HostState{}, (*HostState)(nil)} {
		if Exact([]byte(`{}`), to) == nil {
			t.Errorf("read into %#v", to)
		}
	}
}

// TestCheckRefusesTwice: no two readers of a payload may take different members of it.
func TestCheckRefusesTwice(t *testing.T) {
	v := testValidator(t)
	for _, payload := range []string{`{"online":true,"timestamp":1,"online":false}`, `{"online":true,"timestamp":1,"\u006fnline":false}`} {
		t.Run(payload, func(t *testing.T) {
			if err := v.Check("host-state.v1", []byte(payload)); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "twice") {
				t.Errorf("%s: %v", payload, err)
			}
		})
	}
	if err := v.Check("host-state.v1", []byte(`{"online":true,"timestamp":1,"later":1,"later":2}`)); err != nil {
		t.Errorf("a member of the future: %v", err)
	}
}

// slowly reads JSON into v through maps, whose names are never folded. ok is false
// where an object has a name twice: there the two may differ.
func slowly(raw []byte, v reflect.Value) (err error, ok bool) {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" || namesOf(v.Type()) == nil {
		return json.Unmarshal(raw, v.Addr().Interface()), true
	}
	for v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch k := v.Kind(); {
	case k == reflect.Struct && raw[0] == '{', k == reflect.Map && raw[0] == '{':
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return err, true
		}
		if len(members) != countMembers(raw) {
			return nil, false
		}
		if k == reflect.Map {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for name, m := range members {
			if k == reflect.Map {
				one := reflect.New(v.Type().Elem()).Elem()
				if err, ok := slowly(m, one); err != nil || !ok {
					return err, ok
				}
				v.SetMapIndex(reflect.ValueOf(name), one)
				continue
			}
			for _, f := range reflect.VisibleFields(v.Type()) {
				if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && tag != "" {
					if err, ok := slowly(m, v.FieldByIndex(f.Index)); err != nil || !ok {
						return err, ok
					}
				}
			}
		}
		return nil, true
	case k == reflect.Slice && raw[0] == '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return err, true
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, m := range items {
			if err, ok := slowly(m, v.Index(i)); err != nil || !ok {
				return err, ok
			}
		}
		return nil, true
	}
	return json.Unmarshal(raw, v.Addr().Interface()), true
}

func countMembers(raw []byte) int {
	d, n, depth := json.NewDecoder(bytes.NewReader(raw)), 0, 0
	for name := false; ; {
		tok, err := d.Token()
		if err != nil {
			return n
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth == 1 {
				name = true
				continue
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if depth == 1 && name {
				n, name = n+1, false
				continue
			}
		}
		name = depth == 1 // behind a value
	}
}

// FuzzExact: whatever the payload, only a member of exactly the known name is taken.
func FuzzExact(f *testing.F) {
	payloads := emptyPayloads()
	payloads["named"] = func() any { return &withNamed{} }
	var names []string
	for name := range payloads {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, c := range Channels() {
		b, err := Example(c.Name)
		if err != nil {
			f.Fatal(err)
		}
		i := slices.Index(names, c.Schema)
		f.Add(uint8(i), b)
		f.Add(uint8(i), bytes.ToUpper(b))
		f.Add(uint8(i), append(bytes.TrimRight(bytes.TrimSpace(b), "}"), []byte(`,"ID":"x","\u0056":7,"\u017ftate":"x","Stream":"x","NACK":[{"SEQ":1}],"Links":{"K":{"STATE":"x"}}}`)...))
	}
	f.Add(uint8(slices.Index(names, "named")), []byte(`{"online":true,"store":"a","Store":"b","ONLINE":false}`))
	f.Add(uint8(slices.Index(names, "ack.v1")), []byte(`{"nack":[{"seq":1,"Seq":2},null,{"\u0073eq":3}],"acked_seq":4}`))
	f.Fuzz(func(t *testing.T, which uint8, payload []byte) {
		if !utf8.Valid(payload) || !json.Valid(payload) {
			if Exact(payload, &Event{}) == nil {
				t.Errorf("took %.200q", payload)
			}
			return
		}
		make := payloads[names[int(which)%len(names)]]
		want, got := make(), make()
		err, ok := slowly(payload, reflect.ValueOf(want).Elem())
		if !ok {
			return
		}
		if e := Exact(slices.Clone(payload), got); (e == nil) != (err == nil) {
			t.Fatalf("%.500q: %v, want %v", payload, e, err)
		} else if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%.500q\n got %+v\nwant %+v", payload, got, want)
		}
	})
}
