package terminal

import (
	"bytes"
	"encoding/json"
	"testing"

	"yuanlu/firmware-sim/scenario"
)

// month plays a terminal's seeded customers and returns entries and bytes.
func month(t *testing.T, o Options, n int) ([]scenario.Entry, []byte) {
	t.Helper()
	term, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := NewSpeaker(o.Model, term.Wire())
	if err != nil {
		t.Fatal(err)
	}
	var all []scenario.Entry
	var line []byte
	for len(all) < n {
		es, err := term.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i := range es {
			frames, err := speaker.Frames(&es[i])
			if err != nil {
				b, _ := json.Marshal(es[i])
				t.Fatalf("%v: %s", err, b)
			}
			for _, f := range frames {
				line = append(line, f.Bytes...)
			}
		}
		all = append(all, es...)
	}
	return all, line
}

func models() []Options {
	return []Options{{Model: "e-sign"}, {Model: "traditional"}, {Model: "traditional", Wire: "cup8583"}, {Model: "smart"}}
}

func TestSameSeedSameBytes(t *testing.T) {
	for _, o := range models() {
		o.Seed = 5
		_, a := month(t, o, 2000)
		_, b := month(t, o, 2000)
		o.Seed = 6
		_, c := month(t, o, 2000)
		if !bytes.Equal(a, b) {
			t.Errorf("%s %s: the same seed gave other bytes", o.Model, o.Wire)
		}
		if bytes.Equal(a, c) {
			t.Errorf("%s %s: another seed gave the same bytes", o.Model, o.Wire)
		}
	}
}

func TestEveryLabelComes(t *testing.T) {
	for _, o := range models() {
		o.Wrong = 0.4
		all, _ := month(t, o, 3000)
		labels := map[string]int{}
		for _, e := range all {
			if e.Truth != nil {
				labels[e.Truth.Label]++
				switch {
				case e.Truth.Label == scenario.Wrong && !e.Truth.Case, e.Truth.Label == scenario.Right && e.Truth.Case:
					t.Errorf("entry %d: %+v", e.Seq, *e.Truth)
				}
			}
		}
		for _, l := range []string{scenario.Wrong, scenario.Right, scenario.CannotTell} {
			if labels[l] < 20 {
				t.Errorf("%s: %d refunds are %s", o.Model, labels[l], l)
			}
		}
	}
}
