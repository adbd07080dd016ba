package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A device that comes wakes the links whose port it may be, and no other; a source of
// events that fails wakes none and is asked again later.
func TestOnlyLinksThatMayHaveTheDeviceAreWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		comes := []string{"usb:1209:5053", "", "/dev/ttyACM0"}
		hotplug := func(ctx context.Context) (func(string) bool, error) {
			if len(comes) == 0 {
				cancel()
				return nil, ctx.Err()
			}
			came := comes[0]
			if comes = comes[1:]; came == "" {
				return nil, errors.New("no events")
			}
			return func(port string) bool { return strings.HasPrefix(port, came) }, nil
		}
		var woken []string
		var sockets []socket
		for _, port := range []string{"usb:1209:5053:S-1", "/dev/ttyACM0", "/dev/ttyS1"} {
			sockets = append(sockets, socket{port, func() { woken = append(woken, port) }})
		}
		if err := watchDevices(ctx, hotplug, sockets); err != nil {
			t.Fatal(err)
		}
		if want := []string{"usb:1209:5053:S-1", "/dev/ttyACM0"}; !slices.Equal(woken, want) {
			t.Errorf("woken %v, want %v", woken, want)
		}
	})
}
