package casework

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNobodyAloneEndsACase tries every pair of persons, by roles and by what they had to do
// with the refund, for each command that needs two: what one human may do alone, and who
// may approve what another proposed.
func TestNobodyAloneEndsACase(t *testing.T) {
	roles := []string{cashier, manager, analyst, checker, supervisor, finance, auditor, admin}
	type human struct{ id, roles, operators string }
	var humans []human
	for i, r := range roles {
		humans = append(humans, human{fmt.Sprintf("p%d", i), `["` + r + `"]`, `[]`},
			human{fmt.Sprintf("q%d", i), `["` + r + `"]`, `[{"merchant_id":"M1","terminal_id":"","operator":"02"}]`})
	}
	humans = append(humans, human{"owner", `["checker","supervisor","manager","analyst"]`, `[]`}, human{"boss", `["cashier","manager","analyst","checker","supervisor","finance"]`, `[]`},
		human{"keyed", `["cashier","manager","analyst","checker","supervisor","finance"]`, `[{"merchant_id":"M1","terminal_id":"T1","operator":"02"}]`})
	people := []string{}
	for _, h := range humans {
		people = append(people, fmt.Sprintf(`{"id":%q,"staff":"x%s","roles":%s,"stores":["*"],"operators":%s,"active":true}`, h.id, h.id, h.roles, h.operators))
	}
	has := func(h human, any ...string) bool {
		return slices.ContainsFunc(any, func(r string) bool { return strings.Contains(h.roles, `"`+r+`"`) })
	}
	for name, orders := range map[string]string{
		"finding": `{"do":"finding","wrong":["` + refundA + `"],"owed":35000}`,
		"reissue": `{"do":"finding","wrong":["` + refundA + `"],"owed":35000},{"do":"reissue","amount":35000,"way":"original","number":""}`,
		"loss":    `{"do":"finding","wrong":["` + refundA + `"],"owed":0},{"do":"write_off","bearer":"merchant"}`,
		"close":   `{"do":"close","outcome":"test"}`,
		"reopen":  `{"do":"close","outcome":"test"},{"do":"reopen"}`,
		"merge":   `{"do":"close","outcome":"duplicate","into":"C-2026-000002"}`,
	} {
		for _, unknown := range []bool{false, true} { // no one was ever registered as the operator
			for _, maker := range humans {
				for _, judge := range humans {
					b := &bench{Desk: New(), t: t}
					b.ok("%s", shops)
					b.ok(`{"people":[%s]}`, strings.Join(people, ","))
					operator := "02"
					if unknown {
						operator = "77"
					}
					b.report("09:00", "1", typeOpened, refundA, `data.refund.operator="`+operator+`"`)
					b.report("09:01", "2", typeOpened, refundB, "data.original=null") // another case of the same recipient, to merge with
					proposed := b.say(`@09:10 "by":"%s",%s`, maker.id, b.on(one, `propose "commands":[`+orders+`],"text":"x"`)).Refused
					if may := has(maker, manager, analyst, supervisor); may != (proposed == "") {
						t.Fatalf("%s proposes %s: %q", maker.id, name, proposed)
					}
					if proposed != "" {
						continue
					}
					got := b.say(`@09:20 "by":"%s",%s`, judge.id, b.on(one, `approve "proposal":4`)).Refused
					want := Refusal("")
					switch keyed := strings.Contains(judge.operators, "02"); {
					case !has(judge, checker, supervisor):
						want = NotAllowed
					case judge.id == maker.id:
						want = SamePerson
					case !unknown && keyed, unknown && has(judge, cashier, manager):
						want = Involved
					case (name == "loss" || name == "reopen") && !has(judge, supervisor):
						want = NeedsSupervisor
					}
					if got != want {
						t.Fatalf("%s approves %s of %s (operator %s): %q, want %q", judge.id, name, maker.id, operator, got, want)
					}
				}
			}
		}
	}
}

// A registration counts for ever, also when it was taken away before the approval.
func TestARegistrationIsNotForgotten(t *testing.T) {
	b := newBench(t)
	b.report("09:00", "1", typeOpened, refundA, "data.refund.releaser=R7")
	b.ok(`@09:01 "by":"adm","do":"person","person":{"id":"chen","staff":"4","roles":["checker"],"stores":["*"],"operators":[{"merchant_id":"M1","terminal_id":"T1","operator":"R7"}],"active":true}`)
	b.ok(`@09:02 "by":"adm","do":"person","person":{"id":"chen","staff":"4","roles":["checker"],"stores":["*"],"operators":[],"active":true}`)
	b.do("09:10", "ann", `propose "commands":[{"do":"close","outcome":"test"}],"text":"x"`)
	b.no(Involved, "09:11", "chen", `approve "proposal":4`)
	b.no(Involved, "09:11", "chen", `reject "proposal":4,"text":"x"`)
	b.do("09:12", "bo", `reject "proposal":4,"text":"x"`)
}

// TestTicksChangeNothing: the same events, however often the clock ticks between the lines.
func TestTicksChangeNothing(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.want.jsonl")
	for _, file := range files {
		in, err := os.ReadFile(strings.TrimSuffix(file, ".want.jsonl") + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		var plain, ticked bytes.Buffer
		a, b := New(), New()
		for i, line := range bytes.Split(in, []byte("\n")) {
			if len(line) == 0 {
				continue
			}
			var l struct{ At string }
			if json.Unmarshal(line, &l) == nil {
				if at, ok := moment(l.At); ok && b.clock > 365*day {
					for step := b.clock; step < at; step += max(1, (at-b.clock)/7) {
						for _, e := range b.Line(0, fmt.Appendf(nil, `{"at":%q,"tick":true}`, b.cal.Format(step))).Events {
							ticked.Write(append(e.Bytes(), '\n'))
						}
					}
				}
			}
			for _, e := range a.Line(int64(i), line).Events {
				plain.Write(append(e.Bytes(), '\n'))
			}
			for _, e := range b.Line(int64(i), line).Events {
				ticked.Write(append(e.Bytes(), '\n'))
			}
		}
		if !bytes.Equal(plain.Bytes(), ticked.Bytes()) {
			t.Errorf("%s: ticks change the events", file)
		}
	}
}
