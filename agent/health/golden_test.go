package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func configuration(t *testing.T, more string) *config.Config {
	t.Helper()
	c, err := config.Parse("f", []byte("[terminal]\nid = \"t-1\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/none\"\n[store]\ndir = \"/var/lib/yuanlu\"\n"+more), config.Options{Wires: ingest.Wires()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func snapshots() map[string]Snapshot {
	at := now
	good := func() Snapshot {
		return Snapshot{Terminal: "t-1", Merchant: "m-1", PID: 42, Build: Build{Version: "1.2", Commit: "abc", Date: at.Add(-24 * time.Hour)}, Config: "sha256:d", At: at, Uptime: 90 * time.Minute, Ready: true,
			Clock: Clock{Synced: true, Offset: 1500}, DiskFree: 1 << 33, Memory: 20 << 20, StoreBytes: 5 << 20, Goroutines: 30, Records: 7, Foreign: 1,
			Links:  []Link{{LinkHealth: ingest.LinkHealth{Name: "pos", Wire: "mispos", Port: "/dev/ttyS1", State: "online", Since: at.Add(-time.Hour), FramesGood: 100, FramesBad: 2, SkippedBytes: 3, Records: 50, LastFrame: at.Add(-90 * time.Second), Reopens: 1, Recent: ingest.Recent{Until: at.Add(-90 * time.Second), Ever: true, Bytes: 900, Frames: 9, Messages: 9}, LastRecord: &ingest.LastRecord{Kind: "sale", Outcome: "approved", Amount: 1200, Currency: "CNY", At: at.Add(-90 * time.Second)}}}},
			MQTT:   &Broker{Connected: true, Since: at.Add(-time.Hour), Address: "tcp://b:1883", Reconnects: 2, LastAck: at.Add(-time.Minute), Host: &Host{Known: true, Online: true, At: at.Add(-30 * time.Minute)}},
			Outbox: Outbox{Stream: "01J8ABCDEFGHJKMNPQRSTVWXYZ", Waiting: 3, Bytes: 2048, LimitBytes: 1 << 20, LastSeq: 9, SentSeq: 8, AckedSeq: 6, Oldest: at.Add(-time.Minute), Open: map[string]int{"critical": 1, "low": 2}},
			Counts: ledger.Counts{RecordsToday: 1, RefundsToday: 2, CasesToday: 3, Records: 4, Refunds: 5, Cases: 6}}
	}
	change := func(f func(*Snapshot)) Snapshot { s := good(); f(&s); return s }
	days := func(n int) *int { return &n }
	return map[string]Snapshot{
		"00 zero": {At: at},
		"01 good": good(),
		"02 store full": change(func(s *Snapshot) {
			s.StoreError, s.StoreFull, s.DiskFree = "disk full: x", true, 100
			s.Links[0].Waiting = 12
		}),
		"03 store away": change(func(s *Snapshot) { s.StoreError, s.DiskFree, s.Outbox = "I/O error", -1, Outbox{} }),
		"04 damage": change(func(s *Snapshot) {
			s.Damage = []ledger.DamageNote{{What: "yuanlu.db", Why: "flipped", Moved: "/v/quarantine/q1", Kept: 5, When: at.Add(-time.Hour)}, {What: "keys/token", Why: "missing", Moved: "/v/quarantine/q2", When: at}, {What: "yuanlu.db", Why: "w", Moved: "/v/quarantine/q3", Kept: 5, Lost: 1, When: at}}
			s.RolledBack = &ledger.Renewal{When: at.Add(-time.Hour), By: "ack", From: "a", To: "b", LastSeq: 4, SeenSeq: 9, Resent: 2}
		}),
		"05 old rollback, outbox full": change(func(s *Snapshot) {
			s.RolledBack = &ledger.Renewal{When: at.Add(-25 * time.Hour)}
			s.Outbox.Unsequenced, s.Outbox.Quarantined = 2, 1
		}),
		"06 outbox filling, unacknowledged": change(func(s *Snapshot) {
			s.Outbox.Bytes, s.Outbox.Oldest, s.Outbox.Dropped = 1<<20-5, at.Add(-10*time.Minute), 4
			s.MQTT.LastAck = at.Add(-5 * time.Minute)
		}),
		"07 never acknowledged": change(func(s *Snapshot) { s.MQTT.LastAck, s.Outbox.Oldest = time.Time{}, at.Add(-10*time.Minute) }),
		"08 acknowledged nothing yet": change(func(s *Snapshot) {
			s.MQTT.LastAck = time.Time{}
			s.MQTT.LastError = "tcp://b:1883: EOF"
			s.MQTT.Address = ""
		}),
		"09 links": change(func(s *Snapshot) {
			s.DiskFree = 60 << 20
			for _, l := range []ingest.LinkHealth{
				{Name: "usb", Wire: "smart", Port: "usb:1234:5678", State: "absent", Since: at.Add(-time.Minute), Reason: "no such device"},
				{Name: "tty", Wire: "cup8583", Port: "/dev/ttyS2", State: "denied", Since: at, Reason: "permission denied", Refused: 3},
				{Name: "off", Wire: "smart", Port: "p", State: "disabled", Reason: "enabled = false"},
				ingest.Untried("new", "smart", "p", at),
				{Name: "mis", Wire: "smart", Port: "/dev/ttyS4", State: "degraded", Since: at, FramesBad: 20, FramesGood: 100, Recent: ingest.Recent{Until: at, Bytes: 640, Unread: 640, UnreadSince: at.Add(-time.Minute)}},
				{Name: "fit", Wire: "smart", Port: "/dev/ttyS7", State: "degraded", Since: at, Recent: ingest.Recent{Until: at, Bytes: 640, Unread: 640, UnreadSince: at.Add(-time.Minute)}, Fit: &ingest.Fit{Wire: "mispos"}},
				{Name: "ref", Wire: "smart", Port: "/dev/ttyS5", State: "degraded", Since: at, Refused: 50, Recent: ingest.Recent{Until: at, Bytes: 640, Refused: 50}},
				{Name: "noi", Wire: "mispos", Port: "/dev/ttyS8", State: "degraded", Since: at, Recent: ingest.Recent{Until: at, Ever: true, Bytes: 1000, Noise: 300, Messages: 9}},
				{Name: "two", Wire: "mispos", Port: "/dev/ttyS9", State: "degraded", Since: at, Holders: []string{"pid 812 (minicom)"}},
				{Name: "new2", Wire: "mispos", Port: "/dev/ttyS10", State: "online", Since: at},
				{Name: "deg", Wire: "mispos", Port: "/dev/ttyS6", State: "degraded", Since: at, Reason: "the store is away", Recent: ingest.Recent{Until: at, Ever: true, Bytes: 100, Messages: 9}},
			} {
				s.Links = append(s.Links, Link{LinkHealth: l})
			}
		}),
		"10 no link": change(func(s *Snapshot) { s.Links[0].State, s.Links[0].Reason = "absent", "gone" }),
		"11 broker away": change(func(s *Snapshot) {
			s.MQTT.Connected, s.MQTT.Since, s.MQTT.LastError, s.MQTT.Host = false, at.Add(-time.Hour), "refused", &Host{Known: true, At: at.Add(-time.Hour)}
			s.MQTT.Problems = []BrokerProblem{{Code: "duplicate_client_id", Since: at.Add(-time.Minute), Text: "another client"}}
		}),
		"12 broker just away": change(func(s *Snapshot) {
			s.MQTT.Connected, s.MQTT.Since, s.MQTT.LastError = false, at.Add(-time.Minute), "refused"
		}),
		"13 broker just away, no word": change(func(s *Snapshot) { s.MQTT.Connected, s.MQTT.Since, s.MQTT.Host = false, at, &Host{} }),
		"14 no broker":                 change(func(s *Snapshot) { s.MQTT = nil; s.Clock.Synced = false; s.CertDays = days(20) }),
		"15 certificate":               change(func(s *Snapshot) { s.CertDays = days(6) }),
		"16 certificate over":          change(func(s *Snapshot) { s.CertDays = days(-1); s.Clock.Synced = false }),
		"17 certificate good":          change(func(s *Snapshot) { s.CertDays = days(31); s.DiskFree = -1 }),
	}
}

// TestGolden pins problems, verdicts, the lines of a selftest in both languages and the
// JSON of status: people and scripts read them.
func TestGolden(t *testing.T) {
	var out strings.Builder
	put := func(v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", raw)
	}
	plain, other := configuration(t, ""), configuration(t, "[time]\ntrust = \"always\"\nzone = \"+08:00\"\n[delivery]\nack = \"broker\"\n")
	other.Backoffice.Keys = []config.Key{{ID: "k"}}
	all := snapshots()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		for k, c := range []*config.Config{plain, other} {
			if k == 1 && !slices.Contains([]int{1, 3, 9, 11, 13, 14}, i) {
				continue
			}
			fmt.Fprintf(&out, "== %s, configuration %d\n", name, k+1)
			s := all[name]
			for i := range s.Links {
				l := s.Links[i].LinkHealth
				l.Verdict, l.VerdictSince = ingest.VerdictOf(&l, s.At), l.Since
				s.Links[i] = LinkIn(&l, time.UTC)
			}
			measured := Measured{OnDisk: s.Config, EchoTook: 3 * time.Millisecond}
			if k == 1 {
				s.Ahead = []Ahead{{"pos", "m-1", "", 3 * time.Hour, now.Add(-time.Hour)}, {"usb", "", "T9", 20 * time.Minute, now}}
				measured = Measured{OnDisk: "sha256:other", EchoErr: errors.New("no PUBACK")}
			}
			s.Problems = Problems(&s, c)
			new(Onsets).Date(s.At, s.Problems)
			s.Verdict = Verdict(s.Problems)
			put(s)
			for _, chinese := range []bool{false, true} {
				e := Examination{Config: c, Chinese: chinese, Brief: true, Snapshot: &s, Measure: func(_ context.Context, _ string, _ *Snapshot, m *Measured) { *m = measured }}
				for _, l := range e.Run(t.Context(), nil) {
					put(l)
				}
			}
		}
	}
	const file = "testdata/health.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	for i := range lines {
		if i >= len(got) || got[i] != lines[i] {
			t.Fatalf("%s:%d: %s\nwant %s", file, i+1, got[min(i, len(got)-1)], lines[i])
		}
	}
}
