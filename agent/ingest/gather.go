package ingest

import (
	"time"

	"yuanlu/agent/refund"
)

// Each commit writes whole pages, so the payments of a quiet shop would cost the flash many
// times their own size. A payment on a wire without confirm is therefore kept back for
// gatherFor, and shares the commit of what comes meanwhile. Whatever is waited for goes at
// once, with all that was kept back before it.
const (
	gatherFor  = 100 * time.Millisecond
	gatherMost = 32 // so many are a batch already
)

// gathering is how long the store need not yet be handed what waits, 0: it is to be now.
func (w *Worker) gathering() time.Duration {
	n := w.room()
	if n == 0 || n >= gatherMost || len(w.turns) > 0 || len(w.talk.open) > 0 || len(w.talk.orders) > 0 {
		return 0
	}
	for i := range w.waiting[:n] {
		if w.waiting[i].awaited() {
			return 0
		}
	}
	return max(0, gatherFor-time.Since(w.waiting[0].since))
}

// awaited reports whether somebody waits for an arrival to be durable: the firmware for its
// confirm, or the back office for what the record may say of a refund.
func (a *waiting) awaited() bool {
	if len(a.reply) > 0 {
		return true
	}
	for i := range a.arrival.Sightings {
		switch k := a.arrival.Sightings[i].Record.Kind; {
		case k.IsSale(), k == refund.KindPreauth, k == refund.KindPreauthVoid:
		default:
			return true
		}
	}
	return false
}
