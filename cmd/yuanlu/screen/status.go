package screen

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// State is what `status` shows.
type State struct {
	health.Snapshot
	Running bool
	Origin  config.Text // where the configuration in force comes from
}

// Status prints what `status` shows, what matters most first. On a terminal it is as much
// as fits into its height.
func (s *Screen) Status(st *State) error {
	_, err := io.WriteString(s.W, strings.Join(s.StatusLines(st), "\n")+"\n")
	return err
}

// How much of the status is shown; each step leaves out something more.
const (
	detailAll      = iota
	detailNoFigure // no counters of links, no process
	detailNoText   // of problems that are notes, only the first line
	detailShort    // of every problem, name and remedy
	detailNoPlace  // no wire and port of links, nothing that is as it should be
	detailOneLine  // remedies of one line
	detailLeast    // no remedies
)

// StatusLines returns the lines of Status without their ends.
func (s *Screen) StatusLines(st *State) []string {
	var lines []string
	for detail := detailAll; detail <= detailLeast; detail++ {
		lines = s.statusLines(st, detail)
		if s.Height <= 0 || len(lines) < s.Height {
			return lines
		}
	}
	more := s.sign(s.t("… more: yuanlu doctor", "… 其余见 yuanlu doctor"))
	if room := max(s.Height-2, 4); len(lines) > room {
		lines = append(lines[:room:room], more)
	}
	return lines
}

func (s *Screen) statusLines(st *State, detail int) []string {
	t, h := s.t, &st.Snapshot
	lines := []string{s.statusHead(st)}
	for i := range h.Problems {
		if h.Problems[i].Level != health.Note {
			lines = append(lines, s.problem(&h.Problems[i], detail)...)
		}
	}
	row := func(name, text string) { lines = append(lines, s.hang(padTo(name, 10), 10, text)...) }
	for i := range h.Links {
		lines = append(lines, s.link(&h.Links[i], h.At, detail)...)
	}
	if h.Asks != nil && detail == detailAll {
		row(t("asks", "核查"), s.asks(h.Asks))
	}
	if st.Running {
		row(t("broker", "服务器"), s.broker(h))
	}
	row(t("outbox", "待发"), s.outbox(&h.Outbox, detail))
	n := h.Counts
	row(t("today", "今日"), fmt.Sprintf(t("%d records, %d refunds and voids, %d cases", "记录 %d，退款和撤销 %d，案件 %d"), n.RecordsToday, n.RefundsToday, n.CasesToday))
	if detail < detailNoPlace || len(h.Outbox.Open) > 0 {
		row(t("in all", "总计"), fmt.Sprintf(t("%d records, %d refunds and voids, %d cases%s", "记录 %d，退款和撤销 %d，案件 %d%s"), n.Records, n.Refunds, n.Cases, s.open(h.Outbox.Open)))
	}
	if h.StoreError != "" && !st.Running {
		row(t("store", "数据库"), s.english(h.StoreError))
	}
	if st.Running && (detail < detailNoPlace || !h.Clock.Synced) {
		clock := t("synchronised", "已同步")
		if !h.Clock.Synced {
			clock = s.yellow(t("not synchronised", "未同步"))
		}
		row(t("clock", "时钟"), h.At.In(s.Zone).Format("2006-01-02 15:04:05 -07:00")+t(", ", "，")+clock)
	}
	if st.Running && detail == detailAll {
		row(t("process", "进程"), fmt.Sprintf("pid %d%s%s %s", h.PID, t(", ", "，"), health.SizeText(h.Memory), t("resident", "常驻内存")))
	}
	if detail < detailShort {
		row(t("config", "配置"), s.Lang.Text(st.Origin)+t(", ", "，")+h.Config)
	}
	for i := range h.Problems {
		if h.Problems[i].Level == health.Note {
			lines = append(lines, s.problem(&h.Problems[i], detail)...)
		}
	}
	return lines
}

