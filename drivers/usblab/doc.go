// Package usblab runs programs on a Linux that has USB, for tests on machines
// whose kernel has none: a virtual machine (qemu, no /dev/kvm needed) with
// Debian's kernel, an initramfs made on the spot, and the USB/IP host controller
// vhci-hcd, to which a USB/IP server's devices are attached. Everything between the
// program and that server is the real thing: libusb, usbfs, usbcore, cdc-acm, the tty
// layer.
//
// A test hands Boot its binaries and a script and gets the script's output and
// exit status:
//
//	kernel, err := usblab.Prepare(ctx)            // downloads once, then from the cache
//	result, err := usblab.Boot(ctx, kernel, usblab.Options{
//		Files:  map[string]string{"/bin/yuanlu": "../../bin/yuanlu"},
//		Script: "yuanlu run --config /etc/yuanlu.toml",
//		Timeout: 2 * time.Minute,
//	})
//
// The guest has busybox, the files given with the shared libraries they need,
// a loopback and a network card by which the host's loopback is 10.0.2.2, and a
// devtmpfs without udev. A script attaches a device of the host's server with
// "usbip attach -r 10.0.2.2 -b 1-1" if Files brings /usr/sbin/usbip along (Debian
// package usbip, see Tool), or by a program of the test's own that calls
// firmware-sim/usbip.Attach: the test binary itself will do, as here.
//
// The package's own test is also its example: it boots itself, and in the guest
// runs the suite of drivers/drivertest against usbport and serialport.
//
// YUANLU_USBLAB decides what tests do: unset, they skip; "auto", they run where
// qemu, a kernel and busybox can be had and print what is missing where not; "1", they must run.
// Needed from Debian: qemu-system-x86, busybox-static, dpkg, apt (for the kernel
// image that linux-image-amd64 depends on, 70 MB once). The image is kept,
// unpacked, in YUANLU_LAB_CACHE, else in yuanlu-lab below the user's cache folder,
// else in /var/cache/yuanlu-lab.
package usblab
