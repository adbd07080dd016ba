package match

import (
	"fmt"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/protocol/daydigest"
)

// TestLinesOfDigests: which lines are taken (bills.md § 6).
func TestLinesOfDigests(t *testing.T) {
	const good = `{"terminal":"t-1","day":"2026-08-23","rev":1,"part":1,"parts":1,"complete":true,"why":[],"totals":[{"channel":"wechat"}],"refunds":[{"id":"A","outcome":"approved","channel":"card","amount":1,"at":"2026-08-23T15:00:01+08:00","original":{"rrn":"1"},"kind":7}],"sales":"0123456789ab","more":{}}`
	for _, tc := range []struct {
		old, new string
		ok       bool
	}{
		{"", "", true}, {`"terminal":"t-1",`, "", false}, {`"t-1"`, `""`, false}, {`"t-1"`, `1`, false}, {`"day":"2026-08-23",`, "", false}, {`"2026-08-23"`, `"2026-08-32"`, false}, {`"2026-08-23"`, `20260823`, false},
		{`"rev":1`, `"rev":0`, false}, {`"rev":1`, `"rev":"1"`, false}, {`"rev":1`, `"rev":true`, false}, {`"rev":1`, `"rev":1.5`, false}, {`"rev":1,`, ``, false}, {`"part":1`, `"part":0`, false}, {`"part":1,`, `"part":2,`, false},
		{`"parts":1`, `"parts":0`, false}, {`"parts":1`, `"parts":3`, true}, {`"complete":true`, `"complete":1`, false}, {`"complete":true,`, ``, false}, {`"totals":[{"channel":"wechat"}],`, ``, false}, {`[{"channel":"wechat"}]`, `{}`, false}, {`[{"channel":"wechat"}]`, `null`, false},
		{`{"channel":"wechat"}`, `1`, false}, {`{"channel":"wechat"}`, `{"channel":"wechat","sale_count":"1"}`, false}, {`"refunds":[`, `"refunds":[1,`, false}, {`"id":"A",`, ``, false}, {`"outcome":"approved",`, ``, false}, {`"channel":"card",`, ``, false}, {`"amount":1,`, ``, false},
		{`"amount":1,`, `"amount":"1",`, false}, {`"amount":1,`, `"amount":1.0,`, false}, {`,"at":"2026-08-23T15:00:01+08:00"`, ``, false}, {`:01+08:00"`, `:01"`, false}, {`:01+08:00"`, `:01Z"`, true}, {`:01+08:00"`, `:61+08:00"`, false}, {`"original":{"rrn":"1"}`, `"original":null`, true},
		{`"original":{"rrn":"1"}`, `"original":[]`, false}, {`"sales":"0123456789ab"`, `"sales":"0123456789a"`, false}, {`"sales":"0123456789ab"`, `"sales":""`, true}, {`"sales":"0123456789ab"`, `"sales":7`, false}, {`,"sales":"0123456789ab"`, ``, true}, {`"more":{}}`, `"more":{}`, false},
		{`"more":{}}`, `"more":{}}x`, false}, {`t-1`, "t-\xff", false},
	} {
		t.Run(tc.new, func(t *testing.T) {
			line := strings.Replace(good, tc.old, tc.new, 1)
			var refused []string
			all := ParseDigests("d.jsonl", []byte("\n"+good+"\r\n  \n"+line), func(r *bills.Refusal) { refused = append(refused, r.Place()+": "+string(r.Code)) })
			if ok := len(refused) == 0; ok != tc.ok || !ok && refused[0] != "d.jsonl:4:0: terminal_day" || len(all) == 0 {
				t.Errorf("%s: %v", line, refused)
			}
		})
	}
}

// scene is one refund on either side, changed by a case.
type scene struct {
	digests []string
	book    *Book
	refused []string
}

func newScene() *scene {
	s := &scene{}
	s.book = NewBook(func(r *bills.Refusal) { s.refused = append(s.refused, r.Place()+": "+string(r.Code)) })
	return s
}

