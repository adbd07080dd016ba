package screen

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestHold: watch shows a hold when it is opened, with its end, and what became of it.
func TestHold(t *testing.T) {
	for _, c := range []struct {
		file    string
		chinese bool
		want    []string
	}{
		{"caseHoldOpened", false, []string{"held until 11:17:10", "4.00 CNY", "a-17", "recipient_mismatch"}},
		{"caseHoldOpened", true, []string{"暂停 至 11:17:10", "退款"}},
		{"caseHoldEnded", false, []string{"released", "s-1"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			payload, err := os.ReadFile("../../../protocol/topics/example/" + c.file + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			s := Screen{Chinese: c.chinese, Zone: time.FixedZone("", 8*3600)}
			if err := s.Case(&out, "t-00423", payload); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
		})
	}
}
