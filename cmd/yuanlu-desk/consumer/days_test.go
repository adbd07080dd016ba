package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// lacking is a store with days that lack.
type lacking struct {
	list []store.LackingDays
	from string
	err  error
}

func (l *lacking) LackingDays(_ context.Context, from string) ([]store.LackingDays, error) {
	l.from = from
	return l.list, l.err
}

// TestLackingDaysAreAskedFor: a few terminals a look, none again within an hour, then ever more seldom; a terminal that
// refuses is left alone for a day, and a day that is not over is not asked for.
func TestLackingDaysAreAskedFor(t *testing.T) {
	now := time.Date(2026, 8, 24, 16, 30, 0, 0, time.UTC) // the 25th at +08:00
	s := &lacking{}
	for n := range 5 {
		s.list = append(s.list, store.LackingDays{Terminal: fmt.Sprint("t-", n), From: "2026-08-20", To: "2026-08-25"})
	}
	s.list = append(s.list, store.LackingDays{Terminal: "t-today", From: "2026-08-25", To: "2026-08-25"})
	a := consumer.NewDayAsker(s, func() time.Time { return now })
	ids := map[string]string{}
	look := func(want string) {
		t.Helper()
		var got []string
		if err := a.Look(t.Context(), func(terminal string, c topics.Cmd) error {
			ids[terminal] = c.ID
			got = append(got, terminal)
			if string(c.Args) != `{"from":"2026-08-20","to":"2026-08-24"}` || c.TTLS == 0 {
				t.Errorf("%+v", c)
			}
			return nil
		}); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: asked %v, %v, want %s", now, got, err, want)
		}
		now = now.Add(time.Minute)
	}
	look("t-0 t-1 t-2")
	look("t-3 t-4")
	look("")
	if s.from != "2026-07-16" {
		t.Errorf("from %s", s.from)
	}
	answer := func(terminal, id, status, code, want string) {
		t.Helper()
		if got := a.Take(terminal, fmt.Appendf(nil, `{"id":%q,"status":%q,"error":{"code":%q}}`, id, status, code)); got != want {
			t.Errorf("%s: %q, want %q", terminal, got, want)
		}
	}
	answer("t-0", ids["t-0"], "ok", "", "")
	answer("t-1", ids["t-1"], "error", "unavailable", "unavailable")
	answer("t-2", ids["t-2"], "error", "busy", "busy")
	answer("t-3", "another", "error", "unavailable", "")
	if a.Take("t-4", []byte("{")) == "" {
		t.Error("an answer that cannot be read says nothing")
	}
	now = now.Add(56 * time.Minute)
	look("") // 59 minutes after the first
	look("t-0 t-2")
	look("t-3 t-4")
	now = now.Add(time.Hour)
	look("")
	now = now.Add(time.Hour)
	look("t-0 t-2 t-3")
	look("t-4")
	now = now.Add(12 * time.Hour)
	look("t-0 t-2 t-3")
	look("t-4")
	s.err = errors.New("away")
	if a.Look(t.Context(), nil) == nil {
		t.Error("an error vanished")
	}
}
