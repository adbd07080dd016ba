// Package usbip makes simulated payment terminals into real USB devices: a USB/IP
// server that any Linux machine attaches with "usbip attach", after which its
// kernel, drivers and libraries see hardware.
//
//	server, err := usbip.Listen("127.0.0.1:3240")
//	device, err := usbip.NewDevice(usbip.Config{Kind: usbip.Vendor, Serial: "S-0001"})
//	busID, err := server.Plug(device)   // "1-1": usbip attach -r HOST -b 1-1
//	device.Write(frame)                 // arrives at the host's bulk IN endpoint
//	device.Read(buf)                    // what the host wrote to bulk OUT
//	device.Close()                      // the plug is pulled
//
// Two kinds of devices carry the byte stream: Vendor, the smart terminal, with one
// vendor interface (class FF, subclass 50, protocol 53, bulk IN 81 and OUT 02,
// wires.md), and ACM, a modem by the class CDC, which Linux shows as
// /dev/ttyACM0. Either misbehaves on request (Faults) or describes itself wrongly
// (Config.Rewrite).
//
// Protocol: Linux, Documentation/usb/usbip_protocol.rst, version 1.1.1: big-endian
// numbers, the eight setup bytes of a control request little-endian. There are no
// isochronous transfers. A device is taken by one host at a time; when the host
// lets go it may be taken again, with the bytes that were not fetched still there.
package usbip
