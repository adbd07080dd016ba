package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

func TestSmartProfileErrors(t *testing.T) {
	file := []string{
		`approved = ["00"]`,
		`[wechat.outcome]`,
		`SUCCESS = "fine"`,
		`[wechat.entry]`,
		`APP = "shown"`,
		`[wechat.funding]`,
		`"*DEBIT" = "debit_card"`,
		`CFT = "Balance"`,
		`[wechat_refund]`,
		`merchant = "商户"`,
		`[alipay]`,
		`codes = { 10000 = "approved" }`,
		`[alipay_refund.code]`,
		`10000 = 1`,
		`[unionpay.kind]`,
		`1 = "sale"`,
		`[unionpay.outcome]`,
		`"00 " = "approved"`,
		`[lakala]`,
		`currency = "RMB"`,
		`[lakala.kind]`,
		`00000 = "sale"`,
		`700000 = "query"`,
		`[lakala.channel]`,
		`14 = "paypal"`,
		`[lakala.outcome]`,
		`ok = ["approved"]`,
	}
	want := []string{
		`1:1: approved: unknown key`,
		`3:1: wechat.outcome.SUCCESS: got "fine", want one of approved, declined, unknown, pending, closed, abnormal`,
		`5:1: wechat.entry.APP: got "shown", want one of chip`,
		`7:1: wechat.funding.*DEBIT: the key is not a bank_type such as CFT`,
		`8:1: wechat.funding.CFT: got "Balance", want small letters`,
		`10:1: wechat_refund.merchant: got a string, want an array`,
		`12:1: alipay.codes: unknown key, did you mean "code"?`,
		`14:1: alipay_refund.code.10000: got a whole number, want a string`,
		`16:1: unionpay.kind.1: the key is not two digits`,
		`18:1: unionpay.outcome.00 : the key is not a code`,
		`20:1: lakala.currency: got "RMB", want ISO 4217 letters`,
		`22:1: lakala.kind.00000: the key is not six digits`,
		`23:1: lakala.kind.700000: got "query", want one of sale`,
		`25:1: lakala.channel.14: got "paypal", want one of card`,
		`27:1: lakala.outcome.ok: got an array, want a string`,
	}
	_, err := ingest.LoadProfile("smart", []byte(strings.Join(file, "\n")))
	if !errors.Is(err, ingest.ErrProfile) {
		t.Fatalf("got %v", err)
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("got  %s\nwant %s", err, strings.Join(want, "\n"))
		}
	}
}

func TestSmartProfileChangesWhatItSays(t *testing.T) {
	c := smartWire(t, nil,
		`[wechat.outcome]`, `SUCCESS = ""`, `ACCEPT = "pending"`,
		`[wechat.entry]`, `APP = "qr_scanned"`,
		`[wechat.funding]`, `LQT = "balance"`, `"*_PREPAID" = "prepaid_card"`,
		`[wechat_refund]`, `merchant = ["merchant"]`,
		`[alipay.funding]`, `BANKCARD = "debit_card"`,
		`[alipay_refund.code]`, `10000 = "pending"`,
		`[unionpay.kind]`, `02 = "preauth"`,
		`[unionpay.outcome]`, `A6 = "approved"`,
		`[lakala]`, `currency = "HKD"`,
		`[lakala.channel]`, `15 = "jd"`,
		`[lakala.outcome]`, `maybe = "pending"`)
	for _, s := range []struct{ src, body, want string }{
		{"wechat.transaction", `{"trade_state":"SUCCESS","trade_type":"APP","bank_type":"LQT"}`, `{"kind":"sale","outcome":"unknown","response_code":"SUCCESS","channel":"wechat","entry":"qr_scanned","funding":"balance"}`},
		{"wechat.transaction", `{"trade_state":"ACCEPT","bank_type":"X_PREPAID"}`, `{"kind":"sale","outcome":"pending","response_code":"ACCEPT","channel":"wechat","funding":"prepaid_card"}`},
		{"wechat.refund", `{"status":"SUCCESS","user_received_account":"a merchant account"}`, `{"kind":"refund","outcome":"approved","response_code":"SUCCESS","channel":"wechat","party":{"scheme":"merchant_account","id":"a merchant account","text":"a merchant account"}}`},
		{"wechat.refund", `{"status":"SUCCESS","user_received_account":"商户"}`, `{"kind":"refund","outcome":"approved","response_code":"SUCCESS","channel":"wechat","party":{"scheme":"account_text","id":"商户","text":"商户"}}`},
		{"alipay.trade", `{"code":"10000","fund_bill_list":[{"fund_channel":"BANKCARD"}]}`, `{"kind":"sale","outcome":"approved","response_code":"10000","channel":"alipay","funding":"debit_card"}`},
		{"alipay.refund", `{"code":"10000"}`, `{"kind":"refund","outcome":"pending","response_code":"10000","channel":"alipay"}`},
		{"unionpay.qr", `{"txnType":"02","respCode":"A6","orderId":"U"}`, `{"kind":"preauth","outcome":"approved","response_code":"A6","channel":"unionpay_qr","order_no":"U"}`},
		{"lakala.card", `{"proc_cd":"660000","pay_tp":"15","result":"maybe"}`, `{"kind":"sale","outcome":"pending","channel":"jd","currency":"HKD"}`},
	} {
		got, _ := c.send(s.src, s.body)
		if got, want := withoutShown(got), expect(t, s.want); got != want {
			t.Errorf("%s:\n got %s\nwant %s", s.body, got, want)
		}
	}
}

