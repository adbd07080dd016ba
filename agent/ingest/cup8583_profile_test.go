package ingest_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"yuanlu/agent/ingest"
	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

func TestCupProfileErrorsAllAtOnce(t *testing.T) {
	file := []string{
		`approved = ["00", "1", "68"]`,
		`unknown = ["16", "68", 5]`,
		`reversal_approved = ["00", "68"]`,
		`response_timeout = 0`,
		`token_ranges = ["62x", "622-621", "62-623", "621-622", "-"]`,
		`tpdu = 17`,
		`tcp_length = "yes"`,
		`lengths = "hex"`,
		`heads = 6`,
		`[kind]`,
		`"0200 00 00 22" = "buy"`,
		`"0210 00 00 22" = "sale"`,
		`"0200 0 00 22" = "sale"`,
		`"0200 19 82 22" = "sale"`,
		`[entry]`,
		`1 = "keyed"`,
		`04 = "scanned"`,
		`[field]`,
		`1 = "n6"`,
		`2 = "b8"`,
		`33 = "n..11"`,
		`43 = "ans"`,
		`48 = 4`,
	}
	_, err := ingest.LoadProfile("cup8583", []byte(strings.Join(file, "\n")))
	var all ingest.ProfileErrors
	if !errors.As(err, &all) || !errors.Is(err, ingest.ErrProfile) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprintf("%d %s", e.Line, e.Key))
		if e.Column < 1 || e.Message == "" {
			t.Errorf("%+v", e)
		}
	}
	want := "1 approved,1 approved,2 unknown,2 unknown,2 unknown,3 reversal_approved,4 response_timeout,5 token_ranges,5 token_ranges,5 token_ranges,5 token_ranges," +
		"6 tpdu,7 tcp_length,8 lengths,9 heads,11 kind.0200 00 00 22,12 kind.0210 00 00 22,13 kind.0200 0 00 22,16 entry.1,17 entry.04," +
		"19 field.1,20 field.2,22 field.43,23 field.48"
	if g := strings.Join(got, ","); g != want {
		t.Errorf("got  %s\nwant %s\n%v", g, want, err)
	}
}

func TestCupProfileContradictions(t *testing.T) {
	for _, c := range []struct {
		file []string
		want string
	}{
		{[]string{`unknown = ["00"]`}, `1:12: unknown: got "00", which is in approved too
1:12: unknown: got "00", which is in reversal_approved too`},
		{[]string{`[kind]`, `"0200 00 08 22" = "preauth"`}, `2:1: kind.0200 00 08 22: is preauth, but "0200 00 00 22", which fits the same messages, is sale (F25 is asked only where F60.1 is missing); "" takes a line out
2:1: kind.0200 00 08 22: is preauth, but "0200 00 64 22", which fits the same messages, is sale (F25 is asked only where F60.1 is missing); "" takes a line out
2:1: kind.0200 00 08 22: is preauth, but "0200 00 65 22", which fits the same messages, is sale (F25 is asked only where F60.1 is missing); "" takes a line out`},
		{[]string{`[kind]`, `"0200 50 00 *" = "sale"`, `"0200 50 00 22" = "refund"`},
			`3:1: kind.0200 50 00 22: is refund, but "0200 50 00 *", which fits the same messages, is sale (F25 is asked only where F60.1 is missing); "" takes a line out`},
		{[]string{`[kind]`, `"0200 50 00 *" = "sale"`, `"0200 50 06 *" = "completion"`}, ``},
		{[]string{`[kind]`, `"0200 00 00 22" = ""`, `"0200 00 64 22" = ""`, `"0200 00 65 22" = ""`, `"0200 00 08 22" = "preauth"`}, ``},
		{[]string{`[field]`, `39 = ""`}, `2:1: field.39: got no form, want one: kinds, pairs and outcomes are told by it`},
		{[]string{`[field]`, `2 = "n..20"`}, `2:1: field.2: cup8583: not a layout: field 2 as "n..20", want at most 19`},
		{[]string{`[field]`, `60 = "ans..60"`, `61 = "an..40"`, `28 = "b5"`, `55 = "b..99"`}, ``},
		{[]string{`lengths = "bdc"`}, `1:1: lengths: got "bdc", want one of bcd, binary, did you mean "bcd"?`},
	} {
		_, err := ingest.LoadProfile("cup8583", []byte(strings.Join(c.file, "\n")))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.file, got, c.want)
		}
	}
}

