package scenario

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"yuanlu/firmware-sim/wire"
)

// copyOf takes a record that repeats an event, and judges again what it changes: verdicts.md § 1.3.
func (b *Book) copyOf(r *wire.Record) bool {
	d := b.sameEvent(r)
	if d == nil {
		return false
	}
	was := d.rec
	complete(&d.rec, r)
	b.index(d, &was)
	switch {
	case reflect.DeepEqual(was, d.rec):
	case moneyBack(was.Kind):
		b.judgeAgain([]*deed{d})
	case isSale(was.Kind):
		b.judgeAgain(slices.Concat(d.back(), b.pointing(d), b.loose))
	}
	return true
}

// pointing returns the refunds and voids that point at a number of a sale.
func (b *Book) pointing(sale *deed) []*deed {
	r := &sale.rec
	var list []*deed
	for key, value := range map[string]string{"channel_txn": r.ChannelTxn, "order_no": r.OrderNo, "rrn": r.RRN, "stan": r.Stan} {
		for _, d := range b.byPointer[key+value] {
			if value != "" && !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	return list
}

// complete adds to an event what another sighting of it states.
func complete(o, r *wire.Record) {
	if mayBecome(o.Kind, o.Outcome, r.Outcome) {
		o.Outcome = r.Outcome
		if r.RefundRoute != "" {
			o.RefundRoute = r.RefundRoute
		}
		if r.Party.Scheme != "" && r.Party.Scheme != "none" {
			o.Party = r.Party
		}
	}
	for _, m := range [][2]*string{{&o.ChannelTxn, &r.ChannelTxn}, {&o.RRN, &r.RRN}, {&o.OrderNo, &r.OrderNo}, {&o.Stan, &r.Stan},
		{&o.Batch, &r.Batch}, {&o.Currency, &r.Currency}, {&o.RefundNo, &r.RefundNo}, {&o.ChannelRefund, &r.ChannelRefund},
		{&o.RefundRoute, &r.RefundRoute}, {&o.Original.ChannelTxn, &r.Original.ChannelTxn}, {&o.Original.OrderNo, &r.Original.OrderNo},
		{&o.Original.RRN, &r.Original.RRN}, {&o.Original.Stan, &r.Original.Stan}, {&o.Original.Batch, &r.Original.Batch},
		{&o.Original.Date, &r.Original.Date}, {&o.Original.TerminalID, &r.Original.TerminalID}} {
		if *m[0] == "" {
			*m[0] = *m[1]
		}
	}
	if !known(o.Channel) {
		o.Channel = r.Channel
	}
	if o.Entry == "" || o.Entry == "none" {
		o.Entry = r.Entry
	}
	if o.Amount == 0 { // none was stated
		o.Amount = r.Amount
	}
	if o.PayerAmount == nil && r.PayerAmount != nil && *r.PayerAmount <= o.Amount {
		o.PayerAmount = r.PayerAmount
	}
	if o.Party.IsZero() {
		o.Party = r.Party
	}
}

// mayBecome reports whether a copy changes the outcome. What was paid stays a sale.
func mayBecome(kind, from, to string) bool {
	switch from {
	case "unknown", "pending", "abnormal":
		return to != from
	case "approved":
		return !isSale(kind) && (to == "closed" || to == "abnormal")
	}
	return false
}

// sameEvent finds the event that a record repeats: the latest of those that its numbers reach.
func (b *Book) sameEvent(r *wire.Record) *deed {
	var list []*deed
	switch {
	case isSale(r.Kind):
		list = slices.Concat(b.byKey["channel_txn"+r.ChannelTxn], b.byKey["order_no"+r.OrderNo])
	case moneyBack(r.Kind):
		list = slices.Concat(b.byBack["channel_refund"+r.ChannelRefund], b.byBack["refund_no"+r.RefundNo])
	}
	if r.Stan != "" {
		list = append(list, b.byStan[r.TerminalID+"/"+r.Stan]...)
	}
	var last *deed
	for _, d := range list {
		if same(&d.rec, r) && (last == nil || cmp.Or(d.rec.At.Compare(last.rec.At), cmp.Compare(d.id, last.id)) > 0) {
			last = d
		}
	}
	return last
}

// same reports whether two records are of one event, by the first line of verdicts.md § 1.3 that both can answer.
func same(o, r *wire.Record) bool {
	none := func(outcome string) bool { return outcome == "declined" || outcome == "closed" }
	if o.Kind != r.Kind || none(o.Outcome) && !none(r.Outcome) {
		return false
	}
	channel := o.Channel == r.Channel || !known(o.Channel) && !known(r.Channel)
	both := func(a, b string) bool { return a != "" && b != "" }
	switch {
	case moneyBack(r.Kind) && channel && both(o.ChannelRefund, r.ChannelRefund):
		return o.ChannelRefund == r.ChannelRefund
	case moneyBack(r.Kind) && both(o.RefundNo, r.RefundNo):
		return o.RefundNo == r.RefundNo
	case isSale(r.Kind) && channel && both(o.ChannelTxn, r.ChannelTxn):
		return o.ChannelTxn == r.ChannelTxn
	case isSale(r.Kind) && channel && wallet(r.Channel) && both(o.OrderNo, r.OrderNo):
		return o.OrderNo == r.OrderNo
	}
	if o.TerminalID != r.TerminalID || !both(o.Stan, r.Stan) || o.Stan != r.Stan || !both(o.Batch, r.Batch) || o.Batch != r.Batch || o.Amount != r.Amount {
		return false
	}
	apart := r.At.Sub(o.At).Abs()
	if r.Copy == "" {
		return apart <= 72*time.Hour
	}
	return apart <= 180*24*time.Hour && (o.RRN == r.RRN || o.RRN == "" || r.RRN == "")
}

// judgeAgain judges refunds and voids again, in their order, and those after them whose originals are concerned.
func (b *Book) judgeAgain(work []*deed) {
	for len(work) > 0 {
		d := slices.MinFunc(work, func(x, y *deed) int { return cmp.Compare(x.id, y.id) })
		work = slices.DeleteFunc(slices.Clone(work), func(x *deed) bool { return x == d })
		was, old := d.verdict.public(), d.original
		b.before = d.id
		v := b.judge(d)
		b.before = 0
		changed := !reflect.DeepEqual(was, v.public()) || v.original != old
		d.verdict = v
		b.unlink(d)
		b.link(d)
		b.sortLoose(d)
		if changed {
			b.revised(d, v)
		}
		for _, o := range []*deed{old, v.original} {
			if o == nil {
				continue
			}
			for _, x := range slices.Concat(o.back(), b.pointing(o), b.loose) {
				if changed && x.id > d.id && !slices.Contains(work, x) {
					work = append(work, x)
				}
			}
		}
	}
}

// back returns the refunds and voids of a sale.
func (d *deed) back() []*deed { return slices.Concat(d.refunds, d.voided) }

// unlink takes a refund or void from the original that it had.
func (b *Book) unlink(d *deed) {
	if o := d.original; o != nil {
		is := func(x *deed) bool { return x == d }
		o.refunds, o.voided = slices.DeleteFunc(o.refunds, is), slices.DeleteFunc(o.voided, is)
	}
	d.original = nil
}

// sortLoose keeps a refund or void among those whose original may still come, or takes it from them.
func (b *Book) sortLoose(d *deed) {
	i := slices.Index(b.loose, d)
	switch {
	case d.loose() && d.verdict.reason != "cancelled":
		if i < 0 {
			b.loose = append(b.loose, d)
		}
	case i >= 0:
		b.loose = slices.Delete(b.loose, i, i+1)
	}
}
