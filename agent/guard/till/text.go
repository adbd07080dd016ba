package till

import (
	"yuanlu/agent/ask"
	"yuanlu/agent/refund"
)

// The longest line of a text, in characters. Source: guard.md § 4.
const (
	longestEN = 60
	longestZH = 30
)

// practice marks the text of a practice answer. Source: guard.md § 7.
const (
	practiceEN = "[practice] "
	practiceZH = "【练习】"
)

// text is a short sentence for the screen of a terminal: with the mark of practice it fits
// into a line.
type text = refund.Text

// Lines is the text of an answer with the hold as it is now, nil if nothing is held: one or
// two lines, the worst finding first.
func Lines(a *ask.Answer, held *ask.Held) refund.Text {
	first, second := firstLine(a), nextLine(a, held)
	if first == (text{}) {
		first, second = second, text{}
	}
	if a.Practice {
		first = text{EN: practiceEN + first.EN, ZH: practiceZH + first.ZH}
	}
	if second != (text{}) {
		first = text{EN: first.EN + "\n" + second.EN, ZH: first.ZH + "\n" + second.ZH}
	}
	return first
}

// firstLine is what is wrong, or whom the money goes back to.
func firstLine(a *ask.Answer) text {
	switch {
	case a.Unchecked():
		return text{EN: "This refund could not be checked.", ZH: "本笔退款未能核查"}
	case len(a.Findings) > 0:
		worst := &a.Findings[0]
		if a.Action == ask.Proceed {
			return text{}
		}
		if short, ok := shorts()[worst.Code]; ok {
			return short
		}
		return text{EN: "Something is wrong with this refund.", ZH: "本笔退款有问题"}
	case a.Action != ask.Proceed:
		return text{EN: "This refund cannot be made so.", ZH: "本笔退款无法这样办理"}
	}
	return text{}
}

// nextLine is what to do.
func nextLine(a *ask.Answer, held *ask.Held) text {
	if held != nil {
		return stateLine(held.State)
	}
	switch a.Action {
	case ask.Hold: // a look: nothing is behind it
		return text{EN: "It would be held: correct it first.", ZH: "提交后将被暂停，请先更正"}
	case ask.Confirm:
		return text{EN: "Check it, then decide.", ZH: "请核对后再决定"}
	}
	switch {
	case a.Recipient == refund.Same || a.Recipient == refund.Equivalent:
		return text{EN: "It goes back to the payer.", ZH: "款项退回原付款方"}
	}
	return text{EN: "Nothing is wrong with this refund.", ZH: "本笔退款未见异常"}
}

func stateLine(s ask.State) text {
	switch s {
	case ask.Open:
		return text{EN: "On hold: correct it, or have it released.", ZH: "已暂停：请更正，或请主管放行"}
	case ask.Released:
		return text{EN: "Released: make the refund as asked.", ZH: "已放行：可按原样退款"}
	case ask.Cancelled:
		return text{EN: "Cancelled: make no refund.", ZH: "已取消：请勿退款"}
	case ask.Corrected, ask.Replaced:
		return text{EN: "Another ask stands for it: make no refund.", ZH: "已由新的核查代替：请勿退款"}
	case ask.Expired:
		return text{EN: "The hold has expired: ask again.", ZH: "暂停已过期：请重新核查"}
	case ask.Bypassed:
		return text{EN: "It was made without a release, and reported.", ZH: "未经放行已退款，并已上报"}
	}
	return text{}
}

// shorts is what each code means at the counter.
func shorts() map[string]text {
	return map[string]text{
		refund.CodeRecipientMismatch:     {EN: "The money would go to somebody else.", ZH: "收款方不是原付款方"},
		refund.CodePayerNotRepaid:        {EN: "The payer would not get his money.", ZH: "原付款方收不到退款"},
		refund.CodeChannelChanged:        {EN: "It was paid another way than it goes back.", ZH: "退款渠道与支付渠道不同"},
		refund.CodePlatformRerouted:      {EN: "The platform sends it another way.", ZH: "平台改变了退款去向"},
		refund.CodeRecipientSuspect:      {EN: "The recipient may be somebody else.", ZH: "收款方可能不是原付款方"},
		refund.CodeRecipientWeakMatch:    {EN: "The recipient fits, as far as it shows.", ZH: "收款方仅部分吻合"},
		refund.CodeRecipientUnverifiable: {EN: "The recipient cannot be compared.", ZH: "无法核对收款方"},
		refund.CodeNoOriginal:            {EN: "There is no such sale.", ZH: "找不到原交易"},
		refund.CodeOriginalAmbiguous:     {EN: "Several sales fit: name the right one.", ZH: "有多笔交易吻合，请指明原交易"},
		refund.CodeOriginalNotRefundable: {EN: "The sale cannot be refunded.", ZH: "原交易不可退款"},
		refund.CodeOverRefund:            {EN: "More than is left of the sale.", ZH: "退款超过可退金额"},
		refund.CodeDuplicateRefund:       {EN: "It seems to be refunded already.", ZH: "该笔似已退款"},
		refund.CodeDataError:             {EN: "Something stated is impossible.", ZH: "数据有误"},
		refund.CodeCurrencyMismatch:      {EN: "The sale was in another currency.", ZH: "币种与原交易不同"},
		refund.CodeOtherMerchant:         {EN: "The sale is another merchant's.", ZH: "原交易属于其他商户"},
		refund.CodeOutOfWindow:           {EN: "The sale is too old for a refund.", ZH: "已超过退款期限"},
		refund.CodeUnreferencedRefund:    {EN: "It names no sale.", ZH: "未指明原交易"},
		refund.CodeKeyedRefund:           {EN: "The card number was typed in.", ZH: "卡号为手工输入"},
		refund.CodeVoidAnomaly:           {EN: "The void does not fit its sale.", ZH: "撤销与原交易不符"},
		refund.CodeLossOpen:              {EN: "An earlier wrong refund is not settled yet.", ZH: "之前的错退尚未了结"},
		refund.CodeReissueWrongAgain:     {EN: "It would go to the wrong one again.", ZH: "再次退错对象"},
		refund.CodeReissueObserved:       {EN: "It makes good an earlier wrong refund.", ZH: "本笔用于补退"},
		refund.CodeOutcomeUnknown:        {EN: "The outcome is not known.", ZH: "结果未知"},
		refund.CodeRefundFailed:          {EN: "The channel could not deliver it.", ZH: "渠道退款失败"},
		refund.CodeClockSuspect:          {EN: "The clock of the terminal is doubtful.", ZH: "终端时钟可疑"},
		"already_made":                   {EN: "A refund of this number was made already.", ZH: "该退款单号已退过"},
		"being_made":                     {EN: "The same refund is being made right now.", ZH: "同一笔退款正在办理"},
		"presented_mismatch":             {EN: "The customer here is not the payer.", ZH: "到场顾客不是原付款方"},
		"presented_match":                {EN: "The customer here is the payer.", ZH: "到场顾客即原付款方"},
		"hold_bypassed":                  {EN: "It was made although it was held.", ZH: "暂停未放行即退款"},
		"not_as_asked":                   {EN: "It was made otherwise than asked.", ZH: "退款与核查内容不符"},
	}
}
