package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/machine"
	"yuanlu/agent/report"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/drivers/serialport"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

func doctorVerb() *verb {
	return &verb{name: "doctor", usage: "[--echo] [--config F]",
		en: "everything a technician would check, each with its remedy", zh: "逐项体检，并给出处理办法", run: (*program).doctor}
}

func (p *program) doctor(ctx context.Context, args []string) error {
	v := doctorVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	echo := f.Bool("echo", false, p.lang.T("only the echo to the broker and the back office; exit status 69 where the broker cannot be reached",
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
		broker := func(l health.Checkup) bool {
			return l.Level == health.Error && l.Name == p.lang.T("broker", "服务器")
		}
		if slices.ContainsFunc(all, broker) {
			return errPrinted(exitBroker)
		}
		return doctorExit(health.Worst(all))
	}
	all := p.examine(ctx, *path)
	if err := p.showCheckups(all); err != nil {
		return err
	}
	return doctorExit(health.Worst(all))
}

func (p *program) showCheckups(all []health.Checkup) error {
	if !p.json {
		p.people(time.UTC).Checkups(all)
		return nil
	}
	for _, one := range all {
		if err := p.printJSON(one); err != nil {
			return err
		}
	}
	return nil
}

// doctorExit returns the exit status for the worst that was found.
func doctorExit(worst string) error {
	switch worst {
	case health.Warning:
		return errPrinted(exitWarnings)
	case health.Error:
		return errPrinted(exitErrors)
	}
	return nil
}

// examine looks at everything. With the daemon running it is asked: it knows links
// and broker from use. Without it, both are tried here. No mistake of the configuration
// keeps the rest from being looked at: what of it can be used is.
func (p *program) examine(ctx context.Context, path string) []health.Checkup {
	f, note, err := p.configInForce(path)
	var all []health.Checkup
	c := f.Config
	if err != nil {
		all = p.configMistakes(path, err)
		c, _ = config.Partly(path, configOptions()) // its mistakes have lines already
	} else {
		all = p.configLines(&f, note)
	}
	lines, running, err := p.askDaemon(ctx, c, "selftest")
	switch {
	case err != nil:
		all = append(all, p.examineHere(ctx, c, err, "config", "store", "daemon", "links", "guard", "clock")...)
	case !running:
		all = append(all, p.examineHere(ctx, c, nil, "config", "store", "daemon", "links", "guard", "clock", "broker", "settings")...)
	default:
		all = append(all, lines...)
		all = append(all, p.holdersSeenHere(ctx, c, lines)...)
	}
	return all
}

// configLines are the lines about a configuration that can be used.
func (p *program) configLines(f *desired.InForce, note string) []health.Checkup {
	t := p.lang.T
	name := t("config", "配置")
	all := []health.Checkup{{Name: name, Level: health.Fine, Text: p.lang.Text(catalogue.Textf("%s, %s", "%s，%s", f.Describe(), f.Digest))}}
	if note != "" {
		remedy := t("tell the back office; yuanlu config show shows what is in force", "请通知后台；yuanlu config show 查看生效配置")
		if _, err := os.ReadDir(filepath.Join(f.Config.Store.Dir, "desired")); errors.Is(err, fs.ErrPermission) {
			remedy = "sudo yuanlu doctor"
		}
		all = append(all, health.Checkup{Name: name, Level: health.Warning, Text: note, Remedy: remedy})
	}
	return all
}

// configMistakes has a line for each mistake, and for what keeps the file from being read.
func (p *program) configMistakes(path string, err error) []health.Checkup {
	t := p.lang.T
	remedy := t("correct the file; yuanlu config schema explains every name", "修改配置文件；yuanlu config schema 说明各项")
	switch {
	case errors.Is(err, fs.ErrPermission):
		remedy = t("this user may not read it: sudo yuanlu doctor", "当前用户无权读取：sudo yuanlu doctor")
	case errors.Is(err, fs.ErrNotExist):
		remedy = fmt.Sprintf(t("sudo yuanlu setup, or: yuanlu config init | sudo tee %s", "sudo yuanlu setup，或：yuanlu config init | sudo tee %s"), path)
	}
	var all []health.Checkup
	for _, line := range p.mistakes(err) {
		all = append(all, health.Checkup{Name: t("config", "配置"), Level: health.Error, Text: line, Remedy: remedy})
	}
	return all
}

// mistakes are the lines of an error.
func (p *program) mistakes(err error) []string {
	var all []string
	for line := range strings.Lines(p.lang.Text(catalogue.Translated(err.Error()))) {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// examineHere goes through some of the checks in this process. unasked is why a daemon
// that runs cannot be asked, nil where none runs.
func (p *program) examineHere(ctx context.Context, c *config.Config, unasked error, steps ...string) []health.Checkup {
	daemon := machine.DaemonUID(c.Store.Dir)
	e := health.Examination{Config: c, Chinese: p.lang == screen.Chinese,
		Measure: func(ctx context.Context, step string, _ *health.Snapshot, m *health.Measured) {
			switch step {
			case "config":
				m.Exposed = machine.Exposed(c)
			case "store":
				m.Folder = lookAtFolder(ctx, c, daemon, unasked == nil)
				m.Obstacles = machine.Obstacles(c, daemon)
			case "daemon":
				m.Unasked = unaskedOf(unasked)
			case "links":
				if unasked == nil {
					m.Devices = lookAtDevices(c, daemon)
				}
			case "guard":
				m.Guarding = p.lookAtGuard(ctx, c, daemon)
			case "clock":
				m.Synced = agent.NewClock(p.now, time.Time{}, askClock(c)).Synced()
			case "broker":
				m.Contact = p.contactBroker(ctx, c, slices.Contains(steps, health.StepEcho))
			}
		}}
	return e.Run(ctx, nil, steps...)
}

// lookAtGuard looks at the guard of the links without a daemon, in its store if there is one
// that can be read: what is wrong with that has a line of its own.
func (p *program) lookAtGuard(ctx context.Context, c *config.Config, daemon uint32) *health.Guarding {
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if err != nil {
		return agent.LookAtGuard(ctx, nil, c, p.now(), daemon)
	}
	defer func() { _ = db.Close() }() // it was only read: an error loses nothing
	var found *health.Guarding
	for range 100 { // each look counts a part of the refunds
		found = agent.LookAtGuard(ctx, db, c, p.now(), daemon)
		if found == nil || !slices.ContainsFunc(found.Links, func(l health.GuardedLink) bool { return !l.Counted }) || ctx.Err() != nil {
			break
		}
	}
	return found
}

// unaskedOf returns why a daemon cannot be asked, in the form of the examination.
func unaskedOf(err error) *health.Unasked {
	if err == nil {
		return nil
	}
	u := &health.Unasked{Err: err, Denied: errors.Is(err, control.ErrPermission)}
	if hung, ok := errors.AsType[*control.HungError](err); ok {
		u.PID, u.Stopped, u.Hung = hung.PID, hung.Stopped, true
	}
	return u
}

func lookAtDevices(c *config.Config, daemon uint32) []health.Device {
	var all []health.Device
	for _, l := range c.Links {
		all = append(all, lookAtDevice(l, daemon))
	}
	return all
}

// holdersSeenHere has a line for each port that another process than the daemon has open
// and the daemon does not name: it may see less than the user of doctor.
func (p *program) holdersSeenHere(ctx context.Context, c *config.Config, known []health.Checkup) []health.Checkup {
	if slices.ContainsFunc(known, func(l health.Checkup) bool { return l.Name == "link_held" }) {
		return nil
	}
	daemon, err := control.PID(ctx, c.Control.Socket)
	if err != nil || daemon == 0 {
		return nil // the daemon cannot be distinguished from others then
	}
	var all []health.Checkup
	for _, l := range c.Links {
		if ports.IsUSB(l.Port) || !l.Enabled {
			continue
		}
		node, err := serialport.Node(l.Port)
		if err != nil {
			continue // it has a line
		}
		for _, h := range serialport.Holders(node) {
			if h.PID == daemon || h.PID == os.Getpid() {
				continue
			}
			who := h.String()
			all = append(all, health.Checkup{Name: "link_held", Level: health.Warning,
				Text:   fmt.Sprintf(p.lang.T("link %s: the port is also open in %s, which takes bytes away", "链路 %s：端口同时被 %s 打开，会抢走数据"), l.Name, who),
				Remedy: p.lang.Text(health.ReleasePort(node, []string{who}))})
		}
	}
	return all
}

// askDaemon has the daemon look for itself, in our language; running is false where
// there is none.
func (p *program) askDaemon(ctx context.Context, c *config.Config, verb string) (lines []health.Checkup, running bool, err error) {
	lang := "en"
	if p.lang == screen.Chinese {
		lang = "zh"
	}
	err = control.Call(ctx, c.Control.Socket, verb, map[string]string{"lang": lang}, func(raw json.RawMessage) error {
		var found struct {
			Lines []health.Checkup `json:"lines"`
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
func (p *program) echo(ctx context.Context, path string) ([]health.Checkup, error) {
	f, _, err := p.configInForce(path)
	if err != nil {
		return nil, err
	}
	lines, running, err := p.askDaemon(ctx, f.Config, "echo")
	if err == nil && !running {
		lines = p.examineHere(ctx, f.Config, nil, "broker", health.StepEcho)
	}
	return lines, err
}

// lookTime is how long the pages of a store that is not open may be looked at.
const lookTime = 10 * time.Second

// lookAtFolder looks at the folder of a store without opening it: at the database in it
// only while no process has that open.
func lookAtFolder(ctx context.Context, c *config.Config, daemon uint32, unopened bool) *health.Folder {
	dir := c.Store.Dir
	f := health.Folder{DiskFree: machine.DiskFree(dir), Unopened: unopened, Trouble: machine.StoreTrouble(c, daemon)}
	if unopened {
		f.LockedBy = serialport.LockOwner(filepath.Join(dir, "lock"))
		f.Unopened = f.LockedBy == 0 && f.Trouble.Fault != health.NoWay
	}
	if f.Unopened {
		look, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		f.Damage = ledger.FoundDamage(dir)
		f.Pages, f.PagesErr = ledger.LookAt(look, dir)
	}
	return &f
}

// contactBroker connects to the broker as the terminal itself and, if that is wanted, asks
// the back office; nil: none is configured.
func (p *program) contactBroker(ctx context.Context, c *config.Config, ask bool) *health.Contact {
	if len(c.MQTT.URLs) == 0 {
		return nil
	}
	if c.Terminal.ID == "" { // a mistake that has a line
		return &health.Contact{}
	}
	names, err := topics.NewNames(c.MQTT.Root, c.Terminal.ID)
	if err != nil {
		return &health.Contact{Failed: []health.Attempt{{Text: err.Error()}}}
	}
	keys, err := backofficeKeys(c)
	if err != nil {
		return &health.Contact{Failed: []health.Attempt{{Text: err.Error()}}}
	}
	route := mqtt.NewRoute(c.MQTT.URLs)
	dial := dialTo(c, agent.NewClock(p.now, time.Time{}, askClock(c)), route)
	return report.Contact(ctx, report.Attempt{Names: names, HostID: c.Backoffice.Host, Ask: ask, Keys: keys, Within: c.MQTT.ConnectTimeout, URL: c.MQTT.URLs[0],
		Addresses: route.Addresses, Dial: func(ctx context.Context) (report.Broker, error) { return dial(ctx, "", nil) }})
}
