package agent

import (
	"fmt"
	"strings"
	"testing"

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
		{341, 0, levelNote, "341 records kept, 0 lost, in quarantine/q1", "保留 341 条记录，丢失 0 条，位于 quarantine/q1"},
		{340, 1, levelDegraded, "340 records kept, 1 lost, in quarantine/q1", "保留 340 条记录，丢失 1 条，位于 quarantine/q1"},
		{0, 0, levelDegraded, "0 records kept, 0 lost, in quarantine/q1", "保留 0 条记录，丢失 0 条，位于 quarantine/q1"},
	} {
		p := DamageProblems([]ledger.DamageNote{{What: "yuanlu.db", Why: "flipped", Moved: "/d/s/quarantine/q1", Kept: c.kept, Lost: c.lost}})[0]
		if p.Level != c.level || !strings.Contains(p.Text.EN, c.en) || !strings.Contains(p.Text.ZH, c.zh) {
			t.Errorf("%d kept, %d lost: %+v", c.kept, c.lost, p)
		}
	}
	if p := DamageProblems([]ledger.DamageNote{{What: "keys/token", Why: "missing", Moved: "/d/s/quarantine/q1"}})[0]; p.Level != levelDegraded || !strings.Contains(p.Text.EN, "in quarantine/q1") {
		t.Errorf("lost keys: %+v", p)
	}
}

// TestFullDiskIsNoWholeStore: while commits fail for want of room, the store is failing
// in health and in the doctor, whatever a small write does; and not after one that works.
func TestFullDiskIsNoWholeStore(t *testing.T) {
	r := newRig(t, "", nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	r.agent.storeResult(fmt.Errorf("%w: %w", ledger.ErrUnavailable, ledger.ErrDiskFull))
	s := r.agent.Snapshot(t.Context())
	if p := s.Problems[0]; s.Verdict != levelFailing || p.Code != "store_unavailable" || p.Text.EN != "the disk is full: 0 messages wait in memory, nothing is stored" || !strings.Contains(p.Remedy.EN, "df -h") {
		t.Errorf("%s: %+v", s.Verdict, s.Problems)
	}
	for _, line := range r.agent.Examine(t.Context(), false, func(any) {}) {
		if (line.Name == "store" || line.Name == "disk") && line.Level == CheckupOK || strings.Contains(line.Text, "almost") {
			t.Errorf("doctor: %+v", line)
		}
	}
	r.agent.storeResult(nil)
	if s := r.agent.Snapshot(t.Context()); s.Verdict == levelFailing {
		t.Errorf("with room again: %+v", s.Problems)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestMisreadLinkIsAProblem names the remedy in both languages.
func TestMisreadLinkIsAProblem(t *testing.T) {
	for _, how := range []string{ingest.MisreadNoFrame, ingest.MisreadRefused} {
		s := Snapshot{Links: []LinkState{{Name: "pos", Port: "/dev/ttyS1", State: "degraded", Reason: "r", Misread: how}}}
		var found problemList
		linkProblems(&s, found.add)
		if len(found) != 1 || found[0].Level != levelDegraded || found[0].Code != "link_degraded" ||
			found[0].Remedy.EN != "stop yuanlu, then: yuanlu links probe /dev/ttyS1" || !strings.Contains(found[0].Remedy.ZH, "yuanlu links probe /dev/ttyS1") {
			t.Errorf("%s: %+v", how, found)
		}
	}
}
