package outbox

import (
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
)

// Figures is the outbox as committed.
type Figures struct {
	Last    int64 // newest sequence assigned
	Sent    int64 // newest sequence with a PUBACK, as last saved
	Acked   int64
	Dropped int64 // events that were dropped
	Events  int64 // newest entry of an event, without rows.FirstEvent
	Waiting int64 // entries
	Bytes   int64 // of those entries
	Untold  int64 // case events without a sequence
}

// Tallies are counts that the tables could answer too, kept as they change because
// counting a hundred thousand rows every two seconds costs more than sending them.
type Tallies struct {
	Quarantined int64                      // entries
	Aside       int64                      // cases of those
	AsideBytes  int64                      // and what they count against the byte bound
	Open        [refund.Critical + 1]int64 // open cases by severity
}

// SetAside counts an entry that came into quarantine (by 1) or left it (by -1).
func (n *Tallies) SetAside(entry, size, by int64) {
	n.Quarantined += by
	if entry < rows.FirstEvent {
		n.Aside += by
		n.AsideBytes += by * size
	}
}

// BySeverity returns the open cases by severity, without those that are none.
func (n *Tallies) BySeverity() map[refund.Severity]int {
	open := map[refund.Severity]int{}
	for severity, count := range n.Open {
		if count > 0 {
			open[refund.Severity(severity)] = int(count)
		}
	}
	return open
}
