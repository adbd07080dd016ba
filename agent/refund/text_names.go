package refund

import "strings"

// ChannelText names a channel.
func ChannelText(c Channel) Text {
	switch c {
	case ChannelCard:
		return Text{"bank card", "银行卡"}
	case ChannelWeChat:
		return Text{"WeChat Pay", "微信支付"}
	case ChannelAlipay:
		return Text{"Alipay", "支付宝"}
	case ChannelUnionPayQR:
		return Text{"UnionPay QR", "银联二维码"}
	case ChannelJD:
		return Text{"JD Pay", "京东支付"}
	case ChannelECNY:
		return Text{"e-CNY", "数字人民币"}
	case ChannelCash:
		return Text{"cash", "现金"}
	}
	return Text{"an unknown channel", "未知渠道"}
}

// OutcomeText names an outcome as the state of a sale or refund.
func OutcomeText(o Outcome) Text {
	switch o {
	case Approved:
		return Text{"approved", "成功"}
	case Declined:
		return Text{"declined", "被拒绝"}
	case Unknown:
		return Text{"without an answer", "无应答"}
	case Pending:
		return Text{"still in progress", "处理中"}
	case Closed:
		return Text{"closed", "已关闭"}
	case Abnormal:
		return Text{"abnormal", "异常"}
	}
	return Text{string(o), string(o)}
}

// RouteText names where the channel sent the money.
func RouteText(r Route) Text {
	switch r {
	case RouteBalance:
		return Text{"the payer's own balance", "付款人零钱"}
	case RouteOtherBalance:
		return Text{"another user's balance", "其他用户零钱"}
	case RouteOtherBankcard:
		return Text{"another bank card", "其他银行卡"}
	case RouteOriginal:
		return Text{"the original account", "原支付账户"}
	}
	return Text{"an unnamed account", "未注明的账户"}
}

// ReasonText returns why a recipient could not be checked, as part of a sentence.
func ReasonText(reason string) Text {
	switch reason {
	case ReasonToken:
		return Text{"a device card number and another number may be one account", "设备卡号与另一号码可能是同一账户"}
	case ReasonMask:
		return Text{"too few digits are visible on both sides", "双方可见的位数太少"}
	case ReasonNamespace:
		return Text{"the identifiers are of different kinds or applications", "双方标识的类型或应用不同"}
	case ReasonRecipientMissing:
		return Text{"the refund does not say who gets the money", "退款记录未注明收款方"}
	case ReasonPayerMissing:
		return Text{"the sale does not say who paid", "原交易未注明付款方"}
	case ReasonCash:
		return Text{"cash has no name on it", "现金无法识别收款人"}
	case ReasonOriginalUnusable:
		return Text{"the record of the sale holds impossible values", "原交易记录的数据无效"}
	case ReasonOtherTerminal:
		return Text{"the journal does not cover the terminal of the sale", "日志不包含原交易的终端"}
	case ReasonHistoryGap:
		return Text{"the sale may be older than the journal", "原交易可能早于日志的开始日期"}
	}
	return Text{"no sale to compare with is known", "没有可比对的原交易"}
}

// KindText names what is judged.
func KindText(k Kind) Text {
	switch k {
	case KindVoid:
		return Text{"void", "撤销"}
	case KindCompletionVoid:
		return Text{"void of a completion", "预授权完成撤销"}
	}
	return Text{"refund", "退款"}
}

// cancelledChange returns what would make a cancelled case count again.
func cancelledChange(c *Case) Text {
	if c.Refund.UndoneBy != 0 {
		return Text{
			"If what undid this record were itself undone, the money would have moved and everything would be checked.",
			"若冲正或撤销本身被撤销，则资金已动，将重新检查全部内容。",
		}
	}
	return Text{
		"If the outcome were approved, unknown or pending, everything would be checked.",
		"若结果为成功、未知或处理中，将检查全部内容。",
	}
}

// FlawText returns what is impossible about a record, for people. The flaw itself is
// the English.
func FlawText(flaw string) Text {
	zh := "卡号无效"
	switch {
	case flaw == FlawNoAmount:
		zh = "未注明金额"
	case strings.HasPrefix(flaw, "amount"):
		zh = "金额无效"
	case strings.HasPrefix(flaw, "payer_amount"):
		zh = "付款人金额无效"
	case strings.HasPrefix(flaw, "currency"):
		zh = "币种无效"
	case strings.HasPrefix(flaw, "at "):
		zh = "时间无效"
	}
	return Text{flaw, zh}
}
