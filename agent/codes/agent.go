package codes

import "yuanlu/agent/catalogue"

func agentCodes() []Code {
	return []Code{
		row("agent.ready", info, catalogue.Both("detection and store run", "检测与数据库已就绪"), catalogue.Both("the daemon was started", "守护进程启动"), usual()),
		row("agent.restart", warn, catalogue.Both("the daemon starts again", "守护进程重启"), catalogue.Both("a command of the back office", "后台命令"), usual()),
		row("agent.stopped", infoFault, catalogue.Both("the daemon has stopped; at error something did not end in time", "守护进程已停止；若为 error 则有部分未及时结束"), catalogue.Both("SIGTERM, or a change of the configuration", "SIGTERM 或配置变更"), usual()),
		row("agent.stopping", info, catalogue.Both("the daemon stops", "守护进程正在停止"), catalogue.Both("SIGTERM, or a change of the configuration", "SIGTERM 或配置变更"), usual()),
		row("clock.stepped", warn, catalogue.Both("the clock was set", "时钟被调整"), catalogue.Both("NTP, or a person", "NTP 或人工调整"), usual()),
		row("clock.synced", warn, catalogue.Both("the clock is right now", "时钟已同步"), catalogue.Both("NTP was reached", "已连上 NTP"), usual()),
		row("clock.unsynced", warn, catalogue.Both("nothing vouches for the clock", "系统时钟未同步"), catalogue.Both("no NTP server is reached", "无法访问 NTP"), catalogue.Both("timedatectl; or time.trust = \"always\"", "timedatectl；或设 time.trust = \"always\"")),
		row("config.accepted", info, catalogue.Both("a configuration of the back office is on trial", "后台配置进入试用"), catalogue.Both("dn/config", "dn/config"), usual()),
		row("config.applied", info, catalogue.Both("a configuration of the back office is in force", "后台配置已生效"), catalogue.Both("the broker was reached with it", "已用其连上服务器"), usual()),
		row("config.in_force", info, catalogue.Both("which configuration is in force", "当前生效的配置"), catalogue.Both("a start or a change", "启动或变更"), usual()),
		row("config.local", warn, catalogue.Both("the terminal's own file is in force again", "本机配置恢复生效"), catalogue.Both("yuanlu config revert, or the file was changed", "执行 yuanlu config revert 或修改了文件"), usual()),
		row("config.not_newer", debug, catalogue.Both("a configuration that is known already came again", "收到已知的配置"), catalogue.Both("it is retained", "保留报文"), usual()),
		row("config.read", info, catalogue.Both("the configuration in force can be read again", "生效配置恢复可读"), catalogue.Both("the disk is back", "磁盘已恢复"), usual()),
		row("config.rejected", fault, catalogue.Both("a configuration was refused; the one before stays", "配置被拒绝；原配置继续生效"), catalogue.Both("a mistake in it, with line and column", "配置有误，日志给出行列"), catalogue.Both("yuanlu config check", "yuanlu config check")),
		row("config.reloaded", info, catalogue.Both("the terminal's own file was read again", "已重新读取本机配置"), catalogue.Both("SIGHUP", "SIGHUP"), usual()),
		row("config.reverted", warnOrFault, catalogue.Both("a configuration on trial did not reach the broker and was undone", "试用配置未能连上服务器，已撤销"), catalogue.Both("its broker, certificate or link", "其中的服务器、证书或链路"), catalogue.Both("mend it at the back office and send it under a greater version", "在后台修正后以更大版本号下发")),
		row("config.state_lost", warn, catalogue.Both("what was known of configurations of the back office is lost", "后台配置状态丢失"), catalogue.Both("its file was damaged", "状态文件损坏"), catalogue.Both("none: the back office's retained one is taken again", "无需处理：将重新采用后台保留的配置")),
		row("config.unread", fault, catalogue.Both("the configuration in force cannot be read from the disk", "无法从磁盘读取生效配置"), catalogue.Both("the disk", "磁盘问题"), catalogue.Both("dmesg", "查看 dmesg")),
		row("config.unwritten", fault, catalogue.Both("what the back office sent cannot be kept", "无法保存后台下发的配置"), catalogue.Both("the disk is full or read-only", "磁盘已满或只读"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("control.accept", warn, catalogue.Both("a verb could not reach the daemon", "命令无法连接守护进程"), catalogue.Both("too many open files", "打开文件过多"), ours()),
		row("control.available", info, catalogue.Both("the control socket was made after all", "控制套接字已创建"), catalogue.Both("its disk can be written again", "磁盘恢复可写"), usual()),
		row("control.unavailable", fault, catalogue.Both("the control socket cannot be made", "无法创建控制套接字"), catalogue.Both("store.dir is read-only or full", "store.dir 只读或已满"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("log.dropped", warn, catalogue.Both("lines are missing in the log file", "日志文件缺行"), catalogue.Both("the disk was slow or full", "磁盘缓慢或已满"), catalogue.Both("df -h", "df -h")),
		row("log.left_out", warn, catalogue.Both("more lines than a log may have; these were left out", "日志过多，部分被略去"), catalogue.Both("something repeats very often", "某事件频繁重复"), catalogue.Both("the codes in the line name what", "行中的代码指明来源")),
		row("log.level_changed", warn, catalogue.Both("the log level was changed for a time", "日志级别临时改变"), catalogue.Both("yuanlu ctl log-level, or a command", "yuanlu ctl log-level 或后台命令"), usual()),
		row("log.level_reverted", info, catalogue.Both("the log level is as configured again", "日志级别恢复为配置值"), catalogue.Both("its time is over", "时限已到"), usual()),
		row("log.unreadable", warn, catalogue.Both("the log file cannot be read", "日志文件不可读"), catalogue.Both("its rights, or the disk", "权限或磁盘问题"), catalogue.Both("yuanlu doctor", "yuanlu doctor")),
		row("metrics.listening", info, catalogue.Both("Prometheus may ask for figures", "Prometheus 可采集指标"), catalogue.Both("metrics.listen", "metrics.listen"), usual()),
		row("metrics.unavailable", fault, catalogue.Both("the address for Prometheus cannot be had", "Prometheus 地址不可用"), catalogue.Both("another program holds it", "地址被占用"), catalogue.Both("another port in metrics.listen", "在 metrics.listen 中改用其他端口")),
		row("problem.begins", infoToFault, catalogue.Both("health has a new problem", "出现新问题"), catalogue.Both("its code is in the line", "代码见该行"), catalogue.Both("yuanlu codes CODE", "yuanlu codes 代码")),
		row("problem.ends", info, catalogue.Both("a problem of health is gone", "问题已消失"), catalogue.Both("its code is in the line", "代码见该行"), usual()),
		row("systemd.notify", debug, catalogue.Both("the service manager could not be notified", "无法通知服务管理器"), catalogue.Both("its socket is gone", "套接字不存在"), usual()),
		row("watchdog.stack", fault, catalogue.Both("where the part that hangs stands in the program", "挂起部分的调用栈"), catalogue.Both("watchdog.stalled", "watchdog.stalled"), ours()),
		row("watchdog.stalled", fault, catalogue.Both("a part of the daemon makes no progress; the watchdog is not fed", "守护进程部分停滞；看门狗未喂"), catalogue.Both("a disk or port that does not answer", "磁盘或端口无响应"), catalogue.Both("dmesg; systemd restarts the daemon", "查看 dmesg；systemd 会重启守护进程")),
		row("watchdog.unusable", warn, catalogue.Both("the watchdog of systemd cannot be used", "无法使用 systemd 看门狗"), catalogue.Both("WATCHDOG_USEC is wrong", "WATCHDOG_USEC 错误"), catalogue.Both("WatchdogSec=60 in the unit", "在单元中设 WatchdogSec=60")),
	}
}
