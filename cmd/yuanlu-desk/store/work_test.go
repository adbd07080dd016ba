package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

const caseOne = "C-2026-000001"

// hire makes people with a role each; an id is the role or "role-n".
func (r *rig) hire(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		role, _, _ := strings.Cut(id, "-")
		p := fmt.Sprintf(`{"id":%q,"staff":%q,"roles":[%q],"stores":["*"],"operators":[],"active":true}`, id, "n-"+id, role)
		if err := r.s.Hire(r.t.Context(), r.now, []byte(p)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// work answers a line of a person.
func (r *rig) work(by, members string, args ...any) (casework.Answer, store.Worked) {
	r.t.Helper()
	return workOn(r, r.s, by, members, args...)
}

func workOn(r *rig, s *store.Store, by, members string, args ...any) (casework.Answer, store.Worked) {
	r.t.Helper()
	a, done, err := s.Work(r.t.Context(), r.now, by, fmt.Sprintf(`"by":%q,%s`, by, fmt.Sprintf(members, args...)))
	if err != nil {
		r.t.Fatal(err)
	}
	return a, done
}

func whats(a casework.Answer) string {
	var out []string
	for _, e := range a.Events {
		out = append(out, e.What)
	}
	return strings.Join(append(out, string(a.Refused)), " ")
}

// shown is a case as bytes.
func (r *rig) shown(s *store.Store, no string) string {
	r.t.Helper()
	a, _, err := s.Work(r.t.Context(), r.now, "", fmt.Sprintf(`"show":%q`, no))
	if err != nil || a.Refused != "" {
		r.t.Fatal(a.Refused, err)
	}
	b, err := json.Marshal(a.Case)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// What a terminal reports is a case in the same transaction; what people do with it is there
// after the desk was started again, byte for byte.
func TestWorkIsKept(t *testing.T) {
	both(t, func(r *rig) {
		setup := `{"stores":[{"store":"s1","merchant_id":"898000000000001","terminals":[],"cutoff":"22:30"}]}`
		if err := r.s.SetUp(t.Context(), []byte(setup)); err != nil {
			t.Fatal(err)
		}
		r.hire("analyst", "checker", "auditor")
		if a := r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 2, CaseID: desktest.CaseID(1), Kind: "revised", Severity: "critical"})); a.Unworked != 0 || a.New != 2 {
			t.Fatalf("%+v", a)
		}
		a, done := r.work("analyst", `"do":"claim","case":%q,"expect":3,"key":"k1"`, caseOne)
		r.want("claimed", whats(a), "claimed ")
		if v, ok := done.Case.(*casework.View); !ok || v.Owner != "analyst" || strings.Join(v.Stores, " ") != "s1" {
			t.Errorf("%+v", done.Case)
		}
		a, _ = r.work("analyst", `"do":"propose","case":%q,"expect":4,"commands":[{"do":"close","outcome":"test"}],"text":"x"`, caseOne)
		r.want("proposed", whats(a), "proposed ")
		before := r.shown(r.s, caseOne)
		r.s.Close()
		r.open()
		r.want("started again", r.shown(r.s, caseOne), before)
		a, done = r.work("analyst", `"do":"claim","case":%q,"expect":3,"key":"k1"`, caseOne)
		if a.Again == 0 || len(a.Events) != 0 || len(done.Events) != 1 || done.Events[0].What != "claimed" {
			t.Errorf("the same key again: %+v %+v", a, done)
		}
		a, _ = r.work("analyst", `"do":"note","case":%q,"text":"x","key":"k1"`, caseOne)
		r.want("the key for another command", whats(a), "key_reused")
		a, _ = r.work("checker", `"do":"approve","case":%q,"expect":5,"proposal":5`, caseOne)
		r.want("approved", whats(a), "approved closed ")
		reads, err := r.s.Reads(t.Context(), 0)
		if err != nil || len(reads) != 0 {
			t.Errorf("what nobody asked for is in the reading log: %v %v", reads, err)
		}
		r.work("auditor", `"find":"C-2026"`)
		if reads, err = r.s.Reads(t.Context(), 0); err != nil || len(reads) != 1 || reads[0].Of != "C-2026" {
			t.Errorf("%v %v", reads, err)
		}
	})
}

