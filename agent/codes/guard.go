package codes

import "yuanlu/agent/catalogue"

func guardCodes() []Code {
	return []Code{
		row("ask.arrival_not_noted", warn, catalogue.Both("it was not stored that an answer about a refund has arrived", "退款询问的答复已送达，但未能记录"), catalogue.Both("the store does not work, or too many wait", "数据库不可用，或等待过多"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("ask.refused", warn, catalogue.Both("a question of the firmware about a refund was refused", "固件的退款询问被拒绝"), catalogue.Both("it is not as the wire wants it", "不符合协议"), catalogue.Both("yuanlu capture start LINK, and send the capture to the firmware's maker", "yuanlu capture start 链路，将抓包交给固件厂商")),
		row("asks.not_forgotten", warn, catalogue.Both("old questions about refunds were not removed", "未能清除过期的退款询问"), catalogue.Both("the store does not work", "数据库不可用"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("guard.answer", fault, catalogue.Both("an answer of the local API cannot be made", "本地接口无法生成应答"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
		row("guard.flood", warn, catalogue.Both("a terminal has too many held refunds; further ones expire at once", "终端被拦截的退款过多，后续的立即失效"), catalogue.Both("a program asks in a loop, or many wrong refunds are tried", "程序循环询问，或多次尝试错误退款"), catalogue.Both("look at yuanlu hold list with the cashier", "与收银员一起查看 yuanlu hold list")),
		row("guard.listening", info, catalogue.Both("the local API for questions before a refund is there", "退款前询问的本地接口已就绪"), catalogue.Both("it is configured", "已配置"), usual()),
		row("guard.locked", warn, catalogue.Both("a supervisor is locked: no PIN of his is compared for a while", "主管已锁定：暂时不再核对其 PIN"), catalogue.Both("five wrong PINs", "PIN 连续输错五次"), catalogue.Both("ask the supervisor; another one may release meanwhile", "询问该主管；期间可由其他主管放行")),
		row("guard.pins", fault, catalogue.Both("the PINs of supervisors, or the count of wrong ones, cannot be read: nobody can release here", "无法读取主管 PIN 或输错次数：无法在此放行"), catalogue.Both("keys/pins or keys/pins.wrong is damaged or not readable", "keys/pins 或 keys/pins.wrong 损坏或不可读"), catalogue.Both("yuanlu guard pin ID sets a PIN again; remove a damaged keys/pins.wrong", "用 yuanlu guard pin ID 重新设置；删除损坏的 keys/pins.wrong")),
		row("guard.refused", warn, catalogue.Both("a request of the local API was refused", "本地接口的请求被拒绝"), catalogue.Both("no token, or a wrong form", "缺少令牌或格式错误"), catalogue.Both("mend the program that asks", "修正询问的程序")),
		row("guard.stuck", warn, catalogue.Both("clients of the local API that hung were cut off to make room for others", "本地接口中停滞的连接被断开，为其他请求让位"), catalogue.Both("a program connects and sends no whole request, or does not read its answer", "有程序连接后不发送完整请求，或不读取应答"), catalogue.Both("mend the program that asks", "修正询问的程序")),
		row("guard.unavailable", fault, catalogue.Both("the local API cannot be offered", "无法提供本地接口"), catalogue.Both("its address is held, or its folder is not writable", "地址被占用或目录不可写"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("guard.unconfirmed", warn, catalogue.Both("the firmware does not confirm an order of the guard", "固件未确认防护指令"), catalogue.Both("it hangs, or does not know the order", "固件挂起或不支持该指令"), catalogue.Both("restart the payment terminal; ask its maker whether it knows the guard", "重启支付终端；向厂商确认是否支持防护")),
		row("guard.unsent", fault, catalogue.Both("an order of the guard was not sent to the firmware", "防护指令未发送给固件"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
		row("guard.wrong_pin", warn, catalogue.Both("a PIN for the release of a refund was wrong", "放行退款的 PIN 错误"), catalogue.Both("a slip, or somebody guesses", "输入错误，或有人猜测"), catalogue.Both("ask the supervisor; five wrong ones lock him for 15 minutes", "询问主管；连续五次错误将锁定 15 分钟")),
		row("hold.bypassed", fault, catalogue.Both("a refund that was held was made without a release", "被拦截的退款未经放行即被执行"), catalogue.Both("the cashier or the firmware went on", "收银员或固件自行继续"), catalogue.Both("yuanlu cases list; ask the cashier", "执行 yuanlu cases list，并询问收银员")),
		row("hold.ended", info, catalogue.Both("a held refund was released, cancelled, corrected, replaced, or its time is over", "被拦截的退款已放行、取消、更正、被替换或已失效"), catalogue.Both("a person decided, or nobody did in time", "有人作出决定，或超时无人处理"), usual()),
		row("hold.not_expired", warn, catalogue.Both("the end of a hold could not be stored", "拦截的结束未能保存"), catalogue.Both("the store does not work", "数据库不可用"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("hold.opened", info, catalogue.Both("a refund is held before it is made", "退款在执行前被拦截"), catalogue.Both("it would go wrong", "该退款有误"), catalogue.Both("correct it, or have a supervisor release it", "更正，或由主管放行")),
		row("order.dropped", warn, catalogue.Both("an order for the firmware was dropped", "给固件的指令被丢弃"), catalogue.Both("too many wait", "等待的指令过多"), catalogue.Both("restart the payment terminal", "重启支付终端")),
	}
}
