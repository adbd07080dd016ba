package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
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

// TestOneCallersEndIsNoProblemOfTheStore: the store's figures are kept for all callers; a
// caller whose context has ended leaves no error to the next one.
func TestOneCallersEndIsNoProblemOfTheStore(t *testing.T) {
	r := newRig(t, "", nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.agent.Snapshot(ended)
	if s := r.agent.Glance(t.Context()); s.StoreError != "" || s.Outbox.Stream == "" {
		t.Errorf("store %q, outbox %+v", s.StoreError, s.Outbox)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestOutboxOfAStoreThatIsNotOpen: nothing waits in it, and nothing can be noted.
func TestOutboxOfAStoreThatIsNotOpen(t *testing.T) {
	r := newRig(t, "", nil)
	box, ctx := r.agent.Outbox(), t.Context()
	if due, next, err := box.Due(ctx, time.Now(), 8, nil); len(due) != 0 || !next.IsZero() || err != nil || box.Attempt("s", 1) != 1 {
		t.Errorf("due %v at %v, %v", due, next, err)
	}
	_, acked := box.Acked(ctx, "s", 1, "")
	_, rolledBack := box.RolledBack(ctx, refund.Trace{})
	_, resend := box.Resend(ctx, 1)
	_, stat := box.OutboxStat(ctx)
	for i, err := range []error{acked, rolledBack, resend, stat, box.Sent(ctx, "s", nil, time.Now()), box.Nacked(ctx, "s", 1, "c", "m")} {
		if !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%d: %v", i, err)
		}
	}
	stop := r.run(t)
	r.await(t, "READY=1")
	if stat, err := r.agent.Outbox().OutboxStat(ctx); err != nil || stat.Stream == "" {
		t.Errorf("open: %+v, %v", stat, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
