package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/machine"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/drivers/serialport"
	"yuanlu/drivers/usbport"
)

// lookAtDevice looks at the device of a link without opening it, for the user that the
// daemon runs as.
func lookAtDevice(l config.Link, daemon uint32) health.Device {
	d := health.Device{Link: l, Node: l.Port, User: machine.NameOf(daemon)}
	bad := func(why health.Trouble, reason string) health.Device {
		d.Trouble, d.Reason = why, reason
		return d
	}
	if !l.Enabled {
		return d
	}
	if ports.IsUSB(l.Port) {
		return lookAtUSB(d)
	}
	if !filepath.IsAbs(d.Node) {
		d.Node = "/dev/serial/by-id/" + d.Node
	}
	info, err := os.Stat(d.Node)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		d.Here = ports.Here()
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return bad(health.Missing, err.Error())
	}
	if err == nil && info.Mode()&fs.ModeCharDevice == 0 {
		d.Here = ports.Here()
		return bad(health.Missing, "it is no serial port")
	}
	if d.Group, _, d.Mode = serialport.Owner(d.Node); err != nil || !mayOpen(d.Node, info, daemon) {
		return bad(health.Locked, "")
	}
	for _, h := range serialport.Holders(d.Node) {
		if h.PID != os.Getpid() {
			d.Holders = append(d.Holders, h.String())
		}
	}
	if len(d.Holders) > 0 {
		return bad(health.InUse, "")
	}
	return d
}

func lookAtUSB(d health.Device) health.Device {
	if !usbport.Built {
		d.Trouble = health.NotBuilt
		return d
	}
	name, err := usbport.ParseName(d.Link.Port)
	if err == nil {
		err = usbport.Check(name)
	}
	switch {
	case err == nil:
		return d
	case errors.Is(err, usbport.ErrPermission):
		d.Trouble = health.LockedUSB
	default:
		d.Trouble, d.Here = health.Missing, ports.Here()
	}
	d.Reason = ports.Classify(err).Reason
	return d
}

// mayOpen reports whether a user may read and write a device: this process is asked where
// it is that user's, else the permissions are.
func mayOpen(node string, info fs.FileInfo, uid uint32) bool {
	if uid != 0 && uid == uint32(os.Geteuid()) {
		return unix.Access(node, unix.R_OK|unix.W_OK) == nil
	}
	return machine.Permits(info, uid, 0o6)
}
