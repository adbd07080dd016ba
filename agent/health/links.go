package health

import (
	"io/fs"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
)

func linkProblems(p *problems, s *Snapshot, _ *config.Config) {
	down, enabled := 0, 0
	for i := range s.Links {
		l := &s.Links[i]
		if l.State == ingest.StateDisabled || l.Untried {
			continue
		}
		enabled++
		linkStalled(p, s, &l.LinkHealth)
		if l.State == ingest.StateAbsent || l.State == ingest.StateDenied {
			down++
		}
		if misread(p, l) {
			continue
		}
		switch {
		case l.State == ingest.StateDegraded: // nothing can be stored
			p.add(Degraded, "link_degraded", l.Name, textf("link %s: %s", "链路 %s：%s", l.Name, same(l.Reason)), both("see the other problems", "参见其他问题")).Since = l.Since
		case l.Refused > 0 && l.Verdict != ingest.VerdictRefused:
			p.add(Note, "link_refused", l.Name, textf("link %s: %d messages were refused since the start", "链路 %s：启动以来有 %d 条报文被拒绝", l.Name, l.Refused),
				both("the acquirer's profile may not fit all of them: yuanlu capture, then yuanlu replay --explain shows each message field by field",
					"差异文件可能与部分报文不符：先用 yuanlu capture 抓包，再用 yuanlu replay --explain 逐域查看报文"))
		}
	}
	if enabled > 0 && down == enabled {
		p.add(Failing, "no_link", "", both("no link is connected: refunds are not seen", "没有链路连通：看不到退款"), both("mend what stands below for each link; yuanlu links list shows the ports that are here", "按下面各链路的提示处理；yuanlu links list 列出现有端口"))
	}
}

// misread adds the problem that the verdict about a link is, and reports whether it is one.
func misread(p *problems, l *Link) bool {
	text := textf("link %s: %s", "链路 %s：%s", l.Name, l.Text)
	var found *Problem
	switch l.Verdict {
	case ingest.VerdictNoPort:
		found = p.add(Degraded, "link_absent", l.Name, text, l.Remedy)
	case ingest.VerdictNoPermission:
		found = p.add(Degraded, "link_denied", l.Name, text, l.Remedy)
	case ingest.VerdictHeld:
		found = p.add(Degraded, "link_held", l.Name, text, l.Remedy)
	case ingest.VerdictNoFrame:
		found = p.add(Degraded, "link_no_frame", l.Name, text, l.Remedy)
	case ingest.VerdictRefused:
		found = p.add(Degraded, "link_refused", l.Name, text, l.Remedy)
	case ingest.VerdictNoisy:
		found = p.add(Degraded, "link_noisy", l.Name, text, l.Remedy)
	default:
		return false
	}
	found.Since = l.VerdictSince
	return true
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
	Reason  string      // what is wrong with it
	Holders []string    // processes that have it open, "pid 812 (minicom)"
	Group   string      // of the device
	Mode    fs.FileMode // its permissions
	User    string      // who is to open it
	Here    []string    // ports that are here, where it is not
}

func (d *Device) checkup(e *Examination) {
	name := textf("link %s", "链路 %s", d.Link.Name)
	bad := func(text, remedy config.Text) { e.add(Error, name, text, remedy) }
	switch d.Trouble {
	case NotBuilt:
		bad(textf("%s: this program was built without USB support", "%s: 本程序编译时未包含 USB 支持", d.Node), both("install the build that has it", "安装带 USB 的版本"))
	case Missing:
		bad(same(d.Node+": "+d.Reason), FindPort(d.Here))
	case Locked:
		bad(textf("%s: %s may not open it: it belongs to group %s (mode %04o)", "%s：%s 无权打开：属于组 %s（权限 %04o）", d.Node, d.User, d.Group, d.Mode), PermitPort(d.Node, d.Group, d.Mode, d.User))
	case LockedUSB:
		bad(same(d.Node+": "+d.Reason), PermitPort("usb:", "", 0, ""))
	case InUse:
		bad(textf("%s: held by %s", "%s：被 %s 占用", d.Node, strings.Join(d.Holders, ", ")), ReleasePort(d.Node, d.Holders))
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
	e.problems("no_link")
	for i := range e.Snapshot.Links {
		l := &e.Snapshot.Links[i]
		if misread(new(problems), l) {
			continue // it has a line among the problems
		}
		level := Fine
		if l.Verdict == ingest.VerdictSilent || l.Verdict == ingest.VerdictUndecided || l.Verdict == ingest.VerdictNotOpened {
			level = Note
		}
		e.add(level, textf("link %s", "链路 %s", l.Name), textf("%s, %s: %s", "%s，%s：%s", l.Wire, l.Port, l.Text), l.Remedy)
	}
	e.problems("link_")
}
