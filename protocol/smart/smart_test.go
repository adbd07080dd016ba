package smart_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"yuanlu/protocol/sensitive"
	"yuanlu/protocol/smart"
)

func TestGoldenMessages(t *testing.T) {
	all, some := map[string]bool{}, map[string]bool{} // src and member: those there are, those with a value
	for name, data := range golden(t) {
		got, known, err := readAll(data)
		if err != nil || known == (name == "record") {
			t.Errorf("%s: %t, %v", name, known, err)
			continue
		}
		checkAgainstJSON(t, data, got)
		for path, v := range got {
			member := fmt.Sprint(got["src"], " ", strings.ReplaceAll(strings.Trim(path, "0123456789_"), ".1.", ".0."))
			all[member] = true
			if !slices.Contains([]any{"", smart.Number{}, yuan{}, fen{}, older{}, size(0)}, v) {
				some[member] = true
			}
		}
		m, err := smart.Decode(data)
		if again := appendMessage(nil, &m, m.Body()); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s is written as other bytes: %v\n%s", name, err, again)
		}
	}
	for member := range all {
		if !some[member] && !strings.HasSuffix(member, " copy") && !strings.HasSuffix(member, " ask") {
			t.Errorf("%s is not read", member)
		}
	}
}

// body puts a body into an envelope.
func body(src, body string) []byte {
	return []byte(fmt.Sprintf(`{"v":1,"id":"x","src":"%s","terminal_id":"SM000001","body":%s}`, src, body))
}

func TestFirstFundChannelAndDetailsAddUp(t *testing.T) {
	for in, want := range map[string]string{
		`[{"fund_channel":"PCREDIT"},{"fund_channel":"COUPON"}]`: "PCREDIT",
		`[{"fundChannel":"PCREDIT"},{"fund_channel":"COUPON"}]`:  "PCREDIT",
		`[{"fundChannel":"A","fund_channel":"B"}]`:               "B",
		`[{"amount":"1.00"},{"fundChannel":"COUPON"}]`:           "COUPON",
		`"[{\"fundChannel\":\"PCREDIT\",\"amount\":1.11}]"`:      "PCREDIT",
		`" [ { \"fund_channel\" : \"\u0050CREDIT \" } ] "`:       "PCREDIT",
		`[]`: "", `null`: "", `""`: "", `" "`: "", `"[]"`: "",
	} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("alipay.trade", `{"fund_bill_list":`+in+`}`))
			if err != nil {
				t.Fatal(err)
			}
			if v, err := m.AlipayTrade(); err != nil || v.FundChannel != want {
				t.Errorf("%s: got %q, %v, want %q", in, v.FundChannel, err, want)
			}
		})
	}
	for in, want := range map[string]smart.Number{
		`[{"amount":"5.00"},{"amount":"1.5"}]`:         {Value: 650, Given: true},
		`"[{\"amount\":\"5.00\"},{\"amount\":\"1\"}]"`: {Value: 600, Given: true},
		`[{"amount":"0.00","real_amount":1.5}]`:        {Value: 0, Given: true},
		`[]`:                                           {}, `[{}]`: {}, `null`: {}, `""`: {},
		`[{"amount":"92233720368547758.07"},{"amount":"0.01"}]`:   {Value: 1<<63 - 1, Given: true},
		`[{"amount":"-92233720368547758.08"},{"amount":"-1.00"}]`: {Value: -1 << 63, Given: true},
	} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("alipay.refund", `{"refund_detail_item_list":`+in+`}`))
			if err != nil {
				t.Fatal(err)
			}
			if v, err := m.AlipayRefund(); err != nil || v.Details != want {
				t.Errorf("%s: got %+v, %v, want %+v", in, v.Details, err, want)
			}
		})
	}
}

