package refund

// affect does what follows from an event that is new (old nil) or was completed:
// who is undone by it now, and which refunds and voids must be judged again.
func (w *work) affect(old, now *Event) error {
	undo, err := w.mayBeUndone(old, now)
	if err != nil {
		return err
	}
	if err := w.undoAgain(undo); err != nil {
		return err
	}
	switch k := now.Record.Kind; {
	case k.IsSale():
		return w.saleChanged(old, now)
	case k == KindAdjust:
		for _, e := range versions(old, now) {
			if err := w.wakeAdjusted(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayBeUndone returns, by seq, the events whose undone state must be computed again: those
// that now cancels, or cancelled before its copy changed it; and now itself, if a copy
// completed it and it can be cancelled, with what the events that cancel it may cancel.
func (w *work) mayBeUndone(old, now *Event) (map[int64]*Event, error) {
	undo := map[int64]*Event{}
	k := now.Record.Kind
	for _, e := range versions(old, now) {
		if k == KindReversal || k == KindVoidRefund {
			if err := w.addAll(undo, e, w.mayUndo); err != nil {
				return nil, err
			}
		}
		if old != nil && k.reversible() {
			// Its numbers may be new: who points at them may mean it now, or no
			// longer mean another.
			undo[now.Seq] = now
			undoers, err := w.undoers(e)
			if err != nil {
				return nil, err
			}
			for _, u := range undoers {
				if err := w.addAll(undo, u, w.mayUndo); err != nil {
					return nil, err
				}
			}
		}
	}
	return undo, nil
}

func versions(old, now *Event) []*Event {
	if old == nil {
		return []*Event{now}
	}
	return []*Event{old, now}
}

func (w *work) addAll(to map[int64]*Event, e *Event, get func(*Event) ([]*Event, error)) error {
	events, err := get(e)
	for _, x := range events {
		to[x.Seq] = x
	}
	return err
}

// saleChanged wakes who a sale concerns; one that was completed may also have
// become, or ceased to be, what an adjust names.
func (w *work) saleChanged(old, now *Event) error {
	for _, e := range versions(old, now) {
		if err := w.wake(e, 0); err != nil {
			return err
		}
		if old == nil {
			continue
		}
		events, err := w.find(ownKeys(nil, &e.Record))
		if err != nil {
			return err
		}
		for _, a := range events {
			if a.Record.Kind == KindAdjust {
				if err := w.wakeAdjusted(a); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// wake marks the refunds and voids after seq that a sale may concern to be judged
// again: those that point at one of its numbers, and those that point at nothing
// and may find it by its payer.
func (w *work) wake(sale *Event, after int64) error {
	events, err := w.waiters(sale)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Record.Kind.Judged() && e.Seq > after && e.Seq != w.seq && waitsFor(&e.Record, &sale.Record) {
			w.toJudge.add(e.Seq)
		}
	}
	return nil
}

// waiters returns the events that own or want what waiterKeys names: for the sale
// that arrives its own lookup has asked for all of it.
func (w *work) waiters(sale *Event) ([]*Event, error) {
	if sale.Seq == w.seq && w.arrived {
		return w.current(w.seen, false), nil
	}
	return w.find(waiterKeys(nil, &sale.Record))
}

// waitsFor reports whether a refund or void points at a number of the sale, at
// whichever merchant, or at nothing at all.
func waitsFor(r, sale *Record) bool {
	if !hasKey(r) {
		return r.MerchantID == sale.MerchantID
	}
	return pointsAt(r, sale)
}

// pointsAt reports whether a refund or void points at a number of the sale.
func pointsAt(r, sale *Record) bool {
	for i := range triedKeys {
		if triedKeys[i].names(r, sale) {
			return true
		}
	}
	return false
}

// wakeAdjusted wakes who is concerned by any sale that an adjust may name.
func (w *work) wakeAdjusted(a *Event) error {
	if a.Record.Outcome != Approved && w.before[a.Seq] == nil {
		return nil // it never had an effect
	}
	events, err := w.find(wantedKeys(nil, &a.Record))
	if err != nil {
		return err
	}
	o := &a.Record.Original
	for _, e := range events {
		s := &e.Record
		if e.Seq < a.Seq && s.Kind.IsSale() && s.MerchantID == a.Record.MerchantID &&
			(Given(o.RRN) && s.RRN == o.RRN || Given(o.Stan) && s.Stan == o.Stan && s.Batch == o.Batch) {
			if err := w.wake(e, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
