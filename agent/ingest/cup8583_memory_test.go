package ingest_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// frames returns the data of the good frames of a capture.
func frames(b []byte) [][]byte {
	s := frame.NewSTX()
	s.Push(b)
	var out [][]byte
	for {
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			out = append(out, bytes.Clone(f.Data))
		}
		if !s.Pending() {
			return out
		}
		s.GiveUp()
	}
}

// offer is raw for messages that may be refused.
func (c *cupTalk) offer(b []byte) {
	s, _ := c.wire.Frame(frame.Frame{Data: b, Raw: b}, c.clock)
	c.take(s)
}

// stored returns the records so far as the store keeps them.
func (c *cupTalk) stored() []string {
	var out []string
	for _, d := range c.got {
		out = append(out, fmt.Sprint(sealedJSON(d.Record, hmacTokens{[]byte("key")}), d.AtFromClock))
	}
	return out
}

// TestCupRestartAnywhereChangesNothing: the records with a restart at any place of any
// vector are the same as without, and as with everything kept in clear.
func TestCupRestartAnywhereChangesNothing(t *testing.T) {
	for _, v := range loadVectors(t, "cup8583") {
		messages := frames(v.bytes)
		run := func(sealed bool, at int) []string {
			c := talk(t, sealed)
			c.clock.Now = v.now
			for i, b := range messages {
				if i == at {
					c.restart()
				}
				c.offer(b)
			}
			return c.end().stored()
		}
		want := run(false, -1)
		for at := -1; at <= len(messages); at++ {
			if d := cmp.Diff(want, run(true, at)); d != "" {
				t.Fatalf("%s, restart before message %d: without -, with +\n%s", v.name, at, d)
			}
		}
	}
}

// TestCupRestartsWhileTimePasses does the same with random conversations in which time
// passes: one wire that lives, one that is made again at random, one that is never asked
// for what is due but when a message comes.
func TestCupRestartsWhileTimePasses(t *testing.T) {
	for seed := range uint64(40) {
		var logs [3][]string
		for i := range logs {
			rng := rand.New(rand.NewPCG(seed, 7))
			c := talk(t, true)
			for range 60 {
				c.clock.Now = c.clock.Now.Add(time.Duration(rng.IntN(40)) * time.Second)
				if rng.IntN(40) == 0 {
					c.clock.Now = c.clock.Now.Add(time.Duration(rng.IntN(30)) * time.Hour)
				}
				again := rng.IntN(5) == 0
				if i == 1 && again {
					c.restart()
				}
				if i < 2 {
					c.pass(0)
				}
				mti, f := randomMessage(rng)
				c.send(mti, f)
			}
			logs[i] = c.end().stored()
		}
		for i := 1; i < 3; i++ {
			if d := cmp.Diff(logs[0], logs[i]); d != "" {
				t.Fatalf("seed %d, way %d:\n%s", seed, i, d)
			}
		}
	}
}

// randomMessage draws from few numbers, so that messages meet.
func randomMessage(rng *rand.Rand) (string, fields) {
	mti := []string{"0200", "0220", "0400", "0320", "0500"}[rng.IntN(5)]
	f := saleRequest()
	if mti == "0220" || mti == "0320" {
		f = refundRequest()
	}
	f = f.with(fields{"11": fmt.Sprintf("%06d", 101+rng.IntN(4)), "4": fmt.Sprintf("%012d", 1000+rng.IntN(2))})
	if rng.IntN(4) == 0 {
		f = f.with(fields{"60": []string{"", f["60"][:2] + "000008", f["60"][:2]}[rng.IntN(3)]})
	}
	if rng.IntN(4) == 0 {
		f = f.with(fields{"55": []string{"9F190101", "9F240454455354", "5A0A6205500000000000004F"}[rng.IntN(3)]})
	}
	if rng.IntN(3) == 0 {
		f = f.with(fields{"2": ""})
	}
	if rng.IntN(2) == 0 {
		return mti, f
	}
	f = f.with(fields{"12": "101530", "13": "0822", "22": "", "37": fmt.Sprintf("%012d", rng.IntN(3)), "39": []string{"00", "51", "98", ""}[rng.IntN(4)]})
	return mti[:2] + string(mti[2]+1) + mti[3:], f
}

