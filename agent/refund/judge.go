package refund

import (
	"fmt"
	"maps"
	"slices"
)

// Judge decides about records, one after the other, over a History. It keeps no
// state of its own and is safe for concurrent use.
type Judge struct {
	settings Settings
	rules    []Rule
	codes    []string // of rules, in their order
	names    []string // for RuleRun: "RC-301 over_refund"
	digest   string
	ruleSet  string
}

// NewJudge makes a judge that asks the rules given, normally rules.All(), in their
// order. Settings are copied.
func NewJudge(s Settings, rules []Rule) *Judge {
	j := &Judge{settings: Settings{Windows: maps.Clone(s.Windows)}, rules: slices.Clone(rules), ruleSet: ruleSet(rules)}
	j.digest = j.settings.digest()
	for _, r := range rules {
		info := r.Info()
		name := info.Code
		if len(info.Numbers) > 0 {
			name = info.Numbers[0] + " " + name
		}
		j.codes, j.names = append(j.codes, info.Code), append(j.names, name)
	}
	return j
}

// Digest names the judge's settings; equal settings have equal digests.
func (j *Judge) Digest() string { return j.digest }

// RuleSet names the rules and their versions.
func (j *Judge) RuleSet() string { return j.ruleSet }

// Apply decides what the sealed record r, the seq-th of the journal, does: whether
// it is another sighting of a known event, and which verdicts it makes or changes.
// seq is greater than that of every event in h. It reads h and changes nothing;
// the only errors are those of h.
//
// If the sale may still arrive (lines 1 and 3 to 7 of "No hit", verdicts.md § 2) and no
// verdict about the refund was released before, the verdict is to be stored and not
// published: Unreleased is set and Rev is 0. Release publishes it.
func (j *Judge) Apply(h History, seq int64, r Record) (Changes, error) {
	w, err := j.begin(h, seq)
	if err != nil {
		return Changes{}, err
	}
	if err := w.take(r); err != nil {
		return Changes{}, fmt.Errorf("judging record %d: %w", seq, err)
	}
	return w.out, nil
}

// Release returns the unreleased verdict about the refund with this seq as released: its
// grace has passed. No such verdict: no changes.
func (j *Judge) Release(h History, seq int64) (Changes, error) {
	out := Changes{Seq: seq}
	stored, ok, err := h.Verdict(seq)
	if err != nil {
		return Changes{}, fmt.Errorf("releasing verdict %d: %w", seq, err)
	}
	if ok && stored.Unreleased {
		stored.Unreleased, stored.Verdict.Rev = false, 1
		out.Verdicts = []Judged{stored}
	}
	return out, nil
}

// work is one Apply.
type work struct {
	*view
	j          *Judge
	seq        int64
	bounds     Bounds
	known      Bounds // as the store has them
	relatedTo  map[int64]*related
	before     map[int64]*Event // what the store has of the events changed here; nil: new
	toJudge    queue
	opensBatch bool           // the new event is the first of its batch
	passed     map[int64]bool // refunds and voids that count for nothing here (guard.md § 2)
	out        Changes
}

func (j *Judge) begin(h History, seq int64) (*work, error) {
	b, err := h.Bounds()
	if err != nil {
		return nil, fmt.Errorf("judging record %d: %w", seq, err)
	}
	return &work{
		view: newView(h), j: j, seq: seq, bounds: b, known: b,
		before: map[int64]*Event{}, out: Changes{Seq: seq},
	}, nil
}