// checkSmart returns any DATA to a wire twice: it is confirmed; what is refused makes
// nothing and is refused again; what makes records makes them once.
func checkSmart(t *testing.T, data []byte) {
	t.Helper()
	c := smartRestarted(t, newSmartMemory(), true)
	f := frame.Frame{ID: 9, Data: data}
	before := bytes.Clone(data)
	first, err := c.wire.Frame(f, smartClock)
	made := len(first.Records)
	if first.Question != nil || first.Order != nil {
		if !bytes.Equal(first.Immediate, confirmOf(9)) || err != nil || made+len(first.Memory)+len(first.Reply) > 0 {
			t.Fatalf("a message to the guard: %d records, %x, %v", made, first.Immediate, err)
		}
		if q := first.Question; q != nil && q.Err == nil && (q.Key.MerchantID == "" || q.Key.TerminalID == "" || q.Key.ID == "") {
			t.Fatal("an ask without its key")
		}
		return
	}
	if !bytes.Equal(first.Reply, confirmOf(9)) || err != nil && made+len(first.Memory) > 0 || made == 0 && len(first.Memory) > 0 {
		t.Fatalf("%d records, %d changes, %x, %v", made, len(first.Memory), first.Reply, err)
	}
	if err != nil && !errors.Is(err, smart.ErrMalformed) {
		t.Fatal(err)
	}
	for _, d := range first.Records {
		sealed := refund.Seal(d.Record, hmacTokens{[]byte("key")})
		stored := refund.EncodeStored(nil, &sealed)
		if _, err := refund.DecodeStored(stored); err != nil {
			t.Fatalf("what was made cannot be stored: %v", err)
		}
		if _, err := refund.ParseRecord(sealed.AppendJSON(nil), refund.Reject); err != nil {
			t.Fatalf("what was made cannot be read: %v", err)
		}
	}
	second, err2 := c.wire.Frame(f, smartClock)
	if len(second.Records) > 0 || fmt.Sprint(err) != fmt.Sprint(err2) || !bytes.Equal(before, data) {
		t.Fatalf("again: %d records, %v, %v", len(second.Records), err, err2)
	}
}

// Every byte of every good message of the vectors changed.
func TestSmartEveryByteChanged(t *testing.T) {
	seen := map[string]bool{}
	for _, data := range smartMessages(t) {
		m, err := smart.Decode(data)
		if err != nil || seen[m.Src] {
			continue
		}
		seen[m.Src] = true
		for i := range data {
			for _, c := range []byte{data[i] ^ 1, data[i] ^ 0x80, '"', '0', ',', ' '} {
				b := bytes.Clone(data)
				b[i] = c
				checkSmart(t, b)
			}
		}
	}
	if len(seen) < 9 {
		t.Errorf("only %v", seen)
	}
}

// smartMessages returns the DATA of the vectors and of what the platforms publish.
func smartMessages(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	all := loadVectors(t, "smart")
	for _, c := range loadPublic(t) {
		all = append(all, c.vector)
	}
	for _, v := range all {
		s := frame.NewSmart()
		s.Push(v.bytes)
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			if len(f.Data) > 0 {
				out = append(out, bytes.Clone(f.Data))
			}
		}
	}
	return out
}

// FuzzSmartWire: any DATA, through decoding, mapping and memory.
func FuzzSmartWire(f *testing.F) {
	for _, data := range smartMessages(f) {
		f.Add(data)
	}
	const head = `{"v":1,"id":"m","terminal_id":"SM000001","merchant_id":"M","operator":"01","training":true,"src":"guard.`
	for _, tail := range []string{
		`ask","body":{"kind":"refund","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","channel":"card","original":{"rrn":"260822000101"},"party":{"scheme":"pan","id":"6200000000000005"},"presented":{"scheme":"wechat_openid","namespace":"wx","id":"oT"},"ask":{"id":"a-17","replaces":"a-16","deadline_ms":300,"find":false}}}`,
		`ask","body":{"kind":"void","ask":{"id":"a","deadline_ms":49}}}`, `ask","body":null}`, `ask"}`, `ask","body":{"ask":{"id":"a"},"ask":{"id":"b"}}}`,
		`release","body":{"ask":"a-17","by":"s-1","pin":"628401","reason":2,"text":"新卡"}}`, `release","body":{"ask":"a","pin":628401,"reason":"other"}}`,
		`cancel","body":{"ask":"a-17"}}`, `cancel","body":{}}`, `answer","body":{"ask":"a"}}`, `state","body":[]}`,
	} {
		f.Add([]byte(head + tail))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkSmart(t, data) })
}

// BenchmarkSmartRecord is decode and map of one message, with its memory.
func BenchmarkSmartRecord(b *testing.B) {
	p, err := ingest.DefaultProfile("smart")
	if err != nil {
		b.Fatal(err)
	}
	seen := map[string]bool{}
	for _, data := range smartMessages(b) {
		m, err := smart.Decode(data)
		if err != nil || seen[m.Src] {
			continue
		}
		seen[m.Src] = true
		b.Run(m.Src, func(b *testing.B) {
			w, err := ingest.NewWire("smart", p, forgetful{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Frame(frame.Frame{ID: 1, Data: data}, smartClock); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
