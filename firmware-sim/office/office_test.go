package office

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestScriptIsWhole: each step is of a person who was hired and of a story that exists, and what it sends is JSON without a
// place that was left open; each story ends by people.
func TestScriptIsWhole(t *testing.T) {
	f := &office{facts: map[string]*fact{}}
	for _, s := range stories() {
		f.facts[s.name] = &fact{no: "C-2026-000001", id: "R1", number: "261128000032", at: "2026-11-28T12:19:17+08:00", amount: 350, stake: 700, second: "R2",
			latest: map[string]int64{"contacted": 3, "filed": 4, "proposed": 5}}
		if !strings.HasSuffix(s.journal, ":closed") {
			t.Errorf("%s: the journal ends with %q", s.name, s.journal)
		}
	}
	refused := map[string]bool{}
	open := regexp.MustCompile(`\{[a-z.]+\}`)
	for i, one := range day() {
		t.Run(fmt.Sprint(i, one.story, one.do), func(t *testing.T) {
			if f.facts[one.story] == nil {
				t.Fatalf("no story is called %q", one.story)
			}
			if !slices.ContainsFunc(staff(), func(p hired) bool { return p.id == one.who }) {
				t.Errorf("%q works here but was not hired", one.who)
			}
			with := f.filled(&one)
			if m := open.FindString(with); m != "" || one.do != "file" && !json.Valid([]byte("{"+with+"}")) {
				t.Errorf("it sends %s; %q is open", with, m)
			}
		})
		refused[one.refused] = true
	}
	for _, code := range []string{"same_person", "involved"} {
		if !refused[code] {
			t.Errorf("the refusal %s is not shown", code)
		}
	}
}

// TestJournalIsAChain: what is missing, moved or changed in a journal is noticed.
func TestJournalIsAChain(t *testing.T) {
	const first = `{"case":"desk","seq":1,"at":"2026-12-01T10:49:23+08:00","by":"chen","what":"noted","data":{},"prev":"` + "%s" + `"`
	whole := journal(t, first, 3)
	if did, last, err := read(whole); err != nil || last.Seq != 3 || did != "chen:noted chen:noted chen:noted" {
		t.Fatalf("%q, event %d, %v", did, last.Seq, err)
	}
	for name, broken := range map[string][]json.RawMessage{
		"an event is missing":  {whole[0], whole[2]},
		"two have changed":     {whole[1], whole[0], whole[2]},
		"a text was changed":   {whole[0], json.RawMessage(strings.Replace(string(whole[1]), "noted", "filed", 1)), whole[2]},
		"the first is missing": whole[1:],
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := read(broken); err == nil {
				t.Error("not noticed")
			}
		})
	}
}

// journal makes n events in a chain.
func journal(t *testing.T, first string, n int) (list []json.RawMessage) {
	t.Helper()
	prev := strings.Repeat("0", 64)
	for i := range n {
		bare := fmt.Sprintf(strings.Replace(first, `"seq":1`, fmt.Sprintf(`"seq":%d`, i+1), 1), prev) + "}"
		prev = sum(bare)
		list = append(list, json.RawMessage(strings.TrimSuffix(bare, "}")+`,"hash":"`+prev+`"}`))
	}
	return list
}
