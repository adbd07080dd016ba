package ledger

import (
	"context"
	"slices"

	"yuanlu/agent/refund"
)

// Where the table memory, which wires share, keeps which commands were taken: under a link
// that no configuration can have.
const (
	commandsLink = "_commands"
	commandsKey  = "taken"
)

// CommandsTaken returns what KeepCommandsTaken kept last, nil if there is nothing. whole
// is false where the store was damaged or put back, so that it may be older, or lost.
func (d *DB) CommandsTaken(ctx context.Context) (kept []byte, whole bool, err error) {
	kept, _, err = d.Memory(ctx, commandsLink, commandsKey)
	whole = !slices.ContainsFunc(d.Damage(), func(n DamageNote) bool { return n.What == storeFile }) && d.Renewed() == nil
	return kept, whole, err
}

// KeepCommandsTaken replaces the text of which commands were taken. On nil it survives a
// power cut; on an error it is the old or the new one.
func (d *DB) KeepCommandsTaken(ctx context.Context, kept []byte) error {
	_, err := d.Apply(ctx, []refund.Arrival{{Link: commandsLink, Memory: []refund.MemoryChange{{Key: commandsKey, Value: kept}}}})
	return err
}
