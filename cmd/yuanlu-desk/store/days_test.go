package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// dayMessages decodes digests as the broker brings them.
func dayMessages(t *testing.T, days ...desktest.Day) (list []store.Message) {
	t.Helper()
	d, err := consumer.NewDecoder("yuanlu")
	if err != nil {
		t.Fatal(err)
	}
	for i := range days {
		terminal := days[i].Terminal
		if terminal == "" {
			terminal = "t-1"
		}
		m, ok := d.Decode("yuanlu/v1/"+terminal+"/up/day", days[i].JSON(), false, time.Unix(1_800_000_000+int64(i), 0))
		if !ok || m.Day == nil {
			t.Fatalf("%s: %+v", days[i].JSON(), m.Refusal)
		}
		list = append(list, m)
	}
	return list
}

// held is what counts of a day: rev, state, and the refunds in it.
func held(t *testing.T, s *store.Store, day string) string {
	t.Helper()
	rows, err := s.DayRows(t.Context(), day, day)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range rows {
		text = append(text, fmt.Sprintf("%s %s/%d %d of %d whole=%t complete=%t", r.Terminal, r.Stream, r.Rev, r.Have, r.Parts, r.Whole, r.Complete))
	}
	bodies, err := s.TerminalDays(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bodies {
		for _, part := range strings.Split(b, `{"id":"`)[1:] {
			id, _, _ := strings.Cut(part, `"`)
			text = append(text, id)
		}
	}
	return strings.Join(text, " ")
}

// TestDigestsOfADay: the highest rev of which every part is there counts, in whatever order and however
// often the parts come; of several lives of a terminal's store the newest, unless it knows less.
func TestDigestsOfADay(t *testing.T) {
	type day = desktest.Day
	one := day{Seq: 1, Refunds: []string{"A"}}
	part1, part2 := day{Seq: 2, Rev: 2, Parts: 2, Refunds: []string{"A"}}, day{Seq: 3, Rev: 2, Part: 2, Parts: 2, Refunds: []string{"B"}}
	whole := "t-1 D1/2 2 of 2 whole=true complete=true A B"
	both(t, func(r *rig) {
		for i, tc := range []struct {
			name string
			days []day
			want string
			ack  int64
		}{
			{"one part", []day{one}, "t-1 D1/1 1 of 1 whole=true complete=true A", 1},
			{"twice", []day{one, one}, "t-1 D1/1 1 of 1 whole=true complete=true A", 1},
			{"half a revision", []day{one, part1}, "t-1 D1/1 1 of 1 whole=true complete=true A", 2},
			{"a revision", []day{one, part1, part2}, whole, 3},
			{"backwards", []day{part2, part1, one}, whole, 3},
			{"the closed one again", []day{one, part1, part2, one, part1}, whole, 3},
			{"a part that never comes", []day{part2}, "t-1 D1/2 1 of 2 whole=false complete=true B", 0},
			{"incomplete", []day{{Seq: 1, Incomplete: "link_down"}}, "t-1 D1/1 1 of 1 whole=true complete=false", 1},
			{"a new life", []day{part1, part2, one, {Stream: "D2", Seq: 1, Refunds: []string{"C"}}}, "t-1 D2/1 1 of 1 whole=true complete=true C", 1},
			{"a new life that knows less", []day{part1, part2, one, {Stream: "D2", Seq: 1, Incomplete: "store"}}, whole, 1},
			{"the old life again", []day{one, {Stream: "D2", Seq: 1, Refunds: []string{"C"}}, part1, part2}, "t-1 D2/1 1 of 1 whole=true complete=true C", 3},
		} {
			date := time.Date(2026, 8, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			terminal := fmt.Sprintf("t-%d", i+1)
			ack := int64(0)
			for _, d := range tc.days {
				d.Date, d.Terminal = date, terminal
				a, err := r.s.Apply(t.Context(), dayMessages(t, d))
				if err != nil {
					t.Fatalf("%s: %v", tc.name, err)
				}
				ack = 0
				for _, one := range a.Acks {
					ack = one.Seq
				}
			}
			if got, want := held(t, r.s, date), strings.ReplaceAll(tc.want, "t-1 ", terminal+" "); got != want || ack != tc.ack {
				t.Errorf("%s: %s, acknowledged %d; want %s, %d", tc.name, got, ack, want, tc.ack)
			}
		}
	})
}

// TestAlteredDigest: a part that comes again with other contents is kept aside, and the first stands.
func TestAlteredDigest(t *testing.T) {
	both(t, func(r *rig) {
		for i, id := range []string{"A", "B"} {
			a, err := r.s.Apply(t.Context(), dayMessages(t, desktest.Day{Refunds: []string{id}}))
			if err != nil || len(a.Acks) != 1 || a.Acks[0].Seq != 1 || a.Refused != i {
				t.Errorf("%+v %v", a, err)
			}
		}
		if got := held(t, r.s, "2026-08-23"); !strings.HasSuffix(got, " A") {
			t.Error(got)
		}
	})
}

// TestDaysHaveARoom: a terminal that sends digests without end fills its own room, and what finds
// none is not acknowledged.
func TestDaysHaveARoom(t *testing.T) {
	both(t, func(r *rig) {
		l := store.DefaultLimits()
		l.DayBytes = 2000
		r.s.SetLimits(l)
		var full []string
		for i := range 9 {
			a, err := r.s.Apply(t.Context(), dayMessages(t, desktest.Day{Seq: int64(i + 1), Date: fmt.Sprintf("2026-08-%02d", i+1)}))
			if err != nil {
				t.Fatal(err)
			}
			if full = append(full, a.Full...); (len(a.Full) > 0) == (len(a.Acks) > 0) {
				t.Errorf("%d: %+v", i, a)
			}
		}
		if len(full) == 0 {
			t.Error("there was always room")
		}
	})
}

// TestLackingDays: what lies between days that a terminal has reported, and what is not whole.
func TestLackingDays(t *testing.T) {
	both(t, func(r *rig) {
		if _, err := r.s.Apply(t.Context(), dayMessages(t,
			desktest.Day{Seq: 1, Date: "2026-08-03"}, desktest.Day{Seq: 2, Date: "2026-08-07", Parts: 2}, desktest.Day{Seq: 3, Date: "2026-08-08"},
			desktest.Day{Terminal: "t-2", Seq: 1, Date: "2026-08-05"}, desktest.Day{Terminal: "t-2", Seq: 2, Date: "2026-08-06"})); err != nil {
			t.Fatal(err)
		}
		for from, want := range map[string][]store.LackingDays{
			"2026-08-01": {{Terminal: "t-1", From: "2026-08-04", To: "2026-08-07"}},
			"2026-08-06": {{Terminal: "t-1", From: "2026-08-07", To: "2026-08-07"}},
			"2026-08-08": nil,
		} {
			if got, err := r.s.LackingDays(t.Context(), from); err != nil || !slices.Equal(got, want) {
				t.Errorf("from %s: %v %v, want %v", from, got, err, want)
			}
		}
	})
}
