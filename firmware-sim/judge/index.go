package judge

import (
	"cmp"
	"slices"

	"yuanlu/firmware-sim/wire"
)

// keys returns what an event is found by: the numbers that it states.
func keys(r *wire.Record) []string {
	var out []string
	for _, k := range [][2]string{{"channel_txn ", r.ChannelTxn}, {"order_no ", r.OrderNo}, {"rrn ", r.RRN}, {"stan ", r.Stan},
		{"refund_no ", r.RefundNo}, {"channel_refund ", r.ChannelRefund}} {
		if k[1] != "" {
			out = append(out, k[0]+k[1])
		}
	}
	if r.Batch != "" && r.Stan != "" {
		out = append(out, place(r))
	}
	return out
}

// place is where an event stands in its terminal's batch.
func place(r *wire.Record) string { return "place " + r.TerminalID + "/" + r.Batch + "/" + r.Stan }

func at(e *event, terminal, batch, stan string) bool {
	return batch != "" && stan != "" && e.TerminalID == terminal && e.Batch == batch && e.Stan == stan
}

// pointsTo returns what a refund or void finds its original by.
func pointsTo(o *wire.Original) []string {
	var out []string
	for _, k := range [][2]string{{"channel_txn ", o.ChannelTxn}, {"order_no ", o.OrderNo}, {"rrn ", o.RRN}, {"stan ", o.Stan}} {
		if given(k[1]) {
			out = append(out, k[0]+k[1])
		}
	}
	return out
}

// enter makes an event findable by what it states and did not state before.
func (b *Book) enter(e *event, before *wire.Record) {
	add := func(to map[string][]*event, now, was []string) {
		for _, key := range now {
			if !slices.Contains(was, key) {
				to[key] = append(to[key], e)
			}
		}
	}
	add(b.index, keys(&e.Record), keys(before))
	if !judged(e.Kind) {
		return
	}
	now := pointsTo(&e.Original)
	add(b.pointers, now, pointsTo(&before.Original))
	b.keyless = slices.DeleteFunc(b.keyless, func(x *event) bool { return x == e })
	if len(now) == 0 {
		b.keyless = append(b.keyless, e)
	}
}

// sharing returns the events that have a number in common with a record.
func (b *Book) sharing(r *wire.Record) []*event {
	var out []*event
	for _, key := range keys(r) {
		out = append(out, b.index[key]...)
	}
	return out
}

// before returns the latest event of the same merchant that stands before v under a key.
func (b *Book) before(v *event, key string, is func(*event) bool) *event {
	var hits []*event
	for _, e := range b.index[key] {
		if e.seq < v.seq && e.MerchantID == v.MerchantID && is(e) {
			hits = append(hits, e)
		}
	}
	return latest(hits)
}

// latest returns the event with the greatest at, then the greatest seq; nil of none.
func latest(hits []*event) *event {
	if len(hits) == 0 {
		return nil
	}
	return slices.MaxFunc(hits, func(a, b *event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.seq, b.seq)) })
}

// namedRefund returns the refund that a void_refund undoes, by the first number that reaches one.
func (b *Book) namedRefund(v *event) *event {
	o := &v.Original
	isRefund := func(is func(*event) bool) func(*event) bool {
		return func(e *event) bool { return e.Kind == "refund" && is(e) }
	}
	for _, k := range []struct {
		given bool
		key   string
		is    func(*event) bool
	}{
		{given(o.ChannelTxn), "channel_refund " + o.ChannelTxn, func(e *event) bool { return e.ChannelRefund == o.ChannelTxn }},
		{given(o.OrderNo), "refund_no " + o.OrderNo, func(e *event) bool { return e.RefundNo == o.OrderNo }},
		{given(o.RRN), "rrn " + o.RRN, func(e *event) bool { return e.RRN == o.RRN }},
		{given(o.Batch) && given(o.Stan), "stan " + o.Stan, func(e *event) bool { return at(e, v.TerminalID, o.Batch, o.Stan) }},
	} {
		if !k.given {
			continue
		}
		if e := b.before(v, k.key, isRefund(k.is)); e != nil {
			return e
		}
	}
	return nil
}

// namedSale returns the sale that an adjust changes: verdicts.md § 3.
func (b *Book) namedSale(a *event) *event {
	o := &a.Original
	if given(o.Batch) && given(o.Stan) {
		if s := b.before(a, "stan "+o.Stan, func(e *event) bool { return isSale(e.Kind) && at(e, a.TerminalID, o.Batch, o.Stan) }); s != nil {
			return s
		}
	}
	if !given(o.RRN) {
		return nil
	}
	return b.before(a, "rrn "+o.RRN, func(e *event) bool { return isSale(e.Kind) })
}
