package ingest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
)

// another returns a frame with one run of bytes in it changed, and its check byte as it is
// then.
func another(t *testing.T, framed []byte, from, to string) []byte {
	t.Helper()
	if !bytes.Contains(framed, []byte(from)) || len(from) != len(to) {
		t.Fatalf("no %x in %x", from, framed)
	}
	out := bytes.Replace(framed, []byte(from), []byte(to), 1)
	last := len(out) - 1
	out[last] = 0
	for _, b := range out[1:last] {
		out[last] ^= b
	}
	return out
}

// TestShown: whose card is read next, by a message that makes a record or by one that makes
// none; not what came before, not what the terminal prints again.
func TestShown(t *testing.T) {
	cup, err := hex.DecodeString(cupSaleFrame)
	if err != nil {
		t.Fatal(err)
	}
	inquiry := another(t, another(t, cup, "\x05\x00\x00\x00\x00\x00", "\x05\x31\x00\x00\x00\x00"), "\x22\x00\x00\x07", "\x01\x00\x00\x07")
	for name, c := range map[string]struct {
		wire          string
		before, after [][]byte
		want          string
	}{
		"a sale":                  {"mispos", [][]byte{sale(1)}, [][]byte{another(t, sale(2), "6200000000000005", "6200000000000229")}, "620000******0229"},
		"a balance inquiry":       {"mispos", [][]byte{sale(1)}, [][]byte{another(t, another(t, sale(2), "6200000000000005", "6200000000000229"), "\x9f\x01\x00\x01\x02", "\x9f\x01\x00\x01\x0a")}, "620000******0229"},
		"a reprint":               {"mispos", [][]byte{sale(1)}, [][]byte{another(t, sale(2), "\x9f\x01\x00\x01\x02", "\x9f\x01\x00\x01\x0f")}, ""},
		"nothing":                 {"mispos", [][]byte{sale(1)}, nil, ""},
		"a request":               {"cup8583", nil, [][]byte{cup}, "620000******0005"},
		"an inquiry of balances":  {"cup8583", nil, [][]byte{inquiry}, "620000******0005"},
		"a reversal by the clock": {"cup8583", nil, [][]byte{another(t, cup, "\x02\x00\x70", "\x04\x00\x70")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				profile, err := DefaultProfile(c.wire)
				if err != nil {
					t.Fatal(err)
				}
				b := start(t, func(_ *bench, o *Options) { o.Wire, o.Profile = c.wire, profile })
				port := newMemPort()
				b.ports <- port
				b.run()
				for _, f := range c.before {
					port.in <- f
				}
				pass(time.Second)
				type result struct {
					party *refund.Party
					err   error
				}
				seen := make(chan result, 1)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				go func() {
					p, err := b.w.Shown(ctx)
					seen <- result{p, err}
				}()
				pass(time.Second)
				for _, f := range c.after {
					port.in <- f
				}
				got := <-seen
				switch {
				case c.want == "" && !errors.Is(got.err, context.DeadlineExceeded):
					t.Errorf("%+v, %v", got.party, got.err)
				case c.want != "" && (got.err != nil || got.party.Shown != c.want || !got.party.ID.Empty() || len(got.party.Tokens) == 0):
					t.Errorf("%+v, %v", got.party, got.err)
				}
				if err := b.stop(); err != nil {
					t.Error(err)
				}
				if len(b.w.shown.waiting) != 0 || strings.Contains(b.log.String(), "refused") {
					t.Error("somebody waits still, or a message was refused: " + b.log.String())
				}
			})
		})
	}
}
