package agent

import (
	"maps"
	"testing"
	"time"

	"yuanlu/agent/ledger"
)

// TestDayWatch: a link that was away for more than 5 minutes of a day, also while the clock was not trusted, and days on which it never was.
func TestDayWatch(t *testing.T) {
	zone := time.FixedZone("", 8*3600)
	begin := time.Date(2026, 8, 23, 23, 50, 0, 0, zone)
	type look struct {
		after  time.Duration // since the first
		synced bool
		away   string
		want   map[string]ledger.DayReason
	}
	const m = time.Minute
	none := map[string]ledger.DayReason{}
	for name, looks := range map[string][]look{
		"nothing":              {{0, true, "", none}, {m, true, "", none}, {20 * m, true, "", none}},
		"away for 5 minutes":   {{0, true, "pos", none}, {5 * m, true, "pos", none}, {6 * m, true, "", none}},
		"away for longer":      {{0, true, "pos", none}, {3 * m, true, "pos", none}, {6 * m, true, "pos", map[string]ledger.DayReason{"2026-08-23": ledger.DayLinkDown}}},
		"two links, 3 minutes": {{0, true, "", none}, {3 * m, true, "pos", none}, {6 * m, true, "qr", none}},
		"over midnight":        {{0, true, "", none}, {9 * m, true, "", none}, {13 * m, true, "pos", none}, {15 * m, true, "pos", map[string]ledger.DayReason{"2026-08-24": ledger.DayLinkDown}}},
		"not trusted at first": {{0, false, "pos", nil}, {4 * m, false, "pos", nil}, {5 * m, true, "pos", none}, {7 * m, true, "pos", map[string]ledger.DayReason{"2026-08-23": ledger.DayLinkDown}}},
		"a day never trusted":  {{0, false, "", nil}, {15 * m, false, "", nil}, {16 * m, true, "", map[string]ledger.DayReason{"2026-08-23": ledger.DayClock}}, {17 * m, true, "", none}},
		"trusted before":       {{0, true, "", none}, {m, false, "", nil}, {15 * m, false, "", nil}, {16 * m, true, "", none}},
		"days never trusted": {{0, true, "", none}, {m, false, "", nil}, {50 * 60 * m, false, "", nil},
			{50*60*m + m, true, "", map[string]ledger.DayReason{"2026-08-24": ledger.DayClock, "2026-08-25": ledger.DayClock}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDayWatch(zone)
			for i, l := range looks {
				var away []string
				if l.away != "" {
					away = []string{l.away}
				}
				if got := w.look(begin.Add(l.after), l.synced, away); !maps.Equal(got, l.want) {
					t.Errorf("look %d: %v, want %v", i+1, got, l.want)
				}
			}
		})
	}
}
