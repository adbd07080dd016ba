package refund_test

import (
	"testing"

	"yuanlu/agent/refund"
)

// TestTextsShowWhatIsNotSeen: a value of the wire with characters that are not seen
// stands in the texts for people with escapes, in both languages.
func TestTextsShowWhatIsNotSeen(t *testing.T) {
	got := refund.Fill(refund.Text{EN: "paid by {payer}", ZH: "付款方 {payer}"}, refund.Put("payer", "张\u00ad三\u3164\ufeff"))
	if want := (refund.Text{EN: `paid by 张\u00ad三\u3164\ufeff`, ZH: `付款方 张\u00ad三\u3164\ufeff`}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
