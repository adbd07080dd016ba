package agent

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
)

// Levels of a problem; the worst one is the verdict of health.
const (
	levelNote     = "note"     // worth saying, nothing is amiss yet
	levelDegraded = "degraded" // part of the work is not done
	levelFailing  = "failing"  // the agent cannot do what it is for
)

// Problem is one thing that is wrong: a stable code, what it means and what to do.
type Problem struct {
	Code   string    `json:"code"` // "store_unavailable", "link_absent", …
	Level  string    `json:"level"`
	About  string    `json:"about,omitempty"` // the link, the file
	Since  time.Time `json:"since"`
	Text   Text      `json:"text"`
	Remedy Text      `json:"remedy"`
}

// Text is a sentence in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// healthBook remembers since when each problem is there.
type healthBook struct {
	mu    sync.Mutex
	since map[string]time.Time // by code and what it is about
}

func newHealthBook() *healthBook { return &healthBook{since: map[string]time.Time{}} }

// date returns every problem its beginning and forgets those that are gone.
func (h *healthBook) date(now time.Time, problems []Problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	there := map[string]bool{}
	for i := range problems {
		p := &problems[i]
		key := p.Code + "\x00" + p.About
		there[key] = true
		if !p.Since.IsZero() {
			continue // known better than from looking now and then
		}
		if _, ok := h.since[key]; !ok {
			h.since[key] = now
		}
		p.Since = h.since[key]
	}
	for key := range h.since {
		if !there[key] {
			delete(h.since, key)
		}
	}
}

// verdictOf returns ok, degraded or failing, and sorts the worst problem to the top.
func verdictOf(problems []Problem) string {
	rank := func(p Problem) int { return slices.Index([]string{levelFailing, levelDegraded, levelNote}, p.Level) }
	slices.SortStableFunc(problems, func(a, b Problem) int { return rank(a) - rank(b) })
	if len(problems) == 0 || problems[0].Level == levelNote {
		return "ok"
	}
	return problems[0].Level
}

// problemList gathers problems.
type problemList []Problem

// add is an addProblem.
func (l *problemList) add(level, code, about string, text, remedy Text) *Problem {
	*l = append(*l, Problem{Code: code, Level: level, About: about, Text: text, Remedy: remedy})
	return &(*l)[len(*l)-1]
}

// problems looks at everything and says what is wrong.
func (a *Agent) problems(s *Snapshot) []Problem {
	var all problemList
	add := all.add
	a.storeProblems(s, add)
	linkProblems(s, add)
	a.brokerProblems(s, add)
	if !s.Clock.Synced {
		add(levelNote, "clock_unsynced", "", Text{"the clock is not synchronised", "系统时钟未同步"},
			Text{"check NTP (timedatectl), or set time.trust = \"always\" where something else keeps the clock right; times may be wrong until then",
				"检查 NTP（timedatectl）；若由其他方式保证时钟正确，设置 time.trust = \"always\"；在此之前时间可能不准"})
	}
	if a.scrape != nil {
		if err := a.scrape.Problem(); err != nil {
			add(levelDegraded, "metrics_unavailable", "", Text{"metrics are not offered: " + err.Error(), "无法提供指标：" + err.Error()},
				Text{"end what holds the port (ss -ltnp), or set metrics.listen to another; it is tried again by itself", "结束占用端口的程序（ss -ltnp），或为 metrics.listen 换一个端口；程序会自动重试"})
		}
	}
	for _, f := range a.future.all() {
		f.problem(add)
	}
	return all
}

// rolledBackFor is how long health tells of a store that was put back.
const rolledBackFor = 24 * time.Hour

// addProblem adds a problem; the pointer is good until the next one.
type addProblem func(level, code, about string, text, remedy Text) *Problem

// LowDisk is the free space below which health warns, in bytes.
const LowDisk = 64 << 20

// DiskLow reports whether less than LowDisk is free where dir lies, or would. Where
// that cannot be told it is not.
func DiskLow(dir string) bool {
	free := DiskFree(dir)
	return free >= 0 && free < LowDisk
}

