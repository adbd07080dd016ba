package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// rig is a guard on a store of its own. Its sale 1 was paid by card 1.
type rig struct {
	*Guard
	t      *testing.T
	dir    string
	db     *ledger.DB
	office atomic.Bool
	ended  chan ask.Held
	pins   fakePINs
	done   func()
	o      Options
}

// fakePINs knows one PIN.
type fakePINs struct {
	right  string
	locked bool
}

func (p *fakePINs) Compare(_ context.Context, _ string, pin PIN) error {
	switch {
	case p.locked:
		return ErrLocked
	case pin.Reveal() != p.right:
		return ErrWrongPIN
	}
	return nil
}

const (
	merchant = "898310153310123"
	pos      = "10000001"
)

// card is a party with the n-th test card.
func card(n int) *refund.Party {
	return &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret([]string{"6200000000000112", "6200000000000229", "6200000000000336"}[n-1])}
}

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "store"), ended: make(chan ask.Held, 100), pins: fakePINs{right: "271828"}}
	r.o = Options{
		Links:       []Link{{"pos", ask.HoldLevel}, {"till", ask.Office}, {"kiosk", ask.Advise}, {"old", ask.Off}},
		Supervisors: []Supervisor{{"s-1", []string{"007"}}}, PINs: &r.pins,
		HoldFor: time.Hour, OfficeHoldFor: time.Hour, OfficeWait: time.Hour,
		OfficeThere: r.office.Load, Now: time.Now, Log: slog.New(slog.DiscardHandler), Ended: func(h ask.Held) { r.ended <- h },
	}
	if change != nil {
		change(&r.o)
	}
	r.start()
	t.Cleanup(func() { r.stop() })
	sale := refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard,
		Amount: 1000, HasAmount: true, Currency: "CNY", RRN: "260822000101", At: "2026-08-22T10:00:00+08:00", Party: card(1)}
	r.store(sale)
	return r
}

