package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/protocol/topics"
)

// Times of desks that share.
const (
	aloneTime = 300 * time.Millisecond // for what is retained of our name to come
	handTime  = 2 * time.Second        // between two looks for what was done by hand
)

// errOtherStore is a desk of our group that works on another store.
var errOtherStore = errors.New("another desk of this name works on another store")

// sameStore checks the presence of a desk of our name.
func (c *Consumer) sameStore(state *hostState) error {
	if c.o.Group == "" || state.Store == "" || state.Store == c.o.StoreID {
		return nil
	}
	return fmt.Errorf("%w: of every stream each would have a part, and none the whole", errOtherStore)
}

// alone looks, before we publish or take anything, whether a desk of our group is there
// with another store. It subscribes to our presence.
func (c *Consumer) alone(ctx context.Context, conn Broker) error {
	if c.o.Group == "" {
		return nil
	}
	if err := conn.Subscribe(ctx, c.host, 0); err != nil {
		return fmt.Errorf("subscribe %s: %w", c.host, err)
	}
	look, cancel := context.WithTimeout(ctx, aloneTime)
	defer cancel()
	for {
		list, err := conn.Next(look, 1)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, m := range list {
			var state hostState
			if topics.Exact(m.Payload, &state) != nil || !state.Online {
				continue
			}
			if err := c.sameStore(&state); err != nil {
				return err
			}
		}
	}
}

// hand sends the acknowledgements that follow from what a person did, in this
// process or in another, until ctx ends.
func (c *Consumer) hand(ctx context.Context, conn Broker) {
	if c.o.Hand == nil || c.o.Observe {
		return
	}
	tick := time.NewTicker(handTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.sendHandAcks(ctx, conn); err != nil && ctx.Err() == nil {
			c.o.Log.Debug("hand.untold", "err", err) // the next look, or the next connection
		}
	}
}

func (c *Consumer) sendHandAcks(ctx context.Context, conn Broker) error {
	work, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	acks, upTo, err := c.o.Hand.UnsentAcks(work)
	if err != nil || upTo == 0 {
		return err
	}
	if err := c.answer(conn, acks); err != nil {
		return err
	}
	return c.o.Hand.AcksSent(work, upTo)
}
