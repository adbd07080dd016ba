package ask

import "time"

// State is where a hold stands (guard.md § 3). It ends once.
type State string

const (
	Open      State = "open"
	Released  State = "released"
	Cancelled State = "cancelled"
	Corrected State = "corrected"
	Replaced  State = "replaced"
	Expired   State = "expired"
	Bypassed  State = "bypassed"
)

// Level is how the asks about one link are answered (guard.md).
type Level string

const (
	Off       Level = "off"    // asks are refused
	Advise    Level = "advise" // nothing is held
	HoldLevel Level = "hold"   // a supervisor or the back office releases
	Office    Level = "office" // the back office releases, a supervisor later
)

// Holds reports whether an answer hold opens a hold at this level.
func (l Level) Holds() bool { return l == HoldLevel || l == Office }

// Shown returns the action that is answered at this level: advise holds nothing.
func (l Level) Shown(a Action) Action {
	if a == Hold && l == Advise {
		return Confirm
	}
	return a
}

// Reasons of a release (guard.md § 3), in the order of their numbers 1 to 5.
const (
	ReasonConsent      = "consent"
	ReasonReissuedCard = "reissued_card"
	ReasonOwnAccount   = "own_account"
	ReasonOurError     = "our_error"
	ReasonOther        = "other"
)

// Held is a hold as it stands (guard.md § 3).
type Held struct {
	Key      Key
	Seq      int64 // the place of its ask
	Practice bool
	Operator string // who asked
	Link     string // that asked
	Level    Level  // when it was opened
	State    State
	Opened   time.Time // by the agent's clock
	Until    time.Time // when its time is over if the agent runs on, by the same clock
	Ended    time.Time // zero while it is open
	// By is who released or cancelled it, or the id of the ask that replaced it; "" else.
	By           string
	Reason, Text string // of a release
	WrongPINs    int    // PINs that were wrong for this hold
	Record       int64  // the record that belongs to the ask, 0 none
	Flood        bool   // its terminal had too many: it was opened and expired at once
}
