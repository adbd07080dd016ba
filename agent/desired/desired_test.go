package desired

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

const sum = "5d41402abc4b2a76b9719d911017c592"

func version(n int64) *Version { return &Version{Number: n, Text: "text of it"} }

func probation(n int64, left time.Duration) *Probation {
	return &Probation{Version: *version(n), Within: time.Minute, Left: left}
}

// Every state against every kind of message.
func TestDecide(t *testing.T) {
	wrong := []Problem{{Path: "mqtt.url", Line: 3, Col: 7, Message: "has no host"}}
	for _, tc := range []struct {
		name   string
		s      State
		m      Message
		wrong  []Problem
		want   Action
		reason string
	}{
		{"first ever", State{}, Message{Version: 1}, nil, Try, ""},
		{"first ever, far on", State{}, Message{Version: MostJump}, nil, Try, ""},
		{"first ever, too far", State{}, Message{Version: MostJump + 1}, nil, Decline, "the newest is 0, and the next one is at most 100000000000000 above it"},
		{"a jump", State{Newest: 5, Good: version(5)}, Message{Version: MostJump + 5, Expected: 5}, nil, Try, ""},
		{"a jump too far", State{Newest: 5, Good: version(5)}, Message{Version: MostJump + 6, Expected: 5}, nil, Decline, "too far ahead"},
		{"a jump too far during a probation", State{Newest: 6, Probation: probation(6, time.Second)}, Message{Version: MaxVersion}, nil, Decline, "too far ahead"},
		{"beyond all numbers", State{Newest: MaxVersion - 1}, Message{Version: MaxVersion + 1}, nil, Decline, "too far ahead"},
		{"the last number", State{Newest: MaxVersion - 1}, Message{Version: MaxVersion}, nil, Try, ""},
		{"no version", State{}, Message{}, nil, Nothing, ""},
		{"expects what never was", State{}, Message{Version: 2, Expected: 1}, nil, Decline, "it is version 0, the terminal's own file"},
		{"the next one", State{Newest: 5, Good: version(5)}, Message{Version: 6, Expected: 5}, nil, Try, ""},
		{"one is left out", State{Newest: 5, Good: version(5)}, Message{Version: 9, Expected: 5}, nil, Try, ""},
		{"come again", State{Newest: 5, Good: version(5)}, Message{Version: 5, Expected: 4}, nil, Nothing, ""},
		{"come again, with other words", State{Newest: 5, Good: version(5)}, Message{Version: 5, Expected: 5}, wrong, Nothing, ""},
		{"older", State{Newest: 5, Good: version(5)}, Message{Version: 4, Expected: 5}, nil, Nothing, ""},
		{"expecting another", State{Newest: 5, Good: version(5)}, Message{Version: 6, Expected: 4}, nil, Decline, "it is version 5"},
		{"wrong", State{Newest: 5, Good: version(5)}, Message{Version: 6, Expected: 5}, wrong, Refuse, "has no host"},
		{"wrong and expecting another", State{Newest: 5, Good: version(5)}, Message{Version: 6, Expected: 4}, wrong, Decline, "it is version 5"},
		{"a refused one again", State{Newest: 6, Good: version(5), Refused: &Refusal{Number: 6}}, Message{Version: 6, Expected: 5}, nil, Nothing, ""},
		{"a better one after a refused one", State{Newest: 6, Good: version(5), Refused: &Refusal{Number: 6}}, Message{Version: 7, Expected: 5}, nil, Try, ""},
		{"on the ground of a refused one", State{Newest: 6, Good: version(5), Refused: &Refusal{Number: 6}}, Message{Version: 7, Expected: 6}, nil, Decline, "it is version 5"},
		{"one on probation, again", State{Newest: 6, Good: version(5), Probation: probation(6, time.Second)}, Message{Version: 6, Expected: 5}, nil, Nothing, ""},
		{"during a probation", State{Newest: 6, Good: version(5), Probation: probation(6, time.Second)}, Message{Version: 7, Expected: 6}, nil, Wait, ""},
		{"during a probation, wrong", State{Newest: 6, Probation: probation(6, time.Second)}, Message{Version: 7, Expected: 0}, wrong, Wait, ""},
		{"after the technician went back", State{Newest: 6}, Message{Version: 7, Expected: 6}, nil, Decline, "it is version 0"},
		{"after the technician went back, knowing it", State{Newest: 6}, Message{Version: 7, Expected: 0}, nil, Try, ""},
	} {
		before := tc.s
		got, problems := Decide(tc.s, tc.m, func(string) []Problem { return tc.wrong })
		if got != tc.want || (tc.want == Refuse || tc.want == Decline) != (len(problems) > 0) || tc.reason != "" && !strings.Contains(problems[0].Message, tc.reason) {
			t.Errorf("%s: %s %v, want %s %s", tc.name, got, problems, tc.want, tc.reason)
		}
		if !reflect.DeepEqual(before, tc.s) {
			t.Errorf("%s: the state was changed", tc.name)
		}
	}
}