// digest adds a digest of terminal t-1 for a day; refunds are members beyond id, outcome…
func (s *scene) digest(day string, sales string, refunds ...string) {
	for i, r := range refunds {
		full := fmt.Sprintf(`{"id":"R%d"`, i)
		for _, m := range []string{`"outcome":"approved"`, `"channel":"wechat"`, `"amount":100`, `"at":"` + day + `T12:00:00+08:00"`} {
			if name, _, _ := strings.Cut(m, ":"); !strings.Contains(r, name) {
				full += "," + m
			}
		}
		refunds[i] = full + "," + r + "}"
	}
	s.digests = append(s.digests, fmt.Sprintf(`{"terminal":"t-1","day":"%s","rev":1,"part":1,"parts":1,"complete":true,"totals":[],"refunds":[%s],"sales":"%s"}`, day, strings.Join(refunds, ","), sales))
}

func (s *scene) bill(format, from, to string, entries ...bills.Entry) {
	b := bills.Bill{Format: format, File: "b" + fmt.Sprint(len(s.book.bills)), SHA256: fmt.Sprint(len(s.book.bills)), Covers: []string{bills.Sale, bills.Refund}, From: from, To: to, Complete: true}
	for i, e := range entries {
		e.Format, e.Line, e.Currency = format, i+2, "CNY"
		e.Channel = or(e.Channel, or(platform(format), "wechat"))
		e.Kind, e.Direction, e.Status, e.At, e.Row = or(e.Kind, bills.Refund), or(e.Direction, bills.Out), or(e.Status, bills.Success), or(e.At, today+"T12:00:00+08:00"), or(e.Row, fmt.Sprint(format, i))
		if e.Amount == 0 {
			e.Amount = 100
		}
		s.book.Entry(&e)
	}
	if isFund(format) {
		b.Covers = []string{"fund"}
	}
	s.book.Bill(&b)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// brief returns result, key, certain and candidates of each refund and unseen entry.
func (s *scene) brief(t *testing.T) string {
	t.Helper()
	all := ParseDigests("d", []byte(strings.Join(s.digests, "\n")), func(r *bills.Refusal) { t.Fatalf("%s: %s", r.Place(), s.digests[r.Line-1]) })
	results, _ := Match(today, all, s.book)
	var out []string
	for _, r := range results {
		line := r.Refund + ":" + r.Result
		if r.Key != "" {
			line += "/" + r.Key
		}
		if r.RecoveredAmount > 0 {
			line += fmt.Sprintf("=%d", r.RecoveredAmount)
		}
		if !r.Certain {
			line += "?"
		}
		if r.Refund == "" {
			line += "@" + r.Terminal
		}
		out = append(out, line+strings.Join(r.Candidates, "|"))
	}
	return strings.Join(out, " ")
}

// TestRules takes the rules of the page one by one.
func TestRules(t *testing.T) {
	type entry = bills.Entry
	orig := func(order, txn string) bills.Original { return bills.Original{OrderNo: order, ChannelTxn: txn} }
	sold := daydigest.SaleKey("t", "wechat", "S1")
	for _, tc := range []struct {
		name string
		set  func(s *scene)
		want string
	}{
		{"refund_no", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1"`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1"})
		}, "R0:confirmed/refund_no"},
		{"refund_no of another sale", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","original":{"channel_txn":"S2"}`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1", Original: orig("", "S1")})
		}, "R0:missing_on_billwechat_trade0 :missing_on_terminal?@R0"},
		{"refund_no of another order", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","original":{"order_no":"O2"}`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1", Original: orig("O1", "S1"), At: today + "T18:00:00+08:00"})
		}, "R0:missing_on_bill :missing_on_terminal?@"},
		{"another channel", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","channel":"alipay"`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1"})
		}, "R0:no_bill? :missing_on_terminal?@"},
		{"a declined refund gets what is left", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","outcome":"declined"`, `"refund_no":"N1"`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1"})
		}, "R1:confirmed/refund_no"},
		{"declined and paid", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","outcome":"declined"`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1"})
		}, "R0:status_differs/refund_no"},
		{"declined and closed", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","outcome":"abnormal"`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1", Status: bills.Closed})
		}, ""},
		{"undone and paid", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","undone":true`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1"})
		}, "R0:status_differs/refund_no"},
		{"the original is no key for a declined one", func(s *scene) {
			s.digest(today, sold, `"outcome":"declined","original":{"channel_txn":"S1"}`)
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("", "S1")})
		}, ":missing_on_terminal@t-1"},
		{"original by order", func(s *scene) {
			s.digest(today, "", `"original":{"order_no":"O1"}`)
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("O1", "S1")})
		}, "R0:confirmed/original"},
		{"original of equal order and other number", func(s *scene) {
			s.digest(today, "", `"original":{"order_no":"O1","channel_txn":"S2"}`)
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("O1", "S1")})
		}, "R0:missing_on_billwechat_trade0 :missing_on_terminal?@R0"},
		{"original, four days apart", func(s *scene) {
			s.digest(today, "", `"original":{"order_no":"O1"}`)
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("O1", ""), At: "2026-08-26T12:00:01+08:00"})
		}, "R0:missing_on_bill"},
		{"original, three days apart", func(s *scene) {
			s.digest(today, "", `"original":{"order_no":"O1"}`)
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("O1", ""), At: "2026-08-26T12:00:00+08:00"})
		}, "R0:confirmed/original"},
		{"original is no key for cards", func(s *scene) {
			s.digest(today, "", `"channel":"card","original":{"order_no":"O1"}`)
			s.bill(bills.AcquirerCSV, today, "2026-08-24", entry{Channel: "card", Original: orig("O1", "")})
		}, "R0:missing_on_bill?acquirer_csv0 :missing_on_terminal?@R0"},
		{"rrn of another terminal", func(s *scene) {
			s.digest(today, "", `"channel":"card","rrn":"7","terminal_id":"T1"`)
			s.bill(bills.AcquirerCSV, today, "2026-08-24", entry{Channel: "card", RRN: "7", TerminalID: "T2", Amount: 3})
		}, "R0:missing_on_bill? :missing_on_terminal?@"},
		{"cards need the day after", func(s *scene) {
			s.digest(today, "", `"channel":"card"`)
			s.bill(bills.AcquirerCSV, today, today, entry{Channel: "card", Kind: bills.Sale})
		}, "R0:no_bill?"},
		{"an acquirer covers wallets it has rows of", func(s *scene) {
			s.digest(today, "", `"channel":"ecny"`, `"channel":"jd"`)
			s.bill(bills.AcquirerCSV, today, today, entry{Channel: "ecny", Kind: bills.Sale})
		}, "R0:missing_on_bill? R1:no_bill?"},
		{"near midnight the neighbour is needed", func(s *scene) {
			s.digest(today, "", `"at":"2026-08-23T00:10:00+08:00"`, `"at":"2026-08-23T00:10:01+08:00"`, `"at":"2026-08-23T23:50:00+08:00"`)
			s.bill(bills.WechatTrade, today, today)
		}, "R0:no_bill? R1:missing_on_bill R2:no_bill?"},
		{"foreign money matches nothing", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","channel_refund":"C1","currency":"USD"`)
			s.bill(bills.WechatTrade, today, today, entry{RefundNo: "N1"})
			s.bill(bills.WechatFund, today, today, entry{Kind: bills.RefundBack, Direction: bills.In, ChannelRefund: "C1"})
		}, "R0:no_bill? :missing_on_terminal?@"},
		{"back", func(s *scene) {
			s.digest(today, "", `"refund_no":"N1","channel_refund":"C1"`)
			s.bill(bills.WechatFund, today, today, entry{Kind: bills.RefundBack, Direction: bills.In, ChannelRefund: "C1", RefundNo: "N1", Amount: 40}, entry{Kind: bills.RefundBack, Direction: bills.In, RefundNo: "N1", Amount: 2})
		}, "R0:recovered=42"},
		{"back on Alipay by the sale", func(s *scene) {
			s.digest(today, "", `"channel":"alipay","original":{"channel_txn":"S1"}`, `"channel":"alipay","original":{"channel_txn":"S2"}`, `"channel":"alipay","original":{"channel_txn":"S2"}`)
			s.bill(bills.AlipayFund, today, today, entry{Channel: "alipay", Kind: bills.RefundBack, Direction: bills.In, Original: orig("", "S1")}, entry{Channel: "alipay", Kind: bills.RefundBack, Direction: bills.In, Original: orig("", "S1"), Amount: 99},
				entry{Channel: "alipay", Kind: bills.RefundBack, Direction: bills.In, Original: orig("", "S2")})
		}, "R0:recovered=100 R1:no_bill? R2:no_bill?"},
		{"an adjustment names the row alone", func(s *scene) {
			s.digest(today, "", `"channel":"card","rrn":"7","refund_no":"N2"`)
			s.bill(bills.AcquirerCSV, today, today, entry{Channel: "card", RRN: "7", ChannelRefund: "C1"}, entry{Channel: "card", Kind: bills.Adjust, Direction: bills.In, Original: orig("", "C1"), Amount: 60},
				entry{Channel: "card", Kind: bills.Adjust, Direction: bills.Out, Original: orig("", "C1"), Amount: 1}, entry{Channel: "card", Kind: bills.Adjust, Direction: bills.In, RefundNo: "N2", Amount: 1})
		}, "R0:recovered/rrn=60"},
		{"a declined refund is recovered only with its row", func(s *scene) {
			s.digest(today, "", `"outcome":"declined","channel_refund":"C1"`)
			s.bill(bills.WechatFund, today, today, entry{Kind: bills.RefundBack, Direction: bills.In, ChannelRefund: "C1"})
		}, ""},
		{"cash takes no part", func(s *scene) { s.digest(today, "", `"channel":"cash","refund_no":"N1"`) }, ""},
		{"a platform's bill replaces the acquirer's rows", func(s *scene) {
			s.digest(today, "")
			s.bill(bills.AcquirerCSV, today, today, entry{Channel: "wechat"}, entry{Channel: "alipay"})
			s.bill(bills.WechatTrade, today, today)
		}, ":missing_on_terminal?@"},
		{"unseen near midnight needs the neighbour's digests", func(s *scene) {
			s.digest(today, sold)
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("", "S1"), At: today + "T23:55:00+08:00"})
		}, ":missing_on_terminal?@t-1"},
		{"and is certain with them", func(s *scene) {
			s.digest(today, sold)
			s.digest("2026-08-24", "")
			s.bill(bills.WechatTrade, today, today, entry{Original: orig("", "S1"), At: today + "T23:55:00+08:00"})
		}, ":missing_on_terminal@t-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene()
			tc.set(s)
			if got := s.brief(t); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestRowsOfManyBills: a row that came before is filled, changes while it is under way,
// and contradicts nothing.
func TestRowsOfManyBills(t *testing.T) {
	type entry = bills.Entry
	for _, tc := range []struct {
		name        string
		first, then entry
		want        string
		conflict    bool
	}{
		{"filled", entry{RefundNo: "N1"}, entry{ChannelRefund: "C1", SettledAt: "x"}, "R0:confirmed/channel_refund", false},
		{"gives way", entry{ChannelRefund: "C1", Status: bills.Processing}, entry{ChannelRefund: "C1", Status: bills.Closed}, "R0:status_differs/channel_refund", false},
		{"does not go back", entry{ChannelRefund: "C1", Status: bills.Closed}, entry{ChannelRefund: "C1", Status: bills.Processing}, "R0:status_differs/channel_refund", false},
		{"another status", entry{ChannelRefund: "C1", Status: bills.Success}, entry{ChannelRefund: "C1", Status: bills.Closed}, "R0:confirmed/channel_refund", true},
		{"another amount", entry{ChannelRefund: "C1"}, entry{ChannelRefund: "C1", Amount: 101}, "R0:confirmed/channel_refund", true},
		{"another number", entry{ChannelRefund: "C1"}, entry{ChannelRefund: "C2", RefundNo: "N1"}, "R0:confirmed/channel_refund", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene()
			s.digest(today, "", `"channel_refund":"C1"`)
			tc.first.Row, tc.then.Row = "row", "row"
			s.bill(bills.WechatTrade, today, today, tc.first)
			s.bill(bills.WechatTrade, today, today, tc.then)
			got := s.brief(t)
			if got != tc.want || (len(s.refused) > 0) != tc.conflict || tc.conflict && s.refused[0] != "b1:2:0: row_conflict" {
				t.Errorf("%s, %v; want %s", got, s.refused, tc.want)
			}
		})
	}
	s := newScene()
	s.digest(today, "")
	for range 2 { // the same bill again
		e := entry{Row: "r", Kind: bills.Sale, Status: bills.Success, Direction: bills.In, Channel: "wechat", Format: bills.WechatTrade, At: today + "T12:00:00+08:00", Amount: 1}
		s.book.Entry(&e)
		s.book.Bill(&bills.Bill{Format: bills.WechatTrade, SHA256: "same"})
	}
	if len(s.book.bills) != 1 || len(s.book.entries) != 1 {
		t.Errorf("%d bills, %d entries", len(s.book.bills), len(s.book.entries))
	}
}
