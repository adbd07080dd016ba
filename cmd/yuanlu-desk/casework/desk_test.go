package casework

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// bench is a desk with the shops and people of the journals, on Monday 24 August 2026.
type bench struct {
	*Desk
	t *testing.T
	n int64
}

const (
	shops  = `{"stores":[{"store":"s1","merchant_id":"M1","terminals":["T1","T2"],"cutoff":"22:30"},{"store":"s2","merchant_id":"M1","terminals":["T9"],"cutoff":""},{"store":"s3","merchant_id":"M3","terminals":[],"cutoff":"18:00"}]}`
	nobody = `"stores":["*"],"operators":[],"active":true}`
	staff0 = `{"people":[{"id":"bo","staff":"1","roles":["checker","supervisor"],` + nobody +
		`,{"id":"mei","staff":"2","roles":["manager"],"stores":["s1"],"operators":[{"merchant_id":"M1","terminal_id":"T1","operator":"01"}],"active":true}` +
		`,{"id":"ann","staff":"3","roles":["analyst"],` + nobody + `,{"id":"chen","staff":"4","roles":["checker"],` + nobody +
		`,{"id":"fin","staff":"5","roles":["finance"],` + nobody +
		`,{"id":"cai","staff":"6","roles":["cashier"],"stores":["s1"],"operators":[{"merchant_id":"M1","terminal_id":"","operator":"02"}],"active":true}` +
		`,{"id":"aud","staff":"7","roles":["auditor"],` + nobody + `,{"id":"adm","staff":"8","roles":["admin"],"stores":[],"operators":[],"active":true}` +
		`,{"id":"lu","staff":"9","roles":["manager"],"stores":["s2"],"operators":[],"active":true}]}`
	refundA, refundB = "0000000000000000000000000A", "0000000000000000000000000B"
	one              = "C-2026-000001"
)

func newBench(t *testing.T, setup ...string) *bench {
	t.Helper()
	b := &bench{Desk: New(), t: t}
	for _, line := range append(setup, shops, staff0) {
		b.ok("%s", line)
	}
	return b
}

// say answers a line; what stands in <> of a time is short for a time of 24 August.
func (b *bench) say(line string, args ...any) Answer {
	b.t.Helper()
	b.n++
	text := fmt.Sprintf(line, args...)
	if rest, short := strings.CutPrefix(text, "@"); short { // "@09:00 …" is a line of that time, "@25T09:00 …" of another day
		at, members, _ := strings.Cut(rest, " ")
		if !strings.Contains(at, "T") {
			at = "24T" + at
		}
		text = `{"at":"2026-08-` + at + `:00+08:00",` + members + `}`
	}
	return b.Line(b.n, []byte(text))
}

func (b *bench) ok(line string, args ...any) Answer {
	b.t.Helper()
	a := b.say(line, args...)
	if a.Refused != "" {
		b.t.Fatalf("%s refused: %s", fmt.Sprintf(line, args...), a.Refused)
	}
	return a
}

func (b *bench) refused(code Refusal, line string, args ...any) {
	b.t.Helper()
	if a := b.say(line, args...); a.Refused != code {
		b.t.Errorf("%s: refused %q, want %q", fmt.Sprintf(line, args...), a.Refused, code)
	}
}

// do runs a command of a person on the first case, at its version.
func (b *bench) do(at, by, do string) Answer {
	b.t.Helper()
	return b.ok(`@%s "by":"%s",%s`, at, by, b.on(one, do))
}

func (b *bench) no(code Refusal, at, by, do string) {
	b.t.Helper()
	b.refused(code, `@%s "by":"%s",%s`, at, by, b.on(one, do))
}

func (b *bench) on(no, do string) string {
	version, _ := b.head(no)
	name, rest, _ := strings.Cut(do, " ")
	if rest != "" {
		rest = "," + rest
	}
	return fmt.Sprintf(`"do":"%s","case":"%s","expect":%d%s`, name, no, version, rest)
}

// report is an event of a terminal about a refund of 35 000 fen; each change is a member of
// data, refund, original or verdict that is set: "refund.rrn=R9".
func (b *bench) report(at, id, kind, refund string, changes ...string) Answer {
	b.t.Helper()
	return b.ok(`@%s "event":%s`, at, eventOf(id, kind, refund, changes...))
}

func eventOf(id, kind, refund string, changes ...string) string {
	e := map[string]any{"id": "E" + id, "source": "urn:yuanlu:terminal:t-1", "stream": "S1", "sequence": fmt.Sprintf("%020s", id), "type": "yuanlu.case." + kind + ".v1",
		"data": map[string]any{"case_id": refund, "severity": "critical", "decision": "alarm",
			"verdict": map[string]any{"recipient": "different", "evidence": "strong", "findings": []any{map[string]any{"code": "recipient_mismatch"}}},
			"refund": map[string]any{"kind": "refund", "outcome": "approved", "merchant_id": "M1", "terminal_id": "T1", "operator": "02", "channel": "card", "amount": 35000,
				"currency": "CNY", "at": "2026-08-24T08:59:00+08:00", "batch": "000008", "rrn": "R" + refund[25:], "party": map[string]any{"shown": "6205****3346", "token": "k1:other"}},
			"original": map[string]any{"kind": "sale", "outcome": "approved", "merchant_id": "M1", "terminal_id": "T1", "operator": "01", "channel": "card",
				"amount": 100000, "at": "2026-08-23T18:00:00+08:00", "rrn": "260823000101"}}}
	for _, change := range changes {
		path, text, _ := strings.Cut(change, "=")
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			v = text
		}
		at := e
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			at, _ = at[name].(map[string]any)
		}
		if text == "-" {
			delete(at, names[len(names)-1])
		} else {
			at[names[len(names)-1]] = v
		}
	}
	return string(encode(e))
}

// view is the first case now.
func (b *bench) see(no string) *View {
	b.t.Helper()
	c := b.cases[no]
	if c == nil {
		b.t.Fatalf("no case %s", no)
	}
	return b.view(c)
}

func whats(a Answer) string {
	var out []string
	for _, e := range a.Events {
		out = append(out, e.Case[len(e.Case)-1:]+":"+e.What)
	}
	return strings.Join(out, " ")
}

func (b *bench) wants(a Answer, events string) {
	b.t.Helper()
	if got := whats(a); got != events {
		b.t.Errorf("events %q, want %q", got, events)
	}
}

// found is a case in which both tracks run.
func found0(t *testing.T, setup ...string) *bench {
	t.Helper()
	b := newBench(t, setup...)
	b.report("09:00", "1", typeOpened, refundA)
	b.do("09:10", "ann", `propose "commands":[{"do":"finding","wrong":["`+refundA+`"],"owed":35000}],"text":"wrong"`)
	b.do("09:10", "chen", `approve "proposal":4`)
	return b
}
