package terminal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// TestProgrammePlaysEveryShape: what the demo shows has each form that a wire knows beside its usual one.
func TestProgrammePlaysEveryShape(t *testing.T) {
	for _, o := range []Options{{Model: "e-sign"}, {Model: "traditional", Wire: "cup8583"}, {Model: "smart"}} {
		term, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for src := Programme(term, term.Wire()); ; {
			es, err := src.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				seen[e.Step.Shape] = true
			}
		}
		for _, shape := range wire.Shapes(term.Wire()) {
			if !seen[shape] {
				t.Errorf("%s: no %s", term.Wire(), shape)
			}
		}
	}
}

// TestShapesShowWhatTheySay: the bytes of each form have the members that make it that form, and none of those that it
// lacks.
func TestShapesShowWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		name       string
		steps      []scenario.Step // the last one is looked at
		has, lacks []string
	}{
		{"combined", steps{{Do: "sale", Pay: "wechat", Amount: 900, Shape: "combined"}},
			[]string{`"combine_payer_info":{"openid":"oTEST`, `"sub_orders":[{`, `"total_amount":900`, `"total_amount":550`}, []string{`"payer":`}},
		{"older", steps{{Do: "sale", Pay: "wechat", Amount: 900, Shape: "older"}},
			[]string{`"total_fee":"900"`, `"time_end":"2026`, `"openid":"oTEST`}, []string{`"trade_state"`, `"amount"`}},
		{"notice", steps{{Do: "sale", As: "a", Pay: "wechat", Amount: 900}, {Do: "refund", Of: "a", Shape: "notice"}},
			[]string{`"refund_status":"SUCCESS"`}, []string{`"channel"`, `"create_time"`, `"currency"`, `"status":`}},
		{"reverse", steps{{Do: "sale", As: "a", Pay: "wechat", Amount: 900}, {Do: "void", Of: "a", Shape: "reverse"}},
			[]string{`"src":"wechat.reverse"`, `"recall":"N"`}, []string{`"amount"`, `"total_fee"`}},
		{"newer", steps{{Do: "sale", Pay: "alipay", Amount: 900, Shape: "newer"}},
			[]string{`"gmt_payment":"`}, []string{`"code"`, `"trade_status"`}},
		{"closed", steps{{Do: "sale", As: "a", Pay: "alipay", Amount: 900}, {Do: "refund", Of: "a", Shape: "no_number"},
			{Do: "query", Of: "a", Shape: "closed"}}, []string{`TRADE_CLOSED`, `"send_pay_date":"`}, []string{`"gmt_payment"`}},
		{"no_number", steps{{Do: "sale", As: "a", Pay: "alipay", Amount: 900}, {Do: "refund", Of: "a", Shape: "no_number"}},
			[]string{`"refund_fee":"9.00"`}, []string{`"out_request_no"`, `"refund_amount"`}},
		{"again", steps{{Do: "sale", As: "a", Pay: "alipay", Amount: 900}, {Do: "refund", Of: "a", Amount: 300, Shape: "fee"},
			{Do: "refund", Of: "a", As: "b", Amount: 400, Shape: "lost"}, {Do: "query", Of: "b", Shape: "again"}},
			[]string{`"fund_change":"N"`, `"refund_fee":"7.00"`}, []string{`"refund_amount"`}},
		{"notified", steps{{Do: "sale", As: "a", Pay: "alipay", Amount: 900}, {Do: "refund", Of: "a", Amount: 300, Shape: "notified"}},
			[]string{`"src":"alipay.trade"`, `"out_biz_no":"BO`, `"refund_fee":"3.00"`, `"total_amount":"9.00"`}, []string{`"code"`}},
		{"cancel", steps{{Do: "sale", As: "a", Pay: "alipay", Amount: 900}, {Do: "void", Of: "a", Shape: "cancel"}},
			[]string{`"action":"refund"`}, []string{`"amount"`, `"out_request_no"`}},
		{"query", steps{{Do: "sale", Pay: "unionpay_qr", Amount: 900, Outcome: "declined", Shape: "query"}},
			[]string{`"origRespCode":"51"`, `"respCode":"00"`}, nil},
		{"encrypted", steps{{Do: "sale", Pay: "unionpay_qr", Amount: 900, Shape: "encrypted"}}, []string{`"accNo":"`}, nil},
		{"defect", steps{{Do: "sale", Pay: "unionpay_qr", Amount: 900, Shape: "defect"}}, []string{`"respCode":"A6"`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			term, err := New(Options{Model: "smart"})
			if err != nil {
				t.Fatal(err)
			}
			speaker, err := NewSpeaker("smart", "smart")
			if err != nil {
				t.Fatal(err)
			}
			var last []byte
			for _, s := range c.steps {
				es, err := term.Do(s)
				if err != nil {
					t.Fatal(err)
				}
				last = nil
				for i := range es {
					frames, err := speaker.Frames(&es[i])
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range frames {
						last = append(last, f.Bytes...)
					}
				}
			}
			for _, want := range c.has {
				if !bytes.Contains(last, []byte(want)) {
					t.Errorf("no %s in %s", want, last)
				}
			}
			for _, not := range c.lacks {
				if bytes.Contains(last, []byte(not)) {
					t.Errorf("%s in %s", not, last)
				}
			}
		})
	}
}

// TestShapeOfAnotherWireIsRefused: a form that the wire has not is an error of the step, not of the line.
func TestShapeOfAnotherWireIsRefused(t *testing.T) {
	term, err := New(Options{Model: "e-sign"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := term.Do(scenario.Step{Do: "sale", Pay: "wechat", Shape: "older"}); !errors.Is(err, ErrStep) {
		t.Error("mispos took the shape older:", err)
	}
	if !slices.Contains(wire.Shapes("mispos"), "filled") {
		t.Error("mispos has no filled numbers")
	}
}
