package cup8583_test

import (
	"bytes"
	"testing"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// FuzzWalk: the values lie in the message in order, and what Decode takes is walked to
// its end.
func FuzzWalk(f *testing.F) {
	for _, name := range []string{"good.hex", "malformed.hex"} {
		for _, data := range wiretest.Messages(f, name) {
			f.Add(data)
		}
	}
	l := standard(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		left, last := bytes.Clone(data), 0
		rest := l.Walk(left, func(v cup8583.Value) {
			if v.Number <= last || v.Number > 64 {
				t.Fatalf("field %d follows %d", v.Number, last)
			}
			last = v.Number
			for i := range v.Bytes {
				v.Bytes[i] = 0
			}
			if v.Number == 55 {
				cup8583.WalkTags(v.Bytes, func(uint32, []byte) {})
			}
		})
		if len(rest) > len(data) || !bytes.Equal(rest, data[len(data)-len(rest):]) {
			t.Fatalf("%d bytes behind the fields are not the end of the message", len(rest))
		}
		if err := l.Decode(new(cup8583.Message), data); err == nil && len(rest) > 0 {
			t.Fatalf("%d bytes of a good message are not walked over", len(rest))
		}
	})
}

func TestWalkGoesOnBehindAValueThatIsTooLong(t *testing.T) {
	l, err := cup8583.NewLayout(map[int]string{2: "n..19", 3: "n6"}, cup8583.Options{})
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("\x02\x00\x60\x00\x00\x00\x00\x00\x00\x00\x20\x62\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x30\x00")
	var numbers []int
	rest := l.Walk(message, func(v cup8583.Value) { numbers = append(numbers, v.Number, v.Count, len(v.Bytes)) })
	if len(rest) != 0 || len(numbers) != 6 || numbers[1] != 20 || numbers[3] != 3 {
		t.Errorf("got %v, %d bytes left", numbers, len(rest))
	}
	if rest := l.Walk(message[:9], nil); len(rest) != 9 {
		t.Errorf("without a bitmap: %d bytes left", len(rest))
	}
	if rest := l.Walk(message[:20], func(v cup8583.Value) { t.Errorf("field %d", v.Number) }); len(rest) != 10 {
		t.Errorf("past the end: %d bytes left", len(rest))
	}
}

func TestWalkSubFields(t *testing.T) {
	for in, want := range map[string][2]string{
		"A3003abcA4002de": {"A3abc A4de ", ""}, "": {"", ""}, "A4002d": {"", "A4002d"}, "A3001aXX": {"A3a ", "XX"}, "A3001a\xffX001b": {"A3a ", "\xffX001b"},
		"A3+01a": {"", "A3+01a"},
	} {
		t.Run(in, func(t *testing.T) {
			got := ""
			rest := cup8583.WalkSubFields(in, func(tag, value string) { got += tag + value + " " })
			if got != want[0] || rest != want[1] {
				t.Errorf("%q: got %q, left %q", in, got, rest)
			}
		})
	}
}
