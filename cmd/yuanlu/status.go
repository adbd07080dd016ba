package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
)

func statusVerb() *verb {
	return &verb{name: "status", usage: "[--config F]",
		en: "one screen: links, broker, outbox, cases, problems and remedies", zh: "一屏概览：链路、服务器、队列、案件、问题及处理办法", run: (*program).status}
}

func (p *program) status(ctx context.Context, args []string) error {
	v := statusVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	c, _, err := p.configInForce(*path)
	if err != nil {
		return err
	}
	s, running, err := p.snapshot(ctx, c.Config)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Running bool   `json:"running"`
			Origin  string `json:"config_origin"`
			Version int64  `json:"config_version"`
			health.Snapshot
		}{running, c.Origin(), c.Version, s})
	}
	p.showStatus(p.stdout, &s, running, c.Time.Location())
	fmt.Fprintf(p.stdout, "%s%s, %s\n", padTo(p.lang.t("config", "配置"), 10), p.lang.text(c.Describe()), s.Config)
	return nil
}

// snapshot asks the daemon; while it is not running, the store.
func (p *program) snapshot(ctx context.Context, c *config.Config) (s health.Snapshot, running bool, err error) {
	err = control.Call(ctx, c.Control.Socket, "status", nil, func(raw json.RawMessage) error {
		running = true
		return json.Unmarshal(raw, &s)
	})
	if !errors.Is(err, control.ErrNotRunning) {
		return s, running, err
	}
	now := p.now()
	s = health.Snapshot{Terminal: c.Terminal.ID, Merchant: c.Terminal.MerchantID, Config: c.Digest(), At: now, Verdict: "stopped", DiskFree: -1}
	for _, l := range c.Links {
		s.Links = append(s.Links, ingest.LinkHealth{Name: l.Name, Wire: l.Wire, Port: l.Port, State: "unknown"})
	}
	s.Damage = ledger.FoundDamage(c.Store.Dir)
	s.Problems = health.DamageProblems(s.Damage)
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if errors.Is(err, ledger.ErrNotFound) {
		s.StoreError = p.lang.t("there is no store yet", "尚无数据库")
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	s.Outbox, s.Counts, err = agent.Look(ctx, db, now.In(c.Time.Location()))
	return s, false, errors.Join(err, db.Close())
}

func (p *program) showStatus(w io.Writer, s *health.Snapshot, running bool, zone *time.Location) {
	t, ink := p.lang.t, p.ink(w)
	head := ink.bold("yuanlu") + " " + s.Build.Version
	if !running {
		fmt.Fprintf(w, "%s  %s %s  %s\n", ink.bold("yuanlu"), t("terminal", "终端"), s.Terminal, ink.red(t("the daemon is not running", "守护进程未运行")))
	} else {
		fmt.Fprintf(w, "%s  %s %s  %s %s  %s\n", head, t("terminal", "终端"), s.Terminal, t("up", "已运行"), spanText(s.Uptime),
			ink.level(s.Verdict, p.verdictText(s.Verdict)))
	}
	row := func(name, text string) { fmt.Fprintf(w, "%s%s\n", padTo(name, 10), text) }
	for _, l := range s.Links {
		row(t("link", "链路"), p.linkText(&l, s.At, zone, ink))
	}
	if running {
		row(t("broker", "服务器"), p.brokerText(s, zone, ink))
	}
	row(t("outbox", "待发"), p.outboxText(&s.Outbox, zone))
	n := s.Counts
	row(t("today", "今日"), fmt.Sprintf(t("%d records, %d refunds and voids, %d cases", "记录 %d，退款和撤销 %d，案件 %d"), n.RecordsToday, n.RefundsToday, n.CasesToday))
	row(t("in all", "总计"), fmt.Sprintf(t("%d records, %d refunds and voids, %d cases%s", "记录 %d，退款和撤销 %d，案件 %d%s"), n.Records, n.Refunds, n.Cases, p.openText(s.Outbox.Open)))
	if running {
		clock := t("synchronised", "已同步")
		if !s.Clock.Synced {
			clock = ink.yellow(t("not synchronised", "未同步"))
		}
		row(t("clock", "时钟"), fmt.Sprintf("%s, %s", s.At.In(zone).Format("2006-01-02 15:04:05 -07:00"), clock))
		row(t("process", "进程"), fmt.Sprintf("pid %d, %s %s", s.PID, health.SizeText(s.Memory), t("resident", "常驻内存")))
	}
	if s.StoreError != "" && !running {
		row(t("store", "数据库"), s.StoreError)
	}
	for _, one := range s.Problems {
		p.showProblem(w, &one, zone, ink)
	}
}

func (p *program) showProblem(w io.Writer, one *health.Problem, zone *time.Location, ink ink) {
	mark := map[string]string{"failing": "×", "degraded": "‼", "note": "·"}[one.Level]
	about := ""
	if one.About != "" {
		about = " " + one.About
	}
	fmt.Fprintf(w, "%s %s%s (%s %s)\n    %s\n    → %s\n", ink.level(one.Level, mark), one.Code, about, p.lang.t("since", "自"), clockText(one.Since, zone),
		p.lang.text(one.Text), p.lang.text(one.Remedy))
}

func (p *program) verdictText(verdict string) string {
	return map[string]string{"ok": p.lang.t("ok", "正常"), "degraded": p.lang.t("degraded", "部分异常"), "failing": p.lang.t("failing", "故障")}[verdict]
}

func (p *program) linkText(l *ingest.LinkHealth, now time.Time, zone *time.Location, ink ink) string {
	t := p.lang.t
	parts := []string{fmt.Sprintf("%s  %s  %s  %s", l.Name, l.Wire, l.Port, ink.level(l.State, l.State))}
	if !l.Since.IsZero() {
		parts = append(parts, t("since ", "自 ")+clockText(l.Since, zone))
	}
	if l.FramesGood+l.FramesBad > 0 {
		parts = append(parts, fmt.Sprintf(t("frames %d good, %d bad", "帧：好 %d，坏 %d"), l.FramesGood, l.FramesBad))
	}
	if l.Refused > 0 {
		parts = append(parts, fmt.Sprintf(t("%d messages refused", "拒绝报文 %d"), l.Refused))
	}
	if !l.LastFrame.IsZero() {
		parts = append(parts, fmt.Sprintf(t("last %s ago", "最近 %s前"), spanText(now.Sub(l.LastFrame))))
	}
	return strings.Join(parts, ", ")
}

func (p *program) brokerText(s *health.Snapshot, zone *time.Location, ink ink) string {
	t := p.lang.t
	switch {
	case s.MQTT == nil:
		return ink.yellow(t("none configured", "未配置"))
	case s.MQTT.Connected:
		text := fmt.Sprintf(t("%s since %s, %d reconnects", "%s，自 %s，重连 %d 次"), ink.green(t("connected", "已连接")), clockText(s.MQTT.Since, zone), s.MQTT.Reconnects)
		if s.MQTT.Address != "" {
			text += ", " + s.MQTT.Address
		}
		if s.MQTT.LastError != "" {
			text += t("; before that: ", "；此前：") + s.MQTT.LastError
		}
		return text
	}
	text := ink.yellow(t("offline", "未连接"))
	if !s.MQTT.Since.IsZero() {
		text += t(" since ", "，自 ") + clockText(s.MQTT.Since, zone)
	}
	if s.MQTT.LastError != "" {
		text += ": " + s.MQTT.LastError
	}
	return text
}

func (p *program) outboxText(o *health.Outbox, zone *time.Location) string {
	t := p.lang.t
	text := t("empty", "空")
	if o.Waiting > 0 {
		text = fmt.Sprintf(t("%d waiting (%s)", "%d 条等待（%s）"), o.Waiting, health.SizeText(o.Bytes))
	}
	if !o.Oldest.IsZero() {
		text += t(" since ", "，自 ") + clockText(o.Oldest, zone)
	}
	text += fmt.Sprintf(t(", last %d, sent %d, acknowledged %d", "，末号 %d，已发 %d，已确认 %d"), o.LastSeq, o.SentSeq, o.AckedSeq)
	if o.Quarantined > 0 {
		text += fmt.Sprintf(t(", %d in quarantine", "，隔离 %d"), o.Quarantined)
	}
	return text
}

func (p *program) openText(open map[string]int) string {
	var parts []string
	for _, severity := range []string{"critical", "high", "medium", "low", "info"} {
		if n := open[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return p.lang.t("; open: ", "；未结：") + strings.Join(parts, ", ")
}
