package ledger

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// TestTodayIsOfTheConfiguredZone: a terminal whose system runs in UTC counts the evening
// hours of UTC on the next day of +08:00, in the daemon and in a reader without it.
func TestTodayIsOfTheConfiguredZone(t *testing.T) {
	ctx := context.Background()
	zone := time.FixedZone("", 8*3600)
	late := time.Date(2026, 8, 23, 18, 0, 0, 0, time.UTC) // 02:00 of the 24th
	o := testOptions(filepath.Join(t.TempDir(), "s"))
	o.Now = func() time.Time { return late.In(zone) }
	d := openTest(t, o)
	a := arrivalOf(d, saleOf(1, late.In(zone)), refundOf(1, 2, card(800000), late.In(zone)))
	for i := range a {
		a[i].Sightings[0].Received = late
	}
	if _, err := d.Apply(ctx, a); err != nil {
		t.Fatal(err)
	}
	reader, err := OpenReadOnly(ctx, o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for name, db := range map[string]*DB{"daemon": d, "reader": reader} {
		n, err := db.Counts(ctx, late.In(zone))
		if err != nil || n.RecordsToday != 2 || n.RefundsToday != 1 || n.CasesToday != 1 {
			t.Errorf("%s on the 24th: %+v, %v", name, n, err)
		}
		n, err = db.Counts(ctx, late.In(zone).AddDate(0, 0, -1))
		if err != nil || n.RecordsToday+n.RefundsToday+n.CasesToday != 0 || n.Refunds != 1 {
			t.Errorf("%s on the 23rd: %+v, %v", name, n, err)
		}
	}
}
