package guard

import (
	"errors"
	"maps"
	"sync"

	"yuanlu/agent/ask"
)

// Tally counts what asks were answered and what was refused since the start, wherever it came
// from: a firmware, a till, a person at the terminal, the back office. It is safe for
// concurrent use; the zero Tally is empty.
type Tally struct {
	mu      sync.Mutex // guards both
	answers map[string]uint64
	refused map[string]uint64
}

// Answered counts an answer by its action, one that was not checked as ask.ReasonUnchecked.
func (t *Tally) Answered(a *ask.Answer) {
	if a.Unchecked() {
		t.Unchecked()
		return
	}
	t.add(&t.answers, string(a.Action))
}

// Unchecked counts an ask that was not judged.
func (t *Tally) Unchecked() { t.add(&t.answers, ask.ReasonUnchecked) }

// Refused counts a refusal by its code.
func (t *Tally) Refused(code string) { t.add(&t.refused, code) }

// refusal counts err if it is a *Refusal.
func (t *Tally) refusal(err error) {
	var no *Refusal
	if errors.As(err, &no) {
		t.Refused(no.Code)
	}
}

func (t *Tally) add(to *map[string]uint64, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *to == nil {
		*to = map[string]uint64{}
	}
	(*to)[what]++
}

// Counts returns how many answers there were by action, and refusals by code.
func (t *Tally) Counts() (answers, refused map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.answers), maps.Clone(t.refused)
}
