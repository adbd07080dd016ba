package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// askTo is the ask about a refund of a sale to a card, as the till makes it.
func askTo(d *DB, id string, sale int, to string) *refund.Ask {
	text := fmt.Sprintf(`{"kind":"refund","merchant_id":"898000000000001","terminal_id":"10000001","operator":"01","channel":"card","amount":350,"currency":"CNY",`+
		`"original":{"rrn":"%012d"},"party":{"scheme":"pan","id":"%s"},"at":%q,"ask":{"id":%q}}`, 260000000000+sale, to, start.Format(time.RFC3339), id)
	a, err := refund.ParseAsk([]byte(text), refund.AskForm{})
	if err != nil {
		return nil
	}
	a = refund.SealAsk(a, d.Keys())
	return &a
}

// holdLevel is how asks are answered in these tests.
func holdLevel() AskHow { return AskHow{Link: "pos", Level: ask.HoldLevel, HoldFor: time.Hour} }

func keyOf(id string) ask.Key {
	return ask.Key{Merchant: "898000000000001", Terminal: "10000001", ID: id}
}

// someHolds makes a store with holds in several states and returns them.
func someHolds(t *testing.T, d *DB) []ask.Held {
	t.Helper()
	ctx := t.Context()
	apply(t, d, saleOf(1, start))
	for i := range 4 {
		got, err := d.Ask(ctx, askTo(d, fmt.Sprint("a-", i), 1, card(100+i)), holdLevel())
		must(t, err)
		if got.Entry.Held == nil || got.Entry.Answer.Action != ask.Hold {
			t.Fatalf("%+v", got.Entry)
		}
	}
	_, ended, err := d.EndHold(ctx, keyOf("a-1"), ask.Ending{State: ask.Released, By: "s-1", Reason: ask.ReasonOther, Text: "同意", At: start.Add(time.Second)})
	must(t, err)
	if !ended {
		t.Fatal("not released")
	}
	must(t, d.NoteArrived(ctx, keyOf("a-2")))
	must(t, d.NoteWrongPIN(ctx, keyOf("a-2")))
	r := refundOf(1, 50, card(103), start.Add(time.Minute))
	r.Ask = "a-3"
	apply(t, d, r)
	holds, err := d.Holds(ctx, false)
	must(t, err)
	if len(holds) != 4 || holds[1].State != ask.Released || holds[3].State != ask.Bypassed || holds[3].Record == 0 || holds[2].WrongPINs != 1 {
		t.Fatalf("%+v", holds)
	}
	return holds
}

func sameHolds(t *testing.T, d *DB, want []ask.Held) {
	t.Helper()
	got, err := d.Holds(t.Context(), false)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := d.Ask(t.Context(), askTo(d, "a-0", 1, card(100)), holdLevel())
	if err != nil || !again.Repeated || again.Entry.Held.State != ask.Open {
		t.Errorf("asked again: %+v %v", again, err)
	}
	if _, err := d.Ask(t.Context(), askTo(d, "a-0", 1, card(200)), holdLevel()); !errors.Is(err, ErrAskReused) {
		t.Errorf("another ask: %v", err)
	}
}

func TestHoldsOutliveAnOpening(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	want := someHolds(t, d)
	must(t, d.Close())
	sameHolds(t, openTest(t, o), want)
}

func TestHoldsAreCarried(t *testing.T) {
	from := t.TempDir()
	d := openTest(t, testOptions(from))
	want := someHolds(t, d)
	to := filepath.Join(t.TempDir(), "s")
	must(t, carryStore(from, to))
	sameHolds(t, openTest(t, testOptions(to)), want)
}

// TestHoldsAreSalvaged: what is readable of a damaged store has them, and of one that is
// damaged itself no other is made.
func TestHoldsAreSalvaged(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	want := someHolds(t, d)
	must(t, d.Close())
	b, err := os.ReadFile(filepath.Join(dir, storeFile))
	must(t, err)
	clear(b[:sqlite.PageSize])
	must(t, os.WriteFile(filepath.Join(dir, storeFile), b, 0o600))
	again := openTest(t, testOptions(dir))
	if len(again.Damage()) == 0 {
		t.Fatal("no damage was found")
	}
	sameHolds(t, again, want)
}

