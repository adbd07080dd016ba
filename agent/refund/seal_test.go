package refund

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ring is a Tokenizer over HMAC-SHA-256, newest key first, as the ledger's is.
type ring []string

func (k ring) Tokens(label, clear string) []string {
	out := make([]string, len(k))
	for i, key := range k {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte(label))
		m.Write([]byte{0})
		m.Write([]byte(clear))
		out[i] = key + ":" + hex.EncodeToString(m.Sum(nil)[:16])
	}
	return out
}

var testRing = ring{"k2", "k1"}

func clearParty(s Scheme, namespace, id string) *Party {
	return &Party{Scheme: s, Namespace: namespace, ID: NewSecret(id)}
}

func seal(p *Party) *Party { return Seal(Record{Party: p}, testRing).Party }

func TestSealShown(t *testing.T) {
	tests := []struct {
		scheme    Scheme
		id, shown string
	}{
		{SchemePAN, "6200000000000005", "620000******0005"},
		{SchemePAN, "6205500000000000004", "620550*********0004"},
		{SchemeDPAN, "62000000005", "620000*0005"},
		{SchemePAN, "6200000005", "6200**0005"},
		{SchemePAN, "620000005", "6200*0005"},
		{SchemePAN, "62000005", "********"},
		{SchemePANMasked, "620000******0005", "620000******0005"},
		{SchemePANMasked, "620000****0005", "620000****0005"},
		{SchemePANMasked, "6200001234****0005", "620000********0005"},
		{SchemePANMasked, "****0005", "****0005"},
		{SchemePANMasked, "62****0005", "******0005"},
		{SchemePANMasked, "620****0005", "620***" + "*" + "0005"},
		{SchemePANMasked, "005", "005"},
		{SchemeWeChatOpenID, "oTESTa1b2c3d4e5f6g7h8i9j0k1l", "oTES********************0k1l"},
		{SchemeAlipayUserID, "2088000000000017", "2088********0017"},
		{SchemeAlipayLogon, "136****1234", "136****1234"},
		{SchemeAlipayLogon, "zha***@163.com", "zha*******.com"},
		{SchemeAlipayLogon, "李四***@163.com", "李四**" + "*****" + ".com"},
		{SchemeUnionPayToken, "abcdefghi", "abcd*fghi"},
		{SchemeUnionPayToken, "abcdefgh", "********"},
		{SchemeUnionPayToken, strings.Repeat("Q", 40), "QQQQ" + strings.Repeat("*", 32) + "QQQQ"},
		{SchemeUnionPayToken, strings.Repeat("Q", 41), ""},
		{SchemeECNYWallet, "0022010203040506", "0022********0506"},
		{SchemeECNYWallet, "00220102", "********"},
		{SchemePANMasked, "0022********0506", "0022********0506"},
		{SchemeAccount, "8801000000000017", "8801********0017"},
		{SchemeAccount, "VIP-0042", "********"},
		{SchemeAccountText, "招商银行信用卡0403", "招商银行***0403"},
		{SchemeAccountText, "招商银行卡403", "********"},
		{SchemeMerchantAccount, "商户基本账户一二三", "商户基本*户一二三"},
	}
	for _, tt := range tests {
		got := seal(clearParty(tt.scheme, "", tt.id))
		if got.Shown != tt.shown {
			t.Errorf("%s of %d characters: shown %q, want %q", tt.scheme, len([]rune(tt.id)), got.Shown, tt.shown)
		}
		if again := shownForm(tt.scheme, got.Shown); again != got.Shown {
			t.Errorf("%s: shown of shown is %q, want %q", tt.scheme, again, got.Shown)
		}
	}
}

