package pins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

const right, wrong = "628401", "739512"

func pin(s string) refund.Secret { return refund.NewSecret(s) }

func TestWeak(t *testing.T) {
	for _, c := range []struct {
		pin  string
		weak bool
	}{
		{"628401", false}, {"982374650123", false}, {"112233", false}, {"12345", true}, {"1234567890123", true}, {"62840a", true},
		{"", true}, {"000000", true}, {"7777777", true}, {"123456", true}, {"654321", true}, {"890123", true}, {"121212", true},
		{"123123", true}, {"1231231", true}, {"123457", false}, {"６２８４０１", true},
	} {
		t.Run(c.pin, func(t *testing.T) {
			err := Weak(pin(c.pin))
			if (err != nil) != c.weak || err != nil && !errors.Is(err, ErrWeak) {
				t.Errorf("%v, want weak %v", err, c.weak)
			}
			if err != nil && c.pin != "" && strings.Contains(err.Error(), c.pin) {
				t.Error("the error holds the PIN")
			}
		})
	}
}

// bench is a Book with a clock that a test sets.
type bench struct {
	*Book
	dir   string
	now   time.Duration
	locks []string
}

func open(t *testing.T, dir string) *bench {
	t.Helper()
	b := &bench{dir: dir}
	var err error
	b.Book, err = Open(Options{Dir: dir, Known: []string{"s-1", "s-2", "s-none"}, Running: func() time.Duration { return b.now },
		Locked: func(id string, long time.Duration) { b.locks = append(b.locks, fmt.Sprintf("%s %v", id, long)) }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func withPINs(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	for _, id := range []string{"s-1", "s-2"} {
		if err := Set(dir, id, pin(right)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (b *bench) want(t *testing.T, id, p string, want error) {
	t.Helper()
	if err := b.Compare(t.Context(), id, pin(p)); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", id, err, want)
	}
}

func TestCompare(t *testing.T) {
	dir := withPINs(t)
	b := open(t, dir)
	b.want(t, "s-1", right, nil)
	b.want(t, "s-1", wrong, ErrWrong)
	b.want(t, "s-none", right, ErrWrong)
	b.want(t, "stranger", right, ErrWrong)
	b.want(t, "", right, ErrWrong)
	if info, err := os.Stat(filepath.Join(dir, pinFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Set(dir, "s-1", pin(wrong)); err != nil {
		t.Fatal(err)
	}
	b.want(t, "s-1", wrong, nil)
	b.want(t, "s-2", right, nil)
	if ids, err := Known(dir); err != nil || len(ids) != 2 {
		t.Error(ids, err)
	}
}

// TestLocks: the fifth within 15 minutes locks; a right PIN does not set the count back.
func TestLocks(t *testing.T) {
	b := open(t, withPINs(t))
	b.want(t, "s-1", wrong, ErrWrong)
	b.want(t, "s-1", right, nil)
	for range 4 {
		b.want(t, "s-1", wrong, ErrWrong)
	}
	b.want(t, "s-1", right, ErrLocked)
	b.want(t, "s-2", right, nil) // others are not concerned
	b.now += 15*time.Minute - time.Second
	b.want(t, "s-1", right, ErrLocked)
	b.now += time.Second
	b.want(t, "s-1", right, nil)
	if got := strings.Join(b.locks, ", "); got != "s-1 15m0s" {
		t.Error(got)
	}
}

// TestHowLong: four times as long each, at most a day; a day without a wrong PIN sets it back.
func TestHowLong(t *testing.T) {
	var g guesses
	now := time.Duration(0)
	five := func() (long time.Duration) {
		for range 5 {
			long = g.wrong(now)
		}
		return long
	}
	for range 4 {
		g.wrong(now)
	}
	now += 15 * time.Minute // those four are too old
	if g.wrong(now) != 0 || len(g.Wrong) != 1 {
		t.Error("old ones are counted")
	}
	now += 15 * time.Minute
	for _, want := range []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 16 * time.Hour, 24 * time.Hour, 15 * time.Minute} {
		if got := five(); got != want || !g.locked(now+want-1) || g.locked(now+want) {
			t.Errorf("locked for %v, want %v", got, want)
		}
		now += want
	}
	now += 14 * time.Minute
	for range 4 { // further ones count however long they take
		now += time.Hour
		g.wrong(now)
	}
	if got := g.wrong(now + time.Hour); got != time.Hour {
		t.Error(got)
	}
	if now += 25 * time.Hour; !g.forgotten(now) {
		t.Error("not forgotten")
	}
}

// TestUnknownTogether: ids that are not known share one count.
func TestUnknownTogether(t *testing.T) {
	b := open(t, withPINs(t))
	for i := range 5 {
		b.want(t, fmt.Sprintf("x-%d", i), right, ErrWrong)
	}
	b.want(t, "x-9", right, ErrLocked)
	b.want(t, "s-1", right, nil)
}

// TestRestart: what was counted is there again, and a lock lasts its whole time.
func TestRestart(t *testing.T) {
	dir := withPINs(t)
	b := open(t, dir)
	for range 4 {
		b.want(t, "s-1", wrong, ErrWrong)
	}
	b = open(t, dir)
	b.want(t, "s-1", wrong, ErrWrong)
	b.want(t, "s-1", right, ErrLocked)
	b.now += 10 * time.Minute
	b = open(t, dir)
	b.now += 14 * time.Minute
	b.want(t, "s-1", right, ErrLocked)
	b.now += time.Minute
	b.want(t, "s-1", right, nil)
	if left, err := b.Until(t.Context(), "s-1"); left != 0 || err != nil {
		t.Error(left, err)
	}
}

// TestNothingComparedUncounted: a guess that cannot be counted is not compared.
func TestNothingComparedUncounted(t *testing.T) {
	dir := withPINs(t)
	b := open(t, dir)
	if err := os.Mkdir(filepath.Join(dir, guessFile), 0o700); err != nil {
		t.Fatal(err)
	}
	b.want(t, "s-1", right, ErrStore)
	if err := os.WriteFile(filepath.Join(dir, pinFile), []byte("s-1 $argon2id$v=19$m=8,t=1,p=1$AA$AA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, guessFile)); err != nil {
		t.Fatal(err)
	}
	b.want(t, "s-1", right, ErrStore)
	if err := os.WriteFile(filepath.Join(dir, guessFile), []byte("{\"s-1\":"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b.o); !errors.Is(err, ErrFile) {
		t.Errorf("a damaged count: %v", err)
	}
}

func TestWaitsForItsTurn(t *testing.T) {
	b := open(t, withPINs(t))
	<-b.turn
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Compare(ctx, "s-1", pin(right)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestNoPINOnTheDisk: neither the PIN nor a wrong one stands in a file.
func TestNoPINOnTheDisk(t *testing.T) {
	dir := withPINs(t)
	b := open(t, dir)
	b.want(t, "s-1", wrong, ErrWrong)
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, f := range all {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || strings.Contains(string(data), right) || strings.Contains(string(data), wrong) {
			t.Error(f.Name(), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("s-1 " + header + "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, ok := parse(text)
		if ok && (len(e.salt) != saltBytes || len(e.hash) != hashBytes || !isID(e.id)) {
			t.Error("a line that is none")
		}
	})
}

// TestTheSameWork: of an unknown id, of a supervisor without a PIN and of a wrong PIN as much memory is worked through
// (argon2id takes 19 MiB, which is nearly all of the time), so that who guesses learns no id.
func TestTheSameWork(t *testing.T) {
	b := open(t, withPINs(t))
	work := func(id string) uint64 {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.want(t, id, wrong, ErrWrong)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	known := work("s-1")
	if known < 19<<20 {
		t.Fatalf("a comparison took %d bytes: nothing was hashed", known)
	}
	for _, id := range []string{"s-2", "s-none", "nobody", ""} {
		if got := work(id); got < known*99/100 || got > known*101/100 {
			t.Errorf("%q took %d bytes, a known one %d", id, got, known)
		}
	}
}
