package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/report/mqtt"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
)

func doctorVerb() *verb {
	return &verb{name: "doctor", usage: "[--config F]",
		en: "everything a technician would check, each with its remedy", zh: "逐项体检，并给出处理办法", run: (*program).doctor}
}

// checkup is one line of the doctor.
type checkup struct {
	Name   string `json:"name"`
	Level  string `json:"level"` // ok, warning, error
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

const (
	fine    = "ok"
	warning = "warning"
	wrong   = "error"
)

func (p *program) doctor(ctx context.Context, args []string) error {
	v := doctorVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	all := p.examine(ctx, *path)
	worst := fine
	ink := p.ink(p.stdout)
	for _, one := range all {
		if one.Level == wrong || one.Level == warning && worst == fine {
			worst = one.Level
		}
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
			all = append(all, checkup{t("config", "配置"), wrong, strings.TrimSpace(line), t("correct the file; yuanlu config schema explains every name", "修改配置文件；yuanlu config schema 说明各项")})
		}
		return all
	}
	c := f.Config
	all := []checkup{{t("config", "配置"), fine, f.describe(t) + ", " + f.digest, ""}}
	if note != "" {
		all = append(all, checkup{t("config", "配置"), warning, note, t("tell the back office; yuanlu config show tells what is in force", "请通知后台；yuanlu config show 查看生效配置")})
	}
	all = append(all, p.examineStore(c))
	s, running, err := p.snapshot(ctx, c)
	switch {
	case err != nil:
		all = append(all, checkup{t("daemon", "守护进程"), wrong, err.Error(), t("run doctor as root or as the user of the daemon", "以 root 或守护进程的用户运行 doctor")})
	case !running:
		all = append(all, checkup{t("daemon", "守护进程"), warning, t("is not running", "未运行"), "systemctl start yuanlu"})
		for _, l := range c.Links {
			all = append(all, p.examineLink(&l))
		}
		all = append(all, p.examineClock(), p.examineBroker(ctx, c))
	default:
		all = append(all, p.examineRunning(c, &s)...)
	}
	return all
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
		return checkup{name, wrong, fmt.Sprintf("%s: %v", dir, err), t("give it to the user of the daemon: chown yuanlu", "将目录交给守护进程的用户：chown yuanlu")}
	}
	free := agent.DiskFree(c.Store.Dir)
	one := checkup{name, fine, fmt.Sprintf(t("%s, %s free", "%s，剩余 %s"), c.Store.Dir, sizeText(free)), ""}
	if free >= 0 && free < agent.LowDisk {
		one.Level, one.Remedy = warning, t("make room on its disk", "清理所在磁盘")
	}
	return one
}

// examineRunning turns what the daemon knows into lines: all is well with what no
// problem is about.
func (p *program) examineRunning(c *config.Config, s *agent.Snapshot) []checkup {
	t := p.lang.t
	zone := c.Time.Location()
	all := []checkup{{t("daemon", "守护进程"), fine, fmt.Sprintf("pid %d, %s %s, %s", s.PID, t("up", "已运行"), spanText(s.Uptime), s.Build.Version), ""}}
	if s.Config != c.Digest() {
		all = append(all, checkup{t("config", "配置"), warning, t("the daemon runs with an older configuration", "守护进程仍在使用旧配置"), "systemctl reload yuanlu"})
	}
	for i := range s.Links {
		if l := &s.Links[i]; l.State == "online" || l.State == "disabled" {
			all = append(all, checkup{t("link", "链路"), fine, p.linkText(l, s.At, zone, ink(false)), ""})
		}
	}
	if s.MQTT != nil && s.MQTT.Connected {
		all = append(all, checkup{t("broker", "服务器"), fine, p.brokerText(s, zone, ink(false)), ""})
	}
	if s.Clock.Synced {
		all = append(all, checkup{t("clock", "时钟"), fine, t("synchronised", "已同步"), ""})
	}
	for _, one := range s.Problems {
		level := warning
		if one.Level == "failing" {
			level = wrong
		}
		all = append(all, checkup{one.Code, level, t(one.Text.EN, one.Text.ZH), t(one.Remedy.EN, one.Remedy.ZH)})
	}
	return all
}

// examineLink looks at the device of a link without opening it.
func (p *program) examineLink(l *config.Link) checkup {
	t := p.lang.t
	one := checkup{t("link", "链路") + " " + l.Name, fine, l.Port, ""}
	absent := t("check the cable and the name of the port", "检查连接线和端口名称")
	switch {
	case !l.Enabled:
		one.Text += " (enabled = false)"
	case isUSB(l.Port) && !usbport.Built:
		one.Level, one.Text = wrong, l.Port+": "+t("this program was built without USB support", "本程序编译时未包含 USB 支持")
		one.Remedy = t("install the build that has it", "安装带 USB 的版本")
	case isUSB(l.Port):
		devices, err := usbport.List()
		name, nameErr := usbport.ParseName(l.Port)
		found := false
		for _, d := range devices {
			found = found || d.Name.VendorID == name.VendorID && d.Name.ProductID == name.ProductID && (name.Serial == "" || d.Name.Serial == name.Serial)
		}
		if err := errors.Join(err, nameErr); err != nil || !found {
			one.Level, one.Text, one.Remedy = wrong, l.Port+": "+t("is not there", "不存在"), absent
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

func (p *program) examineClock() checkup {
	t := p.lang.t
	if agent.NewClock(p.now, time.Time{}, nil).Synced() {
		return checkup{t("clock", "时钟"), fine, t("synchronised", "已同步"), ""}
	}
	return checkup{t("clock", "时钟"), warning, t("not synchronised", "未同步"), t("check NTP (timedatectl)", "检查 NTP（timedatectl）")}
}

// examineBroker connects and disconnects. Only while the daemon is not running: a
// second client of the same name would end its connection.
func (p *program) examineBroker(ctx context.Context, c *config.Config) checkup {
	t := p.lang.t
	name := t("broker", "服务器")
	if c.MQTT.URL == "" {
		return checkup{name, warning, t("none configured: cases stay on this terminal", "未配置：案件仅保存在本机"), t("set mqtt.url", "设置 mqtt.url")}
	}
	ctx, cancel := context.WithTimeout(ctx, c.MQTT.ConnectTimeout)
	defer cancel()
	conn, err := dialer(c, agent.NewClock(p.now, time.Time{}, nil))(ctx, "", nil)
	var failed *mqtt.DialError
	switch {
	case errors.As(err, &failed):
		return checkup{name, wrong, failed.Stage + ": " + failed.What, failed.Remedy}
	case err != nil:
		return checkup{name, wrong, err.Error(), ""}
	}
	if err := conn.Close(ctx); err != nil {
		return checkup{name, warning, err.Error(), ""}
	}
	return checkup{name, fine, c.MQTT.URL, ""}
}
