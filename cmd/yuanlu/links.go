package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"yuanlu/agent/config"
	"yuanlu/cmd/yuanlu/screen"
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
		return p.linksList(*path)
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

// device is one line of links list.
type device struct {
	Kind string `json:"kind"` // serial, usb
	Port string `json:"port"` // a name for the configuration, that stays
	Node string `json:"node"`
	What string `json:"what"` // maker and product, or the driver
	// Terminal: it has the interface of a smart terminal. Of a serial port that is not
	// known without listening.
	Terminal bool     `json:"terminal"`
	Link     string   `json:"link,omitempty"`    // that is configured for it
	Holders  []string `json:"holders,omitempty"` // processes that have it open, as far as may be seen
	Problem  string   `json:"problem,omitempty"`
}

// linksList shows what sysfs knows. No port is opened.
func (p *program) linksList(path string) error {
	var links map[string]string
	c, _, err := p.configInForce(path)
	switch {
	case err == nil:
		links = linkNames(c.Config)
	default: // a technician may look before there is a configuration
		fmt.Fprintf(p.stderr, "yuanlu links: %s\n", p.lang.T("without a configuration nobody knows which device is a link of ours", "没有有效配置，无法标出已配置的链路"))
	}
	serial, err := serialDevices(links)
	if err != nil {
		return err
	}
	usb, err := usbDevices(links)
	if err != nil {
		return err
	}
	all := append(serial, usb...)
	if p.json {
		for _, d := range all {
			if err := p.printJSON(d); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(p.stdout, p.lang.T("no serial port and no USB device is there", "没有串口或 USB 设备"))
	}
	var rows [][]string
	for _, d := range all {
		what := d.What
		if d.Terminal {
			what += p.lang.T(" (smart terminal)", "（智能终端）")
		}
		rows = append(rows, []string{d.Port, d.Node, what, d.use(p.lang)})
	}
	p.people(time.UTC).Table(rows)
	return nil
}

// linkNames returns the names of the links, by port as configured and by its node.
func linkNames(c *config.Config) map[string]string {
	links := map[string]string{}
	for _, l := range c.Links {
		links[l.Port] = l.Name
		if node, err := filepath.EvalSymlinks(l.Port); err == nil {
			links[node] = l.Name
		}
	}
	return links
}

// use returns what a device is used for, for people.
func (d *device) use(lang screen.Language) string {
	text := ""
	if d.Link != "" {
		text = lang.T("link ", "链路 ") + d.Link
	}
	for _, h := range d.Holders {
		text += lang.T(", open in ", "，占用：") + h
	}
	if d.Problem != "" {
		text += ", " + d.Problem
	}
	if text == "" {
		return lang.T("free", "空闲")
	}
	for _, sep := range []string{", ", "，"} {
		if len(text) > len(sep) && text[:len(sep)] == sep {
			text = text[len(sep):]
		}
	}
	return text
}

func serialDevices(links map[string]string) ([]device, error) {
	found, err := serialport.List()
	if err != nil {
		return nil, err
	}
	var all []device
	for _, s := range found {
		d := device{Kind: "serial", Port: s.Node, Node: s.Node, What: s.Driver}
		if s.Manufacturer+s.Product != "" {
			d.What = fmt.Sprintf("%s %s (%s:%s, %s)", s.Manufacturer, s.Product, s.VendorID, s.ProductID, s.Driver)
		}
		// Several devices may share a by-id name: then only the socket differs.
		switch {
		case s.ByID != "" && s.Serial != "":
			d.Port = s.ByID
		case s.ByPath != "":
			d.Port = s.ByPath
		case s.ByID != "":
			d.Port = s.ByID
		}
		for _, name := range []string{s.Node, s.ByID, s.ByPath, "/dev/serial/by-id/" + s.ByID} {
			if d.Link == "" && name != "" {
				d.Link = links[name]
			}
		}
		for _, h := range serialport.Holders(s.Node) {
			d.Holders = append(d.Holders, h.String())
		}
		all = append(all, d)
	}
	return all, nil
}

func usbDevices(links map[string]string) ([]device, error) {
	found, err := usbport.List()
	if err != nil {
		return nil, err
	}
	var all []device
	for _, u := range found {
		if !u.Terminal && u.Fault == "" {
			continue // a keyboard, or a modem, which is among the serial ports
		}
		d := device{Kind: "usb", Port: u.Name.String(), Node: u.Node, What: u.Manufacturer + " " + u.Product, Terminal: u.Terminal, Problem: u.Fault}
		if !u.Authorized {
			d.Problem = "not authorized by the kernel"
		} else if err := usbport.Check(u.Name); errors.Is(err, usbport.ErrPermission) {
			_, d.Problem = classify(err)
		}
		bare := u.Name
		bare.Serial = ""
		if d.Link = links[d.Port]; d.Link == "" {
			d.Link = links[bare.String()]
		}
		if d.Terminal && !usbport.Built {
			d.Problem = usbport.ErrNoUSB.Error()
		}
		all = append(all, d)
	}
	return all, nil
}

// portError prints why a port does not open, and returns the exit code of its class.
func (p *program) portError(verb string, err error) error {
	_, reason := classify(err)
	fmt.Fprintf(p.stderr, "yuanlu %s: %s\n", verb, reason)
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
