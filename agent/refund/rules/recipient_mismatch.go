package rules

import (
	"strings"

	"yuanlu/agent/refund"
)

// recipientMismatch is RC-101, and RC-102 where only masked numbers were compared:
// the money goes to somebody else than who paid.
type recipientMismatch struct{}

var mismatchTexts = []refund.Text{
	{EN: "Refund {refund_no} of {amt} goes to {recipient}, but sale {orig_no} was paid by {payer}. Compared on {key_kind}; the two are different ({where}).",
		ZH: "退款 {refund_no}（{amt}）的收款方是 {recipient}，而原交易 {orig_no} 的付款方是 {payer}。按{key_kind}比对，两者不同（{where}）。"},
	{EN: "Visible digits differ: sale {orig_no} was paid with {payer}, refund {refund_no} goes to {recipient} (differs {where}).",
		ZH: "可见号码不同：原交易 {orig_no} 付款为 {payer}，退款 {refund_no} 收款为 {recipient}（{where}不同）。"},
	{EN: "Refund {refund_no} of {amt} goes to {recipient}, but sale {orig_no} was paid by {payer}, through another channel.",
		ZH: "退款 {refund_no}（{amt}）的收款方是 {recipient}，而原交易 {orig_no} 由 {payer} 通过其他渠道付款。"},
	{EN: "Refund {refund_no} of {amt} goes to {recipient}; {n} sales fit it ({candidates}) and none of them was paid by that account.",
		ZH: "退款 {refund_no}（{amt}）的收款方是 {recipient}；有 {n} 笔交易符合（{candidates}），均非该账户付款。"},
}

func (recipientMismatch) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeRecipientMismatch, Numbers: []string{"RC-101", "RC-102"}, Version: 1,
		Severity:   severities(refund.Critical, refund.High),
		Inputs:     "identifiers and PAR of payer and recipient, channels",
		CannotTell: "an identifier is missing on a side, or those there are cannot be compared",
		Templates:  mismatchTexts,
	}
}

func (recipientMismatch) Check(c *refund.Case) refund.Result {
	x := &c.Compared
	switch {
	case c.Search.Result == refund.SearchDifferentFromAll:
		return refund.Speak("RC-101", refund.Critical, refund.Fill(mismatchTexts[3], c.Standard(
			refund.PutInt("n", len(c.Search.Fit)), refund.Put("candidates", numbers(c.Search.Fit)))...))
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.Basis == refund.BasisChannelChanged && x.BothHave():
		return refund.Speak("RC-101", refund.Critical, refund.Fill(mismatchTexts[2], c.Standard()...))
	case c.Basis == refund.BasisCompared && x.Code == refund.CodeRecipientMismatch:
		number, text := "RC-101", mismatchTexts[0]
		if x.Evidence != refund.Strong {
			number, text = "RC-102", mismatchTexts[1]
		}
		res := refund.Speak(number, x.Severity, refund.Fill(text, c.Standard(
			refund.PutText("key_kind", c.KeyKindText()), refund.PutText("where", c.DifferenceText()))...))
		if x.ByPAR {
			return res
		}
		return res.Unless(refund.Text{
			EN: "If the payment account references (PAR) of both were known and equal, the recipient would be equivalent.",
			ZH: "若双方的支付账户参考号（PAR）已知且相同，则视为同一账户。",
		})
	case c.Recipient == refund.Unverifiable:
		return refund.Silent(c.Reason)
	}
	return refund.Result{}
}

// numbers lists records for people, at most five of them.
func numbers(events []*refund.Event) string {
	var names []string
	for i, e := range events {
		if i == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, e.Number())
	}
	return strings.Join(names, ", ")
}
