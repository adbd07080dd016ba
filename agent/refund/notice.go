package refund

import (
	"errors"
	"time"
)

// NoticeClass is which topic a notice is published to and what may be dropped first
// when the outbox is full.
type NoticeClass uint8

const (
	NoticeCase  NoticeClass = iota + 1 // up/case: never dropped while it is the only copy
	NoticeEvent                        // up/event
	NoticeDay                          // up/day: made again from the records
)

// Notice is one event that is published to the back office, as the outbox keeps it. All but Attempt
// and Taken is frozen when it is made, so every attempt carries the same bytes.
// Source: topics.md, Case event.
type Notice struct {
	Sequence    int64  // order within Stream; 0 for events, which have none
	Entry       int64  // the outbox's own number of the entry
	ID          string // what the back office deduplicates by
	Stream      string // changes when the store is made again
	Type        string // "yuanlu.case.opened.v1", "link.lost", …
	Subject     string // "case/<id>", "link/pos", …
	Time        time.Time
	ClockSynced bool
	Historical  bool // not about something that has just happened
	Class       NoticeClass
	Attempt     int    // times it was put on a connection since the start
	Taken       int    // times the broker has acknowledged it, so far
	Data        []byte // the JSON of CloudEvents `data`
}

// Why an acknowledgement, or a refusal, of an entry of the outbox does nothing.
var (
	ErrOtherStream  = errors.New("refund: not of this store's stream")
	ErrBeyond       = errors.New("refund: above the newest sequence")
	ErrUnsent       = errors.New("refund: it was not sent yet")
	ErrAcknowledged = errors.New("refund: it was acknowledged before")
)

// Trace is what the broker or the back office knows of the outbox: if that is more than the store itself
// knows, the store was put back from an old copy. Source: topics.md, Signed.
type Trace struct {
	By       string // "case-summary" or "ack"
	Stream   string
	LastSeq  int64    // a sequence that the store has assigned
	AckedSeq int64    // one that it has stored as acknowledged
	Before   []string // streams that the store had before Stream
}

// MostRefused bounds OutboxStat.Refused.
const MostRefused = 256

// OutboxStat is what waits in the outbox, for health and up/case-summary.
type OutboxStat struct {
	Stream        string
	Before        []string // streams that ended before it, the newest first
	LastSeq       int64    // newest sequence given out
	SentSeq       int64    // newest sequence the broker has acknowledged (PUBACK)
	AckedSeq      int64    // newest sequence the back office has acknowledged
	StoredAcked   int64    // likewise, as the store has it: a power cut takes back what is above
	Waiting       int64    // entries not yet delivered
	Bytes         int64    // of those entries and of refused cases: what counts against LimitBytes
	LimitBytes    int64
	Unsequenced   int64 // case events that wait for room in the outbox
	Quarantined   int64
	Refused       []int64 // sequences in quarantine, the lowest MostRefused
	Dropped       int64   // events given up for lack of room, since the store began
	OldestUnacked time.Time
	Open          map[Severity]int // open cases by severity
	Days          *DayStat         // nil: no digest was made yet, or the store is only read
}

// DayStat are the numbers of the stream of digests (bills.md § 5).
type DayStat struct {
	Stream   string
	LastSeq  int64 // newest sequence given out
	AckedSeq int64 // newest sequence the back office has acknowledged
	Waiting  int64 // parts of digests that are not acknowledged
	Bytes    int64 // of those
}
