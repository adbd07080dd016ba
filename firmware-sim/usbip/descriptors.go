package usbip

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// A Kind is what a device shows itself as.
type Kind int

// The kinds of devices.
const (
	Vendor Kind = iota // the smart terminal: one vendor interface, two bulk endpoints
	ACM                // a CDC-ACM modem: /dev/ttyACM0 under Linux
)

// Descriptor types and other numbers of USB 2.0, chapter 9, and CDC 1.1, 5.2.3.
const (
	descDevice    = 1
	descConfig    = 2
	descString    = 3
	descInterface = 4
	descEndpoint  = 5
	descCDC       = 0x24

	classCDC       = 0x02
	classCDCData   = 0x0a
	classVendor    = 0xff
	vendorSubclass = 0x50 // wires.md, USB
	vendorProtocol = 0x53

	epIn        = 1 // 81
	epOut       = 2 // 02
	epInterrupt = 3 // 83

	english       = 0x0409
	deviceRelease = 0x0100
	defaultVendor = 0x1209 // pid.codes
	smartProduct  = 0x5053
	acmProduct    = 0x5054
)

// Config describes a device. The zero value is a full-speed smart terminal
// without serial number.
type Config struct {
	Kind                Kind
	VendorID, ProductID uint16 // 0: 1209 and 5053 (Vendor) or 5054 (ACM)
	Serial              string // "": none
	Manufacturer        string // "": "Yuanlu"
	Product             string // "": by kind
	PacketSize          int    // 64 (full speed) or 512 (high speed). 0: 64
	Buffer              int    // bytes kept each way. 0: 64 KiB

	// Rewrite changes the configuration descriptor before the host gets it: a
	// rogue device. nil: an honest one.
	Rewrite func(config []byte) []byte
	// RewriteDevice changes the 18 bytes of the device descriptor. nil: an honest one.
	RewriteDevice func(device []byte) []byte
}

func (c Config) withDefaults() (Config, error) {
	or := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	or(&c.Manufacturer, "Yuanlu")
	product := uint16(smartProduct)
	switch c.Kind {
	case Vendor:
		or(&c.Product, "Simulated smart POS")
	case ACM:
		or(&c.Product, "Simulated e-sign POS")
		product = acmProduct
	default:
		return c, fmt.Errorf("usbip: kind %d, want Vendor or ACM", c.Kind)
	}
	if c.VendorID == 0 {
		c.VendorID = defaultVendor
	}
	if c.ProductID == 0 {
		c.ProductID = product
	}
	if c.PacketSize == 0 {
		c.PacketSize = 64
	}
	if c.PacketSize != 64 && c.PacketSize != 512 {
		return c, fmt.Errorf("usbip: packet size %d, want 64 or 512", c.PacketSize)
	}
	if c.Buffer == 0 {
		c.Buffer = 64 << 10
	}
	for _, s := range []string{c.Serial, c.Manufacturer, c.Product} {
		if len(utf16.Encode([]rune(s))) > 126 {
			return c, fmt.Errorf("usbip: a string descriptor of %d characters, at most 126", len(s))
		}
	}
	return c, nil
}

// speed in the numbers of the protocol: 2 full, 3 high.
func (c Config) speed() uint32 {
	if c.PacketSize == 512 {
		return 3
	}
	return 2
}

// deviceDescriptor is USB 2.0 table 9-8.
func (c Config) deviceDescriptor() []byte {
	class, serial := byte(0), byte(0)
	if c.Kind == ACM {
		class = classCDC
	}
	if c.Serial != "" {
		serial = 3
	}
	b := []byte{18, descDevice, 0x00, 0x02, class, 0, 0, 64}
	b = binary.LittleEndian.AppendUint16(b, c.VendorID)
	b = binary.LittleEndian.AppendUint16(b, c.ProductID)
	b = binary.LittleEndian.AppendUint16(b, deviceRelease)
	return append(b, 1, 2, serial, 1)
}

// configDescriptor is USB 2.0 tables 9-10, 9-12, 9-13 and, for ACM, the functional
// descriptors of CDC 1.1 § 5.2.3.
func (c Config) configDescriptor() []byte {
	endpoint := func(address, attributes byte, size int, interval byte) []byte {
		return []byte{7, descEndpoint, address, attributes, byte(size), byte(size >> 8), interval}
	}
	bulk := append(endpoint(0x80|epIn, 2, c.PacketSize, 0), endpoint(epOut, 2, c.PacketSize, 0)...)
	var body []byte
	interfaces := byte(1)
	switch c.Kind {
	case Vendor:
		body = append(body, 9, descInterface, 0, 0, 2, classVendor, vendorSubclass, vendorProtocol, 0)
	case ACM:
		interfaces = 2
		body = append(body, 9, descInterface, 0, 0, 1, classCDC, 2, 1, 0)
		body = append(body, 5, descCDC, 0x00, 0x10, 0x01) // header, CDC 1.10
		body = append(body, 5, descCDC, 0x01, 0x00, 1)    // call management: none, data on interface 1
		body = append(body, 4, descCDC, 0x02, 0x02)       // ACM: line coding and line state
		body = append(body, 5, descCDC, 0x06, 0, 1)       // union of 0 and 1
		body = append(body, endpoint(0x80|epInterrupt, 3, 8, 16)...)
		body = append(body, 9, descInterface, 1, 0, 2, classCDCData, 0, 0, 0)
	}
	body = append(body, bulk...)
	total := 9 + len(body)
	head := []byte{9, descConfig, byte(total), byte(total >> 8), interfaces, 1, 0, 0x80, 50}
	return append(head, body...)
}

// stringDescriptor is USB 2.0 § 9.6.7; nil if the device has no such string.
func (c Config) stringDescriptor(index byte) []byte {
	if index == 0 {
		return []byte{4, descString, english & 0xff, english >> 8}
	}
	all := [...]string{1: c.Manufacturer, 2: c.Product, 3: c.Serial}
	if int(index) >= len(all) || all[index] == "" {
		return nil
	}
	b := []byte{0, descString}
	for _, u := range utf16.Encode([]rune(all[index])) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	b[0] = byte(len(b))
	return b
}

// interfaces returns class, subclass, protocol and a pad byte of every interface, as
// the device list has them.
func (d *Device) interfaces() []byte {
	var b []byte
	for rest := d.honest; len(rest) >= 9; rest = rest[rest[0]:] {
		if rest[1] == descInterface {
			b = append(b, rest[5], rest[6], rest[7], 0)
		}
	}
	return b
}
