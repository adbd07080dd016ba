package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/guard"
	"yuanlu/agent/guard/pins"
	"yuanlu/agent/refund"
)

// book compares real PINs, each at its real cost.
type book struct{ *pins.Book }

func (b book) Compare(ctx context.Context, id string, pin guard.PIN) error {
	if err := b.Book.Compare(ctx, id, pin); errors.Is(err, pins.ErrWrong) {
		return guard.ErrWrongPIN
	} else if errors.Is(err, pins.ErrLocked) {
		return guard.ErrLocked
	} else if err != nil {
		return err
	}
	return nil
}

// TestAsksBesideReleases: while PINs are guessed as fast as the API lets them, no ask is left
// unchecked at its deadline of 300 ms, and no more than four PINs wait for their turn.
func TestAsksBesideReleases(t *testing.T) {
	const guessers, guesses = 8, 4 // the fifth would lock
	dir, ids := t.TempDir(), []string{}
	for i := range guessers {
		ids = append(ids, fmt.Sprint("s-", i))
		if err := pins.Set(dir, ids[i], refund.NewSecret("628401")); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	real, err := pins.Open(pins.Options{Dir: dir, Known: ids, Running: func() time.Duration { return time.Since(began) }})
	if err != nil {
		t.Fatal(err)
	}
	w := startWhole(t, book{real})
	const body = `{"kind":"refund","merchant_id":"M1","terminal_id":"T1","operator":"01","amount":0,"currency":"CNY","party":{"scheme":"pan","id":"6200000000000112"},"original":{"rrn":"1"},"ask":{"id":"%s","deadline_ms":%d}}`
	sale := refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: "M1", TerminalID: "T1", Channel: refund.ChannelCard, Amount: 1000, HasAmount: true,
		Currency: "CNY", RRN: "1", At: "2026-08-22T10:00:00+08:00", Party: partyOf(refund.SchemePAN, "6200000000000229")}
	w.store(sale)
	held := strings.Replace(fmt.Sprintf(body, "held", 5000), `"amount":0`, `"amount":400`, 1)
	if _, answer := w.call("POST", "/v1/asks", held); !strings.Contains(answer, `"state":"open"`) {
		t.Fatal(answer)
	}
	var under sync.WaitGroup
	for _, id := range ids {
		under.Go(func() {
			for n := 0; n < guesses; {
				switch status, answer := w.call("POST", "/v1/asks/T1/held/release", `{"by":"`+id+`","pin":"111","reason":"consent"}`); status {
				case 403:
					n++
				case 429: // all four are taken
				default:
					t.Error(status, answer)
					return
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { defer close(over); under.Wait() }()
	longest, n := time.Duration(0), 0
	for {
		select {
		case <-over:
			t.Logf("%d asks beside %d guesses, the longest took %v", n, guessers*guesses, longest.Round(time.Millisecond))
			return
		case <-time.After(30 * time.Millisecond): // fewer than 50 a second
		}
		begin := time.Now()
		n++
		if status, answer := w.call("POST", "/v1/asks", fmt.Sprintf(body, fmt.Sprint("a-", n), 300)); status != 200 || strings.Contains(answer, "unchecked") {
			t.Error(status, answer)
		}
		longest = max(longest, time.Since(begin))
	}
}
