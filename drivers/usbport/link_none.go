//go:build !cgo || nousb

package usbport

import (
	"context"
	"fmt"
)

// Built: whether this program has the USB library.
const Built = false

// Open always fails here: this program was built without cgo or with the tag
// nousb. The error is ErrNoUSB.
func Open(_ context.Context, c Config) (*Port, error) {
	return nil, fmt.Errorf("usbport: open %s: %w: build with CGO_ENABLED=1 and libusb-1.0-0-dev, or use a serial port", c, ErrNoUSB)
}

func openChild(c Config) (link, error) {
	_, err := Open(context.Background(), c)
	return nil, err
}
