package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// TestDoctorTexts pins what doctor and status print while no daemon runs, in both
// languages; what differs from run to run is replaced.
func TestDoctorTexts(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true})
	var out strings.Builder
	replace := func(text, dir string) string {
		text = strings.NewReplacer(dir, "DIR", broker.URL(), "URL", strings.TrimPrefix(broker.URL(), "tcp://"), "HOST").Replace(text)
		for _, one := range [][2]string{{`\b[0-9a-f]{16}\b`, "DIGEST"}, {`\d+ MiB`, "N MiB"}, {`(round trip|往返) [0-9.]+[µm]?s`, "$1 TIME"},
			{`\d+ pages`, "N pages"}, {`\d+ 页`, "N 页"}, {`(it answers, within|有应答，用时) [0-9.]+[µm]?s`, "$1 TIME"}, {`plug the cable in[^"\n]*`, "FIND"}, {`插好连接线[^"\n]*`, "FIND"}} {
			text = regexp.MustCompile(one[0]).ReplaceAllString(text, one[1])
		}
		return text
	}
	run := func(name, config, dir string, args ...string) {
		for _, lang := range []string{"en", "zh"} {
			for _, form := range []string{"", "--json"} {
				all := append([]string{"--lang=" + lang}, args...)
				if form != "" {
					all = append(all, form)
				}
				if form != "" && (args[0] == "status" || name == "damage, no desk") {
					continue // status shows the time; the other one waits for the desk each time
				}
				code, text, errs := yl(t, "", append(all, "--config", config)...)
				fmt.Fprintf(&out, "== %s: %s: %d\n%s%s", name, strings.Join(all, " "), code, replace(text, dir), replace(errs, dir))
			}
		}
	}
	links := "[[link]]\nname = \"usb\"\nwire = \"smart\"\nport = \"usb:1234:5678\"\n[[link]]\nname = \"off\"\nwire = \"smart\"\nport = \"ttyS9\"\nenabled = false\n[[link]]\nname = \"id\"\nwire = \"smart\"\nport = \"usb-nothing-like-it\"\n"
	config, dir := writeConfig(t, links)
	run("new", config, dir, "doctor")
	run("new", config, dir, "status")
	run("new", config, dir, "doctor", "--echo")

	config, dir = writeConfig(t, "[mqtt]\nurl = [\"tcp://127.0.0.1:1\", \"tcp://127.0.0.1:2\"]\nallow_plaintext = true\n[time]\ntrust = \"always\"\n")
	if err := os.WriteFile(dir+"/store", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(config, 0o666); err != nil {
		t.Fatal(err)
	}
	run("no broker, a file for a store", config, dir, "doctor")
	run("no broker", config, dir, "doctor", "--echo")

	config, dir = writeConfig(t, "[mqtt]\nurl = [\"tcp://127.0.0.1:1\", \""+broker.URL()+"\"]\n[backoffice]\nhost = \"desk\"\n")
	q := dir + "/store/quarantine/q1"
	if err := os.MkdirAll(q, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(q, "found.json"), []byte(`{"What":"yuanlu.db","Why":"flipped","Moved":"`+q+`","Kept":5,"Lost":1,"When":"2026-03-04T05:06:07Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/store/yuanlu.db", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("damage, no desk", config, dir, "doctor")
	state := func(online bool) {
		desk, err := mqtt.Dial(t.Context(), mqtt.Options{URL: broker.URL(), ClientID: "desk"})
		if err != nil {
			t.Fatal(err)
		}
		payload := fmt.Appendf(nil, `{"online":%v,"timestamp":%d}`, online, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixMilli())
		done := desk.Publish(t.Context(), topics.Names{Root: "yuanlu", Terminal: "t-1"}.HostState("desk"), 1, true, payload)
		if err := errors.Join(done, desk.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	answerEchoes(t, broker.URL())
	state(true)
	run("desk online", config, dir, "doctor", "--echo")
	state(false)
	run("desk offline", config, dir, "doctor", "--echo")

	const file = "testdata/doctor.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("differs from %s:\n%s", file, got)
	}
}

// answerEchoes is a back office that answers each echo.asked with the ping it asks for,
// until the test ends.
func answerEchoes(t *testing.T, url string) {
	t.Helper()
	desk := brokertest.NewClient(t, url, "desk-echo", nil, "yuanlu/v1/+/up/event")
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for seen := 0; ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for all := desk.Received(); seen < len(all); seen++ {
				var e struct {
					Type string
					Data struct{ Ping string }
				}
				if json.Unmarshal(all[seen].Payload, &e) == nil && e.Type == "echo.asked" {
					at := time.Now().UTC().Format(time.RFC3339)
					desk.Send(strings.Replace(all[seen].Topic, "up/event", "dn/cmd/ping", 1), fmt.Appendf(nil, `{"id":%q,"ts":%q,"ttl_s":60,"args":{}}`, e.Data.Ping, at))
				}
			}
		}
	}()
}
