package screen_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/screen"
)

const hostile = "\x1b[2J\x1b]0;x\x07\u202e\u0085\r\n"

// spoil puts what moves a cursor into every text.
func spoil(v any) any {
	switch v := v.(type) {
	case string:
		return hostile + v + hostile
	case []any:
		for i := range v {
			v[i] = spoil(v[i])
		}
	case map[string]any:
		for name := range v {
			if name != "time" {
				v[name] = spoil(v[name])
			}
		}
	}
	return v
}

// TestShowsNoControlCharacters: nothing in an event reaches the terminal but as
// letters, whichever member it is in.
func TestShowsNoControlCharacters(t *testing.T) {
	var e map[string]any
	if err := json.Unmarshal(desktest.Case{Seq: 1}.JSON(), &e); err != nil {
		t.Fatal(err)
	}
	data := e["data"].(map[string]any)
	refund := data["refund"].(map[string]any)
	for _, name := range []string{"operator", "entry", "rrn", "order_no", "channel_txn", "refund_no"} {
		refund[name] = name
	}
	refund["party"].(map[string]any)["text"] = "name"
	data["original"] = refund
	payload, err := json.Marshal(spoil(e))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*screen.Screen{{Zone: time.UTC}, {Zone: time.UTC, Chinese: true}} {
		var out strings.Builder
		if err := s.Case(&out, hostile+"t-1", payload); err != nil {
			t.Fatal(err)
		}
		if err := s.Event(&out, hostile+"t-1", payload); err != nil {
			t.Fatal(err)
		}
		if err := s.Case(&out, hostile, []byte("no event")); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%U in %q", r, out.String())
			}
		}
		for _, want := range []string{"620550*********0004", "operator", "channel_txn", "high"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %s in %q", want, out.String())
			}
		}
	}
}

// TestTakesExactlyNamedMembers: what no schema has looked at is not shown.
func TestTakesExactlyNamedMembers(t *testing.T) {
	payload := strings.Replace(string(desktest.Case{Seq: 1}.JSON()), `"severity":"high","decision"`, `"severity":"high","Severity":"nothing","decision"`, 1)
	var out strings.Builder
	if err := (&screen.Screen{Zone: time.UTC}).Case(&out, "t-1", []byte(payload)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "nothing") || !strings.Contains(out.String(), "high") {
		t.Errorf("%q", out.String())
	}
}
