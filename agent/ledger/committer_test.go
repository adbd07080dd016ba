package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
)

// slowStore is a store whose commits take a second; it keeps how many sightings each had,
// and fail may refuse a record.
type slowStore struct {
	judge
	d     *DB
	mu    sync.Mutex // guards the rest
	n     int
	sizes []int
	tries int
	fail  func(r *refund.Record) error
}

func (s *slowStore) Apply(h refund.History, seq int64, r refund.Record) (refund.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.fail != nil {
		if err := s.fail(&r); err != nil {
			s.n = 0
			return refund.Changes{}, err
		}
	}
	s.n++
	return s.judge.Apply(h, seq, r)
}

func (s *slowStore) step(name string) {
	if name != "commit" || s.d == nil {
		return
	}
	<-time.After(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes, s.n = append(s.sizes, s.n), 0
}

// withSlow runs body with such a store in a bubble of its own time.
func withSlow(t *testing.T, body func(t *testing.T, s *slowStore)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{judge: newJudge()}
		o := testOptions(dir)
		o.judge, o.step, o.Now = s, s.step, time.Now
		s.d = openTest(t, o)
		body(t, s)
	})
}

// from is n sales that a link brought.
func (s *slowStore) from(link string, n int) []refund.Arrival {
	list := sales(s.d.Keys(), 1000*len(link), n)
	for i := range list {
		list[i].Link = link
	}
	return list
}

func TestFirstIsCommittedAtOnceOthersShare(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		began := time.Now()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond) // all but the first while it is on its way
				link := fmt.Sprint("l", i)
				got, err := s.d.Apply(t.Context(), s.from(link, i+1))
				if err != nil || len(got) != i+1 {
					t.Errorf("%s: %d answers, %v", link, len(got), err)
				}
				for k, a := range got {
					if a.Link != link || k > 0 && a.Seq != got[k-1].Seq+1 {
						t.Errorf("%s got the answer of %s, record %d", link, a.Link, a.Seq)
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want two commits", took)
		}
		if got := fmt.Sprint(s.sizes); got != "[1 54]" {
			t.Errorf("commits of %s sightings", got)
		}
	})
}

// TestSubmissionsKeepTheirOrder: a link that hands over one batch after the other without
// waiting finds them stored, and answered, in that order.
func TestSubmissionsKeepTheirOrder(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		answers := make(chan int64, 20)
		for i := range 20 {
			s.d.Submit(s.from("pos", 3), func(a []refund.Applied, err error) {
				if err != nil || len(a) != 3 {
					t.Errorf("batch %d: %d answers, %v", i, len(a), err)
					return
				}
				answers <- a[0].Seq
			})
		}
		for i := range 20 {
			if seq := <-answers; seq != int64(3*i+1) {
				t.Fatalf("answer %d is of record %d", i, seq)
			}
		}
	})
}

func TestTransactionsAreBounded(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		var all sync.WaitGroup
		for range 9 {
			all.Go(func() {
				if _, err := s.d.Apply(t.Context(), s.from("l", 200)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, n := range s.sizes {
			if n > 600 {
				t.Errorf("commits of %v sightings", s.sizes)
			}
		}
	})
}

func TestOneBadArrivalHoldsUpNoOther(t *testing.T) {
	bad := errors.New("impossible")
	withSlow(t, func(t *testing.T, s *slowStore) {
		s.fail = func(r *refund.Record) error {
			if r.Stan == "bad" {
				return bad
			}
			return nil
		}
		var all sync.WaitGroup
		for i, link := range []string{"first", "bad", "good"} {
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond)
				a := s.from(link, 1)
				if link == "bad" {
					a[0].Sightings[0].Record.Stan = "bad"
				}
				_, err := s.d.Apply(t.Context(), a)
				if (link == "bad") != errors.Is(err, bad) {
					t.Errorf("%s: %v", link, err)
				}
			})
		}
		all.Wait()
	})
}

func TestAFaultOfTheStoreIsAnsweredToAllAtOnce(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond)
				_, err := s.d.Apply(t.Context(), s.from("l", 1))
				if (i > 0) != errors.Is(err, ErrUnavailable) {
					t.Errorf("%d got %v", i, err)
				}
			})
		}
		<-time.After(500 * time.Millisecond)
		s.mu.Lock()
		s.fail = func(*refund.Record) error { return unavailable(errors.New("disk")) }
		s.mu.Unlock()
		all.Wait()
		if s.tries != 2 {
			t.Errorf("the store was tried %d times, want once for each commit", s.tries)
		}
	})
}

func TestCloseFinishesTheCommit(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		var results [2]error
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { _, results[i] = s.d.Apply(t.Context(), s.from("l", 1)) })
		}
		synctest.Wait()
		if err := s.d.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		if results != [2]error{} {
			t.Errorf("what came before: %v", results)
		}
		if _, err := s.d.Apply(t.Context(), s.from("l", 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("after it: %v", err)
		}
	})
}

func TestACallThatWaitsMayBeGivenUp(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.d.Apply(t.Context(), s.from("first", 1)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.d.Apply(ctx, s.from("l", 1)); !errors.Is(err, ctx.Err()) {
			t.Errorf("got %v", err)
		}
		all.Wait()
		if got := fmt.Sprint(s.sizes); got != "[1]" {
			t.Errorf("commits of %s sightings", got)
		}
	})
}

func TestProgressStandsStillWhileACommitHangs(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		idle := s.d.Progress()
		if s.d.Progress() == idle {
			t.Error("no sign of life of an idle store")
		}
		s.d.Submit(s.from("pos", 1), func([]refund.Applied, error) {})
		synctest.Wait()
		hangs := s.d.Progress()
		<-time.After(500 * time.Millisecond)
		if s.d.Progress() != hangs {
			t.Error("a sign of life in the middle of a commit")
		}
		<-time.After(time.Second)
		if s.d.Progress() == hangs {
			t.Error("no sign of life after the commit")
		}
	})
}
