package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
)

// TestMatch: a number is compared with who paid and who gets the money, at most 5 times an hour and 20 a
// day, also behind a restart and with a clock that is set back; each answer is a leaf.
func TestMatch(t *testing.T) {
	now := time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	o := testOptions(t.TempDir())
	o.Terminal, o.Now = "t-1", func() time.Time { return now }
	d := openTest(t, o)
	sight := func(r refund.Record) refund.Arrival {
		return refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, d.Keys()), Received: now, ClockSynced: true}}}
	}
	masked := walletSale(2)
	masked.Channel, masked.Party = refund.ChannelCard, &refund.Party{Scheme: refund.SchemePANMasked, ID: refund.NewSecret("620000******2227")}
	_, err := d.Apply(context.Background(), []refund.Arrival{sight(walletSale(0)), sight(walletRefund(1, 0, true)), sight(masked)})
	must(t, err)
	payer, other := walletParty(0).ID, walletParty(1).ID
	asked := 0
	try := func(seq int64, who bool, number refund.Secret, want string) {
		t.Helper()
		same, err := d.Match(context.Background(), seq, who, number)
		got := fmt.Sprint(same)
		if err != nil {
			got = err.Error()
		} else {
			asked++
		}
		if got != want {
			t.Errorf("record %d, payer %t: %s, want %s", seq, who, got, want)
		}
	}
	try(1, true, payer, "true")
	try(1, false, payer, ErrNoRecipient.Error())
	try(9, true, payer, ErrNotFound.Error())
	try(3, true, payer, ErrNoIdentifier.Error())
	try(2, true, payer, "true")
	try(2, true, other, "false")
	d = reopened(t, d, o)
	try(2, false, other, "true")
	try(2, false, payer, "false")
	now = now.Add(-30 * time.Minute)
	try(2, false, payer, ErrOften.Error())
	for range 15 {
		now = now.Add(time.Hour + 30*time.Minute)
		try(2, false, payer, "false")
	}
	now = now.Add(time.Hour)
	try(2, false, payer, ErrOften.Error())
	now = now.Add(3 * time.Hour)
	try(2, false, payer, "false")
	leaves := 0
	for _, leaf := range allLeaves(t, d) {
		if is, err := evidence.ParseLeaf(leaf); err == nil && is.Type == evidence.LeafMatch {
			leaves++
		}
	}
	if leaves != asked || asked != 21 {
		t.Errorf("%d leaves of %d answers", leaves, asked)
	}
}