// A wrapper is opened; of what stands beside it the members count that the firmware
// adds, where the inner object lacks them.
func TestWrapper(t *testing.T) {
	m, err := smart.Decode(body("alipay.trade", `{"app_id":"outer","code":"40004","alipay_trade_query_response":{"code":"10000","trade_no":"T1","total_amount":"1.10","buyer_open_id":"o"},"sign":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.AlipayTrade()
	if err != nil || v.Code != "10000" || v.TradeNo != "T1" || v.AppID != "outer" || v.Total.Value != 110 || v.OpenID.Reveal() != "o" {
		t.Errorf("got %+v, %v", v, err)
	}
	m, err = smart.Decode(body("alipay.refund", `{"sign":"x","alipay_trade_refund_response":{"refund_fee":"2.00"},"out_request_no":"R1","code":"40004","refund_amount":"1.00","refund_detail_item_list":[{"amount":"1.00"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.AlipayRefund()
	if err != nil || w.OutRequestNo != "R1" || w.Fee.Value != 200 || w.Amount.Given || w.HasDetails {
		t.Errorf("got %+v, %v", w, err)
	}
}

func TestTxndetail(t *testing.T) {
	for _, detail := range []string{`{"termid":"1","systraceno":"2","refernumber":""}`, `"{\"termid\":\"1\",\"systraceno\":\"2\"}"`} {
		t.Run(detail, func(t *testing.T) {
			m, err := smart.Decode(body("lakala.card", `{"proc_cd":"000000","systraceno":"9","refernumber":"8","txndetail":`+detail+`}`))
			if err != nil {
				t.Fatal(err)
			}
			v, err := m.Lakala()
			if err != nil || v.TerminalID != "1" || v.Trace != "2" || v.Reference != "8" {
				t.Errorf("%s: got %+v, %v", detail, v, err)
			}
		})
	}
}

func TestYuanIsDecimalTextWithAtMostTwoPlaces(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 100, "0.01": 1, "88.88": 8888, "1.5": 150, "0": 0, "0.00": 0, "-1.00": -100, "007.10": 710, "1.00  ": 100, "-0.01": -1,
		"92233720368547758.07": 1<<63 - 1, "92233720368547758.08": 1<<63 - 1, "99999999999999999999999999": 1<<63 - 1,
		"-92233720368547758.08": -1 << 63, "-99999999999999999999": -1 << 63, "100000000000000000000000.01": 1<<63 - 1,
	} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("alipay.trade", `{"total_amount":"`+in+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			if v, err := m.AlipayTrade(); err != nil || v.Total != (smart.Number{Value: want, Given: true}) {
				t.Errorf("%s: got %+v, %v, want %d", in, v.Total, err, want)
			}
		})
	}
	for _, in := range []string{`"1.005"`, `"1.000"`, `"1."`, `".5"`, `"-"`, `"-.5"`, `"+1"`, `"1,00"`, `"1.0.0"`, `"1e2"`, `" 1"`, `"--1"`, `"1.-1"`,
		`"１.00"`, `"0x10"`, `"NaN"`, `1.005`, `1.000`, `1e2`, `1E0`, `1.5e1`, `true`, `{}`, `[]`, `["1.00"]`} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("alipay.trade", `{"total_amount":`+in+`}`))
			if err != nil {
				t.Fatal(err)
			}
			var e *smart.DecodeError
			if _, err := m.AlipayTrade(); !errors.As(err, &e) || e.Field != "body.total_amount" {
				t.Errorf("%s: got %v", in, err)
			}
		})
	}
}

