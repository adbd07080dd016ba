// Package rules holds the rules of verdicts.md § 5, one file each: its
// number, what it reads, when it has no answer, its severities and its texts in both
// languages. The facts come from agent/refund, which finds the original, compares
// the parties and adds up the money; a rule only decides whether they make a finding.
//
// To add a rule: write one file with a type that implements refund.Rule, its table
// test beside it, and put it into the list of All.
package rules

import "yuanlu/agent/refund"

// All returns every rule of a verdict, in the order of verdicts.md § 5's table, and then those
// of guard.md § 2.
func All() []refund.Rule {
	return []refund.Rule{
		recipientMismatch{},
		payerNotRepaid{},
		channelChanged{},
		platformRerouted{},
		recipientSuspect{},
		recipientWeakMatch{},
		recipientUnverifiable{},
		noOriginal{},
		originalAmbiguous{},
		originalNotRefundable{},
		overRefund{},
		duplicateRefund{},
		dataError{},
		currencyMismatch{},
		otherMerchant{},
		outOfWindow{},
		unreferencedRefund{},
		keyedRefund{},
		outcomeUnknown{},
		refundFailed{},
		voidAnomaly{},
		lossOpen{},
		reissueWrongAgain{},
		reissueObserved{},
		clockSuspect{},
		holdBypassed{},
		notAsAsked{},
	}
}

// noSale is why rules that look at the original have no answer without one.
const noSale = "no original"

// severities is short for a list of them.
func severities(s ...refund.Severity) []refund.Severity { return s }
