package ingest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"yuanlu/agent/ingest"
	"yuanlu/protocol/explain"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

// explained returns what a capture is explained as.
func explained(t testing.TB, wire string, profile, capture []byte) (out []ingest.Explained, all string) {
	t.Helper()
	p, err := ingest.LoadProfile(wire, profile)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ingest.NewWire(wire, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	_, err = ingest.Explain(t.Context(), bytes.NewReader(capture), w, ingest.Clock{}, func(e ingest.Explained) error {
		b, err := json.Marshal(e.Fields)
		if err != nil {
			return err
		}
		text.Write(b)
		text.WriteString(e.Ignored)
		for _, l := range e.LeftOut {
			text.WriteString(string(l))
		}
		if e.Err != nil {
			text.WriteString(e.Err.Error())
		}
		e.Fields = append([]explain.Field(nil), e.Fields...)
		e.Records = append([]ingest.Decoded(nil), e.Records...)
		e.LeftOut = append([]ingest.LeftOut(nil), e.LeftOut...)
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, text.String()
}

// stxOf frames DATA.
func stxOf(t testing.TB, data []byte) []byte {
	t.Helper()
	b, err := wiretest.AppendSTX(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reframed returns the frames of a line with their DATA changed, and nothing between them.
func reframed(t testing.TB, wire string, line []byte, change func(data []byte)) []byte {
	t.Helper()
	s := frame.NewSTX()
	if wire == "smart" {
		s = frame.NewSmart()
	}
	s.Push(line)
	var out []byte
	for f, ok := s.Next(); ok; f, ok = s.Next() {
		data := bytes.Clone(f.Data)
		if len(data) > 0 {
			change(data)
		}
		var err error
		if wire == "smart" {
			out, err = frame.AppendSmart(out, frame.Frame{Type: f.Type, Ack: f.Ack, ID: f.ID, Data: data})
		} else {
			out, err = wiretest.AppendSTX(out, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// held returns the first secret that a text holds, as it is or as hexadecimal digits.
func held(text string, secrets []string) string {
	low := strings.ToLower(text)
	for _, s := range secrets {
		if strings.Contains(text, s) || strings.Contains(low, hex.EncodeToString([]byte(s))) {
			return s
		}
	}
	return ""
}

// Every vector of every wire is explained: fields in their order inside the message, what
// became of each, the same records as without, and no identifier.
func TestExplainVectors(t *testing.T) {
	for _, wire := range ingest.Wires() {
		for _, v := range loadVectors(t, wire) {
			got, all := explained(t, wire, v.profile, v.bytes)
			if s := held(all, secretsOf(v)); s != "" {
				t.Errorf("%s: an identifier of %d characters is shown", v.name, len(s))
			}
			records, refused := 0, 0
			for _, e := range got {
				records += len(e.Records)
				if e.Err != nil {
					refused++
				}
				last := -1
				for i, f := range e.Fields {
					if f.Name == "" || f.Became == "" || f.At < 0 || f.At > e.Bytes || f.Length < 0 {
						t.Errorf("%s: %+v", v.name, f)
					}
					if wire != "smart" && f.At < last && i < len(e.Fields)-1 {
						t.Errorf("%s: %s stands at %d, behind one at %d", v.name, f.Name, f.At, last)
					}
					last = f.At
				}
				if wants := e.Err != nil; len(e.Fields) > 0 && strings.HasPrefix(e.Fields[len(e.Fields)-1].Became, "refused: ") != wants && wire != "smart" {
					t.Errorf("%s: at byte %d: refused %t, fields say otherwise", v.name, e.Offset, wants)
				}
			}
			if r := replay(t, v, ingest.Clock{}); records != len(r.records) || refused != len(r.refused) {
				t.Errorf("%s: %d records, %d refused, want %d, %d", v.name, records, refused, len(r.records), len(r.refused))
			}
		}
	}
}

// A field of each kind says what became of it.
func TestExplainSaysWhatBecame(t *testing.T) {
	find := func(list []ingest.Explained, name string) explain.Field {
		for _, e := range list {
			for _, f := range e.Fields {
				if f.Name == name {
					return f
				}
			}
		}
		return explain.Field{}
	}
	cup, _ := explained(t, "cup8583", nil, stxOf(t, cupBytes(t, "0200", saleRequest().with(fields{"14": "2512", "35": "6200000000000005D25121010000000000", "44": "03616263"}))))
	mis, _ := explained(t, "mispos", nil, misposFrame(t, 2, "9F14", "00", "9F0B", "6200000000000005FF", "9F13", "memo 13800138000", "9F1B", "2512").Raw)
	for _, c := range []struct {
		list        []ingest.Explained
		name, value string
		became      string
	}{
		{cup, "F2", "620000******0005", "party"},
		{cup, "F4", "000000001000", "amount"},
		{cup, "F14", "", "dropped: expiry date"},
		{cup, "F35", "620000******0005", "dropped: track 2"},
		{cup, "F44", "", "read over"},
		{cup, "F60.1", "22", "kind"},
		{cup, "F60.2", "000007", "batch"},
		{mis, "9F01", "2", "kind"},
		{mis, "9F0B", "620000******0005", "party"},
		{mis, "9F13", "", "skipped: no tag of the profile"},
		{mis, "9F1B", "", "dropped: expiry date"},
	} {
		if f := find(c.list, c.name); f.Value != c.value || !strings.HasPrefix(f.Became, c.became) {
			t.Errorf("%s: got %+v", c.name, f)
		}
	}
	// Read by another profile than the acquirer's: what stands in one field is read as
	// another, and shown as neither.
	text := stxOf(t, cupBytes(t, "0200", saleRequest().with(fields{"35": "6200000000000005D25121010000000000"})))
	list, all := explained(t, "cup8583", []byte("[field]\n22 = \"n5\"\n25 = \"ans2\"\n"), text)
	if list[0].Err == nil || strings.Contains(all, "2512") || !strings.Contains(all, "refused: got ") || find(list, "MTI").Value != "0200" {
		t.Errorf("%v: %s", list[0].Err, all)
	}
}

// FuzzExplain: whatever a message of a vector becomes when bytes of it change, or when it
// is read by another profile, no identifier of the vector is shown.
func FuzzExplain(f *testing.F) {
	var all []vector
	for _, wire := range ingest.Wires() {
		all = append(all, loadVectors(f, wire)...)
	}
	for i := range all {
		f.Add(uint16(i), uint64(i), uint8(i%4))
	}
	profiles := map[string][]string{
		"mispos":  {"", "[tag]\nissuer = \"9F0A\"\noperator = \"9F13\"\norder_no = \"9F15\"\nhost_message = \"9F16\"\n", "[tag]\nbatch = \"9FFF\"\norder_no = \"\"\n"},
		"cup8583": {"", "[field]\n22 = \"n5\"\n", "tpdu = 0\nhead = 0\n", "[field]\n2 = \"ans..19\"\n35 = \"ans..37\"\n", "lengths = \"binary\"\n", "tpdu = 16\n"},
		"smart":   {""},
	}
	f.Fuzz(func(t *testing.T, which uint16, seed uint64, flips uint8) {
		v := all[int(which)%len(all)]
		rng := rand.New(rand.NewPCG(seed, 1))
		p := profiles[v.wire][rng.IntN(len(profiles[v.wire]))]
		line := bytes.Clone(v.bytes)
		line = reframed(t, v.wire, line, func(data []byte) {
			for range int(flips % 8) {
				data[rng.IntN(len(data))] = byte(rng.Uint32())
			}
		})
		_, text := explained(t, v.wire, []byte(p), line)
		if s := held(text, secretsOf(v)); s != "" {
			t.Fatalf("%s, profile %q: an identifier of %d characters is shown", v.name, p, len(s))
		}
	})
}