// TestAFailedCommitHoldsNothing: nothing of the ask is remembered, and it is judged when it
// comes again.
func TestAFailedCommitHoldsNothing(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, saleOf(1, start))
	must(t, d.w.Script("CREATE TEMP TRIGGER stop BEFORE INSERT ON main.hold BEGIN SELECT raise(ABORT, 'no'); END"))
	if _, err := d.Ask(t.Context(), askTo(d, "a-1", 1, card(100)), holdLevel()); err == nil {
		t.Fatal("it was held without a row")
	}
	if _, err := d.FindAsk(t.Context(), keyOf("a-1")); !errors.Is(err, ErrAskUnknown) {
		t.Errorf("it is remembered: %v", err)
	}
	if d.w != nil {
		must(t, d.w.Script("DROP TRIGGER temp.stop"))
	}
	got, err := d.Ask(t.Context(), askTo(d, "a-1", 1, card(100)), holdLevel())
	if err != nil || got.Repeated || got.Entry.Held == nil {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAsksAreForgotten(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	someHolds(t, d)
	_, err := d.Ask(t.Context(), askTo(d, "right", 1, card(1)), holdLevel())
	must(t, err)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{23 * time.Hour, 0}, {25 * time.Hour, 1}, {29 * day, 0}, {31 * day, 2}} {
		n, err := d.ForgetAsks(t.Context(), start.Add(c.after))
		must(t, err)
		if n != c.want {
			t.Errorf("after %s: %d forgotten, want %d", c.after, n, c.want)
		}
	}
	rows, _, err := d.w.Int(`SELECT count(*) FROM hold`)
	if must(t, err); rows != 2 { // those that are open
		t.Errorf("%d rows are left", rows)
	}
}

// TestHoldEventsStandInTheStream: each of a hold's two events once, under ids that are not made
// of the stream.
func TestHoldEventsStandInTheStream(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	someHolds(t, d)
	ids := map[string]string{}
	for _, n := range due(t, d) {
		if n.Class != refund.NoticeCase || !strings.HasPrefix(n.Type, "yuanlu.hold.") {
			continue
		}
		var data holdData
		must(t, json.Unmarshal(n.Data, &data))
		what := n.Type + " " + data.Ask
		if ids[what] != "" || data.Refund == nil || data.Original == nil || len(data.Answer.Findings) == 0 {
			t.Errorf("%s: %s", what, n.Data)
		}
		ids[what] = n.ID
	}
	if len(ids) != 6 {
		t.Errorf("%d events, want 4 opened and 2 ended: %v", len(ids), ids)
	}
}

// holdsChild opens and ends holds until it is killed, and prints what is durable.
func holdsChild(o Options, out io.Writer) error {
	ctx := context.Background()
	d, err := Open(ctx, o)
	if err != nil {
		return err
	}
	if _, err := d.Apply(ctx, arrivalOf(d, saleOf(1, start))); err != nil {
		return err
	}
	for i := range 4000 {
		id := fmt.Sprint("k-", i)
		if _, err := d.Ask(ctx, askTo(d, id, 1, card(1000+i)), holdLevel()); err != nil {
			return err
		}
		fmt.Fprintln(out, "open", id)
		state := []ask.State{ask.Released, ask.Cancelled, ask.Expired}[i%3]
		if i%4 == 3 {
			r := refundOf(1, 100+i, card(1000+i), start.Add(time.Minute))
			r.Ask, state = id, ask.Bypassed
			_, err = d.Apply(ctx, arrivalOf(d, r))
		} else {
			_, _, err = d.EndHold(ctx, keyOf(id), ask.Ending{State: state, By: "s-1", At: start})
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, state, id)
	}
	return d.Close()
}

// TestKillWhileHolding: kill -9 at any moment of a hold: what was said of it is there, it has
// one end at most, and each of its events stands once. YUANLU_SOAK=1: 200 times, else a tenth.
func TestKillWhileHolding(t *testing.T) {
	n := 20
	if os.Getenv(soakEnv) != "" {
		n = 200
	}
	r, looked := rand.New(rand.NewPCG(5, 9)), 0
	defer func() {
		if looked < n {
			t.Errorf("%d holds in %d kills: the process was never far enough", looked, n)
		}
	}()
	for i := range n {
		dir := filepath.Join(t.TempDir(), "s")
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childDir+"="+dir, childWhat+"=holds", "GOCOVERDIR="+t.TempDir())
		// Its time begins with its first word: how long a process takes to start is the
		// machine's matter. One that says nothing is killed all the same.
		out := saying{first: make(chan struct{})}
		c.Stdout = &out
		must(t, c.Start())
		kill := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
		ended := make(chan struct{})
		go func() {
			select {
			case <-out.first:
				kill.Reset(time.Duration(r.IntN(300)) * time.Millisecond)
			case <-ended:
			}
		}()
		_ = c.Wait()
		close(ended)
		kill.Stop()
		looked += checkHolds(t, dir, out.String())
		if t.Failed() {
			t.Fatalf("kill %d", i)
		}
	}
}

