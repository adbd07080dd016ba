package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/ledger"
)

// Levels of a Checkup.
const (
	CheckupOK      = "ok"
	CheckupWarning = "warning"
	CheckupError   = "error"
)

// Checkup is one line of a selftest.
type Checkup struct {
	Name   string `json:"name"` // what was looked at, or the code of a problem
	Level  string `json:"level"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Worst returns the worst level of the lines.
func Worst(lines []Checkup) string {
	worst := CheckupOK
	for _, l := range lines {
		if l.Level == CheckupError || l.Level == CheckupWarning && worst == CheckupOK {
			worst = l.Level
		}
	}
	return worst
}

// How long the slow steps of a selftest may take.
const (
	storeTime = 10 * time.Second // of quick_check
	probeTime = 5 * time.Second  // of one durable write
	echoTime  = 5 * time.Second  // of the round trip to the broker
)

// mostLines bounds the lines of a selftest.
const mostLines = 64

// examination is one selftest under way.
type examination struct {
	a     *Agent
	zh    bool
	s     Snapshot
	told  map[int]bool // problems of s that have a line
	lines []Checkup
}

func (e *examination) t(en, zh string) string {
	if e.zh {
		return zh
	}
	return en
}

func (e *examination) text(t Text) string { return e.t(t.EN, t.ZH) }

// clean makes one line of a text.
func clean(text string) string { return clip(strings.Join(strings.Fields(text), " "), 500) }

func (e *examination) add(name, level, text, remedy string) {
	e.lines = append(e.lines, Checkup{clip(name, 60), level, clean(text), clean(remedy)})
}

// problems adds the problems whose code begins so, and reports whether there were any.
func (e *examination) problems(prefixes ...string) bool {
	any := false
	for i, p := range e.s.Problems {
		ours := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(p.Code, prefix) })
		if !ours || e.told[i] {
			continue
		}
		level := CheckupWarning
		if p.Level == levelFailing {
			level = CheckupError
		}
		e.told[i], any = true, true
		e.add(p.Code, level, e.text(p.Text), e.text(p.Remedy))
	}
	return any
}

// selftest checks what a technician would check, step by step.
func (a *Agent) selftest(ctx context.Context, args json.RawMessage, progress func(any)) (any, error) {
	var q struct {
		Lang string `json:"lang"`
	}
	if err := arguments(args, &q); err != nil {
		return nil, err
	}
	select { // one at a time: it reads the whole store
	case a.testing <- struct{}{}:
		defer func() { <-a.testing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	lines := a.Examine(ctx, q.Lang == "zh", progress)
	answer := struct {
		Verdict string    `json:"verdict"`
		Lines   []Checkup `json:"lines"`
		LeftOut int       `json:"left_out"`
	}{Worst(lines), lines, 0}
	for {
		if n := len(answer.Lines); n > mostLines {
			answer.LeftOut, answer.Lines = n-mostLines, answer.Lines[:mostLines]
		}
		raw, err := json.Marshal(answer)
		if err != nil || len(raw) <= mostData {
			return answer, err
		}
		answer.Lines = answer.Lines[:len(answer.Lines)-1]
		answer.LeftOut++
	}
}

// echo is the part of a selftest that asks the broker and looks for the back office.
func (a *Agent) echo(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var q struct {
		Lang string `json:"lang"`
	}
	if err := arguments(args, &q); err != nil {
		return err
	}
	e := &examination{a: a, zh: q.Lang == "zh", s: a.Glance(ctx), told: map[int]bool{}}
	e.broker(ctx)
	e.backoffice(ctx)
	return send(map[string][]Checkup{"lines": e.lines})
}

// Examine looks at everything and returns a line for each, in English or Chinese; after
// each step it tells progress, with the worst that the step found. It takes at most 20
// seconds.
func (a *Agent) Examine(ctx context.Context, zh bool, progress func(any)) []Checkup {
	e := &examination{a: a, zh: zh, s: a.Snapshot(ctx), told: map[int]bool{}}
	steps := []struct {
		what string
		do   func(context.Context)
	}{
		{"daemon", e.daemon}, {"config", e.config}, {"store", e.store}, {"disk", e.disk}, {"links", e.links}, {"clock", e.clock},
		{"broker", e.broker}, {"backoffice", e.backoffice}, {"certificate", e.certificate}, {"rest", e.rest},
	}
	for i, step := range steps {
		before := len(e.lines)
		step.do(ctx)
		found := e.lines[before:]
		said := struct {
			Step  int    `json:"step"`
			Steps int    `json:"steps"`
			What  string `json:"what"`
			Level string `json:"level"`
			Text  string `json:"text,omitempty"`
		}{i + 1, len(steps), step.what, Worst(found), ""}
		for _, l := range found {
			if l.Level == said.Level {
				said.Text = l.Text
				break
			}
		}
		progress(said)
		if ctx.Err() != nil {
			break
		}
	}
	return e.lines
}

func (e *examination) daemon(context.Context) {
	e.add(e.t("daemon", "守护进程"), CheckupOK, fmt.Sprintf(e.t("pid %d, up %s, %s", "pid %d，已运行 %s，%s"), e.s.PID, e.s.Uptime, e.s.Build.Version), "")
}

func (e *examination) config(context.Context) {
	for _, o := range Open(e.a.o.Config) {
		text := o.Text()
		e.add(e.t("permissions", "权限"), CheckupWarning, e.t(text.EN, text.ZH), o.Remedy())
	}
	name := e.t("config in force", "生效配置")
	if e.a.o.ReadConfig == nil {
		e.add(name, CheckupOK, e.s.Config, "")
		return
	}
	digest, err := e.a.o.ReadConfig()
	switch {
	case err != nil:
		e.add(name, CheckupError, fmt.Sprintf(e.t("%s is in force, but the file has mistakes: %v", "生效 %s，但配置文件有误：%v"), e.s.Config, err),
			e.t("correct the file; yuanlu config check names each", "修改配置文件；yuanlu config check 逐项指出"))
	case digest != e.s.Config:
		e.add(name, CheckupWarning, fmt.Sprintf(e.t("%s is in force, the file says %s", "生效 %s，文件为 %s"), e.s.Config, digest), "systemctl reload yuanlu")
	default:
		e.add(name, CheckupOK, digest, "")
	}
}

func (e *examination) store(ctx context.Context) {
	name, db := e.t("store", "数据库"), e.a.Store()
	bad := e.problems("store_", "outbox_")
	if db == nil {
		if !bad {
			e.add(name, CheckupError, e.t("is not open", "未打开"), e.t("look at the log", "查看日志"))
		}
		return
	}
	remedy := e.t("look at the disk and its mount (df, dmesg); the agent tries again by itself", "检查磁盘和挂载（df、dmesg）；程序会自动重试")
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	took, err := db.Probe(probe)
	if err == nil && e.s.StoreError != "" { // a small write finds room where a record does not
		err = errors.New(e.s.StoreError)
	}
	if err != nil {
		e.add(name, CheckupError, fmt.Sprintf(e.t("cannot be written: %v", "无法写入：%v"), err), remedy)
		return
	}
	look, cancelLook := context.WithTimeout(ctx, storeTime)
	defer cancelLook()
	f, err := db.Facts(look)
	switch {
	case err != nil:
		e.add(name, CheckupError, fmt.Sprintf(e.t("cannot be read: %v", "无法读取：%v"), err), remedy)
	case f.Check != ledger.CheckOK && f.Check != ledger.NotChecked:
		e.add(name, CheckupError, fmt.Sprintf(e.t("is damaged: %s", "已损坏：%s"), f.Check),
			e.t("restart the agent: it keeps what is readable and moves the rest to quarantine/; check the disk", "重启程序：可读部分保留，其余移至 quarantine/；检查磁盘"))
	default:
		checked := e.t("whole", "完整")
		if f.Check == ledger.NotChecked {
			checked = fmt.Sprintf(e.t("too large to be checked within %s", "过大，%s内未检查完"), storeTime)
		}
		e.add(name, CheckupOK, fmt.Sprintf(e.t("%s, %d MiB, schema %d; a durable write took %s", "%s，%d MiB，模式版本 %d；一次落盘写入用时 %s"),
			checked, f.Bytes>>20, f.Schema, took.Round(time.Millisecond/10)), "")
	}
}

func (e *examination) disk(context.Context) {
	if !e.problems("disk_") {
		free := e.t("free space unknown", "剩余空间未知")
		if e.s.DiskFree >= 0 {
			free = fmt.Sprintf(e.t("%d MiB free", "剩余 %d MiB"), e.s.DiskFree>>20)
		}
		e.add(e.t("disk", "磁盘"), CheckupOK, e.a.o.Config.Store.Dir+": "+free, "")
	}
}

func (e *examination) links(context.Context) {
	for _, l := range e.s.Links {
		if l.State != "online" && l.State != "disabled" && l.Reason != notOpenedYet {
			continue // a problem says more
		}
		last := e.t("no frame yet", "尚无帧")
		if !l.LastFrame.IsZero() {
			last = fmt.Sprintf(e.t("last frame %s ago", "最近一帧 %s前"), e.s.At.Sub(l.LastFrame).Round(time.Second))
		}
		e.add(e.t("link ", "链路 ")+l.Name, CheckupOK, fmt.Sprintf(e.t("%s %s %s, %d frames, %d damaged, %s", "%s %s %s，帧 %d，坏帧 %d，%s"),
			l.State, l.Wire, l.Port, l.FramesGood, l.FramesBad, last), "")
	}
	e.problems("link_", "no_link")
}

func (e *examination) clock(context.Context) {
	defer e.problems("records_")
	switch text := e.t("synchronised", "已同步"); {
	case e.problems("clock_"):
	case e.a.ClockTrusted():
		e.add(e.t("clock", "时钟"), CheckupOK, e.t("trusted: time.trust = always", "可信：time.trust = always"), "")
	default:
		e.add(e.t("clock", "时钟"), CheckupOK, text, "")
	}
}

func (e *examination) broker(ctx context.Context) {
	bad := e.problems("mqtt_")
	if e.a.reporter == nil || bad && !e.s.MQTT.Connected {
		return
	}
	name, m := e.t("broker", "服务器"), e.s.MQTT
	if !m.Connected {
		text := e.t("not connected", "未连接")
		if m.LastError != "" {
			text += ": " + m.LastError
		}
		e.add(name, CheckupError, text, e.t("check network, mqtt.url and certificates; cases wait in the outbox", "检查网络、mqtt.url 和证书；案件在队列中等待"))
		return
	}
	echo, cancel := context.WithTimeout(ctx, echoTime)
	defer cancel()
	took, err := e.a.reporter.Echo(echo)
	if err != nil {
		e.add(name, CheckupError, fmt.Sprintf(e.t("connected, but gives no answer: %v", "已连接，但无应答：%v"), err),
			e.t("check the network and the broker", "检查网络和服务器"))
		return
	}
	text := fmt.Sprintf(e.t("connected since %s, %d reconnects, round trip %s", "自 %s 起已连接，重连 %d 次，往返 %s"),
		m.Since.In(e.zone()).Format("2006-01-02 15:04:05"), m.Reconnects, took.Round(time.Millisecond/10))
	if m.Address != "" {
		text = m.Address + ": " + text
	}
	if m.LastError != "" {
		text += e.t("; before that: ", "；此前：") + m.LastError
	}
	e.add(name, CheckupOK, text, "")
}

func (e *examination) zone() *time.Location { return e.a.o.Config.Time.Location() }

// ackPatience is how long a case may wait for its acknowledgement before a selftest
// warns.
const ackPatience = 2 * time.Minute

func (e *examination) backoffice(context.Context) {
	m, o := e.s.MQTT, e.s.Outbox
	if m == nil {
		return
	}
	name := e.t("back office", "后台")
	if h := m.Host; h != nil {
		switch at := h.At.In(e.zone()).Format("2006-01-02 15:04:05"); {
		case !h.Known:
			e.add(name, CheckupWarning, e.t("has not said that it is there; cases go all the same", "未声明在线；案件照常发送"), e.t("check backoffice.host and the back office", "检查 backoffice.host 和后台"))
		case !h.Online:
			e.add(name, CheckupWarning, fmt.Sprintf(e.t("is offline since %s; cases wait", "自 %s 起离线；案件等待中"), at), e.t("ask the back office", "联系后台"))
		default:
			e.add(name, CheckupOK, fmt.Sprintf(e.t("is online since %s", "自 %s 起在线"), at), "")
		}
	}
	waits := !o.Oldest.IsZero() && e.s.At.Sub(o.Oldest) > ackPatience
	switch last := e.t("nothing was acknowledged since the start", "启动以来没有确认"); {
	case e.a.o.Config.Delivery.Ack != "backoffice":
	case waits && m.LastAck.IsZero(), waits && e.s.At.Sub(m.LastAck) > ackPatience:
		if !m.LastAck.IsZero() {
			last = fmt.Sprintf(e.t("the last acknowledgement came %s ago", "最近一次确认在 %s前"), e.s.At.Sub(m.LastAck).Round(time.Second))
		}
		e.add(name, CheckupWarning, fmt.Sprintf(e.t("%s; %d wait, the oldest for %s", "%s；%d 条等待，最早已等 %s"), last, o.Waiting, e.s.At.Sub(o.Oldest).Round(time.Second)),
			e.t("check that the back office's consumer runs and may write dn/ack", "检查后台消费程序是否运行，是否有权写 dn/ack"))
	case !m.LastAck.IsZero():
		e.add(name, CheckupOK, fmt.Sprintf(e.t("last acknowledgement %s ago, up to %d of %d", "最近一次确认在 %s前，已确认 %d / %d"),
			e.s.At.Sub(m.LastAck).Round(time.Second), o.AckedSeq, o.LastSeq), "")
	default:
		e.add(name, CheckupOK, fmt.Sprintf(e.t("%d wait for an acknowledgement", "%d 条等待确认"), o.Waiting), "")
	}
}

func (e *examination) certificate(context.Context) {
	if !e.problems("cert_") && e.s.CertDays != nil {
		e.add(e.t("certificate", "证书"), CheckupOK, fmt.Sprintf(e.t("ends in %d days", "%d 天后到期"), *e.s.CertDays), "")
	}
}

func (e *examination) rest(context.Context) { e.problems("") }
