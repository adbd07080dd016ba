package match

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/protocol/daydigest"
)

const today = "2026-08-23"

// random makes digests and bills out of few refunds that really happened, each reported by
// either side with some of its numbers, and now and then with one of another.
type random struct{ *rand.Rand }

func (r random) of(words ...string) string { return words[r.IntN(len(words))] }

// some returns a number of refund i, of another one, or none.
func (r random) some(prefix string, i int) string {
	switch r.IntN(8) {
	case 0, 1, 2:
		return ""
	case 3:
		return fmt.Sprint(prefix, r.IntN(12))
	}
	return fmt.Sprint(prefix, i)
}

func (r random) at() string {
	day := r.of("22", "23", "23", "23", "24")
	return "2026-08-" + day + r.of("T00:05:00", "T00:10:00", "T00:10:01", "T12:00:00", "T12:30:00", "T12:30:01", "T23:49:59", "T23:50:00", "T23:59:59") + "+08:00"
}

// channel returns the channel of refund i.
func (r random) channel(i int) string {
	if r.IntN(12) == 0 {
		return r.of("ecny", "unknown", "jd", "card")
	}
	return []string{"card", "wechat", "alipay", "unionpay_qr"}[i%4]
}

func (r random) refund() string {
	i := r.IntN(12)
	return fmt.Sprintf(`{"id":"CASE%d","outcome":"%s","undone":%t,"channel":"%s","terminal_id":"%s","at":"%s","amount":%d,"currency":"%s","stan":"%s","batch":"%s","rrn":"%s","refund_no":"%s","channel_refund":"%s","original":{"order_no":"%s","channel_txn":"%s"}}`,
		r.IntN(90), r.of("approved", "approved", "approved", "declined", "unknown", "pending", "closed", "abnormal"), r.IntN(12) == 0, r.of(r.channel(i), r.channel(i), r.channel(i), "cash"), r.some("T", i%3), r.at(), 100*(1+r.IntN(2)),
		r.of("CNY", "CNY", "RMB", "", "USD"), r.some("00000", i), r.of("B1", "B1", "B1", ""), r.some("RRN", i), r.some("R", i), r.of("", "", r.some("C", i)), r.some("O", i/2), r.some("S", i/2))
}

func (r random) digest() string {
	parts := 1 + r.IntN(2)
	var refunds, totals, sales []string
	for range r.IntN(7) {
		refunds = append(refunds, r.refund())
	}
	for range r.IntN(3) {
		totals = append(totals, fmt.Sprintf(`{"channel":"%s","terminal_id":"%s","sale_count":%d,"sale_amount":%d,"refund_count":%d,"refund_amount":%d}`, r.channel(r.IntN(4)), r.some("T", r.IntN(3)), r.IntN(2), 100*r.IntN(2), r.IntN(3), 100*r.IntN(3)))
	}
	for range r.IntN(3) {
		sales = append(sales, daydigest.SaleKey(r.of("t", "o"), r.channel(r.IntN(4)), r.of("S0", "S1", "S2", "O0", "O1")))
	}
	return fmt.Sprintf(`{"terminal":"t-%d","day":"2026-08-%s","rev":%d,"part":%d,"parts":%d,"complete":%t,"totals":[%s],"refunds":[%s],"sales":"%s"}`,
		r.IntN(3), r.of("22", "23", "23", "23", "24"), 1+r.IntN(2), 1+r.IntN(parts), parts, r.IntN(4) > 0, strings.Join(totals, ","), strings.Join(refunds, ","), strings.Join(sales, ""))
}

