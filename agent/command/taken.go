package command

import (
	"context"

	"yuanlu/agent/ledger"
)

// Taken is the report.Memory of which commands were taken, in the agent's store. While the
// store is not open it returns ledger.ErrUnavailable.
type Taken struct{ Agent Agent }

// Recall implements report.Memory.
func (t Taken) Recall(ctx context.Context) (kept []byte, whole bool, err error) {
	db := t.Agent.Store()
	if db == nil {
		return nil, false, ledger.ErrUnavailable
	}
	return db.CommandsTaken(ctx)
}

// Remember implements report.Memory.
func (t Taken) Remember(ctx context.Context, kept []byte) error {
	db := t.Agent.Store()
	if db == nil {
		return ledger.ErrUnavailable
	}
	return db.KeepCommandsTaken(ctx, kept)
}
