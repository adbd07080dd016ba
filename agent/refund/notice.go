package refund

import "time"

// NoticeClass says which topic a notice goes to and what may be dropped first
// when the outbox is full.
type NoticeClass uint8

const (
	NoticeCase  NoticeClass = iota + 1 // up/case: never dropped while it is the only copy
	NoticeEvent                        // up/event
)

// Notice is one entry of the outbox: something to tell the back office. All but
// Attempt is frozen when it is made, so every attempt carries the same bytes.
// Source: contract/topics.md, Case event.
type Notice struct {
	Sequence    int64  // order within Stream; 0 for events, which have none
	Entry       int64  // the outbox's own number of the entry
	ID          string // what the back office deduplicates by
	Stream      string // this store's life
	Type        string // "yuanlu.case.opened.v1", "link.lost", …
	Subject     string // "case/<id>", "link/pos", …
	Time        time.Time
	ClockSynced bool
	Historical  bool // not about something that has just happened
	Class       NoticeClass
	Attempt     int    // 1 for the first
	Data        []byte // the JSON of CloudEvents `data`
}

// OutboxStat is what waits in the outbox, for health and up/case-summary.
type OutboxStat struct {
	Stream        string
	LastSeq       int64 // newest sequence given out
	SentSeq       int64 // newest sequence the broker has acknowledged (PUBACK)
	AckedSeq      int64 // newest sequence the back office has acknowledged
	StoredAcked   int64 // likewise, as the store has it: a power cut takes back what is above
	Waiting       int64 // entries not yet delivered
	Bytes         int64 // of those entries and of refused cases: what counts against LimitBytes
	LimitBytes    int64
	Unsequenced   int64 // case events that wait for room in the outbox
	Quarantined   int64
	Dropped       int64 // events given up for lack of room, since the store began
	OldestUnacked time.Time
	Open          map[Severity]int // open cases by severity
}
