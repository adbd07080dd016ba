package refund

// Recipient is the fact about who gets the money, compared with who paid.
type Recipient string

const (
	Same         Recipient = "same"
	Equivalent   Recipient = "equivalent"
	Different    Recipient = "different"
	Doubtful     Recipient = "doubtful"
	Unverifiable Recipient = "unverifiable"
	NoRecipient  Recipient = "none"
)

// Evidence is how much a comparison proves.
type Evidence string

const (
	Strong      Evidence = "strong"
	Weak        Evidence = "weak"
	ByReference Evidence = "by_reference"
)

// Decision is what to do.
type Decision string

const (
	Alarm  Decision = "alarm"
	Review Decision = "review"
	Pass   Decision = "pass"
)

// Severity of a finding. The zero value is no severity; greater is worse.
type Severity uint8

const (
	Info Severity = iota + 1
	Low
	Medium
	High
	Critical
)

// Verdict is what is decided about one refund, void or completion_void
// (verdicts.md). Its JSON members and their order are the contract's; Explain
// is printed by `cases show` and carried by up/case only.
type Verdict struct {
	Type      string    `json:"type"` // "verdict"
	Seq       int64     `json:"seq"`
	Rev       int       `json:"rev"`
	Kind      Kind      `json:"kind"`
	Recipient Recipient `json:"recipient"`
	Reason    string    `json:"reason"`
	Evidence  Evidence  `json:"evidence"`
	Decision  Decision  `json:"decision"`
	Cancelled bool      `json:"cancelled"`
	Original  *Found    `json:"original"`
	Findings  []Finding `json:"findings"`
}

// Found names the original and the key that found it.
type Found struct {
	Seq     int64  `json:"seq"`
	FoundBy string `json:"found_by"`
}

// Finding is one rule that speaks.
type Finding struct {
	Code     string   `json:"code"`
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"` // marshals as its name
	Text     Text     `json:"text"`
}

// Text is a sentence in both languages, made from the compared values, with
// identifiers masked.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// Integrity is the line a settlement gives when the journal does not add up (§ 6).
type Integrity struct {
	Type     string `json:"type"` // "integrity"
	Seq      int64  `json:"seq"`
	Code     string `json:"code"` // "capture_gap"
	Rule     string `json:"rule"` // "RC-601"
	Expected Totals `json:"expected"`
	Observed Totals `json:"observed"`
}