// start opens the store and makes the guard, as after a restart.
func (r *rig) start() {
	r.t.Helper()
	var g atomic.Pointer[Guard]
	db, err := ledger.Open(r.t.Context(), ledger.Options{Dir: r.dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()),
		Level: func(string) ask.Level { return ask.HoldLevel },
		HoldChanged: func(h ask.Held) {
			if g := g.Load(); g != nil {
				g.HoldChanged(h)
			}
		}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db, r.o.Store, r.o.Keeper, r.o.Keys = db, db, db, db.Keys()
	r.Guard, err = New(r.t.Context(), r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	g.Store(r.Guard)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- r.Run(ctx) }()
	r.done = func() {
		cancel()
		if err := <-over; err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rig) stop() {
	if r.done == nil {
		return
	}
	r.done()
	r.done = nil
	if err := r.db.Close(); err != nil {
		r.t.Error(err)
	}
}

// store stores one record.
func (r *rig) store(rec refund.Record) refund.Applied {
	r.t.Helper()
	got, err := r.db.Apply(r.t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(rec, r.db.Keys()), Received: time.Now(), ClockSynced: true}}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return got[0]
}

// asked is the text of an ask to refund 4.00 of sale 1 to a card.
func asked(id string, to int, more string) string {
	return fmt.Sprintf(`{"kind":"refund","merchant_id":%q,"terminal_id":%q,"operator":"01","channel":"card","amount":400,"currency":"CNY","original":{"rrn":"260822000101"},`+
		`"party":{"scheme":"pan","id":%q},"at":"2026-08-23T09:00:00+08:00","ask":{"id":%q,"deadline_ms":5000}%s}`, merchant, pos, card(to).ID.Reveal(), id, more)
}

func (r *rig) ask(link, text string) (Reply, error) {
	r.t.Helper()
	a, err := refund.ParseAsk([]byte(text), refund.AskForm{})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Ask(r.t.Context(), Request{Link: link, Ask: a, Received: time.Now(), InTurn: true})
}

// hold asks to refund to the wrong card and returns the key of the hold.
func (r *rig) hold(link, id, more string) ask.Key {
	r.t.Helper()
	got, err := r.ask(link, asked(id, 2, more))
	if err != nil || got.Answer.Action != ask.Hold || got.Hold == nil || got.Hold.State != ask.Open {
		r.t.Fatalf("%+v %v", got, err)
	}
	return got.Hold.Key
}

// code returns the code of a refusal, "" for none.
func code(err error) string {
	var no *Refusal
	if errors.As(err, &no) {
		return no.Code
	}
	return fmt.Sprint(err)
}

func TestLevels(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		link, code string
		action     ask.Action
		held       bool
	}{
		{"pos", "", ask.Hold, true}, {"", "", ask.Hold, true}, {"till", "", ask.Hold, true}, {"kiosk", "", ask.Confirm, false},
		{"old", CodeOff, "", false}, {"nowhere", CodeForm, "", false},
	} {
		t.Run("link "+c.link, func(t *testing.T) {
			got, err := r.ask(c.link, asked("l-"+c.link+"x", 2, ""))
			if c.code != "" {
				if code(err) != c.code {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || got.Answer.Action != c.action || (got.Hold != nil) != c.held || len(got.Answer.Findings) == 0 {
				t.Errorf("%+v %v", got, err)
			}
			if c.held && (got.Left <= 0 || got.Left > time.Hour || got.Until.IsZero()) {
				t.Errorf("left %s until %s", got.Left, got.Until)
			}
		})
	}
}

// TestReleaseIsCheckedInOrder: the first that fails is the refusal; a release is durable, once,
// and covers its record.
func TestReleaseIsCheckedInOrder(t *testing.T) {
	r := newRig(t, nil)
	ctx := t.Context()
	good := Release{By: "s-1", PIN: refund.NewSecret("271828"), Reason: "1"}
	with := func(change func(*Release)) Release {
		x := good
		change(&x)
		return x
	}
	k := r.hold("pos", "a-1", "")
	right, err := r.ask("pos", asked("a-2", 1, ""))
	if err != nil || right.Hold != nil {
		t.Fatalf("%+v %v", right, err)
	}
	unnamed := r.hold("pos", "a-3", `,"stan":"000001"`)
	own := ask.Key{}
	if got, err := r.ask("pos", replaceOperator(asked("a-4", 2, ""), "7")); err == nil {
		own = got.Hold.Key
	}
	no := ask.Key{}
	if got, err := r.ask("pos", replaceOperator(asked("a-5", 2, ""), "")); err == nil {
		no = got.Hold.Key
	}
	office := r.hold("till", "a-6", "")
	r.office.Store(true)
	for _, c := range []struct {
		name string
		k    ask.Key
		rel  Release
		want string
	}{
		{"a reason of none", k, with(func(r *Release) { r.Reason = "6" }), CodeForm},
		{"other without a text", k, with(func(r *Release) { r.Reason = "other" }), CodeForm},
		{"a card number", k, with(func(r *Release) { r.Text = "card 6200000000000112 " }), CodeForm},
		{"a long text", k, with(func(r *Release) { r.Text = string(make([]byte, 501)) }), CodeForm},
		{"no such ask", ask.Key{Merchant: merchant, Terminal: pos, ID: "none"}, good, CodeUnknown},
		{"an ask without a hold", ask.Key{Merchant: merchant, Terminal: pos, ID: "a-2"}, good, CodeUnknown},
		{"an ask without an operator", no, good, CodeNoOperator},
		{"level office, and it is there", office, good, CodeOffice},
		{"a wrong PIN", k, with(func(r *Release) { r.PIN = refund.NewSecret("999999") }), CodeWrongPIN},
		{"who has asked", own, good, CodeSamePerson},
		{"a wrong PIN of who has asked", own, with(func(r *Release) { r.PIN = PIN{} }), CodeWrongPIN},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := r.Release(ctx, c.k, c.rel); code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	r.office.Store(false)
	if h, err := r.Release(ctx, office, good); err != nil || h.State != ask.Released {
		t.Errorf("office is away: %+v %v", h, err)
	}
	r.pins.locked = true
	if _, err := r.Release(ctx, unnamed, good); code(err) != CodeLocked {
		t.Errorf("locked: %v", err)
	}
	r.pins.locked = false
	h, err := r.Release(ctx, k, good)
	if err != nil || h.State != ask.Released || h.By != "s-1" || h.Reason != ask.ReasonConsent || h.WrongPINs != 1 {
		t.Fatalf("%+v %v", h, err)
	}
	var no2 *Refusal
	if _, err := r.Release(ctx, k, good); !errors.As(err, &no2) || no2.Code != CodeEnded || no2.State != ask.Released {
		t.Errorf("twice: %v", err)
	}
	if _, err := r.OfficeRelease(ctx, no, Release{By: "ann", Reason: "our_error"}); err != nil {
		t.Errorf("back office: %v", err)
	}
	a := r.store(refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Amount: 400, HasAmount: true,
		Currency: "CNY", Original: refund.Original{RRN: "260822000101"}, At: "2026-08-23T09:01:00+08:00", Party: card(2), Ask: "a-1"})
	if v := a.Verdicts[0].Verdict; v.Has(refund.CodeHoldBypassed) || v.Recipient != refund.Different {
		t.Errorf("%+v", v)
	}
	if got, err := r.Look(ctx, k, 0); err != nil || got.Hold.Record != a.Seq {
		t.Errorf("%+v %v", got, err)
	}
}

// replaceOperator writes another cashier number into an ask.
func replaceOperator(text, operator string) string {
	const was = `"operator":"01"`
	for i := range text {
		if len(text) > i+len(was) && text[i:i+len(was)] == was {
			return text[:i] + fmt.Sprintf(`"operator":%q`, operator) + text[i+len(was):]
		}
	}
	return text
}

// TestAHoldOutlivesARestart: with its answer, its state and who may release it; asks that were
// not held are forgotten.
func TestAHoldOutlivesARestart(t *testing.T) {
	r := newRig(t, nil)
	k := r.hold("pos", "a-1", "")
	over := r.hold("pos", "a-2", "")
	if _, err := r.Cancel(t.Context(), over, "01"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ask("pos", asked("a-3", 1, "")); err != nil {
		t.Fatal(err)
	}
	if err := r.db.NoteArrived(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.start()
	again, err := r.ask("pos", asked("a-1", 2, ""))
	if err != nil || again.Answer.Action != ask.Hold || again.Hold == nil || again.Hold.State != ask.Open || len(again.Answer.Findings) != 1 || again.Left < 59*time.Minute {
		t.Fatalf("%+v %v", again, err)
	}
	if _, err := r.ask("pos", asked("a-1", 3, "")); code(err) != CodeReused {
		t.Errorf("another ask under its id: %v", err)
	}
	if got, err := r.Look(t.Context(), over, 0); err != nil || got.Hold.State != ask.Cancelled || got.Hold.By != "01" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := r.Look(t.Context(), ask.Key{Merchant: merchant, Terminal: pos, ID: "a-3"}, 0); code(err) != CodeUnknown {
		t.Errorf("an ask without a hold: %v", err)
	}
	a := r.store(refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Amount: 400, HasAmount: true,
		Currency: "CNY", Original: refund.Original{RRN: "260822000101"}, At: "2026-08-23T09:01:00+08:00", Party: card(2), Ask: "a-1"})
	if v := a.Verdicts[0].Verdict; v.Findings[0].Code != refund.CodeHoldBypassed || v.Findings[0].Severity != refund.Critical {
		t.Errorf("%+v", v)
	}
	if h := <-r.ended; h.State != ask.Cancelled {
		t.Errorf("%+v", h)
	}
	if h := <-r.ended; h.State != ask.Bypassed || h.Record != a.Seq {
		t.Errorf("%+v", h)
	}
}

// TestBypassOfAnAnswerThatNeverArrived is at medium.
func TestBypassOfAnAnswerThatNeverArrived(t *testing.T) {
	r := newRig(t, nil)
	r.hold("pos", "a-1", "")
	a := r.store(refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Amount: 400, HasAmount: true,
		Currency: "CNY", Original: refund.Original{RRN: "260822000101"}, At: "2026-08-23T09:01:00+08:00", Party: card(2), Ask: "a-1"})
	for _, f := range a.Verdicts[0].Verdict.Findings {
		if f.Code == refund.CodeHoldBypassed && f.Severity == refund.Medium {
			return
		}
	}
	t.Errorf("%+v", a.Verdicts[0].Verdict.Findings)
}

// TestBypassRightBehindTheConfirm is critical: the answer has arrived, though that is not stored yet.
func TestBypassRightBehindTheConfirm(t *testing.T) {
	r := newRig(t, nil)
	k := r.hold("pos", "a-1", "")
	r.db.AnswerArrived(k)
	a := r.store(refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Amount: 400, HasAmount: true,
		Currency: "CNY", Original: refund.Original{RRN: "260822000101"}, At: "2026-08-23T09:01:00+08:00", Party: card(2), Ask: "a-1"})
	if f := a.Verdicts[0].Verdict.Findings[0]; f.Code != refund.CodeHoldBypassed || f.Severity != refund.Critical {
		t.Errorf("%+v", f)
	}
}

// TestAHoldExpires in running time, and who waits for it learns it.
func TestAHoldExpires(t *testing.T) {
	r := newRig(t, func(o *Options) { o.HoldFor = 50 * time.Millisecond })
	k := r.hold("pos", "a-1", "")
	got, err := r.Look(t.Context(), k, time.Minute)
	if err != nil || got.Hold.State != ask.Expired || got.Left != 0 {
		t.Errorf("%+v %v", got, err)
	}
}

// TestTooManyHolds: the ninth open one is expired at once, and its answer stays hold.
func TestTooManyHolds(t *testing.T) {
	var events atomic.Int32
	r := newRig(t, func(o *Options) { o.Event = func(string, string, ...slog.Attr) { events.Add(1) } })
	for i := range mostOpen {
		r.hold("pos", fmt.Sprint("a-", i), "")
	}
	for i := range 2 {
		got, err := r.ask("pos", asked(fmt.Sprint("b-", i), 2, ""))
		if err != nil || got.Answer.Action != ask.Hold || got.Hold == nil || got.Hold.State != ask.Expired {
			t.Errorf("%+v %v", got, err)
		}
	}
	if n := events.Load(); n != 1 {
		t.Errorf("%d events of a flood", n)
	}
}

// TestTooManyApart: holds are counted by terminal, and those of practice apart, of which nothing
// is reported; what replaces an open hold is not one more.
func TestTooManyApart(t *testing.T) {
	var flooded []string
	r := newRig(t, func(o *Options) {
		o.Event = func(name, subject string, _ ...slog.Attr) { flooded = append(flooded, name+" "+subject) }
	})
	state := func(text string) ask.State {
		t.Helper()
		got, err := r.ask("pos", text)
		if err != nil || got.Hold == nil {
			t.Fatalf("%+v %v", got, err)
		}
		return got.Hold.State
	}
	at := func(terminal, text string) string { return strings.ReplaceAll(text, pos, terminal) }
	training := func(text string) string { return strings.Replace(text, "{", `{"training":true,`, 1) }
	// In practice sale 1 is not there: over a refund without a sale nothing is held, so that
	// one of its own is needed.
	r.store(refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Training: true,
		Amount: 1000, HasAmount: true, Currency: "CNY", RRN: "260822000101", At: "2026-08-22T10:00:00+08:00", Party: card(1)})
	for i := range mostOpen {
		if s := state(asked(fmt.Sprint("a-", i), 2, "")); s != ask.Open {
			t.Fatal(i, s)
		}
		if s := state(training(asked(fmt.Sprint("p-", i), 2, ""))); s != ask.Open {
			t.Fatal("practice", i, s)
		}
	}
	for _, c := range []struct {
		name, text string
		want       ask.State
	}{
		{"in place of an open one", strings.Replace(asked("b-1", 2, ""), `"deadline_ms"`, `"replaces":"a-0","deadline_ms"`, 1), ask.Open},
		{"in place of one that has ended", strings.Replace(asked("b-2", 2, ""), `"deadline_ms"`, `"replaces":"a-0","deadline_ms"`, 1), ask.Expired},
		{"one more", asked("b-3", 2, ""), ask.Expired},
		{"one more in practice", training(asked("b-4", 2, "")), ask.Expired},
		{"of another terminal", at("20000002", asked("c-0", 2, "")), ask.Open},
	} {
		if s := state(c.text); s != c.want {
			t.Errorf("%s: %s", c.name, s)
		}
	}
	for i := range mostOpen {
		state(at("20000002", asked(fmt.Sprint("c-", i+1), 2, "")))
	}
	if diff := cmp.Diff([]string{"guard.flood terminal/" + pos, "guard.flood terminal/20000002"}, flooded); diff != "" {
		t.Error(diff)
	}
	r.forgetHours(time.Now().Add(2 * time.Hour))
	if len(r.hourly) != 0 {
		t.Errorf("%d terminals are remembered", len(r.hourly))
	}
}

