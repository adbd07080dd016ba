package ingest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/refund"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

// said returns a few hundred transactions as a terminal says them, with noise between
// them, and every clear identifier in it.
func said(t *testing.T, model, wire string) (line []byte, secrets []string) {
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

func sanitised(t testing.TB, p Profile, line []byte, pieces *rand.Rand) []byte {
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
func story(t *testing.T, p Profile, capture []byte) (records []string, refused int, stats frame.Stats) {
	t.Helper()
	w, err := NewWire(p.Wire(), p, nil)
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
	read, err := Replay(t.Context(), bytes.NewReader(capture), w, Clock{Now: time.Unix(1790000000, 0), HasNow: true, Synced: true, Zone: DefaultZone()},
		func(d Decoded) error {
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

// A sanitised capture holds no clear identifier and tells the same story.
func TestSanitisedCapturesTellTheSame(t *testing.T) {
	for wire, model := range map[string]string{"mispos": "e-sign", "cup8583": "traditional", "smart": "smart"} {
		t.Run(wire, func(t *testing.T) {
			line, secrets := said(t, model, wire)
			p, err := DefaultProfile(wire)
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
		files, err := filepath.Glob(filepath.Join("testdata", "vectors", "*."+wire+".hex"))
		if err != nil || len(files) < 10 {
			t.Fatalf("%d vectors, %v", len(files), err)
		}
		for _, file := range files {
			stem := strings.TrimSuffix(file, "."+wire+".hex")
			text, err := os.ReadFile(stem + ".profile.toml")
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			p, err := LoadProfile(wire, text)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			line := vectorBytes(t, file)
			got, gotRefused, _ := story(t, p, sanitised(t, p, line, rand.New(rand.NewPCG(7, 7))))
			want, wantRefused, _ := story(t, p, line)
			if d := cmp.Diff(want, got); d != "" || gotRefused != wantRefused {
				t.Errorf("%s: %d refused, want %d\n%s", filepath.Base(file), gotRefused, wantRefused, d)
			}
		}
	}
}

func vectorBytes(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
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

// Whatever stands on a line, the sanitiser gives as many bytes, and frames that are
// right.
func FuzzSanitiser(f *testing.F) {
	f.Add(0, []byte("\x02\x00\x05\x9f\x0b\x00\x01\x31\x03\x35"))
	f.Add(1, []byte("\x02\x00\x05\x9f\x0b\x00\x01\x31\x03\x35"))
	f.Add(2, []byte("\x55\xaa\x00\x00\x01\x00\x02{}\x00\xcc\x33"))
	f.Fuzz(func(t *testing.T, wire int, line []byte) {
		name := Wires()[uint(wire)%3]
		// Inside a good frame too: most of what is random is none.
		var framed []byte
		if name == "smart" {
			framed, _ = frame.AppendSmart(nil, frame.Frame{ID: 1, Data: line})
		} else {
			framed, _ = wiretest.AppendSTX(nil, line)
		}
		all := append(bytes.Clone(line), framed...)
		p, err := DefaultProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		clean := sanitised(t, p, all, rand.New(rand.NewPCG(1, 1)))
		if len(clean) != len(all) {
			t.Fatalf("%d bytes became %d", len(all), len(clean))
		}
	})
}
