package till

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/control"
	"yuanlu/agent/guard"
	"yuanlu/agent/refund"
)

// TestCardRead: the card that is read on a link is the one presented; without one within a
// minute, and where no such link runs, nothing is asked.
func TestCardRead(t *testing.T) {
	card := &refund.Party{Scheme: refund.SchemePAN, Tokens: []string{"k1:a"}}
	for name, c := range map[string]struct {
		shown func(context.Context, string) (*refund.Party, error)
		code  string
	}{
		"read": {func(_ context.Context, link string) (*refund.Party, error) {
			if link != "two" {
				t.Error(link)
			}
			return card, nil
		}, ""},
		"not read": {func(ctx context.Context, _ string) (*refund.Party, error) { <-ctx.Done(); return nil, ctx.Err() }, "unavailable"},
		"no link":  {func(context.Context, string) (*refund.Party, error) { return nil, ErrNoLink }, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{}
				v := Verbs{Zone: time.UTC, Service: func() guard.Service { return s }, Book: func() Book { return noBook{} }, Shown: c.shown}
				var sent []string
				err := v.Handlers()["guard-ask"](t.Context(), json.RawMessage(`{"card_read":"two","ask":{"kind":"refund","merchant_id":"M","terminal_id":"T","ask":{"id":"a-1","find":true}}}`), func(a any) error {
					b, err := json.Marshal(a)
					sent = append(sent, string(b))
					return err
				})
				var refused *control.Error
				if c.code == "" && (err != nil || s.asked.Ask.Presented != card || len(sent) != 2 || !strings.Contains(sent[1], `"action":"proceed"`)) ||
					c.code != "" && (!errors.As(err, &refused) || refused.Code != c.code || len(sent) != 1 || s.asked.Ask.ID != "") {
					t.Error(err, sent, s.asked)
				}
				if sent[0] != `{"card_read":"two","within_s":60}` {
					t.Error(sent)
				}
			})
		})
	}
}

type noBook struct{ Book }
