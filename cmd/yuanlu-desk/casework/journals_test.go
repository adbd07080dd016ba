package casework

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJournals answers the journals of testdata and compares every byte.
func TestJournals(t *testing.T) {
	files, err := filepath.Glob("testdata/*.want.jsonl")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d journals, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".want.jsonl"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, err := os.ReadFile(strings.TrimSuffix(file, ".want.jsonl") + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			bad, err := Check(bytes.NewReader(in), &out)
			if err != nil || bad != bytes.Contains(want, []byte(`"refused":"bad_input"`)) {
				t.Errorf("bad %v, %v", bad, err)
			}
			got := strings.SplitAfter(out.String(), "\n")
			for i, line := range strings.SplitAfter(string(want), "\n") {
				if i >= len(got) || got[i] != line {
					t.Fatalf("line %d:\nwant %sgot  %s", i+1, line, got[min(i, len(got)-1)])
				}
			}
			rebuilt(t, in)
		})
	}
}

// rebuilt checks that the events of the journals, with what the terminals said, make the
// same desk, byte for byte.
func rebuilt(t *testing.T, in []byte) {
	t.Helper()
	first, second := New(), New()
	for i, line := range bytes.Split(in, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		a := first.Line(int64(i+1), line)
		v, err := parse(line)
		if err != nil || a.Refused == BadInput {
			continue
		}
		if _, at := v.member("at"); !at && len(v.members) == 1 && second.setup(v.members[0].name, v.members[0].value) {
			continue
		}
		before := 0 // due events come before what the terminal says
		if said, ok := v.member("event"); ok {
			e, ok := terminalEvent(said)
			if !ok {
				t.Fatal(i)
			}
			for before < len(a.Events) && a.Events[before].By == bySystem && a.Events[before].What != "suggested" {
				apply(t, second, a.Events[before])
				before++
			}
			second.Remember(e)
		}
		for _, e := range a.Events[before:] {
			apply(t, second, e)
		}
	}
	second.clock = first.clock
	for no := range first.cases {
		a, _ := first.show(nil, no)
		b, _ := second.show(nil, no)
		if !bytes.Equal(encode(a), encode(b)) {
			t.Errorf("rebuilt:\n%s\nwas:\n%s", encode(b), encode(a))
		}
		for _, by := range first.people.ids {
			if x, y := first.people.byID[by], second.people.byID[by]; !bytes.Equal(encode(x), encode(y)) {
				t.Errorf("rebuilt person %s, was %s", encode(y), encode(x))
			}
		}
	}
	if a, b := len(first.waiting), len(second.waiting); a != b {
		t.Errorf("%d follow-ups wait, after rebuilding %d", a, b)
	}
	s, _ := first.stats(nil, span{last: 1 << 40})
	r, _ := second.stats(nil, span{last: 1 << 40})
	if !bytes.Equal(encode(s), encode(r)) {
		t.Errorf("statistics rebuilt %s, were %s", encode(r), encode(s))
	}
}

func apply(t *testing.T, d *Desk, e Event) {
	t.Helper()
	if err := d.Apply(e.Bytes()); err != nil {
		t.Fatal(err)
	}
}

func TestApplyRefusesWhatDoesNotContinueItsJournal(t *testing.T) {
	d := New()
	d.write("C-2026-000001", byTerminal, "opened", &opened{From: fromTerminal})
	good := d.events[0]
	for name, change := range map[string]func(*Event){
		"a gap":           func(e *Event) { e.Seq = 2 },
		"another content": func(e *Event) { e.Data = []byte(`{"from":"hand","store":"","text":""}`) },
		"another hash":    func(e *Event) { e.Prev = strings.Repeat("1", 64) },
		"an unknown kind": func(e *Event) { e.What = "painted" },
		"no time":         func(e *Event) { e.At = "today" },
	} {
		e := good
		if change(&e); New().Apply(e.Bytes()) == nil {
			t.Errorf("%s was applied", name)
		}
	}
	if err := New().Apply(good.Bytes()); err != nil {
		t.Error(err)
	}
}

func TestRefusalsHaveBothTexts(t *testing.T) {
	known := map[Refusal]bool{}
	for _, r := range Refusals() {
		if r.EN == "" || r.ZH == "" || r.HTTP < 400 || known[r.Code] {
			t.Errorf("%+v", r)
		}
		known[r.Code] = true
	}
	source, err := os.ReadFile("refusals.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(source)) {
		if _, code, ok := strings.Cut(line, " Refusal = "); ok {
			if n++; !known[Refusal(strings.Trim(strings.TrimSpace(code), `"`))] {
				t.Errorf("%s has no texts", strings.TrimSpace(code))
			}
		}
	}
	if n != len(known) {
		t.Errorf("%d codes in the program, %d in refusals.tsv", n, len(known))
	}
}

// FuzzLine answers a line, alone and behind a case that is at work.
func FuzzLine(f *testing.F) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".want.jsonl") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			f.Add(line)
		}
	}
	before, err := os.ReadFile("testdata/02-wrong-card-the-whole-way.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	before = bytes.Join(bytes.SplitAfter(before, []byte("\n"))[:7], nil)
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, in := range [][]byte{line, append(bytes.Clone(before), line...)} {
			var one, two bytes.Buffer
			if _, err := Check(bytes.NewReader(in), &one); err != nil {
				t.Fatal(err)
			}
			if _, err := Check(bytes.NewReader(in), &two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
				t.Fatalf("the same lines were answered differently: %v", err)
			}
			for answer := range bytes.Lines(one.Bytes()) {
				if _, err := parse(answer); err != nil {
					t.Fatalf("the answer is no JSON: %s", answer)
				}
			}
		}
	})
}
