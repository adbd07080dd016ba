package agent

import (
	"fmt"
	"strings"
	"testing"

	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
)

// TestFullDiskIsNoWholeStore: while commits fail for want of room, the store is failing
// in health and in the doctor, whatever a small write does; and not after one that works.
func TestFullDiskIsNoWholeStore(t *testing.T) {
	r := newRig(t, "", nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	r.agent.store.result(fmt.Errorf("%w: %w", ledger.ErrUnavailable, ledger.ErrDiskFull))
	s := r.agent.Snapshot(t.Context())
	if p := s.Problems[0]; s.Verdict != health.Failing || p.Code != "store_unavailable" || p.Text.EN != "the disk is full: 0 messages wait in memory, nothing is stored" || !strings.Contains(p.Remedy.EN, "df -h") {
		t.Errorf("%s: %+v", s.Verdict, s.Problems)
	}
	for _, line := range r.agent.Examine(t.Context(), false, nil) {
		if (line.Name == "store" || line.Name == "disk") && line.Level == health.Fine || strings.Contains(line.Text, "almost") {
			t.Errorf("doctor: %+v", line)
		}
	}
	r.agent.store.result(nil)
	if s := r.agent.Snapshot(t.Context()); s.Verdict == health.Failing {
		t.Errorf("with room again: %+v", s.Problems)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
