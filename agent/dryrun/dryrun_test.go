package dryrun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

const (
	sale = `{"v":1,"kind":"sale","outcome":"approved","merchant_id":"898310153310123","terminal_id":"10000001","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"000101","batch":"000234","rrn":"260822000101","party":{"scheme":"pan","id":"6200000111122227"}}`
	back = `{"v":1,"kind":"refund","outcome":"approved","merchant_id":"898310153310123","terminal_id":"10000001","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000102","batch":"000235","rrn":"260823000102","original":{"date":"0822","rrn":"260822000101"},"party":{"scheme":"pan","id":"6205500770011223346"}}`
)

// dry judges a text and returns what was printed, left out and refused.
func dry(t *testing.T, ctx context.Context, in io.Reader, final bool) (out string, left LeftOut, refused []string, err error) {
	t.Helper()
	var printed bytes.Buffer
	r, err := Start(ctx, Options{Dir: t.TempDir(), Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()), Out: &printed, Final: final, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	left, err = r.Lines(ctx, in, func(err error) { refused = append(refused, err.Error()) }, func(int64) {})
	if err == nil {
		err = r.Finish(ctx)
	}
	return printed.String(), left, refused, err
}

// Blank and refused lines keep their number; the others are judged.
func TestLinesKeepTheirNumbers(t *testing.T) {
	long := `{"v":1,"x":"` + strings.Repeat("x", maxLine) + `"}`
	in := strings.Join([]string{"", "not json", sale, `{"v":1,"kind":"sale","outcome":"approved","extra":1}`, long, "  ", back}, "\n")
	for _, final := range []bool{true, false} {
		t.Run(fmt.Sprint("final ", final), func(t *testing.T) {
			out, left, refused, err := dry(t, t.Context(), strings.NewReader(in), final)
			if err != nil || !strings.Contains(out, `"seq":7,"rev":1`) || !strings.Contains(out, `"original":{"seq":3,`) || strings.Count(out, "\n") != 1 {
				t.Errorf("%v\n%s", err, out)
			}
			if left != (LeftOut{Blank: 2, Refused: 3}) || len(refused) != 3 || !strings.Contains(refused[2], "line 5, column") {
				t.Errorf("left out %+v, refused %q", left, refused)
			}
		})
	}
}

// A verdict that waits for its original is printed when the input ends, unless that comes.
func TestVerdictsThatWait(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"no original", back, `"reason":"history_gap"`},
		{"the original afterwards", back + "\n" + sale, `"recipient":"different"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, _, _, err := dry(t, t.Context(), strings.NewReader(tc.in), false)
			if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, tc.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// blanks are blank lines for ever; after some it calls cancel.
type blanks struct {
	n      int
	cancel func()
}

func (b *blanks) Read(p []byte) (int, error) {
	if b.n++; b.n == 100 {
		b.cancel()
	}
	p[0] = '\n'
	return 1, nil
}

func TestInputThatDoesNotEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if _, _, _, err := dry(t, ctx, &blanks{cancel: cancel}, false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestKeysAreNeverTheSame(t *testing.T) {
	a, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	once, again := a.Tokens("card", "1")[0], a.Tokens("card", "1")[0]
	if once != again || a.Tokens("card", "1")[0] == b.Tokens("card", "1")[0] || a.Tokens("card", "1")[0] == a.Tokens("openid", "1")[0] {
		t.Error("tokens do not tell identities apart, or do in two runs")
	}
}
