package main

import (
	"context"
	"errors"
	"strings"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
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

// opener gives the function that opens the port of a link.
func opener(l config.Link) ingest.Opener {
	if strings.HasPrefix(l.Port, "usb:") {
		return func(ctx context.Context) (ingest.Port, string, error) {
			name, err := usbport.ParseName(l.Port)
			if err != nil {
				return nil, "", err
			}
			p, err := usbport.Open(ctx, name)
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

// classify tells a link that may not be opened from one that is not there.
func classify(err error) (state, reason string) {
	denied := errors.Is(err, serialport.ErrPermission) || errors.Is(err, usbport.ErrPermission) ||
		errors.Is(err, serialport.ErrBusy) || errors.Is(err, usbport.ErrBusy)
	reason = err.Error()
	for _, prefix := range []string{"serialport: ", "usbport: "} {
		reason = strings.TrimPrefix(reason, prefix)
	}
	if denied {
		return ingest.StateDenied, reason
	}
	return ingest.StateAbsent, reason
}