// TestWhoCancels: who is on site has no name of the back office, whose names may be as long as others.
func TestWhoCancels(t *testing.T) {
	r := newRig(t, nil)
	k := r.hold("pos", "a-1", "")
	for _, by := range []string{"office/lee", "a\x00b", strings.Repeat("a", 65), "6200000000000112", "no. 6200000000000112"} {
		if _, err := r.Cancel(t.Context(), k, by); code(err) != CodeForm {
			t.Errorf("%q: %v", by, err)
		}
	}
	if _, err := r.OfficeCancel(t.Context(), k, "6200000000000112"); code(err) != CodeForm {
		t.Errorf("office: %v", err)
	}
	long := strings.Repeat("l", 64)
	if h, err := r.OfficeCancel(t.Context(), k, long); err != nil || h.By != "office/"+long {
		t.Errorf("%+v %v", h, err)
	}
}

// TestTally: what is answered and refused is counted, from wherever it came.
func TestTally(t *testing.T) {
	tally := &Tally{}
	r := newRig(t, func(o *Options) { o.Tally = tally })
	for _, one := range []struct{ link, text string }{{"pos", asked("a-1", 1, "")}, {"pos", asked("a-2", 2, "")}, {"kiosk", asked("a-3", 2, "")}, {"old", asked("a-4", 2, "")},
		{"pos", asked("a-1", 2, "")}, {"nowhere", asked("a-5", 1, "")}} {
		_, _ = r.ask(one.link, one.text) // counted, whatever it is
	}
	k := ask.Key{Merchant: merchant, Terminal: pos, ID: "a-2"}
	_, _ = r.Release(t.Context(), k, Release{By: "s-1", PIN: refund.NewSecret("1"), Reason: "1"})
	_, _ = r.Release(t.Context(), ask.Key{ID: "x"}, Release{By: "s-1", Reason: "1"})
	_, _ = r.OfficeRelease(t.Context(), k, Release{By: "01", Reason: "1"})
	_, _ = r.Cancel(t.Context(), k, "office/x")
	_, _ = r.OfficeCancel(t.Context(), k, "")
	_, _ = r.Look(t.Context(), ask.Key{ID: "x"}, 0)
	answers, refused := tally.Counts()
	if diff := cmp.Diff(map[string]uint64{"proceed": 1, "hold": 1, "confirm": 1}, answers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]uint64{CodeOff: 1, CodeReused: 1, CodeForm: 3, CodeWrongPIN: 1, CodeUnknown: 2, CodeSamePerson: 1}, refused); diff != "" {
		t.Error(diff)
	}
}

