package wire

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// bare drops what the simulator makes up (field 64) and what follows from it (the check byte).
func bare(frame []byte) string {
	body := frame[3 : len(frame)-2]
	if body[13+7]&1 == 1 {
		body = body[:len(body)-8]
	}
	return string(body)
}

// TestCupVectors: each record of the pairs and reversals is the request and answer of the vectors.
func TestCupVectors(t *testing.T) {
	for _, c := range []struct {
		name string
		skip []int // records whose messages hold what no record shows: an instalment's F25, a reversal's reason
	}{
		{"cup8583-pairs", []int{7, 9}},
		{"cup8583-reversals", []int{10}},
	} {
		var want [][]byte
		for _, chunk := range chunks(t, filepath.Join("testdata", c.name+".cup8583.hex")) {
			for len(chunk) > 5 {
				n := int(chunk[1]>>4)*1000 + int(chunk[1]&15)*100 + int(chunk[2]>>4)*10 + int(chunk[2]&15) + 5
				want = append(want, chunk[:n])
				chunk = chunk[n:]
			}
		}
		enc := &Cup8583{}
		next := 0
	records:
		for i, r := range wanted(t, filepath.Join("testdata", c.name+".want.jsonl")) {
			for _, s := range c.skip {
				if s == i {
					next += 2
					continue records
				}
			}
			r.Party.Shown = ""
			frames, err := enc.Encode(&r)
			if err != nil {
				t.Fatalf("%s record %d: %v", c.name, i, err)
			}
			for _, f := range frames {
				if !HoldsSTX(f.Bytes) {
					t.Errorf("%s record %d: %s does not hold", c.name, i, f.Note)
				}
				if bare(f.Bytes) != bare(want[next]) {
					t.Errorf("%s record %d, %s:\ngot  %X\nwant %X", c.name, i, f.Note, f.Bytes, want[next])
				}
				next++
			}
		}
	}
}

// TestCupSwipe: a swiped card stands in field 35, a phone's number is known by its chip data.
func TestCupSwipe(t *testing.T) {
	r := Record{Kind: "sale", Outcome: "unknown", MerchantID: "898000000000001", TerminalID: "10000001", Channel: "card",
		Entry: "swipe", Amount: 1000, Currency: "CNY", Stan: "000401", Batch: "000007",
		Party: Party{Scheme: "pan", ID: "6200000000000005"}}
	f, err := (&Cup8583{}).Encode(&r)
	if err != nil || len(f) != 1 {
		t.Fatal(len(f), err)
	}
	if !bytes.Contains(f[0].Bytes, []byte{0x33, 0x62, 0, 0, 0, 0, 0, 0, 5, 0xD3, 0x01, 0x21, 1, 0, 0, 0, 0, 0}) {
		t.Errorf("%X", f[0].Bytes)
	}
	r.Entry, r.Party = "contactless", Party{Scheme: "dpan", ID: "6205510000000008", PAR: "TEST0000000000000000000000001"}
	if f, err = (&Cup8583{}).Encode(&r); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(f[0].Bytes, []byte{0x9F, 0x19, 6}) || !strings.Contains(string(f[0].Bytes), "\x9F\x24\x1DTEST") {
		t.Errorf("%X", f[0].Bytes)
	}
}
