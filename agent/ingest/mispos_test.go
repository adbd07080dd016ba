package ingest_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/mispos"
	"yuanlu/protocol/wiretest"
)

func wire(t testing.TB) ingest.Wire {
	t.Helper()
	p, err := ingest.DefaultProfile("mispos")
	if err != nil {
		t.Fatal(err)
	}
	w, err := ingest.NewWire("mispos", p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// misposFrame is a message of a TransType with the given tags and values.
func misposFrame(t testing.TB, code int, parts ...string) frame.Frame {
	t.Helper()
	data := []byte{0x9F, 0x01, 0, 1, byte(code)}
	for i := 0; i < len(parts); i += 2 {
		tag, err := hex.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, tag...)
		data = append(data, 0, byte(len(parts[i+1])))
		data = append(data, parts[i+1]...)
	}
	raw, err := wiretest.AppendSTX(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	return frame.Frame{Data: data, Raw: raw}
}

func one(t testing.TB, w ingest.Wire, code int, parts ...string) ingest.Decoded {
	t.Helper()
	s, err := w.Frame(misposFrame(t, code, parts...), ingest.Clock{})
	if err != nil || len(s.Records) != 1 {
		t.Fatalf("got %d records, %q, %v", len(s.Records), s.Ignored, err)
	}
	return s.Records[0]
}

// GBK of the names the tests use.
const (
	gbkWeChat   = "\xce\xa2\xd0\xc5\xd6\xa7\xb8\xb6"         // 微信支付
	gbkAlipay   = "\xd6\xa7\xb8\xb6\xb1\xa6"                 // 支付宝
	gbkUnionPay = "\xd4\xc6\xc9\xc1\xb8\xb6"                 // 云闪付
	gbkQR       = "\xd2\xf8\xc1\xaa\xb6\xfe\xce\xac\xc2\xeb" // 银联二维码
	gbkJD       = "\xbe\xa9\xb6\xab"                         // 京东
	gbkBank     = "\xb9\xa4\xc9\xcc\xd2\xf8\xd0\xd0"         // 工商银行
)

func TestMisposParties(t *testing.T) {
	w := wire(t)
	for _, c := range []struct {
		issuer, account string
		channel         refund.Channel
		scheme          refund.Scheme
		namespace       bool
		text            bool
	}{
		{"", "6200000000000005", refund.ChannelCard, refund.SchemePAN, false, false},
		{gbkBank, "5", refund.ChannelCard, refund.SchemePAN, false, false},
		{gbkBank, "620000******0005", refund.ChannelCard, refund.SchemePANMasked, false, false},
		{gbkBank, "****", refund.ChannelCard, refund.SchemePANMasked, false, false},
		{gbkBank, "62000x", refund.ChannelCard, refund.SchemeAccountText, false, true},
		{gbkBank, "62 00", refund.ChannelCard, refund.SchemeAccountText, false, true},
		{"x" + gbkWeChat, "2088000000000017", refund.ChannelWeChat, refund.SchemeWeChatOpenID, true, false},
		{gbkAlipay, "2088000000000017", refund.ChannelAlipay, refund.SchemeAlipayUserID, false, false},
		{gbkAlipay, "208800000000001", refund.ChannelAlipay, refund.SchemeAlipayOpenID, true, false},
		{gbkAlipay, "3088000000000017", refund.ChannelAlipay, refund.SchemeAlipayOpenID, true, false},
		{gbkAlipay, "abc***@x.com", refund.ChannelAlipay, refund.SchemeAlipayLogon, false, false},
		{gbkUnionPay, "tkTEST0001", refund.ChannelUnionPayQR, refund.SchemeUnionPayToken, false, false},
		{gbkQR, "6200000000000005", refund.ChannelUnionPayQR, refund.SchemePAN, false, false},
		{gbkJD, "620000****0005", refund.ChannelJD, refund.SchemeAccount, false, false},
		{gbkJD, gbkJD + "0012", refund.ChannelJD, refund.SchemeAccountText, false, true},
	} {
		for range 2 { // the second time the issuer is known
			r := one(t, w, 2, "9F14", "00", "9F09", c.issuer, "9F0B", c.account+"  ", "9F31", "wxtest").Record
			p := r.Party
			if r.Channel != c.channel || p.Scheme != c.scheme || (p.Namespace == "wxtest") != c.namespace || (p.Text != "") != c.text || p.ID.Empty() {
				t.Errorf("%q %s: got %s %s %q %q", c.issuer, c.scheme, r.Channel, p.Scheme, p.Namespace, p.Text)
			}
		}
	}
	if r := one(t, w, 2, "9F14", "00", "9F0B", "  ").Record; r.Party != nil {
		t.Error("an empty account is a party")
	}
}

func TestMisposNumbersFollowKindAndChannel(t *testing.T) {
	w := wire(t)
	for code, back := range map[int]bool{2: false, 3: true, 4: true, 6: false, 7: true, 8: false, 11: true, 13: false, 26: false} {
		for issuer, wallet := range map[string]bool{gbkBank: false, gbkUnionPay: false, gbkWeChat: true, gbkAlipay: true, gbkJD: true} {
			r := one(t, w, code, "9F14", "00", "9F09", issuer, "9F10", "123", "9FFF", "O1", "9F36", "ORIGINAL").Record
			want := refund.Record{Kind: r.Kind, Outcome: refund.Approved, ResponseCode: "00", Channel: r.Channel, Currency: "CNY"}
			switch {
			case !wallet:
				want.RRN = "123"
			case back:
				want.ChannelRefund = "123"
			default:
				want.ChannelTxn = "123"
			}
			if back {
				want.Original.OrderNo, want.RefundRoute = "O1", refund.RouteOriginal
			} else {
				want.OrderNo = "O1"
			}
			if got := fmt.Sprintf("%+v", r); got != fmt.Sprintf("%+v", want) {
				t.Errorf("type %d, wallet %t:\n got %s\nwant %+v", code, wallet, got, want)
			}
		}
	}
}

func TestMisposMakesNoRecord(t *testing.T) {
	w := wire(t)
	for _, c := range []struct {
		name    string
		code    int
		parts   []string
		leftOut ingest.LeftOut
	}{
		{"a request", 2, []string{"9F02", "000000001000"}, "request"},
		{"spaces as a result", 2, []string{"9F14", "  "}, "request"},
		{"a request to print again", 16, nil, "request"},
		{"login", 1, []string{"9F14", "00"}, "type 1"},
		{"nothing known", 255, nil, "type 255"},
		{"a reprint of it does not say what", 15, []string{"9F14", "00"}, "type 15"},
		{"a reprint of two bytes", 15, []string{"9F14", "00", "9F34", "02"}, "type 15"},
		{"a reprint of a login", 15, []string{"9F14", "00", "9F34", "\x01"}, "type 15"},
		{"a reprint of a reprint", 16, []string{"9F14", "00", "9F34", "\x10"}, "type 16"},
	} {
		s, err := w.Frame(misposFrame(t, c.code, c.parts...), ingest.Clock{})
		if err != nil || len(s.Records) != 0 || len(s.LeftOut) != 1 || s.LeftOut[0] != c.leftOut || s.Ignored != "" || s.Reply != nil || s.Immediate != nil || s.Memory != nil {
			t.Errorf("%s: got %+v, %v", c.name, s, err)
		}
	}
	if s, next := w.Due(ingest.Clock{}); len(s.Records) > 0 || !next.IsZero() || len(w.End(ingest.Clock{}).Records) > 0 {
		t.Error("a record by itself")
	}
}

func TestMisposTimes(t *testing.T) {
	w := wire(t)
	received := time.Date(2027, 3, 1, 0, 30, 0, 500e6, ingest.DefaultZone())
	tokyo := time.FixedZone("", 9*3600)
	for _, c := range []struct {
		date, clock string
		zone        *time.Location
		at          string
		ignored     string
	}{
		{"20260822", "101530", nil, "2026-08-22T10:15:30+08:00", ""},
		{"20260822", "101530", tokyo, "2026-08-22T10:15:30+09:00", ""},
		{"0302", "000000", nil, "2027-03-02T00:00:00+08:00", ""},
		{"0303", "000000", nil, "2026-03-03T00:00:00+08:00", ""},
		{"0229", "235959", nil, "2024-02-29T23:59:59+08:00", ""},
		{"", "", nil, "", ""},
		{"20260822", "", nil, "", "date without a time of day"},
		{"", "101530", nil, "", "time of day without a date"},
		{"20260229", "101530", nil, "", "no such date or time"},
		{"20261301", "101530", nil, "", "no such date or time"},
		{"00000101", "101530", nil, "", "no such date or time"},
		{"0230", "101530", nil, "", "no such date or time"},
		{"0000", "000000", nil, "", "no such date or time"},
		{"20260822", "240000", nil, "", "no such date or time"},
		{"20260822", "106000", nil, "", "no such date or time"},
		{"20260822", "101560", nil, "", "no such date or time"},
	} {
		for _, hasNow := range []bool{true, false} {
			s, err := w.Frame(misposFrame(t, 2, "9F14", "00", "9F11", c.date, "9F12", c.clock), ingest.Clock{Now: received, Zone: c.zone, HasNow: hasNow})
			if err != nil || len(s.Records) != 1 {
				t.Fatal(err)
			}
			want, fromClock := c.at, false
			if want == "" && hasNow {
				want, fromClock = "2027-03-01T00:30:00.5+08:00", true
			}
			if d := s.Records[0]; d.Record.At != want || d.AtFromClock != fromClock || d.YearFromClock != (c.at != "" && len(c.date) == 4) || s.Ignored != c.ignored {
				t.Errorf("%s %s: got %q %t %q, want %q", c.date, c.clock, d.Record.At, d.AtFromClock, s.Ignored, want)
			}
		}
	}
	// The day that years are counted from need not be that of reception.
	s, err := w.Frame(misposFrame(t, 2, "9F14", "00", "9F11", "0822", "9F12", "101530"),
		ingest.Clock{Now: time.Unix(0, 0), Dating: ingest.DatingFrom(received), HasNow: true})
	if err != nil || s.Records[0].Record.At != "2026-08-22T10:15:30+08:00" {
		t.Errorf("got %q, %v", s.Records[0].Record.At, err)
	}
}

func TestMisposSettlement(t *testing.T) {
	totals := "000000002000" + "002" + "000000000750" + "002" + "1" + "000000000100" + "001" + "000000000000" + "000" + "0"
	r := one(t, wire(t), 14, "9F14", "00", "9F09", gbkWeChat, "9F0B", "6200000000000005", "9F0C", "05", "9F35", totals, "9F10", "7").Record
	want := refund.Record{Kind: refund.KindSettlement, Outcome: refund.Approved, ResponseCode: "00", Currency: "CNY", RRN: "7"}
	got := r
	got.Totals = nil
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || r.Totals == nil || *r.Totals != (refund.Totals{DebitAmount: 2100, DebitCount: 3, CreditAmount: 750, CreditCount: 2}) {
		t.Errorf("got %+v %+v", got, r.Totals)
	}
}

func TestMisposSignature(t *testing.T) {
	digest := strings.Repeat("0aF", 21) + "1"
	if r := one(t, wire(t), 2, "9F14", "00", "9F32", digest).Record; r.Signature != strings.ToLower(digest) {
		t.Errorf("got %q", r.Signature)
	}
	for _, bad := range []string{digest[1:], "g" + digest[1:], "an image"} {
		s, err := wire(t).Frame(misposFrame(t, 2, "9F14", "00", "9F32", bad), ingest.Clock{})
		if err != nil || s.Records[0].Record.Signature != "" || s.Ignored == "" {
			t.Errorf("got %+v, %v", s, err)
		}
	}
}

// Every bit of every frame of the vectors flipped behind a right check byte: refused,
// or mapped to something; never a panic, and no error shows what the message holds.
func TestMisposEveryBitFlipped(t *testing.T) {
	w := wire(t)
	clock := ingest.Clock{Now: time.Date(2026, 8, 23, 0, 0, 0, 0, time.UTC), HasNow: true}
	refused := 0
	for _, v := range loadVectors(t, "mispos") {
		s := frame.NewSTX()
		s.Push(v.bytes)
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			data := bytes.Clone(f.Data)
			for i := range 8 * len(data) {
				data[i/8] ^= 1 << (i % 8)
				step, err := w.Frame(frame.Frame{Data: data, Raw: data}, clock)
				data[i/8] ^= 1 << (i % 8)
				if err == nil {
					continue
				}
				refused++
				if !errors.Is(err, mispos.ErrMalformed) || len(step.Records) > 0 {
					t.Fatalf("%s: %v", v.name, err)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// A way back that no table has is nothing that a record may hold: whatever stands there
// would be kept as it is.
func TestMisposRoutes(t *testing.T) {
	w := wire(t)
	for route, want := range map[string]refund.Route{
		"ORIGINAL": refund.RouteOriginal, "OTHER_BANKCARD  ": refund.RouteOtherBankcard, "": "", "original": "", "6200000000000005": "",
	} {
		if r := one(t, w, 4, "9F14", "00", "9F09", gbkWeChat, "9F36", route).Record; r.RefundRoute != want {
			t.Errorf("%q is %q, want %q", route, r.RefundRoute, want)
		}
	}
}