// saying keeps what a process writes, and closes first with the first of it. It is read when
// the process has ended.
type saying struct {
	strings.Builder
	first chan struct{}
}

// Write implements io.Writer.
func (s *saying) Write(p []byte) (int, error) {
	if s.Len() == 0 {
		close(s.first)
	}
	return s.Builder.Write(p)
}

// checkHolds compares a store with what its process has said of its holds, and returns of how
// many that was.
func checkHolds(t *testing.T, dir, out string) int {
	t.Helper()
	said := map[string]ask.State{}
	for line := range strings.Lines(out) {
		if state, id, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && strings.HasSuffix(line, "\n") {
			said[id] = ask.State(state)
		}
	}
	if len(said) == 0 {
		return 0 // killed before it had held anything
	}
	d := openTest(t, testOptions(dir))
	holds, err := d.Holds(t.Context(), false)
	must(t, err)
	is := map[string]ask.State{}
	for _, h := range holds {
		is[h.Key.ID] = h.State
	}
	for id, state := range said {
		if got := is[id]; got != state && (state != ask.Open || got == "") { // its end may be stored and not said
			t.Errorf("%s is %q, said was %s", id, got, state)
		}
	}
	events := map[string]int{}
	n, _, err := d.w.Int(`SELECT count(*) FROM outbox`)
	must(t, err)
	list, _, err := d.Due(t.Context(), start.Add(time.Hour), int(n)+10, nil)
	must(t, err)
	for _, e := range list {
		events[e.Type+" "+e.Subject]++
	}
	for id, state := range is {
		for what, want := range map[string]bool{"opened": true, "ended": state != ask.Open} {
			if got := events["yuanlu.hold."+what+".v1 hold/10000001/"+id]; (got == 1) != want || got > 1 {
				t.Errorf("%s, %s: %d events %s", id, state, got, what)
			}
		}
	}
	return len(said)
}

// slowForesight reads the history for as long as it is given any.
type slowForesight struct{ judge }

func (j slowForesight) Foresee(h refund.History, _ int64, _ *refund.Ask) (refund.Foreseen, error) {
	for {
		for _, err := range h.Range(1, 1) {
			if err != nil {
				return refund.Foreseen{}, err
			}
		}
	}
}

// TestAsksWithoutAHoldAreBounded: a program that asks without end takes no more memory than this, and
// what is held is kept.
func TestAsksWithoutAHoldAreBounded(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	apply(t, d, saleOf(1, start))
	held, err := d.Ask(t.Context(), askTo(d, "held", 1, card(100)), holdLevel())
	if err != nil || held.Entry.Held == nil {
		t.Fatal(held, err)
	}
	first := askTo(d, "a-0", 1, card(1))
	for i := range mostAsked + 1 {
		if _, err := d.Ask(t.Context(), askTo(d, fmt.Sprint("a-", i), 1, card(1)), holdLevel()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := d.Asks(t.Context())
	must(t, err)
	if len(all) != mostAsked+1 || all[0].Ask.ID != "held" || all[1].Ask.ID != "a-1" {
		t.Errorf("%d are remembered", len(all))
	}
	if got, err := d.Ask(t.Context(), first, holdLevel()); err != nil || got.Repeated {
		t.Errorf("the first again: %+v %v", got.Repeated, err)
	}
}

// TestALateAskIsNotKept: a judge that does not end by the deadline is ended, and the same ask
// is judged when it comes again; of a store that is away the error comes at once.
func TestALateAskIsNotKept(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	apply(t, d, saleOf(1, start))
	quick := d.judge
	d.judge = slowForesight{quick}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Ask(ctx, askTo(d, "a-1", 1, card(100)), holdLevel()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	d.judge = quick
	got, err := d.Ask(t.Context(), askTo(d, "a-1", 1, card(100)), holdLevel())
	if err != nil || got.Repeated || got.Entry.Held == nil {
		t.Errorf("again: %+v %v", got, err)
	}
	<-d.writer
	d.breakOff(errors.New("disk"))
	d.release()
	if _, err := d.Ask(t.Context(), askTo(d, "a-2", 1, card(100)), holdLevel()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
	must(t, d.Close())
	if _, err := d.Ask(t.Context(), askTo(d, "a-2", 1, card(100)), holdLevel()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