// TestCupMemoryHoldsNoCardData: of all vectors and of a talk with everything in it,
// what was ever stored holds no card number, track, PIN block, expiry or PAR, in clear,
// as hexadecimal text or in bytes, and no plain digest of a message.
func TestCupMemoryHoldsNoCardData(t *testing.T) {
	secrets := []string{"6200000000000005", "6205500000000000004", "6205510000000008", "D30121", "1F2E3D4C5B6A7988", "TSTPARPAR"}
	check := func(name string, c *cupTalk) {
		text := c.memory.text.String()
		if !strings.Contains(text, "620000******0005") && !strings.Contains(text, "620550*********0004") {
			return
		}
		for _, s := range secrets {
			packed, _ := hex.DecodeString(s + strings.Repeat("0", len(s)%2))
			for _, form := range []string{s, hex.EncodeToString([]byte(s)), string(packed)} {
				if form != "" && strings.Contains(strings.ToUpper(text), strings.ToUpper(form)) {
					t.Errorf("%s: %s… is in the memory", name, s[:6])
				}
			}
		}
	}
	for _, v := range loadVectors(t, "cup8583") {
		c := talk(t, true)
		for _, b := range frames(v.bytes) {
			c.offer(b)
		}
		check(v.name, c.end())
	}
	c := talk(t, true)
	c.send("0220", refundRequest().with(fields{"14": "3012", "35": "6205500000000000004D3012101000", "52": "1F2E3D4C5B6A7988",
		"55": "5A0A6205500000000000004F" + "57086200000000000005" + "9F2409" + hex.EncodeToString([]byte("TSTPARPAR"))}))
	if c.memory.text.Len() == 0 {
		t.Fatal("nothing is stored")
	}
	check("everything", c.send("0230", refundAnswer()))
}

// TestCupMemoryWithoutATokenizer: card data does not go into it at all, not even as
// masked text; a wire made again forgets the party and notes that.
func TestCupMemoryWithoutATokenizer(t *testing.T) {
	c := talk(t, false).send("0200", saleRequest())
	if text := c.memory.text.String(); strings.Contains(text, "620000") || strings.Contains(text, "party") {
		t.Error("the memory holds a party")
	}
	c.restart()
	c.send("0210", saleAnswer().with(fields{"2": ""}))
	c.expect("approved -", "outcome", "party.shown")
	if len(c.ignored) != 1 {
		t.Errorf("counted: %q", c.ignored)
	}
}

// TestCupMemoryEmptiesItself: nothing stays for ever.
func TestCupMemoryEmptiesItself(t *testing.T) {
	c := talk(t, true)
	for i := range 30 {
		f := fields{"11": fmt.Sprintf("%06d", i)}
		c.send("0200", saleRequest().with(f))
		if i%3 > 0 {
			c.send("0210", saleAnswer().with(f))
		}
		if i%3 > 1 {
			c.send("0210", saleAnswer().with(f).with(fields{"39": "11"}))
		}
	}
	c.pass(time.Minute)
	c.pass(24 * time.Hour)
	c.restart() // what has expired is gone
	if n := len(c.memory.values); n != 0 {
		t.Errorf("%d values are left: %v", n, keys(c.memory.values))
	}
}

func keys(m map[string][]byte) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// TestCupMemoryIsBounded: one number used over and over cannot make a value grow.
func TestCupMemoryIsBounded(t *testing.T) {
	c := talk(t, true)
	largest := 0
	for i := range 100 {
		c.send("0200", saleRequest().with(fields{"4": fmt.Sprintf("%012d", i+1)}))
		c.send("0210", saleAnswer().with(fields{"37": fmt.Sprintf("%012d", i+1)}))
		c.send("0210", saleAnswer().with(fields{"37": fmt.Sprintf("%012d", i+1), "39": "11"}))
		for _, v := range c.memory.values {
			largest = max(largest, len(v))
		}
	}
	if largest > 40<<10 {
		t.Errorf("%d bytes under one key", largest)
	}
	if len(c.got) != 200 {
		t.Errorf("%d records", len(c.got))
	}
}

// TestCupDamagedMemory: values that are no values neither stop the wire nor make
// records.
func TestCupDamagedMemory(t *testing.T) {
	for _, damage := range []string{"", "x", "[]", "[{}]", `[{"mti":"0200","place":1,"record":7}]`, `[{"mti":"0200","place":1,"record":{"kind":7}}]`, "\x00\x00\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		for _, prefix := range []string{"talk", "wait", "queue"} {
			c := talk(t, true).send("0200", saleRequest())
			for k := range c.memory.values {
				if strings.HasPrefix(k, prefix) {
					c.memory.values[k] = []byte(damage)
				}
			}
			if prefix == "queue" && len(damage) == 16 {
				continue // a queue of 2^63 places is not what damage to a database makes
			}
			c.restart()
			c.pass(time.Hour)
			c.send("0200", saleRequest().with(fields{"11": "000102"})).send("0210", saleAnswer().with(fields{"11": "000102"})).end()
			if n := len(c.got); n < 1 || n > 2 {
				t.Errorf("%s as %q: %s", prefix, damage, c.lines("stan", "outcome"))
			}
		}
	}
}

