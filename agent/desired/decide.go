package desired

import "fmt"

// Action is what becomes of a desired configuration.
type Action string

// Nothing: the version is not greater than one seen. Wait: decide when the probation is
// over. Decline: it is not used as things are, and the version is not
// spent. Refuse: it is not used, and the version is spent. Try: it comes into force, on
// probation.
const (
	Nothing Action = "nothing"
	Wait    Action = "wait"
	Decline Action = "decline"
	Refuse  Action = "refuse"
	Try     Action = "try"
)

// MostJump is how far above the newest version the next one may be: one message must
// not use up the numbers that are left, but may count in seconds, milliseconds or dates
// with time. MaxVersion is the greatest there is.
const (
	MostJump   int64 = 100_000_000_000_000
	MaxVersion int64 = 1<<53 - 1
)

// TooFar reports whether a version is further above the newest than MostJump.
func (s State) TooFar(version int64) bool {
	return version > s.Newest && (version > MaxVersion || version-s.Newest > MostJump)
}

// Message is a desired configuration as it came.
type Message struct {
	Version, Expected int64
	Text              string
}

// Decide returns what to do with a message, and why it is not used. check returns what is
// wrong with its text; it is called only if everything else is right. Decide is pure.
func Decide(s State, m Message, check func(text string) []Problem) (Action, []Problem) {
	if m.Version <= s.Newest {
		return Nothing, nil
	}
	if s.TooFar(m.Version) {
		return Decline, []Problem{{Path: "version", Message: fmt.Sprintf("version %d is too far ahead: the newest is %d, and the next one is at most %d above it", m.Version, s.Newest, MostJump)}}
	}
	if s.Probation != nil {
		return Wait, nil
	}
	if now := s.Version(); m.Expected != now {
		what := fmt.Sprintf("version %d", now)
		if now == 0 {
			what = "version 0, the terminal's own file"
		}
		return Decline, []Problem{{Path: "expected", Message: fmt.Sprintf("version %d is expected to be in force, but it is %s", m.Expected, what)}}
	}
	if problems := check(m.Text); len(problems) > 0 {
		return Refuse, problems
	}
	return Try, nil
}