func TestNumbersAreDigitsOnly(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "-0": 0, "100": 100, "-5": -5, "9223372036854775807": 1<<63 - 1, "9223372036854775808": 1<<63 - 1,
		"-9223372036854775808": -1 << 63, "-9223372036854775809": -1 << 63, "123456789012345678901234567890": 1<<63 - 1} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("wechat.transaction", `{"amount":{"total":`+in+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			if v, err := m.WeChatTransaction(); err != nil || v.Total != (smart.Number{Value: want, Given: true}) {
				t.Errorf("%s: got %+v, %v", in, v.Total, err)
			}
		})
	}
	for _, in := range []string{"100.5", "100.0", "1e2", "1E2", `"100"`, "true", "{}", "[1]", "-1.0"} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("wechat.transaction", `{"amount":{"total":`+in+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			var e *smart.DecodeError
			if _, err := m.WeChatTransaction(); !errors.As(err, &e) || e.Field != "body.amount.total" {
				t.Errorf("%s: got %v", in, err)
			}
		})
	}
	for _, in := range []string{`"-1"`, `"1.0"`, `"1e2"`, `"10 0"`, `100`, `1e2`} {
		t.Run(in, func(t *testing.T) { // fen as text
			m, err := smart.Decode(body("unionpay.qr", `{"txnType":"01","txnAmt":`+in+`}`))
			if err != nil {
				t.Fatal(err)
			}
			var e *smart.DecodeError
			if _, err := m.UnionPayQR(); !errors.As(err, &e) || e.Field != "body.txnAmt" {
				t.Errorf("%s: got %v", in, err)
			}
		})
	}
}

