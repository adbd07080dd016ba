package match

import (
	"fmt"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/protocol/daydigest"
)

// BenchmarkDay matches the day of 200 terminals, 40 refunds each on three days, with their
// platform's bill of 120 000 rows, parsing the digests included.
func BenchmarkDay(b *testing.B) {
	var lines []string
	var entries []bills.Entry
	for t := range 200 {
		for _, day := range []string{"2026-08-22", today, "2026-08-24"} {
			var refunds []string
			for i := range 40 {
				no := fmt.Sprintf("R%s-%d-%d", day, t, i)
				at := fmt.Sprintf("%sT%02d:30:00+08:00", day, 8+i%12)
				refunds = append(refunds, fmt.Sprintf(`{"id":"%s","outcome":"approved","channel":"wechat","amount":%d,"at":"%s","refund_no":"%s","original":{"channel_txn":"S%s"}}`, no, 100+i, at, no, no))
				entries = append(entries, bills.Entry{Format: bills.WechatTrade, Row: no, Kind: bills.Refund, Direction: bills.Out, Status: bills.Success, Channel: "wechat", At: at, Amount: int64(100 + i), Currency: "CNY", RefundNo: no})
			}
			var sales []string
			for i := range 160 {
				no := fmt.Sprintf("S%s-%d-%d", day, t, i)
				sales = append(sales, daydigest.SaleKey("t", "wechat", no))
				entries = append(entries, bills.Entry{Format: bills.WechatTrade, Row: no, Kind: bills.Sale, Direction: bills.In, Status: bills.Success, Channel: "wechat", At: day + "T12:00:00+08:00", Amount: 1000, Currency: "CNY", ChannelTxn: no})
			}
			lines = append(lines, fmt.Sprintf(`{"terminal":"t-%d","day":"%s","rev":1,"part":1,"parts":1,"complete":true,"totals":[],"refunds":[%s],"sales":"%s"}`, t, day, strings.Join(refunds, ","), strings.Join(sales, "")))
		}
	}
	text := []byte(strings.Join(lines, "\n"))
	for b.Loop() {
		book := NewBook(func(r *bills.Refusal) { b.Fatal(r.Place()) })
		for i := range entries {
			e := entries[i]
			book.Entry(&e)
		}
		book.Bill(&bills.Bill{Format: bills.WechatTrade, SHA256: "a", Covers: []string{bills.Sale, bills.Refund}, From: "2026-08-22", To: "2026-08-24", Complete: true})
		results, _ := Match(today, ParseDigests("d", text, func(r *bills.Refusal) { b.Fatal(r.Place()) }), book)
		if len(results) != 200*40 || results[0].Result != Confirmed {
			b.Fatal(len(results))
		}
	}
	b.ReportMetric(float64(len(entries)), "rows")
}
