package usbport

import (
	"encoding/binary"
	"fmt"
)

// Descriptor types, USB 2.0 table 9-5, and what a terminal's interface is.
const (
	typeDevice    = 1
	typeConfig    = 2
	typeInterface = 4
	typeEndpoint  = 5

	deviceSize    = 18
	configSize    = 9
	interfaceSize = 9
	endpointSize  = 7

	bulk           = 2
	maxPacketLimit = 1024
	maxInterfaces  = 32 // of a configuration, for Linux and for libusb

	terminalClass    = 0xff
	terminalSubclass = 0x50
	terminalProtocol = 0x53
)

// A setting is one alternate setting of one interface.
type setting struct {
	config, number, alternate byte
	class, subclass, protocol byte
	endpoints                 []endpoint
}

type endpoint struct {
	address, kind byte
	packet        int
}

// A channel is where a terminal's bytes go.
type channel struct {
	config, number, alternate int
	in, out                   byte // endpoint addresses
	inPacket, outPacket       int  // bytes
}

// parseDescriptors reads what sysfs has in "descriptors": the device's, then all
// of each configuration's. It is strict where the library is not: an error means
// that the library must not see this device.
func parseDescriptors(b []byte) ([]setting, error) {
	if len(b) < deviceSize || b[0] != deviceSize || b[1] != typeDevice {
		return nil, fmt.Errorf("offset 0: no device descriptor")
	}
	var all []setting
	configs := 0
	for offset := deviceSize; offset < len(b); configs++ {
		c := b[offset:]
		if len(c) < configSize || int(c[0]) < configSize || c[1] != typeConfig {
			return nil, fmt.Errorf("offset %d: no configuration descriptor", offset)
		}
		total := int(binary.LittleEndian.Uint16(c[2:]))
		if total < int(c[0]) || total > len(c) {
			return nil, fmt.Errorf("offset %d: configuration of %d bytes, %d are there", offset, total, len(c))
		}
		settings, err := parseConfig(c[:total], offset)
		if err != nil {
			return nil, err
		}
		all = append(all, settings...)
		offset += total
	}
	if configs != int(b[17]) {
		return nil, fmt.Errorf("%d configurations, the device says %d", configs, b[17])
	}
	return all, nil
}

// parseConfig reads one configuration; at is its offset.
func parseConfig(c []byte, at int) ([]setting, error) {
	count, value := int(c[4]), c[5]
	if count > maxInterfaces {
		return nil, fmt.Errorf("offset %d: %d interfaces, at most %d are possible", at, count, maxInterfaces)
	}
	var found []setting
	seen := map[[2]byte]bool{}
	interfaces := 0 // numbers 0 … interfaces-1 have been met
	for offset := int(c[0]); offset < len(c); offset += int(c[offset]) {
		d := c[offset:]
		if len(d) < 2 || d[0] < 2 || int(d[0]) > len(d) {
			return nil, fmt.Errorf("offset %d: a descriptor without room", at+offset)
		}
		switch d[1] {
		case typeInterface:
			if d[0] < interfaceSize {
				return nil, fmt.Errorf("offset %d: an interface descriptor of %d bytes", at+offset, d[0])
			}
			number, alternate := d[2], d[3]
			switch key := [2]byte{number, alternate}; {
			case int(number) >= count:
				return nil, fmt.Errorf("offset %d: interface %d of %d", at+offset, number, count)
			case seen[key]:
				return nil, fmt.Errorf("offset %d: interface %d has setting %d twice", at+offset, number, alternate)
			case int(number) > interfaces:
				return nil, fmt.Errorf("offset %d: interface %d before interface %d", at+offset, number, interfaces)
			default:
				seen[key] = true
			}
			interfaces = max(interfaces, int(number)+1)
			found = append(found, setting{config: value, number: number, alternate: alternate, class: d[5], subclass: d[6], protocol: d[7]})
		case typeEndpoint:
			if d[0] < endpointSize || len(found) == 0 {
				return nil, fmt.Errorf("offset %d: an endpoint out of place", at+offset)
			}
			s := &found[len(found)-1]
			packet := int(binary.LittleEndian.Uint16(d[4:]) & 0x7ff)
			s.endpoints = append(s.endpoints, endpoint{address: d[2], kind: d[3] & 3, packet: packet})
		}
	}
	if interfaces != count {
		return nil, fmt.Errorf("offset %d: %d interfaces, the configuration says %d", at, interfaces, count)
	}
	return found, nil
}

// terminalChannel finds the terminal's interface in the active configuration.
func terminalChannel(settings []setting, config int) (channel, bool) {
	for _, s := range settings {
		if int(s.config) != config || s.class != terminalClass || s.subclass != terminalSubclass || s.protocol != terminalProtocol {
			continue
		}
		c := channel{config: config, number: int(s.number), alternate: int(s.alternate)}
		for _, e := range s.endpoints {
			const toHost, numberMask = 0x80, 0x0f
			if e.kind != bulk || e.packet == 0 || e.packet > maxPacketLimit || e.address&numberMask == 0 {
				continue
			}
			if e.address&toHost != 0 && c.in == 0 {
				c.in, c.inPacket = e.address, e.packet
			} else if e.address&toHost == 0 && c.out == 0 {
				c.out, c.outPacket = e.address, e.packet
			}
		}
		if c.in != 0 && c.out != 0 {
			return c, true
		}
	}
	return channel{}, false
}
