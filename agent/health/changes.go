package health

import (
	"sync"
	"time"
)

// Changes remembers which problems there were, so that the begin and the end of each can
// be logged once. The zero value is ready; it is safe for concurrent use.
type Changes struct {
	mu    sync.Mutex
	at    time.Time
	known map[string]Problem // by code and what it is about
	order []string
}

// Of returns the problems that are new, and those that are over, since the call before.
// What was looked at earlier than the newest is left out: at is when it was.
func (c *Changes) Of(at time.Time, all []Problem) (begun, over []Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Before(c.at) {
		return nil, nil
	}
	c.at = at
	next, order := map[string]Problem{}, []string{}
	for _, p := range all {
		key := p.Code + "\x00" + p.About
		if _, known := c.known[key]; !known {
			begun = append(begun, p)
		}
		if _, twice := next[key]; !twice {
			order = append(order, key)
		}
		next[key] = p
	}
	for _, key := range c.order {
		if _, there := next[key]; !there {
			over = append(over, c.known[key])
		}
	}
	c.known, c.order = next, order
	return begun, over
}
