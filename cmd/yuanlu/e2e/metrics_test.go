package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"yuanlu/protocol/mqtt/brokertest"
)

// freePort takes a port of the loopback, which is free once the listener is closed.
func freePort(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// scraped is what a scrape brought: the text, and the values by name and labels, as
// Prometheus' own parser reads them.
type scraped struct {
	text   []byte
	values map[string]float64
}

func scrape(ctx context.Context, address string) (s scraped, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return s, err
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return s, err
	}
	defer got.Body.Close()
	if s.text, err = io.ReadAll(got.Body); err != nil || got.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s %w", got.Status, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(s.text))
	s.values = map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			key := name
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			s.values[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return s, err
}

// TestE2EMetricsOfAnAgent: what Prometheus reads is what status says; no identifier is
// in it; a port that another program holds keeps nothing from starting; SIGHUP moves the
// port, and neither the back office nor a wrong file does.
func TestE2EMetricsOfAnAgent(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 91)
	holder, second := freePort(t), freePort(t)
	first, other := holder.Addr().String(), second.Addr().String()
	second.Close()
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), extra: "[metrics]\nlisten = \"" + first + "\"\n"})
	h := newHeadquarters(t, broker.URL(), st.id)
	st.startOnline()
	if codes := st.status().codes(); !strings.Contains(codes, "metrics_unavailable") || st.said("metrics.unavailable") != 1 {
		t.Errorf("with the port taken: %s", codes)
	}
	holder.Close() // the agent tries again by itself
	eventually(t, 30*time.Second, "figures", func() bool { _, err := scrape(t.Context(), first); return err == nil })
	fw.day(60, time.Millisecond)
	eventually(t, 60*time.Second, "the same figures as status", func() bool { return st.sameFigures(first) })
	s, err := scrape(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if v := s.values; v["yuanlu_cases"] < 3 || v["yuanlu_outbox_oldest_case_seconds"] <= 0 || v["yuanlu_mqtt_connected"] != 1 || v["yuanlu_link_state pos online"] != 1 ||
		v["yuanlu_link_frames_total pos good"] < 60 || v["yuanlu_verdict failing"] != 0 {
		t.Errorf("%s", s.text)
	}
	for _, id := range []string{st.id, "898000000000001", st.dir, "metrics_unavailable"} {
		if bytes.Contains(s.text, []byte(id)) {
			t.Errorf("%s is in\n%s", id, s.text)
		}
	}
	// From afar the port stays: another one is refused, none said is the terminal's own.
	link := fmt.Sprintf("[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = %q\nbaud = 115200\n[mqtt]\nurl = %q\n", fw.link, broker.URL())
	h.desire(1, 0, link+"[metrics]\nlisten = \""+other+"\"\n", "")
	if r := h.expect(20*time.Second, 0, "rejected"); len(r.Errors) != 1 || r.Errors[0].Path != "metrics.listen" || r.Errors[0].Line != 9 || r.Errors[0].Col != 10 {
		t.Errorf("from afar: %+v", r)
	}
	// A wrong file changes nothing.
	st.reconfigure(first, "0.0.0.0:9100")
	out, err := st.command("config", "check").CombinedOutput()
	if exitOf(err) != 78 || !strings.Contains(string(out), "listen would be open to other machines: write 127.0.0.1 or [::1]") {
		t.Errorf("config check: %v %s", err, out)
	}
	before := st.said("config.rejected")
	st.hup(t)
	eventually(t, 20*time.Second, "config.rejected", func() bool { return st.said("config.rejected") > before })
	if _, err := scrape(t.Context(), first); err != nil {
		t.Error(err)
	}
	// A right one moves the port.
	st.reconfigure("0.0.0.0:9100", other)
	st.hup(t)
	eventually(t, 30*time.Second, "figures at the new port", func() bool { _, err := scrape(t.Context(), other); return err == nil })
	if _, err := scrape(t.Context(), first); err == nil {
		t.Error("the old port still answers")
	}
	st.stop()
	if _, err := scrape(t.Context(), other); err == nil {
		t.Error("it answers after the stop")
	}
	searchForSecrets(t, fw.term.Secrets(), nil, map[string][]byte{"metrics": s.text})
}

// hup has the daemon read its configuration again.
func (st *station) hup(t *testing.T) {
	t.Helper()
	if err := st.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// sameFigures reports whether a scrape and status say the same of the store and the link.
func (st *station) sameFigures(address string) bool {
	st.t.Helper()
	var want struct {
		Links []struct {
			Good float64 `json:"frames_good"`
		} `json:"links"`
		Outbox struct {
			Waiting float64            `json:"waiting"`
			Bytes   float64            `json:"bytes"`
			Open    map[string]float64 `json:"open"`
		} `json:"outbox"`
		Counts struct{ Records, Refunds, Cases float64 } `json:"counts"`
	}
	s, err := scrape(context.Background(), address)
	if err != nil {
		st.t.Log(err)
		return false
	}
	if err := json.Unmarshal([]byte(st.out("status", "--json")), &want); err != nil {
		st.t.Fatal(err)
	}
	v := s.values
	same := want.Counts.Cases > 2 && v["yuanlu_records"] == want.Counts.Records && v["yuanlu_refunds"] == want.Counts.Refunds && v["yuanlu_cases"] == want.Counts.Cases &&
		v["yuanlu_outbox_entries"] == want.Outbox.Waiting && v["yuanlu_outbox_bytes"] == want.Outbox.Bytes &&
		v["yuanlu_link_frames_total pos good"] == want.Links[0].Good
	for severity, n := range want.Outbox.Open {
		same = same && v["yuanlu_open_cases "+severity] == n
	}
	return same
}
