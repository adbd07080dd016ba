package ask

import (
	"cmp"
	"slices"
	"time"

	"yuanlu/agent/refund"
)

// beingMadeWithin is how far apart two asks about one original are two clicks (guard.md § 2).
const beingMadeWithin = 120 * time.Second

// Entry is one ask that is remembered. What a caller of Book may read of it changes with the
// Book's methods alone.
type Entry struct {
	Ask       refund.Ask // sealed, without what was presented
	Answer    Answer     // the first; its Action is what was shown
	Link      string
	Level     Level
	Held      *Held     // its hold, nil: nothing was held
	Record    int64     // the record that belongs to it, 0: none yet
	Cancelled bool      // without a hold
	Arrived   bool      // the answer reached who asked
	Asked     time.Time // by the agent's clock
	place     int64     // counts the asks of a book
	ID        int64     // for who keeps it, 0: not kept
	replaced  bool      // another ask names it as replaced
	at        time.Time // of the ask; zero: unusable
}

// Key returns the entry's key.
func (e *Entry) Key() Key { return KeyOf(&e.Ask) }

// KeyOf returns the key of an ask.
func KeyOf(a *refund.Ask) Key { return Key{a.Record.MerchantID, a.Record.TerminalID, a.ID} }

// usable reports whether its record would have been usable.
func (e *Entry) usable() bool { return e.Answer.Reason != refund.ReasonDataError }

// Undo takes back what a method of Book has changed.
type Undo func()

// then returns an Undo of both, the later one first.
func (u Undo) then(later Undo) Undo {
	return func() { later(); u() }
}

func nothing() {}

// Book remembers the asks of one journal in the order of their places, and which records
// belong to them. It is not safe for concurrent use. Every change returns what takes it back,
// so that it can be made together with a transaction.
type Book struct {
	entries map[Key]*Entry
	free    map[day][]*Entry      // may still get a record, by merchant and day of at, in the order of places
	about   map[original][]*Entry // by the original that was found
	open    map[Key]*Entry        // with an open hold
	passing []*Entry              // without a hold, oldest first
	last    int64                 // place of the newest
}

// day is one day of one merchant, UTC.
type day struct {
	merchant string
	practice bool
	number   int64
}

// original is what being_made compares.
type original struct {
	merchant string
	practice bool
	seq      int64
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{entries: map[Key]*Entry{}, free: map[day][]*Entry{}, about: map[original][]*Entry{}, open: map[Key]*Entry{}}
}

// Find returns the entry of an ask, nil if it is not remembered.
func (b *Book) Find(k Key) *Entry { return b.entries[k] }

// Known returns the entry that has the ask's id, nil if none; reused: another ask had it.
func (b *Book) Known(a *refund.Ask) (e *Entry, reused bool) {
	e = b.entries[KeyOf(a)]
	return e, e != nil && !e.Ask.SameAs(a)
}

// Open returns the entries whose hold is open, by place.
func (b *Book) Open() []*Entry {
	list := make([]*Entry, 0, len(b.open))
	for _, e := range b.open {
		list = append(list, e)
	}
	slices.SortFunc(list, byPlace)
	return list
}

// OpenBeside returns how many holds are open of the merchant and terminal of an ask, practice
// apart, but for the one that it replaces.
func (b *Book) OpenBeside(a *refund.Ask) int {
	k, old, n := KeyOf(a), b.Replaces(a), 0
	for o, e := range b.open {
		if o.Merchant == k.Merchant && o.Terminal == k.Terminal && e.Held.Practice == a.Record.Training && e != old {
			n++
		}
	}
	return n
}

// Crowd forgets the oldest asks without a hold, so that no more than so many are remembered,
// and returns how many it has forgotten.
func (b *Book) Crowd(most int) int {
	n := max(0, len(b.passing)-most)
	for range n {
		b.Forget(b.passing[0])
	}
	return n
}

func byPlace(x, y *Entry) int { return cmp.Compare(x.place, y.place) }

// All returns every remembered entry, by place.
func (b *Book) All() []*Entry {
	list := make([]*Entry, 0, len(b.entries))
	for _, e := range b.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, byPlace)
	return list
}

// Replaces returns the earlier ask that this one corrects, nil if it names none that is
// remembered (guard.md § 3). A look replaces nothing.
func (b *Book) Replaces(a *refund.Ask) *Entry {
	if a.Replaces == "" || a.Look {
		return nil
	}
	e := b.entries[Key{a.Record.MerchantID, a.Record.TerminalID, a.Replaces}]
	if e == nil || e.Ask.Look || e.Ask.Record.Training != a.Record.Training {
		return nil
	}
	return e
}

// BeingMade returns the newest other ask about the same original that is on its way, nil if
// none (guard.md § 2, being_made).
func (b *Book) BeingMade(a *refund.Ask, found *refund.Found) *Entry {
	if found == nil {
		return nil
	}
	at, ok := a.Record.Time()
	if !ok {
		return nil
	}
	corrected := b.Replaces(a)
	list := b.about[original{a.Record.MerchantID, a.Record.Training, found.Seq}]
	for _, e := range slices.Backward(list) {
		if e != corrected && !e.replaced && e.Record == 0 && e.mayBeMade() && at.Sub(e.at).Abs() <= beingMadeWithin {
			return e
		}
	}
	return nil
}

