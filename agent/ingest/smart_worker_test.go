package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/protocol/frame"
)

// smartSale frames a sale with a STAN as its message id, under a frame id.
func smartSale(id byte, stan int) []byte {
	return smartFrame(frame.Frame{ID: id, Data: []byte(fmt.Sprintf(`{"v":1,"id":"m%d","src":"record","terminal_id":"SM000001","merchant_id":"M",`+
		`"body":{"v":1,"kind":"sale","outcome":"approved","channel":"card","amount":1000,"at":"2026-08-22T10:15:30+08:00","batch":"000001","stan":"%06d","party":{"scheme":"pan","id":"6200000000000005"}}}`, stan, stan))})
}

func smartFrame(f frame.Frame) []byte {
	b, err := frame.AppendSmart(nil, f)
	if err != nil {
		return nil
	}
	return b
}

// acks returns what the confirms in written confirm.
func acks(written string) string {
	s := frame.NewSmart()
	s.Push([]byte(written))
	var ids []byte
	for f, ok := s.Next(); ok; f, ok = s.Next() {
		if f.Type != frame.SmartConfirm || f.ID != 0 || len(f.Data) > 0 {
			return "no confirm"
		}
		ids = append(ids, f.Ack)
	}
	if s.Stats().SkippedBytes > 0 || s.Pending() {
		return "no frames"
	}
	return fmt.Sprint(ids)
}

func startSmart(t *testing.T, change func(*bench, *Options)) (*bench, *memPort) {
	t.Helper()
	p, err := DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, func(b *bench, o *Options) {
		o.Wire, o.Profile = "smart", p
		if change != nil {
			change(b, o)
		}
	})
	port := newMemPort()
	b.ports <- port
	b.run()
	return b, port
}

// A data frame is confirmed only when every record in it is durable; a handshake is
// answered meanwhile.
func TestSmartConfirmsOnlyWhatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startSmart(t, func(b *bench, o *Options) { b.store.slow = 300 * time.Millisecond })
		port.in <- smartSale(1, 1)
		port.in <- smartFrame(frame.Frame{Type: frame.SmartHandshake})
		port.in <- smartSale(2, 1) // sent again before it was confirmed, as a new frame
		pass(200 * time.Millisecond)
		want(t, "before the commit", acks(port.output()), "[0]")
		want(t, "stored", b.store.stans(), "")
		pass(200 * time.Millisecond)
		want(t, "after it", acks(port.output()), "[0 1 2]")
		want(t, "stored", b.store.stans(), "000001")
		_ = b.stop()
	})
}

// While the store takes nothing, nothing is confirmed and the firmware repeats; then
// each message is stored once and every frame confirmed.
func TestSmartRepeatsWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startSmart(t, func(b *bench, o *Options) { b.store.fail = errors.New("disk full") })
		for try := range byte(3) {
			port.in <- smartSale(10+try, 1)
			port.in <- smartSale(20+try, 2)
			pass(time.Second)
		}
		want(t, "confirmed", acks(port.output()), "[]")
		b.store.set(func(s *memStore) { s.fail = nil })
		pass(20 * time.Second)
		want(t, "stored", b.store.stans(), "000001 000002")
		got := acks(port.output())
		for _, id := range []string{"10", "11", "12", "20", "21", "22"} {
			if !bytes.Contains([]byte(got), []byte(id)) {
				t.Errorf("frame %s is not confirmed: %s", id, got)
			}
		}
		_ = b.stop()
	})
}

// What cannot be decoded, is empty or of an unknown src is confirmed after it was
// counted, or it would come for ever.
func TestSmartConfirmsWhatItCannotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startSmart(t, nil)
		port.in <- smartFrame(frame.Frame{ID: 1, Data: []byte(`{"v":1,`)})
		port.in <- smartFrame(frame.Frame{ID: 2})
		port.in <- smartFrame(frame.Frame{ID: 3, Data: []byte(`{"v":1,"id":"1","src":"jd.trade","body":{}}`)})
		port.in <- smartFrame(frame.Frame{Type: 9, ID: 4})
		port.in <- smartFrame(frame.Frame{})
		pass(time.Second)
		want(t, "confirmed", acks(port.output()), "[1 2 3 0]")
		h := b.w.Health()
		want(t, "refused", h.Refused, 1)
		want(t, "ignored", h.Ignored, 5) // the last for its id too
		want(t, "good frames", h.FramesGood, 5)
		want(t, "bad frames", h.FramesBad, 0)
		want(t, "stored", b.store.stans(), "")
		_ = b.stop()
	})
}

