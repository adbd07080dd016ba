package scenario

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"yuanlu/firmware-sim/judge"
	"yuanlu/firmware-sim/wire"
)

func TestReadScript(t *testing.T) {
	steps, err := ReadScript(strings.NewReader("# a day\n\n" + `{"do":"sale","as":"s1","pay":"chip","amount":1000}
{"do":"wait","for":"24h"}
{"do":"refund","of":"s1","to":"boris","entry":"keyed"}
`))
	if err != nil || len(steps) != 3 || steps[2].To != "boris" {
		t.Fatal(err, steps)
	}
}

func TestReadScriptNamesTheLine(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{"do":"rob"}`, "do"},
		{`{"do":"sale","pay":"cheque"}`, "pay"},
		{`{"do":"sale","colour":"red"}`, "colour"},
		{`{"do":"wait","for":"soon"}`, "for"},
		{`{"do":"refund"}`, "of"},
		{`{"do":"sale","outcome":"maybe"}`, "outcome"},
		{`{"do":"sale","form":"blurred"}`, "form"},
		{`{"do":"sale","amount":-1}`, "amount"},
		{`{"do":`, "EOF"},
	} {
		t.Run(c.line, func(t *testing.T) {
			_, err := ReadScript(strings.NewReader(`{"do":"sale"}` + "\n" + c.line + "\n"))
			if !errors.Is(err, ErrScript) || !strings.HasPrefix(err.Error(), "line 2: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.line, err)
			}
		})
	}
}

// TestLedgerCutShort: the power may go in the middle of a line, and only there.
func TestLedgerCutShort(t *testing.T) {
	var b bytes.Buffer
	for i := range 3 {
		if err := WriteEntry(&b, &Entry{Seq: int64(i + 1), Record: wire.Record{Kind: "sale"}}); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString(`{"confirmed":2}` + "\n")
	whole := b.Len()
	b.WriteString(`{"seq":4,"rec`)
	got, err := ReadEntries(bytes.NewReader(b.Bytes()))
	if err != nil || len(got) != 3 {
		t.Errorf("%d entries, %v", len(got), err)
	}
	broken := append(bytes.Clone(b.Bytes()[:whole]), "{\"seq\":4,\"rec\n"...)
	if _, err := ReadEntries(bytes.NewReader(broken)); !errors.Is(err, ErrScript) || !strings.Contains(err.Error(), "line 5") {
		t.Errorf("a broken line in the middle: %v", err)
	}
}

func TestFinal(t *testing.T) {
	es := []Entry{{Seq: 1, Truth: &Truth{Label: CannotTell}}, {Seq: 2, Revises: []Revision{{Seq: 1, Truth: &Truth{Label: Right}}}}}
	Final(es)
	if es[0].Truth.Label != Right {
		t.Error(es[0].Truth.Label)
	}
}

func TestLabel(t *testing.T) {
	with := func(recipient, decision string, s judge.Severity, code string) *judge.Verdict {
		return &judge.Verdict{Recipient: recipient, Decision: decision, Findings: []judge.Finding{{Code: code, Severity: s}}}
	}
	alarm := func(recipient, code string) *judge.Verdict { return with(recipient, "alarm", judge.High, code) }
	review := func(recipient, code string) *judge.Verdict { return with(recipient, "review", judge.Medium, code) }
	pass := &judge.Verdict{Recipient: "same", Decision: "pass"}
	same := Facts{Payer: "a/card", Recipient: "a/card", Moved: true}
	other := Facts{Payer: "a/card", Recipient: "b/card", Moved: true}
	for _, c := range []struct {
		name string
		f    Facts
		v    *judge.Verdict
		want string
	}{
		{"same card", same, pass, Right},
		{"other card, seen", other, alarm("different", "recipient_mismatch"), Wrong},
		{"other card with the same mask", other, pass, CannotTell},
		{"other card, hidden", other, review("unverifiable", "recipient_unverifiable"), CannotTell},
		{"same card, hidden", same, review("unverifiable", "recipient_unverifiable"), CannotTell},
		{"too much", same, alarm("same", "over_refund"), Wrong},
		{"too much if a guess is right", same, review("same", "over_refund"), CannotTell},
		{"never sold", Facts{Payer: "nobody", Recipient: "b/card", Moved: true, Invented: true}, alarm("unverifiable", "no_original"), Wrong},
		{"sold at another terminal", same, alarm("unverifiable", "no_original"), CannotTell},
		{"declined", Facts{Payer: "a/card", Recipient: "b/card"}, &judge.Verdict{Recipient: "none", Reason: "cancelled", Decision: "pass"}, Right},
		{"another way, same person", Facts{Payer: "a/wechat", Recipient: "a/card", Moved: true, OtherWay: true}, alarm("different", "channel_changed"), Wrong},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Label(c.f, c.v); got.Label != c.want || got.Why == "" {
				t.Errorf("%s: %s (%s), want %s", c.name, got.Label, got.Why, c.want)
			}
		})
	}
}
