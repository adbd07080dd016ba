package main

import (
	"context"
	"slices"

	"yuanlu/agent"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// Where the store keeps which commands were taken. No link of a configuration can be
// called so.
const (
	commandsLink = "_commands"
	takenKey     = "taken"
	storeFile    = "yuanlu.db" // in a ledger.DamageNote
)

// takenCommands is the report.Memory in the agent's store. While the store is not
// open nobody knows what was taken.
type takenCommands struct{ a *agent.Agent }

// Recall implements report.Memory.
func (t takenCommands) Recall(ctx context.Context) (kept []byte, whole bool, err error) {
	db := t.a.Store()
	if db == nil {
		return nil, false, ledger.ErrUnavailable
	}
	kept, _, err = db.Memory(ctx, commandsLink, takenKey)
	whole = !slices.ContainsFunc(db.Damage(), func(d ledger.DamageNote) bool { return d.What == storeFile }) && db.Renewed() == nil
	return kept, whole, err
}

// Remember implements report.Memory.
func (t takenCommands) Remember(ctx context.Context, kept []byte) error {
	db := t.a.Store()
	if db == nil {
		return ledger.ErrUnavailable
	}
	_, err := db.Apply(ctx, []refund.Arrival{{Link: commandsLink, Memory: []refund.MemoryChange{{Key: takenKey, Value: kept}}}})
	return err
}
