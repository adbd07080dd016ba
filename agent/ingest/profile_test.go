package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
)

func TestDefaultProfiles(t *testing.T) {
	for _, wire := range ingest.Wires() {
		p, err := ingest.DefaultProfile(wire)
		if err != nil || p.Wire() != wire {
			t.Errorf("%s: %v", wire, err)
		}
		text, err := ingest.DefaultProfileText(wire)
		if err != nil || text == "" {
			t.Errorf("%s: no text, %v", wire, err)
		}
		// The text of the default is itself a file that changes nothing.
		if _, err := ingest.LoadProfile(wire, []byte(text)); err != nil {
			t.Errorf("%s: %v", wire, err)
		}
	}
	if _, err := ingest.DefaultProfile("morse"); !errors.Is(err, ingest.ErrWire) {
		t.Errorf("got %v", err)
	}
	if !slices.Contains(ingest.Wires(), "mispos") {
		t.Error("mispos is no wire")
	}
}

func TestProfileErrorsAllAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		file []string
		want []string
	}{
		{"everything", []string{
			`curency = "CNY"`,
			`approved = ["00", 11, "A2 "]`,
			`pending = "P1"`,
			``,
			`[kind]`,
			`2 = "buy"`,
			`300 = "sale"`,
			`3 = 7`,
			`[entry]`,
			`91 = "ch1p"`,
			`[channel]`,
			`paypal = ["x"]`,
			`[tag]`,
			`batch = "9F0E"`,
			`trace = "9f0e"`,
			`tracee = "9F77"`,
		}, []string{
			`1:1: curency: unknown key, did you mean "currency"?`,
			`2:19: approved: got a whole number, want a string`,
			`2:23: approved: got "A2 ", want a code without spaces behind it`,
			`3:1: pending: got a string, want an array`,
			`6:1: kind.2: got "buy", want one of sale, refund, void`,
			`7:1: kind.300: the key is not a number from 0 to 255`,
			`8:1: kind.3: got a whole number, want a string`,
			`10:1: entry.91: got "ch1p", want one of chip`,
			`12:1: channel.paypal: unknown key`,
			`14:1: tag.batch: got "9F0E", which trace has too`,
			`15:1: tag.trace: got "9f0e", want a tag such as 9F21, in capitals`,
			`16:1: tag.tracee: the key is not the name of a field`,
		}},
		{"no TOML", []string{`approved = ["00"]`, `unknown = [`}, []string{`2:`}},
		{"twice", []string{`currency = "CNY"`, `currency = "HKD"`}, []string{`2:`}},
		{"a table of arrays", []string{`[[kind]]`, `2 = "buy"`}, []string{`2:1: kind.2: got "buy"`}},
		{"a table as a value", []string{`kind = "sale"`}, []string{`1:1: kind: got a string, want a table`}},
		{"inline", []string{`kind = { 2 = "buy", 3 = "void" }`}, []string{`1:10: kind.2: got "buy"`}},
		{"dotted", []string{`kind.2 = "buy"`}, []string{`1:6: kind.2: got "buy"`}},
		{"code in two lists", []string{`pending = ["00"]`}, []string{`1:12: pending: got "00", which is in approved too`}},
		{"copy of no kind", []string{`[copy]`, `99 = "dump"`}, []string{`2:1: copy.99: a dump of no kind: [kind] has no 99`}},
		{"no type", []string{`[tag]`, `type = ""`}, []string{`2:1: tag.type: got no tag, want one: it tells what a message is`}},
		{"no result", []string{`[tag]`, `result = ""`}, []string{`2:1: tag.result: got no tag, want one: a message without a result is a request`}},
		{"reprints of nothing", []string{`[tag]`, `type_again = ""`}, []string{`2:1: tag.type_again: got no tag, want one: [copy] has reprints`}},
		{"no kind for a dump", []string{`[kind]`, `27 = ""`}, []string{`2:1: kind.27: taken out, but [copy] has it as a dump`}},
		{"a kind for a reprint", []string{`[kind]`, `15 = "sale"`}, []string{`2:1: kind.15: never counts: [copy] has 15 as a reprint`}},
		{"a reprint of a kind", []string{`[copy]`, `2 = "reprint"`}, []string{`2:1: copy.2: a reprint has the kind of the tag type_again, but [kind] has 2 as sale`}},
		{"a word never reached", []string{`[channel]`, `card = ["银行", "云闪付信用卡"]`}, []string{`2:19: channel.card: "云闪付信用卡" never counts: unionpay_qr comes first and has "云闪付"`}},
		{"a word that takes another's", []string{`[channel]`, `wechat = ["银联"]`}, []string{
			`2:11: channel.wechat: "银联" takes every name with "银联二维码" from unionpay_qr`, `2:11: channel.wechat: "银联" takes every name with "银联" from card`}},
		{"a word twice", []string{`[channel]`, `jd = ["dcep"]`}, []string{`2:7: channel.jd: "dcep" never counts: ecny comes first and has "DCEP"`}},
		{"an empty word", []string{`[channel]`, `jd = [" "]`}, []string{`2:7: channel.jd: got " ", want a word`}},
		{"a slip", []string{`[kind]`, `40 = "refnd"`}, []string{`2:1: kind.40: got "refnd", want one of sale, refund, void, reversal, preauth, preauth_void, completion, completion_void, adjust, void_refund, settlement, did you mean "refund"?`}},
		{"currency", []string{`currency = "RMB"`}, []string{`1:1: currency: got "RMB", want ISO 4217 letters`}},
	} {
		_, err := ingest.LoadProfile("mispos", []byte(strings.Join(c.file, "\n")))
		var list ingest.ProfileErrors
		if !errors.Is(err, ingest.ErrProfile) || !errors.As(err, &list) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		if len(got) != len(c.want) {
			t.Errorf("%s: got %d errors, want %d:\n%v", c.name, len(got), len(c.want), err)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], c.want[i]) {
				t.Errorf("%s: got  %s\nwant %s", c.name, got[i], c.want[i])
			}
		}
	}
}

