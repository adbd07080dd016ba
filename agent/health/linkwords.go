package health

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
)

// Link is a link at one moment, with its verdict in words: the same in status, doctor,
// health, up/link and the screen.
type Link struct {
	ingest.LinkHealth
	Text   config.Text `json:"text"`
	Remedy config.Text `json:"remedy"`          // empty: nothing needs to be done
	Guard  string      `json:"guard,omitempty"` // level of its guard, "" not known
}

// LinkIn returns a link in words. Times are in a zone.
func LinkIn(l *ingest.LinkHealth, zone *time.Location) Link {
	said := Link{LinkHealth: *l}
	said.Text, said.Remedy = linkWords(l, zone)
	return said
}

func linkWords(l *ingest.LinkHealth, zone *time.Location) (text, remedy config.Text) {
	r, probe := &l.Recent, textf("sudo systemctl stop yuanlu; sudo yuanlu links probe %s; sudo systemctl start yuanlu", "sudo systemctl stop yuanlu; sudo yuanlu links probe %s; sudo systemctl start yuanlu", l.Port)
	switch l.Verdict {
	case ingest.VerdictNotOpened:
		return both("not opened yet", "尚未打开"), remedy
	case ingest.VerdictDisabled:
		return both("disabled by the configuration (enabled = false)", "已由配置停用（enabled = false）"), remedy
	case ingest.VerdictNoPort:
		return textf("no port: %s", "没有端口：%s", same(cmp.Or(l.Reason, l.Port))), FindPort(l.Fault.Here)
	case ingest.VerdictNoPermission:
		return textf("no permission for the port: %s", "无权打开端口：%s", same(cmp.Or(l.Reason, l.Port))),
			PermitPort(l.Port, l.Fault.Group, l.Fault.Mode, "yuanlu")
	case ingest.VerdictHeld:
		return heldWords(l)
	case ingest.VerdictSilent:
		return silentWords(l, zone)
	case ingest.VerdictUndecided:
		return textf("%d bytes came, too few to judge: no whole frame yet", "收到 %d 字节，尚不足以判断：还没有完整的帧", r.Bytes),
			both("make a test sale and look again", "做一笔测试交易后再看")
	case ingest.VerdictNoFrame:
		return noFrameWords(l, probe)
	case ingest.VerdictRefused:
		return refusedWords(l)
	case ingest.VerdictNoisy:
		return textf("noisy: %d %% of the bytes belong to no good frame; %s", "线路有干扰：%d %% 的字节不属于完整的帧；%s", r.Share(), lastWords(l, zone)),
			both("check the cable, its shield and ground, then the speed and parity of both sides", "检查连接线、屏蔽和接地，再检查双方的波特率和校验位")
	case ingest.VerdictGood:
		return textf("good, %s", "正常，%s", lastWords(l, zone)), remedy
	}
	return same(cmp.Or(l.Verdict, "?")), remedy
}

func heldWords(l *ingest.LinkHealth) (text, remedy config.Text) {
	who := same(strings.Join(l.Holders, ", "))
	if len(l.Holders) == 0 {
		who = both("a process that the daemon's user may not see", "守护进程用户看不到的进程")
	}
	text = textf("the port is held by %s", "端口被 %s 占用", who)
	if l.Trouble == "" {
		text = textf("the port is also open in %s, which takes bytes away", "端口同时被 %s 打开，会抢走数据", who)
	}
	return text, ReleasePort(l.Port, l.Holders)
}

// ReleasePort returns how a port is freed of other processes, "pid 812 (minicom)".
func ReleasePort(port string, holders []string) config.Text {
	for _, h := range holders {
		var pid int
		if _, err := fmt.Sscanf(h, "pid %d", &pid); err != nil {
			continue
		}
		name := h[strings.IndexByte(h+"(", '(')+1:]
		name = strings.TrimRight(strings.TrimSuffix(name, ", locked)"), ")")
		switch {
		case strings.HasPrefix(name, "yuanlu"):
			return textf("another yuanlu has it: see what it is (ps -o user,lstart,args -p %[1]d); where it is no service, sudo kill %[1]d", "被另一个 yuanlu 占用：先查看（ps -o user,lstart,args -p %[1]d）；若不是服务，sudo kill %[1]d", pid)
		case name == "ModemManager":
			return same("sudo systemctl disable --now ModemManager")
		case strings.HasSuffix(name, "getty"):
			return same(fmt.Sprintf("sudo systemctl disable --now serial-getty@%s", strings.TrimPrefix(port, "/dev/")))
		}
		return textf("close that program, or: sudo kill %d", "关闭该程序，或：sudo kill %d", pid)
	}
	return textf("find it: sudo fuser -v %s", "查找占用者：sudo fuser -v %s", port)
}

