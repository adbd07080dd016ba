package refund

import "fmt"

// Recipient is the fact about who gets the money, compared with who paid.
type Recipient string

const (
	Same         Recipient = "same"
	Equivalent   Recipient = "equivalent" // another number of the same account
	Different    Recipient = "different"
	Doubtful     Recipient = "doubtful"
	Unverifiable Recipient = "unverifiable"
	NoRecipient  Recipient = "none" // nothing to compare
)

// Match reports whether the money goes to who paid.
func (r Recipient) Match() bool { return r == Same || r == Equivalent }

// Evidence is how much a comparison proves. Empty where the contract names none.
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

// Reasons of a verdict: why the recipient is unverifiable or none. A comparison
// returns ReasonToken, ReasonMask or ReasonNamespace.
const (
	ReasonCancelled        = "cancelled"
	ReasonDataError        = "data_error"
	ReasonNoReference      = "no_reference"
	ReasonOriginalUnusable = "original_unusable"
	ReasonAmbiguous        = "ambiguous"
	ReasonOtherTerminal    = "other_terminal"
	ReasonHistoryGap       = "history_gap"
	ReasonNoOriginal       = "no_original"
	ReasonCash             = "cash"
	ReasonRecipientMissing = "recipient_missing"
	ReasonPayerMissing     = "payer_missing"
)

// Codes of findings (verdicts.md § 5).
const (
	CodeRecipientMismatch     = "recipient_mismatch"
	CodePayerNotRepaid        = "payer_not_repaid"
	CodeChannelChanged        = "channel_changed"
	CodePlatformRerouted      = "platform_rerouted"
	CodeRecipientSuspect      = "recipient_suspect"
	CodeRecipientWeakMatch    = "recipient_weak_match"
	CodeRecipientUnverifiable = "recipient_unverifiable"
	CodeNoOriginal            = "no_original"
	CodeOriginalAmbiguous     = "original_ambiguous"
	CodeOriginalNotRefundable = "original_not_refundable"
	CodeOverRefund            = "over_refund"
	CodeDuplicateRefund       = "duplicate_refund"
	CodeDataError             = "data_error"
	CodeCurrencyMismatch      = "currency_mismatch"
	CodeOtherMerchant         = "other_merchant"
	CodeOutOfWindow           = "out_of_window"
	CodeUnreferencedRefund    = "unreferenced_refund"
	CodeKeyedRefund           = "keyed_refund"
	CodeOutcomeUnknown        = "outcome_unknown"
	CodeRefundFailed          = "refund_failed"
	CodeVoidAnomaly           = "void_anomaly"
	CodeLossOpen              = "loss_open"
	CodeReissueWrongAgain     = "reissue_wrong_again"
	CodeReissueObserved       = "reissue_observed"
	CodeClockSuspect          = "clock_suspect"
	CodeCaptureGap            = "capture_gap" // of Integrity
)

// Codes of the guard's findings (guard.md § 2). The last two stand in verdicts, the others
// only in answers.
const (
	CodeAlreadyMade       = "already_made"
	CodeBeingMade         = "being_made"
	CodePresentedMismatch = "presented_mismatch"
	CodePresentedMatch    = "presented_match"
	CodeHoldBypassed      = "hold_bypassed"
	CodeNotAsAsked        = "not_as_asked"
)

// Names of the keys that find an original (verdicts.md § 2).
const (
	FoundByChannelTxn = "channel_txn"
	FoundByOrderNo    = "order_no"
	FoundByRRN        = "rrn"
	FoundByStan       = "stan"
	FoundByParty      = "party"
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

// String returns the contract's name of s, "" for the zero value.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Low:
		return "low"
	case Medium:
		return "medium"
	case High:
		return "high"
	case Critical:
		return "critical"
	}
	return ""
}

// ParseSeverity is the inverse of String. Errors wrap ErrInput.
func ParseSeverity(name string) (Severity, error) {
	for s := Info; s <= Critical; s++ {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("severity: got %.20q, want critical, high, medium, low or info: %w", name, ErrInput)
}

// MarshalText returns the name, so that JSON holds it as a string.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name. Errors wrap ErrInput.
func (s *Severity) UnmarshalText(b []byte) error {
	v, err := ParseSeverity(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// Verdict is what is decided about one refund, void or completion_void
// (verdicts.md). Its JSON members and their order are the contract's.
type Verdict struct {
	Type      string    `json:"type"` // TypeVerdict
	Seq       int64     `json:"seq"`
	Rev       int       `json:"rev"`
	Kind      Kind      `json:"kind"`
	Recipient Recipient `json:"recipient"`
	Reason    string    `json:"reason"`
	Evidence  Evidence  `json:"evidence"`
	Decision  Decision  `json:"decision"`
	Cancelled bool      `json:"cancelled"`
	Original  *Found    `json:"original"` // nil: null
	Findings  []Finding `json:"findings"` // by severity, then code; each code once
}

// Values of the member type of the two kinds of lines that `check` prints.
const (
	TypeVerdict   = "verdict"
	TypeIntegrity = "integrity"
)

// Found names the original and the key that found it.
type Found struct {
	Seq     int64  `json:"seq"`
	FoundBy string `json:"found_by"`
}

// Finding is one rule that speaks.
type Finding struct {
	Code     string   `json:"code"`
	Rule     string   `json:"rule"` // "RC-101"; "" for data_error, which has no number
	Severity Severity `json:"severity"`
	Text     Text     `json:"text"`
}

// Text is a sentence in both languages, made from the compared values, with
// identifiers masked.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// Integrity is the line that a settlement causes when the journal does not add up (verdicts.md § 6).
type Integrity struct {
	Type     string `json:"type"` // TypeIntegrity
	Seq      int64  `json:"seq"`
	Code     string `json:"code"` // CodeCaptureGap
	Rule     string `json:"rule"` // "RC-601"
	Expected Totals `json:"expected"`
	Observed Totals `json:"observed"`
}

// Has reports whether a finding of this code is among the verdict's.
func (v *Verdict) Has(code string) bool {
	for i := range v.Findings {
		if v.Findings[i].Code == code {
			return true
		}
	}
	return false
}

// Worst returns the highest severity of the findings, 0 if there are none.
func (v *Verdict) Worst() Severity {
	if len(v.Findings) == 0 {
		return 0
	}
	return v.Findings[0].Severity
}

// SameAs reports whether both are equal in everything but Rev.
func (v *Verdict) SameAs(w *Verdict) bool {
	if v.Seq != w.Seq || v.Kind != w.Kind || v.Recipient != w.Recipient || v.Reason != w.Reason ||
		v.Evidence != w.Evidence || v.Decision != w.Decision || v.Cancelled != w.Cancelled ||
		len(v.Findings) != len(w.Findings) || (v.Original == nil) != (w.Original == nil) {
		return false
	}
	if v.Original != nil && *v.Original != *w.Original {
		return false
	}
	for i := range v.Findings {
		if v.Findings[i] != w.Findings[i] {
			return false
		}
	}
	return true
}

// Candidate is a sale that may be meant by a refund that names none, or another one than
// the customer's (guard.md § 2).
type Candidate struct {
	Seq       int64   `json:"seq"`
	At        string  `json:"at"`
	Amount    int64   `json:"amount"`    // as adjusted, minor units
	Remaining *int64  `json:"remaining"` // nil: null, as Answer's
	Channel   Channel `json:"channel"`
	OrderNo   string  `json:"order_no"`
	RRN       string  `json:"rrn"`
}
