package rules

import "yuanlu/agent/refund"

// payerNotRepaid is RC-107: the channel could not reach the payer and gave the
// money to the merchant.
type payerNotRepaid struct{}

var notRepaidTexts = []refund.Text{
	{EN: "Refund {refund_no} of {amt} went to the merchant's own account ({recipient}); the payer {payer} of sale {orig_no} has not been repaid.",
		ZH: "退款 {refund_no}（{amt}）退到了商户自己的账户（{recipient}），原交易 {orig_no} 的付款人 {payer} 尚未收到退款。"},
	{EN: "Refund {refund_no} of {amt} went to the merchant's own account ({recipient}); no payer has been repaid.",
		ZH: "退款 {refund_no}（{amt}）退到了商户自己的账户（{recipient}），没有付款人收到退款。"},
}

func (payerNotRepaid) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodePayerNotRepaid, Numbers: []string{"RC-107"}, Version: 1,
		Severity:  severities(refund.High),
		Inputs:    "the recipient's scheme and text",
		Templates: notRepaidTexts,
	}
}

func (payerNotRepaid) Check(c *refund.Case) refund.Result {
	if c.Basis != refund.BasisMerchantAccount {
		return refund.Result{}
	}
	text := notRepaidTexts[0]
	if c.Original == nil {
		text = notRepaidTexts[1]
	}
	return refund.Speak("RC-107", refund.High, refund.Fill(text, c.Standard()...)).Unless(refund.Text{
		EN: "If the channel delivered the money to the payer after all and said so, the recipient would be checked again.",
		ZH: "若渠道之后将款项退给付款人并有记录，将重新检查收款方。",
	})
}
