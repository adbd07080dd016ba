package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// many is how many cases a desk has that is large; a tenth without YUANLU_SOAK.
func many() int {
	if os.Getenv("YUANLU_SOAK") != "" {
		return 100_000
	}
	return 10_000
}

// fill stores n cases as terminals report them, hot of them with one recipient.
func fill(t testing.TB, s *store.Store, n, hot int) {
	t.Helper()
	d, err := consumer.NewDecoder("yuanlu")
	if err != nil {
		t.Fatal(err)
	}
	var batch []store.Message
	for i := range n {
		terminal := fmt.Sprintf("t-%d", i%2000)
		e := desktest.Case{Terminal: terminal, Seq: int64(i/2000 + 1), CaseID: desktest.CaseID(int64(i + 1))}
		if i < hot {
			e.Terminal, e.Seq, e.Token = "t-hot", int64(i+1), "HOT"
			terminal = e.Terminal
		}
		m, ok := d.Decode("yuanlu/v1/"+terminal+"/up/case", e.JSON(), false, noon)
		if !ok {
			t.Fatal("not decoded")
		}
		if batch = append(batch, m); len(batch) == 500 || i == n-1 {
			a, err := s.Apply(t.Context(), batch)
			if err != nil || a.Unworked > 0 || a.Refused > 0 {
				t.Fatal(a, err)
			}
			batch = batch[:0]
		}
	}
}

// cpu is the processor time that this process has used: it is the same on a machine that is
// busy with other things.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// took returns the 95th percentile of the processor time of something.
func took(t *testing.T, n int, do func(int)) time.Duration {
	t.Helper()
	var all []time.Duration
	for i := range n {
		begin := cpu(t)
		do(i)
		all = append(all, cpu(t)-begin)
	}
	slices.Sort(all)
	return all[n*95/100]
}

// TestSoakManyCases measures a large desk beside an empty one, in one run: start, lists, a
// case, a command, memory. Lists take at most 1 s of a processor, a case 200 ms.
func TestSoakManyCases(t *testing.T) {
	for _, n := range []int{1, many()} {
		place := filepath.Join(t.TempDir(), "desk.db")
		s, err := store.Open(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetUp(t.Context(), []byte(`{"stores":[{"store":"s1","merchant_id":"898000000000001","terminals":[],"cutoff":"22:30"}]}`)); err != nil {
			t.Fatal(err)
		}
		if err := s.Hire(t.Context(), noon, []byte(`{"id":"analyst","staff":"1","roles":["analyst"],"stores":["*"],"operators":[],"active":true}`)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		fill(t, s, n, 1)
		t.Logf("%d cases: stored in %v", n, time.Since(begin).Round(time.Millisecond))
		measure(t, s, n, "")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		used := cpu(t)
		if s, err = store.Open(t.Context(), place); err != nil {
			t.Fatal(err)
		}
		if j, err := s.Journals(t.Context()); err != nil || j.Cases != n {
			t.Fatal(j, err)
		}
		t.Logf("%d cases: built at the start in %v of a processor", n, (cpu(t) - used).Round(time.Millisecond))
		measure(t, s, n, "started again: ")
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%d cases: %d MiB more in use", n, (int64(after.HeapInuse)-int64(before.HeapInuse))>>20)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func measure(t *testing.T, s *store.Store, n int, what string) {
	t.Helper()
	ask := func(members string) {
		a, _, err := s.Work(context.Background(), noon.Add(time.Second), "analyst", `"by":"analyst",`+members)
		if err != nil || a.Refused != "" {
			t.Fatal(members, a.Refused, err)
		}
	}
	begin := cpu(t)
	ask(`"list":"next"`)
	t.Logf("%s%d cases: first list %v of a processor", what, n, (cpu(t) - begin).Round(time.Microsecond))
	for _, one := range []struct {
		name string
		do   func(int)
	}{
		{"next", func(int) { ask(`"list":"next"`) }},
		{"overdue", func(int) { ask(`"list":"overdue"`) }},
		{"mine", func(int) { ask(`"list":"mine"`) }},
		{"find", func(i int) { ask(`"find":"PQ00001234"`) }},
		{"show", func(i int) { ask(fmt.Sprintf(`"show":"C-2026-%06d"`, 1+i*37%n)) }},
		{"sides", func(i int) {
			if _, err := s.Sides(context.Background(), fmt.Sprintf("C-2026-%06d", 1+i*37%n)); err != nil {
				t.Fatal(err)
			}
		}},
		{"note", func(i int) { ask(fmt.Sprintf(`"do":"note","case":"C-2026-%06d","text":"x"`, 1+i*37%n)) }},
		{"tick", func(int) {
			if _, err := s.Tick(context.Background(), noon.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		p95 := took(t, 20, one.do)
		t.Logf("%s%d cases: %s p95 %v of a processor", what, n, one.name, p95.Round(time.Microsecond))
		if limit := map[bool]time.Duration{true: 200 * time.Millisecond, false: time.Second}[one.name == "show"]; p95 > limit {
			t.Errorf("%s%d cases: %s takes %v, at most %v", what, n, one.name, p95, limit)
		}
	}
}
