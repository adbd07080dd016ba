package ingest

import (
	"time"

	"yuanlu/agent/refund"
)

// Verdicts of a link: what is known of it, from what came on it in the last minutes.
// Only VerdictGood is good, and it needs a message that was understood.
const (
	VerdictNotOpened    = "not_opened" // no attempt has ended yet
	VerdictDisabled     = "disabled"
	VerdictNoPort       = "no_port"
	VerdictNoPermission = "no_permission"
	VerdictHeld         = "port_held" // by another process, which takes bytes away
	VerdictSilent       = "silent"    // nothing came since the port was opened; of a terminal that shakes hands, for a minute
	VerdictUndecided    = "undecided" // something came, and it is too little or too fresh
	VerdictNoFrame      = "no_frame"  // speed, parity, wire or cable is wrong
	VerdictRefused      = "refused"   // the frames are right, the messages are not: another wire, or another acquirer's profile
	VerdictNoisy        = "noisy"     // much of what comes belongs to no good frame
	VerdictGood         = "good"
)

// Verdicts returns all verdicts there are.
func Verdicts() []string {
	return []string{VerdictNotOpened, VerdictDisabled, VerdictNoPort, VerdictNoPermission, VerdictHeld, VerdictSilent, VerdictUndecided,
		VerdictNoFrame, VerdictRefused, VerdictNoisy, VerdictGood}
}

// Recent is what came on a link in the five minutes before its newest byte, since the port
// was opened: while nothing comes it stays as it is. Single control bytes (ENQ, ACK, NAK,
// EOT) between frames are usual and count as no noise.
type Recent struct {
	Until    time.Time `json:"until,omitzero"` // when the newest byte came; zero: none did
	Bytes    uint64    `json:"bytes"`
	Noise    uint64    `json:"noise"`    // of Bytes, those in no good frame
	Frames   uint64    `json:"frames"`   // good ones, signs of life too
	Messages uint64    `json:"messages"` // that were understood and are no mere sign of life
	Refused  uint64    `json:"refused"`  // messages
	// Unread is the bytes since the last good frame, UnreadSince when the first of them came.
	Unread      uint64    `json:"unread"`
	UnreadSince time.Time `json:"unread_since,omitzero"`
	// Ever: a frame was understood since the port was opened. Mostly: most of the last 16
	// messages, of at least 4, were refused.
	Ever   bool `json:"ever"`
	Mostly bool `json:"mostly_refused,omitempty"`
}

// Share is how much of what came is noise, in percent.
func (r *Recent) Share() int {
	if r.Bytes == 0 {
		return 0
	}
	return int(100 * r.Noise / r.Bytes)
}

// Fit is what was found to fit a link that is not understood.
type Fit struct {
	Wire string `json:"wire,omitempty"` // that understands a message; "": none does
	// Sees are wires whose frames are right, though none understands a message.
	Sees []string `json:"sees,omitempty"`
	// SevenBit is the parity of a line of seven data bits, which no wire fits in.
	SevenBit string `json:"seven_bit,omitempty"`
	// Baud and Framing ("8E1") are where Wire was found, if not as configured.
	Baud    int    `json:"baud,omitempty"`
	Framing string `json:"framing,omitempty"`
}

// LastRecord is the newest sale, refund or void of a link since the agent started. It
// holds no identity.
type LastRecord struct {
	Kind     refund.Kind    `json:"kind"`
	Outcome  refund.Outcome `json:"outcome"`
	Amount   int64          `json:"amount"` // in minor units
	Currency string         `json:"currency,omitempty"`
	At       time.Time      `json:"at"` // when it was received
}

// Bounds of the verdicts.
const (
	lifeWithin  = time.Minute     // a smart terminal shakes hands every 2 s
	leastUnread = 24              // bytes, before a link that was never understood is called so
	leastNoise  = 64              // bytes, before a link that was understood is called so
	unreadPause = time.Second     // without a byte: no frame is on its way any more
	unreadFor   = 5 * time.Second // of bytes without a pause, or of a link that was understood
	noisyShare  = 10              // percent
)

// VerdictOf returns the verdict about a link at a moment. It is a pure function of the
// figures; l.Verdict itself is not looked at.
func VerdictOf(l *LinkHealth, now time.Time) string {
	switch {
	case l.State == StateDisabled:
		return VerdictDisabled
	case l.Untried:
		return VerdictNotOpened
	case l.Trouble != "":
		return l.Trouble
	case l.State == StateDenied:
		return VerdictNoPermission
	case l.State == StateAbsent:
		return VerdictNoPort
	case len(l.Holders) > 0:
		return VerdictHeld
	}
	r := &l.Recent
	switch {
	case r.Until.IsZero(), Confirms(l.Wire) && now.Sub(r.Until) > lifeWithin:
		return VerdictSilent
	case noFrame(r, now):
		return VerdictNoFrame
	case r.Refused > 0 && (r.Messages == 0 || r.Mostly):
		return VerdictRefused
	case !r.Ever:
		return VerdictUndecided
	case r.Noise >= leastNoise && r.Share() > noisyShare:
		return VerdictNoisy
	}
	return VerdictGood
}

// noFrame reports whether bytes come and no frame: enough of them, and the frame that they
// might be is over. Of a link that was understood before, one burst is no proof.
func noFrame(r *Recent, now time.Time) bool {
	switch {
	case !r.Ever && r.Refused == 0:
		return r.Unread >= leastUnread && (now.Sub(r.Until) >= unreadPause || now.Sub(r.UnreadSince) >= unreadFor)
	default:
		return r.Unread >= leastNoise && r.Until.Sub(r.UnreadSince) >= unreadFor
	}
}

// stateBy returns the state of topics.md, up/link, for an open port and its verdict.
func stateBy(verdict string) string {
	switch verdict {
	case VerdictHeld, VerdictNoFrame, VerdictRefused, VerdictNoisy:
		return StateDegraded
	}
	return StateOnline
}
