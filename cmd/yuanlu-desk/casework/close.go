package casework

import "slices"

// The outcomes of a case (casework.md § 7). That of wrong is recorded as one of the four
// behind it.
const (
	outcomeWrong        = "wrong"
	outcomeLegal        = "legal"
	outcomeSameAccount  = "same_account"
	outcomeRerouted     = "rerouted_ok"
	outcomeAuthorised   = "authorised_other"
	outcomeRecordError  = "record_error"
	outcomeTest         = "test"
	outcomeInconclusive = "inconclusive"
	outcomeDuplicate    = "duplicate"

	recoveredReissued  = "recovered_reissued"
	reissuedLoss       = "reissued_loss"
	recoveredNoReissue = "recovered_no_reissue"
	lossNoReissue      = "loss_no_reissue"
)

// The classes of outcomes (casework.md § 7); none for duplicate.
const (
	classWrong        = "wrong"
	classFalse        = "false"
	classOK           = "ok"
	classInconclusive = "inconclusive"
	classNone         = ""
)

// classOf returns the class of a recorded outcome.
func classOf(outcome string) string {
	switch outcome {
	case recoveredReissued, reissuedLoss, recoveredNoReissue, lossNoReissue, outcomeLegal:
		return classWrong
	case outcomeSameAccount, outcomeRecordError:
		return classFalse
	case outcomeRerouted, outcomeAuthorised, outcomeTest:
		return classOK
	case outcomeInconclusive:
		return classInconclusive
	}
	return classNone
}

// tryClose checks the closing of a case (casework.md § 7).
func (d *Desk) tryClose(c *Case, viewer *Person, from of, o *Order) (*closed, Refusal) {
	var fits func(*contact) bool
	if o.Outcome == outcomeSameAccount || o.Outcome == outcomeRerouted {
		fits = (*contact).confirmed
	}
	if refusal := c.evidence(o.Contact, o.File, fits); refusal != "" {
		return nil, refusal
	}
	x := &closed{of: from, Outcome: o.Outcome, Into: o.Into}
	switch o.Outcome {
	case outcomeWrong:
		return x, c.closeWrong(x)
	case outcomeLegal:
		return x, c.closeLegal(x)
	case outcomeDuplicate:
		return x, d.closeDuplicate(c, viewer, o)
	case outcomeSameAccount, outcomeRerouted:
		if o.Contact == 0 && o.File == 0 {
			return x, NoEvidence
		}
	case outcomeAuthorised:
		if o.File == 0 {
			return x, NoEvidence
		}
		if c.file(o.File).Kind != "consent" {
			return x, BadFile
		}
	}
	if c.state == stateWorking && (c.money.paid > 0 || c.money.approved() != nil || c.money.receipts) {
		return x, MoneyMoved
	}
	return x, ""
}

func (c *Case) closeWrong(x *closed) Refusal {
	if c.state != stateWorking {
		return WrongState
	}
	if !c.bothDone() {
		return TrackState
	}
	paid := c.payer.state == trackSettled
	if paid && c.failures("payer") < 3 && !slices.ContainsFunc(c.contacts, func(k contact) bool { return k.reachedPayer() }) {
		return NotInformed
	}
	x.Lost = c.lostNow()
	switch {
	case paid && x.Lost == 0:
		x.Outcome = recoveredReissued
	case paid:
		x.Outcome = reissuedLoss
	case x.Lost == 0:
		x.Outcome = recoveredNoReissue
	default:
		x.Outcome = lossNoReissue
	}
	if c.payer.state == trackUnreachable {
		x.Payable = c.payableNow()
	}
	return ""
}

// payableNow is what the payer is still owed.
func (c *Case) payableNow() int64 { return max(0, c.finding.Owed-c.money.paid) }

func (c *Case) closeLegal(x *closed) Refusal {
	switch {
	case c.state != stateWorking || c.escalation == nil || !c.escalation.answered:
		return NotEscalated
	case c.money.approved() != nil:
		return TrackState
	}
	x.Lost = c.money.stake - c.money.recovered
	if c.payer.state != trackDeclined && c.payer.state != trackNotOwed {
		x.Payable = c.payableNow()
	}
	return ""
}

func (d *Desk) closeDuplicate(c *Case, viewer *Person, o *Order) Refusal {
	if c.state != stateVerifying {
		return WrongState
	}
	into := d.cases[o.Into]
	switch {
	case into == nil || !viewer.sees(into):
		return NotFound
	case into.No == c.No || !into.open():
		return BadTarget
	case c.byHand || into.byHand:
		return ""
	}
	for _, a := range c.refunds {
		for _, b := range into.refunds {
			token := a.last.Refund.Token
			if sameSale(a.original, b.original) || a.source == b.source && token != "" && token == b.last.Refund.Token &&
				a.last.Refund.MerchantID == b.last.Refund.MerchantID {
				return ""
			}
		}
	}
	return NotSame
}
