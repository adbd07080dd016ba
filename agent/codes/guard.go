package codes

import "yuanlu/agent/catalogue"

func guardCodes() []Code {
	return []Code{
		row("ask.refused", warn, catalogue.Both("a question of the firmware about a refund was refused", "固件的退款询问被拒绝"), catalogue.Both("it is not as the wire wants it", "不符合协议"), catalogue.Both("yuanlu capture start LINK, and send the capture to the firmware's maker", "yuanlu capture start 链路，将抓包交给固件厂商")),
		row("guard.answer", fault, catalogue.Both("an answer of the local API cannot be made", "本地接口无法生成应答"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
		row("guard.listening", info, catalogue.Both("the local API for questions before a refund is there", "退款前询问的本地接口已就绪"), catalogue.Both("it is configured", "已配置"), usual()),
		row("guard.refused", warn, catalogue.Both("a request of the local API was refused", "本地接口的请求被拒绝"), catalogue.Both("no token, or a wrong form", "缺少令牌或格式错误"), catalogue.Both("mend the program that asks", "修正询问的程序")),
		row("guard.unavailable", fault, catalogue.Both("the local API cannot be offered", "无法提供本地接口"), catalogue.Both("its address is held, or its folder is not writable", "地址被占用或目录不可写"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("guard.unconfirmed", warn, catalogue.Both("the firmware does not confirm an order of the guard", "固件未确认防护指令"), catalogue.Both("it hangs, or does not know the order", "固件挂起或不支持该指令"), catalogue.Both("restart the payment terminal; ask its maker whether it knows the guard", "重启支付终端；向厂商确认是否支持防护")),
		row("guard.unsent", fault, catalogue.Both("an order of the guard was not sent to the firmware", "防护指令未发送给固件"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
		row("order.dropped", warn, catalogue.Both("an order for the firmware was dropped", "给固件的指令被丢弃"), catalogue.Both("too many wait", "等待的指令过多"), catalogue.Both("restart the payment terminal", "重启支付终端")),
	}
}
