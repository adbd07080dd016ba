// Package usbport reads and writes the byte stream of a smart terminal over USB:
// one vendor interface (class FF, subclass 50, protocol 53) with a bulk IN and a
// bulk OUT endpoint (wires.md § smart), by the rules that every port
// keeps (drivers/drivertest).
//
// It stands on google/gousb v1.1.3 and libusb, with cgo. A build without cgo, or
// with the tag nousb, has the same names; Open answers ErrNoUSB.
//
// What is done against the library's and the hardware's habits:
//
//	habit                                       what is done here
//	enumeration parses every device on the bus  the device is found in sysfs; its raw descriptors
//	and panics on some                          are checked by own code before the library sees
//	                                            them; every library call runs under a recover
//	no hot-plug; a context's list grows stale   a new context for each open; kernel uevents and a
//	                                            slow look at sysfs report the loss of the device
//	a cancelled read may lose what had come     one reader runs as long as the port is open and
//	                                            fills a buffer; deadlines are of the buffer
//	auto-detach takes every interface           exactly our interface's driver is detached, by
//	                                            usbfs, and given back at close
//	control requests wait for ever              a timeout of one second
//	no clear-halt                               CLEAR_FEATURE by a control request; an endpoint
//	                                            that stalls on and on ends the port
//	errors of claiming have lost their class    node, lock and driver are looked at first
//	closing in another order leaks or fails     reader, writer; interface, configuration, device,
//	                                            context; the node and its lock last
//
// Zero-length packets from the device mean nothing and are skipped (many in a row
// are read ever more slowly); a write that ends with a full packet is followed by
// one, so that the device sees its end.
//
// The seam "link" (port.go) is all that the port knows of the library. Open has it
// in this process; OpenIsolated in a second one, so that not even a crash inside
// libusb, or a transfer that the kernel never returns, reaches the agent
// (child.go, rpc.go). The program's main asks IsChild first.
//
// Limits: after a stall the host's data toggle is reset by the host controller
// (xHCI does) or by opening the port again, not by the control request. Another
// device on the bus that makes the library panic keeps the port from opening; the
// error names such devices. A host controller that never returns a cancelled
// transfer costs one goroutine and its memory (ErrStuck at Close).
//
// 70-yuanlu.rules of the program's package is the udev rule that errors speak of.
package usbport
