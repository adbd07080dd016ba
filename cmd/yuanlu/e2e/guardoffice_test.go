package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// TestE2EGuardOffice: at level office the back office decides first while it can be reached; a supervisor on site does once
// the host is known to be offline, or the broker is away. Five wrong PINs lock him, which is published on up/event; another
// supervisor still releases.
func TestE2EGuardOffice(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	host := brokertest.NewClient(t, broker.URL(), "office", nil, "yuanlu/v1/t-office/up/event")
	presence := func(online bool) {
		t.Helper()
		if err := host.Publish("yuanlu/v1/_host/desk/state", true, fmt.Appendf(nil, `{"online":%t,"timestamp":%d}`, online, time.Now().UnixMilli())); err != nil {
			t.Fatal(err)
		}
	}
	presence(true)
	fw := newFirmware(t, "e-sign", 15)
	_, key := newKey(t, "k1")
	c := &counter{station: newStation(t, settings{id: "t-office", port: fw.link, broker: broker.URL(), link: `guard = "office"`, extra: `[guard]
office_wait = "10m"
[[guard.supervisor]]
id = "s-1"
name = "Wang"
operators = ["90"]
[[guard.supervisor]]
id = "s-2"
name = "Li"
operators = ["91"]
[backoffice]
host = "desk"
` + key})}
	for _, id := range []string{"s-1", "s-2"} {
		c.verb(t, guardPIN+"\n"+guardPIN+"\n", 0, "guard", "pin", id)
	}
	c.startOnline()
	hold := func(id string) {
		t.Helper()
		status, body := c.till(t, "/v1/asks", fmt.Sprintf(`{"kind":"refund","merchant_id":"898000000000001","terminal_id":"10000001","operator":"01","amount":400,"currency":"CNY","ask":{"id":%q,"deadline_ms":5000}}`, id))
		if status != 200 || !strings.Contains(body, `"state":"open","level":"office"`) {
			t.Fatalf("%d %s", status, body)
		}
	}
	release := func(id, by, pin string) string {
		t.Helper()
		status, body := c.till(t, "/v1/asks/10000001/"+id+"/release", fmt.Sprintf(`{"by":%q,"pin":%q,"reason":"consent"}`, by, pin))
		return fmt.Sprint(status, " ", strings.TrimSpace(body))
	}
	refusedFirst := func(id string) func() bool {
		return func() bool {
			return strings.Contains(release(id, "s-1", guardPIN), `409 {"error":{"code":"office_first"`)
		}
	}
	eventually(t, 30*time.Second, "connected", func() bool { return c.said("mqtt.connected") > 0 })

	hold("a-1")
	eventually(t, 20*time.Second, "the back office first", refusedFirst("a-1"))
	if got := release("a-1", "s-1", wrongPIN); !strings.Contains(got, "office_first") {
		t.Errorf("a wrong PIN was compared: %s", got)
	}
	presence(false)
	eventually(t, 20*time.Second, "the host is offline: released", func() bool { return strings.HasPrefix(release("a-1", "s-1", guardPIN), "200 ") })

	hold("a-2")
	for i := range 5 {
		if got := release("a-2", "s-1", wrongPIN); !strings.Contains(got, "403 ") || !strings.Contains(got, "wrong_pin") {
			t.Errorf("wrong PIN %d: %s", i+1, got)
		}
	}
	if got := release("a-2", "s-1", guardPIN); !strings.Contains(got, "429 ") || !strings.Contains(got, `"locked"`) {
		t.Errorf("the right PIN while locked: %s", got)
	}
	presence(true)
	locked := func() (n int) {
		for _, m := range host.Received() {
			if bytes.Contains(m.Payload, []byte(`"type":"guard.locked"`)) && bytes.Contains(m.Payload, []byte(`"supervisor":"s-1"`)) && bytes.Contains(m.Payload, []byte(`"for_s":900`)) {
				n++
			}
		}
		return n
	}
	eventually(t, 30*time.Second, "guard.locked on up/event", func() bool { return locked() > 0 })
	eventually(t, 20*time.Second, "the back office first again", refusedFirst("a-2"))
	broker.Stop()
	eventually(t, 30*time.Second, "no broker: another supervisor releases", func() bool { return strings.HasPrefix(release("a-2", "s-2", guardPIN), "200 ") })
}
