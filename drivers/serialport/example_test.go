package serialport_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"yuanlu/drivers/serialport"
)

// Open one line of a terminal and read what comes within half a second. Without the
// hardware this example is compiled only.
func ExampleOpen() {
	p, err := serialport.Open(context.Background(), serialport.Config{Port: "/dev/ttyS1", Baud: 9600})
	if errors.Is(err, serialport.ErrAbsent) {
		fmt.Println("check the cable and the name of the port:", err)
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close() }()
	if err := p.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 4096)
	n, err := p.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		fmt.Println("silence")
		return
	}
	fmt.Printf("% X %v\n", b[:n], err)
}

// The ports of this machine by stable name; none is opened for it.
func ExampleList() {
	devices, err := serialport.List()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range devices {
		fmt.Println(d.Node, d.ByID, d.VendorID, d.ProductID)
	}
}
