package casework

import (
	"bytes"
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// What a store needs to build a Desk again: the set-up, what the terminals sent, the
// events of the journals, the keys of commands, and the cases that are kept no longer.

// kept is what is kept of an event of a terminal. That of a report is in the journal; what
// may have to wait, or is counted, is kept whole.
type kept struct {
	ID       string          `json:"id"`
	Source   string          `json:"source"`
	Stream   string          `json:"stream"`
	Sequence string          `json:"sequence"`
	Seq      int64           `json:"seq,omitempty"`
	Rev      int64           `json:"rev,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"`
}

// ReadEvent decodes an event of up/case (casework.md § 4). ErrInput.
func ReadEvent(text []byte) (*TerminalEvent, error) {
	v, err := parse(text)
	if err != nil {
		return nil, err
	}
	e, ok := terminalEvent(v)
	if !ok {
		return nil, ErrInput
	}
	if e.kind == typeFollowed || e.kind == typeTally {
		e.raw = bytes.Clone(text)
	}
	return e, nil
}

// Kept returns what Recall needs of an event.
func (e *TerminalEvent) Kept() []byte {
	return encode(kept{e.ID, e.Source, e.Stream, e.Sequence, e.seq, e.rev, e.raw})
}

// Recall returns the event of which Kept was stored, for Remember. ErrJournal.
func Recall(text []byte) (*TerminalEvent, error) {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("%w: an event of a terminal: %w", ErrJournal, err)
	}
	if k.Event != nil {
		return ReadEvent(k.Event)
	}
	return &TerminalEvent{ID: k.ID, Source: k.Source, Stream: k.Stream, Sequence: k.Sequence, seq: k.Seq, rev: k.Rev}, nil
}

// Key is a command that was done under a key. Command is a hash of it, Line its number.
type Key struct {
	Person, Key, Command string
	Line                 int64
}

// RememberKey makes a key known that was stored.
func (d *Desk) RememberKey(k Key) { d.keys[personKey{k.Person, k.Key}] = keyed{k.Command, k.Line} }

// NewKey returns what must be stored of the command in line n; false if it had no key, or
// was not done.
func (d *Desk) NewKey(n int64) (Key, bool) {
	if d.newKey.Line != n || n == 0 {
		return Key{}, false
	}
	return d.newKey, true
}

// digest shortens a command to what its key is compared with.
func digest(command string) string {
	sum := sha256.Sum256([]byte(command))
	return hex.EncodeToString(sum[:])
}

// Numbered makes known that cases of a year were numbered up to last.
func (d *Desk) Numbered(year string, last int64) { d.numbers[year] = max(d.numbers[year], last) }

// TakeReads returns what was read since the last time, for the reading log, and forgets it.
func (d *Desk) TakeReads() []Reading {
	reads := d.reads
	d.reads = nil
	return reads
}

// KeysOf returns the keys under which commands on a case were done. They are kept as long as
// the case: behind it, there is nothing that a command sent again could do twice.
func (d *Desk) KeysOf(no string) (keys []Key) {
	if c := d.cases[no]; c != nil {
		for _, k := range c.keys {
			keys = append(keys, Key{Person: k.person, Key: k.key})
		}
	}
	return keys
}

// Forget drops a closed case that is kept no longer, with the keys of its commands.
func (d *Desk) Forget(no string) {
	c := d.cases[no]
	if c == nil {
		return
	}
	for _, k := range c.keys {
		delete(d.keys, k)
	}
	delete(d.cases, no)
	for i := range d.order {
		if d.order[i] == c {
			d.order = append(d.order[:i:i], d.order[i+1:]...)
			break
		}
	}
	for id, home := range d.home {
		if home == c {
			delete(d.home, id)
		}
	}
}

// Fact is what a store's tables hold of a case, to find it without its journal.
type Fact struct {
	No      string
	Closed  int64 // Unix seconds; 0: open
	Into    string
	Refunds []string
}

