package refund

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	exampleSale   = `{"v":1,"kind":"sale","outcome":"approved","response_code":"00","merchant_id":"898000000000001","terminal_id":"10000001","operator":"01","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"000101","batch":"000007","rrn":"260822000101","auth_code":"123456","party":{"scheme":"pan","id":"6200000000000005"}}`
	exampleRefund = `{"v":1,"kind":"refund","outcome":"approved","response_code":"00","merchant_id":"898000000000001","terminal_id":"10000001","operator":"01","channel":"card","entry":"keyed","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000104","batch":"000008","rrn":"260823000104","original":{"rrn":"260822000101","date":"0822"},"party":{"scheme":"pan","id":"6205500000000000004"}}`
	// recordHead begins a record that lacks nothing.
	recordHead = `{"v":1,"kind":"sale","outcome":"approved"`
)

func mustParse(t testing.TB, line string) Record {
	t.Helper()
	r, err := ParseRecord([]byte(line), Reject)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r
}

func TestParseExample(t *testing.T) {
	got := mustParse(t, exampleRefund)
	want := Record{Kind: KindRefund, Outcome: Approved, ResponseCode: "00", MerchantID: "898000000000001",
		TerminalID: "10000001", Operator: "01", Channel: ChannelCard, Entry: EntryKeyed, Amount: 350, HasAmount: true,
		Currency: "CNY", At: "2026-08-23T09:00:00+08:00", Stan: "000104", Batch: "000008", RRN: "260823000104",
		Original: Original{RRN: "260822000101", Date: "0822"}, Party: clearParty(SchemePAN, "", "6205500000000000004")}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Every member of records.md arrives in its place.
func TestParseEveryMember(t *testing.T) {
	line := "\t " + `{ "v" : 1 , "kind":"settlement","outcome":"unknown","response_code":"a","copy":"upload","training":true,
"merchant_id":"b","terminal_id":"c","operator":"d","channel":"unionpay_qr","funding":"e","entry":"qr_scanned","amount":-5,"payer_amount":0,
"currency":"RMB","at":"f","stan":"g","batch":"h","rrn":"i","auth_code":"j","order_no":"k","channel_txn":"l","refund_no":"m",
"channel_refund":"n","original":{"stan":"1","batch":"2","date":"3","rrn":"4","auth_code":"5","order_no":"6","channel_txn":"7","terminal_id":"8"},
"party":{"scheme":"wechat_openid","namespace":"wx","id":"\u4e2d\ud83d\ude00\"\\\/\b\f\n\r\t","par":"5001","text":"中文","also":[{"scheme":"alipay_user_id","namespace":"","id":"2088"},{}]},
"ask":"a-17","refund_route":"OTHER_BANKCARD","signature":"o","totals":{"debit_amount":9223372036854775807,"debit_count":-9223372036854775808,"credit_amount":0,"credit_count":4},
"journal":{"from":"p","terminals":["q","r"]}} ` + "\r\n"
	want := Record{Kind: KindSettlement, Outcome: Unknown, ResponseCode: "a", Copy: CopyUpload, Training: true,
		MerchantID: "b", TerminalID: "c", Operator: "d", Channel: ChannelUnionPayQR, Funding: "e", Entry: EntryQRScanned,
		Amount: -5, HasAmount: true, HasPayerAmount: true, Currency: "CNY", At: "f", Stan: "g", Batch: "h", RRN: "i",
		AuthCode: "j", OrderNo: "k", ChannelTxn: "l", RefundNo: "m", ChannelRefund: "n",
		Original: Original{"1", "2", "3", "4", "5", "6", "7", "8"},
		Party: &Party{Scheme: SchemeWeChatOpenID, Namespace: "wx", ID: NewSecret("中😀\"\\/\b\f\n\r\t"), PAR: NewSecret("5001"),
			Text: "中文", Also: []Party{{Scheme: SchemeAlipayUserID, ID: NewSecret("2088")}, {}}},
		Ask: "a-17", RefundRoute: RouteOtherBankcard, Signature: "o",
		Totals: &Totals{9223372036854775807, -9223372036854775808, 0, 4}, Coverage: &Coverage{"p", []string{"q", "r"}}}
	if got := mustParse(t, line); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What is well-formed but impossible is left to the judge.
func TestParseKeepsImpossibleValues(t *testing.T) {
	r := mustParse(t, recordHead+`,"amount":0,"payer_amount":-1,"currency":"cn","at":"yesterday","party":{"scheme":"pan","id":"12"}}`)
	if !r.HasAmount || r.Amount != 0 || !r.HasPayerAmount || r.PayerAmount != -1 || r.Currency != "cn" || r.At != "yesterday" || r.Party.ID.Reveal() != "12" {
		t.Errorf("got %+v", r)
	}
	if r = mustParse(t, recordHead+`}`); r.HasAmount || r.HasPayerAmount || r.Party != nil || r.Channel != "" {
		t.Errorf("absent members: %+v", r)
	}
	r = mustParse(t, recordHead+`,"amount":99999999999999999999,"payer_amount":-99999999999999999999}`)
	if r.Amount != 1<<63-1 || r.PayerAmount != -1<<63 {
		t.Errorf("amounts beyond 64 bits: %d, %d", r.Amount, r.PayerAmount)
	}
	if r, err := ParseRecord([]byte(`{"v":1,"kind":"journal"}`), Reject); err != nil || r.Outcome != "" {
		t.Errorf("a journal needs no outcome: %v", err)
	}
	r = mustParse(t, recordHead+`,"channel":"","entry":"","copy":"","refund_route":"","party":{"scheme":""}}`)
	if r.Party == nil {
		t.Error("empty values are not taken")
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		line, want string // the whole error
	}{
		{``, `column 1: got the end of the line, want an object`},
		{`[1]`, `column 1: got a list, want an object`},
		{`{"kind":"sale","outcome":"approved"}`, `column 36: v: got no such member, want every record to have it`},
		{`{"v":1,"outcome":"approved"}`, `column 28: kind: got no such member, want every record to have it`},
		{`{"v":1,"kind":"sale"}`, `column 21: outcome: got no such member, want every record to have it`},
		{`{"v":2,"kind":"sale","outcome":"approved"}`, `column 6: v: got another version, want 1`},
		{`{"v":1,"kind":"","outcome":"approved"}`, `column 15: kind: got "", want one of sale, refund, void, reversal, preauth, preauth_void, completion, completion_void, adjust, void_refund, settlement, journal`},
		{`{"v":1,"kind":"sale","outcome":"ok"}`, `column 32: outcome: got "ok", want one of approved, declined, unknown, pending, closed, abnormal`},
		{recordHead + `,"amount":1.5}`, `column 52: amount: got a number with a fraction or an exponent, want an integer`},
		{recordHead + `,"amount":1e2}`, `column 52: amount: got a number with a fraction or an exponent, want an integer`},
		{recordHead + `,"amount":"100"}`, `column 52: amount: got a string, want an integer`},
		{recordHead + `,"amount":007}`, `column 52: amount: got a number that JSON does not know, want an integer`},
		{recordHead + `,"amount":-}`, `column 52: amount: got a number that JSON does not know, want an integer`},
		{recordHead + `,"amount":+1}`, `column 52: amount: got something that is no JSON, want an integer`},
		{recordHead + `,"amount":null}`, `column 52: amount: got null, want an integer`},
		{recordHead + `,"totals":{"debit_count":9223372036854775808}}`, `column 67: totals.debit_count: got a number of more than 64 bits, want an integer`},
		{recordHead + `,"training":tru}`, `column 54: training: got true or false, want true or false`},
		{`{"v":"1","kind":"sale","outcome":"approved"}`, `column 6: v: got a string, want an integer`},
		{recordHead + `,"journal":{"terminals":["a",1]}}`, `column 71: journal.terminals[1]: got a number, want a string`},
		{recordHead + `,"order_no":"\u00e9x`, `column 62: order_no: got the end of the line, want '"' at the end of the string`},
		{recordHead + `,"order_no":"\u00e9` + "\x01" + `"}`, `column 61: order_no: got a control character, want it written as \u00XX`},
		{recordHead + `,"order_no":"\u00`, `column 55: order_no: got an escape that means no character, want a JSON escape`},
		{recordHead + `,"order_no":"\`, `column 55: order_no: got an escape that means no character, want a JSON escape`},
		{recordHead + `,"stan":101}`, `column 50: stan: got a number, want a string`},
		{recordHead + `,"training":1}`, `column 54: training: got a number, want true or false`},
		{recordHead + `,"original":null}`, `column 54: original: got null, want an object`},
		{recordHead + `,"bogus":1}`, `column 43: bogus: got an unknown member, want a member that records.md names`},
		{recordHead + `,"party":{"scheme":"pan","bogus":1}}`, `column 67: party.bogus: got an unknown member, want a member that records.md names`},
		{recordHead + `,"party":{"also":[{},{"text":"x"}]}}`, `column 64: party.also[1].text: got an unknown member, want a member that records.md names`},
		{recordHead + `,"original":{"channel":"card"}}`, `column 55: original.channel: got an unknown member, want a member that records.md names`},
		{recordHead + `,"journal":{"to":"x"}}`, `column 54: journal.to: got an unknown member, want a member that records.md names`},
		{recordHead + `,"stan":"1","stan":"1"}`, `column 54: stan: got a second one, want each member once`},
		{recordHead + `,"st\u0061n":"1","stan":"1"}`, `column 59: stan: got a second one, want each member once`},
		{recordHead + `,"party":{"par":"1","par":"2"}}`, `column 62: party.par: got a second one, want each member once`},
		{recordHead + `,"channel":"paypal"}`, `column 53: channel: got "paypal", want one of card, wechat, alipay, unionpay_qr, jd, ecny, cash, unknown`},
		{recordHead + `,"channel":"6200000000000005"}`, `column 53: channel: got another word, want one of card, wechat, alipay, unionpay_qr, jd, ecny, cash, unknown`},
		// An ask is no record (guard.md § 1): its member ask is an object.
		{`{"v":1,"kind":"refund","ask":{"id":"a-17"}}`, `column 30: ask: got an object, want a string`},
		{recordHead + `,"party":{"scheme":"iban"}}`, `column 61: party.scheme: got "iban", want one of pan, dpan, pan_masked, wechat_openid, alipay_user_id, alipay_open_id, alipay_logon, unionpay_token, ecny_wallet, account, account_text, merchant_account, cash, none`},
		{recordHead + `,"party":{"id":6200000000000005}}`, `column 57: party.id: got a number, want a string`},
		{recordHead + `,"party":{"token":"6200000000000005"}}`, `column 60: party.token: got no token, want key:hexadecimal digits`},
		{recordHead + `,"party":{"also":[{"id":"6200000000000005"},{"id":true}]}}`, `column 92: party.also[1].id: got true or false, want a string`},
		{recordHead + `,"6200000000000005":1}`, `column 43: ************0005: got an unknown member, want a member that records.md names`},
		{recordHead + `,"a\nb":1}`, `column 43: "a\nb": got an unknown member, want a member that records.md names`},
		{recordHead + `} x`, `column 44: got something that is no JSON, want the end of the line after the record`},
		{recordHead + `}{`, `column 43: got an object, want the end of the line after the record`},
		{recordHead + `,}`, `column 43: got '}', want the name of a member`},
		{recordHead + ` "stan":"1"}`, `column 43: got a string, want ',' or '}'`},
		{recordHead + `,"stan" "1"}`, `column 50: got a string, want ':' after the name of a member`},
		{recordHead + `,"stan":"1`, `column 52: stan: got the end of the line, want '"' at the end of the string`},
		{recordHead + `,"stan":"\x"}`, `column 51: stan: got an escape that means no character, want a JSON escape`},
		{recordHead + `,"stan":"\ud800"}`, `column 51: stan: got an escape that means no character, want a JSON escape`},
		{recordHead + `,"stan":"\udc00\ud800"}`, `column 51: stan: got an escape that means no character, want a JSON escape`},
		{recordHead + `,"stan":"\u12g4"}`, `column 51: stan: got an escape that means no character, want a JSON escape`},
		{recordHead + ",\"stan\":\"a\tb\"}", `column 52: stan: got a control character, want it written as \u00XX`},
		{recordHead + ",\"stan\":\"中\xff\"}", `column 52: stan: got bytes that are no UTF-8, want UTF-8`},
		{recordHead + ",\"stan\":\"\\n中\xe4\xb8\"}", `column 54: stan: got bytes that are no UTF-8, want UTF-8`},
		{recordHead + ",\"stan\":\"\xed\xa0\x80\"}", `column 51: stan: got bytes that are no UTF-8, want UTF-8`},
		{recordHead + `,"order_no":"中文","bogus":1}`, `column 59: bogus: got an unknown member, want a member that records.md names`},
		{"\ufeff" + recordHead + `}`, `column 1: got something that is no JSON, want an object`},
	}
	for _, tt := range tests {
		_, err := ParseRecord([]byte(tt.line), Reject)
		var in *InputError
		if !errors.Is(err, ErrInput) || !errors.As(err, &in) {
			t.Errorf("%s: got %v, want an input error", tt.line, err)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %v", tt.line, err, tt.want)
		}
		leak(t, tt.line, err.Error(), "6200000000000005")
	}
	e := &InputError{Line: 3, Column: 4, Member: "v", Got: "a", Want: "b"}
	if e.Error() != "line 3, column 4: v: got a, want b" {
		t.Error(e)
	}
}

