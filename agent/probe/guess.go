package probe

import (
	"time"

	"yuanlu/agent/ingest"
)

// Guess finds out which wire fits bytes that are already there, at the setting at which
// they came. It implements ingest.Guesser: for a worker that does not understand its link.
// It is used by one goroutine.
type Guess struct {
	l   *listener
	fit ingest.Fit
}

// NewGuess returns a guess that has seen nothing yet. Errors: those of the profiles that
// are built in.
func NewGuess() (*Guess, error) {
	l, err := newListener()
	if err != nil {
		return nil, err
	}
	return &Guess{l: l}, nil
}

// Take takes more bytes. The first wire that understands a message stays the answer until
// another one does.
func (g *Guess) Take(b []byte, now time.Time) {
	if wire := g.l.take(b, now); wire != "" {
		g.fit.Wire = wire
	}
}

// Fit returns what fits so far.
func (g *Guess) Fit() ingest.Fit {
	f := g.fit
	f.Sees = g.l.sees(nil)
	if f.Wire == "" && len(f.Sees) == 0 {
		f.SevenBit = g.l.sevenBits()
	}
	return f
}
