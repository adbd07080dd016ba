package ingest_test

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// fields of one message by number: digits as text, binary values as hexadecimal text.
// "head" changes the fifth digit of HEAD.
type fields map[string]string

// with returns f changed by more; an empty value takes a field out.
func (f fields) with(more fields) fields {
	g := fields{}
	for _, m := range []fields{f, more} {
		for k, v := range m {
			if g[k] = v; v == "" {
				delete(g, k)
			}
		}
	}
	return g
}

// cupBytes packs a message by hand, not with the codec that is tested.
func cupBytes(t testing.TB, mti string, f fields) []byte {
	t.Helper()
	head := "603200320000"
	if f["head"] != "" {
		head = "6032" + f["head"] + "0320000"
	}
	var bitmap [8]byte
	var numbers []int
	for name := range f {
		if n, err := strconv.Atoi(name); err == nil {
			bitmap[(n-1)/8] |= 0x80 >> ((n - 1) % 8)
			numbers = append(numbers, n)
		}
	}
	sort.Ints(numbers)
	out := "6000030000" + head + mti + fmt.Sprintf("%X", bitmap[:])
	even := func(s string) string { return s + strings.Repeat("0", len(s)%2) }
	for _, n := range numbers {
		v := f[strconv.Itoa(n)]
		switch n {
		case 2, 32, 35:
			out += fmt.Sprintf("%02d", len(v)) + even(v)
		case 36, 48, 60, 61:
			out += fmt.Sprintf("%04d", len(v)) + even(v)
		case 23:
			out += "0" + v
		case 37, 38, 39, 41, 42, 49:
			out += fmt.Sprintf("%X", v)
		case 55:
			out += fmt.Sprintf("%04d", len(v)/2) + v
		case 59, 63:
			out += fmt.Sprintf("%04d%X", len(v), v)
		default:
			out += even(v)
		}
	}
	b, err := hex.DecodeString(out)
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return b
}

// The messages that most tests begin with.
func saleRequest() fields {
	return fields{"2": "6200000000000005", "3": "000000", "4": "000000001000", "11": "000101", "22": "051", "25": "00",
		"41": "10000001", "42": "898000000000001", "49": "156", "60": "22000007000600", "64": "3546313537423431"}
}

func saleAnswer() fields {
	return saleRequest().with(fields{"12": "101530", "13": "0822", "22": "", "37": "260822000101", "39": "00"})
}

func refundRequest() fields {
	return saleRequest().with(fields{"2": "6205500000000000004", "3": "200000", "4": "000000000500", "11": "000102", "22": "012",
		"37": "260822000101", "60": "25000007000600", "61": "0000000000000822"})
}

func refundAnswer() fields {
	return refundRequest().with(fields{"12": "111530", "13": "0822", "22": "", "37": "260822000102", "39": "00", "61": ""})
}

// cupMemory is what a store would keep for a wire.
type cupMemory struct {
	values  map[string][]byte
	expires map[string]time.Time
	text    strings.Builder // everything that was ever stored
}

func (m *cupMemory) Get(key string) ([]byte, bool) {
	v, ok := m.values[key]
	return v, ok
}

func (m *cupMemory) Remember(changes []refund.MemoryChange) {
	for _, c := range changes {
		if c.Value == nil {
			delete(m.values, c.Key)
			continue
		}
		m.values[c.Key], m.expires[c.Key] = append([]byte(nil), c.Value...), c.Expires
		m.text.WriteString(c.Key + "=" + string(c.Value) + "\n")
	}
}

// cupTalk is one conversation with a wire.
type cupTalk struct {
	t       testing.TB
	wire    ingest.Wire
	profile ingest.Profile
	memory  *cupMemory
	options []ingest.WireOption
	clock   ingest.Clock
	got     []ingest.Decoded
	ignored []string
	leftOut []ingest.LeftOut
}

var cupStart = time.Date(2026, 8, 23, 12, 0, 0, 0, time.FixedZone("", 8*3600))

