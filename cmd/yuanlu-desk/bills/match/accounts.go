package match

import (
	"cmp"
	"maps"
	"slices"
)

// ByAccount returns what Match does where terminals are of several merchants: each merchant's refunds are matched with the
// entries of its accounts alone. accounts names the merchant of terminals of each merchant_id of bills; entries of another
// account are matched with nothing, and so are bills without any entry unless there is one merchant only (bills.md § 7).
// Without accounts all is one merchant's.
func ByAccount(date string, digests []*Digest, book *Book, accounts map[string]string) (results []*Result, totals []*Total) {
	if len(accounts) == 0 {
		return Match(date, digests, book)
	}
	merchants := map[string]bool{}
	for _, m := range accounts {
		merchants[m] = true
	}
	for _, d := range digests {
		for m := range d.merchants() {
			merchants[m] = true
		}
	}
	of := map[string]map[string]bool{} // merchants of each terminal
	for _, d := range digests {
		if of[d.Terminal] == nil {
			of[d.Terminal] = map[string]bool{}
		}
		maps.Copy(of[d.Terminal], d.merchants())
	}
	sums := map[string]*Total{}
	for _, m := range slices.Sorted(maps.Keys(merchants)) {
		var mine []*Digest
		for _, d := range digests {
			if has := of[d.Terminal]; len(has) == 0 || has[m] {
				mine = append(mine, d.only(m))
			}
		}
		r, t := Match(date, mine, book.only(m, accounts))
		results = append(results, r...)
		addTotals(sums, t)
	}
	slices.SortStableFunc(results, inOrder)
	for _, channel := range channels {
		if sums[channel] != nil {
			totals = append(totals, sums[channel])
		}
	}
	return results, totals
}

// inOrder is the order of bills.md § 6: refunds by terminal, at, id; then what no terminal reported by channel, at, row.
func inOrder(a, b *Result) int {
	switch {
	case a.Of == nil && b.Of == nil:
		return cmp.Or(cmp.Compare(channelRank(a.Channel), channelRank(b.Channel)), cmp.Compare(a.Entry.At, b.Entry.At), cmp.Compare(a.Row, b.Row))
	case a.Of == nil:
		return 1
	case b.Of == nil:
		return -1
	}
	return cmp.Or(cmp.Compare(a.Terminal, b.Terminal), a.Of.At.Compare(b.Of.At), cmp.Compare(a.Refund, b.Refund))
}

// addTotals adds the totals of one merchant: they agree if those of all do.
func addTotals(sums map[string]*Total, more []*Total) {
	worse := []string{"yes", "no", "unknown"}
	for _, t := range more {
		s := sums[t.Channel]
		if s == nil {
			sums[t.Channel] = t
			continue
		}
		s.Terminal.add(&t.Terminal)
		s.Bill.add(&t.Bill)
		s.Agree = worse[max(slices.Index(worse, s.Agree), slices.Index(worse, t.Agree))]
	}
}

// merchants are those that a digest names.
func (d *Digest) merchants() map[string]bool {
	all := map[string]bool{}
	for i := range d.totals {
		all[d.totals[i].merchantID] = true
	}
	for _, r := range d.refunds {
		all[r.MerchantID] = true
	}
	delete(all, "")
	return all
}

// only returns what a digest has of one merchant; keys of sales name none.
func (d *Digest) only(merchant string) *Digest {
	one := *d
	one.totals, one.refunds = nil, nil
	for _, t := range d.totals {
		if t.merchantID == merchant {
			one.totals = append(one.totals, t)
		}
	}
	for _, r := range d.refunds {
		if r.MerchantID == merchant {
			one.refunds = append(one.refunds, r)
		}
	}
	return &one
}

// Refunds are those of a digest.
func (d *Digest) Refunds() []*Refund { return d.refunds }

// only returns what a book has of the accounts of one merchant.
func (b *Book) only(merchant string, accounts map[string]string) *Book {
	one := NewBook(b.refused)
	for i := range b.bills {
		its := b.accounts[i]
		mine := slices.ContainsFunc(its, func(a string) bool { return accounts[a] == merchant })
		if len(its) == 0 { // a day without anything
			mine = !slices.ContainsFunc(slices.Collect(maps.Values(accounts)), func(m string) bool { return m != merchant })
		}
		if mine {
			one.KnownBill(&b.bills[i], b.has[i], its)
		}
	}
	for _, e := range b.entries {
		if accounts[e.MerchantID] == merchant {
			one.Known(&e.Entry)
		}
	}
	return one
}

// placeOf returns how a terminal names itself on a channel; where it has no sum of the channel, the first that it names.
func (d *day) placeOf(terminal, channel string) (at Place) {
	for _, t := range d.days {
		if t.terminal != terminal {
			continue
		}
		for _, p := range t.parts {
			for i := range p.totals {
				if s := &p.totals[i]; s.channel == channel {
					return Place{s.merchantID, s.terminalID}
				} else if at == (Place{}) {
					at = Place{s.merchantID, s.terminalID}
				}
			}
		}
	}
	return at
}

// accountsOf are the merchants that entries of a bill name.
func accountsOf(entries []*Entry) (all []string) {
	for _, e := range entries {
		if e.MerchantID != "" && !slices.Contains(all, e.MerchantID) {
			all = append(all, e.MerchantID)
		}
	}
	return all
}
