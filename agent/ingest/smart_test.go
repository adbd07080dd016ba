package ingest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

var smartClock = ingest.Clock{Now: time.Date(2026, 8, 23, 12, 0, 0, 0, ingest.DefaultZone()), HasNow: true}

// smartTalk is one conversation with a wire.
type smartTalk struct {
	t    testing.TB
	wire ingest.Wire
	id   int // of the last message and frame
}

func smartWire(t testing.TB, m ingest.Memory, file ...string) *smartTalk {
	t.Helper()
	p, err := ingest.LoadProfile("smart", []byte(strings.Join(file, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	w, err := ingest.NewWire("smart", p, m)
	if err != nil {
		t.Fatal(err)
	}
	return &smartTalk{t: t, wire: w}
}

// smartMemory is a Memory that outlives its wire.
type smartMemory struct {
	values  map[string][]byte
	expires map[string]time.Time
}

func newSmartMemory() *smartMemory {
	return &smartMemory{values: map[string][]byte{}, expires: map[string]time.Time{}}
}

func (m *smartMemory) Get(key string) ([]byte, bool) {
	v, ok := m.values[key]
	return v, ok
}

// Remember keeps copies, as a store does.
func (m *smartMemory) Remember(changes []refund.MemoryChange) {
	for _, c := range changes {
		m.values[c.Key], m.expires[c.Key] = bytes.Clone(c.Value), c.Expires
	}
}

// frame returns the step of a frame.
func (c *smartTalk) frame(f frame.Frame) (ingest.Step, error) {
	c.t.Helper()
	raw, err := frame.AppendSmart(nil, f)
	if err != nil {
		c.t.Fatal(err)
	}
	f.Raw = raw
	return c.wire.Frame(f, smartClock)
}

// data sends DATA in a frame with the next id.
func (c *smartTalk) data(data string) (ingest.Step, error) {
	c.t.Helper()
	c.id = c.id%255 + 1
	s, err := c.frame(frame.Frame{ID: byte(c.id), Data: []byte(data)})
	if want := confirmOf(byte(c.id)); !bytes.Equal(s.Reply, want) || s.Immediate != nil {
		c.t.Errorf("confirmed with %x, want %x; at once %x", s.Reply, want, s.Immediate)
	}
	return s, err
}

func confirmOf(id byte) []byte {
	return []byte{0x55, 0xAA, 2, id, 0, 0, 0, 2 ^ id, 0xCC, 0x33}
}

// send sends a body in an envelope with a new id, and returns the record, without the
// members of the envelope that are as usual.
func (c *smartTalk) send(src, body string, envelope ...string) (record, ignored string) {
	c.t.Helper()
	r, ignored := c.record(src, body, envelope...)
	if r == nil {
		return "", ignored
	}
	return mustJSON(usual(actual(*r, nil))), ignored
}

func (c *smartTalk) record(src, body string, envelope ...string) (r *refund.Record, ignored string) {
	c.t.Helper()
	head := strings.Join(envelope, ",")
	if head == "" {
		head = `"terminal_id":"SM000001","merchant_id":"898000000000001","operator":"01"`
	}
	s, err := c.data(fmt.Sprintf(`{"v":1,"id":"%d","src":"%s",%s,"body":%s}`, c.id+1, src, head, body))
	if err != nil {
		c.t.Errorf("%s %s: %v", src, body, err)
		return nil, ""
	}
	if len(s.Records) == 0 {
		return nil, s.Ignored
	}
	return &s.Records[0].Record, s.Ignored
}

// usual takes out what the usual envelope says and the time of reception.
func usual(m map[string]any) map[string]any {
	for name, value := range map[string]string{"terminal_id": "SM000001", "merchant_id": "898000000000001", "operator": "01", "at": "2026-08-23T12:00:00+08:00"} {
		if m[name] == value {
			delete(m, name)
		}
	}
	return m
}

// expect returns a record in the form of send.
func expect(t testing.TB, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var w wanted
	if err := d.Decode(&w); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return mustJSON(usual(normal(w, nil)))
}

// saying is a test of one body.
type saying struct {
	name     string // the sentence or cell of wires.md
	body     string
	want     string // "": no record
	ignored  string
	envelope string
}

func sayAll(t *testing.T, src string, sayings []saying) {
	t.Helper()
	for _, s := range sayings {
		var envelope []string
		if s.envelope != "" {
			envelope = []string{s.envelope}
		}
		got, ignored := smartWire(t, nil).send(src, s.body, envelope...)
		want := expect(t, s.want)
		if strings.Contains(s.want, `"shown"`) {
			t.Errorf("%s: write the identifier alone", s.name)
		}
		if got = withoutShown(got); got != want {
			t.Errorf("%s:\n got %s\nwant %s", s.name, got, want)
		}
		if ignored != s.ignored {
			t.Errorf("%s: ignored %q, want %q", s.name, ignored, s.ignored)
		}
	}
}

// withoutShown takes the masked forms out, which follow from the identifiers.
func withoutShown(record string) string {
	var m map[string]any
	if json.Unmarshal([]byte(record), &m) != nil {
		return record
	}
	if p, ok := m["party"].(map[string]any); ok {
		delete(p, "shown")
		if also, ok := p["also"].(string); ok {
			var list []map[string]any
			if json.Unmarshal([]byte(also), &list) == nil {
				for _, a := range list {
					delete(a, "shown")
				}
				p["also"] = mustJSON(list)
			}
		}
	}
	return mustJSON(m)
}

func TestSmartWeChatTransaction(t *testing.T) {
	state := func(state, outcome, ignored string) saying {
		return saying{"trade_state " + state, `{"trade_state":"` + state + `"}`,
			`{"kind":"sale","outcome":"` + outcome + `","response_code":"` + state + `","channel":"wechat"}`, ignored, ""}
	}
	entry := func(kind, entry string) saying {
		return saying{"trade_type " + kind, `{"trade_state":"SUCCESS","trade_type":"` + kind + `"}`,
			`{"kind":"sale","outcome":"approved","response_code":"SUCCESS","channel":"wechat","entry":"` + entry + `"}`, "", ""}
	}
	bank := func(bank, funding string) saying {
		return saying{"bank_type " + bank, `{"trade_state":"SUCCESS","bank_type":"` + bank + `"}`,
			`{"kind":"sale","outcome":"approved","response_code":"SUCCESS","channel":"wechat","funding":"` + funding + `"}`, "", ""}
	}
	const paid = `{"kind":"sale","outcome":"approved","response_code":"SUCCESS","channel":"wechat"`
	sayAll(t, "wechat.transaction", []saying{
		state("SUCCESS", "approved", ""), state("REFUND", "approved", ""), state("USERPAYING", "pending", ""), state("NOTPAY", "pending", ""),
		state("PAYERROR", "declined", ""), state("CLOSED", "closed", ""), state("REVOKED", "closed", ""),
		state("ACCEPT", "unknown", "unknown trade_state ACCEPT"), state("success", "unknown", "unknown trade_state success"),
		{"no state", `{}`, `{"kind":"sale","outcome":"unknown","channel":"wechat"}`, "no trade_state", ""},
		{"a state that could be a number of somebody", `{"trade_state":"6200000000000005"}`, `{"kind":"sale","outcome":"unknown","response_code":"6200000000000005","channel":"wechat"}`, "unknown trade_state", ""},
		entry("MICROPAY", "qr_shown"), entry("NATIVE", "qr_scanned"), entry("JSAPI", "qr_scanned"), entry("APP", ""), entry("MWEB", ""), entry("FACEPAY", ""),
		bank("CFT", "balance"), bank("ICBC_DEBIT", "debit_card"), bank("CMB_CREDIT", "credit_card"), bank("BANK_OF_X_DEBIT", "debit_card"),
		bank("OTHERS", ""), bank("LQT", ""), bank("_DEBIT", ""), bank("ICBC_DEBITS", ""),
		{"transaction_id, out_trade_no", `{"trade_state":"SUCCESS","transaction_id":"4200","out_trade_no":"W1"}`, paid + `,"channel_txn":"4200","order_no":"W1"}`, "", ""},
		{"payer.openid, namespace appid", `{"trade_state":"SUCCESS","appid":"wx1","payer":{"openid":"oA"}}`, paid + `,"party":{"scheme":"wechat_openid","namespace":"wx1","id":"oA"}}`, "", ""},
		{"no appid", `{"trade_state":"SUCCESS","payer":{"openid":"oA"}}`, paid + `,"party":{"scheme":"wechat_openid","id":"oA"}}`, "", ""},
		{"payer.sp_openid + sp_appid, sub_openid + sub_appid also", `{"trade_state":"SUCCESS","sp_appid":"wx1","sub_appid":"wx2","payer":{"sub_openid":"oB","sp_openid":"oA"}}`,
			paid + `,"party":{"scheme":"wechat_openid","namespace":"wx1","id":"oA","also":[{"scheme":"wechat_openid","namespace":"wx2","id":"oB"}]}}`, "", ""},
		{"sub_openid alone", `{"trade_state":"SUCCESS","sub_appid":"wx2","payer":{"sub_openid":"oB","sp_openid":""}}`, paid + `,"party":{"scheme":"wechat_openid","namespace":"wx2","id":"oB"}}`, "", ""},
		{"all three", `{"trade_state":"SUCCESS","appid":"wx0","sp_appid":"wx1","sub_appid":"wx2","payer":{"openid":"oO","sub_openid":"oB","sp_openid":"oA"}}`,
			paid + `,"party":{"scheme":"wechat_openid","namespace":"wx0","id":"oO","also":[{"scheme":"wechat_openid","namespace":"wx1","id":"oA"},{"scheme":"wechat_openid","namespace":"wx2","id":"oB"}]}}`, "", ""},
		{"no payer", `{"trade_state":"SUCCESS","appid":"wx1","payer":{}}`, paid + `}`, "", ""},
		{"amount.total, payer_total, currency", `{"trade_state":"SUCCESS","amount":{"total":1000,"payer_total":950,"currency":"HKD","payer_currency":"CNY"}}`, paid + `,"amount":1000,"payer_amount":950,"currency":"HKD"}`, "", ""},
		{"payer_total 0 is a value", `{"trade_state":"SUCCESS","amount":{"total":1000,"payer_total":0}}`, paid + `,"amount":1000,"payer_amount":0}`, "", ""},
		{"no payer_total", `{"trade_state":"SUCCESS","amount":{"total":1000}}`, paid + `,"amount":1000}`, "", ""},
		{"RMB is read as CNY", `{"trade_state":"SUCCESS","amount":{"total":5,"currency":"RMB"}}`, paid + `,"amount":5,"currency":"CNY"}`, "", ""},
		{"an impossible amount gets a verdict, not an error", `{"trade_state":"SUCCESS","amount":{"total":-5}}`, paid + `,"amount":-5}`, "", ""},
		{"success_time", `{"trade_state":"SUCCESS","success_time":"2026-08-22T10:15:30+08:00"}`, paid + `,"at":"2026-08-22T10:15:30+08:00"}`, "", ""},
		{"success_time in another zone", `{"trade_state":"SUCCESS","success_time":"2026-08-22T02:15:30.123Z"}`, paid + `,"at":"2026-08-22T02:15:30.123Z"}`, "", ""},
		{"a date that does not exist: counted", `{"trade_state":"SUCCESS","success_time":"2026-02-30T10:15:30+08:00"}`, paid + `}`, "no such date or time", ""},
		{"a time without an offset", `{"trade_state":"SUCCESS","success_time":"2026-08-22T10:15:30"}`, paid + `}`, "no such date or time", ""},
		{"texts lose trailing spaces", `{"trade_state":"SUCCESS ","out_trade_no":"W1  "}`, paid + `,"order_no":"W1"}`, "", ""},
		{"an ask says nothing with a sale", `{"trade_state":"SUCCESS"}`, paid + `}`, "", `"terminal_id":"SM000001","merchant_id":"898000000000001","operator":"01","ask":"a-17"`},
		{"training and copy of the envelope", `{"trade_state":"SUCCESS"}`, paid + `,"training":true,"copy":"reprint","terminal_id":"T2","merchant_id":"M2","operator":"02"}`, "",
			`"terminal_id":"T2","merchant_id":"M2","operator":"02","training":true,"copy":"reprint"`},
	})
}

func TestSmartWeChatRefund(t *testing.T) {
	const back = `{"kind":"refund","outcome":"approved","response_code":"SUCCESS","channel":"wechat"`
	state := func(state, outcome, ignored string) saying {
		return saying{"status " + state, `{"status":"` + state + `"}`,
			`{"kind":"refund","outcome":"` + outcome + `","response_code":"` + state + `","channel":"wechat"}`, ignored, ""}
	}
	account := func(text, scheme string) saying {
		return saying{"user_received_account " + text, `{"status":"SUCCESS","user_received_account":"` + text + `"}`,
			back + `,"party":{"scheme":"` + scheme + `","id":"` + text + `","text":"` + text + `"}}`, "", ""}
	}
	route := func(route, want, ignored string) saying {
		return saying{"channel " + route, `{"status":"SUCCESS","channel":"` + route + `"}`, back + `,"refund_route":"` + want + `"}`, ignored, ""}
	}
	sayAll(t, "wechat.refund", []saying{
		state("SUCCESS", "approved", ""), state("PROCESSING", "pending", ""), state("CLOSED", "closed", ""), state("ABNORMAL", "abnormal", ""),
		state("REFUNDCLOSE", "closed", ""), state("CHANGE", "abnormal", ""), state("HELD", "unknown", "unknown status HELD"),
		{"refund_status where there is no status", `{"refund_status":"CLOSED","status":null}`, `{"kind":"refund","outcome":"closed","response_code":"CLOSED","channel":"wechat"}`, "", ""},
		{"status outranks refund_status", `{"refund_status":"CLOSED","status":"SUCCESS"}`, back + `}`, "", ""},
		{"channel outranks refund_channel", `{"status":"SUCCESS","refund_channel":"BALANCE","channel":"ORIGINAL"}`, back + `,"refund_route":"ORIGINAL"}`, "", ""},
		{"amount outranks refund_fee", `{"status":"SUCCESS","refund_fee":"9","cash_refund_fee":8,"fee_type":"HKD","amount":{"refund":5,"payer_refund":4,"currency":"CNY"}}`, back + `,"amount":5,"payer_amount":4,"currency":"CNY"}`, "", ""},
		{"refund_fee_type before fee_type", `{"status":"SUCCESS","refund_fee":9,"fee_type":"HKD","refund_fee_type":"CNY"}`, back + `,"amount":9,"currency":"CNY"}`, "", ""},
		{"success_time as older notifications have it", `{"status":"SUCCESS","success_time":"2026-08-23 09:00:05"}`, back + `,"at":"2026-08-23T09:00:05+08:00"}`, "", ""},
		{"create_time is RFC 3339 alone", `{"status":"SUCCESS","create_time":"2026-08-23 09:00:05"}`, back + `}`, "no such date or time", ""},
		{"no status", `{}`, `{"kind":"refund","outcome":"unknown","channel":"wechat"}`, "no status", ""},
		account("支付用户零钱", "account_text"), account("招商银行信用卡0403", "account_text"), account("支付用户零钱通", "account_text"),
		account("商户基本账户", "merchant_account"), account("商户结算银行账户", "merchant_account"), account("退回商户", "merchant_account"),
		route("ORIGINAL", "ORIGINAL", ""), route("BALANCE", "BALANCE", ""), route("OTHER_BALANCE", "OTHER_BALANCE", ""), route("OTHER_BANKCARD", "OTHER_BANKCARD", ""),
		route("", "", ""), route("ELSEWHERE", "", "unknown channel ELSEWHERE"),
		{"numbers", `{"status":"SUCCESS","refund_id":"50","out_refund_no":"R1","transaction_id":"4200","out_trade_no":"W1"}`,
			back + `,"channel_refund":"50","refund_no":"R1","original":{"channel_txn":"4200","order_no":"W1"}}`, "", ""},
		{"all-zero members of original are left out", `{"status":"SUCCESS","transaction_id":"0000","out_trade_no":"0"}`, back + `}`, "", ""},
		{"amount.refund, payer_refund", `{"status":"SUCCESS","amount":{"total":1000,"refund":350,"payer_total":1000,"payer_refund":300,"currency":"CNY"}}`,
			back + `,"amount":350,"payer_amount":300,"currency":"CNY"}`, "", ""},
		{"payer_refund 0", `{"status":"SUCCESS","amount":{"refund":350,"payer_refund":0}}`, back + `,"amount":350,"payer_amount":0}`, "", ""},
		{"success_time before create_time", `{"status":"SUCCESS","create_time":"2026-08-23T09:00:00+08:00","success_time":"2026-08-23T09:00:05+08:00"}`, back + `,"at":"2026-08-23T09:00:05+08:00"}`, "", ""},
		{"else create_time", `{"status":"SUCCESS","create_time":"2026-08-23T09:00:00+08:00","success_time":""}`, back + `,"at":"2026-08-23T09:00:00+08:00"}`, "", ""},
		{"else create_time: success_time is no time", `{"status":"SUCCESS","create_time":"2026-08-23T09:00:00+08:00","success_time":"soon"}`, back + `,"at":"2026-08-23T09:00:00+08:00"}`, "no such date or time", ""},
		{"no openid: the object has none", `{"status":"SUCCESS","payer":{"openid":"oA"}}`, back + `}`, "", ""},
		{"the ask of the envelope", `{"status":"SUCCESS"}`, back + `,"ask":"a-17"}`, "", `"terminal_id":"SM000001","merchant_id":"898000000000001","operator":"01","ask":"a-17"`},
	})
}

func TestSmartAlipayTrade(t *testing.T) {
	const paid = `{"kind":"sale","outcome":"approved","response_code":"10000","channel":"alipay"`
	state := func(body, code, outcome, ignored string) saying {
		return saying{body, body, `{"kind":"sale","outcome":"` + outcome + `","response_code":"` + code + `","channel":"alipay"}`, ignored, ""}
	}
	fund := func(list, funding string) saying {
		return saying{"fund_bill_list " + list, `{"code":"10000","fund_bill_list":` + list + `}`, paid + `,"funding":"` + funding + `"}`, "", ""}
	}
	sayAll(t, "alipay.trade", []saying{
		state(`{"code":"10000","trade_status":"TRADE_SUCCESS"}`, "TRADE_SUCCESS", "approved", ""),
		state(`{"trade_status":"TRADE_FINISHED"}`, "TRADE_FINISHED", "approved", ""),
		state(`{"code":"10000","trade_status":"WAIT_BUYER_PAY"}`, "WAIT_BUYER_PAY", "pending", ""),
		state(`{"code":"10000","trade_status":"TRADE_CLOSED"}`, "TRADE_CLOSED", "closed", ""),
		state(`{"code":"40004","trade_status":"TRADE_SUCCESS"}`, "TRADE_SUCCESS", "approved", ""),
		state(`{"code":"10000","trade_status":"TRADE_PENDING"}`, "TRADE_PENDING", "unknown", "unknown trade_status TRADE_PENDING"),
		state(`{"code":"10000","trade_status":""}`, "10000", "approved", ""),
		state(`{"code":"10003"}`, "10003", "pending", ""),
		state(`{"code":"20000"}`, "20000", "unknown", ""),
		state(`{"code":"40004"}`, "40004", "declined", ""),
		state(`{"code":"20001","trade_status":null}`, "20001", "declined", ""),
		state(`{}`, "", "unknown", "no code"),
		{"buyer_user_id strongest, others also", `{"code":"10000","app_id":"2014","buyer_logon_id":"136****1234","buyer_open_id":"0O","buyer_user_id":"2088000000000017"}`,
			paid + `,"party":{"scheme":"alipay_user_id","id":"2088000000000017","also":[{"scheme":"alipay_open_id","namespace":"2014","id":"0O"},{"scheme":"alipay_logon","id":"136****1234"}]}}`, "", ""},
		{"buyer_open_id next", `{"code":"10000","app_id":"2014","buyer_logon_id":"a***@b.c","buyer_open_id":"0O"}`,
			paid + `,"party":{"scheme":"alipay_open_id","namespace":"2014","id":"0O","also":[{"scheme":"alipay_logon","id":"a***@b.c"}]}}`, "", ""},
		{"buyer_logon_id last", `{"code":"10000","app_id":"2014","buyer_logon_id":"a***@b.c"}`, paid + `,"party":{"scheme":"alipay_logon","id":"a***@b.c"}}`, "", ""},
		{"amounts are yuan text", `{"code":"10000","total_amount":"88.8","buyer_pay_amount":"80"}`, paid + `,"amount":8880,"payer_amount":8000}`, "", ""},
		{"paid by coupons alone", `{"code":"10000","total_amount":"1.15","buyer_pay_amount":"0.00"}`, paid + `,"amount":115,"payer_amount":0}`, "", ""},
		fund(`[{"fund_channel":"PCREDIT"},{"fund_channel":"COUPON"}]`, "huabei"), fund(`[{"fundChannel":"ALIPAYACCOUNT"}]`, "balance"),
		fund(`[{"fund_channel":"BANKCARD"},{"fund_channel":"PCREDIT"}]`, "bankcard"), fund(`[{"fundChannel":"MDISCOUNT"}]`, "mdiscount"),
		fund(`"[{\"fundChannel\":\"PCREDIT\"}]"`, "huabei"), fund(`[]`, ""), fund(`""`, ""),
		{"gmt_payment, +08:00", `{"code":"10000","gmt_payment":"2026-08-22 10:15:30","send_pay_date":"2026-08-22 10:15:31"}`, paid + `,"at":"2026-08-22T10:15:30+08:00"}`, "", ""},
		{"else send_pay_date", `{"code":"10000","send_pay_date":"2026-08-22 10:15:31"}`, paid + `,"at":"2026-08-22T10:15:31+08:00"}`, "", ""},
		{"with a fraction", `{"code":"10000","gmt_payment":"2026-08-22 10:15:30.320"}`, paid + `,"at":"2026-08-22T10:15:30.32+08:00"}`, "", ""},
		{"no such date", `{"code":"10000","gmt_payment":"2026-02-29 10:15:30"}`, paid + `}`, "no such date or time", ""},
		{"a date without a time of day", `{"code":"10000","gmt_payment":"2026-08-22"}`, paid + `}`, "no such date or time", ""},
		{"trans_currency", `{"code":"10000","trans_currency":"HKD","pay_currency":"USD"}`, paid + `,"currency":"HKD"}`, "", ""},
		{"the wrapper is opened", `{"alipay_trade_query_response":{"code":"10000","trade_no":"T1","out_trade_no":"A1","total_amount":"1.10"},"sign":"x"}`, paid + `,"channel_txn":"T1","order_no":"A1","amount":110}`, "", ""},
		{"the object's own terminal is another thing", `{"code":"10000","terminal_id":"NJ_T_001","store_id":"NJ"}`, paid + `}`, "", ""},
	})
}

func TestSmartAlipayRefund(t *testing.T) {
	const back = `{"kind":"refund","outcome":"approved","response_code":"10000","channel":"alipay"`
	sayAll(t, "alipay.refund", []saying{
		{"code 10000 approved", `{"code":"10000","fund_change":"Y"}`, back + `}`, "", ""},
		{"code absent approved", `{"fund_change":"Y"}`, `{"kind":"refund","outcome":"approved","channel":"alipay"}`, "", ""},
		{"code null approved", `{"code":null,"fund_change":"Y"}`, `{"kind":"refund","outcome":"approved","channel":"alipay"}`, "", ""},
		{"approved, and nothing of a refund: none", `{"code":"10000","trade_no":"T1","buyer_user_id":"2088000000000017"}`, "", "", ""},
		{"the same without a code", `{"trade_no":"T1","refund_status":"","refund_detail_item_list":[]}`, "", "", ""},
		{"SYSTEM_ERROR unknown, whatever stands before it", `{"code":"40004","sub_code":"ACQ.SYSTEM_ERROR"}`, `{"kind":"refund","outcome":"unknown","response_code":"40004","channel":"alipay"}`, "", ""},
		{"SYSTEM_ERROR as the code", `{"code":"SYSTEM_ERROR"}`, `{"kind":"refund","outcome":"unknown","response_code":"SYSTEM_ERROR","channel":"alipay"}`, "", ""},
		{"refund_status outranks code", `{"code":"20000","refund_status":"REFUND_FAIL"}`, `{"kind":"refund","outcome":"abnormal","response_code":"REFUND_FAIL","channel":"alipay"}`, "", ""},
		{"no out_request_no: out_trade_no", `{"code":"10000","fund_change":"Y","out_trade_no":"A1"}`, back + `,"refund_no":"A1","original":{"order_no":"A1"}}`, "", ""},
		{"dback_status F", `{"code":"10000","fund_change":"Y","deposit_back_info":{"dback_status":"F"}}`, back + `,"refund_route":"BALANCE"}`, "", ""},
		{"dback_status S", `{"code":"10000","fund_change":"Y","deposit_back_info":{"dback_status":"S"}}`, back + `}`, "", ""},
		{"code 20000 unknown", `{"code":"20000"}`, `{"kind":"refund","outcome":"unknown","response_code":"20000","channel":"alipay"}`, "", ""},
		{"code 10003 pending", `{"code":"10003"}`, `{"kind":"refund","outcome":"pending","response_code":"10003","channel":"alipay"}`, "", ""},
		{"others declined", `{"code":"40004"}`, `{"kind":"refund","outcome":"declined","response_code":"40004","channel":"alipay"}`, "", ""},
		{"fund_change N of a refund not known yet: copy dump, the amount of refund_fee", `{"code":"10000","fund_change":"N","refund_fee":"20.00"}`, back + `,"copy":"dump","amount":2000}`, "", ""},
		{"fund_change N, amount stated", `{"code":"10000","fund_change":"N","refund_amount":"10.00","refund_fee":"20.00"}`, back + `,"copy":"dump","amount":1000}`, "", ""},
		{"fund_change Y", `{"code":"10000","fund_change":"Y","refund_amount":"10.00"}`, back + `,"amount":1000}`, "", ""},
		{"numbers", `{"code":"10000","fund_change":"Y","out_request_no":"AR1","trade_no":"T1","out_trade_no":"A1"}`, back + `,"refund_no":"AR1","original":{"channel_txn":"T1","order_no":"A1"}}`, "", ""},
		{"out_request_no beside the wrapper", `{"out_request_no":"AR1","app_id":"2014","alipay_trade_refund_response":{"code":"10000","fund_change":"Y","trade_no":"T1","buyer_open_id":"0O"}}`,
			back + `,"refund_no":"AR1","original":{"channel_txn":"T1"},"party":{"scheme":"alipay_open_id","namespace":"2014","id":"0O"}}`, "", ""},
		{"buyer as in alipay.trade", `{"code":"10000","fund_change":"Y","buyer_logon_id":"a***@b.c","buyer_user_id":"2088000000000017"}`,
			back + `,"party":{"scheme":"alipay_user_id","id":"2088000000000017","also":[{"scheme":"alipay_logon","id":"a***@b.c"}]}}`, "", ""},
		{"gmt_refund_pay, refund_currency", `{"code":"10000","gmt_refund_pay":"2026-08-23 09:00:05","refund_currency":"HKD"}`, back + `,"at":"2026-08-23T09:00:05+08:00","currency":"HKD"}`, "", ""},
		{"refund_amount before the details before refund_fee", `{"code":"10000","refund_amount":"1.00","refund_fee":"3.00","refund_detail_item_list":[{"amount":"2.00"}]}`, back + `,"amount":100}`, "", ""},
		{"sum of the details before refund_fee", `{"code":"10000","refund_fee":"9.00","refund_detail_item_list":[{"amount":"2.00"},{"amount":"0.5"}]}`, back + `,"amount":250}`, "", ""},
		{"an empty list says nothing", `{"code":"10000","refund_fee":"9.00","refund_detail_item_list":[]}`, back + `,"amount":900}`, "", ""},
		{"refund_fee of no earlier refund", `{"code":"10000","trade_no":"T1","refund_fee":"9.00"}`, back + `,"amount":900,"original":{"channel_txn":"T1"}}`, "", ""},
	})
}

// refund_fee is cumulative: what earlier refunds of the trade carried is taken off.
func TestSmartRefundFeeMinusEarlierRefunds(t *testing.T) {
	type step struct {
		body   string // after trade_no
		amount string // "": absent
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"one after the other", []step{{`"out_request_no":"1","refund_fee":"10.00"`, "1000"}, {`"out_request_no":"2","refund_fee":"16.00"`, "600"}, {`"out_request_no":"3","refund_fee":"16.01"`, "1"}}},
		{"stated amounts count", []step{{`"out_request_no":"1","refund_amount":"10.00"`, "1000"}, {`"out_request_no":"2","refund_detail_item_list":[{"amount":"5"},{"amount":"1"}]`, "600"}, {`"out_request_no":"3","refund_fee":"20.00"`, "400"}}},
		{"without a number it is that of the order", []step{{`"refund_fee":"10.00"`, "1000"}, {`"refund_fee":"16.00"`, ""}, {`"out_request_no":"A1","refund_fee":"10.00"`, ""},
			{`"out_request_no":"2","refund_fee":"14.00"`, "400"}}},
		{"declined carries nothing", []step{{`"code":"40004","out_request_no":"1","refund_amount":"10.00"`, "1000"}, {`"out_request_no":"2","refund_fee":"6.00"`, "600"}}},
		{"unknown carries", []step{{`"code":"20000","out_request_no":"1","refund_amount":"10.00"`, "1000"}, {`"out_request_no":"2","refund_fee":"16.00"`, "600"}}},
		{"copies carry nothing", []step{{`"out_request_no":"1","refund_amount":"10.00"`, "1000"}, {`"out_request_no":"1","fund_change":"N","refund_amount":"10.00"`, "1000"},
			{`"out_request_no":"1","fund_change":"N","refund_fee":"10.00"`, ""}, {`"out_request_no":"2","refund_fee":"16.00"`, "600"}}},
		{"the same refund again is no earlier one", []step{{`"code":"20000","out_request_no":"1","refund_fee":"10.00"`, "1000"}, {`"out_request_no":"1","refund_fee":"10.00"`, ""},
			{`"out_request_no":"2","refund_fee":"16.00"`, "600"}, {`"out_request_no":"1","refund_fee":"16.00"`, ""}, {`"out_request_no":"3","refund_fee":"20.00"`, "400"}}},
		{"out of order", []step{{`"out_request_no":"2","refund_fee":"20.00"`, "2000"}, {`"out_request_no":"1","refund_fee":"10.00"`, "-1000"}, {`"out_request_no":"3","refund_fee":"30.00"`, "1000"}}},
		{"a lost one has no amount", []step{{`"code":"20000","out_request_no":"1"`, ""}, {`"out_request_no":"2","refund_fee":"10.00"`, ""}, {`"out_request_no":"1","fund_change":"N","refund_amount":"4.00"`, "400"},
			{`"out_request_no":"2","fund_change":"N","refund_fee":"10.00"`, "600"}, {`"out_request_no":"3","refund_fee":"11.00"`, "100"}}},
		{"pending carries until it fails", []step{{`"out_request_no":"1","refund_status":"REFUND_PROCESSING","refund_amount":"4.00"`, "400"}, {`"out_request_no":"2","refund_fee":"5.00"`, "100"},
			{`"out_request_no":"1","refund_status":"REFUND_FAIL"`, ""}, {`"out_request_no":"3","refund_fee":"3.00"`, "200"}}},
		{"what was approved stays approved", []step{{`"out_request_no":"1","refund_amount":"4.00"`, "400"}, {`"code":"20000","out_request_no":"1"`, ""}, {`"code":"40004","out_request_no":"1"`, ""},
			{`"out_request_no":"2","refund_fee":"5.00"`, "100"}}},
		{"a second try", []step{{`"code":"40004","out_request_no":"1","refund_amount":"4.00"`, "400"}, {`"out_request_no":"1","refund_fee":"5.00"`, "500"}, {`"out_request_no":"1","fund_change":"N","refund_fee":"5.00"`, ""},
			{`"out_request_no":"2","refund_fee":"6.00"`, "100"}}},
		{"a query that knows of none ends a lost one", []step{{`"code":"20000","out_request_no":"1"`, ""}, {`"out_request_no":"1"`, ""}, {`"out_request_no":"2","refund_fee":"6.00"`, "600"}}},
		{"nothing more", []step{{`"out_request_no":"2","refund_fee":"20.00"`, "2000"}, {`"out_request_no":"1","refund_fee":"20.00"`, "0"}}},
	} {
		memory := newSmartMemory()
		id := 0
		for i, s := range c.steps {
			id++
			w := smartWire(t, memory) // restarted between all of them
			w.id = id - 1
			code := `"code":"10000",`
			if strings.Contains(s.body, `"code"`) {
				code = ""
			}
			other, _ := w.record("alipay.refund", `{`+code+`"trade_no":"OTHER`+fmt.Sprint(i)+`","out_request_no":"1","refund_fee":"1.00"}`)
			if other == nil || other.Amount != 100 {
				t.Errorf("%s: another trade: %v", c.name, other)
			}
			r, _ := w.record("alipay.refund", `{`+code+`"trade_no":"T1","out_trade_no":"A1",`+s.body+`}`)
			id = w.id
			if r == nil {
				continue
			}
			if got := fmt.Sprint(r.Amount); r.HasAmount != (s.amount != "") || r.HasAmount && got != s.amount {
				t.Errorf("%s, refund %d: got %s (%t), want %s", c.name, i+1, got, r.HasAmount, s.amount)
			}
		}
		for key, value := range memory.values {
			if memory.expires[key].Sub(smartClock.Now) != 540*24*time.Hour || strings.Contains(key+string(value), "T1") {
				t.Errorf("%s=%s expires %v", key, value, memory.expires[key])
			}
		}
	}
	// By the order's number where the trade has none.
	w := smartWire(t, nil)
	w.send("alipay.refund", `{"out_trade_no":"A1","out_request_no":"1","refund_fee":"10.00"}`)
	if r, _ := w.record("alipay.refund", `{"out_trade_no":"A1","out_request_no":"2","refund_fee":"15.00"}`); r == nil || r.Amount != 500 {
		t.Errorf("got %v", r)
	}
	// Very many refunds of one trade are still added up.
	w = smartWire(t, nil)
	for i := 1; i <= 250; i++ {
		r, _ := w.record("alipay.refund", fmt.Sprintf(`{"trade_no":"T1","out_request_no":"%d","refund_fee":"%d.00"}`, i, 3*i))
		if r == nil || r.Amount != 300 {
			t.Fatalf("refund %d: got %v", i, r)
		}
	}
	// Refunds without any number of their own or of the order are each another one.
	w = smartWire(t, nil)
	for i, want := range []int64{500, 100, 200} {
		r, _ := w.record("alipay.refund", fmt.Sprintf(`{"trade_no":"T1","refund_fee":"%d.00"}`, []int{5, 6, 8}[i]))
		if r == nil || r.Amount != want {
			t.Errorf("refund %d: got %v", i, r)
		}
	}
	// What was tried in training is no part of the trade; another merchant has another trade.
	w = smartWire(t, nil)
	for _, head := range []string{`"merchant_id":"M1"`, `"merchant_id":"M1","training":true`, `"merchant_id":"M2"`} {
		r, _ := w.record("alipay.refund", `{"out_trade_no":"A1","out_request_no":"1","refund_fee":"5.00"}`, head)
		if r == nil || r.Amount != 500 {
			t.Errorf("%s: got %v", head, r)
		}
	}
}

func TestSmartUnionPayQR(t *testing.T) {
	kind := func(code, kind, numbers string) saying {
		return saying{"txnType " + code, `{"txnType":"` + code + `","respCode":"00","orderId":"U1","queryId":"Q1"}`,
			`{"kind":"` + kind + `","outcome":"approved","response_code":"00","channel":"unionpay_qr",` + numbers + `}`, "", ""}
	}
	code := func(code, outcome, ignored string) saying {
		return saying{"respCode " + code, `{"txnType":"01","respCode":"` + code + `"}`,
			`{"kind":"sale","outcome":"` + outcome + `","response_code":"` + code + `","channel":"unionpay_qr"}`, ignored, ""}
	}
	const paid = `{"kind":"sale","outcome":"approved","response_code":"00","channel":"unionpay_qr"`
	more := func(name, members, want, ignored string) saying {
		return saying{name, `{"txnType":"01","respCode":"00",` + members + `}`, paid + want + `}`, ignored, ""}
	}
	sayAll(t, "unionpay.qr", []saying{
		kind("01", "sale", `"order_no":"U1","channel_txn":"Q1"`),
		kind("31", "void", `"refund_no":"U1","channel_refund":"Q1"`),
		kind("04", "refund", `"refund_no":"U1","channel_refund":"Q1"`),
		{"an unknown txnType is ignored and counted", `{"txnType":"00","respCode":"00"}`, "", "", ""},
		code("00", "approved", ""), code("03", "pending", ""), code("04", "pending", ""), code("05", "pending", ""), code("51", "declined", ""), code("A6", "approved", ""),
		{"origRespCode is the outcome", `{"txnType":"01","respCode":"00","origRespCode":"51"}`, `{"kind":"sale","outcome":"declined","response_code":"51","channel":"unionpay_qr"}`, "", ""},
		more("accNo encrypted", `"accNo":"`+strings.Repeat("a1/+", 10)+`="`, ``, ""),
		more("accNo of 40 characters", `"accNo":"`+strings.Repeat("a1/+", 10)+`"`, `,"party":{"scheme":"unionpay_token","id":"`+strings.Repeat("a1/+", 10)+`"}`, ""),
		more("very many digits are no number", `"accNo":"`+strings.Repeat("1", 41)+`"`, ``, ""),
		{"no respCode", `{"txnType":"01"}`, `{"kind":"sale","outcome":"unknown","channel":"unionpay_qr"}`, "no respCode", ""},
		{"origQryId", `{"txnType":"04","respCode":"00","origQryId":"Q0"}`, `{"kind":"refund","outcome":"approved","response_code":"00","channel":"unionpay_qr","original":{"channel_txn":"Q0"}}`, "", ""},
		{"origQryId of zeros", `{"txnType":"04","respCode":"00","origQryId":"000"}`, `{"kind":"refund","outcome":"approved","response_code":"00","channel":"unionpay_qr"}`, "", ""},
		more("accNo with a star", `"accNo":"6200****0005"`, `,"party":{"scheme":"pan_masked","id":"6200****0005"}`, ""),
		more("accNo all digits", `"accNo":"6200000000000005"`, `,"party":{"scheme":"pan","id":"6200000000000005"}`, ""),
		more("accNo anything else", `"accNo":"tokenTEST0001abcd"`, `,"party":{"scheme":"unionpay_token","id":"tokenTEST0001abcd"}`, ""),
		more("accNo with a star and letters", `"accNo":"tok*en"`, `,"party":{"scheme":"pan_masked","id":"tok*en"}`, ""),
		more("txnAmt in fen, digits as text", `"txnAmt":"000000001000"`, `,"amount":1000`, ""),
		more("currencyCode as F49", `"currencyCode":"344"`, `,"currency":"HKD"`, ""),
		more("currencyCode in no list: empty, counted", `"currencyCode":"000"`, ``, "a currency that is in no list"),
		more("no currencyCode", `"currencyCode":""`, ``, ""),
		more("txnTime", `"txnTime":"20260822101530"`, `,"at":"2026-08-22T10:15:30+08:00"`, ""),
		more("txnTime that is none", `"txnTime":"20260822"`, ``, "no such date or time"),
		more("txnTime that does not exist", `"txnTime":"20260230101530"`, ``, "no such date or time"),
	})
}

func TestSmartLakala(t *testing.T) {
	kind := func(code, kind, order string) saying {
		return saying{"proc_cd " + code, `{"proc_cd":"` + code + `","pay_tp":"0","order_no":"L1"}`,
			`{"kind":"` + kind + `","outcome":"unknown","channel":"card","currency":"CNY","` + order + `":"L1"}`, "", ""}
	}
	pay := func(code, channel string) saying {
		return saying{"pay_tp " + code, `{"proc_cd":"660000","pay_tp":"` + code + `"}`, `{"kind":"sale","outcome":"unknown","currency":"CNY","channel":"` + channel + `"}`, "", ""}
	}
	result := func(result, outcome, ignored string) saying {
		return saying{"result " + result, `{"proc_cd":"000000","result":"` + result + `"}`, `{"kind":"sale","outcome":"` + outcome + `","currency":"CNY"}`, ignored, ""}
	}
	const sale = `{"kind":"sale","outcome":"unknown","currency":"CNY"`
	more := func(name, members, want, ignored string) saying {
		return saying{name, `{"proc_cd":"000000",` + members + `}`, sale + want + `}`, ignored, ""}
	}
	sayAll(t, "lakala.card", []saying{
		kind("000000", "sale", "order_no"), kind("200000", "void", "refund_no"), kind("500000", "refund", "refund_no"),
		kind("660000", "sale", "order_no"), kind("680000", "void", "refund_no"), kind("300000", "preauth", "order_no"),
		kind("330000", "completion", "order_no"), kind("400000", "preauth_void", "order_no"), kind("440000", "completion_void", "order_no"),
		{"an unknown proc_cd is ignored and counted", `{"proc_cd":"700000"}`, "", "", ""},
		{"a settlement has no channel or party", `{"proc_cd":"900000","pay_tp":"0","result":"ok","txndetail":{"batchno":"000007","priaccount":"6200000000000005"}}`, `{"kind":"settlement","outcome":"approved","currency":"CNY","batch":"000007"}`, "", ""},
		pay("0", "card"), pay("11", "wechat"), pay("12", "alipay"), pay("13", "unionpay_qr"), pay("1", ""), pay("", ""), pay("99", ""),
		result("ok", "approved", ""), result("cancel", "declined", ""), result("fail", "declined", ""), result("", "unknown", ""), result("maybe", "unknown", "unknown result maybe"),
		more("amt is yuan text", `"amt":"100.01"`, `,"amount":10001`, ""),
		more("time_stamp", `"time_stamp":"20260822101530"`, `,"at":"2026-08-22T10:15:30+08:00"`, ""),
		more("time_stamp that is none", `"time_stamp":"20260822251530"`, ``, "no such date or time"),
		more("txndetail an object", `"txndetail":{"batchno":"000007","systraceno":"000101","authcode":"123456","refernumber":"260822000101","expdate":"3012"}`,
			`,"batch":"000007","stan":"000101","auth_code":"123456","rrn":"260822000101"`, ""),
		more("txndetail the same as a string", `"txndetail":"{\"batchno\":\"000007\",\"systraceno\":\"000101\"}"`, `,"batch":"000007","stan":"000101"`, ""),
		more("the envelope's terminal and merchant before termid, merid", `"txndetail":{"termid":"1","merid":"2"}`, ``, ""),
		{"termid, merid where the envelope has none", `{"proc_cd":"000000","txndetail":{"termid":"1","merid":"2"}}`, sale + `,"terminal_id":"1","merchant_id":"2","operator":"01"}`, "", `"terminal_id":"","operator":"01"`},
		more("priaccount a number", `"txndetail":{"priaccount":"6200000000000005"}`, `,"party":{"scheme":"pan","id":"6200000000000005"}`, ""),
		more("priaccount masked", `"txndetail":{"priaccount":"620000******0005"}`, `,"party":{"scheme":"pan_masked","id":"620000******0005"}`, ""),
		more("priaccount neither", `"txndetail":{"priaccount":"某人"}`, `,"party":{"scheme":"account_text","id":"某人","text":"某人"}`, ""),
		more("sysoldreferno, sysoldtraceno, sysolddate", `"sysoldreferno":"260822000100","sysoldtraceno":"000101","sysolddate":"0822"`, `,"original":{"rrn":"260822000100","stan":"000101","date":"0822"}`, ""),
		more("sysolddate with a year", `"sysolddate":"20260822"`, `,"original":{"date":"2026-08-22"}`, ""),
		more("all zeros", `"sysoldreferno":"000000000000","sysoldtraceno":"000000","sysolddate":"00000000"`, ``, ""),
		more("no response_code", `"reason":"X","response_code":"00"`, ``, ""),
	})
}

func TestSmartRecord(t *testing.T) {
	const sale = `{"v":1,"kind":"sale","outcome":"approved"`
	const got = `{"kind":"sale","outcome":"approved"`
	sayAll(t, "record", []saying{
		{"members the body lacks come from the envelope", sale + `}`, got + `,"training":true,"copy":"dump","terminal_id":"T","merchant_id":"M","operator":"O"}`, "", `"terminal_id":"T","merchant_id":"M","operator":"O","training":true,"copy":"dump"`},
		{"the body's own come first", sale + `,"terminal_id":"t","merchant_id":"m","operator":"o","training":true,"copy":"upload"}`, got + `,"training":true,"copy":"upload","terminal_id":"t","merchant_id":"m","operator":"o"}`, "",
			`"terminal_id":"T","merchant_id":"M","operator":"O","training":false,"copy":"dump"`},
		{"training false in the body is stated", sale + `,"training":false}`, got + `,"terminal_id":"T"}`, "", `"terminal_id":"T","training":true`},
		{"training null is not", sale + `,"training":null}`, got + `,"terminal_id":"T","training":true}`, "", `"terminal_id":"T","training":true`},
		{"empty values count as absent", sale + `,"terminal_id":"","operator":"  ","copy":"","amount":null,"party":null,"original":"","merchant_id":null}`, got + `,"copy":"dump","terminal_id":"T","merchant_id":"M","operator":"O"}`, "", `"terminal_id":"T","merchant_id":"M","operator":"O","copy":"dump"`},
		{"unknown members are skipped", sale + `,"x":{"y":[1.5]},"party":{"scheme":"pan","id":"6200000000000005","z":null}}`, got + `,"party":{"scheme":"pan","id":"6200000000000005"}}`, "", ""},
		{"none and unknown say nothing", sale + `,"channel":"unknown","entry":"none","party":{"scheme":"none"}}`, got + `}`, "", ""},
		{"all-zero members of original are left out", sale + `,"original":{"stan":"000000","batch":"0","date":"0000-00-00","rrn":"260822000101","auth_code":"000000","order_no":"0","channel_txn":"00","terminal_id":"0"}}`, got + `,"original":{"rrn":"260822000101"}}`, "", ""},
		{"RMB is read as CNY", sale + `,"currency":"RMB"}`, got + `,"currency":"CNY"}`, "", ""},
		{"its own ask before that of the envelope", `{"v":1,"kind":"void","outcome":"approved","ask":"a-1"}`, `{"kind":"void","outcome":"approved","ask":"a-1"}`, "", `"ask":"a-2"`},
		{"the ask of the envelope", `{"v":1,"kind":"void","outcome":"approved"}`, `{"kind":"void","outcome":"approved","ask":"a-2"}`, "", `"ask":"a-2"`},
		{"channel and schemes of other ways to pay", sale + `,"channel":"ecny","party":{"scheme":"ecny_wallet","id":"0022","also":[{"scheme":"account","id":"A1"}]}}`,
			got + `,"channel":"ecny","party":{"scheme":"ecny_wallet","id":"0022","also":[{"scheme":"account","id":"A1"}]}}`, "", ""},
		{"at", sale + `,"at":"2026-08-22T10:15:30+08:00"}`, got + `,"at":"2026-08-22T10:15:30+08:00"}`, "", ""},
		{"at that is no time", sale + `,"at":"2026-02-30T10:15:30+08:00"}`, got + `}`, "no such date or time", ""},
		{"a settlement has no channel, entry or party", `{"v":1,"kind":"settlement","outcome":"approved","channel":"card","entry":"chip","party":{"scheme":"pan","id":"6200000000000005"},"totals":{"debit_amount":1,"debit_count":2,"credit_amount":3,"credit_count":4}}`,
			`{"kind":"settlement","outcome":"approved","totals":{"debit_amount":1,"debit_count":2,"credit_amount":3,"credit_count":4}}`, "", ""},
		{"a journal", `{"v":1,"kind":"journal","journal":{"from":"2026-08-01T00:00:00+08:00","terminals":["SM000001"]}}`, `{"kind":"journal","journal":{"from":"2026-08-01T00:00:00+08:00","terminals":["SM000001"]}}`, "", ""},
		{"payer_amount 0", sale + `,"amount":5,"payer_amount":0}`, got + `,"amount":5,"payer_amount":0}`, "", ""},
	})
	w := smartWire(t, nil)
	if r, _ := w.record("record", `{"v":1,"kind":"journal","journal":{"from":"2026-08-01T00:00:00+08:00"}}`); r == nil || r.At != "" {
		t.Errorf("a journal gets a time: %v", r)
	}
}

func TestSmartRefusedMessagesAreConfirmedAndSayWhere(t *testing.T) {
	for in, want := range map[string]string{
		`{"v":1,`: "offset 7: got the end of the text",
		`{"v":1,"id":"1","src":"record","body":{"v":1,"kind":"buy","outcome":"approved"}}`:                                                 "field body.kind, offset 52: got another word",
		`{"v":1,"id":"1","src":"record","body":{"v":1,"kind":"sale","outcome":"approved","amount":1.5}}`:                                   "field body.amount, offset 89: got a number with a fraction",
		`{"v":1,"id":"1","src":"record","body":{"kind":"sale","outcome":"approved"}}`:                                                      "field body.v,",
		`{"v":1,"id":"1","src":"record","body":{"v":1,"kind":"refund","outcome":"approved","ask":{"id":"a"}}}`:                             "field body.ask,",
		`{"v":1,"id":"1","src":"record","body":{"v":1,"kind":"sale"}}`:                                                                     "field body.outcome,",
		`{"v":1,"id":"1","src":"record","body":{"v":1,"kind":"sale","outcome":null}}`:                                                      "field body.outcome,",
		`{"v":1,"id":"1","src":"record","body":[]}`:                                                                                        "field body, offset 38: got a list",
		`{"v":1,"id":"1","src":"record"}`:                                                                                                  "field body",
		`{"v":1,"id":"1","src":"record","body":{"v":1,"kind":"sale","outcome":"approved","party":{"scheme":"pan","id":6200000000000005}}}`: "field body.party.id, offset 109: got a number",
		`{"v":1,"id":"1","src":"wechat.transaction","body":{"amount":{"total":"100"}}}`:                                                    "field body.amount.total, offset 69: got a string",
		`{"v":1,"id":"1","src":"alipay.trade","body":{"total_amount":"1.005"}}`:                                                            "field body.total_amount, offset 60: got more than two places",
		`{"v":1,"id":"1","src":"lakala.card","body":{"proc_cd":"000000","txndetail":"{\"priaccount\":6200000000000005}"}}`:                 "field body.txndetail.priaccount, offset 75: got a number",
		`{"v":1,"id":"1","src":"unionpay.qr","body":{"txnType":"01","txnAmt":100}}`:                                                        "field body.txnAmt, offset 68: got a number",
		"{\"v\":1,\"id\":\"1\",\"src\":\"record\",\"operator\":\"\xc3\",\"body\":{}}":                                                      "field operator, offset 43: got bytes that are no UTF-8",
		`{"v":1,"id":"1","src":"wechat.refund","body":{"status":"SUCCESS","status":"CLOSED"}}`:                                             "field body.status, offset 65: got it a second time",
	} {
		c := smartWire(t, nil)
		s, err := c.data(in)
		if !errors.Is(err, smart.ErrMalformed) || len(s.Records)+len(s.Memory) > 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "6200000000000005") {
			t.Errorf("%s: the error holds a card number", in)
		}
	}
}

func TestSmartControlFrames(t *testing.T) {
	c := smartWire(t, nil)
	for _, f := range []struct {
		name      string
		frame     frame.Frame
		immediate []byte
		reply     []byte
		ignored   string
	}{
		{"each handshake gets a confirm frame of its own", frame.Frame{Type: 1}, confirmOf(0), nil, ""},
		{"a handshake with an ID confirms no data frame", frame.Frame{Type: 1, ID: 7, Ack: 3, Data: []byte("x")}, confirmOf(0), nil, ""},
		{"a confirm", frame.Frame{Type: 2, Ack: 9}, nil, nil, ""},
		{"an empty data frame: ignored and counted, confirmed", frame.Frame{ID: 5}, nil, confirmOf(5), "left out empty"},
		{"the published empty data frame", frame.Frame{}, nil, confirmOf(0), "data frame with id 0; left out empty"},
		{"an unknown TYPE: counted, not confirmed", frame.Frame{Type: 3, ID: 5, Data: []byte(`{"v":1,"id":"q","src":"record","body":{"v":1,"kind":"sale","outcome":"approved"}}`)}, nil, nil, "frame of an unknown type"},
		{"TYPE FF", frame.Frame{Type: 0xFF}, nil, nil, "frame of an unknown type"},
		{"an unknown src: counted, confirmed", frame.Frame{ID: 6, Data: []byte(`{"v":1,"id":"1","src":"jd.trade","body":{"a":1}}`)}, nil, confirmOf(6), "left out src jd.trade"},
		{"the guard's messages are passed over in silence", frame.Frame{ID: 8, Data: []byte(`{"v":1,"id":"1","src":"guard.ask","body":{"kind":"refund","ask":{"id":"a"}}}`)}, confirmOf(8), nil, ""},
		{"an unknown src without a body", frame.Frame{ID: 255, Data: []byte(`{"v":1,"src":"12345678901234567890"}`)}, nil, confirmOf(255), "left out src 12345678901234567890"},
		{"an src that is a card number", frame.Frame{ID: 7, Data: []byte(`{"v":1,"src":"6200000000000005"}`)}, nil, confirmOf(7), "left out src 620000******0005"},
	} {
		s, err := c.frame(f.frame)
		for _, l := range s.LeftOut {
			s.Ignored = strings.TrimPrefix(s.Ignored+"; left out "+string(l), "; ")
		}
		if err != nil || !bytes.Equal(s.Immediate, f.immediate) || !bytes.Equal(s.Reply, f.reply) || s.Ignored != f.ignored || len(s.Records)+len(s.Memory) > 0 {
			t.Errorf("%s: %x, %x, %q, %d records, %v", f.name, s.Immediate, s.Reply, s.Ignored, len(s.Records), err)
		}
	}
	if hex.EncodeToString(confirmOf(0)) != "55aa020000000002cc33" {
		t.Error("not the published confirm")
	}
	// What a data frame with ID 0 says is taken: it is confirmed.
	s, err := c.frame(frame.Frame{Data: []byte(`{"v":1,"id":"z","src":"record","body":{"v":1,"kind":"sale","outcome":"approved"}}`)})
	if err != nil || len(s.Records) != 1 || s.Ignored != "data frame with id 0" || !bytes.Equal(s.Reply, confirmOf(0)) {
		t.Errorf("%d records, %q, %x, %v", len(s.Records), s.Ignored, s.Reply, err)
	}
	if s, next := c.wire.Due(smartClock); len(s.Records) > 0 || !next.IsZero() {
		t.Error("something is due")
	}
	if s := c.wire.End(smartClock); len(s.Records) > 0 {
		t.Error("something comes at the end")
	}
}

// A message whose (terminal_id, id) was already made into records makes none again.
func TestSmartRepeats(t *testing.T) {
	const rec = `"src":"record","body":{"v":1,"kind":"sale","outcome":"approved","terminal_id":"%s"}}`
	message := func(head, terminal string) string { return `{"v":1,` + head + fmt.Sprintf(rec, terminal) }
	for _, c := range []struct {
		name, first, second string
		again               bool
	}{
		{"the same", message(`"id":"1","terminal_id":"A",`, ""), message(`"id":"1","terminal_id":"A",`, ""), true},
		{"with other content", message(`"id":"1","terminal_id":"A",`, ""), message(`"id":"1","terminal_id":"A",`, "x"), true},
		{"even content that would be refused", message(`"id":"1","terminal_id":"A",`, ""), `{"v":1,"id":"1","terminal_id":"A","src":"record","body":[]}`, true},
		{"another id", message(`"id":"1","terminal_id":"A",`, ""), message(`"id":"2","terminal_id":"A",`, ""), false},
		{"another terminal", message(`"id":"1","terminal_id":"A",`, ""), message(`"id":"1","terminal_id":"B",`, ""), false},
		{"id and terminal do not run together", message(`"id":"12","terminal_id":"A1",`, ""), message(`"id":"2","terminal_id":"A11",`, ""), false},
		{"no terminal", message(`"id":"1",`, ""), message(`"id":"1",`, ""), true},
		{"the terminal in the body alone", message(`"id":"1",`, "A"), message(`"id":"1",`, "B"), false},
		{"no id: the same bytes", message(`"terminal_id":"A",`, ""), message(`"terminal_id":"A",`, ""), true},
		{"no id: other bytes", message(`"terminal_id":"A",`, ""), message(`"terminal_id":"A",`, "x"), false},
		{"ids lose trailing spaces", message(`"id":"1 ","terminal_id":"A",`, ""), message(`"id":"1","terminal_id":"A",`, ""), true},
		{"a refused one is not remembered", `{"v":1,"id":"1","terminal_id":"A","src":"record","body":{"v":1}}`, message(`"id":"1","terminal_id":"A",`, ""), false},
		{"one that made no record is not remembered", `{"v":1,"id":"1","terminal_id":"A","src":"jd","body":{}}`, message(`"id":"1","terminal_id":"A",`, ""), false},
	} {
		for _, sealed := range []bool{false, true} {
			memory := newSmartMemory()
			made := 0
			for i, m := range []string{c.first, c.second} {
				w := smartRestarted(t, memory, sealed)
				before := made
				s, err := w.data(m)
				made += len(s.Records)
				if i == 1 && c.again && (err != nil || made != before || len(s.Memory) > 0 || s.Ignored != "" || fmt.Sprint(s.LeftOut) != "[repeat]") {
					t.Errorf("%s: a repeat makes %d records, %q, %v", c.name, made-before, s.Ignored, err)
				}
				if i == 1 && !c.again && made != before+1 {
					t.Errorf("%s: no record", c.name)
				}
			}
		}
	}
}

func smartRestarted(t *testing.T, m ingest.Memory, sealed bool) *smartTalk {
	t.Helper()
	p, err := ingest.DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	var options []ingest.WireOption
	if sealed {
		options = append(options, ingest.WithTokenizer(hmacTokens{[]byte("key")}))
	}
	w, err := ingest.NewWire("smart", p, m, options...)
	if err != nil {
		t.Fatal(err)
	}
	return &smartTalk{t: t, wire: w}
}

// A message without an id may hold card data: what is remembered of it is keyed.
func TestSmartRemembersBytesAsTokensOnly(t *testing.T) {
	const m = `{"v":1,"src":"record","terminal_id":"A","body":{"v":1,"kind":"sale","outcome":"approved","party":{"scheme":"pan","id":"6200000000000005"}}}`
	s, err := smartRestarted(t, nil, true).data(m)
	if err != nil || len(s.Memory) != 1 {
		t.Fatalf("%+v, %v", s.Memory, err)
	}
	if want := "message " + (hmacTokens{[]byte("key")}).Tokens("smart message", m)[0]; s.Memory[0].Key != want {
		t.Errorf("got %s, want %s", s.Memory[0].Key, want)
	}
}

// Memory loaded again before any frame makes the same records.
func TestSmartRestartAtAnyFrame(t *testing.T) {
	all := loadVectors(t, "smart")
	for _, c := range loadPublic(t) {
		all = append(all, c.vector)
	}
	for _, v := range all {
		whole := replay(t, v, ingest.Clock{Now: v.now, HasNow: true})
		scanner := frame.NewSmart()
		scanner.Push(v.bytes)
		var frames []frame.Frame
		for scanner.Pending() || len(frames) == 0 {
			for f, ok := scanner.Next(); ok; f, ok = scanner.Next() {
				f.Data, f.Raw = bytes.Clone(f.Data), bytes.Clone(f.Raw)
				frames = append(frames, f)
			}
			scanner.GiveUp()
		}
		for cut := 0; cut <= len(frames); cut++ { // len(frames): before every one
			memory := newSmartMemory()
			var got []string
			w := smartRestarted(t, memory, true)
			for i, f := range frames {
				if i == cut || cut == len(frames) {
					w = smartRestarted(t, memory, true)
				}
				s, _ := w.wire.Frame(f, ingest.Clock{Now: v.now, HasNow: true})
				for _, d := range s.Records {
					got = append(got, mustJSON(actual(d.Record, nil)))
				}
			}
			if len(got) != len(whole.records) {
				t.Fatalf("%s, restarted before frame %d: %d records, want %d", v.name, cut, len(got), len(whole.records))
			}
			for i := range got {
				if want := mustJSON(actual(whole.records[i].Record, nil)); got[i] != want {
					t.Errorf("%s, restarted before frame %d:\n got %s\nwant %s", v.name, cut, got[i], want)
				}
			}
		}
	}
}

// A memory that fails (it returns nothing back) changes nothing in the wire.
func TestSmartKeepsNothingBesideItsMemory(t *testing.T) {
	memory := newSmartMemory()
	w := smartRestarted(t, forgetful{memory}, true)
	for range 3 {
		s, err := w.data(`{"v":1,"id":"1","terminal_id":"A","src":"alipay.refund","body":{"trade_no":"T","out_request_no":"1","refund_fee":"5.00"}}`)
		if err != nil || len(s.Records) != 1 || s.Records[0].Record.Amount != 500 {
			t.Errorf("got %+v, %v", s.Records, err)
		}
	}
}

// forgetful is a memory whose store does not answer.
type forgetful struct{ *smartMemory }

func (forgetful) Get(string) ([]byte, bool)      { return nil, false }
func (forgetful) Remember([]refund.MemoryChange) {}

// The zone of the settings is that of times without an offset; Alipay's is its own.
func TestSmartZone(t *testing.T) {
	c := smartWire(t, nil)
	clock := smartClock
	clock.Zone = time.FixedZone("", 9*3600)
	for body, want := range map[string]string{
		`"unionpay.qr","body":{"txnType":"01","txnTime":"20260822101530"}}`:        "2026-08-22T10:15:30+09:00",
		`"lakala.card","body":{"proc_cd":"000000","time_stamp":"20260822101530"}}`: "2026-08-22T10:15:30+09:00",
		`"alipay.trade","body":{"gmt_payment":"2026-08-22 10:15:30"}}`:             "2026-08-22T10:15:30+08:00",
		`"wechat.transaction","body":{}}`:                                          "2026-08-23T13:00:00+09:00",
	} {
		s, err := c.wire.Frame(frame.Frame{ID: 1, Data: []byte(`{"v":1,"src":` + body)}, clock)
		if err != nil || len(s.Records) != 1 || s.Records[0].Record.At != want {
			t.Errorf("%s: got %+v, %v", body, s.Records, err)
		}
	}
}

// Unknown members are read over, however deep they are.
func TestSmartDeepMembersAreSkipped(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 400) + "1" + strings.Repeat("]}", 400)
	for src, body := range map[string]string{
		"wechat.transaction": `{"trade_state":"SUCCESS","promotion_detail":` + deep + `}`,
		"alipay.trade":       `{"code":"10000","voucher_detail_list":` + deep + `}`,
		"record":             `{"v":1,"kind":"sale","outcome":"approved","later":` + deep + `}`,
	} {
		step, err := smartWire(t, nil).data(`{"v":1,"id":"1","src":"` + src + `","beside":` + deep + `,"body":` + body + `}`)
		if err != nil || len(step.Records) != 1 || step.Records[0].Record.Outcome != refund.Approved {
			t.Errorf("%s: %d records, %v", src, len(step.Records), err)
		}
	}
}
