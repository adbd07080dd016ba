package refund

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func storedVerdict() Verdict {
	return Verdict{
		Type: TypeVerdict, Seq: 7, Rev: 2, Kind: KindRefund, Recipient: Different, Evidence: Strong, Decision: Alarm,
		Original: &Found{Seq: 3, FoundBy: FoundByRRN},
		Findings: []Finding{
			{Code: CodeRecipientMismatch, Rule: "RC-101", Severity: Critical, Text: Text{EN: `a "quoted" one`, ZH: "退款<给>别人\n"}},
			{Code: CodeDataError, Severity: Medium, Text: Text{EN: "x", ZH: "y"}},
		},
	}
}

func TestDecodeVerdictGivesWhatAppendJSONWrote(t *testing.T) {
	none := Verdict{Type: TypeVerdict, Seq: 1, Kind: KindVoid, Recipient: NoRecipient, Reason: ReasonCancelled, Decision: Pass, Cancelled: true, Findings: []Finding{}}
	for _, v := range []Verdict{storedVerdict(), none} {
		got, err := DecodeVerdict(v.AppendJSON(nil))
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("got  %+v %v\nwant %+v", got, err, v)
		}
	}
	for _, bad := range []string{``, `{`, `{"seq":"1"}`, `{"findings":[{"severity":"huge"}]}`, `{"original":3}`, `{}x`} {
		t.Run(bad, func(t *testing.T) {
			if _, err := DecodeVerdict([]byte(bad)); !errors.Is(err, ErrStored) {
				t.Errorf("%s: %v", bad, err)
			}
		})
	}
}

func TestExplainIsStoredWithoutNames(t *testing.T) {
	x := Explain{
		Rules: []RuleRun{
			{Rule: "RC-101 a", Result: "hit"}, {Rule: "RC-102 b", Result: "no_hit"},
			{Rule: "RC-103 c", Result: "cannot_tell", Why: "no \"payer\""}, {Rule: "RC-104 d", Result: "cannot_tell"},
		},
		WouldChange: []Text{{EN: "a sale", ZH: "一笔消费"}, {EN: "b", ZH: ""}}, RuleSet: "r1", Settings: "s1",
	}
	b := EncodeExplain(nil, &x)
	const want = `{"rule_set":"r1","settings":"s1","results":"h-??","why":["no \"payer\"",""],"changes":["a sale","一笔消费","b",""]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	names := func(set string) ([]string, error) {
		if set != "r1" {
			return nil, nil
		}
		return []string{"RC-101 a", "RC-102 b", "RC-103 c", "RC-104 d"}, nil
	}
	if got, err := DecodeExplain(b, names); err != nil || !reflect.DeepEqual(got, x) {
		t.Errorf("got  %+v %v\nwant %+v", got, err, x)
	}
	got, err := DecodeExplain([]byte(`{"rule_set":"other","results":"h"}`), names)
	if err != nil || len(got.Rules) != 1 || got.Rules[0] != (RuleRun{Rule: "rule 1", Result: "hit"}) {
		t.Errorf("unknown rule set: %+v %v", got, err)
	}
	empty := Explain{Rules: []RuleRun{}, WouldChange: []Text{}}
	if got, err := DecodeExplain(EncodeExplain(nil, &empty), names); err != nil || !reflect.DeepEqual(got, empty) {
		t.Errorf("empty: %+v %v", got, err)
	}
	if _, err := DecodeExplain([]byte(`{"why":3}`), names); !errors.Is(err, ErrStored) {
		t.Errorf("bad: %v", err)
	}
}

func FuzzDecodeVerdict(f *testing.F) {
	v := storedVerdict()
	f.Add(v.AppendJSON(nil))
	f.Add([]byte(`{"type":"verdict","seq":1,"original":null,"findings":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeVerdict(b)
		if err != nil {
			return
		}
		out := v.AppendJSON(nil)
		again, err := DecodeVerdict(out)
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%s: %+v, then %+v (%v)", out, v, again, err)
		}
		if !json.Valid(out) {
			t.Fatalf("%s is no JSON", out)
		}
	})
}
