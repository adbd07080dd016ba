package health

import (
	"fmt"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
)

var checkCable = both("check the cable and the name of the port", "检查连接线和端口名称")

func linkProblems(p *problems, s *Snapshot, _ *config.Config) {
	down, enabled := 0, 0
	for i := range s.Links {
		l := &s.Links[i]
		if l.State == ingest.StateDisabled || l.Untried {
			continue
		}
		enabled++
		linkStalled(p, s, l)
		if l.State == ingest.StateAbsent || l.State == ingest.StateDenied {
			down++
		}
		linkState(p, l)
		if l.State == ingest.StateDegraded && l.Misread != "" {
			continue // its counters only show the same again
		}
		if bad := l.FramesBad; bad > 10 && bad > l.FramesGood/10 {
			p.add(Degraded, "link_noisy", l.Name, textf("link %s has many damaged frames", "链路 %s 坏帧较多", l.Name),
				both("check cable, baud and the other line settings", "检查连接线、波特率等串口参数"))
		}
		if l.Refused > 0 {
			p.add(Note, "link_refused", l.Name, textf("link %s: messages were refused", "链路 %s 有报文被拒绝", l.Name),
				both("the wire or its profile may not fit the acquirer: yuanlu capture, then yuanlu replay --explain shows each message field by field",
					"协议或差异文件可能与收单机构不符：先用 yuanlu capture 抓包，再用 yuanlu replay --explain 逐域查看报文"))
		}
	}
	if enabled > 0 && down == enabled {
		p.add(Failing, "no_link", "", both("no link is connected: refunds are not seen", "没有链路连通：看不到退款"), both("see the links", "参见各链路"))
	}
}

// stalledFor is how long health reports that a link could not be read for a while.
const stalledFor = 24 * time.Hour

// linkStalled adds that a link cannot be read because nothing can be stored, or that it
// was so: on a wire without confirms what the kernel did not keep meanwhile is lost.
func linkStalled(p *problems, s *Snapshot, l *ingest.LinkHealth) {
	lost := both("the driver does not count what it dropped", "驱动不统计丢弃的字节")
	if l.Line != nil {
		lost = textf("the driver dropped bytes %d times", "驱动丢弃字节 %d 次", l.Line.Lost())
	}
	check := both("compare the terminal's own journal or settlement slip with yuanlu status, and have it print again what is missing", "将终端流水或结算单与 yuanlu status 核对，缺少的在终端上重打")
	if ingest.Confirms(l.Wire) {
		lost, check = both("the terminal sends again what was not confirmed", "终端会重发未确认的报文"), both("nothing needs to be done at the terminal", "终端无需处理")
	}
	switch {
	case !l.StalledSince.IsZero():
		p.add(Degraded, "link_stalled", l.Name,
			textf("link %s is not read: too much waits for the store; bytes may be lost; %s", "链路 %s 暂停读取：等待保存的内容过多；可能丢失数据；%s", l.Name, lost),
			textf("see store_unavailable and disk_low: it goes on by itself as soon as records can be stored; then %s", "参见 store_unavailable 和 disk_low：可保存后自动恢复；之后%s", check)).Since = l.StalledSince
	case !l.StalledUntil.IsZero() && s.At.Sub(l.StalledUntil).Abs() < stalledFor && !ingest.Confirms(l.Wire):
		p.add(Note, "link_stalled", l.Name,
			textf("link %s was not read for a while, until %s; bytes may have been lost; %s", "链路 %s 曾暂停读取，至 %s；可能丢失数据；%s", l.Name, l.StalledUntil.Format(time.RFC3339), lost),
			check).Since = l.StalledUntil
	}
}

