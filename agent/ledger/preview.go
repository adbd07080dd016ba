package ledger

import (
	"context"

	"yuanlu/agent/refund"
)

// Preview returns what the judge would make of a record if it came next, and stores nothing:
// the answer to a question about a refund that has not been made. It sees what is committed.
// It waits for a commit that is on its way, but not for a store that has to be opened again:
// that is ErrUnavailable at once. When ctx ends before the judge has, its error is returned;
// others: ErrClosed, ErrReadOnly. Source: guard.md § 2.
func (d *DB) Preview(ctx context.Context, r refund.Record) (refund.Changes, error) {
	if d.readOnly {
		return refund.Changes{}, ErrReadOnly
	}
	if err := d.acquire(ctx); err != nil {
		return refund.Changes{}, err
	}
	defer d.release()
	switch {
	case d.closed:
		return refund.Changes{}, ErrClosed
	case d.w == nil:
		return refund.Changes{}, unavailable(d.fault)
	}
	h := &history{c: d.w, bounds: &d.now.bounds, payers: &d.now.payers, index: d.index, recent: &d.recent, stop: ctx.Err}
	ch, err := d.judge.Apply(h, d.now.seq+1, r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return refund.Changes{}, d.failedWith(err)
	}
	return ch, nil
}