// A set-up that comes from another process is in force at once, also on a desk that has stored nothing yet.
func TestSetUpBesideAnEmptyDesk(t *testing.T) {
	both(t, func(r *rig) {
		if _, err := r.s.Journals(t.Context()); err != nil { // as serve does when it starts
			t.Fatal(err)
		}
		other, err := store.Open(t.Context(), r.place)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		setup := `{"stores":[{"store":"s1","merchant_id":"898000000000001","terminals":[],"cutoff":"22:30"}]}`
		if err := other.SetUp(t.Context(), []byte(setup)); err != nil {
			t.Fatal(err)
		}
		r.hire("analyst")
		r.take(c(desktest.Case{Seq: 1}))
		_, done := r.work("analyst", `"do":"claim","case":%q,"expect":2`, caseOne)
		if v, ok := done.Case.(*casework.View); !ok || strings.Join(v.Stores, " ") != "s1" {
			t.Errorf("%+v", done.Case)
		}
	})
}

// Two desks on one PostgreSQL answer at once: of each pair of commands one is done, and the
// other is stale. Both desks show the same case.
func TestTwoDesksRace(t *testing.T) {
	r := newRig(t, cluster.Database(t))
	other, err := store.Open(t.Context(), r.place)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r.hire("analyst-1", "analyst-2")
	r.take(c(desktest.Case{Seq: 1}))
	version := 2
	for round := range 20 {
		do := `"do":"claim"`
		if round%2 == 1 {
			do = `"do":"assign","to":""`
		}
		results := make([]string, 2)
		var wg sync.WaitGroup
		for i, s := range []*store.Store{r.s, other} {
			by := fmt.Sprintf("analyst-%d", i+1)
			if round%2 == 1 {
				by = "supervisor"
			}
			if round == 1 && i == 0 {
				r.hire("supervisor")
			}
			wg.Go(func() {
				a, _, err := s.Work(t.Context(), r.now, by, fmt.Sprintf(`"by":%q,%s,"case":%q,"expect":%d`, by, do, caseOne, version))
				results[i] = fmt.Sprint(whats(a), err)
			})
		}
		wg.Wait()
		got := strings.Join(results, " | ")
		if strings.Count(got, "stale") != 1 || strings.Count(got, "ed ") != 1 {
			t.Fatalf("round %d: %s", round, got)
		}
		version++
	}
	r.want("both desks show the same", r.shown(other, caseOne), r.shown(r.s, caseOne))
}

// What is due happens once, whichever desk's clock ticks.
func TestTicksOfTwoDesks(t *testing.T) {
	r := newRig(t, cluster.Database(t))
	other, err := store.Open(t.Context(), r.place)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 2}))
	r.now = r.now.Add(48 * time.Hour)
	var events [2]int
	var wg sync.WaitGroup
	for i, s := range []*store.Store{r.s, other} {
		wg.Go(func() {
			n, err := s.Tick(t.Context(), r.now)
			if err != nil {
				t.Error(err)
			}
			events[i] = n
		})
	}
	wg.Wait()
	if events[0]+events[1] != 2 {
		t.Errorf("%v events", events)
	}
	r.want("shown by both", r.shown(other, "C-2026-000002"), r.shown(r.s, "C-2026-000002"))
}

// A store of the version before the case desk is brought to this one: what it has are cases,
// in the order in which they came.
func TestTakesOverWhatWasStoredBefore(t *testing.T) {
	both(t, func(r *rig) {
		r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 2}), c(desktest.Case{Seq: 3, CaseID: desktest.CaseID(1), Kind: "revised", Severity: "critical"}))
		want := r.shown(r.s, caseOne) + r.shown(r.s, "C-2026-000002")
		r.s.Close()
		r.downgrade()
		r.open()
		r.want("taken over", r.shown(r.s, caseOne)+r.shown(r.s, "C-2026-000002"), want)
	})
}

