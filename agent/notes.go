package agent

import (
	"strconv"
	"sync"
	"time"

	"yuanlu/protocol/evidence"
)

// noteEvery is how often at most the evidence log notes that the clock was set, and that a link lost bytes; what
// happens meanwhile is summed (evidence.md § 1, note).
const noteEvery = 10 * time.Minute

// note is a note of the evidence log: what, and a JSON object of what follows it.
type note struct {
	what    string
	members []byte
}

// sums collects what the evidence log notes only now and then. It is safe for concurrent use.
type sums struct {
	mu       sync.Mutex // guards the rest
	from, to time.Time  // of the clock that was set; zero: it was not, since it was noted
	clockAt  time.Time  // when that was noted, by a clock that is never set
	lost     map[string]*lostBytes
}

// lostBytes is what one link has lost.
type lostBytes struct {
	seen uint64 // all of this process, when it was looked last
	new  uint64 // of these not noted
	at   time.Time
}

// clock notes that the clock was set.
func (s *sums) clock(from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from.IsZero() {
		s.from = from
	}
	s.to = to
}

// link notes how many bytes of a link belonged to no good frame, in all since its worker began.
func (s *sums) link(name string, bytes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = map[string]*lostBytes{}
	}
	l := s.lost[name]
	if l == nil {
		l = &lostBytes{}
		s.lost[name] = l
	}
	if bytes >= l.seen { // else another worker of this link began
		l.new += bytes - l.seen
	}
	l.seen = bytes
}

// due returns what may be noted at a moment, which has its monotonic reading. keep tells whether it was stored: what was
// not is returned again.
func (s *sums) due(now time.Time, keep func(note) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ripe := func(at time.Time) bool { return at.IsZero() || now.Sub(at) >= noteEvery }
	if !s.from.IsZero() && ripe(s.clockAt) {
		b := evidence.AppendString([]byte(`{"from":`), stampOf(s.from))
		if keep(note{"clock", append(evidence.AppendString(append(b, `,"to":`...), stampOf(s.to)), '}')}) {
			s.from, s.to, s.clockAt = time.Time{}, time.Time{}, now
		}
	}
	for name, l := range s.lost {
		if l.new == 0 || !ripe(l.at) {
			continue
		}
		b := evidence.AppendString([]byte(`{"link":`), name)
		if keep(note{"lost", append(strconv.AppendUint(append(b, `,"bytes":`...), l.new, 10), '}')}) {
			l.new, l.at = 0, now
		}
	}
}

func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
