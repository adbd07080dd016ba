package topics

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testValidator(t testing.TB) *Validator {
	t.Helper()
	v, err := NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNames(t *testing.T) {
	n, err := NewNames("shops/cn/yuanlu", "t-00423")
	if err != nil {
		t.Fatal(err)
	}
	base := "shops/cn/yuanlu/v1/t-00423/"
	for got, want := range map[string]string{
		n.State(): base + "up/state", n.Info(): base + "up/info", n.Health(): base + "up/health",
		n.LinkState("pos"): base + "up/link/pos/state", n.Case(): base + "up/case",
		n.CaseSummary(): base + "up/case-summary", n.Event(): base + "up/event",
		n.Log("warn"): base + "up/log/warn", n.Rsp("ping"): base + "up/rsp/ping", n.Config(): base + "up/config",
		n.CmdFilter(): base + "dn/cmd/#", n.Cmd("ping"): base + "dn/cmd/ping", n.Ack(): base + "dn/ack",
		n.DesiredConfig(): base + "dn/config", n.DownFilter(): base + "dn/#",
		n.HostState("desk"): "shops/cn/yuanlu/v1/_host/desk/state",
		n.Source():          "urn:yuanlu:terminal:t-00423",
	} {
		t.Run(got, func(t *testing.T) {
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestNamesRefuse(t *testing.T) {
	for _, tc := range []struct{ root, terminal string }{
		{"", "t"}, {"a//b", "t"}, {"/a", "t"}, {"a/", "t"}, {"a/+", "t"}, {"a#", "t"}, {"$SYS", "t"}, {"a\x00", "t"},
		{"a\xff", "t"}, {strings.Repeat("a", 257), "t"},
		{"a", ""}, {"a", "T1"}, {"a", "_host"}, {"a", "a/b"}, {"a", "a+"}, {"a", strings.Repeat("a", 65)}, {"a", "é"},
	} {
		t.Run(tc.root, func(t *testing.T) {
			if _, err := NewNames(tc.root, tc.terminal); !errors.Is(err, ErrName) {
				t.Errorf("NewNames(%q, %q) = %v, want ErrName", tc.root, tc.terminal, err)
			}
		})
	}
}

func TestParseDown(t *testing.T) {
	n := Names{Root: "y/z", Terminal: "t1"}
	for topic, want := range map[string]struct {
		d    Down
		name string
	}{
		"y/z/v1/t1/dn/ack":              {DownAck, ""},
		"y/z/v1/t1/dn/config":           {DownConfig, ""},
		"y/z/v1/t1/dn/cmd/ping":         {DownCmd, "ping"},
		"y/z/v1/t1/dn/cmd/Ping":         {DownUnknown, ""},
		"y/z/v1/t1/dn/cmd/a/b":          {DownUnknown, ""},
		"y/z/v1/t1/dn/cmd":              {DownUnknown, ""},
		"y/z/v1/t2/dn/ack":              {DownUnknown, ""},
		"y/z/v1/_host/desk/state":       {DownHost, "desk"},
		"y/z/v1/_host/desk/other/state": {DownUnknown, ""},
		"y/z/v1/_host/state":            {DownUnknown, ""},
		"":                              {DownUnknown, ""},
	} {
		t.Run(topic, func(t *testing.T) {
			if d, name := n.ParseDown(topic); d != want.d || name != want.name {
				t.Errorf("ParseDown(%q) = %v %q, want %v %q", topic, d, name, want.d, want.name)
			}
		})
	}
}

func TestSchemaOfTopic(t *testing.T) {
	n := Names{Root: "y", Terminal: "t1"}
	for topic, want := range map[string]string{
		n.State(): "state.v1", n.LinkState("pos"): "link-state.v1", n.Case(): "case-event.v1", n.Rsp("ping"): "rsp.v1",
		n.Ack(): "ack.v1", n.HostState("desk"): "host-state.v1", n.Log("warn"): "log.v1", n.DesiredConfig(): "desired-config.v1",
		"y/v1/t1/up/other": "", "other": "", "y/v1/t1/up": "", "y/v1/t1/up/link//state": "",
	} {
		t.Run(topic, func(t *testing.T) {
			if got := SchemaOfTopic("y", topic); got != want {
				t.Errorf("SchemaOfTopic(%q) = %q, want %q", topic, got, want)
			}
		})
	}
}

// The example of topics.md (Case event) with real values.
const caseData = `{"case_id":"01J9ABCDEFGHJKMNPQRSTVWXYZ","severity":"critical","decision":"alarm",
"verdict":{"type":"verdict","seq":2,"rev":1,"kind":"refund","recipient":"different","reason":"","evidence":"strong","decision":"alarm","cancelled":false,"original":{"seq":1,"found_by":"rrn"},"findings":[{"code":"recipient_mismatch","rule":"RC-101","severity":"critical","text":{"en":"other card","zh":"卡号不同"}}]},
"refund":{"link":"pos","kind":"refund","merchant_id":"898000000000001","channel":"card","entry":"keyed","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000104","party":{"scheme":"pan","shown":"620550*********0004","token":"k1:ab"}},
"original":null,"evidence":[{"record":2,"frame_mac":"k1:cd","received":"2026-08-23T01:00:00.345Z"}]}`

func caseFields() Fields {
	return Fields{ID: "01J9ABCDEFGHJKMNPQRSTVWXY0", Source: "urn:yuanlu:terminal:t-00423", Type: "yuanlu.case.opened.v1",
		Subject: "case/01J9ABCDEFGHJKMNPQRSTVWXYZ", Stream: "01J8ABCDEFGHJKMNPQRSTVWXYZ",
		Time: time.Date(2026, 8, 23, 9, 0, 0, 345_600_000, time.FixedZone("", 8*3600)), Sequence: 1234, Attempt: 1, ClockSynced: true,
		Data: []byte(caseData)}
}

func TestEventBytes(t *testing.T) {
	f := caseFields()
	got := AppendEvent(nil, &f)
	want := `{"specversion":"1.0","id":"01J9ABCDEFGHJKMNPQRSTVWXY0","source":"urn:yuanlu:terminal:t-00423","type":"yuanlu.case.opened.v1","subject":"case/01J9ABCDEFGHJKMNPQRSTVWXYZ",` +
		`"time":"2026-08-23T01:00:00.345Z","datacontenttype":"application/json","dataschema":"urn:yuanlu:schema:case.opened.v1","sequence":"00000000000000001234",` +
		`"stream":"01J8ABCDEFGHJKMNPQRSTVWXYZ","attempt":1,"historical":false,"clocksynced":true,"data":` + caseData + `}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := testValidator(t).Check("case-event.v1", got); err != nil {
		t.Error(err)
	}
	var e Event
	if err := json.Unmarshal(got, &e); err != nil {
		t.Fatal(err)
	}
	if e.Sequence != "00000000000000001234" || !e.Time.Equal(f.Time.Truncate(time.Millisecond)) {
		t.Errorf("read back %+v", e)
	}
}

func TestEventOfPlainKind(t *testing.T) {
	f := Fields{ID: "e1", Source: "urn:yuanlu:terminal:t1", Type: "link.lost", Subject: "link/pos \"a\"\n", Stream: "s", Time: time.Unix(0, 0), Attempt: 2}
	b := AppendEvent(nil, &f)
	if err := testValidator(t).Check("event.v1", b); err != nil {
		t.Error(err)
	}
	if bytes.Contains(b, []byte(`"sequence"`)) {
		t.Error("an event without a sequence has one")
	}
}

// TestPayloadsSatisfyTheirSchemas also shows that a payload from the future,
// with unknown members, passes and is read.
func TestPayloadsSatisfyTheirSchemas(t *testing.T) {
	v := testValidator(t)
	now := At(time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC))
	seq, days := int64(3), 41
	for schema, payload := range map[string]any{
		"state.v1":          &State{V: 1, State: StateLost, Session: "s"},
		"info.v1":           &Info{V: 1, Program: "yuanlu", Schemas: SchemaIDs(), Links: []InfoLink{{"pos", "mispos", "/dev/ttyS1"}}},
		"health.v1":         &Health{V: 1, TS: now, IntervalS: 60, Verdict: HealthOK, Problems: []Problem{{Code: "x"}}, Links: map[string]HealthLink{"pos": {State: "online"}}, CertDays: &days},
		"link-state.v1":     &LinkState{V: 1, Name: "pos", State: "absent", Since: now},
		"case-summary.v1":   &CaseSummary{V: 1, Stream: "s", Open: map[string]int{"critical": 0, "high": 1, "medium": 0}, OldestUnacked: &now},
		"log.v1":            &LogLine{TS: now, Level: "warn", Code: "link.lost", Attrs: map[string]string{"a": "b"}},
		"rsp.v1":            &Rsp{ID: "1", Status: RspFailed, Data: json.RawMessage("{}"), Error: &RspError{"a", "b"}, TS: now},
		"config.v1":         &Config{V: 1, Status: ConfigRejected, Errors: []ConfigError{{"a", 1, 2, "m"}}},
		"cmd.v1":            &Cmd{ID: "1", TS: now, TTLS: 60},
		"ack.v1":            &Ack{Stream: "s", AckedSeq: &seq},
		"desired-config.v1": &DesiredConfig{Version: 2, Expected: 1},
		"host-state.v1":     &HostState{Online: true, Timestamp: 1},
	} {
		t.Run(schema, func(t *testing.T) {
			b, err := json.Marshal(payload)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Check(schema, b); err != nil {
				t.Errorf("%s: %v\n%s", schema, err, b)
			}
			future := append([]byte(`{"a_member_of_2031":{"x":[1,2.5,null]},`), b[1:]...)
			if err := v.Check(schema, future); err != nil {
				t.Errorf("%s of the future: %v", schema, err)
			}
			back := reflect.New(reflect.TypeOf(payload).Elem())
			if err := json.Unmarshal(future, back.Interface()); err != nil {
				t.Errorf("%s of the future: %v", schema, err)
			}
			again, _ := json.Marshal(back.Interface())
			if !bytes.Equal(again, b) {
				t.Errorf("%s: read back as %s, was %s", schema, again, b)
			}
		})
	}
}

func TestCheckSaysWhere(t *testing.T) {
	v := testValidator(t)
	good := caseFields()
	event := string(AppendEvent(nil, &good))
	for _, tc := range []struct{ schema, payload, path, want string }{
		{"state.v1", `{"v":1,"state":"online"}`, "", "it"},
		{"state.v1", `{"v":2,"state":"online","session":"s"}`, "/v", "one of [1]"},
		{"state.v1", `{"v":1,"state":"up","session":"s"}`, "/state", ""},
		{"state.v1", `[]`, "", "an object"},
		{"state.v1", `{`, "", "JSON in UTF-8"},
		{"state.v1", "{\"v\":1,\"state\":\"online\",\"session\":\"\xff\"}", "", "JSON in UTF-8"},
		{"host-state.v1", `{"online":true,"timestamp":1.5}`, "/timestamp", "an integer"},
		{"host-state.v1", `{"online":true,"timestamp":-1}`, "/timestamp", "at least 0"},
		{"cmd.v1", `{"id":"a b","ts":"2026-01-01T00:00:00Z","ttl_s":1}`, "/id", ""},
		{"cmd.v1", `{"id":"a","ts":"yesterday","ttl_s":1}`, "/ts", "an RFC 3339 time"},
		{"cmd.v1", `{"id":"a","ts":"2026-01-01T00:00:00Z","ttl_s":86401}`, "/ttl_s", "at most 86400"},
		{"cmd.v1", `{"id":"a","ts":"2026-01-01T00:00:00Z","ttl_s":99999999999999999999999}`, "/ttl_s", "at most 86400"},
		{"ack.v1", `{"stream":"s"}`, "", "it"},
		{"ack.v1", `{"stream":"s","nack":[]}`, "/nack", "at least 1"},
		{"ack.v1", `{"stream":"s","nack":[{"seq":1,"code":"x"},{"seq":0,"code":"x"}]}`, "/nack/1/seq", "at least 1"},
		{"health.v1", `{"links":{"pos":{"state":"odd"}}}`, "/links/*/state", ""},
		{"case-event.v1", strings.Replace(event, "01J9ABCDEFGHJKMNPQRSTVWXYZ\",\"severity", "x\",\"severity", 1), "/data/case_id", ""},
		{"case-event.v1", strings.Replace(event, `"found_by":"rrn"`, `"found_by":"luck"`, 1), "/data/verdict/original/found_by", ""},
		{"case-event.v1", strings.Replace(event, `"sequence":"0000`, `"sequence":"`, 1), "/sequence", ""},
		{"cmd-args.log-level.v1", `{"level":"debug","levle":1}`, "", "one of for_s, level"},
		{"cmd-args.log-level.v1", `{"level":"loud"}`, "/level", `one of ["debug" "info" "warn" "error"]`},
		{"cmd-args.ping.v1", `{"x":1}`, "", "no members"},
		{"nothing.v1", `{}`, "", "one of Schemas"},
		{"event-data.v1", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), strings.Repeat("/*", 65), ""},
	} {
		t.Run(tc.schema, func(t *testing.T) {
			err := v.Check(tc.schema, []byte(tc.payload))
			var se *SchemaError
			if !errors.As(err, &se) || !errors.Is(err, ErrSchema) {
				t.Errorf("%s %s: %v, want a SchemaError", tc.schema, tc.payload, err)
				return
			}
			if se.Path != tc.path || tc.want != "" && se.Want != tc.want {
				t.Errorf("%s: at %q want %q; expected at %q want %q", tc.schema, se.Path, se.Want, tc.path, tc.want)
			}
		})
	}
}

func TestSchemasCompileAndAreUsed(t *testing.T) {
	docs, err := Schemas()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"signed.v1": true, "day.v1": true}
	for _, c := range Channels() {
		used[c.Schema] = true
	}
	used[ProgressSchema] = true
	for _, typ := range EventTypes() {
		used["event-data."+typ+".v1"] = true
	}
	for _, c := range Commands() {
		used[c.ArgsSchema()], used[c.DataSchema()] = true, true
		if c.Paged {
			used[c.PageSchema()] = true
		}
	}
	for _, d := range docs {
		if !used[d.Name] && !strings.HasPrefix(d.Name, "case.") && !strings.HasPrefix(d.Name, "hold.") && d.Name != "event-data.v1" {
			t.Errorf("schema %s belongs to no channel", d.Name)
		}
		delete(used, d.Name)
	}
	for name := range used {
		t.Errorf("no schema %s", name)
	}
	for _, typ := range []string{"yuanlu.case.opened.v1", "yuanlu.case.revised.v1", "yuanlu.case.cleared.v1", "link.lost", "of.the_future", "../case.v1", ""} {
		t.Run(typ, func(t *testing.T) {
			name := strings.TrimPrefix(DataSchema(typ), "urn:yuanlu:schema:")
			if err := testValidator(t).Check(name, []byte(`{}`)); err != nil && strings.Contains(err.Error(), "no such schema") {
				t.Error(err)
			}
		})
	}
}

func TestSchemaCompilerRefusesWhatItCannotCheck(t *testing.T) {
	for _, s := range []string{
		`{"$id":"urn:yuanlu:schema:x","minProperties":1}`, `{"$id":"urn:yuanlu:schema:x","format":"uri"}`,
		`{"$id":"urn:yuanlu:schema:x","type":"text"}`, `{"$id":"urn:yuanlu:schema:x","pattern":"("}`,
		`{"$id":"urn:yuanlu:schema:x","$ref":"urn:nowhere"}`, `{"$id":"urn:yuanlu:schema:y"}`, `[]`,
		`{"$id":"urn:yuanlu:schema:x","type":"object","$ref":"#"}`,
	} {
		t.Run(s, func(t *testing.T) {
			if _, err := compileAll([]SchemaDoc{{"x", []byte(s)}}); err == nil {
				t.Errorf("compiled %s", s)
			}
		})
	}
}

func TestAsyncAPIIsTheTable(t *testing.T) {
	b, err := AsyncAPI("yuanlu", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if golden, err := os.ReadFile("testdata/asyncapi.json"); err != nil || !bytes.Equal(golden, b) {
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile("testdata/asyncapi.json", b, 0o644); err != nil {
				t.Fatal(err)
			}
		} else {
			t.Errorf("differs from testdata/asyncapi.json (UPDATE_GOLDEN=1 rewrites it): %v", err)
		}
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	refs := 0
	var walk func(any)
	walk = func(x any) {
		switch x := x.(type) {
		case map[string]any:
			if ref, ok := x["$ref"].(string); ok {
				if refs++; !strings.HasPrefix(ref, "#/") || !resolves(doc, ref) {
					t.Errorf("$ref %s leads nowhere in the document", ref)
				}
			}
			if _, ok := x["$id"]; ok {
				t.Error("a schema has an $id: references in it would be relative to that")
			}
			for _, y := range x {
				walk(y)
			}
		case []any:
			for _, y := range x {
				walk(y)
			}
		}
	}
	walk(doc)
	// Of each channel: payload, message, operation's channel and message. A command:
	// two messages with two schemas each, each in its channel, and an operation with a
	// channel, a message, and the channel and two messages of its reply.
	if least := 4*len(Channels()) + 2 + (4+2+5)*len(Commands()); refs < least {
		t.Errorf("%d references, want at least %d", refs, least)
	}
	if _, err := AsyncAPI("a/#", ""); !errors.Is(err, ErrName) {
		t.Errorf("bad root: %v", err)
	}
}

// TestCommandTable: the table is the list of the contract, and the schemas of each
// take what the contract's examples would send.
func TestCommandTable(t *testing.T) {
	v := testValidator(t)
	var names []string
	for _, c := range Commands() {
		names = append(names, c.Name)
		if got, ok := CommandOf(c.Name); !ok || got != c {
			t.Errorf("CommandOf(%s) = %v, %v", c.Name, got, ok)
		}
		if err := v.Check(c.ArgsSchema(), []byte(`{"a_member_of_2031":1}`)); err == nil || !strings.Contains(err.Error(), "an unknown member") {
			t.Errorf("%s: an unknown argument: %v", c.Name, err)
		}
	}
	want := "capture-start capture-stop case-resend config-get day-resend evidence hold-cancel hold-release link-reopen log-level log-tail outbox-stat ping rebirth restart selftest support-bundle"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("commands %s, want %s", got, want)
	}
	if _, ok := CommandOf("dance"); ok {
		t.Error("there is a command dance")
	}
	for _, tc := range []struct{ schema, good, bad string }{
		{"cmd-args.log-level.v1", `{"level":"debug","for_s":60}`, `{"level":"debug","for_s":14401}`},
		{"cmd-args.log-tail.v1", `{}`, `{"lines":0}`},
		{"cmd-args.link-reopen.v1", `{"link":"pos"}`, `{}`},
		{"cmd-args.capture-start.v1", `{"link":"pos","max_bytes":1000}`, `{"link":"../pos"}`},
		{"rsp-data.support-bundle.v1", `{"file":"f","bytes":1,"sha256":"` + strings.Repeat("0a", 32) + `","parts":3}`, `{"file":"f","bytes":1,"sha256":"x","parts":3}`},
		{"cmd-args.evidence.v1", `{"case_id":"01J9","sizes":[3,9],"desk":[5003],"after":-1}`, `{"case_id":"01J9","sizes":[0],"after":-1}`},
		{"rsp-page.evidence.v1", `{"page":1,"leaves":[]}`, `{"page":0,"leaves":[]}`},
		{ProgressSchema, `{"step":1,"steps":2,"what":"store"}`, `{"step":0,"steps":2,"what":"store"}`},
	} {
		t.Run(tc.schema, func(t *testing.T) {
			if err := v.Check(tc.schema, []byte(tc.good)); err != nil {
				t.Error(err)
			}
			if v.Check(tc.schema, []byte(tc.bad)) == nil {
				t.Errorf("%s takes %s", tc.schema, tc.bad)
			}
		})
	}
}

// Every channel has its example, and it is a right one.
// TestExamples: every message of the AsyncAPI document has an example, and each fits the
// schema of its channel and those of its member.
func TestExamples(t *testing.T) {
	v := testValidator(t)
	b, err := AsyncAPI("yuanlu", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Messages map[string]struct {
				Examples []struct {
					Name    string
					Payload json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	check := func(name, schema string, payload []byte) {
		t.Helper()
		if err := v.Check(schema, payload); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	commands := map[string]CommandSpec{}
	for _, c := range Commands() {
		commands["cmd"+camel(c.Name)], commands["rsp"+camel(c.Name)] = c, c
		if c.Paged {
			commands["page"+camel(c.Name)] = c
		}
	}
	for name, m := range doc.Components.Messages {
		if len(m.Examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, e := range m.Examples {
			var p struct {
				Args, Data       json.RawMessage
				Type, DataSchema string
			}
			if err := json.Unmarshal(e.Payload, &p); err != nil {
				t.Fatal(err)
			}
			cmd, ofCommand := commands[name]
			c, ofChannel := ChannelOf(name)
			typ, ofEvent := strings.CutPrefix(name, "event.")
			switch {
			case ofCommand && strings.HasPrefix(name, "cmd"):
				check(e.Name, "cmd.v1", e.Payload)
				check(e.Name, cmd.ArgsSchema(), p.Args)
			case ofCommand && strings.HasPrefix(name, "page"):
				check(e.Name, "rsp.v1", e.Payload)
				check(e.Name, cmd.PageSchema(), p.Data)
			case ofCommand:
				check(e.Name, "rsp.v1", e.Payload)
				check(e.Name, cmd.DataSchema(), p.Data)
			case ofChannel:
				check(e.Name, c.Schema, e.Payload)
			case ofEvent && typ == p.Type:
				check(e.Name, "event.v1", e.Payload)
			case name == signedMessage:
				check(e.Name, "signed.v1", e.Payload)
			default:
				t.Errorf("%s is an example of %s", e.Name, name)
			}
			if p.Type != "" {
				if p.DataSchema != DataSchema(p.Type) {
					t.Errorf("%s: dataschema %s", e.Name, p.DataSchema)
				}
				check(e.Name, strings.TrimPrefix(p.DataSchema, SchemaURN("")), p.Data)
			}
		}
	}
	if n := len(doc.Components.Messages["case"].Examples); n != 8 {
		t.Errorf("%d examples of cases, want opened, revised, cleared, two of followed, a tally, and a hold's two", n)
	}
	if _, err := Example("other"); err == nil {
		t.Error("an example of no channel")
	}
}

func resolves(doc any, ref string) bool {
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := doc.(map[string]any)
		if !ok {
			return false
		}
		if doc, ok = m[step]; !ok {
			return false
		}
	}
	return true
}

func TestSigned(t *testing.T) {
	v := testValidator(t)
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	keys := []Key{{ID: "old", Public: make([]byte, 32)}, {ID: "k1", Public: private.Public().(ed25519.PublicKey)}}
	topic := Names{"yuanlu", "t1"}.Ack()
	payload, err := Sign(private, "k1", topic, "t1", "id-1", time.Unix(1e9, 0), []byte(`{"stream":"s","acked_seq":1}`))
	if err != nil {
		t.Fatal(err)
	}
	s, body, err := Open(v, keys, topic, "t1", payload)
	if err != nil || s.ID != "id-1" || string(body) != `{"stream":"s","acked_seq":1}` {
		t.Fatalf("Open = %+v %s %v", s, body, err)
	}
	if _, _, err := Open(v, keys, topic, "t2", payload); !errors.Is(err, ErrAddressee) {
		t.Errorf("other terminal: %v", err)
	}
	if _, _, err := Open(v, keys, topic+"x", "t1", payload); !errors.Is(err, ErrSignature) {
		t.Errorf("other topic: %v", err)
	}
	if _, _, err := Open(v, keys[:1], topic, "t1", payload); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("unknown key: %v", err)
	}
	if _, _, err := Open(v, keys, topic, "t1", []byte(`{"stream":"s","acked_seq":1}`)); !errors.Is(err, ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
	for i := range payload { // no bit of it may change and still count
		for bit := range 8 {
			forged := bytes.Clone(payload)
			forged[i] ^= 1 << bit
			if got, body, err := Open(v, keys, topic, "t1", forged); err == nil && (got != s || !bytes.Equal(body, []byte(`{"stream":"s","acked_seq":1}`))) {
				t.Errorf("byte %d bit %d: accepted a forgery", i, bit)
			}
		}
	}
}

// Two different payloads must never have the same signed bytes.
func TestSignedBytesAreUnambiguous(t *testing.T) {
	v := testValidator(t)
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	keys := []Key{{"k", private.Public().(ed25519.PublicKey)}}
	body := base64.StdEncoding.EncodeToString([]byte("{}"))
	s := Signed{V: 1, KID: "k", Terminal: "t", ID: "a\n2026-01-01T00:00:00Z", TS: "2026-01-01T00:00:00Z", Body: body}
	s.Sig = base64.StdEncoding.EncodeToString(ed25519.Sign(private, s.signedBytes("x")))
	b, _ := json.Marshal(&s)
	if _, _, err := Open(v, keys, "x", "t", b); !errors.Is(err, ErrUnsigned) {
		t.Errorf("id with a newline: %v", err)
	}
	if _, err := Sign(private, "k", "x", "t", "a\nb", time.Now(), nil); err == nil {
		t.Error("signed an id with a newline")
	}
}

func FuzzCheck(f *testing.F) {
	e := caseFields()
	f.Add("case-event.v1", AppendEvent(nil, &e))
	f.Add("ack.v1", []byte(`{"stream":"s","nack":[{"seq":1,"code":"x"}]}`))
	f.Add("cmd.v1", []byte(`{"id":"1","ts":"2026-01-01T00:00:00Z","ttl_s":1e2,"args":{"a\u0041":[1,{}]}}`))
	f.Add("signed.v1", []byte(` { } `))
	v := testValidator(f)
	f.Fuzz(func(t *testing.T, schema string, payload []byte) {
		err := v.Check(schema, payload)
		if err == nil && !json.Valid(payload) {
			t.Error("passed what is not JSON")
		}
		var se *SchemaError
		if err != nil && !errors.As(err, &se) {
			t.Errorf("%T", err)
		}
	})
}

func BenchmarkEventAndCheck(b *testing.B) {
	v := testValidator(b)
	f := caseFields()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], &f)
		if err := v.Check("case-event.v1", buf); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}