func (s *Screen) statusHead(st *State) string {
	t := s.t
	if !st.Running {
		return fmt.Sprintf("%s  %s %s  %s", s.bold("yuanlu"), t("terminal", "终端"), st.Terminal, s.red(t("the daemon is not running", "守护进程未运行")))
	}
	return fmt.Sprintf("%s %s  %s %s  %s %s  %s", s.bold("yuanlu"), st.Build.Version, t("terminal", "终端"), st.Terminal,
		t("up", "已运行"), s.Span(st.Uptime), s.level(st.Verdict, s.name(st.Verdict)))
}

// mark is the sign of a level of health, doctor or the log.
func (s *Screen) mark(level string) string {
	sign := map[string]string{health.Fine: "√", "failing": "×", health.Error: "×", "degraded": "‼", health.Warning: "‼"}[level]
	if sign == "" {
		sign = "·"
	}
	return s.level(level, s.sign(sign))
}

func (s *Screen) problem(one *health.Problem, detail int) []string {
	about := ""
	if one.About != "" {
		about = " " + one.About
	}
	head := s.mark(one.Level) + " " + s.bold(s.name(one.Code)) + fmt.Sprintf(s.t(" (%s%s), since %s", "（%s%s），自 %s"), one.Code, about, s.Clock(one.Since))
	if one.Since.IsZero() {
		head = s.mark(one.Level) + " " + s.bold(s.name(one.Code)) + fmt.Sprintf(s.t(" (%s%s)", "（%s%s）"), one.Code, about)
	}
	lines := s.para(2, head)
	note := one.Level == health.Note
	if detail == detailLeast || note && detail >= detailNoText {
		return lines
	}
	if detail < detailShort {
		lines = append(lines, s.hang("    ", 4, s.Lang.Text(one.Text))...)
	}
	remedy := s.hang("    → ", 6, s.Lang.Text(one.Remedy))
	if detail >= detailOneLine {
		remedy = []string{s.cut(s.sign("    → "+s.Lang.Text(one.Remedy)), s.Width)}
	}
	return append(lines, remedy...)
}

// link returns the lines of a link: how it is, and its counters.
func (s *Screen) link(l *health.Link, now time.Time, detail int) []string {
	t := s.t
	head := padTo(t("link", "链路"), 10) + padTo(l.Name, 7) + " "
	state := s.level(l.Verdict, s.Lang.Text(l.Text))
	if state == "" {
		state = s.level(l.State, s.name(l.State))
	}
	where := l.Wire + t(", ", "，") + l.Port
	if l.Guard != "" && l.Guard != config.GuardOff {
		where += t(", guard ", "，核查 ") + l.Guard
	}
	if detail < detailNoPlace {
		state += t(" (", "（") + where + t(")", "）")
	}
	lines := s.hang(head, 12, state)
	if figures := s.linkFigures(l, now); figures != "" && detail == detailAll {
		lines = append(lines, s.hang(strings.Repeat(" ", 12), 12, figures)...)
	}
	return lines
}

// asks returns what the guard has answered and refused since the start, refusals by their codes.
func (s *Screen) asks(a *health.Asks) string {
	t := s.t
	n := a.Answers
	text := fmt.Sprintf(t("%d may be refunded, %d to look at first, %d held, %d not checked", "可退 %d，须先核对 %d，暂停 %d，未核查 %d"),
		n[string(ask.Proceed)], n[string(ask.Confirm)], n[string(ask.Hold)], n[ask.ReasonUnchecked])
	var all uint64
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(a.Refused)) {
		all += a.Refused[code]
		codes = append(codes, fmt.Sprint(code, " ", a.Refused[code]))
	}
	if all == 0 {
		return text
	}
	return text + fmt.Sprintf(t(", %d refused (%s)", "，拒绝 %d（%s）"), all, strings.Join(codes, t(", ", "，")))
}

