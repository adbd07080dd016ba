package agent

import (
	"context"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/report"
)

// Outbox implements report.Terminal.
func (a *Agent) Outbox() report.Outbox {
	if db := a.Store(); db != nil {
		return db
	}
	return closedOutbox{}
}

// Evidence implements report.Terminal.
func (a *Agent) Evidence() report.EvidenceLog {
	if db := a.Store(); db != nil {
		return db
	}
	return nil
}

// closedOutbox is the outbox of a store that is not open yet: nothing waits in it, and
// nothing can be noted.
type closedOutbox struct{}

func (closedOutbox) Due(context.Context, time.Time, int, []refund.Notice, ...int64) (due []refund.Notice, next time.Time, err error) {
	return nil, time.Time{}, nil
}

func (closedOutbox) Attempt(string, int64) int { return 1 }

func (closedOutbox) Sent(context.Context, string, []int64, time.Time) error {
	return ledger.ErrUnavailable
}

func (closedOutbox) Acked(context.Context, string, int64, string) (int64, error) {
	return 0, ledger.ErrUnavailable
}

func (closedOutbox) Nacked(context.Context, string, int64, string, string) error {
	return ledger.ErrUnavailable
}

func (closedOutbox) RolledBack(context.Context, refund.Trace) (bool, error) {
	return false, ledger.ErrUnavailable
}

func (closedOutbox) Resend(context.Context, int64) (int, error) { return 0, ledger.ErrUnavailable }

func (closedOutbox) OutboxStat(context.Context) (refund.OutboxStat, error) {
	return refund.OutboxStat{}, ledger.ErrUnavailable
}
