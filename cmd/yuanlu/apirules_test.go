package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/ask"
	"yuanlu/agent/follow"
	"yuanlu/agent/refund/rules"
)

// TestAPIRules: the catalogue has every rule with number, severities and texts in both
// languages, in JSON and for people, and the schema of a case names the same codes.
func TestAPIRules(t *testing.T) {
	code, out, _ := yl(t, "", "api", "rules", "--json")
	var got struct {
		Rules []struct {
			Code                string
			Numbers, Severities []string
			Texts               []struct{ EN, ZH string }
		}
	}
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil || len(got.Rules) != len(rules.All())+len(ask.Rules())+len(follow.Rules()) {
		t.Fatalf("exit %d, %v, %d rules", code, err, len(got.Rules))
	}
	known := map[string]bool{}
	for _, r := range got.Rules {
		known[r.Code] = true
		if r.Code == "" || r.Numbers == nil || len(r.Severities) == 0 || len(r.Texts) == 0 {
			t.Errorf("%+v lacks something", r)
		}
		for _, text := range r.Texts {
			if text.EN == "" || text.ZH == "" {
				t.Errorf("%s lacks a text", r.Code)
			}
		}
		if !slices.ContainsFunc(r.Severities, func(s string) bool {
			return slices.Contains([]string{"critical", "high", "medium", "low", "info"}, s)
		}) {
			t.Errorf("%s: severities %v", r.Code, r.Severities)
		}
	}
	for lang, want := range map[string]string{"en": "Refund {refund_no} of {amt} goes to", "zh": "收款方是"} {
		if code, out, _ := yl(t, "", "api", "rules", "--lang", lang); code != 0 || !strings.Contains(out, want) || !strings.Contains(out, "recipient_mismatch  RC-101, RC-102  critical, high") {
			t.Errorf("%s: exit %d\n%s", lang, code, out)
		}
	}
	for _, r := range follow.Rules() {
		delete(known, r.Code)
		if !slices.Contains(exampleValues(t, "case.followed.v1", "what"), r.Code) {
			t.Errorf("case.followed.v1 does not name %s", r.Code)
		}
	}
	named := exampleValues(t, "case.v1", "$defs", "finding", "code")
	for code := range known {
		if !slices.Contains(named, code) {
			t.Errorf("case.v1 does not name the code %s", code)
		}
	}
	for _, code := range named {
		if !known[code] {
			t.Errorf("case.v1 names %s, which is the code of no rule", code)
		}
	}
}

// exampleValues returns the examples of a member in a schema, or in one of its definitions.
func exampleValues(t *testing.T, schema string, path ...string) []string {
	t.Helper()
	raw, err := os.ReadFile("../../protocol/topics/schema/" + schema + ".json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]struct{ Examples []string }
	}
	var doc struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if len(path) == 3 {
		return doc.Defs[path[1]].Properties[path[2]].Examples
	}
	return doc.Properties[path[0]].Examples
}