// TestUnchecked: an ask whose deadline is over is answered, never proceed, and is judged when
// it comes again.
func TestUnchecked(t *testing.T) {
	r := newRig(t, nil)
	a, err := refund.ParseAsk([]byte(asked("a-1", 1, "")), refund.AskForm{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Ask(t.Context(), Request{Link: "pos", Ask: a, Received: time.Now().Add(-time.Minute), InTurn: true})
	if err != nil || !got.Answer.Unchecked() || got.Answer.Action != ask.Confirm || got.Answer.Recipient != refund.NoRecipient || got.Hold != nil {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := r.ask("pos", asked("a-1", 1, "")); err != nil || got.Answer.Action != ask.Proceed {
		t.Errorf("again: %+v %v", got, err)
	}
	r.stop()
	if got, err := r.ask("pos", asked("a-2", 1, "")); err != nil || !got.Answer.Unchecked() {
		t.Errorf("without a store: %+v %v", got, err)
	}
}

// TestPractice: no real PIN releases it, and nothing of it is reported.
func TestPractice(t *testing.T) {
	r := newRig(t, nil)
	training := `,"training":true`
	r.store(refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Training: true,
		Amount: 1000, HasAmount: true, Currency: "CNY", RRN: "260822000101", At: "2026-08-22T10:00:00+08:00", Party: card(1)})
	before, err := r.db.OutboxStat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := r.hold("pos", "a-1", training)
	for _, c := range []struct{ by, pin, want string }{{"s-1", "271828", CodeWrongPIN}, {"s-2", practicePIN, CodeWrongPIN}, {"s-1", practicePIN, "<nil>"}} {
		if h, err := r.Release(t.Context(), k, Release{By: c.by, PIN: refund.NewSecret(c.pin), Reason: "1"}); code(err) != c.want || h.WrongPINs != 0 {
			t.Errorf("%+v: %+v %v", c, h, err)
		}
	}
	after, err := r.db.OutboxStat(t.Context())
	if err != nil || after.Waiting != before.Waiting {
		t.Errorf("%d events waited, now %d: %v", before.Waiting, after.Waiting, err)
	}
}

// TestHoldsAreReported: opened and ended, each once, in the stream of cases.
func TestHoldsAreReported(t *testing.T) {
	r := newRig(t, nil)
	k := r.hold("pos", "a-1", "")
	if _, err := r.Cancel(t.Context(), k, "01"); err != nil {
		t.Fatal(err)
	}
	list, _, err := r.db.Due(t.Context(), time.Now().Add(time.Hour), 10, nil)
	if err != nil || len(list) != 2 || list[0].Type != "yuanlu.hold.opened.v1" || list[1].Type != "yuanlu.hold.ended.v1" ||
		list[1].Sequence != list[0].Sequence+1 || list[0].Subject != "hold/"+pos+"/a-1" || list[0].ID == list[1].ID {
		t.Errorf("%+v %v", list, err)
	}
}

// TestPractisedBy: what each operator asked, what was held of it, and what he himself put
// right; real asks and looks are no practice, and a restart leaves what was held.
func TestPractisedBy(t *testing.T) {
	r := newRig(t, nil)
	r.store(refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: merchant, TerminalID: pos, Channel: refund.ChannelCard, Training: true,
		Amount: 1000, HasAmount: true, Currency: "CNY", RRN: "260822000101", At: "2026-08-22T10:00:00+08:00", Party: card(1)})
	ask := func(text string) {
		t.Helper()
		if _, err := r.ask("pos", text); err != nil {
			t.Fatal(err)
		}
	}
	by := func(text, operator string) string { return replaceOperator(text, operator) }
	replacing := func(text, id string) string {
		return strings.Replace(text, `"deadline_ms":5000`, `"deadline_ms":5000,"replaces":"`+id+`"`, 1)
	}
	training := `,"training":true`
	ask(asked("real", 2, ""))
	ask(by(asked("a-1", 2, training), "01"))
	ask(replacing(by(asked("a-2", 1, training), "001"), "a-1")) // he corrects it, his number typed otherwise
	ask(by(asked("b-1", 2, training), "02"))
	ask(replacing(by(asked("b-2", 1, training), "01"), "b-1")) // another corrects it
	ask(by(asked("b-3", 2, training), "02"))                   // stays open
	ask(strings.Replace(by(asked("b-4", 2, training), "02"), `"deadline_ms":5000`, `"find":true`, 1))
	count := func() []Practised {
		all, err := r.db.Asks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return PractisedBy(all)
	}
	want := []Practised{{merchant, "01", 3, 1, 1}, {merchant, "02", 2, 2, 0}}
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Error(diff)
	}
	r.stop()
	r.start()
	// Of what corrected them, which was not held, the store knows nothing.
	want = []Practised{{merchant, "01", 1, 1, 1}, {merchant, "02", 2, 2, 1}}
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Error(diff)
	}
}

