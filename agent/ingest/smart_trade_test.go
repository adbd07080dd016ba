package ingest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

func TestTradeRefundsAsRemembered(t *testing.T) {
	list := tradeRefunds{
		{"a", refund.Approved, smart.Number{Value: 200, Given: true}}, {"b", refund.Unknown, smart.Number{}},
		{"c", refund.Pending, smart.Number{Value: 1, Given: true}}, {"d", refund.Closed, smart.Number{}}, {"e", refund.Declined, smart.Number{}},
		{"f", refund.Abnormal, smart.Number{Value: 5, Given: true}}, {noNumber, refund.Approved, smart.Number{}},
	}
	const text = "a=200 b=u c=1p d=c e=d f=5b -="
	if got := list.String(); got != text {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(parseTradeRefunds(text)); got != fmt.Sprint(list) {
		t.Errorf("got %s, want %v", got, list)
	}
	for _, damaged := range []string{"a", "=", "a=x", "a=1.5", "a=99999999999999999999", "\x00=1 \xff"} {
		for _, r := range parseTradeRefunds(damaged) {
			if r.outcome == "" || r.no != "" && r.amount.Given && damaged != "\x00=1 \xff" {
				t.Errorf("%q: got %+v", damaged, r)
			}
		}
	}
}

// What was remembered is bounded, and still adds up.
func TestTradeRefundsAreBounded(t *testing.T) {
	var list tradeRefunds
	for i := range 3 * maxTradeRefunds {
		outcome := refund.Approved
		if i%3 == 0 {
			outcome = refund.Declined
		}
		list = list.with(-1, tradeRefund{fmt.Sprint(i), outcome, smart.Number{Value: 2, Given: true}})
	}
	w := &smartWire{}
	got := w.rest(list, -1, smart.Number{Value: 1000, Given: true})
	if len(list) > maxTradeRefunds || got.Value != 1000-2*2*maxTradeRefunds {
		t.Errorf("%d refunds, the rest is %+v", len(list), got)
	}
	list = list.with(-1, tradeRefund{"x", refund.Approved, smart.Number{}})
	for i := range 3 * maxTradeRefunds {
		list = list.with(-1, tradeRefund{fmt.Sprint("y", i), refund.Approved, smart.Number{Value: 2, Given: true}})
	}
	if got := w.rest(list, -1, smart.Number{Value: 1000, Given: true}); got.Given {
		t.Errorf("one without an amount was forgotten: %+v", got)
	}
}

// A trade that an older version remembered, by trade_no and with approved refunds
// alone, still counts.
func TestTradeOfAnOlderVersion(t *testing.T) {
	p, err := DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	memory := scratch{tradeMark + hashed(18, "T1"): []byte(hashed(9, "R1") + "=500 -=100")}
	w, err := NewWire("smart", p, memory)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		members string
		want    int64
		has     bool
	}{
		{`"out_request_no":"R2","refund_fee":"7.00"`, 100, true},
		{`"out_request_no":"R1","fund_change":"N","refund_fee":"7.00"`, 0, false},
		{`"out_request_no":"R3","refund_fee":"8.00"`, 100, true},
	} {
		s, err := w.Frame(frame.Frame{ID: 1, Data: []byte(fmt.Sprintf(
			`{"v":1,"id":"%d","src":"alipay.refund","terminal_id":"S","merchant_id":"M","body":{"code":"10000","trade_no":"T1","out_trade_no":"A1",%s}}`, i, c.members))}, Clock{})
		if err != nil || len(s.Records) != 1 || s.Records[0].Record.Amount != c.want || s.Records[0].Record.HasAmount != c.has {
			t.Errorf("%s: got %+v, %v", c.members, s.Records, err)
		}
	}
}

// modelRefund is one refund as verdicts.md § 1.3 completes it, for the comparison.
type modelRefund struct {
	no      string
	outcome refund.Outcome
	amount  int64 // 0: not stated
}

