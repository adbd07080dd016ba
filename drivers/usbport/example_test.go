package usbport_test

import (
	"context"
	"fmt"
	"time"

	"yuanlu/drivers/usbport"
)

// A device is named by vendor and product, and where there are several by serial number.
func ExampleParseName() {
	c, err := usbport.ParseName("usb:1209:5053:0007")
	fmt.Printf("%04x %04x %s %s %v\n", c.VendorID, c.ProductID, c.Serial, c, err)
	_, err = usbport.ParseName("usb:1209")
	fmt.Println(err)
	// Output:
	// 1209 5053 0007 usb:1209:5053:0007 <nil>
	// usbport: "usb:1209": no name of a USB port: want usb:VID:PID[:SERIAL]
}

// Open a terminal and read from it within a second. Without the hardware this example is
// compiled only.
func ExampleOpen() {
	p, err := usbport.Open(context.Background(), usbport.Config{VendorID: 0x1209, ProductID: 0x5053})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close() }()
	if err := p.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 4096)
	n, err := p.Read(b)
	fmt.Printf("% X %v\n", b[:n], err)
}
