package smart_test

import (
	"fmt"
	"testing"

	"yuanlu/protocol/smart"
)

func decoded(t *testing.T, src, in string) smart.Message {
	t.Helper()
	m, err := smart.Decode(body(src, in))
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return m
}

// An answer to a query of refunds of the older interface has the members of each with _n.
func TestRefundsOfAnOlderQuery(t *testing.T) {
	for in, want := range map[string]string{
		`{"out_refund_no_0":"A","refund_id_1":"B"}`:                     "0 A; 1 B; ",
		`{"refund_id_10":"C","out_refund_no_2":"B","refund_id_0":"A"}`:  "0 A; 2 B; 10 C; ",
		`{"refund_fee_0":"5","refund_status_0":"SUCCESS"}`:              "", // no number
		`{"out_refund_no_0":"","refund_id_0":null,"refund_id_1":"B"}`:   "1 B; ",
		`{"out_refund_no":"A","refund_id":"B"}`:                         "",
		`{"refund_id_00":"A","refund_id_":"B","refund_id_-1":"C"}`:      "",
		`{"refund_id_999":"A","refund_id_1000":"B","_0":"C","0":"D"}`:   "999 A; ",
		`{"coupon_refund_id_0_1":"A","refund_id_0_1":"B"}`:              "",
		`{"refund_id_99999999999999999999":"A"}`:                        "",
		`{"coupon_refund_fee_0":1.5,"settlement_refund_fee_0":[1.5e3]}`: "", // members that are not read
	} {
		t.Run(in, func(t *testing.T) {
			m := decoded(t, smart.SrcWeChatRefund, in)
			v, err := m.WeChatRefund()
			got := ""
			for _, e := range v.Each {
				got += fmt.Sprintf("%d %s%s; ", e.N, e.OutRefundNo, e.RefundID)
			}
			if err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
			}
		})
	}
}

func TestAmountsOfTheOlderInterface(t *testing.T) {
	for in, want := range map[string]smart.Number{
		`"300"`: {Value: 300, Given: true}, `300`: {Value: 300, Given: true}, `"0"`: {Given: true}, `0`: {Given: true}, `""`: {}, `null`: {},
		`" "`: {}, `"007"`: {Value: 7, Given: true}, `-5`: {Value: -5, Given: true}, `"99999999999999999999"`: {Value: 1<<63 - 1, Given: true},
	} {
		t.Run(in, func(t *testing.T) {
			m := decoded(t, smart.SrcWeChatTransaction, `{"total_fee":`+in+`}`)
			if v, err := m.WeChatTransaction(); err != nil || v.Older.TotalFee != want {
				t.Errorf("%s: got %+v, %v", in, v.Older.TotalFee, err)
			}
		})
	}
	for _, in := range []string{`"-5"`, `"1.0"`, `1.0`, `1e2`, `"1e2"`, `true`, `{}`, `[]`} {
		t.Run(in, func(t *testing.T) {
			m := decoded(t, smart.SrcWeChatTransaction, `{"total_fee":`+in+`}`)
			if _, err := m.WeChatTransaction(); err == nil {
				t.Errorf("%s is taken", in)
			}
		})
	}
}

func TestYuanAsNumbers(t *testing.T) {
	for in, want := range map[string]int64{`10.99`: 1099, `5`: 500, `5.0`: 500, `0`: 0, `0.01`: 1, `-1.5`: -150, `-0`: 0,
		`92233720368547758.08`: 1<<63 - 1, ` 7 `: 700} {
		t.Run(in, func(t *testing.T) {
			m := decoded(t, smart.SrcLakalaCard, `{"proc_cd":"000000","amt":`+in+`}`)
			if v, err := m.Lakala(); err != nil || v.Amount != (smart.Number{Value: want, Given: true}) {
				t.Errorf("%s: got %+v, %v", in, v.Amount, err)
			}
		})
	}
}

// A query of a refund that was never made is answered with its numbers alone.
func TestStatesNothing(t *testing.T) {
	for in, want := range map[string]bool{
		`{"code":"10000","msg":"Success","trade_no":"T","out_trade_no":"O","out_request_no":"R"}`: true,
		`{}`: true, `{"refund_amount":"","refund_status":null,"refund_detail_item_list":[]}`: true,
		`{"total_amount":"5.00","refund_reason":"x","buyer_user_id":"2088000000000017"}`: true,
		`{"refund_status":"REFUND_SUCCESS"}`:                                             false, `{"fund_change":"N"}`: false, `{"gmt_refund_pay":"2026-08-23 09:00:05"}`: false,
		`{"refund_amount":"0.00"}`: false, `{"refund_detail_item_list":[{}]}`: false, `{"refund_fee":0}`: false,
	} {
		t.Run(in, func(t *testing.T) {
			m := decoded(t, smart.SrcAlipayRefund, in)
			if v, err := m.AlipayRefund(); err != nil || v.StatesNothing() != want {
				t.Errorf("%s: got %t, %v", in, v.StatesNothing(), err)
			}
		})
	}
}

// What the gateway itself answers stands in a wrapper of another name.
func TestErrorResponse(t *testing.T) {
	m := decoded(t, smart.SrcAlipayRefund, `{"out_trade_no":"O","out_request_no":"R","error_response":{"code":"20000","sub_code":"isp.unknow-error"},"sign":"x"}`)
	v, err := m.AlipayRefund()
	if err != nil || v.Code != "20000" || v.OutTradeNo != "O" || v.OutRequestNo != "R" {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestIsGuard(t *testing.T) {
	for src, want := range map[string]bool{"guard.ask": true, "guard.answer": true, "guard.release": true, "guard.cancel": true, "guard.state": true,
		"guard": false, "guard.": false, "guard.other": false, "record": false} {
		t.Run(src, func(t *testing.T) {
			if smart.IsGuard(src) != want {
				t.Errorf("%s: got %t", src, !want)
			}
		})
	}
}
