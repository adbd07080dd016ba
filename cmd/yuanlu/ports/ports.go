// Package ports opens the ports of links with the drivers, and lists what is there to open.
// It is where the rooms that know no driver get their functions from.
//
// Source: wires.md, Common; cli.md, links.
package ports

import (
	"context"
	"errors"
	"os"
	"slices"
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
// kept, if not nil, is what keeps serial ports open between two runs of the program.
func Opener(l config.Link, kept *Kept) ingest.Opener {
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
		settings := settings
		settings.Kept = kept.take(l.Port)
		p, err := serialport.Open(ctx, settings)
		if err != nil {
			if settings.Kept != nil {
				kept.forget(l.Name)
			}
			return nil, "", err
		}
		kept.keep(l.Name, p)
		return tty{p, func() { kept.forget(l.Name) }}, p.Name(), nil
	}
}

// tty is a serial line whose driver may count errors.
type tty struct {
	*serialport.Port
	forget func() // that it is kept open
}

// Tune sets speed and parity of the open line.
func (p tty) Tune(s ingest.LineSetting) error { return p.Port.Tune(s.Baud, s.Parity) }

// Close closes the port, also where it was kept open.
func (p tty) Close() error {
	p.forget()
	return p.Port.Close()
}

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

// Classify returns what an error of opening or using a port means.
func Classify(err error) ingest.Fault {
	f := ingest.Fault{State: ingest.StateAbsent, Verdict: ingest.VerdictNoPort}
	f.Reason = strings.ReplaceAll(err.Error(), "\n", "; ") // errors that were joined stand on lines of their own
	for _, prefix := range []string{"serialport: ", "usbport: "} {
		f.Reason = strings.TrimPrefix(f.Reason, prefix)
	}
	switch {
	case errors.Is(err, serialport.ErrPermission), errors.Is(err, usbport.ErrPermission), errors.Is(err, usbport.ErrNoUSB):
		f.State, f.Verdict = ingest.StateDenied, ingest.VerdictNoPermission
		if denied, ok := errors.AsType[*serialport.PermissionError](err); ok {
			f.Group, f.Mode = denied.Group, denied.Mode
		}
	case errors.Is(err, serialport.ErrBusy), errors.Is(err, usbport.ErrBusy):
		f.State, f.Verdict = ingest.StateDenied, ingest.VerdictHeld
		if busy, ok := errors.AsType[*serialport.BusyError](err); ok {
			f.Holders = names(busy.Holders)
		}
	case errors.Is(err, serialport.ErrAbsent), errors.Is(err, usbport.ErrAbsent):
		f.Here = Here()
	}
	return f
}

// mostHere bounds the ports that a remedy names.
const mostHere = 6

// Here returns names for the configuration of some of the ports that are here.
func Here() []string {
	all, err := List(nil)
	if err != nil && len(all) == 0 {
		return nil // then none is named
	}
	var found []string
	for _, d := range all[:min(len(all), mostHere)] {
		found = append(found, d.Port)
	}
	return found
}

func names(holders []serialport.Holder) []string {
	var all []string
	for _, h := range holders {
		all = append(all, h.String())
	}
	return all
}

// Holders finds out which processes have ports open. It is used by one goroutine.
type Holders struct {
	openings *serialport.Openings
	found    map[string][]string // what was found last
	at       time.Time           // when
}

// NewHolders has looked at nothing yet.
func NewHolders() *Holders { return &Holders{openings: serialport.NewOpenings()} }

// Close frees what NewHolders has taken.
func (h *Holders) Close() error { return h.openings.Close() }

// lookEvery is how often it is looked at all processes though no port was opened: one may
// hand an open port to another.
const lookEvery = time.Minute

// Of returns for each of these ports which processes besides this one have its
// device open, "pid 812 (minicom)", as far as this user may see them. It opens nothing, and
// looks at the processes only after something was opened or closed.
func (h *Holders) Of(ports []string) map[string][]string {
	nodes := map[string]string{} // by port
	var all []string
	for _, port := range ports {
		if node, err := serialport.Node(port); !IsUSB(port) && err == nil {
			nodes[port] = node
			all = append(all, node)
		}
	}
	if !h.openings.Since(all) && time.Since(h.at) < lookEvery {
		return h.found
	}
	h.found, h.at = holders(nodes, all), time.Now()
	return h.found
}

// holders looks at all processes.
func holders(nodes map[string]string, all []string) map[string][]string {
	found, held := serialport.AllHolders(all), map[string][]string{}
	for port, node := range nodes {
		others := slices.DeleteFunc(slices.Clone(found[node]), func(h serialport.Holder) bool { return h.PID == os.Getpid() })
		held[port] = names(others)
	}
	return held
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
