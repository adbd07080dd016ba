package refund

import "fmt"

// SaleAmount returns the amount of a sale as the last adjust that names it has left it (verdicts.md
// § 3, Base), in minor units. It reads h and changes nothing; the only errors are those of h.
func (j *Judge) SaleAmount(h History, sale *Event) (int64, error) {
	w, err := j.begin(h, sale.Seq)
	if err != nil {
		return 0, err
	}
	amount, _, err := w.amountOf(sale)
	if err != nil {
		return 0, fmt.Errorf("the amount of record %d: %w", sale.Seq, err)
	}
	return amount, nil
}

// AdjustedSale returns the sale that an adjust names, nil if none. It reads h and changes nothing; the
// only errors are those of h.
func (j *Judge) AdjustedSale(h History, adjust *Event) (*Event, error) {
	w, err := j.begin(h, adjust.Seq)
	if err != nil {
		return nil, err
	}
	sale, err := w.adjusted(adjust)
	if err != nil {
		return nil, fmt.Errorf("the sale of adjust %d: %w", adjust.Seq, err)
	}
	return sale, nil
}
