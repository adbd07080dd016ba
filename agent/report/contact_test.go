package report_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestContact: the addresses that fail are listed until one works; the presence of the
// back office is what is retained; nothing is published.
func TestContact(t *testing.T) {
	away := &mqtt.DialError{Stage: "network", What: "refused", Remedy: "start it"}
	for _, tc := range []struct {
		name      string
		errs      []error // of the first attempts
		refuse    bool    // the broker refuses what comes down
		state     string  // retained presence of the back office
		failed    int
		connected bool
		known     bool
	}{
		{name: "the first address works", state: `{"online":true,"timestamp":1000}`, connected: true, known: true},
		{name: "the second one works", errs: []error{away}, state: `{"online":true,"timestamp":1000}`, failed: 1, connected: true, known: true},
		{name: "no address works", errs: []error{away, away, away}, failed: 3},
		{name: "a file is missing", errs: []error{&mqtt.DialError{Stage: "files", What: "no CA"}}, failed: 1},
		{name: "an error of another kind", errs: []error{errors.New("no password")}, failed: 1},
		{name: "the back office is silent", connected: true},
		{name: "the filter is refused", refuse: true, connected: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &brokertest.Fake{}
				f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
					switch {
					case p.Kind != brokertest.Subscribe:
					case p.Filters[0] == names.DownFilter() && tc.refuse:
						_ = c.Raw([]byte{byte(brokertest.Suback << 4), 3, byte(p.ID >> 8), byte(p.ID), 0x80})
						return true
					case p.Filters[0] == names.HostState("desk") && tc.state != "":
						_ = c.Default(p)
						f.Push(p.Filters[0], []byte(tc.state), true)
						return true
					}
					return false
				}
				errs := tc.errs
				found := report.Contact(t.Context(), report.Attempt{Names: names, HostID: "desk", Within: 10 * time.Second, URL: "tcp://localhost",
					Addresses: func() int { return 3 },
					Dial: func(ctx context.Context) (report.Broker, error) {
						if len(errs) > 0 {
							err := errs[0]
							errs = errs[1:]
							return nil, err
						}
						return mqtt.Dial(ctx, mqtt.Options{URL: "tcp://localhost", ClientID: terminal,
							DialContext: func(context.Context, string, string) (net.Conn, error) { return f.Pipe(), nil }})
					}})
				if len(found.Failed) != tc.failed || found.Connected != tc.connected || found.Refused != tc.refuse || found.CloseErr != nil {
					t.Errorf("%+v", found)
				}
				if looked := tc.connected && !tc.refuse; looked != (found.Host != nil) || looked && (found.Host.Known != tc.known || found.Host.Online != tc.known) {
					t.Errorf("back office %+v", found.Host)
				}
				if n := len(f.Published()); n != 0 {
					t.Errorf("%d messages published", n)
				}
				f.CloseAll()
				f.Wait()
			})
		})
	}
}
