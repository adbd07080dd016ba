package refund

// CompletedOutcome returns the outcome of a refund that was known with the outcome
// first and is reported again with the outcome later (verdicts.md § 1.3 a). again: it
// did not happen at first, and this is a second try under the same number, an event of
// its own.
func CompletedOutcome(first, later Outcome) (completed Outcome, again bool) {
	switch {
	case noMoneyMoved(first) && !noMoneyMoved(later):
		return later, true
	case outcomeMayBecome(KindRefund, first, later):
		return later, false
	}
	return first, false
}
