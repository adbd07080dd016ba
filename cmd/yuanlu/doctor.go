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
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/machine"
	"yuanlu/agent/report"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
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
		if health.Worst(all) == health.Error {
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
// and broker from use. Without it, both are tried here.
func (p *program) examine(ctx context.Context, path string) []health.Checkup {
	t := p.lang.T
	name := t("config", "配置")
	f, note, err := p.configInForce(path)
	if err != nil {
		var all []health.Checkup
		for line := range strings.Lines(err.Error()) {
			all = append(all, health.Checkup{Name: name, Level: health.Error, Text: strings.TrimSpace(line), Remedy: t("correct the file; yuanlu config schema explains every name", "修改配置文件；yuanlu config schema 说明各项")})
		}
		return all
	}
	all := []health.Checkup{{Name: name, Level: health.Fine, Text: p.lang.Text(f.Describe()) + ", " + f.Digest}}
	if note != "" {
		all = append(all, health.Checkup{Name: name, Level: health.Warning, Text: note, Remedy: t("tell the back office; yuanlu config show tells what is in force", "请通知后台；yuanlu config show 查看生效配置")})
	}
	lines, running, err := p.askDaemon(ctx, f.Config, "selftest")
	switch {
	case err != nil:
		lines = p.examineHere(ctx, f.Config, err, "config", "store", "daemon")
	case !running:
		lines = p.examineHere(ctx, f.Config, nil, "config", "store", "daemon", "links", "clock", "broker")
	}
	return append(all, lines...)
}

// examineHere goes through some of the checks in this process. unasked is why a daemon
// that runs cannot be asked, nil where none runs.
func (p *program) examineHere(ctx context.Context, c *config.Config, unasked error, steps ...string) []health.Checkup {
	e := health.Examination{Config: c, Chinese: p.lang == screen.Chinese,
		Measure: func(ctx context.Context, step string, _ *health.Snapshot, m *health.Measured) {
			switch step {
			case "config":
				m.Exposed = machine.Exposed(c)
			case "store":
				m.Folder = lookAtFolder(ctx, c.Store.Dir, unasked == nil)
			case "daemon":
				m.Unasked = unasked
			case "links":
				for _, l := range c.Links {
					m.Devices = append(m.Devices, lookAtDevice(l))
				}
			case "clock":
				m.Synced = agent.NewClock(p.now, time.Time{}, nil).Synced()
			case "broker":
				m.Contact = p.contactBroker(ctx, c)
			}
		}}
	return e.Run(ctx, nil, steps...)
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
		lines = p.examineHere(ctx, f.Config, nil, "broker")
	}
	return lines, err
}

// lookTime is how long the pages of a store that is not open may be looked at.
const lookTime = 10 * time.Second

// lookAtFolder looks at the folder of a store without opening it: at the database in it
// only while no process has that open.
func lookAtFolder(ctx context.Context, store string, unopened bool) *health.Folder {
	f := health.Folder{Dir: store, DiskFree: machine.DiskFree(store), Unopened: unopened}
	for { // what is not there yet will be made in the folder above
		if _, err := os.Stat(f.Dir); err == nil || !errors.Is(err, os.ErrNotExist) || filepath.Dir(f.Dir) == f.Dir {
			break
		}
		f.Dir = filepath.Dir(f.Dir)
	}
	f.Err = unix.Access(f.Dir, unix.W_OK|unix.X_OK)
	if unopened {
		look, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		f.Damage = ledger.FoundDamage(store)
		f.Pages, f.PagesErr = ledger.LookAt(look, store)
	}
	return &f
}

// lookAtDevice looks at the device of a link without opening it.
func lookAtDevice(l config.Link) health.Device {
	d := health.Device{Link: l, Node: l.Port}
	bad := func(why health.Trouble, reason string) health.Device {
		d.Trouble, d.Reason = why, reason
		return d
	}
	if !l.Enabled {
		return d
	}
	if ports.IsUSB(l.Port) {
		if !usbport.Built {
			return bad(health.NotBuilt, "")
		}
		name, err := usbport.ParseName(l.Port)
		if err == nil {
			err = usbport.Check(name)
		}
		if err == nil {
			return d
		}
		reason := ports.Classify(err).Reason
		if errors.Is(err, usbport.ErrPermission) {
			return bad(health.LockedUSB, reason)
		}
		return bad(health.Missing, reason)
	}
	if !filepath.IsAbs(d.Node) {
		d.Node = "/dev/serial/by-id/" + d.Node
	}
	err := unix.Access(d.Node, unix.R_OK|unix.W_OK)
	if errors.Is(err, os.ErrPermission) {
		return bad(health.Locked, err.Error())
	}
	if err != nil {
		return bad(health.Missing, err.Error())
	}
	if holders := serialport.Holders(d.Node); len(holders) > 0 {
		return bad(health.InUse, fmt.Sprint(holders[0]))
	}
	return d
}

// contactBroker connects to the broker as the terminal itself; nil: none is configured.
func (p *program) contactBroker(ctx context.Context, c *config.Config) *health.Contact {
	if len(c.MQTT.URLs) == 0 {
		return nil
	}
	names, err := topics.NewNames(c.MQTT.Root, c.Terminal.ID)
	if err != nil {
		return &health.Contact{Failed: []health.Attempt{{Text: err.Error()}}}
	}
	route := mqtt.NewRoute(c.MQTT.URLs)
	dial := dialTo(c, agent.NewClock(p.now, time.Time{}, askClock(c)), route)
	return report.Contact(ctx, report.Attempt{Names: names, HostID: c.Backoffice.Host, Within: c.MQTT.ConnectTimeout, URL: c.MQTT.URLs[0],
		Addresses: route.Addresses, Dial: func(ctx context.Context) (report.Broker, error) { return dial(ctx, "", nil) }})
}
