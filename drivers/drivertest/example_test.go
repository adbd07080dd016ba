package drivertest_test

import (
	"errors"
	"fmt"
	"os"

	"yuanlu/drivers/drivertest"
)

// A note of what went through a port is played back to code under test, which must write
// what it wrote then.
func ExamplePlayback() {
	p := &drivertest.Playback{Events: []drivertest.Event{
		{Op: drivertest.OpWrite, Data: []byte("ask")},
		{Op: drivertest.OpRead, Data: []byte("answer")},
	}}
	b := make([]byte, 16)
	_, err := p.Read(b)
	fmt.Println("before the question:", errors.Is(err, os.ErrDeadlineExceeded))
	if _, err := p.Write([]byte("ask")); err != nil {
		fmt.Println(err)
	}
	n, err := p.Read(b)
	fmt.Printf("%s %v %v\n", b[:n], err, p.Close())
	// Output:
	// before the question: true
	// answer <nil> <nil>
}

// The same seed makes the same faults.
func ExampleFaulty() {
	for range 2 {
		play := &drivertest.Playback{Events: []drivertest.Event{{Op: drivertest.OpRead, Data: []byte("0123456789")}}}
		p := drivertest.NewFaulty(play, drivertest.Faults{Seed: 1, Split: 0.5})
		b := make([]byte, 16)
		var pieces []string
		for n, err := p.Read(b); err == nil; n, err = p.Read(b) {
			pieces = append(pieces, string(b[:n]))
		}
		fmt.Printf("%q\n", pieces)
	}
	// Output:
	// ["0" "123456789"]
	// ["0" "123456789"]
}
