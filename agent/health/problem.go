package health

import (
	"slices"
	"sync"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
)

// Levels of a problem, the least first. The worst one is the verdict of a Snapshot,
// which is OK while there is none above Note.
const (
	OK       = "ok"
	Note     = "note"     // worth knowing, nothing is amiss yet
	Degraded = "degraded" // part of the work is not done
	Failing  = "failing"  // the agent cannot do what it is for
)

// Problem is one thing that is wrong: a stable code, what it means and what to do.
type Problem struct {
	Code   string      `json:"code"` // "store_unavailable", "link_absent", …
	Level  string      `json:"level"`
	About  string      `json:"about,omitempty"` // the link, the file
	Since  time.Time   `json:"since"`
	Text   config.Text `json:"text"`
	Remedy config.Text `json:"remedy"`
}

// both is a sentence in both languages.
func both(en, zh string) config.Text { return catalogue.Both(en, zh) }

// textf formats a sentence in both languages, as catalogue.Textf.
func textf(en, zh string, args ...any) config.Text { return catalogue.Textf(en, zh, args...) }

// same is a text that is no language, or one whose Chinese the catalogue has.
func same(text string) config.Text { return catalogue.Translated(text) }

// problems gathers problems.
type problems []Problem

// add adds a problem; the pointer is good until the next one.
func (p *problems) add(level, code, about string, text, remedy config.Text) *Problem {
	*p = append(*p, Problem{Code: code, Level: level, About: about, Text: text, Remedy: remedy})
	return &(*p)[len(*p)-1]
}

// Problems returns what is wrong at the moment of a snapshot, the worst first, by what it
// shows and the configuration in force. Since is zero where the snapshot does not show
// since when (see Onsets).
func Problems(s *Snapshot, c *config.Config) []Problem {
	var all problems
	for _, find := range []func(*problems, *Snapshot, *config.Config){
		storeProblems, diskProblems, linkProblems, guardProblems, brokerProblems, backofficeProblems, certificateProblems, clockProblems, metricsProblems, aheadProblems,
	} {
		find(&all, s, c)
	}
	rank := func(p Problem) int { return slices.Index([]string{Failing, Degraded, Note}, p.Level) }
	slices.SortStableFunc(all, func(a, b Problem) int { return rank(a) - rank(b) })
	return all
}

// Verdict returns OK, Degraded or Failing for problems as Problems sorts them.
func Verdict(all []Problem) string {
	if len(all) == 0 || all[0].Level == Note {
		return OK
	}
	return all[0].Level
}

// Onsets remembers since when each problem is there. The zero value is ready; it is safe
// for concurrent use.
type Onsets struct {
	mu    sync.Mutex
	since map[string]time.Time // by code and what it is about
}

// Date fills in Since of every problem that has none, and forgets the problems that are
// gone.
func (o *Onsets) Date(now time.Time, all []Problem) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := map[string]time.Time{}
	for i := range all {
		p := &all[i]
		key := p.Code + "\x00" + p.About
		since, known := o.since[key]
		switch {
		case !p.Since.IsZero(): // the snapshot shows it better than looking now and then
			if known {
				next[key] = since
			}
			continue
		case !known:
			since = now
		}
		next[key], p.Since = since, since
	}
	o.since = next
}