func TestRefusedWithFieldAndOffset(t *testing.T) {
	deep := strings.Repeat("[", 1030) + strings.Repeat("]", 1030)
	for _, c := range []struct{ in, field, got string }{
		{``, "DATA", "the end of the text"},
		{`   `, "DATA", "the end of the text"},
		{`[]`, "DATA", "a list"},
		{`null`, "DATA", "null"},
		{`"x"`, "DATA", "a string"},
		{"\xef\xbb\xbf{}", "DATA", "something that is no JSON"},
		{`{"v":1,`, "DATA", "the end of the text"},
		{`{"v":1,}`, "DATA", "'}'"},
		{`{"v":1 "id":"x"}`, "DATA", "a string"},
		{`{v:1}`, "DATA", "something that is no JSON"},
		{`{"v":1,"src":"record","body":{}}x`, "DATA", "something that is no JSON"},
		{`{"v":1,"src":"record","body":{}}{}`, "DATA", "an object"},
		{`{"v":1,"src":"record","body":{}}` + "\x00", "DATA", "something that is no JSON"},
		{`{"src":"record","body":{}}`, "v", "no such member"},
		{`{"v":null,"src":"record","body":{}}`, "v", "no such member"},
		{`{"v":2,"src":"record","body":{}}`, "v", "another version"},
		{`{"v":"1","src":"record","body":{}}`, "v", "a string"},
		{`{"v":1.0,"src":"record","body":{}}`, "v", "a number with a fraction or an exponent"},
		{`{"v":01,"src":"record","body":{}}`, "v", "a number that JSON does not know"},
		{`{"v":1,"body":{}}`, "src", "no such member"},
		{`{"v":1,"src":"","body":{}}`, "src", "no such member"},
		{`{"v":1,"src":5,"body":{}}`, "src", "a number"},
		{`{"v":1,"v":1,"src":"record","body":{}}`, "v", "it a second time"},
		{`{"v":1,"id":"a","src":"x","\u0069d":"b"}`, "id", "it a second time"},
		{`{"v":1,"id":7,"src":"x"}`, "id", "a number"},
		{`{"v":1,"id":{},"src":"x"}`, "id", "an object"},
		{`{"v":1,"training":"false","src":"x"}`, "training", "a string"},
		{`{"v":1,"training":0,"src":"x"}`, "training", "a number"},
		{`{"v":1,"copy":"twice","src":"x"}`, "copy", "another word"},
		{`{"v":1,"copy":true,"src":"x"}`, "copy", "true or false"},
		{`{"v":1,"src":"x","other":nul}`, "DATA", "null"},
		{`{"v":1,"src":"x","other":tru}`, "DATA", "true or false"},
		{`{"v":1,"src":"x","other":1.}`, "DATA", "a number that JSON does not know"},
		{`{"v":1,"src":"x","other":-}`, "DATA", "a number that JSON does not know"},
		{`{"v":1,"src":"x","other":1e}`, "DATA", "a number that JSON does not know"},
		{`{"v":1,"src":"x","other":00}`, "DATA", "a number that JSON does not know"},
		{`{"v":1,"src":"x","body":` + deep + `}`, "body", "values nested too deep"},
		{`{"v":1,"src":"x","id":"a` + "\n" + `b"}`, "id", "a control character"},
		{`{"v":1,"src":"x","id":"\u00e9` + "\n" + `b"}`, "id", "a control character"},
		{`{"v":1,"src":"x","id":"` + "\xff" + `"}`, "id", "bytes that are no UTF-8"},
		{`{"v":1,"src":"x","id":"` + "\xed\xa0\x80" + `"}`, "id", "bytes that are no UTF-8"},
		{`{"v":1,"src":"x","id":"\n` + "\xc3" + `"}`, "id", "bytes that are no UTF-8"},
		{`{"v":1,"src":"x","id":"` + "\xc3" + `\n"}`, "id", "bytes that are no UTF-8"},
		{`{"v":1,"src":"x","id":"\ud800"}`, "id", "an escape that means no character"},
		{`{"v":1,"src":"x","id":"\ud83dx"}`, "id", "an escape that means no character"},
		{`{"v":1,"src":"x","id":"\u12"}`, "id", "an escape that means no character"},
		{`{"v":1,"src":"x","id":"\u12g4"}`, "id", "an escape that means no character"},
		{`{"v":1,"src":"x","id":"\x41"}`, "id", "an escape that means no character"},
		{`{"v":1,"src":"x","id":"abc`, "id", "the end of the text"},
		{`{"v":1,"src":"x","id":"\u0041bc`, "id", "the end of the text"},
		{`{"v":1,"src":"wechat.transaction"}`, "body", "no such member"},
		{`{"v":1,"src":"wechat.transaction","body":null}`, "body", "no such member"},
		{`{"v":1,"src":"wechat.transaction","body":[]}`, "body", "a list"},
		{`{"v":1,"src":"wechat.transaction","body":"{}"}`, "body", "a string"},
		{`{"v":1,"src":"wechat.transaction","body":{"amount":5}}`, "body.amount", "a number"},
		{`{"v":1,"src":"wechat.transaction","body":{"amount":{"total":1,"total":1}}}`, "body.amount.total", "it a second time"},
		{`{"v":1,"src":"wechat.transaction","body":{"trade_state":1}}`, "body.trade_state", "a number"},
		{`{"v":1,"src":"wechat.transaction","body":{"payer":{"openid":12345678901234}}}`, "body.payer.openid", "a number"},
		{`{"v":1,"src":"wechat.refund","body":{"amount":{"refund":3.5}}}`, "body.amount.refund", "a number with a fraction or an exponent"},
		{`{"v":1,"src":"alipay.trade","body":{"fund_bill_list":{}}}`, "body.fund_bill_list", "an object"},
		{`{"v":1,"src":"alipay.trade","body":{"fund_bill_list":[1]}}`, "body.fund_bill_list[0]", "a number"},
		{`{"v":1,"src":"alipay.trade","body":{"fund_bill_list":"x"}}`, "body.fund_bill_list", "something that is no JSON"},
		{`{"v":1,"src":"alipay.trade","body":{"fund_bill_list":"[] []"}}`, "body.fund_bill_list", "a list"},
		{`{"v":1,"src":"alipay.trade","body":{"fund_bill_list":"[{},{\"fund_channel\":2}]"}}`, "body.fund_bill_list[1].fund_channel", "a number"},
		{`{"v":1,"src":"alipay.trade","body":{"alipay_trade_pay_response":[]}}`, "body.alipay_…_response", "a list"},
		{`{"v":1,"src":"alipay.trade","body":{"alipay_a_response":{},"alipay_b_response":{}}}`, "body.alipay_…_response", "a second wrapper"},
		{`{"v":1,"src":"alipay.trade","body":{"alipay_a_response":{"total_amount":"x"}}}`, "body.alipay_…_response.total_amount", "a text that is no decimal number"},
		{`{"v":1,"src":"alipay.refund","body":{"refund_fee":"1.005"}}`, "body.refund_fee", "more than two places"},
		{`{"v":1,"src":"alipay.refund","body":{"refund_detail_item_list":[{"amount":"1"},{"amount":true}]}}`, "body.refund_detail_item_list[1].amount", "true or false"},
		{`{"v":1,"src":"alipay.refund","body":{"refund_detail_item_list":[{"amount":1.125}]}}`, "body.refund_detail_item_list[0].amount", "more than two places"},
		{`{"v":1,"src":"alipay.refund","body":{"refund_fee":1e2}}`, "body.refund_fee", "a number with an exponent"},
		{`{"v":1,"src":"alipay.refund","body":{"deposit_back_info":[]}}`, "body.deposit_back_info", "a list"},
		{`{"v":1,"src":"alipay.refund","body":{"error_response":{},"alipay_b_response":{}}}`, "body.alipay_…_response", "a second wrapper"},
		{`{"v":1,"src":"alipay.cancel","body":{"action":1}}`, "body.action", "a number"},
		{`{"v":1,"src":"wechat.reverse","body":{"recall":true}}`, "body.recall", "true or false"},
		{`{"v":1,"src":"wechat.transaction","body":{"sub_orders":{}}}`, "body.sub_orders", "an object"},
		{`{"v":1,"src":"wechat.transaction","body":{"sub_orders":[{},{"amount":{"total_amount":"5"}}]}}`, "body.sub_orders[1].amount.total_amount", "a string"},
		{`{"v":1,"src":"wechat.transaction","body":{"total_fee":"1.00"}}`, "body.total_fee", "a text that is not digits alone"},
		{`{"v":1,"src":"wechat.transaction","body":{"total_fee":1.5}}`, "body.total_fee", "a number with a fraction or an exponent"},
		{`{"v":1,"src":"wechat.refund","body":{"refund_fee_0":"x"}}`, "body.refund_fee_n", "a text that is not digits alone"},
		{`{"v":1,"src":"wechat.refund","body":{"refund_id_1":"a","refund_id_1":null}}`, "body.refund_id_n", "it a second time"},
		{`{"v":1,"src":"x","ask":{}}`, "ask", "an object"},
		{`{"v":1,"src":"unionpay.qr","body":{"txnAmt":"1"}}`, "body.txnType", "no such member"},
		{`{"v":1,"src":"lakala.card","body":{"amt":"1"}}`, "body.proc_cd", "no such member"},
		{`{"v":1,"src":"lakala.card","body":{"proc_cd":"000000","txndetail":5}}`, "body.txndetail", "a number"},
		{`{"v":1,"src":"lakala.card","body":{"proc_cd":"000000","txndetail":"{\"termid\":1}"}}`, "body.txndetail.termid", "a number"},
		{`{"v":1,"src":"lakala.card","body":{"proc_cd":"000000","txndetail":"{} x"}}`, "body.txndetail", "something that is no JSON"},
	} {
		t.Run(c.in, func(t *testing.T) {
			_, _, err := readAll([]byte(c.in))
			var e *smart.DecodeError
			if !errors.Is(err, smart.ErrMalformed) || !errors.As(err, &e) {
				t.Errorf("%s: got %v", c.in, err)
				return
			}
			if e.Field != c.field || e.Got != c.got || e.Offset < 0 || e.Offset > len(c.in) {
				t.Errorf("%s: got %v, want field %q, got %q", c.in, err, c.field, c.got)
			}
		})
	}
	// Offsets are those of the value.
	in := `{"v":1,"src":"wechat.transaction","body":{"amount":{"total":1.5}}}`
	_, _, err := readAll([]byte(in))
	var e *smart.DecodeError
	if !errors.As(err, &e) || e.Offset != strings.Index(in, "1.5") {
		t.Errorf("%v", err)
	}
}

