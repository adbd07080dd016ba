package desired

import "fmt"

// Action is what becomes of a desired configuration.
type Action string

// Nothing: the version is not greater than one seen. Hold: wait until the trial is
// over, then decide. Refuse: it is not used, and the version is spent. Try: it comes
// into force, on trial.
const (
	Nothing Action = "nothing"
	Hold    Action = "hold"
	Refuse  Action = "refuse"
	Try     Action = "try"
)

// Message is a desired configuration as it came.
type Message struct {
	Version, Expected int64
	Text              string
}

// Decide tells what to do with a message. check says what is wrong with its text; it
// is asked only if everything else is right. It is pure.
func Decide(s State, m Message, check func(text string) []Problem) (Action, []Problem) {
	if m.Version <= s.Newest {
		return Nothing, nil
	}
	if s.Trial != nil {
		return Hold, nil
	}
	if now := s.Version(); m.Expected != now {
		what := fmt.Sprintf("version %d", now)
		if now == 0 {
			what = "version 0, the terminal's own file"
		}
		return Refuse, []Problem{{Path: "expected", Message: fmt.Sprintf("version %d is expected to be in force, but it is %s", m.Expected, what)}}
	}
	if problems := check(m.Text); len(problems) > 0 {
		return Refuse, problems
	}
	return Try, nil
}
