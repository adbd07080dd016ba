package casework

import (
	"cmp"
	"slices"
	"strings"
)

// index finds refunds by what they have in common. A key may lead to one that does not have
// it any more: who asks looks at the refund itself.
type index map[string][]string

func keyOf(parts ...string) string { return strings.Join(parts, "\x00") }

// put makes a refund findable.
func (x index) put(r *refund) {
	keys := slices.Concat(x.sales(r.original), x.numbers("number", &r.last.Refund.Side), x.pointed(r.original), x.account(r))
	if r.last.Type == fromHand {
		keys = append(keys, x.numbers("hand", &r.last.Refund.Side)...)
	}
	for _, k := range keys {
		if !slices.Contains(x[k], r.id) {
			x[k] = append(x[k], r.id)
		}
	}
}

// sales are the keys by which two originals can be one sale (casework.md § 4).
func (x index) sales(s *Side) []string {
	if s == nil {
		return nil
	}
	var out []string
	if s.ChannelTxn != "" {
		out = append(out, keyOf("txn", s.MerchantID, s.ChannelTxn))
	}
	if s.OrderNo != "" {
		out = append(out, keyOf("order", s.MerchantID, s.OrderNo))
	}
	if s.TerminalID != "" && s.RRN != "" {
		out = append(out, keyOf("rrn", s.MerchantID, s.TerminalID, s.RRN))
	}
	if s.TerminalID != "" && s.STAN != "" {
		out = append(out, keyOf("stan", s.MerchantID, s.TerminalID, s.Batch, s.STAN))
	}
	return out
}

// numbers are the keys of the numbers that a refund bears: "number" of any, "hand" of those
// that were opened by hand.
func (x index) numbers(kind string, s *Side) []string {
	var out []string
	for _, n := range []string{s.RefundNo, s.ChannelRefund, s.RRN} {
		if n != "" {
			out = append(out, keyOf(kind, s.MerchantID, n))
		}
	}
	return out
}

// pointed are the keys of the numbers of an original to which a refund can point.
func (x index) pointed(s *Side) []string {
	if s == nil {
		return nil
	}
	var out []string
	for _, n := range []string{s.ChannelTxn, s.OrderNo, s.RRN} {
		if n != "" {
			out = append(out, keyOf("original", n))
		}
	}
	return out
}

// account is the key of who got the money.
func (x index) account(r *refund) []string {
	if token := r.last.Refund.Token; token != "" {
		return []string{keyOf("token", r.source, r.last.Refund.MerchantID, token)}
	}
	return nil
}

// like are the keys of refunds that may belong to the case of one (casework.md § 4,
// suggested).
func (x index) like(r *refund) []string {
	p, kind := r.last.Refund.PointsTo, "hand"
	if r.last.Type == fromHand {
		kind = "number"
	}
	return slices.Concat(x.numbers(kind, &r.last.Refund.Side), x.account(r), x.pointed(&Side{ChannelTxn: p.ChannelTxn, OrderNo: p.OrderNo, RRN: p.RRN}))
}

// casesOf returns the cases that hold a refund of one of the keys that fits, by number.
func (d *Desk) casesOf(keys []string, fits func(*refund) bool) []*Case {
	var out []*Case
	found := map[*Case]bool{}
	for _, k := range keys {
		for _, id := range d.index[k] {
			if c := d.home[id]; c != nil && !found[c] && slices.ContainsFunc(c.refunds, func(r *refund) bool { return r.id == id && fits(r) }) {
				found[c] = true
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Case) int { return cmp.Compare(a.No, b.No) })
	return out
}
