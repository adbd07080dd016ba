package frame_test

import (
	"fmt"

	"yuanlu/protocol/frame"
)

// A stream arrives in pieces, with noise between its frames.
func ExampleScanner() {
	s := frame.NewSTX()
	for _, piece := range []string{"noise\x02", "\x00\x05hel", "lo\x03d\x02\x00\x02ok\x03\x05"} {
		s.Push([]byte(piece))
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			fmt.Printf("%q at byte %d\n", f.Data, f.Offset)
		}
	}
	fmt.Printf("%+v\n", s.Stats())
	// Output:
	// "hello" at byte 5
	// "ok" at byte 15
	// {Frames:2 BadFrames:0 SkippedBytes:5}
}

func ExampleAppendSmart() {
	raw, err := frame.AppendSmart(nil, frame.Frame{Type: frame.SmartData, ID: 7, Data: []byte("{}")})
	fmt.Printf("% X %v\n", raw, err)
	// Output: 55 AA 00 00 07 00 02 7B 7D 03 CC 33 <nil>
}