// mayBeMade reports whether the firmware may send the refund now.
func (e *Entry) mayBeMade() bool {
	if e.Held != nil {
		return e.Held.State == Released
	}
	return e.Answer.Action != Hold && !e.Cancelled
}

// Add remembers an answered ask. Where it corrects one with an open hold, that hold ends and
// its entry is returned, as ended now.
func (b *Book) Add(e *Entry, now time.Time) (ended *Entry, undo Undo) {
	e.at, _ = e.Ask.Record.Time()
	e.Ask.Presented = nil
	undo = nothing
	if old := b.Replaces(&e.Ask); old != nil {
		was := old.replaced
		old.replaced = true
		undo = func() { old.replaced = was }
		if old.Held != nil && old.Held.State == Open {
			state := Corrected
			if e.Answer.Action == Hold {
				state = Replaced
			}
			ended = old
			undo = undo.then(b.End(old, Ending{State: state, By: e.Ask.ID, At: now}))
		}
	}
	return ended, undo.then(b.remember(e))
}

// remember puts an entry into every index. One with a hold keeps its state.
func (b *Book) remember(e *Entry) Undo {
	k := KeyOf(&e.Ask)
	b.last++
	e.place = b.last
	b.entries[k] = e
	if e.Held != nil && e.Held.State == Open {
		b.open[k] = e
	}
	undo := Undo(func() { delete(b.entries, k); delete(b.open, k) })
	if e.Held == nil {
		b.passing = append(b.passing, e)
		undo = undo.then(func() { b.pass(e) })
	}
	if e.Ask.Look || !e.usable() || e.at.IsZero() {
		return undo
	}
	r := &e.Ask.Record
	at := day{r.MerchantID, r.Training, dayOf(e.at)}
	if e.Record == 0 {
		undo = undo.then(insert(b.free, at, e))
	}
	if e.Answer.Original != nil {
		undo = undo.then(insert(b.about, original{r.MerchantID, r.Training, e.Answer.Original.Seq}, e))
	}
	return undo
}

// Recall remembers an entry that was kept elsewhere, with the hold that it had. Places only
// grow.
func (b *Book) Recall(e *Entry) {
	e.at, _ = e.Ask.Record.Time()
	b.remember(e)
}

// pass takes an entry out of those without a hold.
func (b *Book) pass(e *Entry) {
	if i, ok := slices.BinarySearchFunc(b.passing, e, byPlace); ok {
		b.passing = slices.Delete(b.passing, i, i+1)
	}
}

// Forget drops an entry.
func (b *Book) Forget(e *Entry) {
	k := KeyOf(&e.Ask)
	delete(b.entries, k)
	delete(b.open, k)
	b.pass(e)
	r := &e.Ask.Record
	remove(b.free, day{r.MerchantID, r.Training, dayOf(e.at)}, e)
	if e.Answer.Original != nil {
		remove(b.about, original{r.MerchantID, r.Training, e.Answer.Original.Seq}, e)
	}
}

func dayOf(t time.Time) int64 { return floorDiv(t.Unix(), 24*60*60) }

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}

func insert[K comparable](m map[K][]*Entry, k K, e *Entry) Undo {
	m[k] = append(m[k], e)
	return func() { remove(m, k, e) }
}

func remove[K comparable](m map[K][]*Entry, k K, e *Entry) {
	list := m[k]
	i := slices.Index(list, e)
	if i < 0 {
		return
	}
	if len(list) == 1 {
		delete(m, k)
		return
	}
	m[k] = append(slices.Clone(list[:i]), list[i+1:]...)
}

// Ending is how a hold ends.
type Ending struct {
	State        State
	By           string
	Reason, Text string
	At           time.Time
}

// End ends an open hold; of any other entry it changes nothing but, with state Cancelled,
// that nothing is made of it.
func (b *Book) End(e *Entry, by Ending) Undo {
	switch {
	case e.Held == nil && by.State == Cancelled && !e.Cancelled:
		e.Cancelled = true
		return func() { e.Cancelled = false }
	case e.Held == nil || e.Held.State != Open:
		return nothing
	}
	was := *e.Held
	e.Held.State, e.Held.By, e.Held.Reason, e.Held.Text, e.Held.Ended = by.State, by.By, by.Reason, by.Text, by.At
	k := KeyOf(&e.Ask)
	delete(b.open, k)
	return func() { *e.Held = was; b.open[k] = e }
}

// Due returns the entries whose hold is open and for which their time, from the ask's own
// `at` on, is over at this one, by place (guard.md § 3, `yuanlu check`).
func (b *Book) Due(at time.Time, after time.Duration) []*Entry {
	var due []*Entry
	for _, e := range b.Open() {
		if !e.at.Add(after).After(at) {
			due = append(due, e)
		}
	}
	return due
}