// Facts returns those of a case; false if there is none.
func (d *Desk) Facts(no string) (Fact, bool) {
	c := d.cases[no]
	if c == nil {
		return Fact{}, false
	}
	f := Fact{No: no, Closed: c.closedAt, Into: c.into}
	for _, r := range c.refunds {
		f.Refunds = append(f.Refunds, r.id)
	}
	return f, true
}

// Show returns a case as everybody who may see it sees it; false if there is none.
func (d *Desk) Show(no string) (*View, bool) {
	c := d.cases[no]
	if c == nil {
		return nil, false
	}
	return d.view(c), true
}

// Where returns the version of a journal, and the stores of a case, sorted; false if there is
// no such journal.
func (d *Desk) Where(no string) (version int64, stores []string, ok bool) {
	if no == DeskJournal {
		return d.version, nil, true
	}
	c := d.cases[no]
	if c == nil {
		return 0, nil, false
	}
	return c.version, slices.Sorted(maps.Keys(c.stores)), true
}

// Watches reports whether a person may know that a journal changed: who may look at it, and
// sees a case of these stores (casework.md §§ 2, 9).
func (p *Person) Watches(no string, stores []string) bool {
	if no == DeskJournal {
		return p.has(deskLookers...)
	}
	return p.has(lookers...) && (p.of("") || slices.ContainsFunc(stores, p.of))
}

// Person returns somebody that the desk knows; false if it does not.
func (d *Desk) Person(id string) (Person, bool) {
	p := d.people.byID[id]
	if p == nil {
		return Person{}, false
	}
	return *p, true
}

// People returns everybody, by id.
func (d *Desk) People() []Person {
	out := []Person{}
	for _, id := range d.people.ids {
		out = append(out, *d.people.byID[id])
	}
	return out
}

// Hire makes or changes a person from the machine of the desk itself, as the first must be
// (casework.md § 13); at is Unix seconds. It has the guards of the command person.
func (d *Desk) Hire(at int64, text []byte) ([]Event, Refusal) {
	v, err := parse(text)
	one, ok := person(v)
	if err != nil || !ok {
		return nil, BadInput
	}
	d.begun, d.events = true, nil
	d.run(at)
	refusal := (&personArgs{one}).run(d, &Person{ID: bySystem}, nil)
	d.consequences()
	return d.events, refusal
}

// Sides is both sides of a refund by its last report; Original is the last that was known.
type Sides struct {
	ID       string     `json:"id"`
	Refund   RefundSide `json:"refund"`
	Original *Side      `json:"original"`
	// Terminal and Event name the event of up/case that reported it last; "": by hand.
	Terminal string `json:"-"`
	Event    string `json:"-"`
	ByHand   bool   `json:"-"`
}

// Sides returns both sides of each refund of a case.
func (d *Desk) Sides(no string) (out []Sides) {
	if c := d.cases[no]; c != nil {
		for _, r := range c.refunds {
			out = append(out, Sides{r.id, r.last.Refund, r.original, r.last.Terminal, r.last.Event, r.last.Type == fromHand})
		}
	}
	return out
}

// FileBytes is the size that a file may have, in bytes (setting file_mib).
func (d *Desk) FileBytes() int64 { return d.set.FileMiB << 20 }

// Count is the number of cases that the desk knows.
func (d *Desk) Count() int { return len(d.cases) }

// Clock is the desk's time, in Unix seconds: that of its last line or event.
func (d *Desk) Clock() int64 { return d.clock }

// NextDue is when something happens by itself next (casework.md § 8), in Unix seconds; false
// if nothing does.
func (d *Desk) NextDue() (int64, bool) {
	for d.requeue(); len(d.queue) > 0; heap.Pop(&d.queue) {
		first := d.queue[0]
		if n := d.next(first.c); n != nil && n.at == first.at && d.cases[first.c.No] == first.c {
			return first.at, true
		}
	}
	return 0, false
}
