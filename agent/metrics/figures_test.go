package metrics

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
)

// readFigures is what Prometheus' own parser reads: value by name and labels.
func readFigures(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for name, f := range parsed(t, text) {
		counter := f.GetType() == dto.MetricType_COUNTER
		if counter != strings.HasSuffix(name, "_total") || !strings.HasPrefix(name, "yuanlu_") || f.GetHelp() == "" {
			t.Errorf("%s: %s, %q", name, f.GetType(), f.GetHelp())
		}
		for _, m := range f.Metric {
			key := name
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			if _, twice := all[key]; twice {
				t.Errorf("%s twice", key)
			}
			all[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

// TestFiguresAreTheSnapshot: each figure is the snapshot's, and what identifies somebody
// is in none.
func TestFiguresAreTheSnapshot(t *testing.T) {
	now, days := time.Now(), -3
	s := health.Snapshot{Terminal: "SECRET-t", Merchant: "SECRET-m", Build: health.Build{Version: "1.2", Commit: "abc"}, At: now, Uptime: 90 * time.Second, Ready: true,
		Verdict: health.Degraded, Problems: []health.Problem{{Code: "records_in_future", Level: health.Degraded, About: "SECRET-a"}, {Code: "link_absent", Level: health.Degraded, About: "a"},
			{Code: "records_in_future", Level: health.Degraded, About: "SECRET-b", Text: config.Text{EN: "SECRET"}}},
		Links: []health.Link{{LinkHealth: ingest.LinkHealth{Name: "pos", Port: "SECRET-p", State: "online", FramesGood: 8, FramesBad: 2, SkippedBytes: 3, Refused: 4, Records: 5, Reopens: 6, Stalls: 7, StalledFor: 8 * time.Second, Line: &ingest.LineErrors{Overrun: 31, BufOverrun: 32, Frame: 33, Parity: 34, Break: 35}, LastFrame: now.Add(-time.Minute)}},
			{LinkHealth: ingest.LinkHealth{Name: "usb", State: "absent", Reason: "SECRET"}}, {LinkHealth: ingest.LinkHealth{Name: "new", State: "of a later version"}}},
		MQTT:   &health.Broker{Connected: true, Address: "SECRET", LastError: "SECRET", Reconnects: 11},
		Outbox: health.Outbox{Stream: "SECRET", Waiting: 12, Bytes: 13, LimitBytes: 14, Unsequenced: 15, Quarantined: 16, Dropped: 17, Oldest: now.Add(-time.Hour), Open: map[string]int{"critical": 18, "low": 19}},
		Counts: ledger.Counts{Records: 20, Refunds: 21, Cases: 22}, Records: 23, Foreign: 24, CertDays: &days, Memory: 25, StoreBytes: 26, DiskFree: 27, Goroutines: 28,
		Asks: &health.Asks{Answers: map[string]uint64{"hold": 41, "unchecked": 42}, Refused: map[string]uint64{"form": 43, "wrong_pin": 44}}}
	want := map[string]float64{"build_info 1.2 abc": 1, "uptime_seconds": 90, "ready": 1, "verdict ok": 0, "verdict degraded": 1, "verdict failing": 0,
		"problems records_in_future degraded": 2, "problems link_absent degraded": 1, "clock_synced": 0, "memory_bytes": 25, "goroutines": 28,
		"records_taken_total": 23, "records_of_other_merchants_total": 24, "disk_free_bytes": 27, "certificate_days": -3, "mqtt_connected": 1, "mqtt_reconnects_total": 11,
		"store_up": 1, "store_bytes": 26, "records": 20, "refunds": 21, "cases": 22, "outbox_entries": 12, "outbox_bytes": 13, "outbox_limit_bytes": 14,
		"outbox_oldest_case_seconds": 3600, "outbox_unsequenced": 15, "outbox_quarantined": 16, "outbox_dropped_total": 17,
		"open_cases info": 0, "open_cases low": 19, "open_cases medium": 0, "open_cases high": 0, "open_cases critical": 18,
		"link_frames_total pos good": 8, "link_frames_total pos bad": 2, "link_skipped_bytes_total pos": 3, "link_refused_total pos": 4,
		"link_records_total pos": 5, "link_reopens_total pos": 6, "link_last_frame_seconds pos": 60, "link_stalls_total pos": 7, "link_stalled_seconds_total pos": 8,
		"link_line_errors_total pos overrun": 31, "link_line_errors_total pos buf_overrun": 32, "link_line_errors_total pos frame": 33, "link_line_errors_total pos parity": 34, "link_line_errors_total pos brk": 35,
		"asks_answered_total hold": 41, "asks_answered_total unchecked": 42, "asks_refused_total form": 43, "asks_refused_total wrong_pin": 44,
		"link_state pos online": 1, "link_state pos absent": 0, "link_state usb absent": 1, "link_state usb online": 0, "link_state new of a later version": 1}
	text := Append(nil, Of(&s))
	if bytes.Contains(text, []byte("SECRET")) {
		t.Errorf("an identifier is in\n%s", text)
	}
	got := readFigures(t, text)
	for name, value := range want {
		if v, ok := got["yuanlu_"+name]; !ok || v != value {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, value)
		}
	}
	if _, there := got["yuanlu_link_line_errors_total usb overrun"]; there {
		t.Error("overruns of a driver that does not count")
	}
	// What is not known is left out.
	s.StoreError, s.DiskFree, s.CertDays, s.MQTT, s.Links, s.Problems = "x", -1, nil, nil, nil, nil
	for name := range readFigures(t, Append(nil, Of(&s))) {
		if slices.ContainsFunc([]string{"records", "cases", "outbox", "open_", "disk", "cert", "mqtt", "link", "problems", "store_b"}, func(p string) bool { return strings.HasPrefix(name, "yuanlu_"+p) }) && !strings.HasSuffix(name, "_total") {
			t.Errorf("%s of what is not known", name)
		}
	}
}