// The life of a state, from one version to the next.
func TestTransitions(t *testing.T) {
	s := State{}.Tried(*version(3), time.Minute, sum)
	if s.Version() != 3 || s.Newest != 3 || s.Base != sum || s.Probation.Left != time.Minute {
		t.Fatalf("on probation: %+v", s)
	}
	if got := s.Returned("no broker"); got.Version() != 0 || got.Newest != 3 || got.Refused.Number != 3 || !got.Refused.Returned ||
		got.Refused.Problems[0].Message != "returned: no broker" || got.Unreported[0] != (Event{"config.reverted", 3, 0, "no broker"}) {
		t.Errorf("returned to the file: %+v", got)
	}
	s = s.Confirmed()
	if s.Version() != 3 || s.Probation != nil || s.Good.Text == "" {
		t.Errorf("confirmed: %+v", s)
	}
	if again := s.Confirmed(); !reflect.DeepEqual(again, s) {
		t.Errorf("confirmed again: %+v", again)
	}
	s = s.Refuse(Message{Version: 4}, []Problem{{Message: "x"}})
	if s.Version() != 3 || s.Newest != 4 {
		t.Errorf("refused: %+v", s)
	}
	s = s.Tried(*version(5), time.Minute, sum)
	if s.Refused != nil {
		t.Errorf("a newer one was taken: %+v", s)
	}
	if got := s.Returned("no broker"); got.Version() != 3 || got.Unreported[0].To != 3 {
		t.Errorf("returned to version 3: %+v", got)
	}
	for name, got := range map[string]State{"by the file": s.FileChanged("other"), "by command": s.Reverted("why")} {
		if got.Version() != 0 || got.Good != nil || got.Probation != nil || got.Newest != 5 || len(got.Unreported) != 1 || got.Unreported[0].Name != "config.local" {
			t.Errorf("reverted %s: %+v", name, got)
		}
		if again := got.FileChanged("third").Reverted("why"); !reflect.DeepEqual(again, got) {
			t.Errorf("reverted %s again: %+v", name, again)
		}
	}
	if got := s.FileChanged(sum); !reflect.DeepEqual(got, s) {
		t.Errorf("the file has not changed: %+v", got)
	}
	for range 3 * mostUnreported {
		s = s.Tried(*version(s.Newest + 1), time.Minute, sum).Returned(strings.Repeat("中", 500))
	}
	if len(s.Unreported) != mostUnreported || len(s.Unreported[0].Why) > longestMessage+3 || len(s.Reported().Unreported) != 0 {
		t.Errorf("%d unreported", len(s.Unreported))
	}
	many := make([]Problem, 500)
	if got := s.Refuse(Message{Version: 99}, many); len(got.Refused.Problems) != mostProblems {
		t.Errorf("%d problems kept", len(got.Refused.Problems))
	}
}

