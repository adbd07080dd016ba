package rules

import "yuanlu/agent/refund"

// voidAnomaly is RC-205 for voids: a void takes back the whole sale, in its batch.
type voidAnomaly struct{}

var anomalyTexts = []refund.Text{
	{EN: "Void {refund_no} is of {amt}, but sale {orig_no} was of {orig_amt}: a void takes back the whole sale.",
		ZH: "撤销 {refund_no} 金额为 {amt}，而原交易 {orig_no} 为 {orig_amt}：撤销必须全额。"},
	{EN: "Void {refund_no} ({amt}) is in batch {batch}, but sale {orig_no} is in batch {orig_batch}: a void is made in the batch of its sale.",
		ZH: "撤销 {refund_no}（{amt}）在批次 {batch}，而原交易 {orig_no} 在批次 {orig_batch}：撤销须在同一批次。"},
}

func (voidAnomaly) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeVoidAnomaly, Numbers: []string{"RC-205"}, Version: 2,
		Severity:   severities(refund.Medium),
		Inputs:     "amounts and batches of original and void",
		CannotTell: "there is no original",
		Templates:  anomalyTexts,
	}
}

func (voidAnomaly) Check(c *refund.Case) refund.Result {
	if c.IsRefund() {
		return refund.Result{}
	}
	if c.Original == nil {
		return refund.Silent(noSale)
	}
	own, orig := c.Refund.Record.Batch, c.Original.Record.Batch
	values := c.Standard(refund.Put("orig_amt", refund.AmountText(c.Money.Amount, c.Currency())),
		refund.Put("batch", own), refund.Put("orig_batch", orig))
	amount, batch := c.WrongVoid()
	switch {
	case amount:
		return refund.Speak("RC-205", refund.Medium, refund.Fill(anomalyTexts[0], values...))
	case batch:
		return refund.Speak("RC-205", refund.Medium, refund.Fill(anomalyTexts[1], values...))
	}
	return refund.Result{}
}
