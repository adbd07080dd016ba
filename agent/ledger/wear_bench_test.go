package ledger

import (
	"context"
	"testing"

	"yuanlu/agent/refund"
)

// wearRecords is how many records BenchmarkWear stores of each load: enough for the keys to
// be written more than once and for several checkpoints.
const wearRecords = 4000

// BenchmarkWear is what the kernel is asked to write for each record, from a store whose keys
// are written and whose WAL is empty to the same again: the wear of the flash. In "single"
// each record is a commit of its own; in "gathered" payments share one as a worker of a wire
// without confirm has them do at 50 records a second: five, or as many as came before a refund.
func BenchmarkWear(b *testing.B) {
	d, m := mixStore(b)
	for _, mix := range mixes {
		for _, how := range []string{"single", "gathered"} {
			b.Run(mix.name+"-"+how, func(b *testing.B) {
				for range b.N {
					must(b, settleStore(d))
					all := m.arrivals(wearRecords, mix.refunds, mix.wrong)
					before := usageNow()
					for len(all) > 0 {
						n := 1
						if how == "gathered" {
							n = gathered(all)
						}
						_, err := d.Apply(context.Background(), all[:n])
						must(b, err)
						all = all[n:]
					}
					must(b, settleStore(d))
					report(b, before, wearRecords)
				}
			})
		}
	}
}

// gathered is how many of the arrivals share the next commit.
func gathered(all []refund.Arrival) int {
	const most = 5
	for i := range all[:min(most, len(all))] {
		if all[i].Sightings[0].Record.Kind.Judged() {
			return i + 1
		}
	}
	return min(most, len(all))
}

// settleStore writes the keys and moves all that is committed into the database file.
func settleStore(d *DB) error {
	if err := d.transact((*tx).writeKeys); err != nil {
		return err
	}
	return d.w.Script("PRAGMA wal_checkpoint(TRUNCATE)")
}
