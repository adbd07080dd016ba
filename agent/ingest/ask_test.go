package ingest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/protocol/frame"
)

// asker is a wire whose frames are asks ("?5" is one about a refund with that STAN) or
// records ("5"), and that writes what the judge made of an ask.
type asker struct{ talker }

func (w *asker) Frame(f frame.Frame, now Clock) (Step, error) {
	stan, ask := strings.CutPrefix(string(f.Data), "?")
	if !ask {
		return w.talker.Frame(f, now)
	}
	r := refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: "M1", Stan: stan, At: "2026-08-22T10:15:30+08:00",
		Channel: refund.ChannelCard, Amount: 100, HasAmount: true, Currency: "CNY", Original: refund.Original{RRN: stan},
		Party: &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret("6200000000000005")}}
	return Step{Immediate: []byte("[got " + stan + "]"), Ask: &Ask{Record: Decoded{Record: r}, Within: 300 * time.Millisecond, Answer: func(ch *refund.Changes) []byte {
		if ch == nil {
			return []byte("[unchecked " + stan + "]")
		}
		return fmt.Appendf(nil, "[%s as %d]", stan, ch.Seq)
	}}}, nil
}

// memJudge is a Judge that answers what place the record would have in a memStore.
type memJudge struct {
	store *memStore
	mu    sync.Mutex // guards the rest
	slow  time.Duration
	deaf  bool // it does not end with its context either
	fail  error
	seen  []refund.Record
}

func (j *memJudge) Preview(ctx context.Context, r refund.Record) (refund.Changes, error) {
	j.mu.Lock()
	slow, deaf, fail := j.slow, j.deaf, j.fail
	j.seen = append(j.seen, r)
	j.mu.Unlock()
	if deaf {
		ctx = context.Background()
	}
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return refund.Changes{}, ctx.Err()
	}
	return refund.Changes{Seq: int64(len(strings.Fields(j.store.stans())) + 1)}, fail
}

func startAsker(t *testing.T, change func(*bench, *memJudge)) (*bench, *memJudge, *memPort) {
	t.Helper()
	var j *memJudge
	b := start(t, func(b *bench, o *Options) {
		j = &memJudge{store: b.store}
		o.Judge = j
		if change != nil {
			change(b, j)
		}
	})
	b.w.wire = remembering{&asker{talker{memory: b.w.memory}}, b.w.memory}
	port := newMemPort()
	b.ports <- port
	b.run()
	return b, j, port
}

// TestAskIsJudgedInItsPlace: after all that came before it is durable, before what came after
// it, and nothing of it is stored.
func TestAskIsJudgedInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, j, port := startAsker(t, func(b *bench, _ *memJudge) { b.store.slow = 40 * time.Millisecond })
		send(port, "a", "b", "?1", "c", "?2", "?3")
		pass(time.Second)
		want(t, "written", port.output(), "[got 1][got 2][got 3][a][b][1 as 3][c][2 as 4][3 as 4]")
		want(t, "stored", b.store.stans(), "a b c")
		if p := j.seen[0].Party; !p.ID.Empty() || len(p.Tokens) == 0 {
			t.Error("the judge saw a clear number")
		}
		_ = b.stop()
	})
}

func TestAskIsAnsweredAtItsDeadline(t *testing.T) {
	rows := []struct {
		name   string
		change func(b *bench, j *memJudge)
	}{
		{"a judge that ends late", func(_ *bench, j *memJudge) { j.slow = 10 * time.Second }},
		{"a judge that answers late", func(_ *bench, j *memJudge) { j.slow, j.deaf = 2*time.Second, true }},
		{"a store that stores late", func(b *bench, _ *memJudge) { b.store.slow = 2 * time.Second }},
		{"a store that is away", func(b *bench, _ *memJudge) { b.store.fail = errors.New("disk full") }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, j, port := startAsker(t, row.change)
				send(port, "a", "?1", "b")
				pass(295 * time.Millisecond)
				want(t, "written before", strings.Contains(port.output(), "unchecked"), false)
				pass(10 * time.Millisecond)
				want(t, "written at the deadline", strings.Contains(port.output(), "[unchecked 1]"), true)
				b.store.set(func(s *memStore) { s.slow, s.fail = 0, nil })
				pass(20 * time.Second)
				j.mu.Lock()
				j.slow = 0
				j.mu.Unlock()
				send(port, "?2")
				pass(time.Second)
				output := port.output()
				want(t, "answers to the first", strings.Count(output, " 1]")+strings.Count(output, "[1 "), 2) // received, unchecked
				want(t, "the next one is judged", strings.HasSuffix(output, "[2 as 3]"), true)
				want(t, "stored", b.store.stans(), "a b")
				_ = b.stop()
			})
		})
	}
}

func TestAskOfAStoreThatCannotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, port := startAsker(t, func(_ *bench, j *memJudge) { j.fail = ledger.ErrUnavailable })
		send(port, "?1", "a")
		pass(time.Millisecond)
		want(t, "written at once", port.output(), "[got 1][unchecked 1][a]")
		_ = b.stop()
	})
}

func TestAsksAreBoundedAndEndWithTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, port := startAsker(t, func(b *bench, j *memJudge) { j.slow = time.Hour })
		for i := range maxAsks + 2 {
			send(port, fmt.Sprint("?", i))
		}
		pass(time.Millisecond)
		want(t, "answered at once", strings.Count(port.output(), "unchecked"), 2)
		send(port, "a")
		pass(time.Millisecond)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		want(t, "stored at the stop", b.store.stans(), "a")
	})
}

// TestAskOnARealStore: what a wire is answered is what the store then makes of the record.
func TestAskOnARealStore(t *testing.T) {
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: filepath.Join(t.TempDir(), "data"), Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan *refund.Changes, 1)
	r := refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: "M1", TerminalID: "T1", RRN: "000000000001", At: "2026-08-22T10:15:30+08:00",
		Channel: refund.ChannelCard, Amount: 100, HasAmount: true, Currency: "CNY",
		Party: &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret("6200000000000005")}}
	back := r
	back.Kind, back.RRN, back.Original = refund.KindRefund, "000000000002", refund.Original{RRN: r.RRN}
	back.Party = &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret("6200000000000013")}
	port := &mutePort{memPort: newMemPort(), wrote: make(chan []byte, 16)}
	profile, err := DefaultProfile("mispos")
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWorker(Options{Link: "pos", Wire: "mispos", Profile: profile, Applier: db, Judge: db, Tokenizer: db.Keys(),
		Clock: func() Clock { return Clock{Now: time.Now(), Synced: true, HasNow: true} },
		Open:  func(context.Context) (Port, string, error) { return port, "test", nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.wire = fixed{
		"sale":   {Records: []Decoded{{Record: r}}},
		"refund": {Records: []Decoded{{Record: back}}, Reply: []byte("[stored]")},
		"ask": {Ask: &Ask{Record: Decoded{Record: back}, Within: 5 * time.Second, Answer: func(ch *refund.Changes) []byte {
			answers <- ch
			return nil
		}}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	send(port.memPort, "sale", "ask")
	ch := <-answers
	if ch == nil || len(ch.Verdicts) != 1 || ch.Verdicts[0].Verdict.Recipient != refund.Different || ch.Seq != 2 {
		t.Fatalf("answered %+v", ch)
	}
	send(port.memPort, "refund")
	<-port.wrote // it is stored
	for j, err := range db.Verdicts(t.Context(), 1) {
		if got, want := string(j.Verdict.AppendJSON(nil)), string(ch.Verdicts[0].Verdict.AppendJSON(nil)); err != nil || got != want {
			t.Errorf("stored %s, answered %s, %v", got, want, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	send(port.memPort, "ask")
	if ch := <-answers; ch != nil {
		t.Errorf("a closed store answered %+v", ch)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// fixed is a wire that makes of a frame what its text names.
type fixed map[string]Step

func (w fixed) Scanner() *frame.Scanner                    { return frame.NewSTX() }
func (w fixed) Frame(f frame.Frame, _ Clock) (Step, error) { return w[string(f.Data)], nil }
func (w fixed) Due(Clock) (Step, time.Time)                { return Step{}, time.Time{} }
func (w fixed) End(Clock) Step                             { return Step{} }
