package ledger

import (
	"cmp"
	"math"
	"slices"
	"time"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// following is where the records of opened cases are found without an index of the
// store: by the sale, by the batch, and by the payer. It is made of the cases when the store is
// opened, belongs to the writer, and may name what is no longer so: who asks looks at the case.
// So nothing of it is taken back when a transaction is. It grows with the cases that the store
// keeps, by 16 bytes for each list: so they are sorted slices and no maps.
type following struct {
	sales   []pair    // by sale, refund
	batches []pair    // by the sum of the batch in place of the sale
	payers  []sighted // by sum, at, refund
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

// insert puts one into a sorted slice, unless it is there.
func insert[E any](list []E, one E, by func(a, b E) int) []E {
	i, there := slices.BinarySearchFunc(list, one, by)
	if there {
		return list
	}
	return slices.Insert(list, i, one)
}

// remove takes one out of a sorted slice.
func remove[E any](list []E, one E, by func(a, b E) int) []E {
	if i, there := slices.BinarySearchFunc(list, one, by); there {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// refundsOf returns the refunds of one sale, or of one batch, in order.
func refundsOf(pairs []pair, of int64) (list []int64) {
	from, _ := slices.BinarySearchFunc(pairs, pair{of, 0}, byPair)
	for _, p := range pairs[from:] {
		if p.sale != of {
			break
		}
		list = append(list, p.refund)
	}
	return list
}

// opened notes the sale of a case.
func (f *following) opened(k *caseRow) {
	f.sales = insert(f.sales, pair{k.original, k.seq}, byPair)
}

// refunds returns the refunds of cases that may be of a sale, in order.
func (f *following) refunds(sale int64) []int64 { return refundsOf(f.sales, sale) }

// watch notes what a case's refund and sale are found by. sale may be nil.
func (f *following) watch(e, sale *refund.Event) {
	if e.Record.Batch != "" {
		f.batches = insert(f.batches, pair{batchSum(&e.Record), e.Seq}, byPair)
	}
	for _, one := range shownOf(e, sale) {
		f.payers = insert(f.payers, one, bySighted)
	}
}

// sighted is how the payer of a case's refund is found.
type sighted struct {
	sum    uint32 // of a token of the payer
	at     uint32 // of the refund, whole seconds since 1970
	refund int64
}

func bySighted(a, b sighted) int {
	return cmp.Or(cmp.Compare(a.sum, b.sum), cmp.Compare(a.at, b.at), cmp.Compare(a.refund, b.refund))
}

// shownOf returns those of a refund and its sale, none where the sale, or the refund's time, is not
// known.
func shownOf(e, sale *refund.Event) (list []sighted) {
	at, ok := e.Record.Time()
	if sale == nil || !ok {
		return nil
	}
	for _, t := range sale.Record.Party.AllTokens() {
		list = append(list, sighted{sqlite.Checksum(0, []byte(t)), seconds(at), e.Seq})
	}
	return list
}

// seconds is t in whole seconds since 1970, the nearest that a sighted can hold.
func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

func batchSum(r *refund.Record) int64 {
	return int64(sqlite.Checksum(0, joined(r.MerchantID, r.TerminalID, r.Batch)))
}

// inBatch returns the refunds of cases that may be in the batch of a settlement.
func (f *following) inBatch(r *refund.Record) []int64 { return refundsOf(f.batches, batchSum(r)) }

// shownBy returns the refunds of cases whose payer a record may show: those of the 60 days
// before it.
func (f *following) shownBy(r *refund.Record) []int64 {
	at, ok := r.Time()
	if len(f.payers) == 0 || !ok {
		return nil
	}
	from, to := seconds(at.Add(-follow.MostSince)), seconds(at)
	var list []int64
	for _, t := range r.Party.AllTokens() {
		sum := sqlite.Checksum(0, []byte(t))
		first, _ := slices.BinarySearchFunc(f.payers, sighted{sum, from, 0}, bySighted)
		for _, one := range f.payers[first:] {
			if one.sum != sum || one.at > to {
				break
			}
			list = append(list, one.refund)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// settled takes a refund out of its batch: the settlement has come.
func (f *following) settled(e *refund.Event) {
	f.batches = remove(f.batches, pair{batchSum(&e.Record), e.Seq}, byPair)
}

// seen takes a refund from those of its payer, who has come.
func (f *following) seen(e, sale *refund.Event) {
	for _, one := range shownOf(e, sale) {
		f.payers = remove(f.payers, one, bySighted)
	}
}

// loadFollowing reads the cases, some at a time. Of those of which a settlement or the payer was
// seen, that is not looked for again.
func loadFollowing(c *conn) (following, error) {
	var f following
	if version, err := c.version(); err != nil || version < followVersion {
		return f, err
	}
	last, _, err := c.Int(`SELECT max(seq) FROM record`)
	if err != nil {
		return f, err
	}
	f.older = last > 0
	cases, _, err := c.Int(`SELECT count(*) FROM cases`)
	if err != nil {
		return f, err
	}
	f.sales = make([]pair, 0, cases)
	for id := ""; ; {
		some, err := loadFollowed(c, id)
		if err != nil {
			return f, err
		}
		for i := range some {
			if err := f.take(c, &some[i]); err != nil {
				return f, err
			}
		}
		if len(some) < followedAtOnce {
			break
		}
		id = some[len(some)-1].id
	}
	slices.SortFunc(f.sales, byPair)
	slices.SortFunc(f.batches, byPair)
	slices.SortFunc(f.payers, bySighted)
	f.batches, f.payers = slices.Clip(f.batches), slices.Clip(f.payers)
	return f, nil
}

// followedAtOnce is how many cases are read at a time.
const followedAtOnce = 256

// followedCase is what of a case is already seen.
type followedCase struct {
	id string
	pair
	settled, seen bool
}

// loadFollowed reads the cases behind one, in the order of their ids.
func loadFollowed(c *conn, after string) ([]followedCase, error) {
	some := make([]followedCase, 0, followedAtOnce)
	err := c.Each(`SELECT case_id, seq, coalesce(original, 0), EXISTS(SELECT 1 FROM followed f WHERE f.case_id = cases.case_id AND what = 'settled'),
 EXISTS(SELECT 1 FROM followed f WHERE f.case_id = cases.case_id AND what = 'payer_seen') FROM cases WHERE case_id > ?1 ORDER BY case_id LIMIT ?2`,
		func(r *sqlite.Row) error {
			some = append(some, followedCase{r.Text(0), pair{r.Int(2), r.Int(1)}, r.Int(3) != 0, r.Int(4) != 0})
			return nil
		}, after, followedAtOnce)
	return some, err
}

// take notes one case at the end of the lists, which are sorted when all are there.
func (f *following) take(c *conn, k *followedCase) error {
	f.sales = append(f.sales, k.pair)
	if k.settled && k.seen {
		return nil
	}
	e, err := loadEvent(c, k.refund)
	if err != nil || e == nil {
		return err
	}
	if !k.settled && e.Record.Batch != "" {
		f.batches = append(f.batches, pair{batchSum(&e.Record), e.Seq})
	}
	if k.seen || k.sale == 0 {
		return nil
	}
	sale, err := loadEvent(c, k.sale)
	if err != nil {
		return err
	}
	f.payers = append(f.payers, shownOf(e, sale)...)
	return nil
}
