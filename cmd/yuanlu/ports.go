package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
)

// linksOf joins the links of the configuration with what opens their ports. The
// profiles have been checked with the configuration.
func linksOf(c *config.Config) ([]agent.Link, error) {
	var all []agent.Link
	for _, l := range c.Links {
		profile, err := readProfile(l.Wire, l.Profile)
		if err != nil {
			return nil, err
		}
		all = append(all, agent.Link{Config: l, Profile: profile, Open: opener(l), Classify: classify})
	}
	return all, nil
}

// runUSBChild is the process of OpenIsolated: it has the USB library, a device and
// the sockets of the daemon, and ends when they end. Signals to the whole group are
// left to the daemon: it closes the port in its own time. What the device sends passes
// here in clear, so its memory is protected as the daemon's is.
func runUSBChild() int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// The daemon has set the limit of core dumps, which was inherited; what fails
	// here has no place to be reported to.
	_ = protect()
	return usbport.RunChild()
}

// opener returns the function that opens the port of a link. A USB device is opened in
// a process of its own: descriptors and transfers of a broken one have brought the
// library down before.
func opener(l config.Link) ingest.Opener {
	if isUSB(l.Port) {
		return func(ctx context.Context) (ingest.Port, string, error) {
			name, err := usbport.ParseName(l.Port)
			if err != nil {
				return nil, "", err
			}
			p, err := usbport.OpenIsolated(ctx, name)
			if err != nil {
				return nil, "", err
			}
			return p, p.Name(), nil
		}
	}
	settings := serialport.Config{Port: l.Port, Baud: l.Baud, DataBits: l.DataBits, Parity: l.Parity, StopBits: l.StopBits}
	return func(ctx context.Context) (ingest.Port, string, error) {
		p, err := serialport.Open(ctx, settings)
		if err != nil {
			return nil, "", err
		}
		return p, p.Name(), nil
	}
}

// hotplugSettle is how long after a first event the others of the same plug are waited
// for, and udev, which makes links and sets rights.
const hotplugSettle = 300 * time.Millisecond

// hotplug returns the function that waits until devices come or go, and reports for which
// ports it is worth to look again.
func hotplug(events *usbport.Events) func(ctx context.Context) (func(port string) bool, error) {
	return func(ctx context.Context) (func(port string) bool, error) {
		changes, err := events.Next(ctx, hotplugSettle)
		if err != nil {
			return nil, err
		}
		return func(port string) bool { return mayBe(changes, port) }, nil
	}
}

// mayBe reports whether a configured port may be one of the devices that came or went.
func mayBe(c *usbport.Changes, port string) bool {
	if isUSB(port) {
		name, err := usbport.ParseName(port)
		return err == nil && c.MayBe(name)
	}
	node, err := serialport.Node(port)
	if err != nil { // not there by this name: it may be any serial port, or none
		node = ""
	}
	return c.MayBeTTY(node)
}

// classify returns the state of a link that cannot be opened, denied or absent, and why.
func classify(err error) (state, reason string) {
	denied := errors.Is(err, serialport.ErrPermission) || errors.Is(err, usbport.ErrPermission) ||
		errors.Is(err, serialport.ErrBusy) || errors.Is(err, usbport.ErrBusy) || errors.Is(err, usbport.ErrNoUSB)
	reason = strings.ReplaceAll(err.Error(), "\n", "; ") // errors that were joined stand on lines of their own
	for _, prefix := range []string{"serialport: ", "usbport: "} {
		reason = strings.TrimPrefix(reason, prefix)
	}
	if denied {
		return ingest.StateDenied, reason
	}
	return ingest.StateAbsent, reason
}

// isUSB reports whether a port of the configuration is a USB device.
func isUSB(port string) bool { return strings.HasPrefix(port, "usb:") }

// withoutUSB lists the links that this build cannot serve: it has no USB library.
// The other links are served all the same.
func withoutUSB(c *config.Config) []config.Link {
	var all []config.Link
	for _, l := range c.Links {
		if l.Enabled && isUSB(l.Port) && !usbport.Built {
			all = append(all, l)
		}
	}
	return all
}

// noUSBText returns why such a link cannot be used.
func noUSBText(lang screen.Language, l config.Link) string {
	return fmt.Sprintf(lang.T("link %s: %s cannot be opened: this program was built without USB support; install the build that has it",
		"链路 %s：无法打开 %s：本程序编译时未包含 USB 支持；请安装带 USB 的版本"), l.Name, l.Port)
}