// FindPort returns what to do about a port that is not here, with those that are.
func FindPort(here []string) config.Text {
	if len(here) == 0 {
		return both("plug the cable in; no port is here that could be a terminal's (yuanlu links list)", "插好连接线；目前没有可用的端口（yuanlu links list）")
	}
	return textf("plug the cable in, or set port to one that is here: %s (yuanlu links list)", "插好连接线，或将 port 改为现有端口：%s（yuanlu links list）", strings.Join(here, ", "))
}

// PermitPort returns the command that permits a user a port of that group and mode.
func PermitPort(node, group string, mode fs.FileMode, user string) config.Text {
	switch {
	case strings.HasPrefix(node, "usb:"):
		return both("sudo cp 70-yuanlu.rules /etc/udev/rules.d/; sudo udevadm control --reload; plug the device in again", "sudo cp 70-yuanlu.rules /etc/udev/rules.d/；sudo udevadm control --reload；重新插拔设备")
	case group != "" && group != "root" && mode&0o060 == 0o060:
		return textf("sudo usermod -aG %[1]s %[2]s; sudo systemctl restart yuanlu", "sudo usermod -aG %[1]s %[2]s; sudo systemctl restart yuanlu", group, user)
	}
	return textf("its group may not open it either: sudo cp 70-yuanlu.rules /etc/udev/rules.d/; sudo udevadm control --reload; sudo udevadm trigger; until then: sudo chown %s %s",
		"所属组也无权打开：sudo cp 70-yuanlu.rules /etc/udev/rules.d/；sudo udevadm control --reload；sudo udevadm trigger；临时办法：sudo chown %s %s", user, node)
}

func silentWords(l *ingest.LinkHealth, zone *time.Location) (text, remedy config.Text) {
	check := both("make a test sale; if nothing comes: check the cable, and that the terminal's cashier port is switched on", "做一笔测试交易；若仍无数据：检查连接线，以及终端是否启用收银口输出")
	if l.Recent.Until.IsZero() {
		return both("silent: nothing has come since the port was opened", "无数据：端口打开后没有收到任何内容"), check
	}
	return textf("silent since %s: this terminal shakes hands every 2 s while it works; %s", "自 %s 起无数据：该终端正常时每 2 秒握手一次；%s", clock(l.Recent.Until, zone), lastWords(l, zone)), check
}

func noFrameWords(l *ingest.LinkHealth, probe config.Text) (text, remedy config.Text) {
	n, f := l.Recent.Unread, l.Fit
	text = textf("%d bytes came, but no frame: speed, parity, wire or cable is wrong", "收到 %d 字节，但没有帧：波特率、校验位、协议或连接线不对", n)
	if e := l.Line; e != nil && e.Frame+e.Parity > 0 {
		text = textf("%s (the driver counts %d framing and %d parity errors)", "%s（驱动统计帧错误 %d 次、校验错误 %d 次）", text, e.Frame, e.Parity)
	}
	switch {
	case f == nil:
	case f.Wire != "" && f.Baud > 0:
		return textf("%d bytes came, but no frame: the terminal sends wire %s at %d baud, %s", "收到 %d 字节，但没有帧：终端以协议 %s、波特率 %d、%s 发送", n, f.Wire, f.Baud, f.Framing), useFit(l)
	case f.Wire != "":
		return textf("%d bytes came, but no frame of wire %s: it is wire %s", "收到 %d 字节，但没有协议 %s 的帧：实际是协议 %s", n, l.Wire, f.Wire), useFit(l)
	case len(f.Sees) > 0:
		return textf("%d bytes came, but no frame of wire %s: the frames are those of %s, and no message is understood", "收到 %d 字节，但没有协议 %s 的帧：帧属于 %s，但报文无法解析", n, l.Wire, strings.Join(f.Sees, ", ")),
			both("set wire to it; the acquirer's profile may be needed, too", "修改 wire；可能还需要收单机构的差异文件")
	case f.SevenBit != "":
		return textf("%s: the terminal sends seven data bits with %s parity, which no wire fits in", "%s：终端以 7 数据位、%s校验发送，任何协议都需要 8 数据位", text, parityWords(f.SevenBit)),
			both("set the terminal's cashier port to eight data bits", "将终端收银口改为 8 数据位")
	}
	return text, textf("compare the speed and parity of the terminal with this link, or have them found: %s", "核对终端与本链路的波特率和校验位，或自动探测：%s", probe)
}

