package refund

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestStoredGolden(t *testing.T) {
	r := Seal(Record{Kind: KindRefund, Outcome: Approved, HasAmount: true, HasPayerAmount: true, Party: &Party{
		Scheme: SchemePANMasked, ID: NewSecret("6200003****70005"), PAR: NewSecret("P"), Text: "x",
		Also: []Party{*clearParty(SchemePAN, "", "12345")}}}, fixedTokens{"k2:bb", "k1:aa"})
	const want = `{"v":1,"kind":"refund","outcome":"approved","amount":0,"payer_amount":0,"party":{"scheme":"pan_masked",` +
		`"token":["k2:bb","k1:aa"],"shown":"620000******0005","mask":["620000","0005",0,7,["k2:bb","k1:aa"],-5,["k2:bb","k1:aa"]],` +
		`"par":["k2:bb","k1:aa"],"text":"x","flaw":"also 1: 5 digits, want 12 to 19",` +
		`"also":[{"scheme":"pan","token":["k2:bb","k1:aa"],"shown":"*****"}]}}`
	got := string(EncodeStored(nil, &r))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if back, err := DecodeStored([]byte(got)); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("decoded: %+v, %v; want %+v", back, err, r)
	}
}

// A refund that was first seen without an answer and an amount is known as one for
// good, by the store alone.
func TestStoredLateAmount(t *testing.T) {
	r := Record{Kind: KindRefund, Outcome: Approved, LateAmount: true}
	const want = `{"v":1,"kind":"refund","outcome":"approved","late_amount":true}`
	if got := string(EncodeStored(nil, &r)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if back, err := DecodeStored([]byte(want)); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("decoded: %+v, %v", back, err)
	}
	if _, err := ParseRecord([]byte(want), Reject); err == nil {
		t.Error("a member of the store is taken from outside")
	}
}

// The store returns what it was given, and any JSON reader can read it.
func TestStoredRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Seal(drawClear(t), testRing)
		b := EncodeStored(nil, &r)
		got, err := DecodeStored(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Fatalf("got  %+v %+v\nwant %+v %+v", got, got.Party, r, r.Party)
		}
		if !json.Valid(b) {
			t.Fatalf("%s is no JSON", b)
		}
		for i := range b {
			b[i] = 'x' // the result must not refer to the bytes
		}
		if !reflect.DeepEqual(got, r) {
			t.Fatal("the decoded record refers to the bytes it came from")
		}
	})
}

func TestStoredOfOtherVersions(t *testing.T) {
	got, err := DecodeStored([]byte(`{"v":1,"kind":"later","new":[1],"outcome":"approved","refund_route":"NEW","party":{"scheme":"new","x":{}}}`))
	want := Record{Kind: "later", Outcome: Approved, RefundRoute: "NEW", Party: &Party{Scheme: "new"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{``, `{`, `{}x`, `null`, `{"v":2}`, `{"v":1,"amount":"6200000000000005"}`, `{"party":{"token":"6200000000000005"}}`,
		`{"party":{"mask":["a","b",99999999999]}}`, `{"party":{"mask":["a","b",3,["x"]]}}`, "{\"kind\":\"\xff\"}"} {
		t.Run(bad, func(t *testing.T) {
			_, err := DecodeStored([]byte(bad))
			if !errors.Is(err, ErrStored) || strings.Contains(err.Error(), "6200000000000005") {
				t.Errorf("%s: got %v, want ErrStored", bad, err)
			}
		})
	}
}

func FuzzDecodeStored(f *testing.F) {
	for _, line := range []string{exampleSale, exampleRefund} {
		r, err := ParseRecord([]byte(line), Reject)
		if err != nil {
			f.Fatal(err)
		}
		r = Seal(r, testRing)
		f.Add(EncodeStored(nil, &r))
	}
	f.Add([]byte(`{"v":1,"party":{"mask":["620000","0005",0,7,["a"]],"flaw":"x","also":[{}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeStored(b)
		if err != nil {
			if !errors.Is(err, ErrStored) {
				t.Fatalf("error of another class: %v", err)
			}
			return
		}
		if r.Party != nil {
			r.Party.Text = maskText(r.Party.Text) // what encoding does
		}
		again, err := DecodeStored(EncodeStored(nil, &r))
		if err != nil || !reflect.DeepEqual(normal(again), normal(r)) {
			t.Fatalf("got %+v, %v; want %+v", again, err, r)
		}
	})
}

// normal makes empty lists nil.
func normal(r Record) Record {
	fix := func(s *[]string) {
		if len(*s) == 0 {
			*s = nil
		}
	}
	if p := r.Party; p != nil {
		fix(&p.Tokens)
		fix(&p.PARTokens)
		if len(p.Also) == 0 {
			p.Also = nil
		}
	}
	return r
}

func BenchmarkEncodeStored(b *testing.B) {
	r := Seal(mustParse(b, exampleRefund), testRing)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = EncodeStored(buf[:0], &r)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeStored(b *testing.B) {
	r := Seal(mustParse(b, exampleRefund), testRing)
	buf := EncodeStored(nil, &r)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeStored(buf); err != nil {
			b.Fatal(err)
		}
	}
}
