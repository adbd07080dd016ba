package screen

import (
	"fmt"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// Status prints what `status` shows: a snapshot, and where the configuration in force comes
// from.
func (s *Screen) Status(h *health.Snapshot, running bool, origin config.Text) {
	t := s.t
	head := s.bold("yuanlu") + " " + h.Build.Version
	if !running {
		fmt.Fprintf(s.W, "%s  %s %s  %s\n", s.bold("yuanlu"), t("terminal", "终端"), h.Terminal, s.red(t("the daemon is not running", "守护进程未运行")))
	} else {
		fmt.Fprintf(s.W, "%s  %s %s  %s %s  %s\n", head, t("terminal", "终端"), h.Terminal, t("up", "已运行"), Span(h.Uptime),
			s.level(h.Verdict, s.verdict(h.Verdict)))
	}
	row := func(name, text string) { fmt.Fprintf(s.W, "%s%s\n", padTo(name, 10), text) }
	for _, l := range h.Links {
		row(t("link", "链路"), s.link(&l, h.At))
	}
	if running {
		row(t("broker", "服务器"), s.broker(h))
	}
	row(t("outbox", "待发"), s.Outbox(&h.Outbox))
	n := h.Counts
	row(t("today", "今日"), fmt.Sprintf(t("%d records, %d refunds and voids, %d cases", "记录 %d，退款和撤销 %d，案件 %d"), n.RecordsToday, n.RefundsToday, n.CasesToday))
	row(t("in all", "总计"), fmt.Sprintf(t("%d records, %d refunds and voids, %d cases%s", "记录 %d，退款和撤销 %d，案件 %d%s"), n.Records, n.Refunds, n.Cases, s.open(h.Outbox.Open)))
	if running {
		clock := t("synchronised", "已同步")
		if !h.Clock.Synced {
			clock = s.yellow(t("not synchronised", "未同步"))
		}
		row(t("clock", "时钟"), fmt.Sprintf("%s, %s", h.At.In(s.Zone).Format("2006-01-02 15:04:05 -07:00"), clock))
		row(t("process", "进程"), fmt.Sprintf("pid %d, %s %s", h.PID, health.SizeText(h.Memory), t("resident", "常驻内存")))
	}
	if h.StoreError != "" && !running {
		row(t("store", "数据库"), h.StoreError)
	}
	for _, one := range h.Problems {
		s.problem(&one)
	}
	row(t("config", "配置"), s.Lang.Text(origin)+", "+h.Config)
}

func (s *Screen) problem(one *health.Problem) {
	mark := map[string]string{"failing": "×", "degraded": "‼", "note": "·"}[one.Level]
	about := ""
	if one.About != "" {
		about = " " + one.About
	}
	fmt.Fprintf(s.W, "%s %s%s (%s %s)\n    %s\n    → %s\n", s.level(one.Level, mark), one.Code, about, s.t("since", "自"), s.Clock(one.Since),
		s.Lang.Text(one.Text), s.Lang.Text(one.Remedy))
}

func (s *Screen) verdict(verdict string) string {
	return map[string]string{"ok": s.t("ok", "正常"), "degraded": s.t("degraded", "部分异常"), "failing": s.t("failing", "故障")}[verdict]
}

func (s *Screen) link(l *health.Link, now time.Time) string {
	t := s.t
	parts := []string{fmt.Sprintf("%s  %s  %s  %s", l.Name, l.Wire, l.Port, s.level(l.State, l.State))}
	if text := s.Lang.Text(l.Text); text != "" {
		parts = append(parts, s.level(l.Verdict, text))
	}
	if !l.Since.IsZero() {
		parts = append(parts, t("since ", "自 ")+s.Clock(l.Since))
	}
	if l.FramesGood+l.FramesBad > 0 {
		parts = append(parts, fmt.Sprintf(t("frames %d good, %d bad", "帧：好 %d，坏 %d"), l.FramesGood, l.FramesBad))
	}
	if l.Refused > 0 {
		parts = append(parts, fmt.Sprintf(t("%d messages refused", "拒绝报文 %d"), l.Refused))
	}
	if l.Stalls > 0 && (!l.StalledSince.IsZero() || !l.StalledUntil.IsZero()) {
		overruns := t("overruns unknown", "溢出次数未知")
		if l.Line != nil {
			overruns = fmt.Sprintf(t("%d overruns", "溢出 %d 次"), l.Line.Lost())
		}
		parts = append(parts, fmt.Sprintf(t("not read for %s, %s", "暂停读取 %s，%s"), Span(l.StalledFor), overruns))
	}
	if !l.LastFrame.IsZero() {
		parts = append(parts, fmt.Sprintf(t("last %s ago", "最近 %s前"), Span(now.Sub(l.LastFrame))))
	}
	return strings.Join(parts, ", ")
}

func (s *Screen) broker(h *health.Snapshot) string {
	t := s.t
	switch {
	case h.MQTT == nil:
		return s.yellow(t("none configured", "未配置"))
	case h.MQTT.Connected:
		text := fmt.Sprintf(t("%s since %s, %d reconnects", "%s，自 %s，重连 %d 次"), s.green(t("connected", "已连接")), s.Clock(h.MQTT.Since), h.MQTT.Reconnects)
		if h.MQTT.Address != "" {
			text += ", " + h.MQTT.Address
		}
		if h.MQTT.LastError != "" {
			text += t("; before that: ", "；此前：") + h.MQTT.LastError
		}
		return text
	}
	text := s.yellow(t("offline", "未连接"))
	if !h.MQTT.Since.IsZero() {
		text += t(" since ", "，自 ") + s.Clock(h.MQTT.Since)
	}
	if h.MQTT.LastError != "" {
		text += ": " + h.MQTT.LastError
	}
	return text
}

// Outbox returns the line of an outbox.
func (s *Screen) Outbox(o *health.Outbox) string {
	t := s.t
	text := t("empty", "空")
	if o.Waiting > 0 {
		text = fmt.Sprintf(t("%d waiting (%s)", "%d 条等待（%s）"), o.Waiting, health.SizeText(o.Bytes))
	}
	if !o.Oldest.IsZero() {
		text += t(" since ", "，自 ") + s.Clock(o.Oldest)
	}
	text += fmt.Sprintf(t(", last %d, sent %d, acknowledged %d", "，末号 %d，已发 %d，已确认 %d"), o.LastSeq, o.SentSeq, o.AckedSeq)
	if o.Quarantined > 0 {
		text += fmt.Sprintf(t(", %d in quarantine", "，隔离 %d"), o.Quarantined)
	}
	return text
}

func (s *Screen) open(open map[string]int) string {
	var parts []string
	for _, severity := range []string{"critical", "high", "medium", "low", "info"} {
		if n := open[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return s.t("; open: ", "；未结：") + strings.Join(parts, ", ")
}