func parityWords(parity string) config.Text {
	return both(parity, map[string]string{"even": "偶", "odd": "奇"}[parity])
}

func refusedWords(l *ingest.LinkHealth) (text, remedy config.Text) {
	text = textf("frames are right, but %d of %d messages were refused", "帧正确，但 %[2]d 条报文中有 %[1]d 条被拒绝", l.Recent.Refused, l.Recent.Refused+l.Recent.Messages)
	if f := l.Fit; f != nil && f.Wire != "" && f.Wire != l.Wire {
		return textf("%s: it is wire %s, not %s", "%s：实际是协议 %s，而不是 %s", text, f.Wire, l.Wire), useFit(l)
	} else if f != nil && f.Wire != "" {
		return textf("%s: the profile of this link does not fit, the built-in one does", "%s：本链路的差异文件不符，内置的相符", text), both("take the profile out of this link, and reload: sudo systemctl reload yuanlu", "去掉本链路的 profile，然后 sudo systemctl reload yuanlu")
	}
	return textf("%s: the acquirer's profile is missing or does not fit", "%s：缺少收单机构的差异文件，或不相符", text),
		textf("yuanlu capture start %s, make a sale, yuanlu capture stop; yuanlu replay --explain shows each message field by field; send it to support", "yuanlu capture start %s，做一笔交易，yuanlu capture stop；yuanlu replay --explain 逐域查看报文；交给技术支持", l.Name)
}

// useFit returns the lines of the configuration that fit.
func useFit(l *ingest.LinkHealth) config.Text {
	lines := fmt.Sprintf("wire = %q", l.Fit.Wire)
	if l.Fit.Baud > 0 {
		lines += fmt.Sprintf(", baud = %d (%s)", l.Fit.Baud, l.Fit.Framing)
		if parity := map[string]string{"8E1": "even", "8O1": "odd"}[l.Fit.Framing]; parity != "" {
			lines += fmt.Sprintf(", parity = %q", parity)
		}
	}
	return textf("set %s in [[link]] %s, then: sudo systemctl reload yuanlu", "在 [[link]] %[2]s 中设置 %[1]s，然后：sudo systemctl reload yuanlu", lines, l.Name)
}

// lastWords names the last sale or refund of a link, or what else was last understood.
func lastWords(l *ingest.LinkHealth, zone *time.Location) config.Text {
	r := l.LastRecord
	if r == nil {
		return textf("no sale yet; last frame at %s", "尚无交易；最近一帧 %s", clock(l.LastFrame, zone))
	}
	kind := both("refund", "退货")
	switch {
	case r.Kind == refund.KindSale:
		kind = both("sale", "消费")
	case r.Kind.IsVoid():
		kind = both("void", "撤销")
	}
	text := textf("last %s at %s, %s", "最近一笔%s %s，%s", kind, clock(r.At, zone), Money(r.Amount, r.Currency))
	if r.Outcome != refund.Approved {
		text = textf("%s (not approved)", "%s（未成功）", text)
	}
	return text
}

// Money writes minor units as people do.
func Money(amount int64, currency string) string {
	sign := ""
	if amount < 0 {
		sign, amount = "-", -amount
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s%d.%02d", currency, sign, amount/100, amount%100))
}

// clock writes a moment as short as it may be.
func clock(at time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.Local
	}
	if at.IsZero() {
		return "-"
	}
	return at.In(zone).Format("01-02 15:04:05")
}
