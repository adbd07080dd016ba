package codes

import "yuanlu/agent/catalogue"

func linkCodes() []Code {
	return []Code{
		row("ask.unchecked", warn, catalogue.Both("a refund was asked about and not checked in time", "退款询问未及时检查"),
			catalogue.Both("the store is slow or away", "数据库缓慢或不可用"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("capture.description", warn, catalogue.Both("the description of a capture was not written", "抓包说明未写入"),
			catalogue.Both("the disk is full", "磁盘已满"), catalogue.Both("make room, capture again", "清理空间后重新抓包")),
		row("capture.ended", info, catalogue.Both("a capture has ended", "抓包结束"), catalogue.Both("its size or time, or a command", "达到大小、时长或收到命令"), usual()),
		row("capture.started", info, catalogue.Both("a capture begins", "抓包开始"), catalogue.Both("a command", "收到命令"), usual()),
		row("capture.stuck", fault, catalogue.Both("a capture does not end", "抓包无法结束"), catalogue.Both("the disk does not answer", "磁盘无响应"), catalogue.Both("dmesg", "查看 dmesg")),
		row("frame.bad", warn, catalogue.Both("bytes came that are no good frame", "收到无法组成完整帧的数据"),
			catalogue.Both("noise, another speed, parity or wire", "干扰，或速率、校验位、协议不符"), catalogue.Both("yuanlu links probe PORT", "yuanlu links probe 端口")),
		row("integrity.capture_gap", warn, catalogue.Both("numbers of the terminal's records are missing", "终端记录号不连续"),
			catalogue.Both("records were lost on the way, or made while nothing listened", "记录在途中丢失，或产生时无人接收"), catalogue.Both("print the open batch again at the terminal", "在终端上重打未结批次")),
		row("link.absent", warn, catalogue.Both("the port of a link is not there", "链路端口不存在"), catalogue.Both("the cable is out, the terminal is off, or the name is wrong", "线缆未插、终端未开机或名称错误"), catalogue.Both("yuanlu links list", "yuanlu links list")),
		row("link.denied", warn, catalogue.Both("the port of a link may not be opened", "链路端口无法打开"), catalogue.Both("another process holds it, or rights are missing", "被占用或权限不足"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("link.flowing", warn, catalogue.Both("a link that stood still is read again", "链路恢复读取"), catalogue.Both("records can be stored again", "记录恢复可保存"), catalogue.Both("compare the open batch of the terminal with yuanlu status", "将终端未结批次与 yuanlu status 核对")),
		row("link.stalled", fault, catalogue.Both("a link is not read: too much waits for the store", "链路暂停读取：等待保存的内容过多"), catalogue.Both("the store is slow, full or away", "数据库缓慢、已满或不可用"), catalogue.Both("yuanlu doctor; it goes on by itself", "yuanlu doctor；会自动恢复")),
		row("link.lost", warn, catalogue.Both("an open port is gone", "已打开的端口丢失"), catalogue.Both("unplugged, switched off, or an error of the driver", "被拔出、断电或驱动错误"), catalogue.Both("plug it in again; it is opened by itself", "重新插入；会自动打开")),
		row("link.fits", warn, catalogue.Both("another wire or speed than the configured one fits what a link brings", "链路数据符合另一种协议或波特率"), catalogue.Both("the wrong wire or speed is configured", "配置的协议或波特率错误"), catalogue.Both("yuanlu setup --link NAME=PORT,WIRE with the wire that the line names", "yuanlu setup --link 名称=端口,协议（协议见该行）")),
		row("link.tuning", info, catalogue.Both("a line is listened to at other speeds and parities", "以其他波特率和校验位监听线路"), catalogue.Both("nothing that came was understood, and the driver counts framing or parity errors", "收到的内容均无法解析，且驱动统计到帧或校验错误"), catalogue.Both("link.fits names what fits", "link.fits 给出相符的设置")),
		row("link.guess", fault, catalogue.Both("what a link brings cannot be tried against other wires", "无法用其他协议尝试链路数据"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
		row("link.verdict", debugToFault, catalogue.Both("what can be seen of a link has changed: no port, held, silent, no frame, refused, noisy, good", "链路状态变化：无端口、被占用、无数据、无完整帧、被拒绝、干扰、正常"), catalogue.Both("the line names the verdict and the one before", "行中给出当前与此前状态"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("link.online", info, catalogue.Both("the port of a link is open", "链路端口已打开"), catalogue.Both("it was found", "已找到端口"), usual()),
		row("link.reopen_asked", info, catalogue.Both("a port is closed and opened again", "端口重新打开"), catalogue.Both("a command", "收到命令"), usual()),
		row("link.unusable", fault, catalogue.Both("a link cannot be served by this program", "本程序无法使用该链路"), catalogue.Both("it is USB, and this build has no USB", "链路为 USB，而本版本不含 USB 支持"), catalogue.Both("install the package yuanlu in place of yuanlu-static", "改装软件包 yuanlu（替换 yuanlu-static）")),
		row("link.write", warn, catalogue.Both("an answer to the firmware was not written", "向固件的应答未写出"), catalogue.Both("the port is going away", "端口正在断开"), catalogue.Both("none where it comes with link.lost", "若伴随 link.lost 则无需处理")),
		row("message.ignored", debugWarn, catalogue.Both("a message, or a part of it, is not used", "报文或其部分未使用"), catalogue.Both("it is no transaction, or its profile leaves it out", "不是交易，或差异文件将其略过"), usual()),
		row("message.refused", warn, catalogue.Both("a frame was good, its message was not", "帧完整但报文无法解析"), catalogue.Both("the wire or its profile does not fit the acquirer", "协议或差异文件与收单机构不符"), catalogue.Both("yuanlu capture start LINK, then yuanlu replay --explain", "先 yuanlu capture start 链路，再 yuanlu replay --explain")),
		row("record.stored", info, catalogue.Both("a record came; shown by tail alone, and in no log", "收到一条记录；仅 tail 显示，不写入日志"), catalogue.Both("a sale, void or refund at the terminal", "终端上的消费、撤销或退款"), usual()),
		row("record.other_merchant", warn, catalogue.Both("a record of another merchant; it is kept", "其他商户的记录；已保存"), catalogue.Both("the terminal serves several merchants, or terminal.merchant_id is wrong", "终端服务多个商户，或 terminal.merchant_id 错误"), catalogue.Both("compare terminal.merchant_id with a receipt", "与小票核对 terminal.merchant_id")),
		row("records.in_future", warn, catalogue.Both("a terminal dates its records ahead of the clock", "终端的记录时间超前于时钟"), catalogue.Both("its own clock is wrong", "终端时钟错误"), catalogue.Both("set the clock of the payment terminal", "校准支付终端的时钟")),
		row("records.in_time", info, catalogue.Both("its records are dated rightly again", "记录时间恢复正常"), catalogue.Both("its clock was set", "终端时钟已校准"), usual()),
		row("records.unstored", fault, catalogue.Both("the daemon stopped with records that it could not store", "守护进程停止时有记录未能保存"), catalogue.Both("the store was away", "数据库不可用"), catalogue.Both("print the open batch again at the terminal", "在终端上重打未结批次")),
		row("refund.judged", debug, catalogue.Both("what was decided about one refund", "单笔退款的判定"), catalogue.Both("a refund or void came", "收到退款或撤销"), usual()),
		row("case.cleared", info, catalogue.Both("a case is none any more", "案件已解除"), catalogue.Both("the sale that was missing has come", "缺失的原交易已到达"), usual()),
		row("case.followed", info, catalogue.Both("something became of a case", "案件有后续"), catalogue.Both("its refund was undone or settled, the sale was refunded again, or the payer came back", "该退款被撤销或已结算、同一交易再次退款，或付款人再次出现"), catalogue.Both("yuanlu cases show ID", "yuanlu cases show 编号")),
		row("case.opened", warn, catalogue.Both("a refund is wrong, or may be", "退款有误或存疑"), catalogue.Both("who gets the money is not who paid, or it cannot be told", "收款方与付款方不符，或无法判断"), catalogue.Both("yuanlu cases show ID", "yuanlu cases show 编号")),
		row("case.revised", warn, catalogue.Both("the verdict about a case has changed", "案件判定有变化"), catalogue.Both("another record of the same event has come", "收到同一事件的其他记录"), catalogue.Both("yuanlu cases show ID", "yuanlu cases show 编号")),
	}
}
