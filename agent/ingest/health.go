package ingest

import (
	"io/fs"
	"time"
)

// The states of a link (topics.md, up/link).
const (
	StateOnline   = "online"
	StateDegraded = "degraded" // the port is open, but nothing can be stored or understood
	StateAbsent   = "absent"
	StateDenied   = "denied"
	StateDisabled = "disabled" // by the configuration: it has no worker
)

// Fault is why a port is not open.
type Fault struct {
	State   string // StateAbsent or StateDenied
	Verdict string // VerdictNoPort, VerdictNoPermission, VerdictHeld
	Reason  string // for people, in English
	Holders []string
	Group   string      // of the device, where it may not be opened
	Mode    fs.FileMode // its permissions
	Here    []string    // ports that are here, where it is not
}

// LinkHealth is what a link looks like at one moment, also as `status` shows it. Counters
// go up from the start of the worker.
type LinkHealth struct {
	Name         string    `json:"name"`
	Wire         string    `json:"wire"`
	Port         string    `json:"port"` // the device found when it was last open
	State        string    `json:"state"`
	Since        time.Time `json:"since,omitzero"`   // of State
	Reason       string    `json:"reason,omitempty"` // for people: why the port is not open, or why nothing can be stored
	FramesGood   uint64    `json:"frames_good"`
	FramesBad    uint64    `json:"frames_bad"`
	SkippedBytes uint64    `json:"skipped_bytes"`          // they belong to no good frame
	Refused      uint64    `json:"refused"`                // messages in good frames
	Records      uint64    `json:"records"`                // made, stored or waiting to be
	Asks         uint64    `json:"asks,omitempty"`         // questions before a refund, refused ones included
	AsksRefused  uint64    `json:"asks_refused,omitempty"` // not to their form
	Unconfirmed  uint64    `json:"unconfirmed,omitempty"`  // frames of the agent that the firmware did not confirm
	LastFrame    time.Time `json:"last_frame,omitzero"`
	Reopens      uint64    `json:"reopens"`           // times the port was opened after the first
	Waiting      int       `json:"waiting,omitempty"` // arrivals in memory that are not yet stored
	// Verdict is one of Verdicts, VerdictSince when it became that.
	Verdict      string    `json:"verdict"`
	VerdictSince time.Time `json:"verdict_since,omitzero"`
	Trouble      string    `json:"trouble,omitempty"` // the verdict while the port is not open
	// Holders are other processes that have the port open, "pid 812 (minicom)", as far as
	// the daemon's user may see them.
	Holders    []string    `json:"holders,omitempty"`
	Recent     Recent      `json:"recent"`
	Fit        *Fit        `json:"fit,omitempty"` // nil: nothing needs to be found out
	LastRecord *LastRecord `json:"last_record,omitempty"`

	// Stalls is how often reading had to wait for room in the buffers, StalledFor how long
	// in all. A wait of a second or more is an episode: StalledSince is the begin of the one
	// that lasts, StalledUntil the end of the last one.
	Stalls       uint64        `json:"stalls"`
	StalledFor   time.Duration `json:"stalled_ns"`
	StalledSince time.Time     `json:"stalled_since,omitzero"`
	StalledUntil time.Time     `json:"stalled_until,omitzero"`
	Line         *LineErrors   `json:"line"` // nil: the driver does not count

	Fault Fault `json:"-"` // why the port is not open

	Untried bool   `json:"-"` // the port was not opened yet, and no attempt has failed
	Ignored uint64 `json:"-"` // messages, or parts of them, left out on purpose
	// Progress grows at least every few seconds while nothing hangs: the watchdog
	// looks at it.
	Progress uint64 `json:"-"`
}

// Untried returns the state of a link whose port no worker has tried to open yet.
func Untried(link, wire, port string, since time.Time) LinkHealth {
	return LinkHealth{Name: link, Wire: wire, Port: port, State: StateAbsent, Since: since, Reason: "not opened yet", Untried: true, Verdict: VerdictNotOpened}
}
