package refund

import (
	"cmp"
	"slices"
	"strings"
)

// keysPerFind bounds the keys of one History.Find, so that a store can spell them
// as one statement.
const keysPerFind = 48

// view is the history as the record at hand leaves it: what the store has, with
// the events and verdicts of this Apply in place of those they replace.
type view struct {
	h       History
	changed map[int64]*Event
	judged  map[int64]*Judged // of this Apply
	stored  map[int64]*Judged // of the store; nil: it has none
	// seen is what the arriving record's own lookup gave, by seq, and seenKeys the
	// keys it was for: the searches that follow mostly ask for no more.
	seen     []*Event
	seenKeys []Key
	arrived  bool // seen is what arrive gave
}

func newView(h History) *view {
	return &view{h: h, changed: map[int64]*Event{}}
}

// put makes e the newest version of its event.
func (v *view) put(e *Event) { v.changed[e.Seq] = e }

// find returns the events that own or want any of the keys, and perhaps others: the
// caller compares again. By seq, each once, in their newest version.
func (v *view) find(keys []Key) ([]*Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if len(v.seenKeys) > 0 && v.covered(keys) {
		return v.current(v.seen, false), nil
	}
	found, err := v.ask(keys)
	if err != nil {
		return nil, err
	}
	return v.current(found, true), nil
}

// arrive makes the arriving record's own lookup and remembers it.
func (v *view) arrive(keys []Key) ([]*Event, error) {
	found, err := v.ask(keys)
	if err != nil {
		return nil, err
	}
	v.seen, v.seenKeys, v.arrived = found, keys, true
	return found, nil
}

// ask reads from the store, in as many calls as the number of keys needs.
func (v *view) ask(keys []Key) ([]*Event, error) {
	var found []*Event
	calls := 0
	for part := range slices.Chunk(keys, keysPerFind) {
		calls++
		for e, err := range v.h.Find(part...) {
			if err != nil {
				return nil, err
			}
			found = append(found, e)
		}
	}
	if calls > 1 {
		found = sortEvents(found)
	}
	return found, nil
}

// covered reports whether seen holds the answer for all the keys.
func (v *view) covered(keys []Key) bool {
	for _, k := range keys {
		if !slices.ContainsFunc(v.seenKeys, func(s Key) bool {
			return s.Kind == k.Kind && strings.HasPrefix(k.Value, s.Value)
		}) {
			return false
		}
	}
	return true
}

// askMore returns what the store has for the keys, and perhaps more: it reads only what
// the arriving record's own lookup has not given. By seq, each once.
func (v *view) askMore(keys []Key) ([]*Event, error) {
	more := slices.DeleteFunc(keys, func(k Key) bool { return v.covered([]Key{k}) })
	found, err := v.ask(more)
	if err != nil || len(more) == len(keys) {
		return found, err
	}
	return sortEvents(append(found, v.seen...)), nil
}

// current replaces events by their newest version and adds those of this Apply,
// which the store's index does not know yet. own: the slice may be written to.
func (v *view) current(found []*Event, own bool) []*Event {
	if len(v.changed) == 0 && len(v.judged) == 0 {
		return found
	}
	if !own {
		found = slices.Clone(found)
	}
	for i, e := range found {
		if c, ok := v.changed[e.Seq]; ok {
			found[i] = c
		}
	}
	for _, e := range v.changed {
		found = append(found, e)
	}
	return sortEvents(found)
}

func sortEvents(events []*Event) []*Event {
	slices.SortStableFunc(events, func(a, b *Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(events, func(a, b *Event) bool { return a.Seq == b.Seq })
}

// payers returns the sales and completions that any of the tokens may be a party of.
func (v *view) payers(tokens []string) ([]*Event, error) {
	var found []*Event
	for e, err := range v.h.Payers(tokens) {
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return v.current(found, true), nil
}

// event returns the event with this seq, nil if the store has none any more.
func (v *view) event(seq int64) (*Event, error) {
	if e, ok := v.changed[seq]; ok {
		return e, nil
	}
	if i, ok := slices.BinarySearchFunc(v.seen, seq, func(e *Event, s int64) int { return cmp.Compare(e.Seq, s) }); ok {
		return v.seen[i], nil
	}
	for e, err := range v.h.Range(seq, seq) {
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	return nil, nil
}

// verdict returns the newest verdict about the refund with this seq, nil if none.
func (v *view) verdict(seq int64) (*Judged, error) {
	if j, ok := v.judged[seq]; ok {
		return j, nil
	}
	return v.oldVerdict(seq)
}

// oldVerdict returns the verdict as the store has it, nil if none.
func (v *view) oldVerdict(seq int64) (*Judged, error) {
	if j, ok := v.stored[seq]; ok {
		return j, nil
	}
	j, ok, err := v.h.Verdict(seq)
	if err != nil {
		return nil, err
	}
	if v.stored == nil {
		v.stored = map[int64]*Judged{}
	}
	v.stored[seq] = nil
	if ok {
		v.stored[seq] = &j
	}
	return v.stored[seq], nil
}

// setVerdict makes j the newest verdict about its refund.
func (v *view) setVerdict(j *Judged) {
	if v.judged == nil {
		v.judged = map[int64]*Judged{}
	}
	v.judged[j.Verdict.Seq] = j
}
