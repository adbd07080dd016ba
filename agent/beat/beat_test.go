package beat_test

import (
	"testing"
	"time"

	"yuanlu/agent/beat"
)

func TestInEndsAtAMultiple(t *testing.T) {
	for _, sec := range []int64{-7, 0, 1, 1_790_000_003} {
		for _, ns := range []int64{0, 1, 999_999_999} {
			for _, d := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				now := time.Unix(sec, ns)
				in := beat.In(now, d)
				if in <= 0 || in > d {
					t.Errorf("%v: in %v, want above 0 and at most %v", now, in, d)
				}
				if end := now.Add(in); end.UnixNano()%int64(d) != 0 {
					t.Errorf("%v: ends at %v, no multiple of %v", now, end, d)
				}
			}
		}
	}
}
