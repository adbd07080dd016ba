package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// Within one process (a test's) a restart is another agent in the same. To a service
// manager it is a reload: STOPPING=1 alone would have it wait for the end, and kill.
func TestRestartInOneProcess(t *testing.T) {
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true})
	config, _ := writeConfig(t, "[mqtt]\nurl = \""+broker.URL()+"\"\n[time]\ntrust = \"always\"\n")
	d := startDaemon(t, config)
	eventually(t, "mqtt.connected", func() bool { return strings.Contains(d.log.String(), " mqtt.connected") })
	tell := func(id string) {
		t.Helper()
		publish(t, broker.URL(), "yuanlu/v1/t-1/dn/cmd/restart", fmt.Sprintf(`{"id":%q,"ts":%q,"ttl_s":60}`, id, time.Now().UTC().Format(time.RFC3339Nano)))
	}
	tell("r1")
	eventually(t, "a second run", func() bool { return strings.Count(d.log.String(), " agent.ready ") == 2 })
	eventually(t, "connected again", func() bool { return strings.Count(d.log.String(), " mqtt.connected") == 2 })
	tell("r2")
	eventually(t, "refused", func() bool { return strings.Contains(d.log.String(), "id=r2 status=rejected") })
	d.stop(t)
	told := ""
	for b := make([]byte, 4096); ; {
		if err := manager.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(b)
		if err != nil {
			break
		}
		for line := range strings.Lines(string(b[:n])) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "STATUS=") && !strings.HasPrefix(line, "WATCHDOG=") {
				told += line + " "
			}
		}
	}
	if told = strings.ReplaceAll(told, "READY=1 READY=1", "READY=1"); told != "READY=1 RELOADING=1 READY=1 STOPPING=1 " {
		t.Errorf("the service manager was told %s", told)
	}
}

// publish says one message at QoS 1 with the least of MQTT that there is.
func publish(t *testing.T, url, topic, payload string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	field := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	packet := func(kind byte, body string) string {
		n := len(body)
		return string([]byte{kind, byte(n&0x7f | 0x80), byte(n >> 7)}) + body
	}
	send := packet(0x10, field("MQTT")+"\x04\x02\x00\x1e"+field("test")) + packet(0x32, field(topic)+"\x00\x01"+payload)
	if _, err := conn.Write([]byte(send)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 8) // CONNACK, PUBACK
	for got := 0; got < len(answer); {
		n, err := conn.Read(answer[got:])
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
}

func TestCtl(t *testing.T) {
	config, _ := writeConfig(t, "")
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"ctl", "log-level"}, 2, "missing"},
		{[]string{"ctl", "log-level", "loud"}, 2, "LEVEL is debug"},
		{[]string{"ctl", "log-level", "debug", "--for", "5h"}, 2, "--for wants"},
		{[]string{"ctl", "loglevel", "debug"}, 2, `did you mean "log-level"?`},
		{[]string{"ctl", "log-level", "debug"}, 3, "not running"},
	} {
		if code, out, errs := yl(t, "", append(tc.args, "--config", config)...); code != tc.code || !strings.Contains(out+errs, tc.want) {
			t.Errorf("%v: exit %d, %s%s", tc.args, code, out, errs)
		}
	}
	d := startDaemon(t, config)
	eventually(t, "agent.ready", d.said("agent.ready"))
	if code, out, errs := yl(t, "", "ctl", "log-level", "debug", "--for", "1m", "--config", config); code != 0 || !strings.Contains(out, "level debug until") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, out, _ := yl(t, "", "ctl", "log-level", "info", "--json", "--config", config); code != 0 || !strings.Contains(out, `"configured":"info"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out, errs := yl(t, "", "ctl", "link-reopen", "pos", "--config", config, "--lang", "zh"); code != 0 || !strings.Contains(out, "链路 pos") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, _, errs := yl(t, "", "ctl", "link-reopen", "usb", "--config", config); code != 3 || !strings.Contains(errs, "want one of pos") {
		t.Errorf("exit %d: %s", code, errs)
	}
	d.stop(t)
}

// doctor asks the broker through the daemon, and without one as the terminal itself.
func TestDoctorEcho(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true})
	config, _ := writeConfig(t, "[mqtt]\nurl = \""+broker.URL()+"\"\n[backoffice]\nhost = \"desk\"\n")
	code, out, errs := yl(t, "", "doctor", "--echo", "--config", config)
	if code != 5 || !strings.Contains(out, "round trip") || !strings.Contains(out, "‼ back office") || !strings.Contains(out, "it does not answer within") {
		t.Errorf("without a daemon: exit %d: %s%s", code, out, errs)
	}
	d := startDaemon(t, config)
	eventually(t, "mqtt.connected", func() bool { return strings.Contains(d.log.String(), " mqtt.connected") })
	eventually(t, "the echo", func() bool {
		code, out, errs = yl(t, "", "doctor", "--echo", "--config", config)
		return code == 5 && strings.Contains(out, "the broker answers within") && strings.Contains(out, "it does not answer within")
	})
	if code, out, _ := yl(t, "", "doctor", "--config", config, "--lang", "zh"); code > 5 || !strings.Contains(out, "内应答") || !strings.Contains(out, "数据库") {
		t.Errorf("doctor: exit %d: %s", code, out)
	}
	if n := strings.Count(d.log.String(), "mqtt.lost"); n != 0 {
		t.Errorf("the doctor has ended the daemon's connection %d times", n)
	}
	broker.Kill()
	eventually(t, "mqtt.lost", d.said("mqtt.lost"))
	if code, out, _ := yl(t, "", "doctor", "--echo", "--config", config, "--json"); code != 69 || !strings.Contains(out, `"level":"error"`) {
		t.Errorf("broker away: exit %d: %s", code, out)
	}
	d.stop(t)
	if code, out, _ := yl(t, "", "doctor", "--echo", "--config", config); code != 69 {
		t.Errorf("broker away, no daemon: exit %d: %s", code, out)
	}
	none, _ := writeConfig(t, "")
	if code, out, _ := yl(t, "", "doctor", "--echo", "--config", none); code != 4 || !strings.Contains(out, "none configured") {
		t.Errorf("no broker: exit %d: %s", code, out)
	}
	if _, err := os.Stat(none); err != nil {
		t.Error(err)
	}
}