func TestSealMask(t *testing.T) {
	d := func(pos int, digit string) MaskDigit { return MaskDigit{pos, testRing.Tokens(labelDigit, digit)} }
	tests := []struct {
		scheme Scheme
		id     string
		want   Mask
	}{
		{SchemePAN, "6200000000000005", Mask{Lead: "620000", Tail: "0005", Length: 16}},
		{SchemePAN, "6200000000000006", Mask{}}, // check digit
		{SchemeDPAN, "6200000000000005", Mask{}},
		{SchemePANMasked, "620000******0005", Mask{Lead: "620000", Tail: "0005", Length: 16}},
		{SchemePANMasked, "620000****0005", Mask{Lead: "620000", Tail: "0005"}},
		{SchemePANMasked, "****0005", Mask{Tail: "0005"}},
		{SchemePANMasked, "*****0005", Mask{Lead: "*****0", Tail: "0005", Length: 9}},
		{SchemePANMasked, "***0005", Mask{Lead: "***000", Tail: "0005", Length: 7}},
		{SchemePANMasked, "62****", Mask{Lead: "62"}},
		{SchemePANMasked, "62*000******0005", Mask{Lead: "62*000", Tail: "0005", Length: 16}},
		{SchemePANMasked, "620000******00*5", Mask{Lead: "620000", Tail: "00*5", Length: 16}},
		{SchemePANMasked, "62000031***70005", Mask{Lead: "620000", Tail: "0005", Length: 16,
			Middle: []MaskDigit{d(7, "3"), d(8, "1"), d(12, "7")}}},
		{SchemePANMasked, "62000031****70005", Mask{Lead: "620000", Tail: "0005",
			Middle: []MaskDigit{d(7, "3"), d(8, "1"), d(-5, "7")}}},
		{SchemePANMasked, "620000**12****0005", Mask{Lead: "620000", Tail: "0005"}},
		{SchemePANMasked, "620000XXXXXX0005", Mask{Lead: "620000", Tail: "0005"}},
		{SchemePANMasked, "6200005555550005", Mask{Lead: "620000", Tail: "0005", Length: 16, Middle: []MaskDigit{
			d(7, "5"), d(8, "5"), d(9, "5"), d(10, "5"), d(11, "5"), d(12, "5")}}},
		{SchemePANMasked, "1234567", Mask{Tail: "4567", Length: 7, Middle: []MaskDigit{d(1, "1"), d(2, "2"), d(3, "3")}}},
		{SchemeAlipayLogon, "136****1234", Mask{}},
	}
	for _, tt := range tests {
		if got := seal(clearParty(tt.scheme, "", tt.id)).Mask; !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s %s: got %+v, want %+v", tt.scheme, tt.id, got, tt.want)
		}
	}
}

func TestSealFlaw(t *testing.T) {
	tests := []struct {
		p    *Party
		flaw string // part of it
	}{
		{clearParty(SchemePAN, "", "6200000000000005"), ""},
		{clearParty(SchemePAN, "", "6200000000000006"), "check digit"},
		{clearParty(SchemePAN, "", "62000000005"), "11 digits"},
		{clearParty(SchemePAN, "", "62000000000000000000"), "20 digits"},
		{clearParty(SchemePAN, "", "62000000000a0005"), "not digits"},
		{clearParty(SchemePAN, "", "620000******0005"), "not digits"},
		{clearParty(SchemePAN, "", "６200000000000005"), "not digits"},
		{clearParty(SchemePAN, "", ""), ""},
		{clearParty(SchemeDPAN, "", "12345"), ""}, // records.md has this rule for scheme pan only
		{clearParty(SchemePANMasked, "", "12345"), ""},
		{&Party{Scheme: SchemeNone, Also: []Party{*clearParty(SchemePAN, "", "6200000000000005"), *clearParty(SchemePAN, "", "12345")}}, "also 2: 5 digits"},
		{&Party{Scheme: SchemePAN, ID: NewSecret("1"), Also: []Party{*clearParty(SchemePAN, "", "12345")}}, "1 digits"},
	}
	for i, tt := range tests {
		got := seal(tt.p)
		if (tt.flaw == "") != (got.Flaw == "") || !strings.Contains(got.Flaw, tt.flaw) {
			t.Errorf("%d: flaw %q, want %q", i, got.Flaw, tt.flaw)
		}
		for _, a := range got.Also {
			if a.Flaw != "" {
				t.Errorf("%d: flaw inside also", i)
			}
		}
	}
}

func TestSealTokens(t *testing.T) {
	pan, dpan := seal(clearParty(SchemePAN, "", "6200000000000005")), seal(clearParty(SchemeDPAN, "", "6200000000000005"))
	if !reflect.DeepEqual(pan.Tokens, dpan.Tokens) || len(pan.Tokens) != 2 || !strings.HasPrefix(pan.Tokens[0], "k2:") {
		t.Error("pan and dpan do not have the same two tokens, newest key first")
	}
	masked := seal(clearParty(SchemePANMasked, "", "6200000000000005"))
	if share(pan.Tokens, masked.Tokens) {
		t.Error("pan and pan_masked share a token")
	}
	a, b := seal(clearParty(SchemeWeChatOpenID, "wx1", "oX")), seal(clearParty(SchemeWeChatOpenID, "wx2", "oX"))
	bare := seal(clearParty(SchemeWeChatOpenID, "", "oX"))
	if a.Tokens[0] == b.Tokens[0] || len(a.Tokens) != 4 || len(bare.Tokens) != 2 {
		t.Error("tokens of an openid do not depend on its namespace")
	}
	if !share(a.Tokens, bare.Tokens) || !share(b.Tokens, bare.Tokens) || share(a.Tokens[:2], bare.Tokens) {
		t.Error("an openid with a namespace does not have the tokens without it last")
	}
	if got := seal(clearParty(SchemeAlipayOpenID, "", "oX")); share(got.Tokens, bare.Tokens) {
		t.Error("two schemes share a token")
	}
	par := seal(&Party{Scheme: SchemePAN, PAR: NewSecret("PAR1")})
	if len(par.PARTokens) != 2 || !par.PAR.Empty() || par.Tokens != nil {
		t.Errorf("par: %+v", par)
	}
}