func TestParseIgnoresUnknown(t *testing.T) {
	line := recordHead + `,"new":{"a":[1,-0.5e+3,true,false,null,"\u00e9",{}],"a":[]},"party":{"scheme":"pan","name":"x","also":[{"text":"x","scheme":"cash"}]},"original":{"x":[[]]}}`
	got, err := ParseRecord([]byte(line), Ignore)
	want := Record{Kind: KindSale, Outcome: Approved, Party: &Party{Scheme: SchemePAN, Also: []Party{{Scheme: SchemeCash}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{`01`, `1.`, `.5`, `1e`, `-`, `tru`, `nul`, `[1,]`, `{"a"}`, `{"a":1,}`, `{1:2}`, `"\q"`, `'a'`, ``, strings.Repeat("[", 1100)} {
		t.Run(bad, func(t *testing.T) {
			if _, err := ParseRecord([]byte(recordHead+`,"new":`+bad+`}`), Ignore); !errors.Is(err, ErrInput) {
				t.Errorf("unknown member with %s: got %v, want an input error", bad, err)
			}
		})
	}
}

func TestParseTakesTokens(t *testing.T) {
	const hex = "00112233445566778899aabbccddeeff"
	line := recordHead + `,"party":{"scheme":"pan","token":"k1:` + hex + `","shown":"620000******0005","par":"k1:` + hex +
		`","also":[{"scheme":"pan_masked","token":"k1:` + hex + `","shown":"620000****0005"}]}}`
	want := &Party{Scheme: SchemePAN, Tokens: []string{"in.k1:" + hex}, Shown: "620000******0005",
		Mask: Mask{Lead: "620000", Tail: "0005", Length: 16}, PARTokens: []string{"in.k1:" + hex},
		Also: []Party{{Scheme: SchemePANMasked, Tokens: []string{"in.k1:" + hex}, Shown: "620000****0005", Mask: Mask{Lead: "620000", Tail: "0005"}}}}
	r := mustParse(t, line)
	if !reflect.DeepEqual(r.Party, want) {
		t.Errorf("got %+v, want %+v", r.Party, want)
	}
	if s := Seal(r, testRing); !reflect.DeepEqual(s, r) {
		t.Errorf("sealed: %+v", s.Party)
	}
	// A clear identifier wins, and a masked form that is none is masked.
	r = mustParse(t, recordHead+`,"party":{"scheme":"pan","id":"6200000000000005","token":"k1:`+hex+`","shown":"x"}}`)
	if r.Party.Tokens != nil || r.Party.Shown != "" || r.Party.ID.Empty() {
		t.Errorf("id besides token: %+v", r.Party)
	}
	r = mustParse(t, recordHead+`,"party":{"scheme":"pan","token":"k1:`+hex+`","shown":"6200000000000005"}}`)
	if r.Party.Shown != "620000******0005" {
		t.Errorf("shown in clear: %+v", r.Party)
	}
	r = mustParse(t, recordHead+`,"party":{"also":[{"scheme":"pan","token":"k1:`+hex+`","shown":"*****"}]}}`)
	if r.Party.Flaw != "also 1: 5 digits, want 12 to 19" || r.Party.Also[0].Flaw != "" {
		t.Errorf("flaw by shown: %+v", r.Party)
	}
	if ForeignToken(ForeignToken("k1:ab")) != "in.k1:ab" {
		t.Error("a mark is not put once")
	}
}

// What a sealed record prints is read back whole, but for what only the clear
// identifiers could show; and printed again it is the same.
func TestParsePrintedRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Seal(drawClear(t), testRing)
		line := r.AppendJSON(nil)
		got, err := ParseRecord(line, Ignore)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if strict, err := ParseRecord(line, Reject); err != nil || !reflect.DeepEqual(strict, got) {
			t.Fatalf("%s: strictly: %v", line, err)
		}
		if want := printed(r); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v %+v\nwant %+v %+v", got, got.Party, want, want.Party)
		}
		again, err := ParseRecord(got.AppendJSON(nil), Reject)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("read again: %+v, %v; want %+v", again, err, got)
		}
	})
}

