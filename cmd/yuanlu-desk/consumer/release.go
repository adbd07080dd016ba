package consumer

import (
	"context"
	"fmt"

	"yuanlu/cmd/yuanlu-desk/store"
)

// Release looks again at a message in quarantine, as this desk understands messages
// now; if it fits, it is stored like any event. store.ErrNotFound, or store.ErrHand
// with what is still wrong.
func Release(ctx context.Context, s *store.Store, d *Decoder, n int64, h store.Hand) error {
	kept, err := s.Kept(ctx, n)
	if err != nil {
		return err
	}
	if kept.Topic != "up/case" && kept.Topic != "up/event" {
		return fmt.Errorf("%w: %s says how a terminal is at a moment that has passed; only events are released", store.ErrHand, plain(kept.Topic, 64))
	}
	if int64(len(kept.Payload)) < kept.Size {
		return fmt.Errorf("%w: only its first %d of %d bytes were kept", store.ErrHand, len(kept.Payload), kept.Size)
	}
	m, ok := d.Decode(d.root+"/v1/"+kept.Terminal+"/"+kept.Topic, kept.Payload, false, kept.First)
	switch {
	case !ok:
		return fmt.Errorf("%w: there is nothing in it", store.ErrHand)
	case m.Refusal != nil:
		return fmt.Errorf("%w: it still does not fit (%s): %s", store.ErrHand, m.Refusal.Code, m.Refusal.Message)
	}
	return s.Release(ctx, n, m.Event, h)
}
