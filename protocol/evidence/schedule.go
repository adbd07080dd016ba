package evidence

import "time"

// When checkpoints are made (evidence.md § 2).
const (
	urgentWait = time.Second
	restWait   = 10 * time.Second
	anyWait    = 10 * time.Minute
)

// Schedule decides when a log's next checkpoint is due. Its zero value is that of a log without
// leaves. Times come from the caller. It is not safe for concurrent use.
type Schedule struct {
	last, urgent, any time.Time // zero: none
}

// Leaf notes a durable leaf of a type.
func (s *Schedule) Leaf(kind string, at time.Time) {
	switch kind {
	case LeafCase, LeafHold:
		if s.urgent.IsZero() {
			s.urgent = at
		}
	case LeafAnchor: // the answer to a checkpoint asks for none
		return
	}
	if s.any.IsZero() {
		s.any = at
	}
}

// Made notes that a checkpoint over all leaves so far was made.
func (s *Schedule) Made(at time.Time) { *s = Schedule{last: at} }

// Due returns by when the next checkpoint is made; false if none is.
func (s *Schedule) Due() (time.Time, bool) {
	if s.any.IsZero() {
		return time.Time{}, false
	}
	due := s.any.Add(anyWait)
	if urgent := s.urgent.Add(urgentWait); !s.urgent.IsZero() && urgent.Before(due) {
		due = urgent
	}
	if rest := s.last.Add(restWait); !s.last.IsZero() && due.Before(rest) {
		due = rest
	}
	return due, true
}

// Answered is what a co-signed note means to the terminal whose log it is of.
type Answered int

// The three cases of evidence.md § 2, The terminal.
const (
	Ignored      Answered = iota // another log's, or not signed as it must be
	Base                         // it is the base of the next checkpoint
	Contradicted                 // the store was put back, or the key was copied
)

// CheckAnswer judges a note on dn/cosign by the log that the terminal has: its key, its
// size, its roots. cosigner nil: any co-signer is taken. rootAt is asked for sizes from 1
// to size alone. It returns the size of the note too; an error is rootAt's.
func CheckAnswer(text string, own Key, cosigner *Key, size int64, rootAt func(size int64) (Hash, error)) (Answered, int64, error) {
	n, err := ParseNote(text)
	if err != nil || n.Origin != own.Name || len(n.Lines) != 2 || n.SignedBy(own) != nil {
		return Ignored, 0, nil
	}
	if cosigner != nil {
		if _, err := n.CosignedBy(*cosigner); err != nil {
			return Ignored, 0, nil
		}
	}
	if n.Size > size {
		return Contradicted, n.Size, nil
	}
	root, err := rootAt(n.Size)
	if err != nil {
		return Ignored, n.Size, err
	}
	if root != n.Root {
		return Contradicted, n.Size, nil
	}
	return Base, n.Size, nil
}
