package refund

import (
	"fmt"
	"strconv"
)

var (
	verdictMembers  = []string{"type", "seq", "rev", "kind", "recipient", "reason", "evidence", "decision", "cancelled", "original", "findings"}
	foundMembers    = []string{"seq", "found_by"}
	findingMembers  = []string{"code", "rule", "severity", "text"}
	textMembers     = []string{"en", "zh"}
	explainMembers  = []string{"rule_set", "settings", "results", "why", "changes"}
	resultCharacter = []byte{NoHit: '-', Hit: 'h', CannotTell: '?'}
)

// DecodeVerdict reads what Verdict.AppendJSON wrote. The error is of class
// ErrStored; it names the member and the byte, never a value. The result does not
// refer to b.
func DecodeVerdict(b []byte) (Verdict, error) {
	d := storedReader(b)
	v := Verdict{Type: TypeVerdict, Findings: []Finding{}}
	kind := "" // AppendJSON writes no other
	rev := int64(0)
	_, ok := d.object(verdictMembers, func(i int) bool {
		switch i {
		case 0:
			return d.text(&kind)
		case 1:
			return d.Integer(&v.Seq, false)
		case 2:
			return d.Integer(&rev, false)
		case 3:
			return d.text((*string)(&v.Kind))
		case 4:
			return d.text((*string)(&v.Recipient))
		case 5:
			return d.text(&v.Reason)
		case 6:
			return d.text((*string)(&v.Evidence))
		case 7:
			return d.text((*string)(&v.Decision))
		case 8:
			return d.Bool(&v.Cancelled)
		case 9:
			return d.foundOriginal(&v.Original)
		}
		return d.List(func(int) bool {
			v.Findings = append(v.Findings, Finding{})
			return d.finding(&v.Findings[len(v.Findings)-1])
		})
	})
	v.Rev = int(rev)
	if ok && d.end() {
		return v, nil
	}
	return Verdict{}, d.stored()
}

// stored is the reader's error about something that the store holds.
func (d *reader) stored() error {
	e := d.Err()
	return fmt.Errorf("%w: byte %d, member %q: got %s, want %s", ErrStored, e.Offset, e.Path, e.Got, e.Want)
}

func (d *reader) foundOriginal(to **Found) bool {
	if d.Peek('n') {
		return d.Skip()
	}
	f := new(Found)
	*to = f
	_, ok := d.object(foundMembers, func(i int) bool {
		if i == 0 {
			return d.Integer(&f.Seq, false)
		}
		return d.text(&f.FoundBy)
	})
	return ok
}

func (d *reader) finding(f *Finding) bool {
	_, ok := d.object(findingMembers, func(i int) bool {
		switch i {
		case 0:
			return d.text(&f.Code)
		case 1:
			return d.text(&f.Rule)
		case 2:
			at := d.Pos()
			name := ""
			if !d.text(&name) {
				return false
			}
			s, err := ParseSeverity(name)
			if f.Severity = s; err != nil && name != "" {
				return d.Fail(at, "another word", "a severity")
			}
			return true
		}
		_, ok := d.object(textMembers, func(i int) bool {
			if i == 0 {
				return d.text(&f.Text.EN)
			}
			return d.text(&f.Text.ZH)
		})
		return ok
	})
	return ok
}

// EncodeExplain appends the store's form of x, JSON without the names of the rules,
// which are the same for every verdict of one rule set:
//
//	{"rule_set":"…","settings":"…","results":"--h?…","why":["…"],"changes":["…","…"]}
//
// results has one character per rule: - no_hit, h hit, ? cannot_tell; why one text
// for each that has no answer; changes English and Chinese in turn.
func EncodeExplain(dst []byte, x *Explain) []byte {
	at := len(dst)
	dst = append(dst, '{')
	dst = appendText(dst, `,"rule_set":`, x.RuleSet)
	dst = appendText(dst, `,"settings":`, x.Settings)
	if len(x.Rules) > 0 {
		dst = append(dst, `,"results":"`...)
		for i := range x.Rules {
			dst = append(dst, resultCharacter[resultNamed(x.Rules[i].Result)])
		}
		dst = append(dst, '"')
	}
	n := 0
	for i := range x.Rules {
		if resultNamed(x.Rules[i].Result) != CannotTell {
			continue
		}
		if n++; n == 1 {
			dst = append(dst, `,"why":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, x.Rules[i].Why)
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	for i, t := range x.WouldChange {
		if i == 0 {
			dst = append(dst, `,"changes":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(append(appendString(dst, t.EN), ','), t.ZH)
	}
	if len(x.WouldChange) > 0 {
		dst = append(dst, ']')
	}
	return closeObject(dst, at)
}

func resultNamed(name string) RuleResult {
	for r := NoHit; r <= CannotTell; r++ {
		if r.String() == name {
			return r
		}
	}
	return NoHit
}

// DecodeExplain reads what EncodeExplain wrote. names returns the names of the rules
// of a rule set, in their order, as in RuleRun.Rule; a rule it does not name is
// called by its place. Errors as for DecodeVerdict.
func DecodeExplain(b []byte, names func(ruleSet string) ([]string, error)) (Explain, error) {
	d := storedReader(b)
	x := Explain{Rules: []RuleRun{}, WouldChange: []Text{}}
	var results string
	var why, change []string
	_, ok := d.object(explainMembers, func(i int) bool {
		switch i {
		case 0:
			return d.text(&x.RuleSet)
		case 1:
			return d.text(&x.Settings)
		case 2:
			return d.text(&results)
		case 3:
			return d.texts(&why)
		}
		return d.texts(&change)
	})
	if !ok || !d.end() {
		return Explain{}, d.stored()
	}
	for i := 0; i+1 < len(change); i += 2 {
		x.WouldChange = append(x.WouldChange, Text{EN: change[i], ZH: change[i+1]})
	}
	if results == "" {
		return x, nil
	}
	known, err := names(x.RuleSet)
	if err != nil {
		return Explain{}, err
	}
	x.Rules = make([]RuleRun, 0, len(results))
	for i := range len(results) {
		run := RuleRun{Rule: "rule " + strconv.Itoa(i+1), Result: NoHit.String()}
		if i < len(known) {
			run.Rule = known[i]
		}
		switch results[i] {
		case resultCharacter[Hit]:
			run.Result = Hit.String()
		case resultCharacter[CannotTell]:
			run.Result = CannotTell.String()
			if len(why) > 0 {
				run.Why, why = why[0], why[1:]
			}
		}
		x.Rules = append(x.Rules, run)
	}
	return x, nil
}
