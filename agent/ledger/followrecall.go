package ledger

// recallSales finds the sales of cancelled cases of an earlier version, which did not keep them.
func (t *tx) recallSales() error {
	if !t.n.lackSales {
		return nil
	}
	t.n.lackSales = false
	cancelled, err := t.c.Ints(`SELECT seq FROM cases WHERE original IS NULL AND open = 0`)
	if err != nil {
		return err
	}
	for _, seq := range cancelled {
		if err := t.recallSale(seq); err != nil {
			return err
		}
	}
	return t.c.Do(`DELETE FROM meta WHERE name = ?1`, lackSalesName)
}

// recallSale finds the sale of one case again, from its refund.
func (t *tx) recallSale(seq int64) error {
	j, found, err := loadVerdict(t.c, seq)
	if err != nil || !found || !j.Verdict.Cancelled {
		return err
	}
	sale, err := t.d.judge.SupposedOriginal(t.h, seq)
	if err != nil || sale == 0 {
		return err
	}
	if err := t.c.Do(`UPDATE cases SET original = ?2 WHERE seq = ?1`, seq, sale); err != nil {
		return err
	}
	t.d.following.opened(&caseRow{seq: seq, original: sale})
	e, err := t.h.event(seq)
	if err != nil || e == nil {
		return err
	}
	paid, err := t.h.event(sale)
	if err == nil {
		t.d.following.watch(e, paid)
	}
	return err
}

// lackSalesName is where a store notes that cases of an earlier version may lack their sales.
const lackSalesName = "cases.lack_sales"