// printed returns what a sealed record shows once it is printed.
func printed(r Record) Record {
	if r.Party == nil {
		return r
	}
	one := func(p Party) Party {
		q := Party{Scheme: p.Scheme, Namespace: p.Namespace, Shown: p.Shown}
		if len(p.Tokens) > 0 {
			q.Tokens = []string{ForeignToken(p.Tokens[0])}
			if q.Scheme == SchemePAN {
				q.Flaw = shownFlaw(p.Shown)
			}
			if q.Flaw == "" {
				q.Mask = maskOfShown(p.Scheme, p.Shown)
			}
		}
		return q
	}
	q := one(*r.Party)
	q.Text = r.Party.Text
	if len(r.Party.PARTokens) > 0 {
		q.PARTokens = []string{ForeignToken(r.Party.PARTokens[0])}
	}
	for i, a := range r.Party.Also {
		q.Also = append(q.Also, one(a))
		q.takeFlaw(i)
	}
	r.Party = &q
	return r
}

// The scenarios and the records of the vectors are all readable.
func TestParseShared(t *testing.T) {
	files, _ := filepath.Glob("testdata/vectors/*.jsonl")
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			r, err := ParseRecord([]byte(line), Ignore) // their notes begin with _
			if err != nil {
				t.Errorf("%s: %v", f, err)
			}
			n++
			out := string(Seal(r, testRing).AppendJSON(nil))
			for _, id := range clearIDs(r.Party) {
				free := r.Party.Scheme == SchemeAccountText || r.Party.Scheme == SchemeMerchantAccount // their text is their id
				if len(id) > 8 && !free && !strings.Contains(id, "*") && strings.Contains(out, id) {
					t.Errorf("%s: a clear identifier is printed", f)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d records", n)
	}
}

func TestAppendJSONGolden(t *testing.T) {
	r := Seal(mustParse(t, exampleRefund), ring{"k1"})
	const want = `{"v":1,"kind":"refund","outcome":"approved","response_code":"00","merchant_id":"898000000000001","terminal_id":"10000001","operator":"01","channel":"card","entry":"keyed","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000104","batch":"000008","rrn":"260823000104","original":{"date":"0822","rrn":"260822000101"},"party":{"scheme":"pan","token":"k1:a079bf45fe2a9f6d87ea1ab6338790fa","shown":"620550*********0004"}}`
	if got := string(r.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Not sealed: holds less, never more.
	clear := mustParse(t, exampleRefund)
	leak(t, "an unsealed record", string(clear.AppendJSON(nil)), "6205500000000000004")
	if got := string(Record{Party: &Party{}, Totals: &Totals{}, Coverage: &Coverage{}, HasAmount: true}.AppendJSON([]byte("x"))); got !=
		`x{"v":1,"amount":0,"party":{},"totals":{"debit_amount":0,"debit_count":0,"credit_amount":0,"credit_count":0},"journal":{}}` {
		t.Errorf("empty members: %s", got)
	}
	if got := string(appendString(nil, "a\"\\\x00\x1f\n\r\t\x7f中\u2028\xff\xed\xa0\x80�")); got != `"a\"\\\u0000\u001f\n\r\t`+"\x7f中\u2028\ufffd\ufffd\ufffd\ufffd\ufffd"+`"` {
		t.Errorf("escapes: %s", got)
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{exampleSale, exampleRefund, recordHead + `}`, recordHead + `,"x":[1.5e3,{"y":null}]}`, recordHead + `,"party":{"also":[{}]}}`, "{\"\\ud83d\\ude00\":1}"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, line []byte, strict bool) {
		policy := Ignore
		if strict {
			policy = Reject
		}
		r, err := ParseRecord(line, policy)
		var in *InputError
		if err != nil {
			if !errors.As(err, &in) || in.Column < 1 || in.Column > len(line)+1 || in.Got == "" || in.Want == "" {
				t.Fatalf("error without its place: %v", err)
			}
			return
		}
		s := Seal(r, testRing)
		out := s.AppendJSON(nil)
		again, err := ParseRecord(out, Reject)
		if err != nil {
			t.Fatalf("%s: printed as %s: %v", line, out, err)
		}
		if twice := again.AppendJSON(nil); !reflect.DeepEqual(printed(s), again) {
			t.Fatalf("printed as %s, then as %s", out, twice)
		}
		stored, err := DecodeStored(EncodeStored(nil, &s))
		if err != nil || !reflect.DeepEqual(stored, s) {
			t.Fatalf("stored: %v", err)
		}
	})
}

func BenchmarkParseRecord(b *testing.B) {
	line := []byte(exampleRefund)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRecord(line, Reject); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	r := Seal(mustParse(b, exampleRefund), testRing)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
}
