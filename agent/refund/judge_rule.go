package refund

// Rule is one line of verdicts.md § 5: it looks at the facts of one refund and returns
// whether it speaks: whether there is a finding. Rules are values without state, safe for concurrent use. They live in
// agent/refund/rules, one file each.
type Rule interface {
	// Info describes the rule. It is the same at every call.
	Info() RuleInfo
	// Check looks at a refund or void that was judged: usable, not cancelled.
	Check(c *Case) Result
}

// RuleInfo describes a rule for people and for the version of the rule set.
type RuleInfo struct {
	Code     string   // of its finding, one of the Code constants
	Numbers  []string // RC-101 …; more than one if the number shows the strength
	Version  int      // raised when the rule's answer may change for the same facts
	Severity []Severity
	Inputs   string // what it reads
	// CannotTell is when the rule has no answer, "" if it always has one.
	CannotTell string
	Templates  []Text // with {placeholders}, the same in both languages
}

// RuleResult is what a rule answers.
type RuleResult uint8

const (
	NoHit RuleResult = iota
	Hit
	CannotTell
)

// String returns the name used in RuleRun.
func (r RuleResult) String() string {
	switch r {
	case Hit:
		return "hit"
	case CannotTell:
		return "cannot_tell"
	}
	return "no_hit"
}

// Result is a rule's answer about one refund. The zero value: it does not speak.
type Result struct {
	Result   RuleResult
	Why      string   // for CannotTell: the reason, in lower case
	Number   string   // for Hit: the number it speaks under, "" for data_error
	Severity Severity // for Hit
	Text     Text     // for Hit
	// Change is what would change the answer, zero if nothing is known.
	Change Text
}

// Speak is the Result of a rule that hits.
func Speak(number string, s Severity, text Text) Result {
	return Result{Result: Hit, Number: number, Severity: s, Text: text}
}

// Silent is the Result of a rule that has no answer, and why.
func Silent(why string) Result { return Result{Result: CannotTell, Why: why} }

// Unless adds what would change the answer.
func (r Result) Unless(t Text) Result {
	r.Change = t
	return r
}

// ruleSet names a set of rules: codes, versions and texts.
func ruleSet(rules []Rule) string {
	var b []byte
	for _, r := range rules {
		i := r.Info()
		b = append(b, i.Code...)
		b = append(b, byte('0'+i.Version%10), '\n')
		for _, t := range i.Templates {
			b = append(b, t.EN...)
			b = append(b, t.ZH...)
		}
	}
	return shortDigest(b)
}
