package serialport

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeTree lays down a /sys and /dev as a terminal with a built-in UART, one that
// was never found, a USB adapter with and two without serial numbers has them.
func fakeTree(t *testing.T) tree {
	t.Helper()
	root := t.TempDir()
	file := func(path, content string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(path, target string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, target), path); err != nil {
			t.Fatal(err)
		}
	}
	file("sys/class/tty/tty0/dev", "4:0\n")
	for i, kind := range []string{"4\n", "0\n"} {
		tty := "ttyS" + string(rune('0'+i))
		file("sys/class/tty/"+tty+"/type", kind)
		file("sys/devices/platform/serial8250/"+tty+"/x", "")
		link("sys/class/tty/"+tty+"/device", "sys/devices/platform/serial8250/"+tty)
	}
	usb := func(port, tty, serial, usbtty, number string) {
		dev := "sys/devices/pci0000:00/usb1/" + port
		file(dev+"/idVendor", "1a86\n")
		file(dev+"/idProduct", "7523\n")
		file(dev+"/product", "USB2.0-Serial / 1\n")
		if serial != "" {
			file(dev+"/serial", serial+"\n")
			file(dev+"/manufacturer", "QinHeng  Electronics\n")
		}
		file(dev+"/"+port+":1.0/bInterfaceNumber", number+"\n")
		at := dev + "/" + port + ":1.0"
		if usbtty != "" {
			at += "/" + usbtty
			file(at+"/port_number", "0\n")
		}
		link(at+"/driver", "sys/bus/usb/drivers/ch341")
		link("sys/class/tty/"+tty+"/device", at)
		file("dev/"+tty, "")
	}
	usb("1-1", "ttyUSB0", "A 5/7", "ttyUSB0", "00")
	usb("1-2", "ttyUSB1", "", "ttyUSB1", "00")
	usb("1-3", "ttyUSB2", "", "ttyUSB2", "00")
	usb("1-4", "ttyACM0", "77", "", "02")
	link("dev/serial/by-path/pci-0000:00-usb-0:2:1.0-port0", "dev/ttyUSB1")
	return tree{sys: filepath.Join(root, "sys"), dev: filepath.Join(root, "dev")}
}

func TestListReadsSysfs(t *testing.T) {
	tr := fakeTree(t)
	got, err := tr.list()
	if err != nil {
		t.Fatal(err)
	}
	node := func(n string) string { return filepath.Join(tr.dev, n) }
	const twin = "usb-1a86_USB2.0-Serial___1-if00-port0"
	want := []Device{
		{Node: node("ttyACM0"), ByID: "usb-QinHeng_Electronics_USB2.0-Serial___1_77-if02", Driver: "ch341",
			VendorID: "1a86", ProductID: "7523", Serial: "77", Manufacturer: "QinHeng  Electronics", Product: "USB2.0-Serial / 1"},
		{Node: node("ttyS0")},
		{Node: node("ttyUSB0"), ByID: "usb-QinHeng_Electronics_USB2.0-Serial___1_A_5_7-if00-port0", Driver: "ch341",
			VendorID: "1a86", ProductID: "7523", Serial: "A 5/7", Manufacturer: "QinHeng  Electronics", Product: "USB2.0-Serial / 1"},
		{Node: node("ttyUSB1"), ByID: twin, ByPath: node("serial/by-path/pci-0000:00-usb-0:2:1.0-port0"), Driver: "ch341",
			VendorID: "1a86", ProductID: "7523", Product: "USB2.0-Serial / 1"},
		{Node: node("ttyUSB2"), ByID: twin, Driver: "ch341", VendorID: "1a86", ProductID: "7523", Product: "USB2.0-Serial / 1"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAByIDNameThatTwoDevicesHaveIsRefused(t *testing.T) {
	tr := fakeTree(t)
	if node, err := tr.byID("usb-QinHeng_Electronics_USB2.0-Serial___1_77-if02"); node != filepath.Join(tr.dev, "ttyACM0") || err != nil {
		t.Errorf("a unique name: %q, %v", node, err)
	}
	if node, err := tr.byID("usb-1a86_USB2.0-Serial___1-if00-port0"); node != "" || !errors.Is(err, ErrAbsent) {
		t.Errorf("a name of two: %q, %v", node, err)
	}
	for _, name := range []string{"", "usb-none"} {
		t.Run(name, func(t *testing.T) {
			if node, err := tr.byID(name); node != "" || err != nil {
				t.Errorf("%q: %q, %v", name, node, err)
			}
		})
	}
}
