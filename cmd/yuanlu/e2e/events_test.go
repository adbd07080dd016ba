package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// heardEvents returns the types on up/event and the codes on up/log of all that a
// desk has heard.
func heardEvents(t *testing.T, d *desk) (events, codes []string) {
	t.Helper()
	for _, part := range strings.Split(string(d.bytes()), "yuanlu/v1/"+d.terminal+"/up/") {
		topic, payload, ok := strings.Cut(part, "{")
		if !ok {
			continue
		}
		var e struct{ Type, Code string }
		if err := json.NewDecoder(strings.NewReader("{" + payload)).Decode(&e); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
		switch {
		case topic == "event":
			events = append(events, e.Type)
		case strings.HasPrefix(topic, "log/"):
			codes = append(codes, e.Code)
		}
	}
	return events, codes
}

// Every event type of the contract that can be caused from outside, each by what
// really causes it, heard through mosquitto and held against its schema there.
// (cert.expiring, clock.stepped and outbox.evicted, for which a certificate must be
// old, the machine's clock set or the outbox full, have their tests in cmd/yuanlu,
// agent and agent/ledger.)
func TestE2EEventsAreRaisedByWhatTheyTellOf(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 41)
	st := newStation(t, settings{port: fw.link, broker: broker.URL()})
	d := newDesk(t, broker.URL(), st.id)
	saw := func(typ string) func() bool {
		return func() bool { events, _ := heardEvents(t, d); return slices.Contains(events, typ) }
	}
	st.startOnline()

	// A settlement that counts a sale which the line lost.
	for _, step := range []struct {
		scenario.Step
		lost bool
	}{{scenario.Step{Do: "sale", As: "a", Pay: "chip", By: "anna", Amount: 1000}, false},
		{scenario.Step{Do: "sale", As: "b", Pay: "chip", By: "bert", Amount: 2000}, true}, {scenario.Step{Do: "settle"}, false}} {
		es, err := fw.term.Do(step.Step)
		if err != nil {
			t.Fatal(err)
		}
		if !step.lost {
			fw.say(es)
		}
	}
	eventually(t, 20*time.Second, "integrity.capture_gap", saw("integrity.capture_gap"))

	if err := fw.socket.Replug(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "link.lost", saw("link.lost"))
	eventually(t, 60*time.Second, "link.restored", saw("link.restored"))

	text, err := os.ReadFile(st.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(st.config, append(text, "\n[mqtt\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := st.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "config.rejected", saw("config.rejected"))
	if err := os.WriteFile(st.config, text, 0o600); err != nil {
		t.Fatal(err)
	}

	// Somebody else with the terminal's id, again and again.
	names := topics.Names{Root: "yuanlu", Terminal: st.id}
	for range 20 {
		if saw("duplicate_client_id")() {
			break
		}
		other := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(broker.URL()).SetClientID(st.id).SetAutoReconnect(false))
		if token := other.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
		online := st.said("mqtt.connected")
		waitFor(5*time.Second, func() bool { return st.said("mqtt.connected") > online })
		other.Disconnect(0)
		pace(300 * time.Millisecond) // a connection that has hardly begun is not counted as good
	}
	eventually(t, 30*time.Second, "duplicate_client_id", saw("duplicate_client_id"))

	// What is refused is published too: this command's time was over an hour ago.
	late := fmt.Sprintf(`{"id":"late","ts":%q,"ttl_s":60}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	if token := d.client.Publish(names.Cmd("ping"), 1, false, late); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	eventually(t, 20*time.Second, "dn.refused", saw("dn.refused"))
	// No line on up/log is about publishing.
	st.stop()
	_, codes := heardEvents(t, d)
	if len(codes) == 0 || len(codes) > 40 {
		t.Errorf("%d lines on up/log", len(codes))
	}
	for _, c := range codes {
		if area, _, _ := strings.Cut(c, "."); slices.Contains([]string{"mqtt", "report", "outbox", "delivery"}, area) {
			t.Errorf("up/log tells of publishing: %s", c)
		}
	}
	if broker.Checked() < 30 {
		t.Errorf("only %d messages were held against their schemas", broker.Checked())
	}
}
