package refund

import "time"

// Arrival is what one frame of a link brought: the ledger stores it whole or
// not at all.
type Arrival struct {
	Link      string // name of the link in the configuration
	Sightings []Sighting
	Memory    []MemoryChange
}

// Sighting is one record with the circumstances in which it was received.
type Sighting struct {
	Record      Record    // sealed
	Received    time.Time // by the agent's clock
	ClockSynced bool      // whether that clock was trusted
	// AtFromClock: the wire gave no usable time, so Record.At is the time of
	// reception.
	AtFromClock bool
	// YearFromClock: the wire gave a time without its year, which is that of the latest
	// such day.
	YearFromClock bool
	// Boot is what both count from, so that Record.At can be made again.
	Boot Boot
	// Redated: the clock was not trusted, and Record.At was made again by one that was.
	Redated bool
	// FrameMAC is the keyed hash of the frame the record came in ("k1:…"), for
	// evidence; "" where there was no frame.
	FrameMAC string
}

// Boot is one start of the system: what a clock that was wrong can be measured by once it
// is right. The time since it (CLOCK_BOOTTIME) is never set. The zero Boot is not known.
type Boot struct {
	ID     string    // of this start, as the kernel names it
	At     time.Time // when it was, by the clock that dates are made from
	System time.Time // when it was, by the system's clock, as Received is
}

// FutureAfter is how far ahead of a trusted clock a record may be dated before that is
// a problem (wires.md, Common, records_in_future).
const FutureAfter = 10 * time.Minute

// Lead returns by how much the record's `at`, as the wire states it, lies ahead of its
// reception; negative: behind it. ok is false where that cannot be known: the clock was
// not trusted, or the wire states no time.
func (s *Sighting) Lead() (lead time.Duration, ok bool) {
	at, ok := s.Record.Time()
	if !ok || !s.ClockSynced || s.AtFromClock {
		return 0, false
	}
	return at.Sub(s.Received), true
}

// MemoryChange is one change to what a wire must remember between frames
// (waiting requests, sums per trade, message ids: wires.md, Common).
type MemoryChange struct {
	Key     string
	Value   []byte    // nil deletes the key
	Expires time.Time // zero: kept until deleted
}

// Applied is what became of one sighting, once it is durable.
type Applied struct {
	Link      string
	Seq       int64
	CopyOf    int64 // seq of the event it is a copy of, 0: a new event
	Record    Record
	Note      string       // why the record takes no part, "" if it does
	Verdicts  []Judged     // released because of it, in seq order; never unreleased ones
	Cases     []CaseChange // in sequence order
	Integrity *Integrity
	Followed  []Followed // what became of cases because of it, in sequence order
	// Sighting is what was received; nil where the verdict had only waited.
	Sighting *Sighting
}

// CaseChange is one change of a case, as it is published to the back office.
type CaseChange struct {
	CaseID   string
	Type     string // CaseOpened, CaseRevised or CaseCleared
	Severity Severity
	Sequence int64 // in the outbox; 0 while the outbox has no room
	Judged   Judged
	Refund   Record
	Original *Record // nil: none found
}

// Followed is something that became of a case, as it is published to the back office
// (casework.md § 12).
type Followed struct {
	CaseID string
	What   string
	Seq    int64 // of the record that caused it
}

// Types of case events (topics.md, Case event).
const (
	CaseOpened  = "yuanlu.case.opened.v1"
	CaseRevised = "yuanlu.case.revised.v1"
	CaseCleared = "yuanlu.case.cleared.v1"
)
