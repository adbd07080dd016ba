package codes

import "yuanlu/agent/catalogue"

func brokerCodes() []Code {
	again := catalogue.Both("none: it is sent again", "无需处理：会重发")
	return []Code{
		row("cert.expiring", warn, catalogue.Both("the certificate of this terminal ends soon", "本终端证书即将到期"), catalogue.Both("certificates are made for a time", "证书有有效期"), catalogue.Both("renew mqtt.cert_file and mqtt.key_file", "更新 mqtt.cert_file 和 mqtt.key_file")),
		row("command.abandoned", warn, catalogue.Both("a command does not end with the connection", "命令未随连接结束"), catalogue.Both("it waits for a disk or port", "等待磁盘或端口"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("command.answer_lost", warnOrFault, catalogue.Both("the answer to a command was not published", "命令应答未发出"), catalogue.Both("the connection ended, or the answer was too long", "连接断开，或应答过长"), catalogue.Both("send the same command again: it gets the first answer", "重发同一命令：将得到首次应答")),
		row("command.begin", info, catalogue.Both("a command of the back office begins", "开始执行后台命令"), catalogue.Both("dn/cmd", "dn/cmd"), usual()),
		row("command.end", info, catalogue.Both("a command of the back office has ended", "后台命令执行完毕"), catalogue.Both("dn/cmd", "dn/cmd"), usual()),
		row("command.memory_lost", warn, catalogue.Both("the list of commands that were taken is incomplete", "已执行命令的清单不完整"), catalogue.Both("the store was away", "数据库不可用"), catalogue.Both("do not send old commands again", "不要重发旧命令")),
		row("command.unfit", fault, catalogue.Both("an answer does not fit its schema", "应答不符合模式"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
		row("delivery.acknowledged", info, catalogue.Both("the back office acknowledges again", "后台恢复确认"), catalogue.Both("its consumer is back", "消费程序已恢复"), usual()),
		row("delivery.host_back", info, catalogue.Both("the back office is online; cases that waited go", "后台上线；等待的案件开始发送"), catalogue.Both("its presence", "后台在线状态"), usual()),
		row("delivery.unacknowledged", warn, catalogue.Both("a case was sent several times and is not acknowledged", "案件多次发送仍未确认"), catalogue.Both("no consumer runs, or it may not write dn/ack", "没有消费程序，或其无权写 dn/ack"), catalogue.Both("check the back office and the broker's access list", "检查后台和服务器的访问控制列表")),
		row("dn.refused", warn, catalogue.Both("a message of the back office was refused", "后台报文被拒绝"), catalogue.Both("unsigned, too late, retained, or not as its schema wants it", "未签名、过期、被保留，或不符合模式"), catalogue.Both("the line names which; mend the sender", "日志行给出原因；修正发送方")),
		row("duplicate_client_id", warn, catalogue.Both("the broker ends good connections of this terminal again and again", "服务器反复断开本终端的正常连接"), catalogue.Both("another client uses the same id", "另一客户端使用相同标识"), catalogue.Both("give each terminal its own terminal.id", "为每台终端设置各自的 terminal.id")),
		row("event.lost", warn, catalogue.Both("an event for the back office was not queued", "事件未能排队"), catalogue.Both("the store is away, or the outbox is full", "数据库不可用或队列已满"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("mqtt.close", debug, catalogue.Both("closing a connection gave an error", "关闭连接时出错"), catalogue.Both("it was gone already", "连接已断开"), usual()),
		row("mqtt.connected", info, catalogue.Both("connected to the broker", "已连接服务器"), catalogue.Both("the broker is reachable", "服务器可达"), usual()),
		row("mqtt.exact_refused", info, catalogue.Both("the broker refuses one exact topic; the wildcard serves", "服务器拒绝单个主题；通配订阅可用"), catalogue.Both("its access list", "访问控制列表"), usual()),
		row("mqtt.lost", warn, catalogue.Both("the connection to the broker has ended", "与服务器的连接断开"), catalogue.Both("network, or the broker was restarted", "网络问题或服务器重启"), catalogue.Both("none: it connects again", "无需处理：会自动重连")),
		row("mqtt.offline_unsaid", warn, catalogue.Both("the terminal stopped and could not publish that", "终端停止时未能发布离线状态"), catalogue.Both("the broker was away; its will is published", "服务器不可达；遗嘱消息将代为发布"), usual()),
		row("mqtt.subscribed_late", info, catalogue.Both("the broker grants what it had refused", "服务器现已允许先前拒绝的订阅"), catalogue.Both("its access list was changed, or its cluster is whole again", "访问控制列表已更改，或集群已恢复"), usual()),
		row("mqtt.subscription_refused", warn, catalogue.Both("the broker refuses what comes down", "服务器拒绝订阅"), catalogue.Both("its access list", "访问控制列表"), catalogue.Both("allow {root}/v1/{terminal}/dn/# for reading", "允许读取 {root}/v1/{terminal}/dn/#")),
		row("mqtt.summary_unreadable", info, catalogue.Both("the retained summary of this terminal is not readable", "本终端的保留摘要不可读"), catalogue.Both("the access list, or another version", "访问控制列表，或版本不同"), usual()),
		row("mqtt.unreachable", warn, catalogue.Both("the broker cannot be connected to", "无法连接服务器"), catalogue.Both("network, name, port or certificate", "网络、主机名、端口或证书"), catalogue.Both("yuanlu doctor --echo", "yuanlu doctor --echo")),
		row("outbox.ack_lost", warn, catalogue.Both("an acknowledgement was not stored", "确认未能保存"), catalogue.Both("the store is away", "数据库不可用"), again),
		row("outbox.available", info, catalogue.Both("the outbox can be read again", "队列恢复可读"), catalogue.Both("the store is back", "数据库已恢复"), usual()),
		row("outbox.nack_lost", warn, catalogue.Both("a refusal was not stored", "拒收未能保存"), catalogue.Both("the store is away", "数据库不可用"), again),
		row("outbox.nacked", warn, catalogue.Both("the back office refused an event; it is put aside", "后台拒收事件；已隔离"), catalogue.Both("it could not read or store it", "后台无法解析或保存"), catalogue.Both("yuanlu outbox list, then yuanlu outbox requeue ENTRY", "yuanlu outbox list，然后 yuanlu outbox requeue 条目")),
		row("outbox.quarantined", fault, catalogue.Both("an event that cannot be sent was put aside", "无法发送的事件已隔离"), catalogue.Both("too long, or not as its schema wants it", "过长或不符合模式"), ours()),
		row("outbox.rollback_waits", info, catalogue.Both("a sign that the store was put back is looked at later", "存储回退迹象稍后处理"), catalogue.Both("the store is away", "数据库不可用"), usual()),
		row("outbox.sent_unsaved", warn, catalogue.Both("that events were sent was not stored", "发送状态未能保存"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("none: they are sent twice, with the same id", "无需处理：会以相同标识重发")),
		row("outbox.unavailable", warn, catalogue.Both("the outbox cannot be read", "队列不可读"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("report.unfit", fault, catalogue.Both("a message does not fit its schema and is not published", "报文不符合模式，未发布"), catalogue.Both("a defect of this program", "程序缺陷"), ours()),
	}
}