func (a *Agent) storeProblems(s *Snapshot, add addProblem) {
	switch {
	case s.StoreFull:
		waiting := 0
		for _, l := range s.Links {
			waiting += l.Waiting
		}
		add(levelFailing, "store_unavailable", "", Text{fmt.Sprintf("the disk is full: %d messages wait in memory, nothing is stored", waiting),
			fmt.Sprintf("磁盘已满：%d 条报文在内存中等待，未保存任何内容", waiting)},
			Text{"find what fills the disk (df -h " + a.o.Config.Store.Dir + ", du -xsh /var/*); what may be deleted: old logs, captures/ and bundles/ in store.dir, core files; never yuanlu.db, yuanlu.db-wal or keys/. It is stored by itself as soon as there is room: do not restart before",
				"查找占满磁盘的内容（df -h " + a.o.Config.Store.Dir + "、du -xsh /var/*）；可删除：旧日志、store.dir 下的 captures/ 和 bundles/、core 文件；切勿删除 yuanlu.db、yuanlu.db-wal、keys/。腾出空间后自动保存，此前请勿重启"})
	case s.StoreError != "":
		add(levelFailing, "store_unavailable", "", Text{"nothing can be stored: " + s.StoreError, "无法保存记录：" + s.StoreError},
			Text{"look at the disk and its mount (df, dmesg); the agent tries again by itself", "检查磁盘和挂载（df、dmesg）；程序会自动重试"})
	}
	damageProblems(s.Damage, add)
	if r := s.RolledBack; r != nil && s.At.Sub(r.When).Abs() < rolledBackFor {
		add(levelDegraded, "store_rolled_back", "", Text{fmt.Sprintf("the store was put back from an old copy: it knew of %d case events, but had given out %d; what was not acknowledged is sent again in a new stream", r.LastSeq, r.SeenSeq),
			fmt.Sprintf("存储是从旧副本恢复的：它只知道 %d 个案件事件，而实际已发出 %d 个；未确认的内容在新的流中重新发送", r.LastSeq, r.SeenSeq)},
			Text{"records and cases that came after the copy are not on this terminal any more: look for them at the back office", "复制之后的记录和案件已不在本机：请到后台查找"}).Since = r.When
	}
	o := s.Outbox
	if o.Unsequenced > 0 {
		add(levelFailing, "outbox_full", "", Text{"the outbox is full; new cases are stored but not queued", "待发队列已满；新案件已保存但未排队"},
			Text{"let the back office acknowledge, put back what it refused; see delivery.max_bytes", "请后台确认接收，重新排队被拒收的案件；参见 delivery.max_bytes"})
	} else if o.LimitBytes > 0 && o.Bytes > o.LimitBytes/10*8 {
		add(levelDegraded, "outbox_filling", "", Text{"the outbox is more than 80 % full", "待发队列已用超过 80%"},
			Text{"let the back office acknowledge, put back what it refused", "请后台确认接收，重新排队被拒收的案件"})
	}
	if o.Quarantined > 0 {
		add(levelNote, "outbox_quarantine", "", Text{"events were refused by the back office; cases among them are kept and take room in the outbox", "部分事件被后台拒收；其中的案件会保留并占用待发队列空间"},
			Text{"yuanlu outbox list, then requeue", "运行 yuanlu outbox list，再 requeue"})
	}
	if s.StoreFull || s.DiskFree >= 0 && s.DiskFree < LowDisk {
		text := Text{"the disk is almost full", "磁盘空间不足"}
		if s.StoreFull {
			text = Text{"the disk is full", "磁盘已满"}
		}
		add(levelDegraded, "disk_low", "", text, Text{"make room where store.dir lies", "清理 store.dir 所在分区"})
	}
}

// DamageProblems returns a problem for each thing of the store that was found damaged and
// still lies in quarantine/. Where all records were kept it is a note, else degraded:
// records are lost, or nothing was kept.
func DamageProblems(found []ledger.DamageNote) []Problem {
	var all problemList
	damageProblems(found, all.add)
	return all
}

func damageProblems(found []ledger.DamageNote, add addProblem) {
	for _, d := range found {
		level := levelDegraded
		if d.Whole() {
			level = levelNote
		}
		place := d.Moved
		if at := strings.LastIndex(place, "/quarantine/"); at >= 0 {
			place = place[at+1:]
		}
		text := Text{fmt.Sprintf("%s was damaged: in %s (%s)", d.What, place, d.Why), fmt.Sprintf("%s 已损坏：位于 %s（%s）", d.What, place, d.Why)}
		if d.OfRecords() {
			text = Text{fmt.Sprintf("%s was damaged: %d records kept, %d lost, in %s (%s)", d.What, d.Kept, d.Lost, place, d.Why),
				fmt.Sprintf("%s 已损坏：保留 %d 条记录，丢失 %d 条，位于 %s（%s）", d.What, d.Kept, d.Lost, place, d.Why)}
		}
		add(level, "store_damaged", d.What, text,
			Text{"check the disk (dmesg); send the folder quarantine/ to support, then move it out of store.dir: that ends this message",
				"检查磁盘（dmesg）；将 quarantine/ 目录交给技术支持，然后移出 store.dir，本提示即消失"}).Since = d.When
	}
}

// misreadText says how a link is not understood.
func misreadText(l *LinkState) Text {
	zh := "收到字节但没有帧，波特率、校验位或协议可能不对"
	if l.Misread == ingest.MisreadRefused {
		zh = "多数报文被拒绝，协议或差异文件可能不符"
	}
	return Text{"link " + l.Name + ": " + l.Reason, "链路 " + l.Name + "：" + zh}
}

