package ingest

import (
	"math/bits"
	"time"

	"yuanlu/protocol/frame"
)

// Ways in which a link whose port is open does not understand what comes on it.
const (
	MisreadNoFrame = "no_frame" // bytes come and no frame: speed, parity or the wire is wrong
	MisreadRefused = "refused"  // most of the last messages were refused: wire or profile does not fit
)

// Bounds of what is called misread.
const (
	badFor      = 30 * time.Second // from the first byte that belongs to no frame
	badLeast    = 64               // bytes, so that a glitch on the line is not enough
	lastOf      = 16               // messages that are looked back on
	lastAtLeast = 4                // messages, before the link is called misread
)

// understanding is how well a link has been understood. Only of the goroutine of Run.
type understanding struct {
	badSince time.Time // when the first bad byte since the last good frame came; zero: none
	bad      uint64    // bytes in no good frame since then
	refused  uint16    // the last messages, a bit each, the newest the lowest
	messages int       // of them, up to lastOf
}

// bytes takes what the scanner has counted since before, and reports whether what came
// has been no frame for too long.
func (u *understanding) bytes(now time.Time, before, after frame.Stats) bool {
	bad := after.SkippedBytes - before.SkippedBytes
	switch {
	case after.Frames > before.Frames:
		u.badSince, u.bad = time.Time{}, 0
	case bad > 0 && u.badSince.IsZero():
		u.badSince, u.bad = now, bad
	default:
		u.bad += bad
	}
	return !u.badSince.IsZero() && now.Sub(u.badSince) >= badFor && u.bad >= badLeast
}

// message takes what became of a message, and reports whether most of the last ones
// were refused.
func (u *understanding) message(refused bool) bool {
	u.refused <<= 1
	if refused {
		u.refused |= 1
	}
	u.messages = min(u.messages+1, lastOf)
	return u.messages >= lastAtLeast && 2*bits.OnesCount16(u.refused) > u.messages
}

// setMisread notes how the link is not understood, "" if it is.
func (w *Worker) setMisread(how string) {
	now := w.opt.Clock().Now
	w.mu.Lock()
	was := w.health.Misread
	w.health.Misread = how
	if (was == "") != (how == "") && w.health.State == StateOnline && w.storeReason == "" {
		w.health.Since = now
	}
	w.mu.Unlock()
	if was != how {
		if how != "" {
			w.log.Warn("link.misread", "how", how)
		}
		w.opt.OnChange()
	}
}

// misreadReason is the reason of a link that is misread.
func misreadReason(how string) string {
	if how == MisreadRefused {
		return "most messages are refused: the wire or its profile may not fit"
	}
	return "bytes come, but no frame: speed, parity or wire may be wrong"
}
