// Package ports opens the ports of links with the drivers, and lists what is there to open.
// It is where the rooms that know no driver get their functions from.
//
// Source: wires.md, Common; cli.md, links.
package ports

import (
	"context"
	"errors"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
)

// Opener returns the function that opens the port of a link. A USB device is opened in
// a process of its own: descriptors and transfers of a broken one have brought the
// library down before.
func Opener(l config.Link) ingest.Opener {
	if IsUSB(l.Port) {
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
		return tty{p}, p.Name(), nil
	}
}

// tty is a serial line whose driver may count errors.
type tty struct{ *serialport.Port }

// LineCounts returns what the driver counts, in the form of the worker.
func (p tty) LineCounts() (ingest.LineCounts, bool) {
	c, ok := p.Counts()
	return ingest.LineCounts(c), ok
}

// hotplugSettle is how long after a first event the others of the same plug are waited
// for, and udev, which makes links and sets rights.
const hotplugSettle = 300 * time.Millisecond

// Hotplug returns the function that waits until devices come or go, and reports for which
// ports it is worth to look again.
func Hotplug(events *usbport.Events) func(ctx context.Context) (func(port string) bool, error) {
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
	if IsUSB(port) {
		name, err := usbport.ParseName(port)
		return err == nil && c.MayBe(name)
	}
	node, err := serialport.Node(port)
	if err != nil { // not there by this name: it may be any serial port, or none
		node = ""
	}
	return c.MayBeTTY(node)
}

// Classify returns the state of a link that cannot be opened, denied or absent, and why.
func Classify(err error) (state, reason string) {
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

// IsUSB reports whether a port of the configuration is a USB device.
func IsUSB(port string) bool { return strings.HasPrefix(port, "usb:") }

// WithoutUSB returns the links that this build cannot serve: it has no USB library.
// The other links are served all the same.
func WithoutUSB(c *config.Config) []config.Link {
	var all []config.Link
	for _, l := range c.Links {
		if l.Enabled && IsUSB(l.Port) && !usbport.Built {
			all = append(all, l)
		}
	}
	return all
}