func TestCupDefaultFieldsAreTheStandardOnes(t *testing.T) {
	text, err := ingest.DefaultProfileText("cup8583")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(text, "[field]\n")
	got := map[int]string{}
	for line := range strings.Lines(table) {
		var n int
		if _, err := fmt.Sscanf(line, "%d", &n); err == nil {
			got[n] = strings.Split(line, `"`)[1]
		}
	}
	if !ok || !maps.Equal(got, wiretest.CUP8583Formats()) {
		t.Errorf("got %v", got)
	}
}

func TestCupProfileChangesWhatItSays(t *testing.T) {
	c := talk(t, true, `approved = ["00", "51"]`, `unknown = ["77"]`, `reversal_approved = ["94"]`, `[kind]`, `"0200 19 82 22" = "sale"`,
		`"0200 00 00 22" = ""`, `"0200 00 64 22" = ""`, `"0200 00 65 22" = ""`,
		`"0420 * * *" = "reversal"`, `[entry]`, `04 = "qr_scanned"`, `[field]`, `33 = "n..11"`)
	c.send("0200", saleRequest()).send("0210", saleAnswer())
	c.send("0200", saleRequest().with(fields{"11": "000102", "3": "190000", "25": "82", "22": "041"}))
	c.send("0210", saleAnswer().with(fields{"11": "000102", "3": "190000", "25": "82", "39": "51"}))
	c.send("0200", saleRequest().with(fields{"11": "000103", "3": "190000", "25": "82"}))
	c.send("0420", saleRequest().with(fields{"11": "000103"})).send("0430", saleAnswer().with(fields{"11": "000103", "39": "94"}))
	c.send("0220", refundRequest()).send("0230", refundAnswer().with(fields{"39": "11"}))
	c.expect("sale 000102 approved qr_scanned unionpay_qr; sale 000103 unknown chip card; reversal 000103 approved chip card; refund 000102 declined keyed card",
		"kind", "stan", "outcome", "entry", "channel")
}

func TestCupEnvelopeIsOfTheProfile(t *testing.T) {
	plain := cupBytes(t, "0200", saleRequest())
	length := append([]byte{byte(len(plain) >> 8), byte(len(plain))}, plain...)
	for _, c := range []struct {
		name  string
		file  string
		bytes []byte
		good  bool
	}{
		{"no TCP length", "", plain, true},
		{"TCP length refused", "", length, false},
		{"TCP length", "tcp_length = true", length, true},
		{"TCP length need not be there", "tcp_length = true", plain, true},
		{"no HEAD", "head = 0", append(append([]byte{}, plain[:5]...), plain[11:]...), true},
		{"HEAD missing", "", append(append([]byte{}, plain[:5]...), plain[11:]...), false},
		{"no TPDU", "tpdu = 0", plain[5:], true},
	} {
		x := talk(t, true, c.file)
		s, err := x.wire.Frame(frame.Frame{Data: c.bytes, Raw: c.bytes}, x.clock)
		x.take(s)
		if x.end(); (err == nil) != c.good || len(x.got) == 1 != c.good {
			t.Errorf("%s: %v, %d records", c.name, err, len(x.got))
		}
	}
}

func TestCupFieldThatNoTableGivesIsRefused(t *testing.T) {
	b := cupBytes(t, "0200", saleRequest().with(fields{"28": "12345678"}))
	x := talk(t, true)
	_, err := x.wire.Frame(frame.Frame{Data: b, Raw: b}, x.clock)
	var e *cup8583.DecodeError
	if !errors.As(err, &e) || e.Field != "F28" {
		t.Errorf("got %v", err)
	}
	x = talk(t, true, "[field]", `28 = "n8"`)
	x.raw(b).end().expect("sale", "kind")
}
