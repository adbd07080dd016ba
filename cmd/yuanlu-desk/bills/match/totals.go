package match

import (
	"slices"

	"yuanlu/cmd/yuanlu-desk/bills"
)

// channels are the channels in the order of results and totals (bills.md § 6).
var channels = []string{"card", "wechat", "alipay", "unionpay_qr", "jd", "ecny", "unknown"}

// channelRank is the place of a channel in that order; others come last.
func channelRank(channel string) int {
	if i := slices.Index(channels, channel); i >= 0 {
		return i
	}
	return len(channels)
}

// Total is what both sides sum of one channel on a day.
type Total struct {
	Day, Channel   string
	Terminal, Bill Sums
	Agree          string // yes, no, unknown
}

// AppendJSON appends the line of a total, without its end.
func (t *Total) AppendJSON(b []byte) []byte {
	b = append(b, `{"type":"totals"`...)
	b = bills.AppendText(b, "day", t.Day)
	b = bills.AppendText(b, "channel", t.Channel)
	for _, side := range []struct {
		name string
		sums *Sums
	}{{"terminal", &t.Terminal}, {"bill", &t.Bill}} {
		b = bills.AppendNumber(b, side.name+"_sale_count", side.sums.SaleCount)
		b = bills.AppendNumber(b, side.name+"_sale_amount", side.sums.SaleAmount)
		b = bills.AppendNumber(b, side.name+"_refund_count", side.sums.RefundCount)
		b = bills.AppendNumber(b, side.name+"_refund_amount", side.sums.RefundAmount)
	}
	b = bills.AppendText(b, "agree", t.Agree)
	return append(b, '}')
}

// totals returns the sums of the day by channel, where either side is not 0.
func (d *day) totals() (totals []*Total) {
	all := map[string]*Total{}
	of := func(channel string) *Total {
		if all[channel] == nil {
			all[channel] = &Total{Day: d.date, Channel: channel}
		}
		return all[channel]
	}
	for _, t := range d.days {
		if t.day != d.date {
			continue
		}
		for _, p := range t.parts {
			for i := range p.totals {
				of(p.totals[i].channel).Terminal.add(&p.totals[i].sums)
			}
		}
	}
	for _, e := range d.book.entries {
		if !e.kept || isFund(e.Format) || !e.Moved() || e.At[:10] != d.date {
			continue
		}
		switch e.Kind {
		case bills.Sale:
			of(e.Channel).Bill.add(&Sums{SaleCount: 1, SaleAmount: e.Amount})
		case bills.Refund, bills.Void:
			of(e.Channel).Bill.add(&Sums{RefundCount: 1, RefundAmount: e.Amount})
		}
	}
	whole := d.whole()
	for _, channel := range channels {
		t := all[channel]
		if t == nil || t.Terminal == (Sums{}) && t.Bill == (Sums{}) {
			continue
		}
		sales, _ := d.book.covers(channel, d.date, bills.Sale)
		refunds, _ := d.book.covers(channel, d.date, bills.Refund)
		switch {
		case !whole || !sales || !refunds:
			t.Agree = "unknown"
		case t.Terminal == t.Bill:
			t.Agree = "yes"
		default:
			t.Agree = "no"
		}
		totals = append(totals, t)
	}
	return totals
}

func (s *Sums) add(other *Sums) {
	s.SaleCount += other.SaleCount
	s.SaleAmount += other.SaleAmount
	s.RefundCount += other.RefundCount
	s.RefundAmount += other.RefundAmount
}
