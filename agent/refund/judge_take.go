package refund

import (
	"cmp"
	"maps"
	"slices"
)

// take takes the record in: stored apart, copy, or new event (verdicts.md § 1).
func (w *work) take(record Record) error {
	e := &Event{Seq: w.seq, Record: record}
	r := &e.Record
	if r.Training {
		w.out.Note = "training"
		w.out.Events = []Stored{{Event: e, New: true}}
		return nil
	}
	flaw := unusable(r)
	if flaw != "" {
		w.out.Note = "unusable: " + flaw
	} else {
		w.extend(r)
	}
	mayRepeat := unusableAsCopy(r) == "" || r.Kind == KindSettlement
	events, err := w.arrive(arrivalKeys(r, !mayRepeat))
	if err != nil {
		return err
	}
	if mayRepeat {
		if known := copyOf(events, r); known != nil {
			w.out.CopyOf, w.out.Note = known.Seq, ""
			return w.complete(known, r)
		}
	}
	return w.add(e, events)
}

// extend takes a usable record into the bounds of the journal.
func (w *work) extend(r *Record) {
	if r.Kind == KindJournal && r.Coverage != nil {
		w.bounds.cover(r.Coverage)
	}
	if _, ok := r.Time(); ok && w.bounds.FirstAt == "" {
		w.bounds.FirstAt, w.bounds.FirstSeq = r.At, w.seq
	}
}

// arrivalKeys returns all that one lookup must answer about a record that arrives:
// its copies, what it points at, who waits for it, and whether its batch is known.
func arrivalKeys(r *Record, spoilt bool) []Key {
	if takesNoPart(r.Kind, spoilt) {
		return nil
	}
	keys := make([]Key, 0, 8)
	switch {
	case r.Kind.IsSale():
		keys = waiterKeys(keys, r)
	case r.Kind == KindRefund:
		keys = ownKeys(keys, r)
		// Its own rrn is asked for by void_refunds, which come later.
		keys = slices.DeleteFunc(keys, func(k Key) bool { return k.Kind == KeyRRN })
	default:
		keys = ownKeys(keys, r)
	}
	if !r.Kind.Judged() || hasKey(r) {
		keys = wantedKeys(keys, r)
	}
	if addedUp(r.Kind) && r.Batch != "" {
		keys = append(keys, batchKey(r))
	}
	return keys
}

// takesNoPart reports whether nothing ever looks for such a record (verdicts.md § 1.2). A
// journal record is kept in Bounds.
func takesNoPart(k Kind, spoilt bool) bool {
	return k == KindJournal || spoilt && !k.IsSale() && k != KindSettlement
}

// add takes in a first sighting. events is what its own lookup gave.
func (w *work) add(e *Event, events []*Event) error {
	w.put(e)
	w.before[e.Seq] = nil
	r := &e.Record
	spoilt := unusable(r) != ""
	r.LateAmount = !spoilt && r.Kind == KindRefund && !r.HasAmount
	if addedUp(r.Kind) && r.Batch != "" && !takesNoPart(r.Kind, spoilt) {
		w.opensBatch = !batchOpen(events, e)
	}
	var err error
	switch {
	case r.Kind.Judged():
		w.toJudge.add(e.Seq)
	case r.Kind == KindSettlement:
		err = w.settle(e, events)
	case !takesNoPart(r.Kind, spoilt):
		err = w.affect(nil, e)
	}
	if err != nil {
		return err
	}
	return w.finish()
}

// complete takes in another sighting of e.
func (w *work) complete(e *Event, r *Record) error {
	merged, changed := merge(&e.Record, r)
	if !changed {
		return w.finish()
	}
	now := &Event{Seq: e.Seq, Record: merged, UndoneBy: e.UndoneBy, Observed: e.Observed}
	w.put(now)
	w.before[e.Seq] = e
	if e.Record.Kind == KindSettlement {
		if err := w.settleAgain(e, now); err != nil {
			return err
		}
		return w.finish()
	}
	if now.Record.Kind.Judged() {
		w.toJudge.add(now.Seq)
	}
	if err := w.affect(e, now); err != nil {
		return err
	}
	return w.finish()
}

// finish judges what must be judged and gathers the changes.
func (w *work) finish() error {
	if !w.bounds.equal(&w.known) {
		b := w.bounds
		w.out.Bounds = &b
		if b.beginsLike(&w.known) {
			return w.gather()
		}
		if err := w.wakeUnfound(); err != nil {
			return err
		}
	}
	return w.gather()
}

// wakeUnfound marks the refunds and voids without an original: their verdicts depend on
// where the journal begins.
func (w *work) wakeUnfound() error {
	unfound, err := w.ask([]Key{{Kind: KeyUnfound}})
	if err != nil {
		return err
	}
	w.seen, w.seenKeys, w.arrived = unfound, []Key{{Kind: KeyUnfound}}, false
	for _, e := range unfound {
		w.toJudge.add(e.Seq)
	}
	return nil
}

func (w *work) gather() error {
	if err := w.judgeAll(); err != nil {
		return err
	}
	for _, seq := range slices.Sorted(maps.Keys(w.judged)) {
		w.out.Verdicts = append(w.out.Verdicts, *w.judged[seq])
	}
	for _, e := range w.changed {
		s, write, err := w.store(e)
		if err != nil {
			return err
		}
		if write {
			w.out.Events = append(w.out.Events, s)
		}
	}
	slices.SortFunc(w.out.Events, func(a, b Stored) int { return cmp.Compare(a.Event.Seq, b.Event.Seq) })
	return nil
}

// store returns what to write about an event of this Apply; write is false if the
// store has it so already.
func (w *work) store(e *Event) (s Stored, write bool, err error) {
	s.Event = e
	old, known := w.before[e.Seq]
	s.New = known && old == nil
	var verdict *Verdict
	if j := w.judged[e.Seq]; j != nil {
		verdict = &j.Verdict
	} else if e.Record.Kind.Judged() && !s.New {
		j, err := w.oldVerdict(e.Seq)
		if err != nil {
			return s, false, err
		}
		if j != nil {
			verdict = &j.Verdict
		}
	}
	s.Keys = storedKeys(e, verdict)
	if e.Record.Kind.Pays() && unusable(&e.Record) == "" {
		s.Payer = e.Record.Party.AllTokens()
	}
	if s.New {
		if w.opensBatch {
			s.Keys = append(s.Keys, batchKey(&e.Record))
		}
		return s, true, nil
	}
	if old == nil || old == e { // only its verdict is new
		var before *Verdict
		if j, err := w.oldVerdict(e.Seq); err != nil {
			return s, false, err
		} else if j != nil {
			before = &j.Verdict
		}
		if slices.Equal(storedKeys(e, before), s.Keys) {
			return s, false, nil
		}
	}
	owns, err := w.ownsBatch(e)
	if owns {
		s.Keys = append(s.Keys, batchKey(&e.Record))
	}
	return s, true, err
}
