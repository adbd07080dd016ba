package refund_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"yuanlu/agent/refund"
)

// TestFillIsAReplacer compares Fill with strings.NewReplacer on random templates.
func TestFillIsAReplacer(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	parts := []string{"{", "}", "{}", "{a}", "{ab}", "{b}", "{{a}}", "{a", "text ", "退款 ", "a"}
	for range 2000 {
		var template strings.Builder
		for range rng.IntN(8) {
			template.WriteString(parts[rng.IntN(len(parts))])
		}
		values := []refund.Value{refund.Put("a", "{b}"), refund.Put("ab", "2"), refund.PutText("b", refund.Text{EN: "three", ZH: "三"}), refund.Put("a", "never")}
		values = values[:rng.IntN(len(values)+1)]
		var en, zh []string
		for _, v := range values {
			en, zh = append(en, "{"+v.Name+"}", v.EN), append(zh, "{"+v.Name+"}", v.ZH)
		}
		in := template.String()
		want := refund.Text{EN: strings.NewReplacer(en...).Replace(in), ZH: strings.NewReplacer(zh...).Replace(in)}
		if got := refund.Fill(refund.Text{EN: in, ZH: in}, values...); got != want {
			t.Fatalf("%q with %v: got %q, want %q", in, values, got, want)
		}
	}
}