// What is declined is answered once and may act later; numbers that have run ahead
// begin again on the technician's word, and what he turned away does not come back.
func TestDeclinedAndRecounted(t *testing.T) {
	none := func(string) []Problem { return nil }
	s := State{Newest: 6, Good: version(6), Base: sum}
	m := Message{Version: 8, Expected: 4}
	action, problems := Decide(s, m, none)
	next := s.Declined(8, problems)
	if action != Decline || next.Newest != 6 || s.Answered(8, problems) || !next.Answered(8, problems) || next.Answered(9, problems) || next.Answer().Number != 8 {
		t.Errorf("declined: %s %+v", action, next)
	}
	if action, _ := Decide(next, Message{Version: 8, Expected: 6}, none); action != Try {
		t.Errorf("the same version on the right ground: %s", action)
	}
	if got := next.Refuse(Message{Version: 9}, problems); got.Answer().Number != 9 || got.Tried(*version(10), time.Minute, sum).Answer() != nil {
		t.Errorf("answers: %+v", got)
	}
	if got := (State{Newest: 9, Refused: &Refusal{Number: 8}}).Answer(); got != nil {
		t.Errorf("an older answer: %+v", got)
	}
	for _, tc := range []struct {
		s    State
		want int64
	}{
		{State{Newest: 9}, 9},
		{State{Newest: MostJump}, MostJump},
		{State{Newest: MaxVersion}, 0},
		{State{Newest: MaxVersion, Good: version(MaxVersion)}, 0},
		{State{Newest: MostJump + 1, Good: version(7), Refused: &Refusal{Number: MostJump + 1}}, 0},
	} {
		if got := tc.s.Recounted(); tc.s.Version() > 0 && !reflect.DeepEqual(got, tc.s) {
			t.Errorf("%+v begins anew with a version in force", tc.s)
		}
		got := tc.s.Reverted("why").Recounted()
		if got.Newest != tc.want || got.Answer() != nil && got.Answer().Number < got.Newest {
			t.Errorf("%+v became %+v", tc.s, got)
		}
		// The retained message comes again at the next connection.
		if action, _ := Decide(got, Message{Version: tc.s.Newest}, none); action == Try || action == Wait {
			t.Errorf("%+v: what was turned away is taken again: %s", tc.s, action)
		}
		if action, _ := Decide(got, Message{Version: got.Newest + 1}, none); action != Try {
			t.Errorf("%+v: the next version: %s", tc.s, action)
		}
	}
}

// The time of a probation is used up however often the program ends within a step.
func TestChargeInAdvance(t *testing.T) {
	s := State{}.Tried(*version(1), 100*time.Second, sum)
	var total time.Duration
	n := 0
	for {
		next, step := s.Charged(15 * time.Second)
		if step == 0 {
			break
		}
		s, total, n = next, total+step, n+1
	}
	if total != 100*time.Second || n != 7 || s.Probation.Left != 0 {
		t.Errorf("%d steps, %v in all, %v left", n, total, s.Probation.Left)
	}
	if got, step := (State{}).Charged(time.Second); step != 0 || got.Probation != nil {
		t.Errorf("without a probation: %v %+v", step, got)
	}
}

func TestReadAndWrite(t *testing.T) {
	dir := t.TempDir()
	if s, err := Read(dir); err != nil || !reflect.DeepEqual(s, State{}) {
		t.Fatalf("before anything: %+v, %v", s, err)
	}
	want := State{}.Tried(Version{7, "[log]\nlevel = \"info\"\n", time.Date(2026, 8, 23, 1, 2, 3, 0, time.UTC)}, time.Minute, sum).Returned("x")
	st := NewStore(dir)
	if err := st.Write(want); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for name, mode := range map[string]os.FileMode{"config": 0o700, "config/desired.json": 0o600, "config/lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	other := NewStore(dir)
	if err := other.Write(State{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Write(State{Newest: 9}), other.Close()); err != nil {
		t.Error(err)
	}
	path := filepath.Join(dir, "config", "desired.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 4
		if _, err := decode(damaged); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := decode(whole[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if err := os.WriteFile(path, make([]byte, maxState+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("too large: %v", err)
	}
	if err := NewStore(filepath.Join(dir, "not there")).Write(State{}); !errors.Is(err, ErrStore) {
		t.Errorf("no folder: %v", err)
	}
}

// FuzzDecode: any bytes are a state or damaged.
func FuzzDecode(f *testing.F) {
	good, err := encode(State{Newest: 3, Good: version(3)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("sha256 \n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		Decide(s, Message{Version: s.Newest + 1}, func(string) []Problem { return nil })
	})
}

// TestNoFile: what stands in place of the file is an error and never a wait.
func TestNoFile(t *testing.T) {
	for _, name := range []string{stateFile, newFile} {
		dir := t.TempDir()
		path := filepath.Join(dir, folder, name)
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		if name == stateFile {
			if _, err := Read(dir); err == nil || errors.Is(err, ErrDamaged) {
				t.Errorf("a pipe is read as a state: %v", err)
			}
			continue
		}
		st := NewStore(dir)
		if err := st.Write(State{}); !errors.Is(err, ErrStore) {
			t.Errorf("a pipe is written to: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
