package pins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Source of these: guard.md § 3.
const (
	mostWrong  = 5
	within     = 15 * time.Minute
	firstLock  = 15 * time.Minute
	longer     = 4
	longest    = 24 * time.Hour
	forgetting = 24 * time.Hour // without a wrong PIN
)

// guessFile holds what is counted, as JSON: {"s-1":{"wrong":[0],"lock":0,"left":0}}.
const guessFile = "pins.wrong"

// guesses is what is counted of one id. Times are of the running process.
type guesses struct {
	Wrong []time.Duration // since the last lock; before the first one, of the last 15 minutes
	Lock  time.Duration   // how long the last one was; 0: none yet
	Until time.Duration   // when it ends; 0: there is none
	Last  time.Duration   // wrong PIN
}

// locked reports whether no PIN may be compared.
func (g *guesses) locked(now time.Duration) bool { return now < g.Until }

// forgotten reports whether nothing of it counts any more.
func (g *guesses) forgotten(now time.Duration) bool {
	return !g.locked(now) && (len(g.Wrong) == 0 && g.Lock == 0 || now-g.Last >= forgetting)
}

// wrong counts one more and returns for how long the id is locked by it, 0: not.
func (g *guesses) wrong(now time.Duration) time.Duration {
	if g.forgotten(now) {
		*g = guesses{}
	}
	recent := slices.Clone(g.Wrong)
	if g.Lock == 0 {
		recent = slices.DeleteFunc(recent, func(at time.Duration) bool { return now-at >= within })
	}
	g.Wrong, g.Last = append(recent, now), now
	if len(g.Wrong) < mostWrong {
		return 0
	}
	g.Lock = min(longest, max(firstLock, longer*g.Lock))
	g.Wrong, g.Until = nil, now+g.Lock
	return g.Lock
}

// restart makes all that was stored count from now: how long the machine was off is not
// known, so a lock lasts its whole time again.
func (g *guesses) restart(now time.Duration) {
	if g.Until > 0 {
		g.Until = now + g.Lock
	}
	for i := range g.Wrong {
		g.Wrong[i] = now
	}
	g.Last = now
}

// stored is the form of guesses in the file. How long ago things were is not in it: the
// next process could not use it.
type stored struct {
	Wrong  int   `json:"wrong"`
	LockS  int64 `json:"lock_s"`
	Locked bool  `json:"locked"`
}

func saveGuesses(path string, all map[string]*guesses, now time.Duration) error {
	out := map[string]stored{}
	for id, g := range all {
		out[id] = stored{Wrong: len(g.Wrong), LockS: int64(g.Lock / time.Second), Locked: g.locked(now)}
	}
	data, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return replace(path, append(data, '\n'))
}

func loadGuesses(path string) (map[string]*guesses, error) {
	data, err := readFile(path)
	if err != nil || data == nil {
		return map[string]*guesses{}, err
	}
	var in map[string]stored
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("%w: the count of wrong PINs is damaged: %w", ErrFile, err)
	}
	all := map[string]*guesses{}
	for id, s := range in {
		if s.Wrong < 0 || s.Wrong >= mostWrong || s.LockS < 0 || s.LockS > int64(longest/time.Second) {
			return nil, fmt.Errorf("%w: the count of wrong PINs is damaged", ErrFile)
		}
		g := &guesses{Wrong: make([]time.Duration, s.Wrong), Lock: time.Duration(s.LockS) * time.Second}
		if s.Locked {
			g.Until = 1 // restart sets it
		}
		all[id] = g
	}
	return all, nil
}
