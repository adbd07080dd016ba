package ports

import (
	"errors"
	"fmt"
	"path/filepath"

	"yuanlu/agent/config"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
)

// Device is what may be the port of a link: one line of links list.
type Device struct {
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
	// Verdict and Text are what the running daemon knows of the link, as status has them.
	Verdict string      `json:"verdict,omitempty"`
	Text    config.Text `json:"text,omitzero"`
}

// List returns what is there, serial ports first, with the links of c (nil: none) that are
// configured for it. It opens no port. On an error it returns what it found all the same.
func List(c *config.Config) ([]Device, error) {
	links := map[string]string{} // by port as configured, and by its node
	if c != nil {
		for _, l := range c.Links {
			links[l.Port] = l.Name
			if node, err := filepath.EvalSymlinks(l.Port); err == nil {
				links[node] = l.Name
			}
		}
	}
	serial, err := serialDevices(links)
	usb, usbErr := usbDevices(links)
	return append(append(serial, usb...), unlisted(c, append(serial, usb...))...), errors.Join(err, usbErr)
}

// unlisted returns the ports that are configured and not among the devices that were found:
// they are not there, or are no device of the machine, such as a pseudo-terminal.
func unlisted(c *config.Config, found []Device) []Device {
	if c == nil {
		return nil
	}
	listed := map[string]bool{}
	for i := range found {
		listed[found[i].Link] = true
	}
	var all []Device
	for _, l := range c.Links {
		if listed[l.Name] {
			continue
		}
		d := Device{Kind: "serial", Port: l.Port, Link: l.Name}
		if IsUSB(l.Port) {
			d.Kind, d.Problem = "usb", usbport.ErrAbsent.Error()
		} else if node, err := serialport.Node(l.Port); err == nil {
			d.Node = node
			for _, h := range serialport.Holders(node) {
				d.Holders = append(d.Holders, h.String())
			}
		} else {
			d.Problem = serialport.ErrAbsent.Error()
		}
		all = append(all, d)
	}
	return all
}

func serialDevices(links map[string]string) ([]Device, error) {
	found, err := serialport.List()
	if err != nil {
		return nil, err
	}
	var all []Device
	for _, s := range found {
		d := Device{Kind: "serial", Port: s.Node, Node: s.Node, What: s.Driver}
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

func usbDevices(links map[string]string) ([]Device, error) {
	found, err := usbport.List()
	if err != nil {
		return nil, err
	}
	var all []Device
	for _, u := range found {
		if !u.Terminal && u.Fault == "" {
			continue // a keyboard, or a modem, which is among the serial ports
		}
		d := Device{Kind: "usb", Port: u.Name.String(), Node: u.Node, What: u.Manufacturer + " " + u.Product, Terminal: u.Terminal, Problem: u.Fault}
		if !u.Authorized {
			d.Problem = "not authorized by the kernel"
		} else if err := usbport.Check(u.Name); errors.Is(err, usbport.ErrPermission) {
			d.Problem = Classify(err).Reason
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
