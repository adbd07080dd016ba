package usbip

import "encoding/binary"

// Requests of USB 2.0 table 9-4 and CDC 1.1 table 46.
const (
	getStatus        = 0x00
	clearFeature     = 0x01
	setFeature       = 0x03
	getDescriptor    = 0x06
	getConfiguration = 0x08
	setConfiguration = 0x09
	getInterface     = 0x0a
	setInterface     = 0x0b

	setLineCoding       = 0x20
	getLineCoding       = 0x21
	setControlLineState = 0x22
	sendBreak           = 0x23

	featureHalt = 0
	typeMask    = 0x60
	typeClass   = 0x20
	toEndpoint  = 0x02
)

// control answers a request on endpoint 0. The caller holds mu. It reports whether
// the device is pulled in the middle of it.
func (d *Device) control(u urb) (pulled bool) {
	if d.faults.VanishControl > 0 {
		d.faults.VanishControl--
		if d.faults.VanishControl == 0 {
			return true
		}
	}
	if take(&d.faults.HangControl) {
		d.hung[u.seq] = true
		return false
	}
	answer, ok := d.request(u)
	if take(&d.faults.StallControl) {
		ok = false
	}
	if !ok {
		d.session.submitted(u.seq, statusStall, 0, nil)
		return false
	}
	if u.in {
		answer = answer[:min(len(answer), u.length)]
		d.session.submitted(u.seq, statusOK, len(answer), answer)
	} else {
		d.session.submitted(u.seq, statusOK, u.length, nil)
	}
	d.pump() // a halt that was cleared lets transfers go on
	return false
}

// request carries out one control request; false: the device refuses it.
func (d *Device) request(u urb) (answer []byte, ok bool) {
	kind, request := u.setup[0], u.setup[1]
	value := binary.LittleEndian.Uint16(u.setup[2:])
	index := binary.LittleEndian.Uint16(u.setup[4:])
	if u.in != (kind&0x80 != 0) && u.length > 0 {
		return nil, false
	}
	if kind&typeMask == typeClass {
		return d.classRequest(request, value, u.data)
	}
	if kind&typeMask != 0 {
		return nil, false
	}
	switch request {
	case getStatus:
		halted := byte(0)
		if kind&0x1f == toEndpoint && d.halted[uint8(index)] {
			halted = 1
		}
		return []byte{halted, 0}, true
	case clearFeature, setFeature:
		if kind&0x1f != toEndpoint || value != featureHalt {
			return nil, kind&0x1f != toEndpoint // remote wake-up and the like: nothing to do
		}
		d.halted[uint8(index)] = request == setFeature
		return nil, true
	case getDescriptor:
		return d.descriptor(byte(value>>8), byte(value))
	case getConfiguration:
		return []byte{d.configured}, true
	case setConfiguration:
		d.configured = byte(value)
		clear(d.halted)
		return nil, value <= 1
	case getInterface:
		return []byte{0}, true
	case setInterface:
		clear(d.halted)
		return nil, value == 0
	}
	return nil, false
}

func (d *Device) descriptor(kind, index byte) ([]byte, bool) {
	switch kind {
	case descDevice:
		return d.device, true
	case descConfig:
		return d.config, index == 0
	case descString:
		s := d.cfg.stringDescriptor(index)
		return s, s != nil
	}
	return nil, false // qualifier, BOS: a full-speed device of USB 2.0 has none
}

// classRequest is the part of CDC 1.1 § 6.2 that cdc-acm uses.
func (d *Device) classRequest(request byte, value uint16, data []byte) ([]byte, bool) {
	if d.cfg.Kind != ACM {
		return nil, false
	}
	switch request {
	case setLineCoding:
		if len(data) != len(d.lineCoding) {
			return nil, false
		}
		copy(d.lineCoding[:], data)
		return nil, true
	case getLineCoding:
		return d.lineCoding[:], true
	case setControlLineState:
		d.lineState = value
		return nil, true
	case sendBreak:
		return nil, true
	}
	return nil, false
}
