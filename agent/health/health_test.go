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
	if p := DamageProblems([]ledger.DamageNote{{What: "keys/token", Why: "missing", Moved: "/d/s/quarantine/q1"}})[0]; p.Level != Degraded || !strings.Contains(p.Text.EN, "a new key was made") {
		t.Errorf("lost keys: %+v", p)
	}
}

// TestVerdictsOfLinksAreProblems: each verdict has words and a remedy in both languages; the
// bad ones are problems, and only good is green.
func TestVerdictsOfLinksAreProblems(t *testing.T) {
	codes := map[string]string{ingest.VerdictNoPort: "link_absent", ingest.VerdictNoPermission: "link_denied", ingest.VerdictHeld: "link_held",
		ingest.VerdictNoFrame: "link_no_frame", ingest.VerdictRefused: "link_refused", ingest.VerdictNoisy: "link_noisy"}
	for _, verdict := range ingest.Verdicts() {
		t.Run(verdict, func(t *testing.T) {
			l := LinkIn(&ingest.LinkHealth{Name: "pos", Wire: "mispos", Port: "/dev/ttyS1", State: "online", Verdict: verdict}, time.UTC)
			fine := verdict == ingest.VerdictGood || verdict == ingest.VerdictDisabled || verdict == ingest.VerdictNotOpened
			if l.Text.EN == "" || l.Text.ZH == "" || l.Text.EN == l.Text.ZH || (l.Remedy.EN == "") != fine || (l.Remedy.ZH == "") != fine {
				t.Errorf("%+v / %+v", l.Text, l.Remedy)
			}
			s := Snapshot{Links: []Link{l}}
			var found problems
			linkProblems(&found, &s, nil)
			if code := codes[verdict]; code == "" && len(found) != 0 || code != "" && (len(found) != 1 || found[0].Code != code || found[0].Level != Degraded) {
				t.Errorf("problems: %+v, want %q", found, code)
			}
			e := Examination{Config: configuration(t, ""), Snapshot: &s}
			for _, line := range e.Run(t.Context(), nil, "links") {
				if green := verdict == ingest.VerdictGood || verdict == ingest.VerdictDisabled; (line.Level == Fine) != green {
					t.Errorf("line: %+v", line)
				}
			}
		})
	}
}

// TestWordsOfAWrongWire: what fits is named, with the line of the configuration.
func TestWordsOfAWrongWire(t *testing.T) {
	for _, c := range []struct {
		name, verdict string
		fit           ingest.Fit
		text, remedy  string
	}{
		{"another framing", ingest.VerdictNoFrame, ingest.Fit{Wire: "smart"}, "it is wire smart", `set wire = "smart" in [[link]] pos`},
		{"same framing", ingest.VerdictRefused, ingest.Fit{Wire: "cup8583"}, "it is wire cup8583, not mispos", `set wire = "cup8583" in [[link]] pos`},
		{"the built-in profile", ingest.VerdictRefused, ingest.Fit{Wire: "mispos"}, "the built-in one does", "take the profile out"},
		{"no profile", ingest.VerdictRefused, ingest.Fit{}, "the acquirer's profile is missing", "replay --explain"},
		{"another speed", ingest.VerdictNoFrame, ingest.Fit{Wire: "mispos", Baud: 19200, Framing: "8N1"}, "the terminal sends wire mispos at 19200 baud, 8N1", `wire = "mispos", baud = 19200 (8N1)`},
		{"another parity", ingest.VerdictNoFrame, ingest.Fit{Wire: "mispos", Baud: 9600, Framing: "8E1"}, "9600 baud, 8E1", `baud = 9600 (8E1), parity = "even"`},
		{"seven bits", ingest.VerdictNoFrame, ingest.Fit{SevenBit: "even"}, "seven data bits with even parity", "eight data bits"},
		{"nothing fits", ingest.VerdictNoFrame, ingest.Fit{}, "speed, parity, wire or cable is wrong", "yuanlu links probe /dev/ttyS1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := LinkIn(&ingest.LinkHealth{Name: "pos", Wire: "mispos", Port: "/dev/ttyS1", State: "online", Verdict: c.verdict, Fit: &c.fit}, time.UTC)
			if !strings.Contains(l.Text.EN, c.text) || !strings.Contains(l.Remedy.EN, c.remedy) {
				t.Errorf("%s\n%s", l.Text.EN, l.Remedy.EN)
			}
		})
	}
}

func TestHealthVerdicts(t *testing.T) {
	link := func(state string) Link {
		l := ingest.LinkHealth{Name: "pos", State: state, Reason: "why"}
		l.Verdict = ingest.VerdictOf(&l, now)
		return LinkIn(&l, time.UTC)
	}
	tests := []struct {
		name, want, code string
		s                Snapshot
	}{
		{"all well", "ok", "", Snapshot{Links: []Link{link("online")}}},
		{"one of two away", "degraded", "link_absent", Snapshot{Links: []Link{link("online"), link("absent")}}},
		{"all away", "failing", "no_link", Snapshot{Links: []Link{link("absent"), link("denied")}}},
		{"disabled ones do not count", "ok", "", Snapshot{Links: []Link{link("online"), link("disabled")}}},
		{"outbox full", "failing", "outbox_full", Snapshot{Links: []Link{link("online")}, Outbox: Outbox{Unsequenced: 1}}},
		{"outbox filling", "degraded", "outbox_filling", Snapshot{Links: []Link{link("online")}, Outbox: Outbox{Bytes: 90, LimitBytes: 100}}},
		{"store", "failing", "store_unavailable", Snapshot{Links: []Link{link("online")}, StoreError: "x"}},
		{"little disk", "degraded", "disk_low", Snapshot{Links: []Link{link("online")}, DiskFree: 1}},
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

// TestLine: what `systemctl status` shows names a store that cannot be used before all else.
func TestLine(t *testing.T) {
	s := Snapshot{Verdict: Failing, Links: []Link{{}}, StoreError: "no room\nleft"}
	if got, want := s.Line(), "failing, the store cannot be used: no room left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.StoreError = ""
	if got, want := s.Line(), "failing, 0/1 links good, no broker configured, outbox 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
