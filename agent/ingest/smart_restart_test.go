package ingest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/protocol/frame"
)

// lostAnswers is a trade at whose refunds answers are lost, asked for, and reported by
// notifications, and a combined order: messages that need what came before, or make
// several records; and the records that a store has of them, completed by their copies.
func lostAnswers() (bodies []string, want string) {
	return []string{
			`"alipay.trade","body":{"code":"10000","trade_no":"T1","out_trade_no":"A1","total_amount":"20.00","buyer_user_id":"2088000000000017","gmt_payment":"2026-08-22 10:15:30"}`,
			`"alipay.refund","body":{"code":"20000","out_trade_no":"A1","out_request_no":"R1"}`,
			`"alipay.refund","body":{"code":"10000","trade_no":"T1","out_trade_no":"A1","out_request_no":"R1","fund_change":"N","refund_fee":"2.00"}`,
			`"alipay.refund","body":{"code":"20000","out_trade_no":"A1","out_request_no":"R2"}`,
			`"alipay.refund","body":{"code":"10000","trade_no":"T1","out_trade_no":"A1","out_request_no":"R2"}`,
			`"alipay.trade","body":{"trade_status":"TRADE_SUCCESS","trade_no":"T1","out_trade_no":"A1","total_amount":"20.00","buyer_id":"2088000000000017","gmt_payment":"2026-08-22 10:15:30","gmt_refund":"2026-08-22 12:00:00.5","out_biz_no":"BO1","refund_fee":"5.00"}`,
			`"alipay.refund","body":{"code":"10000","trade_no":"T1","out_trade_no":"A1","out_request_no":"R3","fund_change":"Y","refund_fee":"6.00"}`,
			`"wechat.transaction","body":{"combine_appid":"wx1","combine_payer_info":{"openid":"oTESTrestart"},"sub_orders":[{"out_trade_no":"W1","trade_state":"SUCCESS","amount":{"total_amount":1}},{"out_trade_no":"W2","trade_state":"SUCCESS","amount":{"total_amount":2}}]}`,
		}, "sale approved 2000 true; refund approved R1 200 true; refund approved R1 200 true; refund closed R2 0 false; refund closed R2 0 false; " +
			"sale approved 2000 true; refund approved BO1 300 true; refund approved R3 100 true; sale approved 1 true; sale approved 2 true; "
}

// recorder is the store, and keeps what it was given.
type recorder struct {
	*ledger.DB
	mu  sync.Mutex
	all []refund.Arrival
}

func (r *recorder) Submit(a []refund.Arrival, done func([]refund.Applied, error)) {
	r.mu.Lock()
	r.all = append(r.all, a...)
	r.mu.Unlock()
	r.DB.Submit(a, done)
}

// Ended and started again before any message, on the real store: the records are the
// same, those of one message are stored together and with what is remembered of them,
// and a message is confirmed once all of them are durable.
func TestSmartRestartAmongLostAnswers(t *testing.T) {
	bodies, want := lostAnswers()
	for cut := range len(bodies) + 1 {
		dir := filepath.Join(t.TempDir(), "data")
		var arrivals []refund.Arrival
		for _, part := range [][]string{bodies[:cut], bodies[cut:]} {
			if len(part) > 0 {
				arrivals = append(arrivals, runSmart(t, dir, part)...)
			}
		}
		if got := storedIn(t, dir); got != want {
			t.Errorf("cut %d:\n got %s\nwant %s", cut, got, want)
		}
		var sizes []string
		for _, a := range arrivals {
			sizes = append(sizes, fmt.Sprint(len(a.Sightings), "+", len(a.Memory)))
		}
		if got, want := strings.Join(sizes, " "), "1+1 1+2 1+2 1+2 1+2 2+2 1+2 2+1"; got != want {
			t.Errorf("cut %d: records and memory of each message: got %s, want %s", cut, got, want)
		}
	}
}

// runSmart is one run of a process: it says the messages one after the other, each when
// the one before was confirmed, says the last one again, and ends.
func runSmart(t *testing.T, dir string, bodies []string) []refund.Arrival {
	t.Helper()
	db := openLedger(t, dir)
	store := &recorder{DB: db}
	profile, err := DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	port := &mutePort{memPort: newMemPort(), wrote: make(chan []byte, 16)}
	w, err := NewWorker(Options{
		Link: "pos", Wire: "smart", Profile: profile, Applier: store, Recaller: db, Tokenizer: db.Keys(), MAC: db.Keys().MAC,
		Clock: func() Clock {
			return Clock{Now: time.Date(2026, 8, 22, 12, 0, 0, 0, DefaultZone()), Synced: true, HasNow: true}
		},
		Open: func(context.Context) (Port, string, error) { return port, "test", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for i, body := range append(slices.Clone(bodies), bodies[len(bodies)-1]) {
		port.in <- smartFrame(frame.Frame{ID: byte(i + 1), Data: []byte(
			`{"v":1,"id":"` + hashed(9, body) + `","terminal_id":"SM000001","merchant_id":"M","src":` + body + `}`)})
		select {
		case written := <-port.wrote:
			if got, want := acks(string(written)), fmt.Sprintf("[%d]", i+1); got != want {
				t.Errorf("confirmed %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("not confirmed")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return store.all
}

func openLedger(t *testing.T, dir string) *ledger.DB {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// storedIn lists the records of a store.
func storedIn(t *testing.T, dir string) string {
	t.Helper()
	db := openLedger(t, dir)
	var out strings.Builder
	for r, err := range db.Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(&out, strings.Join(strings.Fields(fmt.Sprint(r.Record.Kind, " ", r.Record.Outcome, " ", r.Record.RefundNo, " ", r.Record.Amount, " ", r.Record.HasAmount)), " "), "; ")
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return out.String()
}

// A message may make as many records as fit into a frame: all are stored, once.
func TestSmartMessageOfManyRecords(t *testing.T) {
	const parts = 180
	var body strings.Builder
	body.WriteString(`"wechat.transaction","body":{"combine_appid":"wx1","sub_orders":[`)
	for i := range parts {
		fmt.Fprintf(&body, `{"out_trade_no":"W%d","trade_state":"SUCCESS","amount":{"total_amount":%d}},`, i, i+1)
	}
	dir := filepath.Join(t.TempDir(), "data")
	arrivals := runSmart(t, dir, []string{strings.TrimSuffix(body.String(), ",") + `]}`})
	if len(arrivals) != 1 || len(arrivals[0].Sightings) != parts || strings.Count(storedIn(t, dir), "sale approved") != parts {
		t.Errorf("%d arrivals; stored: %s", len(arrivals), storedIn(t, dir))
	}
}
