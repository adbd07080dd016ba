package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"yuanlu/firmware-sim/scenario"
)

// ErrJournal is the class of errors of a journal that is not this terminal's.
var ErrJournal = errors.New("journal")

// Journal is the firmware's own memory of what it did: a file of JSON Lines, one entry a line, written before the
// entry is sent on the line. It survives a power cut (and kill -9); a last line cut short is dropped on opening.
// Besides entries it holds, for the smart terminal, lines {"confirmed":SEQ}.
type Journal struct {
	f         *os.File
	had       []scenario.Entry
	confirmed map[int64]bool
}

type confirmation struct {
	Confirmed int64 `json:"confirmed"`
}

// OpenJournal opens or makes a journal.
func OpenJournal(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJournal, err)
	}
	j := &Journal{f: f, confirmed: map[int64]bool{}}
	if err := j.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrJournal, path, err)
	}
	return j, nil
}

func (j *Journal) load() error {
	data, err := io.ReadAll(j.f)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if err := j.f.Truncate(int64(whole)); err != nil {
		return err
	}
	if _, err := j.f.Seek(int64(whole), io.SeekStart); err != nil {
		return err
	}
	if j.had, err = scenario.ReadEntries(bytes.NewReader(data[:whole])); err != nil {
		return err
	}
	for line := range bytes.Lines(data[:whole]) {
		var c confirmation
		if json.Unmarshal(line, &c) == nil && c.Confirmed > 0 {
			j.confirmed[c.Confirmed] = true
		}
	}
	return nil
}

// Had returns the entries that stood in the journal when it was opened.
func (j *Journal) Had() []scenario.Entry { return j.had }

// Add writes an entry.
func (j *Journal) Add(e *scenario.Entry) error { return scenario.WriteEntry(j.f, e) }

// Confirm notes that the agent confirmed the entry.
func (j *Journal) Confirm(seq int64) error {
	j.confirmed[seq] = true
	_, err := fmt.Fprintf(j.f, "{\"confirmed\":%d}\n", seq)
	return err
}

// Confirmed reports whether the agent confirmed the entry.
func (j *Journal) Confirmed(seq int64) bool { return j.confirmed[seq] }

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }

// Source is where a terminal's next entries come from: a script, or its seeded customers.
type Source struct {
	t      *Terminal
	script []scenario.Step
	crowd  bool
	line   int

	between, came int // seeded customers between the steps of a script
}

// Customers lets seeded customers come, without end.
func Customers(t *Terminal) *Source { return &Source{t: t, crowd: true} }

// Script plays the steps in their order and ends.
func Script(t *Terminal, steps []scenario.Step) *Source { return &Source{t: t, script: steps} }

// Next returns the next entries; none and io.EOF at the end of a script.
func (s *Source) Next() ([]scenario.Entry, error) {
	if s.crowd && len(s.script) == 0 {
		return s.t.Next()
	}
	if s.between > 0 && len(s.t.queue) > 0 {
		return s.t.Next() // a customer who has begun is served to the end
	}
	if s.came < s.between && s.line < len(s.script) && s.script[s.line].Do != "wait" {
		s.came++
		return s.t.Next()
	}
	s.came = 0
	for s.line < len(s.script) {
		step := s.script[s.line]
		s.line++
		out, err := s.t.Do(step)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", s.line, err)
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, io.EOF
}

// Resume brings the terminal to where the journal ends by playing its source again, and proves that the journal is
// this source's: same seed, same options.
func (s *Source) Resume(had []scenario.Entry) error {
	if g := s.t.guard; g != nil {
		for i := range had {
			if had[i].Guard != nil {
				g.recorded = append(g.recorded, had[i].Guard)
			}
		}
	}
	for i := 0; i < len(had); {
		out, err := s.Next()
		if err != nil {
			return fmt.Errorf("%w: entry %d: %w", ErrJournal, i+1, err)
		}
		for k := range out {
			if printedAgain(&out[k]) {
				continue
			}
			a, err := json.Marshal(out[k].Record)
			if err != nil {
				return err
			}
			b, err := json.Marshal(had[i].Record)
			if err != nil {
				return err
			}
			if !bytes.Equal(a, b) {
				return fmt.Errorf("%w: entry %d is not what this seed and these options give", ErrJournal, i+1)
			}
			i++
		}
	}
	return nil
}
