package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/health"
)

// readFigures returns the value of each sample by its name and labels.
func readFigures(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if at := strings.LastIndexByte(line, ' '); at >= 0 && line[0] != '#' {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
			if err != nil {
				t.Fatal(line, err)
			}
			all[line[:at]] = value
		}
	}
	return all
}

// takenAddress returns a listener on a port of the loopback that was free: what holds it
// until it is closed.
func takenAddress(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func fetch(t *testing.T, address string) map[string]float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatal(got.Status, err)
	}
	return readFigures(t, text)
}

// TestAgentOffersItsFigures while it runs, and has closed the port when it has stopped.
func TestAgentOffersItsFigures(t *testing.T) {
	l := takenAddress(t)
	address := l.Addr().String()
	l.Close()
	r := newRig(t, fmt.Sprintf("[metrics]\nlisten = %q\n", address), nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	r.line(t, "metrics.listening")
	got := fetch(t, address)
	if got["yuanlu_ready"] != 1 || got["yuanlu_store_up"] != 1 || got["yuanlu_store_bytes"] < 4096 || got["yuanlu_memory_bytes"] < 1<<20 || got[`yuanlu_link_frames_total{link="pos",result="good"}`] != 0 {
		t.Errorf("%v", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal("the port is still held: ", err)
	}
	again.Close()
}

// TestTakenMetricsPortIsAProblemNotAnEnd: the agent runs, says it in the log and in
// health, and stops as ever.
func TestTakenMetricsPortIsAProblemNotAnEnd(t *testing.T) {
	l := takenAddress(t)
	r := newRig(t, fmt.Sprintf("[metrics]\nlisten = %q\n", l.Addr()), nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	if line := r.line(t, "metrics.unavailable"); !strings.Contains(line.Field("err"), "address already in use") {
		t.Errorf("%v", line)
	}
	s := r.agent.Snapshot(t.Context())
	at := slices.IndexFunc(s.Problems, func(p health.Problem) bool { return p.Code == "metrics_unavailable" })
	if s.Verdict != health.Degraded || at < 0 || s.Problems[at].Since.IsZero() || !strings.Contains(s.Problems[at].Text.EN, l.Addr().String()) || s.Problems[at].Remedy.ZH == "" {
		t.Errorf("%s %+v", s.Verdict, s.Problems)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
