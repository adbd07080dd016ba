package ingest_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

// noisyLine returns a few hundred transactions as a terminal sends them, with noise between
// them, and every clear identifier in it.
func noisyLine(t *testing.T, model, wire string) (line []byte, secrets []string) {
	t.Helper()
	term, err := terminal.New(terminal.Options{Model: model, Wire: wire, Seed: 5, Wrong: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := terminal.NewSpeaker(model, wire)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		es, err := term.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i := range es {
			frames, err := speaker.Frames(&es[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				if rng.IntN(10) == 0 { // a damaged copy, card number and all
					b := bytes.Clone(f.Bytes)
					b[len(b)/2] ^= 1
					line = append(line, b...)
				}
				line = append(line, f.Bytes...)
			}
		}
	}
	return line, term.Secrets()
}

func sanitised(t testing.TB, p ingest.Profile, line []byte, pieces *rand.Rand) []byte {
	t.Helper()
	s := p.Sanitiser()
	var out []byte
	for len(line) > 0 {
		n := min(len(line), 1+pieces.IntN(700))
		out = s.Clean(out, line[:n])
		line = line[n:]
	}
	return s.Rest(out)
}

// story is what a replay makes of a capture, identities as the places where each was
// first seen: two captures of one story compare alike.
func story(t *testing.T, p ingest.Profile, capture []byte) (records []string, refused int, stats frame.Stats) {
	t.Helper()
	w, err := ingest.NewWire(p.Wire(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]int{}
	placed := func(text string) string {
		if _, ok := places[text]; !ok {
			places[text] = len(places)
		}
		return fmt.Sprint(" #", places[text])
	}
	place := func(s refund.Secret) string { return placed(s.Reveal()) }
	read, err := ingest.Replay(t.Context(), bytes.NewReader(capture), w, ingest.Clock{Now: time.Unix(1790000000, 0), HasNow: true, Synced: true, Zone: ingest.DefaultZone()},
		func(d ingest.Decoded) error {
			r := d.Record
			who := ""
			if q := r.Party; q != nil {
				who = fmt.Sprint(q.Scheme, q.Namespace, place(q.ID), place(q.PAR))
				for i := range q.Also {
					who += fmt.Sprint(q.Also[i].Scheme, place(q.Also[i].ID))
				}
			}
			// The numbers of orders may look like those of cards, and then are pseudonyms.
			o := &r.Original
			records = append(records, fmt.Sprint(r.Kind, r.Outcome, r.Copy, r.Channel, r.Entry, r.Amount, r.At, r.Stan, r.Batch, r.RRN, placed(r.OrderNo),
				placed(r.RefundNo), placed(r.ChannelTxn), o.Stan, o.Batch, o.Date, o.RRN, placed(o.OrderNo), placed(o.ChannelTxn), r.Totals, who))
			return nil
		}, func(error) { refused++ })
	if err != nil {
		t.Fatal(err)
	}
	return records, refused, read.Stats
}

// A sanitised capture has no clear identifier and is read as the same records.
func TestSanitisedCapturesAreReadAlike(t *testing.T) {
	for wire, model := range map[string]string{"mispos": "e-sign", "cup8583": "traditional", "smart": "smart"} {
		t.Run(wire, func(t *testing.T) {
			line, secrets := noisyLine(t, model, wire)
			p, err := ingest.DefaultProfile(wire)
			if err != nil {
				t.Fatal(err)
			}
			clean := sanitised(t, p, line, rand.New(rand.NewPCG(6, 6)))
			if len(clean) != len(line) {
				t.Errorf("%d bytes became %d", len(line), len(clean))
			}
			leaks := 0
			for _, s := range secrets {
				if bytes.Contains(clean, []byte(s)) || bytes.Contains(clean, packed(s)) {
					leaks++
				}
			}
			if leaks > 0 || len(secrets) < 50 {
				t.Errorf("%d of %d identifiers are still there", leaks, len(secrets))
			}
			got, gotRefused, gotStats := story(t, p, clean)
			want, wantRefused, wantStats := story(t, p, line)
			if len(want) < 200 || gotRefused != wantRefused || gotStats.Frames != wantStats.Frames || gotStats.SkippedBytes != wantStats.SkippedBytes {
				t.Errorf("%d records, %d refused, %+v; want %d, %d, %+v", len(got), gotRefused, gotStats, len(want), wantRefused, wantStats)
			}
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("record %d: %s\nwant %s", i, got[i], want[i])
				}
			}
		})
	}
}

// A sanitised capture of every vector is read as the vector itself, profile and all: a
// number that is filled up stays one, and F60 in text keeps its digits.
func TestSanitisedVectorsAreReadAlike(t *testing.T) {
	for _, wire := range []string{"mispos", "cup8583"} {
		for _, v := range loadVectors(t, wire) {
			t.Run(v.name, func(t *testing.T) {
				p, err := ingest.LoadProfile(wire, v.profile)
				if err != nil {
					t.Fatal(err)
				}
				got, gotRefused, _ := story(t, p, sanitised(t, p, v.bytes, rand.New(rand.NewPCG(7, 7))))
				want, wantRefused, _ := story(t, p, v.bytes)
				if d := cmp.Diff(want, got); d != "" || gotRefused != wantRefused {
					t.Errorf("%d refused, want %d\n%s", gotRefused, wantRefused, d)
				}
			})
		}
	}
}

// packed returns digits as BCD, filled right.
func packed(s string) []byte {
	var b []byte
	for i := 0; i < len(s); i += 2 {
		low := byte('0')
		if i+1 < len(s) {
			low = s[i+1]
		}
		if s[i] < '0' || s[i] > '9' || low < '0' || low > '9' {
			return []byte(s)
		}
		b = append(b, (s[i]-'0')<<4|(low-'0'))
	}
	return b
}

// Whatever stands on a line, the sanitiser returns as many bytes.
func FuzzSanitiser(f *testing.F) {
	f.Add(0, []byte("\x02\x00\x05\x9f\x0b\x00\x01\x31\x03\x35"))
	f.Add(1, []byte("\x02\x00\x05\x9f\x0b\x00\x01\x31\x03\x35"))
	f.Add(2, []byte("\x55\xaa\x00\x00\x01\x00\x02{}\x00\xcc\x33"))
	f.Fuzz(func(t *testing.T, wire int, line []byte) {
		name := ingest.Wires()[uint(wire)%3]
		// Inside a good frame too: most of what is random is none.
		var framed []byte
		if name == "smart" {
			framed, _ = frame.AppendSmart(nil, frame.Frame{ID: 1, Data: line})
		} else {
			framed, _ = wiretest.AppendSTX(nil, line)
		}
		all := append(bytes.Clone(line), framed...)
		p, err := ingest.DefaultProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		clean := sanitised(t, p, all, rand.New(rand.NewPCG(1, 1)))
		if len(clean) != len(all) {
			t.Fatalf("%d bytes became %d", len(all), len(clean))
		}
	})
}