// modelAmount is what wires.md says of the amount of one alipay.refund: all of the
// trade's refunds so far, in the order they were reported.
func modelAmount(all []modelRefund, no string, outcome refund.Outcome, stated, fee int64) (amount int64, after []modelRefund) {
	moved := func(o refund.Outcome) bool { return o != refund.Declined && o != refund.Closed }
	var event *modelRefund // the latest of this number that this is a copy of
	for i := range all {
		if all[i].no == no && (moved(all[i].outcome) || !moved(outcome)) {
			event = &all[i]
		}
	}
	amount = stated
	if amount == 0 && fee != 0 && (event == nil || event.amount == 0) {
		amount = fee
		for _, r := range all {
			if r.no == no || r.outcome != refund.Approved && r.outcome != refund.Unknown && r.outcome != refund.Pending {
				continue
			}
			if r.amount == 0 {
				amount = 0
				break
			}
			amount -= r.amount
		}
	}
	switch {
	case amount < 0: // impossible: no event, no copy
	case event == nil:
		all = append(all, modelRefund{no, outcome, amount})
	default:
		if event.amount == 0 {
			event.amount = amount
		}
		switch {
		case event.outcome == refund.Unknown, event.outcome == refund.Pending, event.outcome == refund.Abnormal,
			event.outcome == refund.Approved && (outcome == refund.Closed || outcome == refund.Abnormal):
			event.outcome = outcome
		}
	}
	return amount, all
}

// Random histories of one trade, against the words of the contract.
func TestTradeRefundsAsTheContractSays(t *testing.T) {
	p, err := DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	states := []struct {
		member  string
		outcome refund.Outcome
	}{
		{`"code":"10000","fund_change":"Y"`, refund.Approved}, {`"code":"10000","fund_change":"N"`, refund.Approved},
		{`"code":"20000"`, refund.Unknown}, {`"code":"40004"`, refund.Declined}, {`"refund_status":"REFUND_PROCESSING"`, refund.Pending},
		{`"refund_status":"REFUND_FAIL"`, refund.Abnormal}, {`"refund_status":"REFUND_SUCCESS"`, refund.Approved},
	}
	rounds := 400
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 11))
		w, err := NewWire("smart", p, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []modelRefund
		var sent []string
		for i := range 12 {
			state, no := states[r.IntN(len(states))], string(rune('1'+r.IntN(4)))
			var stated, fee int64
			body := state.member + `,"out_trade_no":"A1","out_request_no":"` + no + `"`
			if r.IntN(4) == 0 {
				stated = 1 + r.Int64N(500)
				body += fmt.Sprintf(`,"refund_amount":"%d.%02d"`, stated/100, stated%100)
			}
			if r.IntN(3) > 0 {
				fee = 1 + r.Int64N(3000)
				body += fmt.Sprintf(`,"refund_fee":%d.%02d`, fee/100, fee%100)
			}
			sent = append(sent, body)
			var want int64
			want, all = modelAmount(all, no, state.outcome, stated, fee)
			s, err := w.Frame(frame.Frame{ID: 1, Data: []byte(fmt.Sprintf(
				`{"v":1,"id":"%d","src":"alipay.refund","terminal_id":"S","merchant_id":"M","body":{%s}}`, i, body))}, Clock{})
			if err != nil || len(s.Records) != 1 || s.Records[0].Record.Amount != want {
				t.Fatalf("seed %d: got %+v, %v, want %d after\n%s", seed, s.Records, err, want, strings.Join(sent, "\n"))
			}
		}
	}
}

// FuzzTradeRefunds: whatever a store returns, it is read as what is written of it.
func FuzzTradeRefunds(f *testing.F) {
	f.Add("a=200 b=u c=1p d=c e=d f=5b -=")
	f.Add("a=-5 =u b")
	f.Fuzz(func(t *testing.T, s string) {
		list := parseTradeRefunds(s)
		again := parseTradeRefunds(list.String())
		if fmt.Sprint(again) != fmt.Sprint(list) {
			t.Fatalf("%q: %v became %v", s, list, again)
		}
	})
}