func (s *Screen) linkFigures(l *health.Link, now time.Time) string {
	t := s.t
	var parts []string
	if l.FramesGood+l.FramesBad > 0 {
		parts = append(parts, fmt.Sprintf(t("frames %d good, %d damaged", "帧：完整 %d，损坏 %d"), l.FramesGood, l.FramesBad))
	}
	if l.Refused > 0 {
		parts = append(parts, fmt.Sprintf(t("%d messages refused", "拒绝报文 %d"), l.Refused))
	}
	if l.Stalls > 0 && (!l.StalledSince.IsZero() || !l.StalledUntil.IsZero()) {
		overruns := t("overruns unknown", "溢出次数未知")
		if l.Line != nil {
			overruns = fmt.Sprintf(t("%d overruns", "溢出 %d 次"), l.Line.Lost())
		}
		parts = append(parts, fmt.Sprintf(t("not read for %s, %s", "暂停读取 %s，%s"), s.Span(l.StalledFor), overruns))
	}
	if !l.LastFrame.IsZero() {
		parts = append(parts, fmt.Sprintf(t("last %s ago", "最近一帧 %s前"), s.Span(now.Sub(l.LastFrame))))
	}
	if !l.Since.IsZero() {
		parts = append(parts, t("since ", "自 ")+s.Clock(l.Since))
	}
	return strings.Join(parts, t(", ", "，"))
}

func (s *Screen) broker(h *health.Snapshot) string {
	t := s.t
	switch {
	case h.MQTT == nil:
		return s.yellow(t("none configured", "未配置"))
	case h.MQTT.Connected:
		text := fmt.Sprintf(t("%s since %s", "%s，自 %s"), s.green(t("connected", "已连接")), s.Clock(h.MQTT.Since))
		if h.MQTT.Address != "" {
			text += t(", ", "，") + h.MQTT.Address
		}
		if h.MQTT.Reconnects > 0 {
			text += fmt.Sprintf(t(", %d reconnects", "，重连 %d 次"), h.MQTT.Reconnects)
		}
		if h.MQTT.LastError != "" {
			text += t("; before that: ", "；此前：") + s.english(h.MQTT.LastError)
		}
		return text
	}
	text := s.yellow(t("offline", "未连接"))
	if !h.MQTT.Since.IsZero() {
		text += t(" since ", "，自 ") + s.Clock(h.MQTT.Since)
	}
	if h.MQTT.LastError != "" {
		text += t(": ", "：") + s.english(h.MQTT.LastError)
	}
	return text
}

// Outbox prints the line of an outbox.
func (s *Screen) Outbox(o *health.Outbox) error {
	_, err := fmt.Fprintln(s.W, strings.Join(s.para(2, s.outbox(o, detailAll)), "\n"))
	return err
}

func (s *Screen) outbox(o *health.Outbox, detail int) string {
	t := s.t
	text := t("empty", "空")
	if o.Waiting > 0 {
		text = fmt.Sprintf(t("%d waiting (%s)", "%d 条等待（%s）"), o.Waiting, health.SizeText(o.Bytes))
	}
	if !o.Oldest.IsZero() {
		text += t(" since ", "，自 ") + s.Clock(o.Oldest)
	}
	if detail == detailAll {
		text += fmt.Sprintf(t(", last %d, sent %d, acknowledged %d", "，末号 %d，已发 %d，已确认 %d"), o.LastSeq, o.SentSeq, o.AckedSeq)
	}
	if o.Quarantined > 0 {
		text += fmt.Sprintf(t(", %d in quarantine", "，隔离 %d"), o.Quarantined)
	}
	return text
}

func (s *Screen) open(open map[string]int) string {
	var parts []string
	for _, severity := range []string{"critical", "high", "medium", "low", "info"} {
		if n := open[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.name(severity)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return s.t("; open: ", "；未结：") + strings.Join(parts, s.t(", ", "，"))
}
