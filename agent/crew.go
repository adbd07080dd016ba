package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"yuanlu/agent/beat"
)

// Layers of goroutines, in the order in which they stop.
const (
	layerLinks = iota
	layerStore
	layerReport
	layerLocal
	layers
)

// crew is the goroutines of one run, in layers that are stopped one by one. Every
// goroutine of the agent is started by it and waited for by it.
type crew struct {
	layers [layers]struct {
		ctx    context.Context
		cancel context.CancelFunc
	}
	mu      sync.Mutex // guards all below
	running map[int][]string
	errs    map[int][]error
	changed chan struct{} // of size 1: somebody has ended
}

func newCrew() *crew {
	c := &crew{running: map[int][]string{}, errs: map[int][]error{}, changed: make(chan struct{}, 1)}
	for i := range c.layers {
		// Not a child of Run's ctx: its end begins the stop, layer by layer.
		c.layers[i].ctx, c.layers[i].cancel = context.WithCancel(context.Background())
	}
	return c
}

// start runs f until its layer is stopped.
func (c *crew) start(layer int, name string, f func(context.Context) error) {
	c.mu.Lock()
	c.running[layer] = append(c.running[layer], name)
	c.mu.Unlock()
	go func() {
		err := f(c.layers[layer].ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		if i := slices.Index(c.running[layer], name); i >= 0 {
			c.running[layer] = slices.Delete(c.running[layer], i, i+1)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			c.errs[layer] = append(c.errs[layer], fmt.Errorf("%s: %w", name, err))
		}
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}()
}

// stop ends a layer and waits for its goroutines until end. The error joins
// theirs and names those that have not ended.
func (c *crew) stop(layer int, end time.Time) error {
	c.layers[layer].cancel()
	t := time.NewTimer(max(time.Until(end), 0))
	defer t.Stop()
	for {
		left, err := c.state(layer)
		if len(left) == 0 {
			return err
		}
		select {
		case <-c.changed:
		case <-t.C:
			return errors.Join(err, fmt.Errorf("still running when it had to stop: %s", strings.Join(left, ", ")))
		}
	}
}

func (c *crew) state(layer int) (running []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.running[layer]), errors.Join(c.errs[layer]...)
}

// rest waits for the next beat of d; it returns false if ctx ended first.
func rest(ctx context.Context, d time.Duration) bool { return sleep(ctx, beat.In(time.Now(), d)) }

// sleep waits for d; it returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
