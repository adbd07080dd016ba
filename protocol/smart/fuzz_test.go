package smart_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"yuanlu/protocol/smart"
)

// FuzzDecode: any bytes as a whole message.
func FuzzDecode(f *testing.F) {
	for _, data := range golden(f) {
		f.Add(data)
	}
	f.Add([]byte(`{"v":1,"src":"jd.trade","body":{"a":1}}`))
	f.Add([]byte(`{"v":1,`))
	good, malformed := corpora(f)
	for _, data := range append(good, malformed...) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "fuzz", data) })
}

// fuzzBody: any bytes as the body of one src.
func fuzzBody(f *testing.F, src string, seeds ...string) {
	for _, data := range golden(f) {
		if m, err := smart.Decode(data); err == nil && m.Src == src {
			f.Add(m.Body())
		}
	}
	good, _ := corpora(f)
	for _, data := range good {
		if m, err := smart.Decode(data); err == nil && m.Src == src {
			f.Add(m.Body())
		}
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole := body(src, string(data))
		check(t, "fuzz", whole)
		if m, err := smart.Decode(whole); err == nil {
			if again := m.AppendWithoutEmpty(nil); len(again) != len(m.Body()) {
				t.Fatalf("%d bytes became %d", len(m.Body()), len(again))
			}
		}
	})
}

func FuzzWeChatTransaction(f *testing.F) {
	fuzzBody(f, smart.SrcWeChatTransaction, `{"amount":{"total":100.5}}`, `{"payer":null,"amount":{"total":-0}}`,
		`{"combine_payer_info":{"openid":"oA"},"sub_orders":[{"amount":{"total_amount":1,"payer_amount":0}},{}]}`, `{"total_fee":"1","cash_fee":2,"sub_orders":[]}`)
}

func FuzzWeChatRefund(f *testing.F) {
	fuzzBody(f, smart.SrcWeChatRefund, `{"amount":{"refund":1e2}}`, `{"user_received_account":"商户基本账户"}`,
		`{"out_refund_no_0":"R","refund_fee_0":"2","refund_id_10":"5","refund_id_010":"6","coupon_refund_fee_0_0":1}`)
}

func FuzzWeChatReverse(f *testing.F) {
	fuzzBody(f, smart.SrcWeChatReverse, `{"code":"SYSTEM_ERROR","out_trade_no":"W"}`, `{"return_code":"SUCCESS","result_code":"SUCCESS","recall":"N"}`)
}

func FuzzAlipayCancel(f *testing.F) {
	fuzzBody(f, smart.SrcAlipayCancel, `{"alipay_trade_cancel_response":{"action":"close"},"out_trade_no":"A"}`, `{"error_response":{"code":"20000"}}`)
}

func FuzzAlipayTrade(f *testing.F) {
	fuzzBody(f, smart.SrcAlipayTrade, `{"alipay_trade_pay_response":{"code":"10000"},"sign":"x"}`, `{"fund_bill_list":"[{\"fundChannel\":\"PCREDIT\"}]"}`, `{"total_amount":"1.005"}`)
}

func FuzzAlipayRefund(f *testing.F) {
	fuzzBody(f, smart.SrcAlipayRefund, `{"code":null,"refund_fee":"20.00"}`, `{"refund_detail_item_list":[{"amount":1.5}]}`,
		`{"deposit_back_info":"{\"dback_status\":\"F\"}"}`)
}

func FuzzUnionPayQR(f *testing.F) {
	fuzzBody(f, smart.SrcUnionPayQR, `{"txnType":"01","txnAmt":"-1"}`, `{"txnType":"00"}`)
}

func FuzzLakala(f *testing.F) {
	fuzzBody(f, smart.SrcLakalaCard, `{"proc_cd":"000000","txndetail":"{\"termid\":\"1\"}","termid":"2"}`, `{"proc_cd":"900000","txndetail":{}}`)
}

func FuzzRecord(f *testing.F) {
	fuzzBody(f, smart.SrcRecord, `{"v":1,"kind":"journal","training":null}`)
}

// BenchmarkDecode is the envelope and the body of one message of each src.
func BenchmarkDecode(b *testing.B) {
	for name, data := range golden(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := decodeOnce(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func decodeOnce(data []byte) error {
	m, err := smart.Decode(data)
	if err != nil {
		return err
	}
	switch m.Src {
	case smart.SrcWeChatTransaction:
		_, err = m.WeChatTransaction()
	case smart.SrcWeChatRefund:
		_, err = m.WeChatRefund()
	case smart.SrcAlipayTrade:
		_, err = m.AlipayTrade()
	case smart.SrcAlipayRefund:
		_, err = m.AlipayRefund()
	case smart.SrcWeChatReverse:
		_, err = m.WeChatReverse()
	case smart.SrcAlipayCancel:
		_, err = m.AlipayCancel()
	case smart.SrcUnionPayQR:
		_, err = m.UnionPayQR()
	case smart.SrcLakalaCard:
		_, err = m.Lakala()
	}
	return err
}

// FuzzGuard: any bytes as the body of a release; what is read of it can be read again.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{`{"ask":"a-17","by":"s-1","pin":"628401","reason":2,"text":"新卡"}`, `{"ask":{"id":"a"}}`, `{"ask":""}`, `{"reason":1e9}`,
		`{"pin":628401,"ask":"a"}`, `[]`, `null`, `{"ask":"a","ask":"b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole := body(smart.SrcGuardRelease, string(data))
		check(t, "fuzz", whole)
		m, err := smart.Decode(whole)
		if err != nil {
			return
		}
		_ = m.GuardAskID()
		v, err := m.GuardRelease()
		var wrong *smart.DecodeError
		if err != nil && (!errors.As(err, &wrong) || !strings.HasPrefix(wrong.Field, "body")) || err == nil && v.Ask == "" {
			t.Fatalf("%v", err)
		}
		if pin := v.PIN.Reveal(); len(pin) > 5 && strings.Contains(fmt.Sprintf("%v %+v %v", m, v, err), pin) && !strings.Contains(v.Ask+v.By+v.Reason+v.Text, pin) {
			t.Fatal("a PIN is printed")
		}
		again, err := smart.AppendGuard(nil, "g-1", smart.SrcGuardState, "T", "M", json.RawMessage(`{"ask":"a"}`))
		if back, err2 := smart.Decode(again); err != nil || err2 != nil || string(back.Body()) != `{"ask":"a"}` {
			t.Fatal(err, err2)
		}
	})
}
