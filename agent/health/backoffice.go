package health

import (
	"time"

	"yuanlu/agent/config"
)

// ackPatience is how long a case may wait for its acknowledgement before an examination
// warns.
const ackPatience = 2 * time.Minute

func backofficeProblems(p *problems, s *Snapshot, c *config.Config) {
	if s.MQTT != nil && len(c.Backoffice.Keys) == 0 {
		p.add(Note, "commands_unsigned", "", both("commands are taken without a signature", "未要求命令签名"), both("configure [[backoffice.key]]", "配置 [[backoffice.key]]"))
	}
}

var (
	backoffice = both("back office", "后台")
	checkHost  = both("check backoffice.host and the back office", "检查 backoffice.host 和后台")
)

func lookAtBackoffice(e *Examination) {
	if e.Snapshot == nil || e.Snapshot.MQTT == nil {
		return
	}
	m, o := e.Snapshot.MQTT, e.Snapshot.Outbox
	if h := m.Host; h != nil {
		switch at := e.clockTime(h.At); {
		case !h.Known:
			e.add(Warning, backoffice, textf("%s has not said that it is there; cases go all the same", "%s 未声明在线；案件照常发送", e.Config.Backoffice.Host), checkHost)
		case !h.Online:
			e.add(Warning, backoffice, textf("is offline since %s; cases wait", "自 %s 起离线；案件等待中", at), both("ask the back office", "联系后台"))
		default:
			e.fine(backoffice, textf("is online since %s", "自 %s 起在线", at))
		}
	}
	if e.Config.Delivery.Ack != "backoffice" {
		return
	}
	ago := func(at time.Time) time.Duration { return e.Snapshot.At.Sub(at).Round(time.Second) }
	waits := !o.Oldest.IsZero() && e.Snapshot.At.Sub(o.Oldest) > ackPatience
	switch {
	case !m.Connected:
		e.add(Note, backoffice, textf("not known without a connection; %d wait for an acknowledgement", "未连接，无法得知；%d 条等待确认", o.Waiting), config.Text{})
	case e.problems("unacknowledged"):
	case waits && (m.LastAck.IsZero() || e.Snapshot.At.Sub(m.LastAck) > ackPatience):
		last := both("nothing was acknowledged since the start", "启动以来没有确认")
		if !m.LastAck.IsZero() {
			last = textf("the last acknowledgement came %s ago", "最近一次确认在 %s前", ago(m.LastAck))
		}
		e.add(Warning, backoffice, textf("%s; %d wait, the oldest for %s", "%s；%d 条等待，最早已等 %s", last, o.Waiting, ago(o.Oldest)), brokerRemedy("unacknowledged"))
	case !m.LastAck.IsZero():
		e.fine(backoffice, textf("last acknowledgement %s ago, up to %d of %d", "最近一次确认在 %s前，已确认 %d / %d", ago(m.LastAck), o.AckedSeq, o.LastSeq))
	default:
		e.add(Note, backoffice, textf("has acknowledged nothing yet; %d wait", "尚无确认；%d 条等待", o.Waiting),
			both("yuanlu doctor --echo asks whether it is there", "yuanlu doctor --echo 询问后台是否在线"))
	}
}

// hostSeen is lookAtBackoffice where no daemon runs.
func (e *Examination) hostSeen(h *HostSeen) {
	host, at := e.Config.Backoffice.Host, e.clockTime(h.At)
	switch {
	case h.Err != nil:
		e.add(Warning, backoffice, same(h.Err.Error()), checkHost)
	case !h.Known:
		e.add(Warning, backoffice, textf("%s has not said that it is there", "%s 未声明在线", host), checkHost)
	case !h.Online:
		e.add(Warning, backoffice, textf("%s is offline since %s", "%s 自 %s 起离线", host, at), checkHost)
	default:
		e.fine(backoffice, textf("%s is online since %s", "%s 自 %s 起在线", host, at))
	}
}
