package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"yuanlu/protocol/printable"
)

// State is everything that is known about configurations from afar. The zero State
// is that of a terminal that never got one. Its methods do not change it.
type State struct {
	Newest     int64      `json:"newest"`            // greatest version decided on; only a greater one acts
	Base       string     `json:"base,omitempty"`    // SHA-256 of the terminal's own file that Good and Probation stand on
	Good       *Version   `json:"good,omitempty"`    // in force, or returned to; nil: the terminal's own file
	Probation  *Probation `json:"trial,omitempty"`   // in force until it is confirmed or returned from
	Refused    *Refusal   `json:"refused,omitempty"` // the newest version, if it was refused, or a greater one that was declined
	Unreported []Event    `json:"untold,omitempty"`  // events that are not queued for the back office yet, oldest first
}

// Version is one configuration from afar.
type Version struct {
	Number int64     `json:"number"` // from 1
	Text   string    `json:"text"`   // TOML
	Came   time.Time `json:"came"`   // by the terminal's clock; for people only
}

// Probation is a version that has yet to reach the broker.
type Probation struct {
	Version
	Within time.Duration `json:"within_ns"` // running time it has in all
	Left   time.Duration `json:"left_ns"`   // of that, not charged yet
}

// Refusal is a version that is not used.
type Refusal struct {
	Number   int64     `json:"number"`
	Sum      string    `json:"sum,omitempty"`      // SHA-256 of its text, hex; "": of an earlier program
	Returned bool      `json:"returned,omitempty"` // it was tried, and the one before returned
	Problems []Problem `json:"problems"`           // at least one
}

// Problem is one thing that is wrong with a configuration, and its place in it; Line
// and Col count from 1, 0 where the whole is meant.
type Problem struct {
	Path    string `json:"path"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
}

// Event is something for the back office: config.reverted, config.local or config.state_lost.
type Event struct {
	Name    string `json:"name"`
	Version int64  `json:"version"` // what it is about
	To      int64  `json:"to"`      // the version in force since; 0: the terminal's own file
	Why     string `json:"why"`
}

// mostUnreported bounds State.Unreported, mostProblems and longestMessage a Refusal: it must
// fit into one message.
const (
	mostUnreported = 8
	mostProblems   = 20
	longestMessage = 400
)

// Version is the number of the version in force, 0 for the terminal's own file.
func (s State) Version() int64 {
	if v := s.InForce(); v != nil {
		return v.Number
	}
	return 0
}

// InForce is the version in force, nil for the terminal's own file.
func (s State) InForce() *Version {
	if s.Probation != nil {
		return &s.Probation.Version
	}
	return s.Good
}

// Tried is s with a version on probation, that stands on the terminal's own file with
// this sum.
func (s State) Tried(v Version, within time.Duration, base string) State {
	s.Newest, s.Base, s.Refused = v.Number, base, nil
	s.Probation = &Probation{Version: v, Within: within, Left: within}
	return s
}

// Refuse is s with a version refused.
func (s State) Refuse(m Message, problems []Problem) State {
	s.Newest = max(s.Newest, m.Version)
	s.Refused = &Refusal{Number: m.Version, Sum: sumOf(m.Text), Problems: bounded(problems)}
	return s
}

// Met reports whether a message that does nothing is one that was met before: what is in
// force or was refused is retained at the broker and comes again at each connection.
// Another text under the same number is not.
func (s State) Met(m Message) bool {
	if in := s.InForce(); in != nil && in.Number == m.Version {
		return in.Text == m.Text
	}
	r := s.Refused
	return r != nil && r.Number == m.Version && (r.Sum == "" || r.Sum == sumOf(m.Text))
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Declined is s after a version was answered that may come again and act then.
func (s State) Declined(number int64, problems []Problem) State {
	s.Refused = &Refusal{Number: number, Problems: bounded(problems)}
	return s
}

// Answered reports whether this is the newest answer.
func (s State) Answered(number int64, problems []Problem) bool {
	return s.Refused != nil && s.Refused.Number == number && slices.Equal(s.Refused.Problems, bounded(problems))
}

// Answer is the refusal that up/config has to publish, nil: none.
func (s State) Answer() *Refusal {
	if s.Refused == nil || s.Refused.Number < s.Newest {
		return nil
	}
	return s.Refused
}

// Confirmed is s after the terminal can be reached with the version on probation.
func (s State) Confirmed() State {
	if s.Probation != nil {
		v := s.Probation.Version
		s.Good, s.Probation = &v, nil
	}
	return s
}

// Charged is s after up to step of the probation's time was taken, and how much that was;
// 0: nothing is left, or nothing is on probation.
func (s State) Charged(step time.Duration) (State, time.Duration) {
	if s.Probation == nil {
		return s, 0
	}
	t := *s.Probation
	step = max(min(step, t.Left), 0)
	t.Left -= step
	s.Probation = &t
	return s, step
}

// Returned is s after the version on probation has failed: the one before is in force.
func (s State) Returned(why string) State {
	if s.Probation == nil {
		return s
	}
	number, sum := s.Probation.Number, sumOf(s.Probation.Text)
	s.Probation = nil
	s.Refused = &Refusal{Number: number, Sum: sum, Returned: true, Problems: bounded([]Problem{{Message: "returned: " + why}})}
	return s.withEvent(Event{"config.reverted", number, s.Version(), printable.Clip(why, longestMessage)})
}

// FileChanged is s on a terminal whose own file has this sum: if that is not the file
// that s stands on, the file is in force.
func (s State) FileChanged(sum string) State {
	if s.InForce() == nil || s.Base == sum {
		return s
	}
	return s.Reverted("the terminal's own file was changed by hand")
}

// Reverted is s with the terminal's own file in force.
func (s State) Reverted(why string) State {
	v := s.InForce()
	if v == nil {
		return s
	}
	number := v.Number
	s.Good, s.Probation = nil, nil
	return s.withEvent(Event{"config.local", number, 0, printable.Clip(why, longestMessage)})
}

// Recounted is s after the technician has asked that numbers begin again: where they have
// run beyond MostJump the next version may be any up to it. Up to there it changes nothing,
// so that a version that the technician has turned away stays away although it is retained
// and comes again.
func (s State) Recounted() State {
	if s.Probation == nil && s.Good == nil && s.Newest > MostJump {
		s.Newest, s.Refused = 0, nil
	}
	return s
}

// Reported is s with nothing left to report.
func (s State) Reported() State {
	s.Unreported = nil
	return s
}

func (s State) withEvent(e Event) State {
	all := append(slices.Clone(s.Unreported), e)
	s.Unreported = all[max(0, len(all)-mostUnreported):]
	return s
}

func bounded(all []Problem) []Problem {
	all = slices.Clone(all[:min(len(all), mostProblems)])
	for i := range all {
		all[i].Path, all[i].Message = printable.Clip(all[i].Path, longestMessage), printable.Clip(all[i].Message, longestMessage)
	}
	return all
}
