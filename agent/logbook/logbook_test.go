package logbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var cst = time.FixedZone("+08:00", 8*3600)

func clock() time.Time { return time.Date(2026, 8, 23, 1, 0, 0, 123e6, time.UTC) }

func shut(t *testing.T, b *Book) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}

func logged(t *testing.T, o Options, lines func(l *slog.Logger)) string {
	t.Helper()
	var out bytes.Buffer
	o.Stream, o.Zone = &out, cst
	if o.Now == nil {
		o.Now = clock
	}
	b := Open(o)
	lines(b.Logger())
	shut(t, b)
	return out.String()
}

func TestGolden(t *testing.T) {
	lines := func(l *slog.Logger) {
		l.Warn("case.opened", "case", "01J9", "refund", "260823000104", "recipient", "different",
			"shown", "620550*********0004", "payer", "620000******0005")
		l.Info("link.online", "link", "pos", "port", "/dev/ttyS1", slog.Group("serial", "baud", 9600))
		l.Error("store.unavailable", "err", errors.New("disk I/O error: \"x\"\nsecond line"), "wait", 2*time.Second)
		l.Debug("frame.good")
		l.With("link", "pos").WithGroup("g").Warn("a b", "k", "", "zh", "退货")
	}
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"text", Options{}, `2026-08-23T09:00:00.123+08:00 WARN case.opened case=01J9 refund=260823000104 recipient=different shown=620550*********0004 payer=620000******0005
2026-08-23T09:00:00.123+08:00 INFO link.online link=pos port=/dev/ttyS1 serial.baud=9600
2026-08-23T09:00:00.123+08:00 ERROR store.unavailable err="disk I/O error: \"x\"\nsecond line" wait=2s
2026-08-23T09:00:00.123+08:00 WARN "a_b" link=pos g.k="" g.zh=退货
`},
		{"journald", Options{Journald: true, Level: slog.LevelDebug}, `<4>case.opened case=01J9 refund=260823000104 recipient=different shown=620550*********0004 payer=620000******0005
<6>link.online link=pos port=/dev/ttyS1 serial.baud=9600
<3>store.unavailable err="disk I/O error: \"x\"\nsecond line" wait=2s
<7>frame.good
<4>"a_b" link=pos g.k="" g.zh=退货
`},
		{"json", Options{JSON: true, Level: slog.LevelWarn}, `{"time":"2026-08-23T09:00:00.123+08:00","level":"WARN","code":"case.opened","case":"01J9","refund":"260823000104","recipient":"different","shown":"620550*********0004","payer":"620000******0005"}
{"time":"2026-08-23T09:00:00.123+08:00","level":"ERROR","code":"store.unavailable","err":"disk I/O error: \"x\"\nsecond line","wait":"2s"}
{"time":"2026-08-23T09:00:00.123+08:00","level":"WARN","code":"\"a_b\"","link":"pos","g.k":"","g.zh":"退货"}
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, logged(t, tt.o, lines)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLinesReadBack(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		t.Run(fmt.Sprint(asJSON), func(t *testing.T) {
			out := logged(t, Options{JSON: asJSON}, func(l *slog.Logger) {
				l.Warn("link.lost", "link", "pos", "reason", `gone = "x y"`, "empty", "")
			})
			l, ok := ParseLine(strings.TrimSuffix(out, "\n"))
			if !ok || l.Code != "link.lost" || l.Level != slog.LevelWarn || l.Field("reason") != `gone = "x y"` || l.Field("link") != "pos" {
				t.Errorf("%q read back as %+v", out, l)
			}
			if !l.Time.Equal(clock().Truncate(time.Millisecond)) {
				t.Errorf("time %s", l.Time)
			}
		})
	}
	for _, text := range []string{"", "x", "{", `{"a":1}`, "2026-08-23T09:00:00.123+08:00 LOUD x", "panic: runtime error"} {
		t.Run(text, func(t *testing.T) {
			if l, ok := ParseLine(text); ok {
				t.Errorf("%q read as %+v", text, l)
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	now := clock()
	out := logged(t, Options{Now: func() time.Time { return now }}, func(l *slog.Logger) {
		for range 1000 {
			l.Warn("link.absent", "link", "pos")
			l.Warn("other", "n", 1)
			now = now.Add(time.Second)
		}
		now = now.Add(time.Hour)
		l.Warn("link.absent", "link", "pos")
	})
	var got []string
	for line := range strings.Lines(out) {
		if l, ok := ParseLine(strings.TrimSpace(line)); ok && l.Code == "link.absent" {
			got = append(got, l.Field("repeat"))
		}
	}
	if d := cmp.Diff([]string{"", "10", "100", "1000", ""}, got); d != "" {
		t.Error(d)
	}
}

// A cable pulled three times in a minute is logged three times, and so is its return.
func TestAChangeOfStateIsNoRepeat(t *testing.T) {
	out := logged(t, Options{Now: clock}, func(l *slog.Logger) {
		for range 3 {
			l.Warn("link.lost", "link", "pos")
			for range 5 {
				l.Warn("link.absent", "link", "pos")
				l.Warn("link.absent", "link", "printer")
			}
			l.Info("link.online", "link", "pos")
		}
	})
	for code, want := range map[string]int{"link.lost": 3, "link.absent link=pos": 3, "link.absent link=printer": 2, "link.online": 3} {
		t.Run(code, func(t *testing.T) {
			if got := strings.Count(out, code); got != want {
				t.Errorf("%s logged %d times, want %d:\n%s", code, got, want, out)
			}
		})
	}
}

func TestRepeatsAreBounded(t *testing.T) {
	r := newRepeats()
	for i := range 5 * maxRepeats {
		l := Line{Code: "x", Fields: fmt.Sprint("n=", i), Time: clock()}
		if !r.due(&l) {
			t.Fatal("a new line was kept back")
		}
	}
	if len(r.seen) != maxRepeats || r.order.Len() != maxRepeats {
		t.Errorf("watches %d lines", len(r.seen))
	}
}

func TestFence(t *testing.T) {
	tests := []struct{ in, want string }{
		{"6200000000000005", "620000******0005"},
		{"read 6205500000000000005 twice", "read 6205500000000000005 twice"}, // not a card number: Luhn
		{"a6212345678901232b", "a621234******1232b"},
		{"260823000104", "260823000104"},                 // an RRN
		{"20260823010203000001", "20260823010203000001"}, // longer than any card
		{"620000******0005", "620000******0005"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := fence(tt.in); got != tt.want {
			t.Errorf("fence(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// stuck is a pipe that is never read.
type stuck struct{ block chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.block
	return len(p), nil
}

func TestDeadPipeNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := stuck{make(chan struct{})}
		b := Open(Options{Stream: pipe, Now: time.Now})
		for i := range 10 * queueLines {
			b.Logger().Error("line", "n", i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close returned %v", err)
		}
		if got := b.Last(1, nil); len(got) != 1 || got[0].Field("n") != fmt.Sprint(10*queueLines-1) {
			t.Errorf("last line %+v", got)
		}
		close(pipe.block)
	})
}

// gate blocks until it is opened, then keeps what is written.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	buf  bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Write(p)
}

func TestLostLinesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := Open(Options{Stream: g, Now: clock})
		for i := range queueLines + 100 {
			b.Logger().Error("line", "n", i)
		}
		close(g.open)
		synctest.Wait()
		b.Logger().Info("after")
		shut(t, b)
		out := g.buf.String()
		if n := strings.Count(out, " line "); n < queueLines || n > queueLines+1 {
			t.Errorf("%d lines got through", n)
		}
		if !strings.Contains(out, "log.dropped lines=") || !strings.HasSuffix(out, "after\n") {
			t.Errorf("ends with %q", out[max(0, len(out)-200):])
		}
	})
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "a.log")
	b := Open(Options{File: path, MaxBytes: 1000, Keep: 2, Zone: cst, Now: clock})
	for i := range 200 {
		b.Logger().Error("line", "n", i)
	}
	shut(t, b)
	files := Files(path, 2)
	if len(files) != 3 {
		t.Fatalf("files %v", files)
	}
	last := -1
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(f)
		if err != nil || info.Size() > 1000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v, %v", f, info.Size(), info.Mode(), err)
		}
		for line := range strings.Lines(string(text)) {
			l, ok := ParseLine(strings.TrimSpace(line))
			var n int
			if _, err := fmt.Sscan(l.Field("n"), &n); !ok || err != nil || last >= 0 && n != last+1 {
				t.Fatalf("after %d: %q", last, line)
			}
			last = n
		}
	}
	if last != 199 {
		t.Errorf("the last line is %d", last)
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	now := clock()
	w := &file{path: "/dev/full", max: 1 << 20, now: func() time.Time { return now }}
	for range 3 {
		if _, err := w.Write([]byte("x\n")); err == nil {
			t.Fatal("a full disk took a line")
		}
	}
	w.path = filepath.Join(t.TempDir(), "a.log")
	if _, err := w.Write([]byte("x\n")); err == nil {
		t.Error("tried again at once")
	}
	now = now.Add(retryFile)
	if _, err := w.Write([]byte("x\n")); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestRingAndSubscription(t *testing.T) {
	b := Open(Options{Ring: 10, Now: clock})
	l := b.Logger()
	for i := range 25 {
		l.Error("line", "n", i)
	}
	even := func(l Line) bool { return strings.HasSuffix(l.Fields, "0") || strings.HasSuffix(l.Fields, "4") }
	past, sub := b.Subscribe(3, even)
	l.Error("line", "n", 100)
	l.Error("line", "n", 101)
	var got []string
	for _, p := range past {
		got = append(got, p.Fields)
	}
	got = append(got, (<-sub.Lines()).Fields)
	if d := cmp.Diff([]string{"n=20", "n=24", "n=100"}, got); d != "" {
		t.Error(d)
	}
	for i := range 200 {
		l.Error("more", "n", i*10)
	}
	if sub.Missed() == 0 {
		t.Error("a slow reader missed nothing")
	}
	sub.Cancel()
	sub.Cancel()
	_, other := b.Subscribe(0, nil)
	shut(t, b)
	if _, open := <-other.Lines(); open {
		t.Error("the stream outlives the Book")
	}
	l.Info("after close")
}

type secret struct{}

func (secret) LogValue() slog.Value { return slog.StringValue("[hidden]") }

func TestSecretsStayHidden(t *testing.T) {
	out := logged(t, Options{}, func(l *slog.Logger) {
		l.Info("x", "party", secret{}, slog.Group("g", "in", secret{}), "err", fmt.Errorf("bad 6200000000000005"))
	})
	if !strings.Contains(out, "party=[hidden] g.in=[hidden]") || strings.Contains(out, "6200000000000005") {
		t.Error(out)
	}
}

func TestUnderJournald(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if UnderJournald(func(string) string { return "1:2" }, f) || UnderJournald(func(string) string { return "" }, f) {
		t.Error("a file is not journald's stream")
	}
}

func BenchmarkSay(b *testing.B) {
	book := Open(Options{Stream: io.Discard})
	l := book.Logger()
	n := 0
	for b.Loop() {
		n++
		l.Info("line", "n", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := book.Close(ctx); err != nil {
		b.Error(err)
	}
}

// Stray bytes on a line are one line of its link, whatever numbers stand in it and
// whatever is logged in between; a message refused or left out time and again is one,
// wherever it stood.
func TestNoiseIsOneLineOfItsLink(t *testing.T) {
	r := newRepeats()
	got := map[string][]int{}
	log := func(code, fields string) {
		l := Line{Level: slog.LevelWarn, Code: code, Fields: fields, Time: clock()}
		if r.due(&l) {
			name := code + " " + l.Field("link")
			got[name] = append(got[name], l.Repeat)
		}
	}
	for i := range 1000 {
		log("frame.bad", fmt.Sprintf("link=pos frames=%d skipped=%d offset=%d", i%2, i, 7*i))
		log("frame.bad", fmt.Sprintf("link=printer frames=0 skipped=1 offset=%d", i))
		log("message.ignored", fmt.Sprintf("link=pos what=\"type 18\" offset=%d", 7*i))
		log("message.refused", fmt.Sprintf("link=pos offset=%d error=\"field 9F02, offset 5: got 3 digits\"", 7*i))
		if i == 500 {
			for k := range 2 * maxRepeats { // more than are watched at a time
				r.due(&Line{Code: "other", Fields: fmt.Sprint("n=", k), Time: clock()})
			}
		}
	}
	want := map[string][]int{
		"frame.bad pos": {0, 10, 100, 1000}, "frame.bad printer": {0, 10, 100, 1000},
		// The others are forgotten for those in between, and begin again.
		"message.ignored pos": {0, 10, 100, 0, 10, 100}, "message.refused pos": {0, 10, 100, 0, 10, 100},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for i := range 5 * maxRepeats {
		log("frame.bad", fmt.Sprintf("link=%d", i))
	}
	if len(r.noise) > maxRepeats {
		t.Errorf("%d links are remembered", len(r.noise))
	}
}

// TestPipeInPlaceOfTheFile: what would be waited for is not opened; the other ways out go on.
func TestPipeInPlaceOfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "yuanlu.log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	b := Open(Options{Stream: &stream, File: path})
	b.Logger().Info("first.line")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
	if !strings.Contains(stream.String(), "first.line") {
		t.Errorf("the stream has %q", stream.String())
	}
}
