package ingest

import (
	"math/bits"
	"time"

	"yuanlu/protocol/frame"
)

// Ways in which a link whose port is open does not understand what is said on it.
const (
	MisreadNoFrame = "no_frame" // bytes come and no frame: speed, parity or the wire is wrong
	MisreadRefused = "refused"  // most of the last messages were refused: wire or profile does not fit
)

// Bounds of what is called misread.
const (
	deafAfter   = 30 * time.Second // from the first byte that belongs to no frame
	deafBytes   = 64               // so that a glitch on the line is not enough
	judgedOf    = 16               // messages that are looked back on
	judgedLeast = 4                // messages, before anything is said about them
)

// ears remember how well a link is understood. Only of the goroutine of Run.
type ears struct {
	deafSince time.Time // of the first bad byte since the last good frame; zero: none
	spoilt    uint64    // bytes in no good frame since then
	refused   uint16    // the last messages, a bit each, the newest the lowest
	messages  int       // of them, up to judgedOf
}

// bytes takes what the scanner has counted since before, and reports whether what came
// has been no frame for too long.
func (e *ears) bytes(now time.Time, before, after frame.Stats) bool {
	spoilt := after.SkippedBytes - before.SkippedBytes
	switch {
	case after.Frames > before.Frames:
		e.deafSince, e.spoilt = time.Time{}, 0
	case spoilt > 0 && e.deafSince.IsZero():
		e.deafSince, e.spoilt = now, spoilt
	default:
		e.spoilt += spoilt
	}
	return !e.deafSince.IsZero() && now.Sub(e.deafSince) >= deafAfter && e.spoilt >= deafBytes
}

// message takes what became of a message, and reports whether most of the last ones
// were refused.
func (e *ears) message(refused bool) bool {
	e.refused <<= 1
	if refused {
		e.refused |= 1
	}
	e.messages = min(e.messages+1, judgedOf)
	return e.messages >= judgedLeast && 2*bits.OnesCount16(e.refused) > e.messages
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
