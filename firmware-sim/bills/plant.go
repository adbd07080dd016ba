package bills

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"yuanlu/firmware-sim/wire"
)

// plant changes some rows of a day so that bills and terminals differ, and returns the plan of it, with the rows of money that
// comes back on the day after. What a terminal's own refund shows by itself, a route to elsewhere, is in the plan too.
func plant(rng *rand.Rand, date string, rows *[]*row) (plan []Planted, back []*row) {
	mark := func(r *row, result string) {
		plan = append(plan, Planted{Day: date, Result: result, Refund: r.id})
	}
	var free []*row // refunds that may be changed
	for _, r := range *rows {
		if !r.back || r.left || !moves(r) {
			continue
		}
		if r.Channel == "wechat" && (r.route == "OTHER_BANKCARD" || r.route == "OTHER_BALANCE") {
			mark(r, "rerouted")
			continue
		}
		free = append(free, r)
	}
	rng.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	next := func(fits func(*row) bool) *row {
		i := slices.IndexFunc(free, fits)
		if i < 0 {
			return nil
		}
		r := free[i]
		free = slices.Delete(free, i, i+1)
		return r
	}
	wechat := func(r *row) bool { return r.Channel == "wechat" && !r.void && r.Outcome == "approved" }
	if r := next(wechat); r != nil {
		r.status = "FAIL"
		mark(r, "status_differs")
	}
	if r := next(wechat); r != nil {
		r.route = "OTHER_BALANCE"
		mark(r, "rerouted")
	}
	if r := next(wechat); r != nil {
		again := *r
		again.at = r.at.Add(24 * time.Hour)
		back = append(back, &again)
		mark(r, "recovered")
	}
	if r := next(func(r *row) bool { return r.RefundNo != "" && (r.Channel == "wechat" || r.Channel == "alipay") }); r != nil {
		r.amount++
		mark(r, "amount_differs")
	}
	if r := next(func(r *row) bool { return r.Channel == "wechat" || r.Channel == "alipay" }); r != nil {
		r.left = true
		mark(r, "missing_on_bill")
	}
	portal := plantPortal(rng, date, rows)
	return append(plan, portal...), back
}

// moves reports whether the bill shows the money of a refund as moved.
func moves(r *row) bool { return matchable(r.Channel) }

// matchable are the channels of which there are bills here.
func matchable(channel string) bool {
	return slices.Contains([]string{"card", "wechat", "alipay", "unionpay_qr", "ecny"}, channel)
}

// plantPortal adds a refund that was made in the merchant portal, of a sale of the day.
func plantPortal(rng *rand.Rand, date string, rows *[]*row) []Planted {
	returned := map[string]bool{}
	var sold []*row
	for _, r := range *rows {
		if r.back {
			returned[r.sale.ChannelTxn], returned[r.Original.ChannelTxn] = true, true
		}
	}
	for _, r := range *rows {
		if !r.back && !r.left && r.ChannelTxn != "" && !returned[r.ChannelTxn] && (r.Channel == "wechat" || r.Channel == "alipay") {
			sold = append(sold, r)
		}
	}
	if len(sold) == 0 {
		return nil
	}
	s := sold[rng.IntN(len(sold))]
	number := fmt.Sprintf("P%s%06d", s.at.Format("20060102"), rng.IntN(1_000_000))
	*rows = append(*rows, &row{Record: wire.Record{Kind: "refund", Outcome: "approved", Channel: s.Channel, RefundNo: number, ChannelRefund: "5099" + number[1:] + "0000000000"},
		at: s.at.Add(time.Minute), back: true, sale: s.Record, status: "SUCCESS", route: "ORIGINAL", amount: s.Amount})
	return []Planted{{Day: date, Result: "missing_on_terminal", Number: number}}
}
