package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/mispos"
)

func TestReplayEnds(t *testing.T) {
	raw := misposFrame(t, 2, "9F14", "00").Raw
	two := append(bytes.Clone(raw), raw...)
	stop := errors.New("enough")
	run := func(ctx context.Context, r io.Reader, emit func(ingest.Decoded) error) (ingest.Replayed, error) {
		return ingest.Replay(ctx, r, wire(t), ingest.Clock{}, emit, func(err error) { t.Error(err) })
	}
	n := 0
	count := func(ingest.Decoded) error { n++; return nil }
	if st, err := run(t.Context(), iotest.ErrReader(stop), count); !errors.Is(err, stop) || st.Frames != 0 {
		t.Errorf("reader: %+v, %v", st, err)
	}
	if st, err := run(t.Context(), bytes.NewReader(two), func(ingest.Decoded) error { return stop }); !errors.Is(err, stop) || st.Frames != 1 {
		t.Errorf("emit: %+v, %v", st, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, bytes.NewReader(two), count); !errors.Is(err, context.Canceled) || n != 0 {
		t.Errorf("context: %d records, %v", n, err)
	}
	if st, err := run(t.Context(), iotest.DataErrReader(bytes.NewReader(two[:len(two)-1])), count); err != nil || n != 1 || st.SkippedBytes != uint64(len(raw)-1) {
		t.Errorf("cut file: %d records, %+v, %v", n, st, err)
	}
}

func TestReplaySaysWhereAMessageWasRefused(t *testing.T) {
	bad := misposFrame(t, 2, "9F02", "123").Raw
	var got []error
	st, err := ingest.Replay(t.Context(), io.MultiReader(strings.NewReader("noise"), bytes.NewReader(bad)), wire(t), ingest.Clock{},
		func(ingest.Decoded) error { return nil }, func(err error) { got = append(got, err) })
	if err != nil || len(got) != 1 || st.Frames != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	var r *ingest.RefusedError
	if !errors.Is(got[0], ingest.ErrRefused) || !errors.Is(got[0], mispos.ErrMalformed) || !errors.As(got[0], &r) || r.Offset != 5 {
		t.Errorf("got %v", got[0])
	}
	if want := "frame at byte 5: mispos: malformed message: field 9F02, offset 5: got 3 digits, want 12 digits"; got[0].Error() != want {
		t.Errorf("got  %s\nwant %s", got[0], want)
	}
}

// FuzzReplay: whatever comes over the line, in whatever pieces, returns the same records
// and errors; records are of the shape that every reader of records relies on. Run it
// with -fuzzminimizetime=1x: its inputs are long, and making them shorter takes all
// the time there is.
func FuzzReplay(f *testing.F) {
	for _, v := range loadVectors(f, "mispos") {
		f.Add(v.bytes, uint8(0))
	}
	f.Add(misposFrame(f, 2, "9F14", "00", "9F02", "1").Raw, uint8(3))
	clock := ingest.Clock{Now: time.Date(2026, 8, 23, 12, 0, 0, 0, ingest.DefaultZone()), HasNow: true}
	w := wire(f)
	run := func(t *testing.T, r io.Reader) (out []string) {
		_, err := ingest.Replay(context.Background(), r, w, clock,
			func(d ingest.Decoded) error {
				plausible(t, d.Record)
				out = append(out, fmt.Sprintf("%+v %t", refund.Seal(d.Record, noTokens{}), d.AtFromClock))
				return nil
			},
			func(err error) { out = append(out, err.Error()) })
		if err != nil {
			t.Fatal(err)
		}
		for i := range out { // parties print as addresses
			out[i], _, _ = strings.Cut(out[i], "Party:")
		}
		return out
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		whole := run(t, bytes.NewReader(b))
		parts := run(t, &pieces{b, int(piece) + 1})
		if strings.Join(whole, "\n") != strings.Join(parts, "\n") {
			t.Fatalf("at once %d, in pieces %d records and errors, or others", len(whole), len(parts))
		}
	})
}

// pieces is a reader that returns a few bytes at a time.
type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(p.n, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}

func plausible(t *testing.T, r refund.Record) {
	t.Helper()
	if r.Kind == "" || r.Outcome == "" || r.Currency == "" || r.Amount < 0 || r.Amount > 999_999_999_999 {
		t.Fatalf("a record without kind, outcome or currency, or an impossible amount: %+v", r)
	}
	if _, ok := r.Time(); r.At != "" && !ok {
		t.Fatalf("at is no time: %q", r.At)
	}
	if r.Kind == refund.KindSettlement && (r.Channel != "" || r.Entry != "" || r.Party != nil) {
		t.Fatalf("a settlement with a channel, an entry or a party: %+v", r)
	}
	if r.Party != nil && (r.Party.ID.Empty() || r.Party.Scheme == "") {
		t.Fatal("a party without an identifier")
	}
}