// linkState adds the problem that the state of a link is.
func linkState(p *problems, l *ingest.LinkHealth) {
	text := textf("link %s: %s", "链路 %s：%s", l.Name, l.Reason)
	switch l.State {
	case ingest.StateAbsent:
		p.add(Degraded, "link_absent", l.Name, text, checkCable).Since = l.Since
	case ingest.StateDenied:
		p.add(Degraded, "link_denied", l.Name, text,
			both("end what holds the port, or add the user yuanlu to its group or install the udev rules 70-yuanlu.rules",
				"结束占用端口的程序，或将用户 yuanlu 加入端口所属的组、安装 udev 规则 70-yuanlu.rules")).Since = l.Since
	case ingest.StateDegraded:
		remedy := both("see the other problems", "参见其他问题")
		switch l.Misread {
		case ingest.MisreadRefused:
			text.ZH = "链路 " + l.Name + "：多数报文被拒绝，协议或差异文件可能不符"
		case ingest.MisreadNoFrame:
			text.ZH = "链路 " + l.Name + "：收到字节但没有帧，波特率、校验位或协议可能不对"
		}
		if l.Misread != "" {
			remedy = textf("stop yuanlu, then: yuanlu links probe %s", "停止 yuanlu，然后运行 yuanlu links probe %s", l.Port)
		}
		p.add(Degraded, "link_degraded", l.Name, text, remedy).Since = l.Since
	}
}

// Trouble is why a device cannot be used.
type Trouble int

// The troubles of a device.
const (
	NoTrouble Trouble = iota
	NotBuilt          // this program has no USB library
	Missing           // it is not there, or does not answer
	Locked            // the user may not open the tty
	LockedUSB         // the user may not open the USB device
	InUse             // another process has it open
)

// Device is what can be seen of the port of a link that no daemon has open, without
// opening it.
type Device struct {
	Link    config.Link
	Node    string // the device
	Trouble Trouble
	Reason  string // what is wrong with it, or which process has it open
}

func (d *Device) checkup(e *Examination) {
	name := textf("link %s", "链路 %s", d.Link.Name)
	bad := func(text, remedy config.Text) { e.add(Error, name, text, remedy) }
	switch d.Trouble {
	case NotBuilt:
		bad(textf("%s: this program was built without USB support", "%s: 本程序编译时未包含 USB 支持", d.Node), both("install the build that has it", "安装带 USB 的版本"))
	case Missing:
		bad(same(d.Node+": "+d.Reason), checkCable)
	case Locked:
		bad(same(d.Node+": "+d.Reason), both("add the user yuanlu to the group of the port, or install 70-yuanlu.rules", "将用户 yuanlu 加入端口所属的组，或安装 70-yuanlu.rules"))
	case LockedUSB:
		bad(same(d.Node+": "+d.Reason), both("install 70-yuanlu.rules in /etc/udev/rules.d and plug the device in again", "将 70-yuanlu.rules 安装到 /etc/udev/rules.d 并重新插拔设备"))
	case InUse:
		bad(textf("%s: in use by %s", "%s: 被占用： %s", d.Node, d.Reason), both("end that process", "结束该进程"))
	default:
		text := d.Link.Port
		if !d.Link.Enabled {
			text += " (enabled = false)"
		}
		e.fine(name, same(text))
	}
}

func lookAtLinks(e *Examination) {
	for i := range e.m.Devices {
		e.m.Devices[i].checkup(e)
	}
	if e.Snapshot == nil {
		return
	}
	for _, l := range e.Snapshot.Links {
		if l.State != ingest.StateOnline && l.State != ingest.StateDisabled && !l.Untried {
			continue // it is a problem
		}
		last := both("no frame yet", "尚无帧")
		if !l.LastFrame.IsZero() {
			last = textf("last frame %s ago", "最近一帧 %s前", e.Snapshot.At.Sub(l.LastFrame).Round(time.Second))
		}
		e.fine(textf("link %s", "链路 %s", l.Name), textf("%s, %d frames, %d damaged, %s", "%s，帧 %d，坏帧 %d，%s",
			fmt.Sprintf("%s %s %s", l.State, l.Wire, l.Port), l.FramesGood, l.FramesBad, last))
	}
	e.problems("link_", "no_link")
}