// talk begins a conversation on a profile with the lines of file. Card data is kept as
// tokens if sealed.
func talk(t testing.TB, sealed bool, file ...string) *cupTalk {
	t.Helper()
	p, err := ingest.LoadProfile("cup8583", []byte(strings.Join(file, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	c := &cupTalk{t: t, profile: p, clock: ingest.Clock{Now: cupStart, HasNow: true, Synced: true, Zone: ingest.DefaultZone()},
		memory: &cupMemory{values: map[string][]byte{}, expires: map[string]time.Time{}}}
	if sealed {
		c.options = append(c.options, ingest.WithTokenizer(hmacTokens{[]byte("key")}))
	}
	c.restart()
	return c
}

// again returns a conversation on the same profile that has no message yet.
func (c *cupTalk) anew(t testing.TB) *cupTalk {
	n := &cupTalk{t: t, profile: c.profile, clock: c.clock, options: c.options,
		memory: &cupMemory{values: map[string][]byte{}, expires: map[string]time.Time{}}}
	n.restart()
	return n
}

// restart makes a new wire that finds what the memory holds, less what has expired.
func (c *cupTalk) restart() {
	for k, at := range c.memory.expires {
		if !at.IsZero() && !at.After(c.clock.Now) {
			delete(c.memory.values, k)
		}
	}
	w, err := ingest.NewWire("cup8583", c.profile, c.memory, c.options...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wire = w
}

func (c *cupTalk) take(s ingest.Step) int {
	for _, d := range s.Records {
		d.Raw = append([]byte(nil), d.Raw...)
		c.got = append(c.got, d)
	}
	c.leftOut = append(c.leftOut, s.LeftOut...)
	if s.Ignored != "" {
		c.ignored = append(c.ignored, s.Ignored)
	}
	return len(s.Records)
}

func (c *cupTalk) send(mti string, f fields) *cupTalk { return c.raw(cupBytes(c.t, mti, f)) }

func (c *cupTalk) raw(b []byte) *cupTalk {
	c.t.Helper()
	s, err := c.wire.Frame(frame.Frame{Data: b, Raw: b}, c.clock)
	if err != nil {
		c.t.Fatal(err)
	}
	c.take(s)
	return c
}

// pass lets time go by and returns the wire's next time.
func (c *cupTalk) pass(d time.Duration) time.Time {
	c.clock.Now = c.clock.Now.Add(d)
	s, next := c.wire.Due(c.clock)
	c.take(s)
	return next
}

func (c *cupTalk) end() *cupTalk { c.take(c.wire.End(c.clock)); return c }

// lines returns the records so far as text: the members a test asks for.
func (c *cupTalk) lines(members ...string) string {
	var out []string
	for _, d := range c.got {
		m := actual(d.Record, nil)
		var part []string
		for _, name := range members {
			v, _ := m[name]
			if inner, ok := m[strings.Split(name, ".")[0]].(map[string]any); ok && strings.Contains(name, ".") {
				v = inner[strings.Split(name, ".")[1]]
			}
			if v != nil {
				part = append(part, fmt.Sprint(v))
			} else {
				part = append(part, "-")
			}
		}
		out = append(out, strings.Join(part, " "))
	}
	return strings.Join(out, "; ")
}

func (c *cupTalk) expect(want string, members ...string) {
	c.t.Helper()
	if got := c.lines(members...); got != want {
		c.t.Errorf("%s\n got %s\nwant %s\n(ignored: %q)", strings.Join(members, " "), got, want, c.ignored)
	}
}

// TestCupRequestAndResponseAreOneRecord and the tests below it take wires.md,
// cup8583, sentence by sentence.
func TestCupRequestAndResponseAreOneRecord(t *testing.T) {
	c := talk(t, false).send("0200", saleRequest()).send("0210", saleAnswer().with(fields{"2": "", "4": "", "49": "", "38": "123456"})).end()
	if len(c.got) != 1 {
		t.Fatalf("%d records", len(c.got))
	}
	want := `{"amount":1000,"at":"2026-08-22T10:15:30+08:00","auth_code":"123456","batch":"000007","channel":"card","currency":"CNY","entry":"chip",` +
		`"kind":"sale","merchant_id":"898000000000001","outcome":"approved","party":{"id":"6200000000000005","scheme":"pan","shown":"620000******0005"},` +
		`"response_code":"00","rrn":"260822000101","stan":"000101","terminal_id":"10000001"}`
	if got := mustJSON(actual(c.got[0].Record, nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCupTheyPairByTerminalMerchantStanTypeAndBatch(t *testing.T) {
	for _, c := range []struct {
		name, mti string
		answer    fields
		pairs     bool
	}{
		{"as it is", "0210", nil, true},
		{"another terminal", "0210", fields{"41": "10000002"}, false},
		{"another merchant", "0210", fields{"42": "898000000000002"}, false},
		{"another STAN", "0210", fields{"11": "000999"}, false},
		{"another type", "0410", nil, false},
		{"another batch", "0210", fields{"60": "22000008000600"}, false},
		{"the answer has no batch", "0210", fields{"60": "22"}, true},
		{"the answer has no F60", "0210", fields{"60": ""}, true},
		{"trailing spaces", "0210", nil, true},
	} {
		x := talk(t, false).send("0200", saleRequest()).send(c.mti, saleAnswer().with(c.answer)).end()
		if pairs := len(x.got) == 1; pairs != c.pairs {
			t.Errorf("%s: %s", c.name, x.lines("kind", "outcome"))
		}
	}
	c := talk(t, false).send("0200", saleRequest().with(fields{"60": "22"})).send("0210", saleAnswer()).end()
	c.expect("approved 000007", "outcome", "batch")
}

func TestCupF39GivesTheOutcome(t *testing.T) {
	for code, want := range map[string]string{"00": "approved", "11": "approved", "16": "approved", "A2": "approved", "A4": "approved",
		"A5": "approved", "A6": "approved", "68": "unknown", "98": "unknown", "51": "declined", "A1": "declined", "10": "declined", "25": "declined", "": "unknown"} {
		code39 := code
		if code == "" {
			code39 = "-"
		}
		talk(t, false).send("0200", saleRequest().with(fields{"39": "77"})).send("0210", saleAnswer().with(fields{"39": code})).end().
			expect(want+" "+code39, "outcome", "response_code")
	}
	for code, want := range map[string]string{"00": "approved", "12": "approved", "25": "approved", "11": "declined", "96": "declined", "98": "unknown", "": "unknown"} {
		talk(t, false).send("0400", saleRequest()).send("0410", saleAnswer().with(fields{"39": code})).end().expect(want, "outcome")
	}
}

func TestCupNoResponseWithinTheTimeout(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest())
	if next := c.pass(59 * time.Second); len(c.got) != 0 || !next.Equal(cupStart.Add(time.Minute)) {
		t.Fatalf("%d records, next %v", len(c.got), next)
	}
	if next := c.pass(time.Second); !next.IsZero() {
		t.Errorf("next %v", next)
	}
	c.expect("unknown - 2026-08-23T12:00:00+08:00", "outcome", "response_code", "at")
	if d := c.got[0]; !d.AtFromClock {
		t.Error("the time is not marked as that of reception")
	}
	c.pass(time.Hour)
	c.send("0210", saleAnswer())
	c.expect("sale unknown -; sale approved 260822000101", "kind", "outcome", "rrn")
	c.end()
	if len(c.got) != 2 {
		t.Errorf("%d records", len(c.got))
	}
}

func TestCupTimeIsOverWhenTheAnswerComesLaterEvenIfNobodyAsked(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest())
	c.clock.Now = c.clock.Now.Add(2 * time.Minute)
	c.restart()
	c.send("0210", saleAnswer())
	c.expect("unknown 2026-08-23T12:00:00+08:00; approved 2026-08-22T10:15:30+08:00", "outcome", "at")
}

func TestCupTimeoutIsOfTheProfile(t *testing.T) {
	c := talk(t, true, "response_timeout = 5").send("0200", saleRequest())
	c.pass(5 * time.Second)
	c.expect("unknown", "outcome")
}

func TestCupClockThatWasSetBack(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest())
	if next := c.pass(-30 * time.Second); next.IsZero() || len(c.got) != 0 {
		t.Errorf("a small step back: %d records, next %v", len(c.got), next)
	}
	c.pass(-48 * time.Hour)
	c.expect("unknown", "outcome")
}

func TestCupTimeOfAClockNobodyTrusted(t *testing.T) {
	c := talk(t, true)
	c.clock.Synced = false
	c.send("0200", saleRequest())
	c.clock.Synced = true
	c.pass(24 * time.Hour)
	c.expect("2026-08-24T12:00:00+08:00", "at")
}

func TestCupReversalEndsTheWaiting(t *testing.T) {
	for _, c := range []struct {
		name           string
		waits, reverse fields
		want           string
	}{
		{"same numbers", nil, nil, "sale unknown 000007; reversal unknown 000007"},
		{"no batch in the reversal: that of the sale", nil, fields{"60": "22"}, "sale unknown 000007; reversal unknown 000007"},
		{"no batch in the sale", fields{"60": "22"}, nil, "sale unknown -; reversal unknown 000007"},
		{"another batch", nil, fields{"60": "22000009000600"}, "sale unknown 000007; reversal unknown 000009"},
	} {
		x := talk(t, true).send("0200", saleRequest().with(c.waits)).send("0400", saleRequest().with(fields{"39": "98"}).with(c.reverse))
		before := len(x.got)
		x.end()
		if got := x.lines("kind", "outcome", "batch"); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		if ends := before == 1; ends != (c.name != "another batch") {
			t.Errorf("%s: %d records before the end", c.name, before)
		}
	}
	// Not of an answered one, and a refund's too.
	c := talk(t, true).send("0200", saleRequest()).send("0210", saleAnswer()).send("0400", saleRequest()).send("0410", saleAnswer())
	c.expect("sale approved; reversal approved", "kind", "outcome")
	c = talk(t, true).send("0220", refundRequest()).send("0400", refundRequest().with(fields{"37": ""})).send("0410", refundAnswer()).send("0230", refundAnswer())
	c.expect("refund unknown -; reversal approved 00; refund approved 00", "kind", "outcome", "response_code")
}

func TestCupSameBytesThatWaitAreARepeat(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest()).send("0200", saleRequest()).send("0210", saleAnswer()).end()
	c.expect("approved", "outcome")
}

func TestCupSameKeyOtherBytesEndsTheWaitingOfTheFirst(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest()).send("0200", saleRequest().with(fields{"4": "000000001100"}))
	c.expect("unknown 1000", "outcome", "amount")
	c.send("0210", saleAnswer().with(fields{"4": ""})).end()
	c.expect("unknown 1000; approved 1100", "outcome", "amount")
}

func TestCupSameKeyInAnotherBatchWaitsOnItsOwn(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest()).send("0200", saleRequest().with(fields{"60": "22000008000600"}))
	c.send("0210", saleAnswer().with(fields{"60": "22000008000600"})).send("0210", saleAnswer()).end()
	c.expect("000008; 000007", "batch")
}

func TestCupAnswersThatComeAgain(t *testing.T) {
	c := talk(t, true).send("0200", saleRequest()).send("0210", saleAnswer()).send("0210", saleAnswer())
	c.expect("approved", "outcome")
	if len(c.leftOut) != 1 || c.leftOut[0] != ingest.LeftOutRepeat {
		t.Errorf("counted: %q", c.leftOut)
	}
	c.send("0210", saleAnswer().with(fields{"39": "51", "22": "", "2": ""})).end()
	c.expect("approved chip 620000******0005; declined chip 620000******0005", "outcome", "entry", "party.shown")
	c.send("0210", saleAnswer()).send("0210", saleAnswer().with(fields{"39": "51", "22": "", "2": ""}))
	if len(c.got) != 2 {
		t.Errorf("%d records", len(c.got))
	}
}

func TestCupRequestsAreRememberedFor24Hours(t *testing.T) {
	short := fields{"2": "", "3": "", "4": "", "25": "", "49": "", "60": ""}
	c := talk(t, true).send("0200", saleRequest())
	c.pass(24*time.Hour - time.Second)
	c.restart()
	c.send("0210", saleAnswer().with(short))
	c.expect("unknown 1000; approved 1000", "outcome", "amount")
	c = talk(t, true).send("0200", saleRequest())
	c.pass(24*time.Hour - time.Second)
	c.clock.Now = c.clock.Now.Add(time.Second)
	c.send("0210", saleAnswer().with(short)) // its kind is not known alone
	c.send("0210", saleAnswer().with(fields{"4": "000000000007"}))
	c.expect("unknown 1000 chip; approved 7 -", "outcome", "amount", "entry")
}

func TestCupResponseWithoutARequest(t *testing.T) {
	for _, c := range []struct {
		name, mti string
		f         fields
		want      string
	}{
		{"all there", "0210", nil, "sale"},
		{"without F60.1", "0210", fields{"60": ""}, "sale"},
		{"without F3", "0210", fields{"3": ""}, "sale"},
		{"without F25: sale or completion", "0210", fields{"25": "", "60": ""}, ""},
		{"without F25, with F60.1", "0210", fields{"25": ""}, "sale"},
		{"nothing to tell by", "0210", fields{"3": "", "25": "", "60": ""}, ""},
		{"void", "0210", fields{"3": "200000", "60": ""}, "void"},
		{"preauth", "0110", fields{"3": "030000", "25": "06", "60": ""}, "preauth"},
		{"preauth family", "0110", fields{"3": "", "25": "06", "60": ""}, ""},
		{"refund", "0230", fields{"3": "200000", "60": "25000007"}, "refund"},
		{"offline refund", "0230", fields{"3": "200000", "60": "27000007"}, "refund"},
		{"completion", "0230", fields{"25": "06", "60": "24000007"}, "completion"},
		{"adjust", "0230", fields{"60": "34000007"}, "adjust"},
		{"offline sale", "0230", fields{"60": "30000007"}, ""},
		{"offline sale", "0230", fields{"60": "32000007"}, ""},
		{"0230 alone", "0230", fields{"3": "200000", "60": ""}, ""},
		{"balance", "0210", fields{"3": "310000", "60": "01000007"}, ""},
		{"reversal", "0410", fields{"3": "", "25": "", "60": ""}, "reversal"},
		{"upload", "0330", fields{"3": "200000", "60": "25000007"}, "refund"},
		{"upload of cards", "0330", fields{"3": "", "25": "", "60": "00000007201"}, ""},
		{"upload alone", "0330", fields{"60": ""}, ""},
		{"signing on", "0810", fields{"60": "00000007003"}, ""},
		{"a script's result", "0630", fields{"60": "00000007951"}, ""},
	} {
		x := talk(t, true).send(c.mti, saleAnswer().with(c.f)).send(c.mti, saleAnswer().with(c.f)).end()
		if got := x.lines("kind"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	x := talk(t, true).send("0210", saleAnswer()).send("0210", saleAnswer().with(fields{"39": "51"})).end()
	x.expect("approved; declined", "outcome")
}

func TestCupKinds(t *testing.T) {
	for _, c := range []struct{ mti, f3, f25, f60, want string }{
		{"0200", "000000", "00", "22", "sale"}, {"0200", "200000", "00", "23", "void"}, {"0220", "200000", "00", "25", "refund"},
		{"0220", "200000", "00", "27", "refund"}, {"0100", "030000", "06", "10", "preauth"}, {"0100", "200000", "06", "11", "preauth_void"},
		{"0200", "000000", "06", "20", "completion"}, {"0200", "200000", "06", "21", "completion_void"}, {"0220", "000000", "06", "24", "completion"},
		{"0200", "000000", "64", "22", "sale"}, {"0200", "200000", "64", "23", "void"}, {"0200", "000000", "65", "22", "sale"},
		{"0200", "310000", "00", "01", ""}, {"0220", "000000", "00", "30", ""}, {"0220", "000000", "00", "32", ""}, {"0220", "000000", "00", "34", "adjust"},
		{"0400", "000000", "00", "22", "reversal"}, {"0400", "200000", "06", "21", "reversal"}, {"0620", "000000", "00", "00", ""},
		{"0320", "000000", "00", "22", ""}, {"0320", "200000", "00", "25", "refund"}, {"0320", "000000", "06", "24", "completion"},
		{"0320", "000000", "00", "34", "adjust"}, {"0320", "200000", "00", "27", ""}, {"0800", "000000", "00", "00", ""}, {"0420", "000000", "00", "22", ""},
		{"0200", "000000", "00", "99", ""}, {"0200", "190000", "82", "22", ""},
	} {
		f := saleRequest().with(fields{"3": c.f3, "25": c.f25, "60": c.f60 + "000007"})
		x := talk(t, true).send(c.mti, f).end()
		if got := x.lines("kind"); got != c.want {
			t.Errorf("%v: got %q", c, got)
		}
	}
}

func TestCupTheResponseMayLackOrContradictTheKind(t *testing.T) {
	short := fields{"3": "", "25": "", "60": "", "4": "", "2": "", "49": ""}
	talk(t, true).send("0220", refundRequest()).send("0230", refundAnswer().with(short)).
		expect("refund approved 500 000007 keyed CNY 620550*********0004", "kind", "outcome", "amount", "batch", "entry", "currency", "party.shown")
	talk(t, true).send("0220", refundRequest()).send("0230", refundAnswer().with(fields{"60": "00000007"})).expect("refund", "kind")
}

func TestCupResponseCodeIsNeverTheRequests(t *testing.T) {
	talk(t, true).send("0400", saleRequest().with(fields{"39": "98"})).end().expect("unknown -", "outcome", "response_code")
	talk(t, true).send("0400", saleRequest().with(fields{"39": "98"})).send("0410", saleAnswer().with(fields{"39": ""})).expect("unknown -", "outcome", "response_code")
}

func TestCupAtIsTheResponsesF13AndF12(t *testing.T) {
	for _, c := range []struct{ f13, f12, now, want string }{
		{"0822", "101530", "2026-08-23T12:00:00+08:00", "2026-08-22T10:15:30+08:00"},
		{"0824", "101530", "2026-08-23T12:00:00+08:00", "2026-08-24T10:15:30+08:00"}, // tomorrow
		{"0825", "101530", "2026-08-23T12:00:00+08:00", "2025-08-25T10:15:30+08:00"},
		{"0101", "000001", "2026-12-31T23:59:59+08:00", "2027-01-01T00:00:01+08:00"},
		{"1231", "235959", "2027-01-01T00:00:01+08:00", "2026-12-31T23:59:59+08:00"},
		{"0229", "101530", "2026-08-23T12:00:00+08:00", "2024-02-29T10:15:30+08:00"},
		{"0229", "101530", "2028-02-28T12:00:00+08:00", "2028-02-29T10:15:30+08:00"},
		{"0230", "101530", "2026-08-23T12:00:00+08:00", "2026-08-23T12:00:00+08:00"},
		{"0822", "241530", "2026-08-23T12:00:00+08:00", "2026-08-23T12:00:00+08:00"},
		{"", "101530", "2026-08-23T12:00:00+08:00", "2026-08-23T12:00:00+08:00"},
		{"0822", "", "2026-08-23T12:00:00+08:00", "2026-08-23T12:00:00+08:00"},
		{"", "", "2026-08-23T12:00:00+08:00", "2026-08-23T12:00:00+08:00"},
	} {
		x := talk(t, true)
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		x.clock.Now = now
		x.send("0200", saleRequest().with(fields{"12": "010203", "13": "0404"})).send("0210", saleAnswer().with(fields{"13": c.f13, "12": c.f12}))
		if got := x.got[0]; got.Record.At != c.want || got.AtFromClock != (c.want == c.now) || got.YearFromClock == got.AtFromClock {
			t.Errorf("%s %s at %s: got %s, from the clock %t, its year %t", c.f13, c.f12, c.now, got.Record.At, got.AtFromClock, got.YearFromClock)
		}
		x.clock.HasNow = false
		x.send("0210", saleAnswer().with(fields{"13": "0230", "39": "11"}))
		if got := x.got[1]; got.Record.At != "" || got.AtFromClock {
			t.Errorf("without now: %q", got.Record.At)
		}
	}
}

func TestCupParty(t *testing.T) {
	const pan, odd, third = "6200000000000005", "6205500000000000004", "6205510000000008"
	track := func(pan string) string { return pan + "D30121010000000000" }
	for _, c := range []struct {
		name      string
		req, resp fields
		want      string
	}{
		{"F2 of the response", fields{"2": odd}, fields{"2": pan}, "pan " + pan + " -"},
		{"F2 of the request", fields{"2": odd}, fields{"2": ""}, "pan " + odd + " -"},
		{"F2 before F35", fields{"2": odd, "35": track(pan)}, fields{"2": ""}, "pan " + odd + " -"},
		{"F2 of the response before F35", fields{"2": "", "35": track(pan)}, fields{"2": odd}, "pan " + odd + " -"},
		{"F35", fields{"2": "", "35": track(odd)}, fields{"2": ""}, "pan " + odd + " -"},
		{"F35 encrypted", fields{"2": "", "35": track(odd), "53": "2610000000000000"}, fields{"2": ""}, ""},
		{"F35 encrypted, tag 5A", fields{"2": "", "35": track(odd), "53": "2610000000000000", "55": "5A08" + pan}, fields{"2": ""}, "pan " + pan + " -"},
		{"F35 before tag 5A", fields{"2": "", "35": track(odd), "55": "5A08" + pan}, fields{"2": ""}, "pan " + odd + " -"},
		{"tag 5A of the response", fields{"2": ""}, fields{"2": "", "55": "5A0A" + odd + "F"}, "pan " + odd + " -"},
		{"F35 of the request before 5A of the response", fields{"2": "", "35": track(odd)}, fields{"2": "", "55": "5A08" + pan}, "pan " + odd + " -"},
		{"none", fields{"2": ""}, fields{"2": ""}, ""},
		{"PAR of the request", fields{"55": "9F2404544553 54"}, fields{"2": pan}, "pan " + pan + " TEST"},
		{"PAR of the response", fields{"2": pan}, fields{"2": "", "55": "9F240454455354"}, "pan " + pan + " TEST"},
		{"PAR alone", fields{"2": "", "55": "9F240454455354"}, fields{"2": ""}, "none - TEST"},
		{"9F19 of the request", fields{"55": "9F190101"}, fields{"2": third}, "dpan " + third + " -"},
		{"9F19 of the response", fields{"2": third}, fields{"2": "", "55": "9F190101"}, "dpan " + third + " -"},
		{"9F6E", fields{"2": third, "55": "9F6E0101"}, fields{"2": ""}, "dpan " + third + " -"},
		{"9F19 that is empty", fields{"2": third, "55": "9F1900"}, fields{"2": ""}, "pan " + third + " -"},
		{"in the token ranges", fields{"2": "6299990000000001"}, fields{"2": ""}, "dpan 6299990000000001 -"},
		{"below the token ranges", fields{"2": "6299970000000003"}, fields{"2": ""}, "pan 6299970000000003 -"},
	} {
		for k, v := range c.req {
			c.req[k] = strings.ReplaceAll(v, " ", "")
		}
		x := talk(t, false, `token_ranges = ["629998-629999", "1"]`).send("0200", saleRequest().with(c.req)).send("0210", saleAnswer().with(c.resp))
		got := ""
		if p := x.got[0].Record.Party; p != nil {
			id, par := p.ID.Reveal(), p.PAR.Reveal()
			for _, s := range []*string{&id, &par} {
				if *s == "" {
					*s = "-"
				}
			}
			got = string(p.Scheme) + " " + id + " " + par
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		// The same through a memory of tokens.
		y := talk(t, true, `token_ranges = ["629998-629999", "1"]`).send("0200", saleRequest().with(c.req)).send("0210", saleAnswer().with(c.resp))
		tokens := hmacTokens{[]byte("key")}
		if d := cmp.Diff(sealedJSON(x.got[0].Record, tokens), sealedJSON(y.got[0].Record, tokens)); d != "" {
			t.Errorf("%s: in clear -, by tokens +\n%s", c.name, d)
		}
	}
}

// sealedJSON returns a record as the store keeps it.
func sealedJSON(r refund.Record, k refund.Tokenizer) string {
	sealed := refund.Seal(r, k)
	return string(refund.EncodeStored(nil, &sealed))
}

func TestCupEntryAndChannel(t *testing.T) {
	for _, c := range []struct {
		f22, f59, answer22, answer59, want string
	}{
		{"011", "", "", "", "keyed card"}, {"012", "", "", "", "keyed card"}, {"021", "", "", "", "swipe card"}, {"031", "", "", "", "qr_shown unionpay_qr"},
		{"051", "", "", "", "chip card"}, {"071", "", "", "", "contactless card"}, {"981", "", "", "", "contactless card"}, {"801", "", "", "", "fallback card"},
		{"041", "", "", "", "- card"}, {"921", "", "", "", "- card"}, {"", "", "", "", "- card"}, {"051", "", "021", "", "swipe card"},
		{"051", "A3003123", "", "", "chip unionpay_qr"}, {"051", "A4003123", "", "", "chip unionpay_qr"}, {"051", "", "", "A4003123", "chip unionpay_qr"},
		{"051", "A2003123", "", "", "chip card"}, {"051", "A3000", "", "", "chip card"}, {"051", "A3003123x", "", "", "chip card"},
	} {
		x := talk(t, true).send("0200", saleRequest().with(fields{"22": c.f22, "59": c.f59})).send("0210", saleAnswer().with(fields{"22": c.answer22, "59": c.answer59}))
		if got := x.lines("entry", "channel"); got != c.want {
			t.Errorf("%v: got %s", c, got)
		}
	}
}

func TestCupNumbersOfRequestAndResponse(t *testing.T) {
	members := []string{"rrn", "auth_code", "original.rrn", "original.auth_code", "original.batch", "original.stan", "original.date"}
	full := refundRequest().with(fields{"38": "123456", "61": "0000070001010822"})
	talk(t, true).send("0220", full).send("0230", refundAnswer().with(fields{"38": "654321"})).
		expect("260822000102 654321 260822000101 123456 000007 000101 0822", members...)
	talk(t, true).send("0220", full).end().expect("- - 260822000101 123456 000007 000101 0822", members...)
	talk(t, true).send("0220", full.with(fields{"37": "000000000000", "38": "      ", "61": "0000000000000000"})).end().
		expect("- - - - - - -", members...)
	talk(t, true).send("0220", full.with(fields{"37": "            ", "38": "000000", "61": "000007000101"})).end().
		expect("- - - - 000007 000101 -", members...)
	talk(t, true).send("0230", refundAnswer().with(fields{"38": "654321", "61": "0000070001010822"})).
		expect("260822000102 654321 - - 000007 000101 0822", members...)
}

func TestCupVouchers(t *testing.T) {
	members := []string{"kind", "channel_txn", "original.channel_txn"}
	talk(t, true).send("0200", saleRequest().with(fields{"59": "A3003123A4001x"})).send("0210", saleAnswer().with(fields{"59": "A4003777"})).expect("sale 777 -", members...)
	talk(t, true).send("0200", saleRequest().with(fields{"59": "A3003123"})).end().expect("sale - -", members...)
	talk(t, true).send("0220", refundRequest().with(fields{"59": "A4003777"})).send("0230", refundAnswer()).expect("refund - 777", members...)
	talk(t, true).send("0220", refundRequest().with(fields{"59": "A4003000"})).send("0230", refundAnswer()).expect("refund - -", members...)
	talk(t, true).send("0230", refundAnswer().with(fields{"59": "A4003777"})).expect("refund - 777", members...)
	talk(t, true).send("0400", saleRequest().with(fields{"59": "A4003777"})).send("0410", saleAnswer().with(fields{"59": "A4003777"})).expect("reversal - -", members...)
}

func TestCupSettlement(t *testing.T) {
	const sums = "000000002000002" + "000000000750002" + "000000000100001" + "000000000000000"
	f48 := func(code string) string { return sums[:30] + code + sums[30:] + "0" }
	request := fields{"11": "000601", "41": "10000001", "42": "898000000000001", "48": f48("0"), "49": "156", "60": "00000008201", "63": "01 "}
	answer := request.with(fields{"12": "235900", "13": "0822", "37": "260822000601", "39": "00", "48": f48("1"), "63": ""})
	members := []string{"kind", "outcome", "response_code", "channel", "entry", "operator", "batch", "totals.debit_amount", "totals.debit_count", "totals.credit_amount", "totals.credit_count"}
	talk(t, true).send("0500", request.with(fields{"2": "6200000000000005", "22": "051"})).send("0510", answer).
		expect("settlement approved - - - - 000008 2100 3 750 2", members...)
	for code, want := range map[string]string{"0": "declined", "1": "approved", "2": "approved", "3": "declined"} {
		talk(t, true).send("0500", request).send("0510", answer.with(fields{"48": f48(code)})).expect(want, "outcome")
	}
	talk(t, true).send("0500", request).send("0510", answer.with(fields{"48": ""})).expect("declined 2100", "outcome", "totals.debit_amount")
	talk(t, true).send("0500", request.with(fields{"48": ""})).send("0510", answer).expect("approved 2100", "outcome", "totals.debit_amount")
	talk(t, true).send("0500", request).end().expect("unknown 2100", "outcome", "totals.debit_amount")
	x := talk(t, true).send("0500", request.with(fields{"2": "6200000000000005"})).send("0510", answer)
	if x.got[0].Record.Party != nil {
		t.Error("a settlement has a party")
	}
}

func TestCupUploads(t *testing.T) {
	request := refundRequest().with(fields{"38": "123456", "64": ""})
	members := []string{"kind", "outcome", "copy", "rrn", "auth_code", "response_code", "at", "original.rrn", "original.auth_code"}
	for code, want := range map[string]string{"00": "approved", "11": "approved", "51": "unknown", "98": "unknown", "": "unknown"} {
		talk(t, true).send("0320", request).send("0330", refundAnswer().with(fields{"39": code, "38": "777777"})).
			expect("refund "+want+" upload - - - 2026-08-22T11:15:30+08:00 260822000101 123456", members...)
	}
	talk(t, true).send("0320", request).end().expect("refund unknown upload - - - 2026-08-23T12:00:00+08:00 260822000101 123456", members...)
	talk(t, true).send("0330", refundAnswer()).expect("refund approved upload - - -", members[:6]...)
}

func TestCupTrainingInRequestOrResponse(t *testing.T) {
	for _, c := range []struct {
		req, resp, want string
	}{{"1", "0", "true"}, {"0", "1", "true"}, {"0", "0", "-"}, {"2", "2", "-"}} {
		talk(t, true).send("0200", saleRequest().with(fields{"head": c.req})).send("0210", saleAnswer().with(fields{"head": c.resp})).expect(c.want, "training")
	}
	talk(t, true).send("0200", saleRequest().with(fields{"head": "1"})).end().expect("true", "training")
}

func TestCupCurrency(t *testing.T) {
	for number, want := range map[string]string{"156": "CNY", "344": "HKD", "446": "MOP", "840": "USD", "392": "JPY", "000": "-", "   ": "-", "abc": "-"} {
		x := talk(t, true).send("0200", saleRequest().with(fields{"49": number})).send("0210", saleAnswer().with(fields{"49": ""}))
		x.expect(want, "currency")
		if counted := len(x.ignored) > 0; counted != (number == "000" || number == "abc") {
			t.Errorf("%q: counted %q", number, x.ignored)
		}
	}
	talk(t, true).send("0200", saleRequest().with(fields{"49": "344"})).send("0210", saleAnswer()).expect("CNY", "currency")
}

func TestCupOperatorIsIgnored(t *testing.T) {
	talk(t, true).send("0200", saleRequest().with(fields{"63": "01 "})).send("0210", saleAnswer().with(fields{"63": "CUP"})).expect("-", "operator")
}

func TestCupEndGivesWaitingRequestsInTheOrderTheyCame(t *testing.T) {
	c := talk(t, true)
	for i := range 20 {
		c.send("0200", saleRequest().with(fields{"11": fmt.Sprintf("%06d", 500-i)}))
	}
	for _, i := range []int{0, 3, 4, 19} {
		c.send("0210", saleAnswer().with(fields{"11": fmt.Sprintf("%06d", 500-i)}))
	}
	c.got = nil
	c.end()
	c.expect("000499; 000498; 000495; 000494; 000493; 000492; 000491; 000490; 000489; 000488; 000487; 000486; 000485; 000484; 000483; 000482", "stan")
	c.end()
	if len(c.got) != 16 {
		t.Error("they come out twice")
	}
}
