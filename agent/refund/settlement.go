package refund

// ruleCaptureGap is the number of the integrity line (verdicts.md § 6).
const ruleCaptureGap = "RC-601"

// addedUp reports whether a settlement adds up records of this kind (verdicts.md § 6).
func addedUp(k Kind) bool { return k.IsSale() || k.Judged() }

func sameBatch(a, b *Record) bool {
	return a.MerchantID == b.MerchantID && a.TerminalID == b.TerminalID && a.Batch == b.Batch
}

// batchOpen reports whether the events hold one that was added to e's batch since
// its last settlement: then e is not the first, and need not own KeyBatch.
func batchOpen(events []*Event, e *Event) bool {
	settled, last := int64(0), int64(0)
	for _, x := range events {
		if x.Seq >= e.Seq || x.Record.Training || !sameBatch(&x.Record, &e.Record) {
			continue
		}
		switch {
		case x.Record.Kind == KindSettlement:
			settled = x.Seq
		case addedUp(x.Record.Kind):
			last = x.Seq
		}
	}
	return last > settled
}

// ownsBatch reports whether a known event is to own KeyBatch: it does already, or
// no earlier event since the last settlement does.
func (w *work) ownsBatch(e *Event) (bool, error) {
	if e.Record.Kind == KindSettlement || !addedUp(e.Record.Kind) || e.Record.Batch == "" {
		return false, nil
	}
	owners, err := w.ask([]Key{batchKey(&e.Record)})
	if err != nil {
		return false, err
	}
	for _, o := range owners {
		if o.Seq == e.Seq {
			return true, nil
		}
	}
	return !batchOpen(owners, e), nil
}

// settle checks a settlement seen for the first time (verdicts.md § 6). owners is what its own
// lookup gave: the settlements of the batch and the first events after each.
func (w *work) settle(e *Event, owners []*Event) error {
	if e.Record.Batch == "" {
		return nil
	}
	sums, err := w.addUp(e, owners)
	if err != nil {
		return err
	}
	e.Observed = &sums
	w.compareTotals(e)
	return nil
}

// settleAgain checks a settlement that a later sighting completed.
func (w *work) settleAgain(old, now *Event) error {
	if now.Record.Batch == "" || checkable(&old.Record) || !checkable(&now.Record) {
		return nil
	}
	if now.Observed == nil {
		sums, err := w.addUp(now, w.seen)
		if err != nil {
			return err
		}
		now.Observed = &sums
	}
	w.compareTotals(now)
	return nil
}

func checkable(r *Record) bool { return r.Outcome == Approved && r.Totals != nil }

// notStated stands in Event.Observed for a credit amount of which a part is not stated.
const notStated = -1

func (w *work) compareTotals(e *Event) {
	if checkable(&e.Record) && e.Observed.CreditAmount != notStated && *e.Record.Totals != *e.Observed {
		w.out.Integrity = &Integrity{
			Type: TypeIntegrity, Seq: e.Seq, Code: CodeCaptureGap, Rule: ruleCaptureGap,
			Expected: *e.Record.Totals, Observed: *e.Observed,
		}
	}
}

// addUp adds up the batch that a settlement closes: the records before it since the
// previous approved settlement of the same three, as known now. The credit amount is
// notStated if one of the credits states no amount.
func (w *work) addUp(e *Event, owners []*Event) (Totals, error) {
	var sums Totals
	from := batchBegin(e, owners)
	if from == 0 {
		return sums, nil
	}
	var batch, adjusting []*Event
	for x, err := range w.h.Range(from, e.Seq-1) {
		switch {
		case err != nil:
			return sums, err
		case adjusts(x) && x.Record.MerchantID == e.Record.MerchantID:
			adjusting = append(adjusting, x)
		case addedUp(x.Record.Kind) && counts(x) && sameBatch(&x.Record, &e.Record):
			batch = append(batch, x)
		}
	}
	amounts := map[int64]int64{} // by seq of an adjusted sale
	for _, x := range adjusting {
		sale, err := w.adjusted(x)
		if err != nil {
			return sums, err
		}
		if sale != nil {
			amounts[sale.Seq] = x.Record.Amount
		}
	}
	return totalsOf(batch, amounts), nil
}

// batchBegin returns the seq of the first record that is added up for settlement e, 0 if
// there is none.
func batchBegin(e *Event, owners []*Event) (from int64) {
	previous := int64(0)
	for _, o := range owners {
		if o.Seq < e.Seq && o.Record.Kind == KindSettlement && o.Record.Outcome == Approved && sameBatch(&o.Record, &e.Record) {
			previous = o.Seq
		}
	}
	for _, o := range owners {
		if o.Seq > previous && o.Seq < e.Seq && addedUp(o.Record.Kind) && sameBatch(&o.Record, &e.Record) {
			return o.Seq
		}
	}
	return 0
}

// totalsOf adds up a batch; amounts holds those of the sales that were adjusted, by seq.
func totalsOf(batch []*Event, amounts map[int64]int64) (sums Totals) {
	unstated := false
	for _, x := range batch {
		amount, ok := amounts[x.Seq]
		if !ok {
			amount = x.Record.Amount
		}
		if x.Record.Kind.IsSale() {
			sums.DebitAmount += amount
			sums.DebitCount++
		} else {
			sums.CreditAmount += amount
			sums.CreditCount++
			unstated = unstated || !x.Record.HasAmount
		}
	}
	if unstated {
		sums.CreditAmount = notStated
	}
	return sums
}

// counts reports whether a settlement counts the event (verdicts.md § 6).
func counts(e *Event) bool {
	return e.Record.Outcome == Approved && e.UndoneBy == 0 && !e.Record.Training && unusable(&e.Record) == ""
}
