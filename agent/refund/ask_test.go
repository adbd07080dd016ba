package refund

import (
	"errors"
	"strings"
	"testing"
)

// TestAskErrorsNameTheField: and hold no value of the ask.
func TestAskErrorsNameTheField(t *testing.T) {
	const good = `{"kind":"refund","merchant_id":"M","terminal_id":"T","ask":{"id":"a-1"},"amount":1}`
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for _, c := range []struct {
		name, text, field string
		form              AskForm
	}{
		{"good", good, "", AskForm{}},
		{"without v", good, "v", AskForm{Version: true}},
		{"another v", change(`{"kind"`, `{"v":2,"kind"`), "v", AskForm{}},
		{"no merchant", change(`"merchant_id":"M",`, ""), "merchant_id", AskForm{}},
		{"the envelope's merchant", change(`"merchant_id":"M",`, ""), "", AskForm{MerchantID: "M"}},
		{"no terminal", change(`"T"`, `""`), "terminal_id", AskForm{}},
		{"a link", change(`{"kind"`, `{"link":"pos","kind"`), "link", AskForm{}},
		{"a link that is taken", change(`{"kind"`, `{"link":"pos","kind"`), "", AskForm{Link: true}},
		{"an outcome", change(`{"kind"`, `{"outcome":"approved","kind"`), "outcome", AskForm{}},
		{"another kind", change("refund", "sale"), "kind", AskForm{}},
		{"an unknown member", change(`{"kind"`, `{"x":1,"kind"`), "x", AskForm{}},
		{"an ask that is a text", change(`{"id":"a-1"}`, `"a-1"`), "ask", AskForm{}},
		{"no id", change(`"id":"a-1"`, ""), "ask.id", AskForm{}},
		{"a bad id", change("a-1", "a 1"), "ask.id", AskForm{}},
		{"a deadline too short", change(`"id":"a-1"`, `"id":"a-1","deadline_ms":49`), "ask.deadline_ms", AskForm{}},
		{"replaces itself", change(`"id":"a-1"`, `"id":"a-1","replaces":"a-1"`), "ask.replaces", AskForm{}},
		{"an unknown member of ask", change(`"id":"a-1"`, `"id":"a-1","urgent":true`), "ask.urgent", AskForm{}},
		{"presented with an unknown scheme", change(`{"kind"`, `{"presented":{"scheme":"6200000000000005"},"kind"`), "presented.scheme", AskForm{}},
		{"twice", change(`"amount":1`, `"amount":1,"amount":6200000000000005`), "amount", AskForm{}},
		{"more behind it", good + "x", "", AskForm{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := ParseAsk([]byte(c.text), c.form)
			if c.field == "" && !strings.HasSuffix(c.text, "x") {
				if err != nil || a.ID != "a-1" || a.Deadline != DefaultDeadline || a.Record.MerchantID != "M" || a.Record.Outcome != Approved {
					t.Errorf("%+v %v", a, err)
				}
				return
			}
			var wrong *InputError
			if !errors.As(err, &wrong) || wrong.Member != c.field || strings.Contains(err.Error(), "6200000000000005") {
				t.Errorf("got %v, want an error of %s", err, c.field)
			}
		})
	}
}

// FuzzParseAsk: whatever the text is, reading it ends; what is read is sealed without a clear
// identifier, and is the same ask as when it is read again.
func FuzzParseAsk(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"refund","merchant_id":"M","terminal_id":"T","operator":"01","channel":"card","amount":400,"currency":"RMB","original":{"rrn":"260822000101"},"party":{"scheme":"pan","id":"6200000000000112"},"presented":{"scheme":"wechat_openid","namespace":"wx1","id":"oA"},"ask":{"id":"a-1","replaces":"a-0","deadline_ms":50,"find":true},"at":"2026-08-23T09:00:00+08:00"}`))
	f.Add([]byte(`{"kind":"void","merchant_id":"M","terminal_id":"T","ask":{"id":"a\u002d1"}}`))
	f.Add([]byte(`{"kind":"refund","amount":99999999999999999999,"ask":{"id":"a"},"merchant_id":"M","terminal_id":"T"}`))
	f.Add([]byte(`{"ask":{},"kind":"hold_end"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, form := range []AskForm{{Version: true}, {Link: true, MerchantID: "M", TerminalID: "T", Operator: "1", Training: true}} {
			a, err := ParseAsk(text, form)
			if err != nil {
				var wrong *InputError
				if !errors.As(err, &wrong) || wrong.Column < 1 {
					t.Errorf("%v", err)
				}
				continue
			}
			if !ValidAskID(a.ID) || a.Deadline < MinDeadline || a.Deadline > MaxDeadline || !a.Record.Kind.Judged() || LineOf(text) != LineAsk {
				t.Errorf("%+v", a)
			}
			again, err := ParseAsk(text, form)
			one, two := SealAsk(a, ring{"k1"}), SealAsk(again, ring{"k1"})
			if err != nil || !one.SameAs(&two) || len(one.Digest) == 0 || !one.members.Empty() {
				t.Errorf("%v %v %v", err, one.Digest, two.Digest)
			}
			for _, p := range []*Party{one.Record.Party, one.Presented} {
				if p != nil && (!p.ID.Empty() || !p.PAR.Empty()) {
					t.Error("a clear identifier is left")
				}
			}
		}
		if LineOf(text) == LineHoldEnd {
			if h, err := ParseHoldEnd(text); err == nil {
				if _, ok := ParseTime(h.At); !ok || h.State != HoldReleased && h.State != HoldCancelled {
					t.Errorf("%+v", h)
				}
			}
		}
	})
}