func (r random) bill(n int) (bills.Bill, []bills.Entry) {
	format := r.of(bills.WechatTrade, bills.WechatTrade, bills.AlipayTrade, bills.UnionpayZM, bills.AcquirerCSV, bills.AcquirerCSV, bills.WechatFund, bills.AlipayFund)
	b := bills.Bill{Format: format, File: fmt.Sprint(n), SHA256: fmt.Sprint(r.IntN(20)), Covers: [][]string{{bills.Sale, bills.Refund}, {bills.Sale, bills.Refund}, {bills.Sale}, {bills.Refund}}[r.IntN(4)], Complete: r.IntN(4) > 0}
	from := r.IntN(2)
	b.From, b.To = []string{"2026-08-22", today}[from], []string{today, "2026-08-24"}[r.IntN(2)]
	if isFund(format) {
		b.Covers = []string{"fund"}
	}
	var entries []bills.Entry
	for range r.IntN(9) {
		i := r.IntN(12)
		if own := map[string]int{"wechat": 1, "alipay": 2, "unionpay_qr": 3}[platform(format)]; own > 0 {
			i = i/4*4 + own
		}
		e := bills.Entry{Format: format, Line: 1 + len(entries), Row: fmt.Sprintf("%s%02d", format, r.IntN(60)), Kind: r.of(bills.Refund, bills.Refund, bills.Refund, bills.Void, bills.Sale), Direction: bills.Out, Status: r.of("success", "success", "processing", "closed"),
			Channel: platform(format), TerminalID: r.some("T", i%3), At: r.at(), Amount: int64(100 * (1 + r.IntN(2))), Currency: "CNY", STAN: r.some("00000", i), Batch: r.of("B1", "B1", "B1", ""), RRN: r.some("RRN", i), RefundNo: r.some("R", i),
			ChannelRefund: r.some("C", i), Original: bills.Original{OrderNo: r.some("O", i/2), ChannelTxn: r.some("S", i/2)}, Route: r.of("", "", "ORIGINAL", "OTHER_BALANCE", "OTHER_BANKCARD", "BALANCE")}
		switch format {
		case bills.AcquirerCSV:
			if e.Channel = r.channel(i); r.IntN(4) == 0 {
				e.Kind, e.Direction, e.Original.ChannelTxn = bills.Adjust, r.of(bills.In, bills.Out), r.some("C", i)
			}
		case bills.WechatFund, bills.AlipayFund:
			e.Channel = map[string]string{bills.WechatFund: "wechat", bills.AlipayFund: "alipay"}[format]
			if r.IntN(2) == 0 {
				e.Kind, e.Direction = bills.RefundBack, bills.In
			}
		}
		entries = append(entries, e)
	}
	return b, entries
}

// TestRandomDaysMatchTheSecondReading holds the matching to the second reading of the page,
// over days in which numbers meet in every way, and to itself.
func TestRandomDaysMatchTheSecondReading(t *testing.T) {
	days := 600
	if os.Getenv("YUANLU_SOAK") != "" {
		days = 30000
	}
	seen := map[string]int{}
	for seed := range days {
		r := random{rand.New(rand.NewPCG(uint64(seed), 6))}
		s := &second{day: today}
		book := NewBook(func(*bills.Refusal) {})
		var lines []string
		for range 3 + r.IntN(5) {
			lines = append(lines, r.digest())
		}
		s.digests = ParseDigests("days.jsonl", []byte(strings.Join(lines, "\n")), func(v *bills.Refusal) { t.Fatalf("%s refused: %s", v.Place(), lines[v.Line-1]) })
		for n := range 1 + r.IntN(6) {
			b, entries := r.bill(n)
			s.bills, s.entries = append(s.bills, b), append(s.entries, entries)
			for i := range entries {
				e := entries[i]
				book.Entry(&e)
			}
			book.Bill(&b)
		}
		got := linesOf(Match(today, s.digests, book))
		want := s.run()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("seed %d\n%s\ngot\n  %s\nwant\n  %s", seed, strings.Join(lines, "\n"), strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
		if again := linesOf(Match(today, s.digests, book)); strings.Join(got, "\n") != strings.Join(again, "\n") {
			t.Fatalf("seed %d: twice matched, two results", seed)
		}
		for _, line := range got {
			_, result, _ := strings.Cut(line, `"result":"`)
			result, _, _ = strings.Cut(result, `"`)
			_, key, _ := strings.Cut(line, `"key":"`)
			key, _, _ = strings.Cut(key, `"`)
			seen[result]++
			seen["by "+key]++
		}
	}
	for _, result := range []string{Recovered, Ambiguous, StatusDiffers, AmountDiffers, Rerouted, Confirmed, MissingOnBill, NoBill, MissingOnTerminal, "by channel_refund", "by refund_no", "by rrn", "by stan", "by original"} {
		if seen[result] == 0 {
			t.Errorf("%s came %d times", result, seen[result])
		}
	}
	t.Log(seen)
}

func linesOf(results []*Result, totals []*Total) (lines []string) {
	for _, r := range results {
		lines = append(lines, string(r.AppendJSON(nil)))
	}
	for _, t := range totals {
		lines = append(lines, string(t.AppendJSON(nil)))
	}
	return lines
}
