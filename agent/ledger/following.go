package ledger

import (
	"cmp"
	"slices"
	"time"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// following is where the records of opened cases are found without an index of the
// store: by the sale, by the batch, and by the payer. It is made of the cases when the store is
// opened, belongs to the writer, and may name what is no longer so: who asks looks at the case.
// So nothing of it is taken back when a transaction is.
type following struct {
	sales   []pair // by sale, refund
	batches map[uint32][]int64
	payers  map[uint32][]moment
	latest  time.Time // newest `at` of what may show a payer
	older   bool      // there are records that latest does not know of
}

// pair is a sale, and the refund of a case about it.
type pair struct{ sale, refund int64 }

func byPair(a, b pair) int {
	return cmp.Or(cmp.Compare(a.sale, b.sale), cmp.Compare(a.refund, b.refund))
}

// paid notes when something was paid.
func (f *following) paid(r *refund.Record) {
	if !r.Kind.Pays() {
		return
	}
	if at, ok := r.Time(); ok && at.After(f.latest) {
		f.latest = at
	}
}

// mayBePaidAfter reports whether something may have been paid after a refund.
func (f *following) mayBePaidAfter(r *refund.Record) bool {
	at, ok := r.Time()
	return ok && (f.older || f.latest.After(at))
}

// opened notes the sale of a case.
func (f *following) opened(k *caseRow) {
	p := pair{k.original, k.seq}
	if i, ok := slices.BinarySearchFunc(f.sales, p, byPair); !ok {
		f.sales = slices.Insert(f.sales, i, p)
	}
}

// refunds returns the refunds of cases that may be of a sale, in order.
func (f *following) refunds(sale int64) []int64 {
	from, _ := slices.BinarySearchFunc(f.sales, pair{sale, 0}, byPair)
	var list []int64
	for _, p := range f.sales[from:] {
		if p.sale != sale {
			break
		}
		list = append(list, p.refund)
	}
	return list
}

// watch notes what a case's refund and sale are found by. sale may be nil.
func (f *following) watch(e, sale *refund.Event) {
	if f.batches == nil {
		f.batches, f.payers = map[uint32][]int64{}, map[uint32][]moment{}
	}
	if e.Record.Batch != "" {
		sum := batchSum(&e.Record)
		if i, ok := slices.BinarySearch(f.batches[sum], e.Seq); !ok {
			f.batches[sum] = slices.Insert(f.batches[sum], i, e.Seq)
		}
	}
	at, ok := e.Record.Time()
	if sale == nil || !ok {
		return
	}
	m := moment{at.UnixNano(), e.Seq}
	for _, t := range sale.Record.Party.AllTokens() {
		sum := sqlite.Checksum(0, []byte(t))
		if i, ok := slices.BinarySearchFunc(f.payers[sum], m, byMoment); !ok {
			f.payers[sum] = slices.Insert(f.payers[sum], i, m)
		}
	}
}

// moment is a refund and when it was, in ns since 1970.
type moment struct{ at, refund int64 }

func byMoment(a, b moment) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.refund, b.refund))
}

func batchSum(r *refund.Record) uint32 {
	return sqlite.Checksum(0, joined(r.MerchantID, r.TerminalID, r.Batch))
}

// inBatch returns the refunds of cases that may be in the batch of a settlement.
func (f *following) inBatch(r *refund.Record) []int64 { return f.batches[batchSum(r)] }

// shownBy returns the refunds of cases whose payer a record may show: those of the 60 days
// before it.
func (f *following) shownBy(r *refund.Record) []int64 {
	at, ok := r.Time()
	if len(f.payers) == 0 || !ok {
		return nil
	}
	from, to := moment{at.Add(-follow.MostSince).UnixNano(), 0}, moment{at.UnixNano(), 0}
	var list []int64
	for _, t := range r.Party.AllTokens() {
		all := f.payers[sqlite.Checksum(0, []byte(t))]
		first, _ := slices.BinarySearchFunc(all, from, byMoment)
		for _, m := range all[first:] {
			if m.at >= to.at {
				break
			}
			list = append(list, m.refund)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// settled takes a refund out of its batch: the settlement has come.
func (f *following) settled(e *refund.Event) {
	sum := batchSum(&e.Record)
	if i, ok := slices.BinarySearch(f.batches[sum], e.Seq); ok {
		f.batches[sum] = slices.Delete(f.batches[sum], i, i+1)
	}
}

// seen takes a refund from those of its payer, who has come.
func (f *following) seen(e, sale *refund.Event) {
	at, _ := e.Record.Time()
	m := moment{at.UnixNano(), e.Seq}
	for _, t := range sale.Record.Party.AllTokens() {
		sum := sqlite.Checksum(0, []byte(t))
		if i, ok := slices.BinarySearchFunc(f.payers[sum], m, byMoment); ok {
			f.payers[sum] = slices.Delete(f.payers[sum], i, i+1)
		}
	}
}

// loadFollowing reads the cases. Of those of which a settlement or the payer was seen, that is
// not looked for again.
func loadFollowing(c *conn) (following, error) {
	var f following
	if version, err := c.version(); err != nil || version < followVersion {
		return f, err
	}
	type one struct {
		pair
		settled, seen bool
	}
	var all []one
	err := c.Each(`SELECT seq, coalesce(original, 0), EXISTS(SELECT 1 FROM followed f WHERE f.case_id = cases.case_id AND what = 'settled'),
 EXISTS(SELECT 1 FROM followed f WHERE f.case_id = cases.case_id AND what = 'payer_seen') FROM cases`, func(r *sqlite.Row) error {
		all = append(all, one{pair{r.Int(1), r.Int(0)}, r.Int(2) != 0, r.Int(3) != 0})
		return nil
	})
	if err != nil {
		return f, err
	}
	last, _, err := c.Int(`SELECT max(seq) FROM record`)
	if err != nil {
		return f, err
	}
	f.older = last > 0
	for _, k := range all {
		f.sales = append(f.sales, k.pair)
		if k.settled && k.seen {
			continue
		}
		e, err := loadEvent(c, k.refund)
		if err != nil {
			return f, err
		}
		if e == nil {
			continue
		}
		var sale *refund.Event
		if !k.seen && k.sale != 0 {
			if sale, err = loadEvent(c, k.sale); err != nil {
				return f, err
			}
		}
		f.watch(e, sale)
	}
	slices.SortFunc(f.sales, byPair)
	return f, nil
}