// TestTwoReleasesAtOnce: of a release, another, and a cancel at the same moment one is done, and its
// record is the only end.
func TestTwoReleasesAtOnce(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Supervisors = append(o.Supervisors, Supervisor{"s-2", nil}) })
	for i := range 10 {
		k := r.hold("pos", fmt.Sprint("a-", i), "")
		results := make(chan error, 4)
		go func() {
			_, err := r.Release(t.Context(), k, Release{By: "s-1", PIN: refund.NewSecret("271828"), Reason: "1"})
			results <- err
		}()
		go func() {
			_, err := r.Release(t.Context(), k, Release{By: "s-2", PIN: refund.NewSecret("271828"), Reason: "2"})
			results <- err
		}()
		go func() { _, err := r.OfficeRelease(t.Context(), k, Release{By: "lee", Reason: "3"}); results <- err }()
		go func() { _, err := r.Cancel(t.Context(), k, "01"); results <- err }()
		done := 0
		for range 4 {
			switch err := <-results; {
			case err == nil:
				done++
			case code(err) != CodeEnded:
				t.Error(err)
			}
		}
		if done != 1 {
			t.Fatalf("hold %d ended %d times", i, done)
		}
	}
	holds, err := r.Holds(t.Context(), true)
	if err != nil || len(holds) != 0 {
		t.Errorf("%+v %v", holds, err)
	}
	list, _, err := r.db.Due(t.Context(), time.Now().Add(time.Hour), 100, nil)
	if err != nil || len(list) != 20 {
		t.Errorf("%d events of 10 holds: %v", len(list), err)
	}
}

// TestClockSteps: a clock that jumps by years, either way, ends no hold and lengthens none,
// also where the agent starts again meanwhile.
func TestClockSteps(t *testing.T) {
	var step atomic.Int64
	r := newRig(t, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(step.Load())) } })
	k := r.hold("pos", "a-1", "")
	for _, years := range []int64{10, -10, 0} {
		step.Store(years * int64(365*24*time.Hour))
		if _, err := r.db.ForgetAsks(t.Context(), r.o.Now()); err != nil {
			t.Fatal(err)
		}
		got, err := r.Look(t.Context(), k, 0)
		if err != nil || got.Hold.State != ask.Open || got.Left > time.Hour || got.Left < 50*time.Minute {
			t.Errorf("%d years: %+v %v", years, got, err)
		}
		r.stop()
		r.start()
	}
	if h, err := r.Release(t.Context(), k, Release{By: "s-1", PIN: refund.NewSecret("271828"), Reason: "1"}); err != nil || h.State != ask.Released {
		t.Errorf("%+v %v", h, err)
	}
}