func linkProblems(s *Snapshot, add addProblem) {
	down, enabled := 0, 0
	for _, l := range s.Links {
		if l.State == "disabled" || l.Reason == notOpenedYet {
			continue
		}
		enabled++
		said := Text{"link " + l.Name + ": " + l.Reason, "链路 " + l.Name + "：" + l.Reason}
		switch l.State {
		case "absent":
			down++
			add(levelDegraded, "link_absent", l.Name, said,
				Text{"check the cable and the name of the port", "检查连接线和端口名称"}).Since = l.Since
		case "denied":
			down++
			add(levelDegraded, "link_denied", l.Name, said,
				Text{"end what holds the port, or add the user yuanlu to its group or install the udev rules 70-yuanlu.rules",
					"结束占用端口的程序，或将用户 yuanlu 加入端口所属的组、安装 udev 规则 70-yuanlu.rules"}).Since = l.Since
		case "degraded":
			if l.Misread != "" {
				add(levelDegraded, "link_degraded", l.Name, misreadText(&l), Text{"stop yuanlu, then: yuanlu links probe " + l.Port, "停止 yuanlu，然后运行 yuanlu links probe " + l.Port}).Since = l.Since
				continue
			}
			add(levelDegraded, "link_degraded", l.Name, said, Text{"see the other problems", "参见其他问题"}).Since = l.Since
		}
		if bad := l.FramesBad; bad > 10 && bad > l.FramesGood/10 {
			add(levelDegraded, "link_noisy", l.Name, Text{"link " + l.Name + " has many damaged frames", "链路 " + l.Name + " 坏帧较多"},
				Text{"check cable, baud and the other line settings", "检查连接线、波特率等串口参数"})
		}
		if l.Refused > 0 {
			add(levelNote, "link_refused", l.Name, Text{"link " + l.Name + ": messages were refused", "链路 " + l.Name + " 有报文被拒绝"},
				Text{"the wire or its profile may not fit the acquirer: yuanlu capture, then yuanlu replay --explain shows each message field by field",
					"协议或差异文件可能与收单机构不符：先用 yuanlu capture 抓包，再用 yuanlu replay --explain 逐域查看报文"})
		}
	}
	if enabled > 0 && down == enabled {
		add(levelFailing, "no_link", "", Text{"no link is connected: refunds are not seen", "没有链路连通：看不到退款"},
			Text{"see the links", "参见各链路"})
	}
}

// brokerPatience is how long the broker may be away before it is a problem.
const brokerPatience = 2 * time.Minute

func (a *Agent) brokerProblems(s *Snapshot, add addProblem) {
	c := a.o.Config
	switch {
	case s.MQTT == nil:
		add(levelNote, "mqtt_not_configured", "", Text{"no broker is configured: cases stay on this terminal", "未配置 MQTT 服务器：案件仅保存在本机"},
			Text{"set mqtt.url", "设置 mqtt.url"})
	case !s.MQTT.Connected && time.Since(a.began) > brokerPatience && a.o.Now().Sub(s.MQTT.Since) > brokerPatience:
		add(levelDegraded, "mqtt_offline", "", Text{"the broker is not reachable: " + s.MQTT.LastError, "无法连接 MQTT 服务器：" + s.MQTT.LastError},
			Text{"check network, mqtt.url and certificates; cases wait in the outbox", "检查网络、mqtt.url 和证书；案件在队列中等待"})
	}
	if s.MQTT != nil {
		for _, one := range s.MQTT.Problems {
			p := add(levelDegraded, one.Code, "", Text{one.Text, one.Text}, Text{"see the log (yuanlu tail)", "查看日志（yuanlu tail）"})
			p.Since = one.Since
		}
	}
	if s.MQTT != nil && len(c.Backoffice.Keys) == 0 {
		add(levelNote, "commands_unsigned", "", Text{"commands are taken without a signature", "未要求命令签名"},
			Text{"configure [[backoffice.key]]", "配置 [[backoffice.key]]"})
	}
	if d := s.CertDays; d != nil && *d < 30 {
		level := levelDegraded
		if *d >= 7 {
			level = levelNote
		}
		text := Text{fmt.Sprintf("the certificate of this terminal ends in %d days", *d), fmt.Sprintf("终端证书将在 %d 天后到期", *d)}
		if *d < 0 {
			text = Text{"the certificate of this terminal has ended", "终端证书已过期"}
		}
		add(level, "cert_expiring", "", text, Text{"renew mqtt.cert_file and mqtt.key_file; the next connection uses them", "更新 mqtt.cert_file 和 mqtt.key_file；下次连接即生效"})
	}
}