func TestProfileChangesWhatItSays(t *testing.T) {
	p, err := ingest.LoadProfile("mispos", []byte(strings.Join([]string{
		`currency = "HKD"`,
		`approved = ["00", "11"]`,
		`[kind]`,
		`40 = "refund"`,
		`2 = ""`,
		`[channel]`,
		`wechat = ["WeChat"]`,
		`[entry]`,
		`91 = "contactless"`,
		`[tag]`,
		`original_reference = "9FA1"`,
		`refund_no = ""`,
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	w, err := ingest.NewWire("mispos", p, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := one(t, w, 40, "9F14", "11", "9F09", "WeChat Pay", "9F0C", "91", "9FA1", "260822000101", "9F21", "x", "9F33", "R1")
	want := refund.Record{
		Kind: refund.KindRefund, Outcome: refund.Approved, ResponseCode: "11", Channel: refund.ChannelWeChat, Entry: refund.EntryContactless,
		Currency: "HKD", Original: refund.Original{RRN: "260822000101"},
	}
	if got := fmt.Sprintf("%+v", d.Record); got != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %s\nwant %+v", got, want)
	}
	if s, err := w.Frame(misposFrame(t, 2, "9F14", "00"), ingest.Clock{}); err != nil || len(s.Records) > 0 || len(s.LeftOut) != 1 || s.LeftOut[0] != "type 2" {
		t.Errorf("a kind taken out: %+v, %v", s, err)
	}
	// The embedded profile is as before.
	d = one(t, wire(t), 2, "9F14", "11")
	if d.Record.Outcome != refund.Declined || d.Record.Currency != "CNY" {
		t.Errorf("got %+v", d.Record)
	}
}

func TestWireOfAnotherProfile(t *testing.T) {
	if _, err := ingest.NewWire("mispos", ingest.Profile{}, nil); !errors.Is(err, ingest.ErrProfile) {
		t.Errorf("got %v", err)
	}
	if _, err := ingest.NewWire("morse", ingest.Profile{}, nil); !errors.Is(err, ingest.ErrWire) {
		t.Errorf("got %v", err)
	}
}