// Unknown members are skipped, whatever they are; null and "" are as good as absent.
func TestUnknownAndEmptyMembers(t *testing.T) {
	m, err := smart.Decode([]byte(`{"v":1,"x":1,"x":[1.5e-3,{"v":2}],"id":null,"src":"wechat.transaction","terminal_id":"","merchant_id":"M  ","training":null,"copy":null,"operator":" ",
		"body":{"amount":null,"payer":"","y":{"amount":{"total":1.5}},"y":2,"trade_state":null,"out_trade_no":" A ","V":3}}`))
	if err != nil || m.ID+m.TerminalID+m.Operator+m.Copy != "" || m.MerchantID != "M" || m.Training {
		t.Fatalf("got %+v, %v", m, err)
	}
	if v, err := m.WeChatTransaction(); err != nil || !reflect.DeepEqual(v, smart.WeChatTransaction{WeChatOrder: smart.WeChatOrder{OutTradeNo: " A"}}) {
		t.Errorf("got %+v, %v", v, err)
	}
	for _, src := range []string{"jd.trade", "x"} {
		t.Run(src, func(t *testing.T) {
			if m, err := smart.Decode([]byte(`{"v":1,"src":"` + src + `","body":7}`)); err != nil || m.Src != src || string(m.Body()) != "7" {
				t.Errorf("%s: %v", src, err)
			}
		})
	}
}

