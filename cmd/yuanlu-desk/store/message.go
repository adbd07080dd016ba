package store

import (
	"time"

	"yuanlu/protocol/topics"
)

// Message is one thing to be stored: exactly one of its members is set.
type Message struct {
	Event      *Event
	Refusal    *Refusal
	Status     *Status
	Checkpoint *Checkpoint
	Day        *DayPart
}

// Event is one message of up/case or up/event that fits its schema.
type Event struct {
	Terminal string
	Stream   string
	Seq      int64 // from 1; 0: up/event, which has none
	ID       string
	Type     string
	Subject  string
	CaseID   string // "" where there is none
	Case     bool   // came on up/case
	Future   bool   // of a version that this desk does not know
	Time     time.Time
	Received time.Time
	Attempt  int64
	Digest   string // of all that never changes between attempts
	Payload  []byte // as it came, JSON in UTF-8
	Facts    Facts

	// Aside is a sequence of Stream that the terminal reports to have put into its own
	// quarantine, so that it will not come; 0: none.
	Aside int64
}

// States of a case.
const (
	CaseOpen    = "open"
	CaseCleared = "cleared"
)

// Facts are what cases are found by.
type Facts struct {
	State     string // CaseOpen, CaseCleared, or "" where the event does not show it
	Severity  int    // SeverityRank
	Decision  string
	Recipient string
	Merchant  string
}

// SeverityRank orders severities: critical 5, high 4, medium 3, low 2, info 1,
// anything else 0.
func SeverityRank(name string) int {
	for i, s := range []string{"info", "low", "medium", "high", "critical"} {
		if s == name {
			return i + 1
		}
	}
	return 0
}

// SeverityName is the reverse of SeverityRank; 0 is "none".
func SeverityName(rank int) string {
	if rank < 1 || rank > 5 {
		return "none"
	}
	return []string{"info", "low", "medium", "high", "critical"}[rank-1]
}

// Refusal is a message that does not fit; it is kept in quarantine.
type Refusal struct {
	Terminal string
	Topic    string
	Stream   string // with Seq: what is refused to the terminal
	Seq      int64  // 0: it cannot be refused to the terminal
	Code     string // schema, source, garbage, too_large, altered, store …
	Message  string // where and why; never a value of the payload
	Payload  []byte
	Received time.Time
}

// What a terminal publishes about itself, retained on its topic.
const (
	StatusState   = "state"
	StatusHealth  = "health"
	StatusInfo    = "info"
	StatusConfig  = "config"
	StatusLink    = "link"
	StatusSummary = "summary"
)

// Status is what a terminal publishes about itself. An empty Payload takes it back.
type Status struct {
	Terminal string
	What     string // StatusState …
	Link     string // StatusLink: whose
	Retained bool   // left over from earlier: its age is only what it states itself
	Received time.Time
	Payload  []byte

	State   topics.State       // StatusState
	Health  topics.Health      // StatusHealth
	LinkNow topics.LinkState   // StatusLink
	Summary topics.CaseSummary // StatusSummary
}

// Answer is what Apply has committed and what is to be acknowledged to the terminals.
type Answer struct {
	Acks     []Ack
	N        int64 // newest number of the store
	New      int   // events stored
	Repeats  int   // events that were there already
	Refused  int   // messages put into quarantine
	Unworked int   // case events that the case desk does not understand; they are stored
	GapBegun []Ack // streams that began to lack something; Seq: the first missing
	GapEnded []Ack // streams that are complete again
	Reused   []Ack // events that were stored though another one has their sequence; Seq: that
	PutBack  []Ack // streams of which the terminal knows less than is settled here; Seq: what is

	Cosigned  []Cosigned // what terminals are answered to their checkpoints
	DeskNote  string     // with Cosigned: the newest checkpoint of the desk's own log
	LogAlarms []LogAlarm // alarms about logs of terminals that began
	Forked    []string   // logs of the desk that were ended, because a terminal showed a note that they do not have
	OtherKey  bool       // checkpoints were left unanswered: the desk's log is of another co-signing key

	Days []string // days, YYYY-MM-DD, of which another digest of a terminal counts now
	Full []string // terminals whose events were neither stored nor acknowledged: they have no room left (Limits)
}

// Ack is the acknowledgement of one stream: everything up to Seq is settled (stored, or
// refused by us or put aside by the terminal), and what was refused.
type Ack struct {
	Terminal string
	Stream   string
	Seq      int64 // 0: nothing is settled yet
	Refused  []topics.Nack
}