// A confirm is for the port that sent the frame: after the link was lost the firmware
// sends again, and that is confirmed, without a second record.
func TestSmartRepeatAfterALostConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := startSmart(t, func(b *bench, o *Options) { b.store.slow = 300 * time.Millisecond })
		first.in <- smartSale(1, 1)
		pass(100 * time.Millisecond)
		first.gone <- errors.New("unplugged")
		second := newMemPort()
		b.ports <- second
		pass(10 * time.Second)
		want(t, "stored", b.store.stans(), "000001")
		want(t, "confirmed to the first port", acks(first.output()), "[]")
		want(t, "confirmed to the second, unasked", acks(second.output()), "[]")
		second.in <- smartSale(7, 1)
		pass(time.Second)
		want(t, "confirmed to the second", acks(second.output()), "[7]")
		want(t, "stored", b.store.stans(), "000001")
		_ = b.stop()
	})
}

// A frame that the store cannot be asked about waits; nothing is made of it twice.
func TestSmartFrameWaitsForItsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startSmart(t, nil)
		port.in <- smartSale(1, 1)
		pass(time.Second)
		b.store.set(func(s *memStore) { s.forget = errors.New("i/o error") })
		port.in <- smartSale(2, 1)
		pass(5 * time.Second)
		want(t, "confirmed", acks(port.output()), "[1]")
		b.store.set(func(s *memStore) { s.forget = nil })
		pass(20 * time.Second)
		want(t, "confirmed", acks(port.output()), "[1 2]")
		want(t, "stored", b.store.stans(), "000001")
		_ = b.stop()
	})
}

// mutePort loses what is written to it, and says when something is.
type mutePort struct {
	*memPort
	wrote chan []byte
	lose  bool
}

func (p *mutePort) Write(b []byte) (int, error) {
	p.wrote <- bytes.Clone(b)
	if p.lose {
		return 0, errors.New("gone")
	}
	return len(b), nil
}

// ended is a store whose process ends after a commit, before it can answer.
type ended struct {
	*ledger.DB
	committed chan struct{}
}

func (e ended) Submit(a []refund.Arrival, done func([]refund.Applied, error)) {
	e.DB.Submit(a, func(applied []refund.Applied, err error) {
		if err != nil {
			done(applied, err)
			return
		}
		e.committed <- struct{}{} // and nothing else learns of it
	})
}

// Ended between commit and confirm, on the real store: nothing is doubled, and what
// the firmware sends again is confirmed.
func TestSmartEndedBetweenCommitAndConfirm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	profile, err := DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
		if err != nil {
			t.Fatal(err)
		}
		port := &mutePort{memPort: newMemPort(), wrote: make(chan []byte, 16), lose: round == 1}
		committed := make(chan struct{}, 16)
		var store Applier = db
		if round == 0 {
			store = ended{db, committed}
		}
		w, err := NewWorker(Options{
			Link: "pos", Wire: "smart", Profile: profile, Applier: store, Recaller: db, Tokenizer: db.Keys(), MAC: db.Keys().MAC,
			Clock: func() Clock { return Clock{Now: time.Now(), Synced: true, HasNow: true} },
			Open:  func(context.Context) (Port, string, error) { return port, "test", nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		port.in <- smartSale(byte(round+1), 1)
		select {
		case <-committed: // round 0: durable, and nothing is ever confirmed
		case written := <-port.wrote:
			want(t, "confirms", acks(string(written)), fmt.Sprintf("[%d]", round+1))
		case <-time.After(20 * time.Second):
			t.Fatal("neither stored nor confirmed")
		}
		cancel()
		if err := <-done; (err != nil) != (round == 0) {
			t.Errorf("round %d: %v", round, err)
		}
		if round == 0 && len(port.wrote) > 0 {
			t.Error("confirmed before anybody knew it was stored")
		}
		records := 0
		for _, err := range db.Records(t.Context(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			records++
		}
		want(t, "records", records, 1)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