// An open case is never removed by age; a closed one is, days after closing, with what the
// terminals reported of it. Its number is not given to another.
func TestRetainKeepsOpenCases(t *testing.T) {
	both(t, func(r *rig) {
		retain := func() {
			t.Helper()
			for n := int64(1); n > 0; {
				var err error
				if n, err = r.s.Retain(t.Context(), r.now, 100*24*time.Hour, 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.hire("analyst", "checker")
		r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 2}))
		r.now = r.now.Add(200 * 24 * time.Hour)
		retain()
		if n := r.totals(); n.Cases != 2 {
			t.Fatalf("open cases were removed: %+v", n)
		}
		a, _ := r.work("analyst", `"do":"propose","case":%q,"expect":2,"commands":[{"do":"close","outcome":"test"}],"text":"x"`, caseOne)
		r.want("proposed", whats(a), "overdue overdue claimed proposed ")
		approve := fmt.Sprintf(`"do":"approve","case":%q,"expect":5,"proposal":5,"key":"k-1"`, caseOne)
		a, _ = r.work("checker", "%s", approve)
		r.want("closed", whats(a), "approved closed ")
		r.work("analyst", `"do":"claim","case":"C-2026-000002","expect":3,"key":"k-1"`)
		other, err := store.Open(t.Context(), r.place)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if a, _, err := other.Work(t.Context(), r.now, "checker", `"by":"checker",`+approve); err != nil || a.Again == 0 {
			t.Errorf("the same key again: %+v %v", a, err)
		}
		r.now = r.now.Add(99 * 24 * time.Hour)
		retain()
		r.shown(r.s, caseOne)
		r.now = r.now.Add(2 * 24 * time.Hour)
		retain()
		for _, again := range []bool{false, true} {
			if again {
				r.s.Close()
				r.open()
			}
			a, _, err := r.s.Work(t.Context(), r.now, "", `"show":"`+caseOne+`"`)
			if err != nil || a.Refused != casework.NotFound {
				t.Errorf("%v %v", a.Refused, err)
			}
			r.shown(r.s, "C-2026-000002")
			// The key is kept no longer than the case, in each desk; another's of that name is.
			for _, s := range []*store.Store{r.s, other} {
				if a, _, err := s.Work(t.Context(), r.now, "checker", `"by":"checker",`+approve); err != nil || a.Refused != casework.NotFound {
					t.Errorf("a key of a case that is gone: %q, %v", a.Refused, err)
				}
				if a, _, err := s.Work(t.Context(), r.now, "analyst", `"by":"analyst","do":"claim","case":"C-2026-000002","expect":3,"key":"k-1"`); err != nil || a.Again == 0 {
					t.Errorf("a key of a case that is there: %+v, %v", a, err)
				}
			}
		}
		if n := r.totals(); n.Cases != 1 || n.Events != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// TestWhatIsOnlyReadWakesNothing: streams look again after a change, not after each case that
// a person opens, though its reading is logged.
func TestWhatIsOnlyReadWakesNothing(t *testing.T) {
	both(t, func(r *rig) {
		r.hire("analyst")
		woken := func(do func()) bool {
			changed := r.s.Changed()
			do()
			select {
			case <-changed:
				return true
			default:
				return false
			}
		}
		r.want("an event wakes", woken(func() { r.take(c(desktest.Case{Seq: 1})) }), true)
		r.want("a repeated event wakes", woken(func() { r.take(c(desktest.Case{Seq: 1})) }), false)
		r.want("a case that is read wakes", woken(func() { r.work("analyst", `"show":%q`, caseOne) }), false)
		list, err := r.s.Reads(t.Context(), 0)
		r.want("readings", fmt.Sprint(len(list), err), "1 <nil>")
		r.want("a refused command wakes", woken(func() { r.work("analyst", `"do":"claim","case":%q,"expect":7`, caseOne) }), false)
		r.want("a command wakes", woken(func() { r.work("analyst", `"do":"claim","case":%q,"expect":2`, caseOne) }), true)
		r.want("a tick without anything due wakes", woken(func() {
			if _, err := r.s.Tick(t.Context(), r.now); err != nil {
				t.Fatal(err)
			}
		}), false)
	})
}