func TestEscapes(t *testing.T) {
	m, err := smart.Decode([]byte(`{"v":1,"id":"a\"\\\n\u0001é\u2028","src":"record","operator":"\ufffd","training":true,"copy":"dump","body":{}}`))
	if err != nil || m.ID != "a\"\\\n\x01é\u2028" || m.Operator != "\ufffd" || !m.Training || m.Copy != "dump" || string(m.Body()) != "{}" {
		t.Errorf("got %q %q, %v", m.ID, m.Operator, err)
	}
}

// appendMessage writes an envelope with all its members in the order of the contract (ask
// only if there is one), and body as it is. The texts hold nothing that JSON escapes.
func appendMessage(dst []byte, m *smart.Message, body []byte) []byte {
	dst = fmt.Appendf(dst, `{"v":1,"id":"%s","src":"%s","terminal_id":"%s","merchant_id":"%s","operator":"%s","training":%t,"copy":"%s"`,
		m.ID, m.Src, m.TerminalID, m.MerchantID, m.Operator, m.Training, m.Copy)
	if m.Ask != "" {
		dst = fmt.Appendf(dst, `,"ask":"%s"`, m.Ask)
	}
	return append(append(append(dst, `,"body":`...), body...), '}')
}

func TestWithoutEmptyMembers(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1,"b":null,"c":""}`:                  `{"a":1," ":null," ":""}`,
		`{"party":{"id":"","also":[{"id":null}]}}`: `{"party":{"  ":"","also":[{"  ":null}]}}`,
		`{"a":"null","b":"nu"}`:                    `{"a":"null","b":"nu"}`,
		`{"n\u0061":null,"":null,"x":[null,""]}`:   `{"       ":null,"":null,"x":[null,""]}`,
		`{ "a" : null , "b" : [ ] }`:               `{ " " : null , "b" : [ ] }`,
	} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("record", in))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.AppendWithoutEmpty([]byte("x")); string(got) != "x"+want {
				t.Errorf("%s: got %s", in, got)
			}
			if string(m.Body()) != in {
				t.Errorf("%s was changed", in)
			}
		})
	}
}

func TestFlag(t *testing.T) {
	for in, want := range map[string][2]bool{`{"training":true}`: {true, true}, `{"training":false}`: {false, true}, `{"training":null}`: {}, `{}`: {}, `[]`: {}, `{"training":"x"}`: {}} {
		t.Run(in, func(t *testing.T) {
			m, err := smart.Decode(body("record", in))
			if err != nil {
				t.Fatal(err)
			}
			if v, given := m.Flag("training"); [2]bool{v, given} != want {
				t.Errorf("%s: got %t %t", in, v, given)
			}
		})
	}
}

func TestBodyError(t *testing.T) {
	data := body("record", `{"é":"号","x":1}`)
	m, err := smart.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	var e *smart.DecodeError
	if !errors.As(m.BodyError("x", 10, "a", "b"), &e) || e.Offset != bytes.Index(data, []byte(`"x":1`)) || e.Field != "body.x" {
		t.Errorf("got %+v", e)
	}
	if !errors.As(m.BodyError("", 999, "a", "b"), &e) || e.Offset > len(data) || e.Field != "body" {
		t.Errorf("got %+v", e)
	}
}

func TestNothingOfAMessageIsPrinted(t *testing.T) {
	for name, data := range golden(t) {
		m, err := smart.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "m", m)
		j, err := json.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		printed := log.String() + string(j) + fmt.Sprintf("%v %+v %#v %s %q %x %d", m, m, m, m, m, m, &m)
		if strings.Contains(printed, "oTEST") || strings.Contains(printed, "6205500000000000004") || strings.Contains(printed, "6f5445") || strings.Contains(printed, "body") {
			t.Errorf("%s: %s", name, printed)
		}
	}
	v, err := smart.Decode(golden(t)["wechat-transaction"])
	if err != nil {
		t.Fatal(err)
	}
	tx, err := v.WeChatTransaction()
	if err != nil || !strings.Contains(fmt.Sprintf("%+v", tx), sensitive.Hidden) || strings.Contains(fmt.Sprintf("%+v %#v", tx, tx), "oTEST") {
		t.Errorf("%+v, %v", tx, err)
	}
}

// Every byte of a good message changed: it is refused, or read as what those bytes are.
func TestEveryByteChanged(t *testing.T) {
	for name, data := range golden(t) {
		for i := range data {
			changed := []byte{'"', '\\', '{', '}', ',', ':', '0', '9', '.', '-', 'e', ' ', 0, 0x80, 0xFF}
			for bit := range 8 {
				changed = append(changed, data[i]^1<<bit)
			}
			for _, c := range changed {
				if c == data[i] {
					continue
				}
				b := bytes.Clone(data)
				b[i] = c
				check(t, fmt.Sprintf("%s, byte %d as %#x", name, i, c), b)
			}
		}
	}
}

// Every beginning of a good message is refused.
func TestEveryCut(t *testing.T) {
	for name, data := range golden(t) {
		for i := range data {
			if _, err := smart.Decode(data[:i]); !errors.Is(err, smart.ErrMalformed) {
				t.Errorf("%s cut at %d: %v", name, i, err)
			}
		}
	}
}

// check reads any bytes: what is taken is JSON and read as encoding/json reads it;
// what is refused is refused with a place inside, and without the bytes.
func check(t *testing.T, what string, data []byte) {
	t.Helper()
	before := bytes.Clone(data)
	got, _, err := readAll(data)
	if !bytes.Equal(before, data) {
		t.Fatalf("%s: the bytes were changed", what)
	}
	if err == nil {
		checkAgainstJSON(t, data, got)
		return
	}
	var e *smart.DecodeError
	if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) || e.Got == "" || e.Want == "" {
		t.Fatalf("%s: got %v", what, err)
	}
	for _, secret := range []string{"6200000000000005", "6205500000000000004", "2088000000000017", "oTEST", "0TEST", "招商银行"} {
		if strings.Contains(err.Error(), secret) {
			t.Fatalf("%s: the error holds a value: %v", what, err)
		}
	}
}
