package ingest_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/ingest"
)

func TestLeftOutValue(t *testing.T) {
	for _, c := range []struct{ what, value, want string }{
		{"src", "jd.trade", "src jd.trade"},
		{"src", "", "src "},
		{"src", "京东 trade\x07", "src ?? trade?"},
		{"src", "\xff\xfe", "src ??"},
		{"src", strings.Repeat("ab", 20), "src " + strings.Repeat("ab", 16)},
		{"src", strings.Repeat("京", 40), "src " + strings.Repeat("?", 32)},
		{"proc_cd", "700000", "proc_cd 700000"},
		{"src", "card 6200000000000005.", "src card 620000******0005."},
		{"src", "6200000000000006", "src 6200000000000006"}, // its check digit does not hold: no card
		{"src", "62000000000000050000", "src 62000000000000050000"},
	} {
		if got := ingest.LeftOutValue(c.what, c.value); string(got) != c.want {
			t.Errorf("%q %q: got %q, want %q", c.what, c.value, got, c.want)
		}
	}
}

// leftOutOf replays a capture and returns what was left out.
func leftOutOf(t *testing.T, wireName string, capture []byte) []string {
	t.Helper()
	p, err := ingest.DefaultProfile(wireName)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ingest.NewWire(wireName, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ingest.Replay(context.Background(), bytes.NewReader(capture), w, ingest.Clock{},
		func(ingest.Decoded) error { return nil }, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	if len(got.LeftOut) == 0 {
		return nil
	}
	return strings.Split(leftLines(got.LeftOut), "\n")
}

// Every message that makes no record and is no fault is in a line at the end, in byte
// order, and so are the bytes between frames.
func TestReplaySaysWhatItLeftOut(t *testing.T) {
	line := []byte{0x05, 0x06} // ENQ, ACK
	for _, code := range []int{2, 18, 18, 9, 15} {
		line = append(line, misposFrame(t, code, "9F14", "00").Raw...)
	}
	line = append(line, misposFrame(t, 4).Raw...)
	line = append(line, 0x15, 0x15, 0x15)
	want := []string{"left out: 5 bytes", "left out: 1 request", "left out: 1 type 15", "left out: 2 type 18", "left out: 1 type 9"}
	if got := leftOutOf(t, "mispos", line); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := leftOutOf(t, "mispos", misposFrame(t, 2, "9F14", "00").Raw); got != nil {
		t.Errorf("a sale alone: %q", got)
	}
}

// A message of cup8583 is named by the request's MTI, F3, F25 and F60.1, each of its
// own; what an answer lacks is its request's. A request is counted when it ends.
func TestCupLeftOut(t *testing.T) {
	odd := saleRequest().with(fields{"60": "29000007000500"})
	for _, c := range []struct {
		name string
		send func(c *cupTalk)
		want []ingest.LeftOut
	}{
		{"request and answer", func(c *cupTalk) {
			c.send("0200", odd).send("0210", saleAnswer().with(fields{"60": "29000007000500", "25": ""}))
		}, []ingest.LeftOut{"type 0200/000000/00/29", "type 0200/000000/00/29"}},
		{"a request that nothing answers", func(c *cupTalk) { c.send("0200", odd).end() }, []ingest.LeftOut{"type 0200/000000/00/29"}},
		{"sign-on", func(c *cupTalk) { c.send("0800", fields{"11": "000001", "60": "00000007001"}) }, []ingest.LeftOut{"type 0800///00"}},
		{"its answer", func(c *cupTalk) { c.send("0810", fields{"11": "000001"}) }, []ingest.LeftOut{"type 0800///"}},
		{"a lone answer", func(c *cupTalk) { c.send("0230", saleAnswer().with(fields{"60": ""})) }, []ingest.LeftOut{"type 0220/000000/00/"}},
		{"a request twice", func(c *cupTalk) { c.send("0200", saleRequest()).send("0200", saleRequest()) }, []ingest.LeftOut{"repeat"}},
		{"a tip", func(c *cupTalk) {
			c.send("0220", saleRequest().with(fields{"60": "32000007000500"})).end()
		}, []ingest.LeftOut{"type 0220/000000/00/32"}},
		{"an upload of totals", func(c *cupTalk) { c.send("0320", fields{"11": "000009", "60": "00000007201"}).end() }, []ingest.LeftOut{"type 0320///00"}},
		{"a sale", func(c *cupTalk) { c.send("0200", saleRequest()).send("0210", saleAnswer()).end() }, nil},
	} {
		x := talk(t, false)
		c.send(x)
		if !slices.Equal(x.leftOut, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, x.leftOut, c.want)
		}
	}
}
