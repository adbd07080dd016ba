package refund

// mayUndo returns the events that a reversal or void_refund may undo, whatever its
// own outcome: those before it that one of its keys names (verdicts.md § 1.5).
func (w *work) mayUndo(u *Event) ([]*Event, error) {
	r := &u.Record
	var keys []Key
	switch {
	case r.Kind == KindVoidRefund:
		keys = wantedKeys(nil, r)
	case r.Stan != "" && r.Batch != "":
		keys = []Key{stanKey(r.TerminalID, r.Stan, r.Batch, false)}
	}
	events, err := w.find(keys)
	if err != nil {
		return nil, err
	}
	var found []*Event
	for _, e := range events {
		x := &e.Record
		if e.Seq >= u.Seq || x.MerchantID != r.MerchantID || x.Training || unusable(x) != "" {
			continue
		}
		if r.Kind == KindReversal && x.Kind.reversible() && sameStan(x, r) || r.Kind == KindVoidRefund && x.Kind == KindRefund && namesRefund(r, x) > 0 {
			found = append(found, e)
		}
	}
	return found, nil
}

// namesRefund reports by which of a void_refund's keys it names a refund: 1 for the
// first of verdicts.md § 1.5, up to 4; 0 by none.
func namesRefund(v, r *Record) int {
	o := &v.Original
	switch {
	case Given(o.ChannelTxn) && r.ChannelRefund == o.ChannelTxn:
		return 1
	case Given(o.OrderNo) && r.RefundNo == o.OrderNo:
		return 2
	case Given(o.RRN) && r.RRN == o.RRN:
		return 3
	case Given(o.Stan) && Given(o.Batch) && r.Stan == o.Stan && r.Batch == o.Batch && r.TerminalID == v.TerminalID:
		return 4
	}
	return 0
}

// undoes returns the event that a reversal or void_refund undoes, nil if none.
func (w *work) undoes(u *Event) (*Event, error) {
	r := &u.Record
	if r.Outcome != Approved || u.UndoneBy != 0 || r.Training || unusable(r) != "" {
		return nil, nil
	}
	events, err := w.mayUndo(u)
	if err != nil || r.Kind == KindReversal {
		return latest(events), err
	}
	var hits []*Event
	first := 0
	for _, e := range events {
		switch n := namesRefund(r, &e.Record); {
		case first == 0 || n < first:
			first, hits = n, []*Event{e}
		case n == first:
			hits = append(hits, e)
		}
	}
	return latest(hits), nil
}

// undoers returns the reversals and void_refunds that may undo an event.
func (w *work) undoers(x *Event) ([]*Event, error) {
	events, err := w.find(ownKeys(nil, &x.Record))
	if err != nil {
		return nil, err
	}
	var found []*Event
	for _, u := range events {
		k := u.Record.Kind
		if u.Seq > x.Seq && u.Record.MerchantID == x.Record.MerchantID && (k == KindReversal || k == KindVoidRefund) {
			found = append(found, u)
		}
	}
	return found, nil
}

// undoneBy returns the seq of the first that undoes an event, 0 if none does.
func (w *work) undoneBy(x *Event) (int64, error) {
	undoers, err := w.undoers(x)
	if err != nil {
		return 0, err
	}
	for _, u := range undoers {
		target, err := w.undoes(u)
		if err != nil {
			return 0, err
		}
		if target != nil && target.Seq == x.Seq {
			return u.Seq, nil
		}
	}
	return 0, nil
}

// undoAgain works out again which of the events are undone, and marks for judging the
// refunds and voids that this concerns. void_refunds come first, because refunds depend on them; nothing
// depends on a refund here, so it ends.
func (w *work) undoAgain(events map[int64]*Event) error {
	for len(events) > 0 {
		x := nextToUndo(events)
		delete(events, x.Seq)
		if c, ok := w.changed[x.Seq]; ok {
			x = c
		}
		by, err := w.undoneBy(x)
		if err != nil {
			return err
		}
		if by == x.UndoneBy {
			continue
		}
		now := *x
		now.UndoneBy = by
		if _, ok := w.before[x.Seq]; !ok {
			w.before[x.Seq] = x
		}
		w.put(&now)
		switch k := now.Record.Kind; {
		case k.IsSale():
			err = w.wake(&now, 0)
		case k.Judged():
			w.toJudge.add(now.Seq)
		case k == KindAdjust:
			err = w.wakeAdjusted(&now)
		case k == KindVoidRefund:
			err = w.addAll(events, &now, w.mayUndo)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func nextToUndo(events map[int64]*Event) *Event {
	var next *Event
	for _, e := range events {
		first := e.Record.Kind == KindVoidRefund
		if next == nil || first && next.Record.Kind != KindVoidRefund ||
			first == (next.Record.Kind == KindVoidRefund) && e.Seq < next.Seq {
			next = e
		}
	}
	return next
}
