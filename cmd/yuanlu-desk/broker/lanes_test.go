package broker

import (
	"fmt"
	"slices"
	"testing"

	"yuanlu/protocol/mqtt"

	"pgregory.net/rapid"
)

// TestLanes puts and takes at random: nothing is lost unless it was counted as shed, each
// lane keeps its order, each message is acknowledged exactly once, the broker's window
// stays open, and the bounds hold.
func TestLanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newLanes(rapid.Bool().Draw(t, "lossless"))
		acked := map[string]int{}
		var sent, full int
		var taken []Message
		order := map[string]string{}
		done := func(m Message) {
			m.Ack()
			if m.late {
				q.acked(m.lane)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"put", "put", "flood", "take", "done"}).Draw(t, "do") {
			case "put", "flood":
				name := rapid.StringMatching("[a-e]").Draw(t, "lane")
				size := rapid.SampledFrom([]int{10, 1000, 256 << 10}).Draw(t, "size")
				for range rapid.SampledFrom([]int{1, 3, 200}).Draw(t, "times") {
					id := fmt.Sprintf("%09d", sent)
					sent++
					due, ok := q.put(name, Message{Message: mqtt.Message{Topic: id, Payload: make([]byte, size), QoS: 1, Ack: func() { acked[id]++ }}})
					if !ok {
						full++
						acked[id]++
					}
					for _, f := range due {
						f()
					}
				}
			case "take":
				list := q.take(rapid.IntRange(1, 300).Draw(t, "most"))
				for _, m := range list {
					if last := order[m.lane.name]; m.Topic <= last {
						t.Fatalf("%s after %s in lane %s", m.Topic, last, m.lane.name)
					}
					order[m.lane.name] = m.Topic
				}
				taken = append(taken, list...)
			case "done":
				for _, m := range taken {
					done(m)
				}
				taken = nil
			}
			if !q.lossless && q.unacked > allUnacked || q.bytes > allBytes {
				t.Fatalf("%d unacknowledged, %d bytes", q.unacked, q.bytes)
			}
		}
		for len(q.turn) > 0 {
			taken = append(taken, q.take(300)...)
		}
		for _, m := range taken {
			done(m)
		}
		if len(acked) != sent || q.bytes != 0 || q.unacked != 0 || len(q.all) != 0 {
			t.Fatalf("%d of %d acknowledged; left %d bytes, %d unacknowledged, %d lanes", len(acked), sent, q.bytes, q.unacked, len(q.all))
		}
		for id, n := range acked {
			if n != 1 {
				t.Fatalf("%s acknowledged %d times", id, n)
			}
		}
		if q.lossless && len(q.shed) > 0 || !q.lossless && full > 0 {
			t.Fatalf("lossless %v, shed %v, full %d", q.lossless, q.shed, full)
		}
	})
}

// TestFloodKeepsNobodyWaiting: whatever a terminal, or several, have sent, the message of
// another one is taken after at most one message of each of them, and the window of the
// broker is not full.
func TestFloodKeepsNobodyWaiting(t *testing.T) {
	for _, floods := range []int{1, 5, 60} {
		t.Run(fmt.Sprint(floods), func(t *testing.T) {
			q := newLanes(false)
			nothing := func() {}
			for range 2500 {
				for i := range floods {
					q.put(fmt.Sprint("flood-", i), Message{Message: mqtt.Message{Payload: make([]byte, 20_000), QoS: 1, Ack: nothing}})
				}
			}
			if _, ok := q.put("quiet", Message{Message: mqtt.Message{Topic: "quiet", Payload: make([]byte, 3000), QoS: 1, Ack: nothing}}); !ok || q.shed["quiet"] > 0 {
				t.Fatalf("%d floods: no room", floods)
			}
			size, at := 0, -1
			for at < 0 && size < floods*21_000+batchBytes {
				list := q.take(256)
				at = slices.IndexFunc(list, func(m Message) bool { return m.Topic == "quiet" })
				for _, m := range list {
					size += m.size()
				}
			}
			if at < 0 || q.unacked > allUnacked {
				t.Errorf("%d floods: not among the next %d bytes; %d messages without PUBACK", floods, size, q.unacked)
			}
		})
	}
}
