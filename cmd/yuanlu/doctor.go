package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
	"yuanlu/agent/report"
	"yuanlu/agent/report/mqtt"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
	"yuanlu/protocol/topics"
)

func doctorVerb() *verb {
	return &verb{name: "doctor", usage: "[--echo] [--config F]",
		en: "everything a technician would check, each with its remedy", zh: "逐项体检，并给出处理办法", run: (*program).doctor}
}

// checkup is one line of the doctor.
type checkup = agent.Checkup

const (
	fine    = agent.CheckupOK
	warning = agent.CheckupWarning
	wrong   = agent.CheckupError
)

func (p *program) doctor(ctx context.Context, args []string) error {
	v := doctorVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	echo := f.Bool("echo", false, p.lang.t("only the echo to the broker and the back office; exit status 69 where the broker cannot be reached",
		"仅检查服务器与后台的回应；服务器不可达时退出码 69"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	if *echo {
		all, err := p.echo(ctx, *path)
		if err != nil {
			return err
		}
		if err := p.showCheckups(all); err != nil {
			return err
		}
		if agent.Worst(all) == wrong {
			return errSaid(exitBroker)
		}
		return doctorExit(agent.Worst(all))
	}
	all := p.examine(ctx, *path)
	if err := p.showCheckups(all); err != nil {
		return err
	}
	return doctorExit(agent.Worst(all))
}

func (p *program) showCheckups(all []checkup) error {
	ink := p.ink(p.stdout)
	for _, one := range all {
		if p.json {
			if err := p.printJSON(one); err != nil {
				return err
			}
			continue
		}
		mark := map[string]string{fine: ink.green("√"), warning: ink.yellow("‼"), wrong: ink.red("×")}[one.Level]
		fmt.Fprintf(p.stdout, "%s %s %s\n", mark, padTo(one.Name, 12), one.Text)
		if one.Remedy != "" && one.Level != fine {
			fmt.Fprintf(p.stdout, "    → %s\n", one.Remedy)
		}
	}
	return nil
}

// doctorExit returns the exit status for the worst that was found.
func doctorExit(worst string) error {
	switch worst {
	case warning:
		return errSaid(exitWarnings)
	case wrong:
		return errSaid(exitErrors)
	}
	return nil
}

// examine looks at everything. With the daemon running it is asked: it knows links
// and broker from use. Without it, both are tried here.
func (p *program) examine(ctx context.Context, path string) []checkup {
	t := p.lang.t
	f, note, err := p.configInForce(path)
	if err != nil {
		var all []checkup
		for line := range strings.Lines(err.Error()) {
			all = append(all, checkup{Name: t("config", "配置"), Level: wrong, Text: strings.TrimSpace(line), Remedy: t("correct the file; yuanlu config schema explains every name", "修改配置文件；yuanlu config schema 说明各项")})
		}
		return all
	}
	c := f.Config
	all := []checkup{{Name: t("config", "配置"), Level: fine, Text: p.lang.text(f.Describe()) + ", " + f.Digest}}
	if note != "" {
		all = append(all, checkup{Name: t("config", "配置"), Level: warning, Text: note, Remedy: t("tell the back office; yuanlu config show tells what is in force", "请通知后台；yuanlu config show 查看生效配置")})
	}
	lines, running, err := p.askDaemon(ctx, c, "selftest")
	if err != nil || !running {
		for _, o := range agent.Open(c) {
			text := o.Text()
			all = append(all, checkup{Name: t("permissions", "权限"), Level: warning, Text: t(text.EN, text.ZH), Remedy: o.Remedy()})
		}
	}
	switch {
	case err != nil:
		all = append(all, p.examineStore(c), checkup{Name: t("daemon", "守护进程"), Level: wrong, Text: err.Error(),
			Remedy: t("run doctor as root or as the user of the daemon", "以 root 或守护进程的用户运行 doctor")})
	case !running:
		all = append(all, p.examineStore(c))
		all = append(all, p.examineFile(ctx, c)...)
		all = append(all, checkup{Name: t("daemon", "守护进程"), Level: warning, Text: t("is not running", "未运行"), Remedy: "systemctl start yuanlu"})
		for _, l := range c.Links {
			all = append(all, p.examineLink(&l))
		}
		all = append(all, p.examineClock(c))
		all = append(all, p.examineBroker(ctx, c)...)
	default:
		all = append(all, lines...)
	}
	return all
}

// askDaemon has the daemon look for itself, in our language; running is false where
// there is none.
func (p *program) askDaemon(ctx context.Context, c *config.Config, verb string) (lines []checkup, running bool, err error) {
	lang := "en"
	if p.lang == chinese {
		lang = "zh"
	}
	err = control.Call(ctx, c.Control.Socket, verb, map[string]string{"lang": lang}, func(raw json.RawMessage) error {
		var found struct {
			Lines []checkup `json:"lines"`
		}
		running = true
		err := json.Unmarshal(raw, &found)
		lines = found.Lines
		return err
	})
	if errors.Is(err, control.ErrNotRunning) {
		return nil, false, nil
	}
	return lines, running, err
}

// echo asks the broker for a sign of life: through the daemon, whose connection it is,
// else as the terminal itself.
func (p *program) echo(ctx context.Context, path string) ([]checkup, error) {
	f, _, err := p.configInForce(path)
	if err != nil {
		return nil, err
	}
	lines, running, err := p.askDaemon(ctx, f.Config, "echo")
	if err == nil && !running {
		lines = p.examineBroker(ctx, f.Config)
	}
	return lines, err
}

func (p *program) examineStore(c *config.Config) checkup {
	t := p.lang.t
	name, dir := t("store", "数据目录"), c.Store.Dir
	for { // what is not there yet will be made in the folder above
		if _, err := os.Stat(dir); err == nil || !errors.Is(err, os.ErrNotExist) || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return checkup{Name: name, Level: wrong, Text: fmt.Sprintf("%s: %v", dir, err), Remedy: t("give it to the user of the daemon: chown yuanlu", "将目录交给守护进程的用户：chown yuanlu")}
	}
	free := agent.DiskFree(c.Store.Dir)
	one := checkup{Name: name, Level: fine, Text: fmt.Sprintf(t("%s, %s free", "%s，剩余 %s"), c.Store.Dir, sizeText(free))}
	if free >= 0 && free < agent.LowDisk {
		one.Level, one.Remedy = warning, t("make room on its disk", "清理所在磁盘")
	}
	return one
}

// lookTime is how long the pages of a store that is not open may be looked at.
const lookTime = 10 * time.Second

// examineFile looks at what lies in the store's folder without opening the store: only
// while no process has it open.
func (p *program) examineFile(ctx context.Context, c *config.Config) (all []checkup) {
	t := p.lang.t
	for _, one := range agent.DamageProblems(ledger.FoundDamage(c.Store.Dir)) {
		all = append(all, checkup{Name: one.Code, Level: warning, Text: t(one.Text.EN, one.Text.ZH), Remedy: t(one.Remedy.EN, one.Remedy.ZH)})
	}
	look, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	one := checkup{Name: t("database", "数据库"), Level: fine}
	pages, err := ledger.LookAt(look, c.Store.Dir)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		one.Text = fmt.Sprintf(t("%d pages match, then the time was over", "%d 页校验一致，其余未在限时内检查"), pages)
	case err != nil:
		one.Level, one.Text = wrong, err.Error()
		one.Remedy = t("start the daemon: it keeps what is readable and puts the rest aside in quarantine/; check the disk (dmesg)", "启动守护进程：可读部分保留，其余移至 quarantine/；检查磁盘（dmesg）")
	case pages == 0:
		return all
	default:
		one.Text = fmt.Sprintf(t("%d pages match their sums", "%d 页校验一致"), pages)
	}
	return append(all, one)
}

// examineLink looks at the device of a link without opening it.
func (p *program) examineLink(l *config.Link) checkup {
	t := p.lang.t
	one := checkup{Name: t("link", "链路") + " " + l.Name, Level: fine, Text: l.Port}
	absent := t("check the cable and the name of the port", "检查连接线和端口名称")
	switch {
	case !l.Enabled:
		one.Text += " (enabled = false)"
	case isUSB(l.Port) && !usbport.Built:
		one.Level, one.Text = wrong, l.Port+": "+t("this program was built without USB support", "本程序编译时未包含 USB 支持")
		one.Remedy = t("install the build that has it", "安装带 USB 的版本")
	case isUSB(l.Port):
		name, err := usbport.ParseName(l.Port)
		if err == nil {
			err = usbport.Check(name)
		}
		if err != nil {
			_, reason := classify(err)
			one.Level, one.Text, one.Remedy = wrong, l.Port+": "+reason, absent
			if errors.Is(err, usbport.ErrPermission) {
				one.Remedy = t("install 70-yuanlu.rules in /etc/udev/rules.d and plug the device in again", "将 70-yuanlu.rules 安装到 /etc/udev/rules.d 并重新插拔设备")
			}
		}
	default:
		node := l.Port
		if !filepath.IsAbs(node) {
			node = "/dev/serial/by-id/" + node
		}
		if err := unix.Access(node, unix.R_OK|unix.W_OK); err != nil {
			one.Level, one.Text, one.Remedy = wrong, fmt.Sprintf("%s: %v", node, err), absent
			if errors.Is(err, os.ErrPermission) {
				one.Remedy = t("add the user yuanlu to the group of the port, or install 70-yuanlu.rules", "将用户 yuanlu 加入端口所属的组，或安装 70-yuanlu.rules")
			}
		} else if holders := serialport.Holders(node); len(holders) > 0 {
			one.Level, one.Text, one.Remedy = wrong, fmt.Sprintf("%s: %s %v", node, t("in use by", "被占用："), holders[0]), t("end that process", "结束该进程")
		}
	}
	return one
}

func (p *program) examineClock(c *config.Config) checkup {
	t := p.lang.t
	switch {
	case c.Time.Trust == config.TrustAlways:
		return checkup{Name: t("clock", "时钟"), Level: fine, Text: t("trusted: time.trust = always", "可信：time.trust = always")}
	case agent.NewClock(p.now, time.Time{}, nil).Synced():
		return checkup{Name: t("clock", "时钟"), Level: fine, Text: t("synchronised", "已同步")}
	}
	return checkup{Name: t("clock", "时钟"), Level: warning, Text: t("not synchronised", "未同步"),
		Remedy: t("check NTP (timedatectl), or set time.trust = \"always\" where something else keeps the clock right",
			"检查 NTP（timedatectl）；若由其他方式保证时钟正确，设置 time.trust = \"always\"")}
}

// hostPatience is how long the retained presence of the back office may take.
const hostPatience = 2 * time.Second

// mostTried is how many addresses of a broker are tried, one after the other.
const mostTried = 8

// examineBroker connects as the terminal itself, measures the way there and back, and
// looks for the back office. Addresses that fail before one that does not are named.
// Only while the daemon is not running: a second client of the same name would end its
// connection. It publishes nothing.
func (p *program) examineBroker(ctx context.Context, c *config.Config) []checkup {
	t := p.lang.t
	one := checkup{Name: t("broker", "服务器"), Level: fine}
	if len(c.MQTT.URLs) == 0 {
		one.Level, one.Text, one.Remedy = warning, t("none configured: cases stay on this terminal", "未配置：案件仅保存在本机"), t("set mqtt.url", "设置 mqtt.url")
		return []checkup{one}
	}
	route := mqtt.NewRoute(c.MQTT.URLs)
	dial := dialTo(c, agent.NewClock(p.now, time.Time{}, askClock(c)), route)
	var all []checkup
	for tried := 1; ; tried++ {
		attempt, cancel := context.WithTimeout(ctx, c.MQTT.ConnectTimeout+hostPatience)
		conn, err := dial(attempt, "", nil)
		if err == nil {
			for i := range all { // another address does
				all[i].Level = warning
			}
			all = append(all, p.examineConnection(attempt, c, conn, one)...)
			if err := conn.Close(attempt); err != nil {
				all = append(all, checkup{Name: one.Name, Level: warning, Text: err.Error()})
			}
			cancel()
			return all
		}
		cancel()
		failed := checkup{Name: one.Name, Level: wrong, Text: err.Error()}
		why, ok := errors.AsType[*mqtt.DialError](err)
		if ok {
			failed.Text, failed.Remedy = why.Stage+": "+why.What, why.Remedy
		}
		all = append(all, failed)
		if here := !ok || why.Stage == "options" || why.Stage == "files"; here || tried >= min(route.Addresses(), mostTried) || ctx.Err() != nil {
			return all
		}
	}
}

// examineConnection subscribes to what comes down, as the daemon would: the answer is
// the echo, and tells whether the access list allows it.
func (p *program) examineConnection(ctx context.Context, c *config.Config, conn report.Broker, one checkup) []checkup {
	t := p.lang.t
	names, err := topics.NewNames(c.MQTT.Root, c.Terminal.ID)
	if err != nil {
		one.Level, one.Text = wrong, err.Error()
		return []checkup{one}
	}
	at := c.MQTT.URLs[0]
	if named, tells := conn.(interface{ Address() string }); tells {
		at = named.Address()
	}
	begin := time.Now()
	err = conn.Subscribe(ctx, names.DownFilter(), func(string, []byte, bool) {})
	switch took := time.Since(begin).Round(time.Millisecond / 10); {
	case err != nil && conn.Err() == nil:
		one.Level, one.Text = warning, fmt.Sprintf(t("%s, but it refuses %s", "%s，但拒绝订阅 %s"), at, names.DownFilter())
		one.Remedy = t("acknowledgements and commands do not arrive; check its access list", "确认和命令无法到达；检查其访问控制列表")
	case err != nil:
		one.Level, one.Text, one.Remedy = wrong, err.Error(), t("check the broker's log", "查看服务器日志")
	default:
		one.Text = fmt.Sprintf(t("%s, round trip %s", "%s，往返 %s"), at, took)
	}
	all := []checkup{one}
	if err != nil || c.Backoffice.Host == "" {
		return all
	}
	return append(all, p.examineHost(ctx, c, conn, names.HostState(c.Backoffice.Host)))
}

// examineHost waits for the retained presence of the back office.
func (p *program) examineHost(ctx context.Context, c *config.Config, conn report.Broker, topic string) checkup {
	t := p.lang.t
	one := checkup{Name: t("back office", "后台"), Level: warning, Remedy: t("check backoffice.host and the back office", "检查 backoffice.host 和后台")}
	states := make(chan topics.HostState, 1)
	err := conn.Subscribe(ctx, topic, func(_ string, payload []byte, _ bool) {
		var s topics.HostState
		if topics.Exact(payload, &s) == nil {
			select {
			case states <- s:
			default:
			}
		}
	})
	if err != nil {
		one.Text = err.Error()
		return one
	}
	timer := time.NewTimer(hostPatience)
	defer timer.Stop()
	select {
	case s := <-states:
		at := time.UnixMilli(s.Timestamp).In(c.Time.Location()).Format("2006-01-02 15:04:05")
		if one.Text = fmt.Sprintf(t("%s is offline since %s", "%s 自 %s 起离线"), c.Backoffice.Host, at); s.Online {
			one.Level, one.Remedy, one.Text = fine, "", fmt.Sprintf(t("%s is online since %s", "%s 自 %s 起在线"), c.Backoffice.Host, at)
		}
	case <-timer.C:
		one.Text = fmt.Sprintf(t("%s has not said that it is there", "%s 未声明在线"), c.Backoffice.Host)
	case <-ctx.Done():
		one.Text = ctx.Err().Error()
	}
	return one
}
