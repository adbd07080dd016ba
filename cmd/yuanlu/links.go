package main

import (
	"context"
	"errors"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
)

func linksVerb() *verb {
	return &verb{name: "links", usage: "list [--config F] | probe PORT [--for 60s]",
		en: "devices that could be a terminal; which wire and speed one speaks", zh: "列出可能的终端设备；探测端口的协议和速率", run: (*program).links}
}

func (p *program) links(ctx context.Context, args []string) error {
	v := linksVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	long := f.Duration("for", time.Minute, p.lang.T("how `long` to listen, up to 1h", "监听`时长`，最大 1h"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
		return p.linksList(ctx, *path)
	case rest[0] == "probe" && len(rest) == 2:
		if *long < time.Second || *long > time.Hour {
			return p.wrongUsage(v, "%s", p.lang.T("--for wants 1s to 1h", "--for 需要 1s 至 1h"))
		}
		return p.linksProbe(ctx, rest[1], *long)
	case rest[0] == "probe":
		return p.wrongUsage(v, "%s", p.lang.T("which PORT?", "缺少端口"))
	}
	return p.wrongWord(v, rest[0], "list", "probe")
}

// linksList shows what sysfs knows, and what the running daemon knows of its links. No port is
// opened.
func (p *program) linksList(ctx context.Context, path string) error {
	c, _, err := p.configInForce(path)
	if err != nil { // a technician may look before there is a configuration
		p.complain("links", catalogue.Both("without a configuration it is not known which device is a link of ours", "没有有效配置，无法标出已配置的链路"))
	}
	all, err := ports.List(c.Config)
	if err != nil {
		return err
	}
	if c.Config != nil {
		addVerdicts(ctx, c.Config, all)
	}
	if p.json {
		for _, d := range all {
			if err := p.printJSON(d); err != nil {
				return err
			}
		}
		return nil
	}
	p.people(time.UTC).Devices(all)
	return nil
}

// verdictsWithin bounds the wait for the daemon: the devices are shown without it, too.
const verdictsWithin = 3 * time.Second

// addVerdicts adds what the running daemon knows of each link.
func addVerdicts(ctx context.Context, c *config.Config, all []ports.Device) {
	ctx, cancel := context.WithTimeout(ctx, verdictsWithin)
	defer cancel()
	// Without a daemon, or one that does not answer, there is nothing to add.
	_ = control.Call(ctx, c.Control.Socket, "status", nil, control.Each(func(s health.Snapshot) error {
		for i := range all {
			for k := range s.Links {
				if l := &s.Links[k]; l.Name == all[i].Link && all[i].Link != "" {
					all[i].Verdict, all[i].Text = l.Verdict, l.Text
				}
			}
		}
		return nil
	}))
}

// portError prints why a port does not open, and returns the exit code of its class.
func (p *program) portError(verb string, err error) error {
	p.complain(verb, catalogue.Translated(ports.Classify(err).Reason))
	switch {
	case errors.Is(err, serialport.ErrAbsent), errors.Is(err, usbport.ErrAbsent):
		return errPrinted(exitNotFound)
	case errors.Is(err, serialport.ErrPermission), errors.Is(err, usbport.ErrPermission):
		return errPrinted(exitPermission)
	case errors.Is(err, serialport.ErrSettings), errors.Is(err, usbport.ErrName):
		return errPrinted(exitUsage)
	}
	return errPrinted(exitDevice)
}
