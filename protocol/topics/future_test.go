package topics

import (
	"encoding/json"
	"reflect"
	"testing"
)

// fromTheFuture adds unknown members at every level of a payload. Where
// the members of an object are names (of links, severities, attributes) it adds
// none, since each is a thing of its own.
func fromTheFuture(x any, name string) any {
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			x[k] = fromTheFuture(v, k)
		}
		if name != "links" && name != "open" && name != "attrs" {
			x["a_member_of_2031"] = map[string]any{"x": []any{1, 2.5, nil, "y"}}
			x["another"] = nil
		}
	case []any:
		for i, v := range x {
			if _, object := v.(map[string]any); object {
				x[i] = fromTheFuture(v, "")
			}
		}
	}
	return x
}

// payloadOf returns what a channel's payload is read into.
func payloadOf(channel string) any {
	return map[string]any{"state": &State{}, "info": &Info{}, "health": &Health{}, "link": &LinkState{}, "case": &Event{}, "day": &Event{},
		"caseSummary": &CaseSummary{}, "event": &Event{}, "log": &LogLine{}, "rsp": &Rsp{}, "config": &Config{}, "cmd": &Cmd{},
		"ack": &Ack{}, "desiredConfig": &DesiredConfig{}, "hostState": &HostState{}, "cosign": &Cosign{}}[channel]
}

// TestFuturePayloads: members added at every level pass every schema and change
// nothing of what is read. A payload of another version does not pass: who does not
// know it must not guess.
func TestFuturePayloads(t *testing.T) {
	v := testValidator(t)
	for _, c := range Channels() {
		if c.Name == "checkpoint" {
			continue // evidence.md § 2: one with other members is refused
		}
		example, err := Example(c.Name)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(example, &m); err != nil {
			t.Fatal(err)
		}
		future, err := json.Marshal(fromTheFuture(m, ""))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Check(c.Schema, future); err != nil {
			t.Errorf("%s of the future: %v", c.Name, err)
		}
		now, later := payloadOf(c.Name), payloadOf(c.Name)
		if err := json.Unmarshal(example, now); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if err := json.Unmarshal(future, later); err != nil {
			t.Errorf("%s of the future: %v", c.Name, err)
		}
		withoutOpaque(now)
		withoutOpaque(later)
		if !reflect.DeepEqual(now, later) {
			t.Errorf("%s of the future is read as %+v, today as %+v", c.Name, later, now)
		}
		if _, versioned := m["v"]; versioned {
			m["v"] = 2
			another, _ := json.Marshal(m)
			if err := v.Check(c.Schema, another); err == nil {
				t.Errorf("%s of version 2 passes as version 1", c.Name)
			}
		}
	}
}

// withoutOpaque takes away what is kept as it came.
func withoutOpaque(payload any) {
	switch p := payload.(type) {
	case *Event:
		p.Data = nil
	case *Rsp:
		p.Data = nil
	case *Cmd:
		p.Args = nil
	}
}
