package ingest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// Wire turns the frames of one link into records. It is not safe for concurrent use.
type Wire interface {
	// Scanner returns a new scanner for the framing of this wire.
	Scanner() *frame.Scanner
	// Frame takes one good frame. The caller acts on the Step even if the error is not
	// nil: the error says that the message was refused and names field and offset,
	// never its bytes. Nothing of f is kept.
	Frame(f frame.Frame, now Clock) (Step, error)
	// Due returns what has become known by time passing (answers that did not come),
	// and when to ask again; the zero time: nothing waits.
	Due(now Clock) (Step, time.Time)
	// End returns what becomes known because nothing more will come: the end of a
	// capture file. A running agent never calls it.
	End(now Clock) Step
}

// Step is what one frame, or time passing, has brought. Its slices are valid until
// the next call of the wire that gave it.
type Step struct {
	Records []Decoded
	Memory  []refund.MemoryChange
	// Reply is to be written once Records and Memory are durable, Immediate at once.
	Reply, Immediate []byte
	// Question is an ask, and Order a release or cancel, that the frame brings for the guard;
	// nil: none. What else the step brings comes before them.
	Question *Question
	Order    *Order
	// Shown is the card or account that the frame's message names as that of who is at the
	// counter, in clear, whether it makes a record or not; nil: none.
	Shown *refund.Party
	// Confirmed is the id of a data frame of the agent that the firmware confirms, 0: none.
	Confirmed byte
	// LeftOut is why messages made no record although nothing is wrong with them, one
	// entry a message: the frame's own, or that of a request that ends with it.
	LeftOut []LeftOut
	// Ignored names which part of a message was not used ("no such date"), a stable text
	// without values of the message: counted, and logged once per text.
	Ignored string
}

// Decoded is one record as a wire made it, its identifiers in clear.
type Decoded struct {
	Record refund.Record
	// AtFromClock: the wire gave no usable time, so Record.At is the time of reception.
	AtFromClock bool
	// YearFromClock: the wire gave a time without its year.
	YearFromClock bool
	// Raw is what the record came from, for its MAC; nil: the frame. It is valid
	// until the next call of the wire.
	Raw []byte
}

// Memory is what a wire may read back of what it remembered. Its own changes are
// seen at once, whether they are stored yet or not. A change whose Expires has
// passed may be there or not.
type Memory interface {
	// Get returns the value of a key. The value must not be changed.
	Get(key string) (value []byte, ok bool)
}

// rememberer is a Memory that takes changes.
type rememberer interface {
	Memory
	Remember(changes []refund.MemoryChange)
}

// Errors of this package, for errors.Is.
var (
	// ErrWire: there is no wire of that name.
	ErrWire = errors.New("ingest: unknown wire")
	// ErrProfile: a profile file has errors; it is a ProfileErrors.
	ErrProfile = errors.New("ingest: profile")
	// ErrRefused: a message in a good frame was refused; it is a *RefusedError.
	ErrRefused = errors.New("ingest: message refused")
)

// kind is one wire that this package knows.
type kind struct {
	name     string
	framing  string // of its frames; two wires of one framing find the same frames
	confirms bool   // it confirms what is durable, and its terminals send again what is not
	defaults string // the profile embedded for it
	empty    func() profileBody
}

// kinds returns the table of wires.
func kinds() []kind {
	return []kind{
		{"mispos", "stx", false, misposDefaults, newMisposProfile},
		{"cup8583", "stx", false, cup8583Defaults, newCupProfile},
		{"smart", "smart", true, smartDefaults, newSmartProfile},
	}
}

// kindOf returns the line of a wire in the table.
func kindOf(name string) (kind, error) {
	for _, k := range kinds() {
		if k.name == name {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("%w %q, want one of %s", ErrWire, name, strings.Join(Wires(), ", "))
}

// Wires returns the names of the wires there are.
func Wires() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Framing returns the name of the framing of a wire, "" if there is no such wire. Two
// wires of one framing find the same frames in the same bytes.
func Framing(wire string) string {
	k, _ := kindOf(wire)
	return k.framing
}

// Confirms reports whether a wire confirms what is durable, so that its terminals send
// again what was lost on the way.
func Confirms(wire string) bool {
	k, _ := kindOf(wire)
	return k.confirms
}

// NewWire makes the wire of that name with a profile made for it. m returns what
// the wire remembered earlier; nil: nothing, and what it remembers stays in this
// process. If m has the method Remember([]refund.MemoryChange), it is called with
// the changes of every Step. Errors: ErrWire, ErrProfile (of another wire).
func NewWire(name string, p Profile, m Memory, options ...WireOption) (Wire, error) {
	if _, err := kindOf(name); err != nil {
		return nil, err
	}
	if p.wire != name {
		return nil, fmt.Errorf("%w: it is one of wire %q, want %q", ErrProfile, p.wire, name)
	}
	if m == nil {
		m = scratch{}
	}
	w := p.body.wire(m)
	for _, option := range options {
		option(w)
	}
	if r, ok := m.(rememberer); ok {
		w = remembering{w, r}
	}
	return w, nil
}

// WireOption is something a wire may need beyond its profile and memory.
type WireOption func(Wire)

// WithTokenizer returns the tokenizer under whose keys a wire keeps card data that it must
// remember. Without one such data stays in this process and is not in the changes that
// the wire returns: for replays, whose records are sealed where they end.
func WithTokenizer(t refund.Tokenizer) WireOption {
	return func(w Wire) {
		if s, ok := w.(interface{ sealWith(refund.Tokenizer) }); ok && t != nil {
			s.sealWith(t)
		}
	}
}

// remembering hands the changes of every step to the memory the wire reads.
type remembering struct {
	Wire
	memory rememberer
}

func (w remembering) Frame(f frame.Frame, now Clock) (Step, error) {
	s, err := w.Wire.Frame(f, now)
	w.memory.Remember(s.Memory)
	return s, err
}

func (w remembering) Due(now Clock) (Step, time.Time) {
	s, next := w.Wire.Due(now)
	w.memory.Remember(s.Memory)
	return s, next
}

func (w remembering) End(now Clock) Step {
	s := w.Wire.End(now)
	w.memory.Remember(s.Memory)
	return s
}

// scratch is a Memory that lives as long as its wire.
type scratch map[string][]byte

func (m scratch) Get(key string) ([]byte, bool) {
	v, ok := m[key]
	return v, ok
}

func (m scratch) Remember(changes []refund.MemoryChange) {
	for _, c := range changes {
		if c.Value == nil {
			delete(m, c.Key)
		} else {
			m[c.Key] = c.Value
		}
	}
}
