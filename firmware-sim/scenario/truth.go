package scenario

import (
	"slices"
	"strings"

	"yuanlu/firmware-sim/judge"
)

// Facts are what really happened in a refund or void, as only the firmware knows it.
type Facts struct {
	Payer, Recipient string // accounts, "anna/card"
	Moved            bool   // money really moved, or may have
	Invented         bool   // the named sale never was
	OtherWay         bool   // it goes back by another channel than it came
	Bypassed         bool   // it was held and made without a release; the answer had arrived
}

// Label sets facts against the verdict that the contract demands. A refund is wrong if the money went to an account
// that did not pay, or by another way, or was not owed, and the contract names that very fault; right if nothing is
// wrong and no case is opened; everything else cannot be decided from what the wire shows.
func Label(f Facts, v *judge.Verdict) *Truth {
	codes := v.Codes()
	t := &Truth{Case: v.Case(), Recipient: v.Recipient, Reason: v.Reason, Evidence: v.Evidence, Decision: v.Decision,
		FoundBy: v.FoundBy, Codes: codes}
	if f.Bypassed && f.Moved { // guard.md § 3: a critical finding beside what the verdict says
		t.Case, t.Decision, t.Codes = true, "alarm", append([]string{"hold_bypassed"}, codes...)
	}
	found := func(any ...string) bool {
		return slices.ContainsFunc(any, func(c string) bool { return slices.Contains(codes, c) })
	}
	// Too much is only a guess where it is no alarm: verdicts.md § 3.
	owed := v.Case() && (found("original_not_refundable", "out_of_window", "void_anomaly", "currency_mismatch", "other_merchant") ||
		v.Decision == "alarm" && found("over_refund", "duplicate_refund"))
	strayed := found("recipient_mismatch", "payer_not_repaid", "channel_changed", "reissue_wrong_again")
	other := f.Moved && f.Payer != f.Recipient && !f.Invented
	why := func(label string, parts ...string) *Truth {
		t.Label, t.Why = label, strings.Join(parts, " ")
		return t
	}
	switch {
	case !f.Moved:
		return why(Right, "no money moved")
	case f.Invented && found("no_original"):
		return why(Wrong, "money for a sale that never was")
	case f.Invented:
		return why(CannotTell, "the sale never was, but may be older than the journal")
	case other && strayed:
		return why(Wrong, "paid by", f.Payer, "but returned to", f.Recipient)
	case f.OtherWay && strayed:
		return why(Wrong, "paid by", f.Payer, "but returned by another way")
	case owed && v.Recipient != "unverifiable" && !found("original_ambiguous") && !onlySuspended(t):
		return why(Wrong, "not owed:", strings.Join(codes, ", "))
	case other:
		return why(CannotTell, "paid by", f.Payer, "and returned to", f.Recipient+", which the wire does not show")
	case v.Case():
		return why(CannotTell, "returned to the payer, which the wire does not show:", strings.Join(codes, ", "))
	}
	return why(Right, "returned to the payer")
}

// onlySuspended reports whether the only thing against the money is that the original's own outcome is not known.
func onlySuspended(t *Truth) bool {
	return t.Decision == "review" && slices.Contains(t.Codes, "original_not_refundable") &&
		!slices.Contains(t.Codes, "out_of_window") && !slices.Contains(t.Codes, "void_anomaly")
}
