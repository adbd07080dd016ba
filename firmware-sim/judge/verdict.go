package judge

import (
	"cmp"
	"slices"
	"strings"
)

// Severity orders findings: verdicts.md § 5.
type Severity int

// Severities, from the mildest.
const (
	Info Severity = iota + 1
	Low
	Medium
	High
	Critical
)

// String returns the severity as a verdict has it.
func (s Severity) String() string {
	if s < Info || s > Critical {
		return ""
	}
	return [...]string{Info: "info", Low: "low", Medium: "medium", High: "high", Critical: "critical"}[s]
}

// Finding is one thing that is wrong with a refund or void.
type Finding struct {
	Code     string
	Severity Severity
}

// Verdict is the verdict that the contract demands for one refund or void.
type Verdict struct {
	Seq       int // of its record in the journal, from 1
	Kind      string
	Recipient string // as in verdicts.md § 4
	Reason    string
	Evidence  string // strong, weak, by_reference or ""
	Decision  string // alarm, review, pass
	Cancelled bool
	Original  int       // seq of the original, 0: none
	FoundBy   string    // what it was found by, "": none
	Findings  []Finding // by severity, then by code
}

// Case reports whether a case is opened: a finding of medium or above.
func (v *Verdict) Case() bool { return len(v.Findings) > 0 && v.Findings[0].Severity >= Medium }

// Codes returns the codes of the findings in their order.
func (v *Verdict) Codes() []string {
	var codes []string
	for _, f := range v.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func (v *Verdict) find(code string, s Severity) {
	for i, f := range v.Findings {
		if f.Code == code {
			v.Findings[i].Severity = max(f.Severity, s)
			return
		}
	}
	v.Findings = append(v.Findings, Finding{code, s})
}

func (v *Verdict) has(code string) bool {
	return slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Code == code })
}

// seal puts the findings in order and decides.
func (v *Verdict) seal() {
	slices.SortFunc(v.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), strings.Compare(a.Code, b.Code))
	})
	v.Decision = "pass"
	if v.Case() {
		v.Decision = "review"
		if v.Findings[0].Severity >= High {
			v.Decision = "alarm"
		}
	}
}

func (v *Verdict) unverifiable(reason string) {
	v.Recipient, v.Reason, v.Evidence = "unverifiable", reason, ""
}

func (v *Verdict) equal(w *Verdict) bool {
	return v.Recipient == w.Recipient && v.Reason == w.Reason && v.Evidence == w.Evidence && v.Cancelled == w.Cancelled &&
		v.Original == w.Original && v.FoundBy == w.FoundBy && slices.Equal(v.Findings, w.Findings)
}