// TestCupKeyRotationWhileWaiting: a repeat and an answer are known by the old key.
func TestCupKeyRotationWhileWaiting(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest())
	c.options = []ingest.WireOption{ingest.WithTokenizer(twoKeys{})}
	c.restart()
	c.send("0200", saleRequest()).send("0210", saleAnswer()).end()
	c.expect("approved", "outcome")
}

// twoKeys has a new key, and the one of hmacTokens besides.
type twoKeys struct{}

func (twoKeys) Tokens(label, clear string) []string {
	return append(hmacTokens{[]byte("new")}.Tokens(label, clear), hmacTokens{[]byte("key")}.Tokens(label, clear)...)
}

// TestCupEveryBitFlipped flips every bit of every message of a vector that pairs: the
// message is refused, or what comes out is whole. Errors show none of its bytes.
func TestCupEveryBitFlipped(t *testing.T) {
	request, answer := cupBytes(t, "0220", refundRequest().with(fields{"55": "5A0A6205500000000000004F", "59": "A4003777"})), cupBytes(t, "0230", refundAnswer())
	base := talk(t, true)
	for which, good := range [][]byte{request, answer} {
		for bit := range 8 * len(good) {
			bad := bytes.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			c := base.anew(t)
			pair := [][]byte{request, answer}
			pair[which] = bad
			refused := 0
			for _, b := range pair {
				s, err := c.wire.Frame(frame.Frame{Data: b, Raw: b}, c.clock)
				c.take(s)
				if err != nil {
					refused++
					if strings.Contains(err.Error(), "620550") || strings.Contains(err.Error(), "2608") {
						t.Fatalf("bit %d: the error shows bytes", bit)
					}
				}
			}
			c.end()
			if len(c.got) > 2 || refused == 0 && len(c.got) == 0 && bit/8 > 40 && c.ignored == nil {
				t.Fatalf("bit %d of %d: %d records, %d refused", bit, which, len(c.got), refused)
			}
			for _, d := range c.got {
				cupPlausible(t, d.Record)
			}
		}
	}
}

// cupPlausible looks at what no bytes may make.
func cupPlausible(t *testing.T, r refund.Record) {
	t.Helper()
	if r.Kind == "" || r.Outcome == "" || r.Kind == "ignored" || r.Amount < 0 || r.Amount > 999_999_999_999 {
		t.Fatalf("a record without kind or outcome, or an impossible amount: %+v", r)
	}
	if _, ok := r.Time(); !ok {
		t.Fatalf("at is no time: %q", r.At)
	}
	settles := r.Kind == refund.KindSettlement
	if settles != (r.Channel == "") || settles && (r.Entry != "" || r.Party != nil || r.ResponseCode != "") || !settles && r.Totals != nil {
		t.Fatalf("what only a settlement has, or has not: %+v", r)
	}
	if p := r.Party; p != nil && p.ID.Empty() && len(p.Tokens) == 0 && p.PAR.Empty() && len(p.PARTokens) == 0 {
		t.Fatal("a party that says nothing")
	}
}

// FuzzCup: no bytes make the wire panic, and every record is whole.
func FuzzCup(f *testing.F) {
	for _, v := range loadVectors(f, "cup8583") {
		f.Add(v.bytes, uint16(3))
	}
	base := talk(f, true)
	f.Fuzz(func(t *testing.T, capture []byte, restart uint16) {
		c := base.anew(t)
		for i, b := range frames(capture) {
			if i == int(restart) {
				c.restart()
			}
			c.offer(b)
			if i%16 == 15 {
				c.pass(30 * time.Second)
			}
		}
		for _, d := range c.end().got {
			cupPlausible(t, d.Record)
			sealed := refund.Seal(d.Record, hmacTokens{[]byte("key")})
			if _, err := refund.DecodeStored(refund.EncodeStored(nil, &sealed)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// BenchmarkCupPair is a request and its response, from bytes to the record, with the
// memory of a store that answers at once.
func BenchmarkCupPair(b *testing.B) {
	c := talk(b, true)
	request, answer := cupBytes(b, "0200", saleRequest()), cupBytes(b, "0210", saleAnswer())
	b.ReportAllocs()
	for b.Loop() {
		c.raw(request).raw(answer)
		if len(c.got) != 1 {
			b.Fatalf("%d records", len(c.got))
		}
		c.got, c.ignored = c.got[:0], c.ignored[:0]
		clear(c.memory.values)
		c.memory.text.Reset()
	}
}
