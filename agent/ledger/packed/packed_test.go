package packed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// a sale, and what a verdict explains, as rows have them.
const (
	sale = `{"v":1,"kind":"sale","outcome":"approved","response_code":"00","merchant_id":"812345678901234","terminal_id":"20000001","operator":"07","channel":"wechat","entry":"qr_shown","amount":4200,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"004711","batch":"000012","order_no":"A20260823090000117","channel_txn":"4200001234202608231234567890","party":{"scheme":"wechat_openid","namespace":"wx9876543210fedcba","token":["k1:10d903cdc5bdc4d51e5a8a710e0b5e68","k1:e700218f8c14188abcaa4f141ec11a99"],"shown":"oQrs********************9999"}}`
	why  = `{"rule_set":"0123456789ab","settings":"ba9876543210","results":"h--?-----------------------","why":["no refund_route"],"changes":["If the payment account references (PAR) of both were known and equal, the recipient would be equivalent.","若双方的支付账户参考号（PAR）已知且相同，则视为同一账户。"]}`
)

// texts are texts of every shape that the layout has a place for.
func texts() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 3000)
	for i := range random {
		random[i] = byte(rng.UintN(256))
	}
	list := map[string][]byte{
		"empty": {}, "one byte": {'{'}, "the mark alone": {mark}, "the mark and more": append([]byte{mark}, sale...),
		"a sale": []byte(sale), "an explanation": []byte(why), "random": random, "the mark and random": append([]byte{mark}, random...),
		"one byte many times": bytes.Repeat([]byte{'7'}, 5000), "the dictionary": []byte(dictionary), "the dictionary twice": []byte(dictionary + dictionary),
		"longest": bytes.Repeat([]byte(sale), longest/len(sale)), "longer": bytes.Repeat([]byte("x"), longest+1),
		"the mark and longer": append([]byte{mark}, bytes.Repeat([]byte(sale), 200)...),
	}
	for n := range 300 { // every length of literals and of matches around what a token holds
		list[fmt.Sprint("random and dictionary ", n)] = append(bytes.Clone(random[:n]), dictionary[7*n:7*n+n]...)
	}
	return list
}

func TestEveryTextComesBack(t *testing.T) {
	for name, text := range texts() {
		before := []byte("before")
		stored := Append(before, text)
		got, err := Text([]byte("there"), stored[len(before):])
		if err != nil || string(got) != "there"+string(text) || !bytes.HasPrefix(stored, before) {
			t.Errorf("%s: %v, %d bytes of %d", name, err, len(got), len(text))
		}
		if packed := stored[len(before):]; len(packed) > len(text) && (len(text) == 0 || text[0] != mark) {
			t.Errorf("%s: %d bytes are packed in %d", name, len(text), len(packed))
		}
	}
}

// TestRowsBecomeSmall: what a row of a store becomes; a text of values that no dictionary can
// know, which are half of a sale.
func TestRowsBecomeSmall(t *testing.T) {
	for text, most := range map[string]int{sale: len(sale) * 55 / 100, why: len(why) / 3} {
		if n := len(Append(nil, []byte(text))); n > most {
			t.Errorf("%d of %d bytes, want at most %d", n, len(text), most)
		}
	}
}

// TestTheDictionaryIsTheOneThatStoresHave: with another one no row of any store could be read.
func TestTheDictionaryIsTheOneThatStoresHave(t *testing.T) {
	sum := sha256.Sum256([]byte(dictionary))
	if got := hex.EncodeToString(sum[:]); got != "9897ea5a58454d7d96cab55943f9579d843d55df6b4237748e27de7826a1906d" {
		t.Errorf("dictionary1.txt is %s: a new dictionary is a new number", got)
	}
	// A row as version 1 of the layout has it: its bytes never mean anything else.
	stored, err := hex.DecodeString("019d046f7b2276223a318b00120c23082d3030a000b038313233343536373839300a000d580121323001001a318f022f303703021e4f34323030710105f108323032362d30382d32335430393a30303a30302b30383aaf0003e202503030343731860004e7020097002a31325e0110414900613038323330391f001731a7000370010087000039002433342c00000c000201010f4302020fbc0609f8037778393837363534333231306665646362616e02f0146b313a31306439303363646335626463346435316535613861373130653062356536385202f813313a653730303231386638633134313838616263616134663134316563313161393931045f6f5172732a0100007039393939227d7d")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Text(nil, stored); err != nil || string(got) != sale {
		t.Errorf("%v: %s", err, got)
	}
}

func TestTheDictionaryHasNoValueOfATerminal(t *testing.T) {
	for _, bad := range []string{"8983101533", "wx0123", "k1:", "oAbc", "****"} {
		if strings.Contains(dictionary, bad) {
			t.Errorf("it has %q", bad)
		}
	}
}

// TestWhatIsDamagedIsNotAText: each byte cut off, and places that point out of the text.
func TestWhatIsDamagedIsNotAText(t *testing.T) {
	stored := Append(nil, []byte(sale))
	for n := 1; n < len(stored); n++ {
		if got, err := Text(nil, stored[:n]); !errors.Is(err, ErrPacked) || len(got) > 0 {
			t.Fatalf("the first %d bytes are %q, %v", n, got, err)
		}
	}
	for name, b := range map[string][]byte{
		"no length":              {mark},
		"a length without end":   {mark, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"longer than any text":   binary.AppendUvarint([]byte{mark}, longestMade+1),
		"no sequence":            {mark, 0},
		"more than its length":   {mark, 1, 0x20, 'a', 'b'},
		"less than its length":   {mark, 3, 0x20, 'a', 'b'},
		"half an offset":         {mark, 9, 0x10, 'a', 1},
		"an offset of 0":         {mark, 9, 0x14, 'a', 0, 0, 0},
		"behind the dictionary":  {mark, 5, 0x10, 'a', 0xff, 0xff, 0},
		"a match behind the end": {mark, 4, 0x1f, 'a', 1, 0, 255, 255, 0, 0},
		"literals without end":   append([]byte{mark, 100, 0xf0}, bytes.Repeat([]byte{255}, 100)...),
		"nothing behind a match": {mark, 5, 0x10, 'a', 1, 0},
	} {
		if got, err := Text(nil, b); !errors.Is(err, ErrPacked) || len(got) > 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range []string{sale, why, "", "{}", strings.Repeat("ab", 300)} {
		f.Add(Append(nil, []byte(text)))
		f.Add([]byte(text))
	}
	f.Add([]byte{mark, 9, 0x14, 'a', 1, 0, 0x10, 'b'})
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := Text(nil, b)
		if err != nil {
			if len(text) > 0 {
				t.Errorf("%d bytes of what is damaged", len(text))
			}
			return
		}
		if again, err := Text(nil, Append(nil, text)); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q comes back as %q, %v", text, again, err)
		}
		if again, err := Text(nil, Append(nil, b)); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q comes back as %q, %v", b, again, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	var room []byte
	b.ReportAllocs()
	for b.Loop() {
		room = Append(room[:0], []byte(sale))
	}
}

func BenchmarkText(b *testing.B) {
	var room []byte
	stored := Append(nil, []byte(sale))
	b.ReportAllocs()
	for b.Loop() {
		room, _ = Text(room[:0], stored)
	}
}
