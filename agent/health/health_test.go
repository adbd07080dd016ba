package health

import (
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
)

// TestDamageSaysWhatWasLost: both languages name what was kept, lost and where it lies.
func TestDamageSaysWhatWasLost(t *testing.T) {
	for _, c := range []struct {
		kept, lost int64
		level      string
		en, zh     string
	}{
		{341, 0, Note, "341 records kept, 0 lost, in quarantine/q1", "保留 341 条记录，丢失 0 条，位于 quarantine/q1"},
		{340, 1, Degraded, "340 records kept, 1 lost, in quarantine/q1", "保留 340 条记录，丢失 1 条，位于 quarantine/q1"},
		{0, 0, Degraded, "0 records kept, 0 lost, in quarantine/q1", "保留 0 条记录，丢失 0 条，位于 quarantine/q1"},
	} {
		t.Run(c.level, func(t *testing.T) {
			p := DamageProblems([]ledger.DamageNote{{What: "yuanlu.db", Why: "flipped", Moved: "/d/s/quarantine/q1", Kept: c.kept, Lost: c.lost}})[0]
			if p.Level != c.level || !strings.Contains(p.Text.EN, c.en) || !strings.Contains(p.Text.ZH, c.zh) {
				t.Errorf("%d kept, %d lost: %+v", c.kept, c.lost, p)
			}
		})
	}
	if p := DamageProblems([]ledger.DamageNote{{What: "keys/token", Why: "missing", Moved: "/d/s/quarantine/q1"}})[0]; p.Level != Degraded || !strings.Contains(p.Text.EN, "in quarantine/q1") {
		t.Errorf("lost keys: %+v", p)
	}
}

// TestMisreadLinkIsAProblem names the remedy in both languages.
func TestMisreadLinkIsAProblem(t *testing.T) {
	for _, how := range []string{ingest.MisreadNoFrame, ingest.MisreadRefused} {
		t.Run(how, func(t *testing.T) {
			s := Snapshot{Links: []ingest.LinkHealth{{Name: "pos", Port: "/dev/ttyS1", State: "degraded", Reason: "r", Misread: how}}}
			var found problems
			linkProblems(&found, &s, nil)
			if len(found) != 1 || found[0].Level != Degraded || found[0].Code != "link_degraded" ||
				found[0].Remedy.EN != "stop yuanlu, then: yuanlu links probe /dev/ttyS1" || !strings.Contains(found[0].Remedy.ZH, "yuanlu links probe /dev/ttyS1") {
				t.Errorf("%s: %+v", how, found)
			}
		})
	}
}
func TestHealthVerdicts(t *testing.T) {
	link := func(state string) ingest.LinkHealth {
		return ingest.LinkHealth{Name: "pos", State: state, Reason: "why"}
	}
	tests := []struct {
		name, want, code string
		s                Snapshot
	}{
		{"all well", "ok", "", Snapshot{Links: []ingest.LinkHealth{link("online")}}},
		{"one of two away", "degraded", "link_absent", Snapshot{Links: []ingest.LinkHealth{link("online"), link("absent")}}},
		{"all away", "failing", "no_link", Snapshot{Links: []ingest.LinkHealth{link("absent"), link("denied")}}},
		{"disabled ones do not count", "ok", "", Snapshot{Links: []ingest.LinkHealth{link("online"), link("disabled")}}},
		{"outbox full", "failing", "outbox_full", Snapshot{Links: []ingest.LinkHealth{link("online")}, Outbox: Outbox{Unsequenced: 1}}},
		{"outbox filling", "degraded", "outbox_filling", Snapshot{Links: []ingest.LinkHealth{link("online")}, Outbox: Outbox{Bytes: 90, LimitBytes: 100}}},
		{"store", "failing", "store_unavailable", Snapshot{Links: []ingest.LinkHealth{link("online")}, StoreError: "x"}},
		{"little disk", "degraded", "disk_low", Snapshot{Links: []ingest.LinkHealth{link("online")}, DiskFree: 1}},
	}
	c := configuration(t, "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.s.DiskFree == 0 {
				tt.s.DiskFree = 1 << 40
			}
			tt.s.Clock.Synced = true
			problems := Problems(&tt.s, c)
			if got := Verdict(problems); got != tt.want || tt.code != "" && problems[0].Code != tt.code {
				t.Errorf("verdict %s, problems %+v", got, problems)
			}
			for _, p := range problems {
				if p.Text.EN == "" || p.Text.ZH == "" || p.Remedy.EN == "" || p.Remedy.ZH == "" {
					t.Errorf("%s lacks a text", p.Code)
				}
			}
		})
	}
}

func TestCertificateIsReportedAheadOfItsEnd(t *testing.T) {
	const day = 24 * time.Hour
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	var w CertificateStages
	var reported []int
	for hour := 100 * 24; hour > -48; hour-- {
		if w.Next(end, end.Add(-time.Duration(hour)*time.Hour)) {
			reported = append(reported, hour)
		}
	}
	if want := []int{30 * 24, 14 * 24, 7 * 24, 3 * 24, 24, 0}; len(reported) != len(want) {
		t.Errorf("reported %v hours before the end, want %v", reported, want)
	} else {
		for i := range want {
			if reported[i] != want[i] {
				t.Errorf("reported %v hours before the end, want %v", reported, want)
			}
		}
	}
	// After a clock was set back nothing is reported twice; a renewed certificate is another one.
	if w.Next(end, end.Add(-20*day)) {
		t.Error("reported again after the clock was set back")
	}
	if w.Next(end.Add(365*day), end) {
		t.Error("a year ahead")
	}
	if !w.Next(end.Add(10*day), end) {
		t.Error("a renewed one that ends in ten days is not reported")
	}
	// The first look after a start reports what is due.
	if w := (&CertificateStages{}); !w.Next(end, end.Add(-20*day)) || w.Next(end, end.Add(-19*day)) {
		t.Error("twenty days ahead at the start: once")
	}
}

func TestFault(t *testing.T) {
	problems := []BrokerProblem{{Code: "clock", Text: "a"}, {Code: "subscription_refused", Text: "the broker refused it"}}
	for _, tc := range []struct {
		name            string
		broker          *Broker
		refused, failed string
	}{
		{"no broker", nil, "", ""},
		{"never connected", &Broker{LastError: "refused"}, "", "refused"},
		{"nothing comes down", &Broker{LastError: "refused", Problems: problems}, "the broker refused it", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if refused, failed := tc.broker.Fault(); refused != tc.refused || failed != tc.failed {
				t.Errorf("%q, %q", refused, failed)
			}
		})
	}
}
