package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAStopEndsBetweenFrames: the bytes of a line without confirms that a worker leaves in the kernel when it stops
// begin with a whole frame, which the next run of the program reads; so no frame is lost, however they come.
func TestAStopEndsBetweenFrames(t *testing.T) {
	const frames = 80
	size := len(sale(1))
	for _, c := range []struct {
		name  string
		chunk int           // bytes at a time
		every time.Duration // a chunk
		most  time.Duration // that the stop may take
	}{
		{"without a rest", 37, 5 * time.Millisecond, 1200 * time.Millisecond},
		{"byte by byte", 1, time.Millisecond, 1200 * time.Millisecond},
		{"more than a frame at a time", size + 11, 40 * time.Millisecond, 1200 * time.Millisecond},
		{"with rests within a frame", size/2 + 1, 300 * time.Millisecond, 1200 * time.Millisecond},
		{"whole frames", size, 50 * time.Millisecond, 1200 * time.Millisecond},
		{"whole frames, seldom", size, 400 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all []byte
				var stans []string
				for i := range frames {
					all = append(all, sale(i+1)...)
					stans = append(stans, fmt.Sprintf("%06d", i+1))
				}
				first := newMemPort()
				first.in = make(chan []byte, len(all))
				go func() {
					for chunk := range slices.Chunk(all, c.chunk) {
						first.in <- chunk
						<-time.After(c.every)
					}
				}()
				b := start(t, nil)
				b.ports <- first
				b.run()
				pass(c.every*13 + 103*time.Millisecond)
				begin := time.Now()
				if err := b.stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took > c.most {
					t.Errorf("the stop took %v", took)
				}
				before := b.store.stans()
				second := newMemPort()
				second.in, second.rest = first.in, first.rest
				b = start(t, nil)
				b.ports <- second
				b.run()
				pass(time.Duration(len(all)/c.chunk+1)*c.every + 5*time.Second)
				if err := b.stop(); err != nil {
					t.Error(err)
				}
				got := strings.Fields(before + " " + b.store.stans())
				if !slices.Equal(got, stans) {
					t.Errorf("%d of %d records; %d before the stop", len(got), len(stans), len(strings.Fields(before)))
				}
			})
		})
	}
}
