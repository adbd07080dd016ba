package codes

import "yuanlu/agent/catalogue"

func storeCodes() []Code {
	return []Code{
		row("file.in_the_way", fault, catalogue.Both("the log file or the control socket cannot be made", "无法创建日志文件或控制套接字"), catalogue.Both("something else stands in its place, or it belongs to another user", "其位置被占用，或属于其他用户"), catalogue.Both("the command in the line", "日志行中的命令")),
		row("day.failed", fault, catalogue.Both("the digest of a day could not be made", "当日交易摘要未能生成"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it is tried again", "yuanlu doctor；会自动重试")),
		row("day.queued", info, catalogue.Both("what passed on a day is on its way to the back office", "当日交易摘要待上报"), catalogue.Both("the day is over, something of it has changed, or it was asked for again", "当日已结束、内容有变化，或后台要求重发"), usual()),
		row("day.resend_asked", info, catalogue.Both("the back office wants the digests of some days made again", "后台要求重新生成若干日的交易摘要"), catalogue.Both("it lacks them", "后台缺少这些摘要"), usual()),
		row("file.open_to_others", warn, catalogue.Both("a file with a secret may be read by others", "含密钥的文件可被他人读取"), catalogue.Both("its mode", "文件权限"), catalogue.Both("chmod 600 FILE", "chmod 600 文件")),
		row("held.failed", fault, catalogue.Both("verdicts whose grace is over were not released", "等待期满的判定未能放行"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it is tried again", "yuanlu doctor；会自动重试")),
		row("log.matched", info, catalogue.Both("a person had a number compared with a record; the answer is in the evidence log", "有人将号码与记录比对；结果在证据日志中"), catalogue.Both("yuanlu evidence match", "yuanlu evidence match"), usual()),
		row("log.begun", warn, catalogue.Both("a new evidence log was begun, for the reason that is named", "已开始新的证据日志，原因见该行"), catalogue.Both("a new store, a salvage, an import, a new key, an order, or a note that contradicts the old log", "新建存储、重建、导入、新密钥、人工命令，或旧日志被推翻"), catalogue.Both("if it was contradicted: find out who put the store back or copied the key", "若为被推翻：查明何人回退了存储或复制了密钥")),
		row("log.incomplete", fault, catalogue.Both("leaves of the evidence log are gone or were changed", "证据日志的条目丢失或被改动"), catalogue.Both("somebody has changed rows of the store", "存储的行被人改动"), catalogue.Both("yuanlu evidence check; a new log was begun", "yuanlu evidence check；已开始新的日志")),
		row("log.leaf_too_long", fault, catalogue.Both("something is too long for the evidence log and is not in it", "内容过长，未写入证据日志"), catalogue.Both("a record or event of more than 64 KiB", "记录或事件超过 64 KiB"), catalogue.Both("send the support bundle", "请发送支持包")),
		row("log.checkpoint_waits", warn, catalogue.Both("a checkpoint of the evidence log could not be made", "证据日志的检查点未能生成"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it is tried again", "yuanlu doctor；会自动重试")),
		row("log.contradicted", fault, catalogue.Both("a co-signed note does not fit the evidence log; a new log with a new key was begun", "被会签的记录与证据日志不符；已用新密钥开始新的日志"), catalogue.Both("the store was put back from a copy, or the key was copied", "存储被旧副本替换，或密钥被复制"), catalogue.Both("find out who did it; look at the back office for what came after the copy", "查明何人所为；到后台查找副本之后的内容")),
		row("log.cosign_lost", warn, catalogue.Both("a co-signature could not be taken", "会签未能接收"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it comes again", "yuanlu doctor；会再次收到")),
		row("log.note_lost", warn, catalogue.Both("a start, stop or new configuration is not in the evidence log", "启动、停止或新配置未写入证据日志"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("records.redated", warn, catalogue.Both("records from before the clock was right have got their times", "时钟校准前的记录已更正时间"), catalogue.Both("the clock was set", "时钟已校准"), usual()),
		row("redate.failed", fault, catalogue.Both("times of records were not corrected", "记录时间未能更正"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it is tried again", "yuanlu doctor；会自动重试")),
		row("retention.failed", fault, catalogue.Both("old records were not deleted", "过期记录未能删除"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it is tried again", "yuanlu doctor；会自动重试")),
		row("store.back", info, catalogue.Both("the store takes records again", "数据库恢复写入"), catalogue.Both("its disk is back", "磁盘已恢复"), usual()),
		row("store.damaged", fault, catalogue.Both("a file of the store was damaged and put aside", "存储文件损坏并已隔离"), catalogue.Both("a bad disk or a power cut", "磁盘故障或断电"), catalogue.Both("dmesg; send quarantine/ to support", "查看 dmesg；将 quarantine/ 交给技术支持")),
		row("store.failed", fault, catalogue.Both("the store has failed and is being opened again", "数据库出错，正在重新打开"), catalogue.Both("an I/O error", "读写错误"), catalogue.Both("dmesg, df -h", "dmesg，df -h")),
		row("store.open_to_others", warn, catalogue.Both("a file of the store is open to others, and was not closed to them", "存储文件可被他人访问且未能收紧"), catalogue.Both("it is another owner's", "文件属主不符"), catalogue.Both("chown -R yuanlu:yuanlu and chmod -R go= on store.dir", "对 store.dir 执行 chown -R yuanlu:yuanlu 和 chmod -R go=")),
		row("store.refused", warn, catalogue.Both("records wait: the store does not take them", "记录等待中：数据库不接受"), catalogue.Both("it is away or full", "不可用或已满"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("store.reopened", warn, catalogue.Both("the store was opened again after an error", "出错后数据库已重新打开"), catalogue.Both("an I/O error before", "此前发生读写错误"), catalogue.Both("dmesg", "查看 dmesg")),
		row("store.rollback_ignored", warn, catalogue.Both("a sign that the store was put back is older than what is known", "存储回退的迹象早于已知状态，已忽略"), catalogue.Both("a late message of the broker", "服务器的迟到报文"), usual()),
		row("store.rolled_back", fault, catalogue.Both("the store was put back from an old copy; a new stream begins", "存储被旧副本替换；开始新的流"), catalogue.Both("a restored backup or image", "恢复了备份或镜像"), catalogue.Both("look at the back office for what came after the copy", "到后台查找副本之后的内容")),
		row("store.salvage", warn, catalogue.Both("a new store is built of what is readable of the old one", "正在用旧数据库的可读部分重建"), catalogue.Both("damage", "数据库损坏"), catalogue.Both("wait; store.damaged follows with what was kept", "请等待；随后 store.damaged 给出保留数量")),
		row("store.unavailable", fault, catalogue.Both("nothing can be stored", "无法保存记录"), catalogue.Both("the disk is full, read-only, gone or another owner's", "磁盘已满、只读、丢失，或属主错误"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("store.upgrade_later", warn, catalogue.Both("the store is converted later", "数据库稍后转换"), catalogue.Both("not enough room now", "当前空间不足"), catalogue.Both("make room where store.dir lies", "清理 store.dir 所在分区")),
		row("store.upgraded", info, catalogue.Both("the store was converted; an older yuanlu cannot read it", "数据库已转换；旧版 yuanlu 无法读取"), catalogue.Both("an upgrade of the program", "程序升级"), usual()),
		row("tally.failed", fault, catalogue.Both("the tallies of a day could not be made", "当日统计未能生成"), catalogue.Both("the store is away", "数据库不可用"), catalogue.Both("yuanlu doctor; it is tried again", "yuanlu doctor；会自动重试")),
		row("tally.queued", info, catalogue.Both("how many refunds each operator made on a day is on its way to the back office", "当日各操作员退款笔数统计待上报"), catalogue.Both("the day is over, or a late record has changed it", "当日已结束，或迟到记录改变了统计"), usual()),
	}
}
