package agent

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

var errGone = errors.New("store gone")

// slowStore takes a second for every transaction and keeps their sizes.
type slowStore struct {
	mu    sync.Mutex
	sizes []int
	seq   int64
	fail  func(a []refund.Arrival) error
}

func (s *slowStore) Apply(ctx context.Context, a []refund.Arrival) ([]refund.Applied, error) {
	<-time.After(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(a); err != nil {
			return nil, err
		}
	}
	var out []refund.Applied
	for _, one := range a {
		for range one.Sightings {
			s.seq++
			out = append(out, refund.Applied{Link: one.Link, Seq: s.seq})
		}
	}
	s.sizes = append(s.sizes, len(a))
	return out, nil
}

func arrival(link string, n int) []refund.Arrival {
	return []refund.Arrival{{Link: link, Sightings: make([]refund.Sighting, n)}}
}

// with runs body beside a committer in a bubble of its own time.
func with(t *testing.T, s *slowStore, body func(t *testing.T, ctx context.Context, c *committer)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitter(s, func(err error) bool { return errors.Is(err, errGone) }, func([]refund.Applied) {}, func(error) {})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.run(ctx)
		}()
		body(t, ctx, c)
		cancel()
		<-ended
	})
}

func TestFirstCommitsAtOnceOthersShare(t *testing.T) {
	s := &slowStore{}
	with(t, s, func(t *testing.T, ctx context.Context, c *committer) {
		began := time.Now()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond) // all but the first while it is on its way
				link := fmt.Sprint("l", i)
				got, err := c.Apply(ctx, arrival(link, i+1))
				if err != nil || len(got) != i+1 {
					t.Errorf("%s: %d answers, %v", link, len(got), err)
				}
				for _, a := range got {
					if a.Link != link {
						t.Errorf("%s got the answer of %s", link, a.Link)
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want two commits", took)
		}
		if fmt.Sprint(s.sizes) != "[1 9]" {
			t.Errorf("commits of %v arrivals", s.sizes)
		}
	})
}

func TestTransactionsAreBounded(t *testing.T) {
	s := &slowStore{}
	with(t, s, func(t *testing.T, ctx context.Context, c *committer) {
		var all sync.WaitGroup
		for range 9 {
			all.Go(func() {
				if _, err := c.Apply(ctx, arrival("l", 200)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, n := range s.sizes {
			if n > 3 {
				t.Errorf("commits of %v arrivals of 200", s.sizes)
			}
		}
	})
}

func TestOneBadArrivalHoldsUpNobody(t *testing.T) {
	bad := errors.New("impossible")
	s := &slowStore{fail: func(a []refund.Arrival) error {
		for _, one := range a {
			if one.Link == "bad" {
				return bad
			}
		}
		return nil
	}}
	with(t, s, func(t *testing.T, ctx context.Context, c *committer) {
		var all sync.WaitGroup
		for _, link := range []string{"first", "bad", "good"} {
			all.Go(func() {
				_, err := c.Apply(ctx, arrival(link, 1))
				if (link == "bad") != errors.Is(err, bad) {
					t.Errorf("%s: %v", link, err)
				}
			})
		}
		all.Wait()
	})
}

func TestStoreGoneIsSaidToAllAtOnce(t *testing.T) {
	s := &slowStore{fail: func([]refund.Arrival) error { return fmt.Errorf("disk: %w", errGone) }}
	with(t, s, func(t *testing.T, ctx context.Context, c *committer) {
		began := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := c.Apply(ctx, arrival("l", 1)); !errors.Is(err, errGone) {
					t.Errorf("said %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestStopFinishesTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{}
		c := newCommitter(s, func(error) bool { return false }, func([]refund.Applied) {}, func(error) {})
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		result := make(chan error, 1)
		go func() {
			_, err := c.Apply(t.Context(), arrival("l", 1))
			result <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-result; err != nil {
			t.Errorf("the commit on its way: %v", err)
		}
		if _, err := c.Apply(t.Context(), arrival("l", 1)); !errors.Is(err, errStopped) {
			t.Errorf("after the stop: %v", err)
		}
	})
}

func TestIdleCommitterShowsLife(t *testing.T) {
	with(t, &slowStore{}, func(t *testing.T, _ context.Context, c *committer) {
		before := c.progress.Load()
		<-time.After(2 * idleTick)
		if c.progress.Load() == before {
			t.Error("no sign of life")
		}
	})
}

// TestCommitterTellsOfTheStore: what fails for the store as a whole is reported, and that it
// works again; a fault of the arrivals says nothing about the store.
func TestCommitterTellsOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{}
		var told []error
		c := newCommitter(s, func(err error) bool { return errors.Is(err, errGone) }, func([]refund.Applied) {}, func(err error) { told = append(told, err) })
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		for _, err := range []error{errGone, errors.New("bad arrival"), nil} {
			s.fail = func([]refund.Arrival) error { return err }
			if _, got := c.Apply(ctx, arrival("l", 1)); !errors.Is(got, err) {
				t.Errorf("got %v, want %v", got, err)
			}
		}
		if len(told) != 2 || !errors.Is(told[0], errGone) || told[1] != nil {
			t.Errorf("told %v", told)
		}
		cancel()
		<-c.stopped
	})
}