func TestSealText(t *testing.T) {
	tests := []struct{ text, want string }{
		{"招商银行信用卡0403", "招商银行信用卡0403"},
		{"卡6200000000000005尾", "卡************0005尾"},
		{"卡 6200 0000 0000 0005 尾", "卡 **** **** **** 0005 尾"},
		{"6200-0000-0000-0006", "****-****-****-0006"},
		{"６２００００００００００００05", "************００05"},
		{"123456789012", "********9012"},
		{"12345678901", "12345678901"},
		{"1234567 89012 ", "******* *9012 "},
		{"1234567  89012", "1234567  89012"},
		{"a620000000000000500000b", "a*****************0000b"},
		{"id oTESTa1b2c3d4e5f6g7h8i9j0k1l.", "id oTES********************0k1l."},
		{"tkTESTa1b2c3d4e5f6g7h8", "tkTE**************g7h8"},
		{"商户基本账户", "商户基本账户"},
		{"", ""},
	}
	for _, tt := range tests {
		got := seal(&Party{Scheme: SchemeAccountText, Text: tt.text}).Text
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
		if again := maskText(got); again != got {
			t.Errorf("%q: masked again is %q", got, again)
		}
	}
}

// No clear identifier is anywhere in a sealed record, what was given is not
// changed, and sealing again changes nothing.
func TestSealLeavesNothingClear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawClear(t)
		before := fmt.Sprintf("%#v", r)
		s := Seal(r, testRing)
		if fmt.Sprintf("%#v", r) != before {
			t.Fatal("Seal changed its argument")
		}
		if s.Party != nil {
			for _, p := range append([]Party{*s.Party}, s.Party.Also...) {
				if !p.ID.Empty() || !p.PAR.Empty() {
					t.Fatal("a clear identifier is left")
				}
			}
			if again := Seal(s, ring{"k9"}); !reflect.DeepEqual(again, s) {
				t.Fatalf("sealed again: %+v, want %+v", again, s)
			}
		}
		for _, id := range clearIDs(r.Party) {
			if c := []rune(id); len(c) >= 12 && strings.Contains(fmt.Sprintf("%+v", s.Party), string(c[4:12])) && !strings.Contains(id, "*") {
				t.Fatal("the middle of an identifier is left")
			}
		}
	})
}

func clearIDs(p *Party) (ids []string) {
	if p == nil {
		return nil
	}
	ids = append(ids, p.ID.Reveal(), p.PAR.Reveal())
	for _, a := range p.Also {
		ids = append(ids, a.ID.Reveal())
	}
	return ids
}

// The masked forms of the vectors of the three wires are those that Seal makes.
func TestSealAgreesWithVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.want.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	type one struct {
		Scheme             Scheme
		Namespace, ID, PAR string
		Shown, Text        string
	}
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var r struct {
				Party struct {
					one
					Also []one
				}
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(f, err)
			}
			for _, o := range append([]one{r.Party.one}, r.Party.Also...) {
				if o.ID == "" {
					continue
				}
				n++
				if got := seal(clearParty(o.Scheme, o.Namespace, o.ID)); got.Shown != o.Shown && o.Shown != "" {
					t.Errorf("%s: shown %q, want %q", f, got.Shown, o.Shown)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d identifiers in the vectors", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	r := Record{Kind: KindSale, Party: clearParty(SchemePAN, "", "6200000000000005")}
	fixed := fixedTokens{"k2:00112233445566778899aabbccddeeff"}
	b.ReportAllocs()
	for b.Loop() {
		Seal(r, fixed)
	}
}

// fixedTokens costs nothing, so that a benchmark measures Seal alone.
type fixedTokens []string

func (f fixedTokens) Tokens(_, _ string) []string { return f }
