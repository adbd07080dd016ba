package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/sensitive"
)

// TestLines: whatever is answered, the text has one or two lines that fit a small screen, in
// both languages, with the mark of practice.
func TestLines(t *testing.T) {
	codes := []string{"", "something_new"}
	for code := range shorts() {
		codes = append(codes, code)
	}
	states := []ask.State{"", ask.Open, ask.Released, ask.Cancelled, ask.Corrected, ask.Replaced, ask.Expired, ask.Bypassed}
	for _, code := range codes {
		for _, action := range []ask.Action{ask.Proceed, ask.Confirm, ask.Hold} {
			for _, state := range states {
				for _, recipient := range []refund.Recipient{refund.Same, refund.Different, refund.NoRecipient} {
					a := ask.Answer{Action: action, Recipient: recipient, Practice: true}
					if code != "" {
						a.Findings = []refund.Finding{{Code: code}}
					}
					var held *ask.Held
					if state != "" {
						held = &ask.Held{State: state}
					}
					text := Lines(&a, held)
					fits(t, fmt.Sprint(code, action, state), text.EN, longestEN, practiceEN)
					fits(t, fmt.Sprint(code, action, state), text.ZH, longestZH, practiceZH)
				}
			}
		}
	}
	if got := Lines(&ask.Answer{Action: ask.Proceed, Recipient: refund.Same}, nil); got != (refund.Text{EN: "It goes back to the payer.", ZH: "款项退回原付款方"}) {
		t.Error(got)
	}
	unchecked := UncheckedOf("a", false)
	if unchecked.Text.EN != "This refund could not be checked.\nCheck it, then decide." || unchecked.Action != ask.Confirm || unchecked.Recipient != "none" || unchecked.Hold != nil {
		t.Error(unchecked)
	}
}

func fits(t *testing.T, what, text string, longest int, mark string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if len(lines) > 2 || !strings.HasPrefix(text, mark) {
		t.Errorf("%s: %q", what, text)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > longest || n == 0 || line == mark {
			t.Errorf("%s: %q has %d characters", what, line, n)
		}
	}
}

// TestEveryCodeHasItsSentence: those of the judge, as its room lists them.
func TestEveryCodeHasItsSentence(t *testing.T) {
	files, err := filepath.Glob("../../refund/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s+Code\w+\s+= "(\w+)"`).FindAllSubmatch(data, -1) {
			n++
			if _, ok := shorts()[string(m[1])]; !ok && string(m[1]) != refund.CodeCaptureGap {
				t.Errorf("%s has no sentence", m[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("%d codes", n)
	}
}

// service answers what a test wants.
type service struct {
	guard.Service
	err     error
	asked   guard.Request
	release guard.Release
	arrived ask.Key
	during  func(k ask.Key)
}

func (s *service) Ask(_ context.Context, r guard.Request) (guard.Reply, error) {
	s.asked = r
	return guard.Reply{Answer: ask.Answer{Ask: r.Ask.ID, Action: ask.Proceed, Recipient: refund.Same}}, s.err
}

func (s *service) Release(_ context.Context, k ask.Key, r guard.Release) (ask.Held, error) {
	s.release = r
	if s.during != nil {
		s.during(k)
	}
	return ask.Held{Key: k, State: ask.Released, By: r.By}, s.err
}

func (s *service) Cancel(_ context.Context, k ask.Key, by string) (ask.Held, error) {
	return ask.Held{Key: k, State: ask.Cancelled, By: by}, s.err
}

func (s *service) Arrived(k ask.Key) { s.arrived = k }

func same(t *testing.T, got json.RawMessage, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLink(t *testing.T) {
	s := &service{}
	tally := &guard.Tally{}
	l := NewLink("pos", s, time.UTC, tally)
	key := ingest.AskKey{MerchantID: "M", TerminalID: "T", ID: "a-1"}
	q := &ingest.Question{Key: key, Ask: refund.Ask{ID: "a-1"}}
	same(t, l.Ask(t.Context(), q).Body, `{"ask":"a-1","action":"proceed","text":{"en":"It goes back to the payer.","zh":"款项退回原付款方"},"recipient":"same","reason":"","evidence":"","remaining":null,"candidates":[],"findings":[],"hold":null,"practice":false}`)
	s.err = &guard.Refusal{Code: guard.CodeOff}
	same(t, l.Ask(t.Context(), q).Body, `{"ask":"a-1","action":"refused","error":{"code":"guard_off","field":""}}`)
	same(t, l.Ask(t.Context(), &ingest.Question{Key: key, Err: &refund.InputError{Member: "kind"}}).Body, `{"ask":"a-1","action":"refused","error":{"code":"form","field":"kind"}}`)
	o := &ingest.Order{Key: key, By: "s-1", PIN: sensitive.New("628401"), Reason: "1"}
	s.err = &guard.Refusal{Code: guard.CodeEnded, State: ask.Expired}
	same(t, l.Order(t.Context(), o).Body, `{"ask":"a-1","state":"expired","by":"","error":"ended"}`)
	s.err = errors.New("broken")
	same(t, l.Order(t.Context(), o).Body, `{"ask":"a-1","state":"","by":"","error":"store"}`)
	s.err = nil
	held := ask.Held{Key: ask.Key{Merchant: "M", Terminal: "T", ID: "a-1"}, Link: "pos", State: ask.Released, By: "s-1"}
	s.during = func(ask.Key) { l.HoldEnded(held) } // by its own order: said once, as the answer
	same(t, l.Order(t.Context(), o).Body, `{"ask":"a-1","state":"released","by":"s-1","error":""}`)
	if s.release.PIN.Reveal() != "628401" {
		t.Error("another PIN")
	}
	same(t, l.Order(t.Context(), &ingest.Order{Key: key, Cancel: true, By: "01"}).Body, `{"ask":"a-1","state":"cancelled","by":"01","error":""}`)
	same(t, l.Order(t.Context(), &ingest.Order{Err: errors.New("x")}).Body, `{"ask":"","state":"","by":"","error":"form"}`)
	for _, c := range []struct {
		what  string
		said  ingest.Saying
		tells bool
	}{
		{"an answer", l.Ask(t.Context(), q), true},
		{"late", l.Ask(t.Context(), &ingest.Question{Key: key, Late: true}), false},
		{"to no form", l.Ask(t.Context(), &ingest.Question{Key: key, Err: &refund.InputError{Member: "kind"}}), false},
		{"a state", l.Order(t.Context(), o), true},
		{"an order too many", l.Order(t.Context(), &ingest.Order{Key: key, Late: true}), false},
	} {
		if c.said.Tells != c.tells || len(c.said.Body) == 0 {
			t.Errorf("%s: tells %v: %s", c.what, c.said.Tells, c.said.Body)
		}
	}
	if answers, refused := tally.Counts(); answers[ask.ReasonUnchecked] != 1 || refused[guard.CodeForm] != 3 || refused[guard.CodeStore] != 1 {
		t.Errorf("counted %v %v", answers, refused)
	}
	if l.Arrived(key); s.arrived.ID != "a-1" {
		t.Error(s.arrived)
	}
	other := held
	other.Link = "two"
	l.HoldEnded(other)
	for range maxEnds + 5 { // never blocks
		l.HoldEnded(held)
	}
	same(t, (<-l.Ended()).Body, `{"ask":"a-1","state":"released","by":"s-1","error":""}`)
	if len(l.Ended()) != maxEnds-1 {
		t.Error(len(l.Ended()))
	}
}

var _ ingest.Guard = (*Link)(nil)
