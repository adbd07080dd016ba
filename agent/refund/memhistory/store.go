// Package memhistory keeps a refund.History in memory, in simple maps: for tests
// and small tools. What it keeps grows with the journal and is gone with the
// process; the durable one is agent/ledger.
//
// A Store is not safe for concurrent use.
package memhistory

import (
	"iter"
	"slices"
	"strings"

	"yuanlu/agent/refund"
)

// partEnd ends each part of a refund.Key's value.
const partEnd = '\x1f'

// Store is a refund.History to which Commit adds. The zero value is not usable;
// see New.
type Store struct {
	events   map[int64]*refund.Event
	seqs     []int64 // of events, ascending
	keys     map[refund.KeyKind]map[string][]int64
	owned    map[int64][]refund.Key // what keys has of an event
	payers   map[string][]int64
	paying   map[int64][]string // what payers has of an event
	verdicts map[int64]refund.Judged
	bounds   refund.Bounds
	// Calls counts what was asked, for tests of how much the judge asks.
	Calls Calls
}

// Calls counts the calls of a History's methods.
type Calls struct{ Find, Payers, Range, Verdict, Bounds int }

// New returns an empty Store.
func New() *Store {
	return &Store{
		events: map[int64]*refund.Event{}, keys: map[refund.KeyKind]map[string][]int64{},
		owned: map[int64][]refund.Key{}, payers: map[string][]int64{}, paying: map[int64][]string{},
		verdicts: map[int64]refund.Judged{}, bounds: refund.Bounds{AllTerminals: true},
	}
}

// Find implements refund.History.
func (s *Store) Find(keys ...refund.Key) iter.Seq2[*refund.Event, error] {
	s.Calls.Find++
	var found []int64
	for _, k := range keys {
		found = append(found, s.keys[k.Kind][k.Value]...)
	}
	return s.bySeq(found)
}

// Payers implements refund.History.
func (s *Store) Payers(tokens []string) iter.Seq2[*refund.Event, error] {
	s.Calls.Payers++
	var found []int64
	for _, t := range tokens {
		found = append(found, s.payers[t]...)
	}
	return s.bySeq(found)
}

// Range implements refund.History.
func (s *Store) Range(from, to int64) iter.Seq2[*refund.Event, error] {
	s.Calls.Range++
	i, _ := slices.BinarySearch(s.seqs, from)
	k, found := slices.BinarySearch(s.seqs, to)
	if found {
		k++
	}
	if k < i {
		k = i
	}
	return s.bySeq(slices.Clone(s.seqs[i:k]))
}

// Verdict implements refund.History.
func (s *Store) Verdict(seq int64) (refund.Judged, bool, error) {
	s.Calls.Verdict++
	j, ok := s.verdicts[seq]
	return j, ok, nil
}

// Bounds implements refund.History.
func (s *Store) Bounds() (refund.Bounds, error) {
	s.Calls.Bounds++
	return s.bounds, nil
}

// bySeq yields events by seq, each once.
func (s *Store) bySeq(seqs []int64) iter.Seq2[*refund.Event, error] {
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	return func(yield func(*refund.Event, error) bool) {
		for _, seq := range seqs {
			if !yield(s.events[seq], nil) {
				return
			}
		}
	}
}

// Commit makes what a judge decided part of the history.
func (s *Store) Commit(c *refund.Changes) {
	for _, e := range c.Events {
		s.put(&e)
	}
	for _, v := range c.Verdicts {
		s.verdicts[v.Verdict.Seq] = v
	}
	if c.Bounds != nil {
		s.bounds = *c.Bounds
	}
}

func (s *Store) put(e *refund.Stored) {
	seq := e.Event.Seq
	if _, known := s.events[seq]; !known {
		i, _ := slices.BinarySearch(s.seqs, seq)
		s.seqs = slices.Insert(s.seqs, i, seq)
	}
	s.events[seq] = e.Event
	for _, k := range s.owned[seq] {
		for _, v := range prefixes(k.Value) {
			s.keys[k.Kind][v] = without(s.keys[k.Kind][v], seq)
		}
	}
	s.owned[seq] = e.Keys
	for _, k := range e.Keys {
		values := s.keys[k.Kind]
		if values == nil {
			values = map[string][]int64{}
			s.keys[k.Kind] = values
		}
		for _, v := range prefixes(k.Value) {
			values[v] = append(values[v], seq)
		}
	}
	for _, t := range s.paying[seq] {
		s.payers[t] = without(s.payers[t], seq)
	}
	s.paying[seq] = e.Payer
	for _, t := range e.Payer {
		s.payers[t] = append(s.payers[t], seq)
	}
}

// prefixes returns the value's leading parts, from the first to all of them.
func prefixes(value string) []string {
	if value == "" {
		return []string{""}
	}
	var out []string
	for i := 0; i < len(value); {
		n := strings.IndexByte(value[i:], partEnd)
		if n < 0 {
			return append(out, value)
		}
		i += n + 1
		out = append(out, value[:i])
	}
	return out
}

func without(seqs []int64, seq int64) []int64 {
	return slices.DeleteFunc(seqs, func(x int64) bool { return x == seq })
}

// Verdicts returns the newest verdict of every refund and void, released or not, by seq.
func (s *Store) Verdicts() []refund.Judged {
	out := make([]refund.Judged, 0, len(s.verdicts))
	for _, seq := range s.seqs {
		if v, ok := s.verdicts[seq]; ok {
			out = append(out, v)
		}
	}
	return out
}
