package ingest

import (
	"context"
	"time"

	"yuanlu/agent/refund"
)

// recallLimit is how long a wire waits for what it remembered.
const recallLimit = 10 * time.Second

// overlay is the Memory of a running wire: the store's, overlaid by changes that are
// not yet stored. Only the worker's own goroutine uses it.
type overlay struct {
	recaller Recaller // nil: what is remembered stays here
	link     string
	changed  map[string]unstored
	// err is the store's error since the last reset. While it is set the wire saw a
	// memory with holes: what it made of it is not to be used.
	err error
}

// unstored is a value with the number of its changes that are not yet stored.
type unstored struct {
	value   []byte // nil: deleted
	changes int
}

func newOverlay(r Recaller, link string) *overlay {
	return &overlay{recaller: r, link: link, changed: map[string]unstored{}}
}

// Get implements Memory. An error of the store is kept in err.
func (o *overlay) Get(key string) ([]byte, bool) {
	if u, ok := o.changed[key]; ok {
		return u.value, u.value != nil
	}
	if o.recaller == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), recallLimit)
	defer cancel()
	v, ok, err := o.recaller.Memory(ctx, o.link, key)
	if err != nil {
		o.err = err
		return nil, false
	}
	return v, ok
}

// Remember takes the changes of a step, unless err is set.
func (o *overlay) Remember(changes []refund.MemoryChange) {
	if o.err != nil {
		return
	}
	for _, c := range changes {
		o.changed[c.Key] = unstored{c.Value, o.changed[c.Key].changes + 1}
	}
}

// stored takes note that changes are in the store.
func (o *overlay) stored(changes []refund.MemoryChange) {
	if o.recaller == nil {
		return
	}
	for _, c := range changes {
		if u := o.changed[c.Key]; u.changes > 1 {
			o.changed[c.Key] = unstored{u.value, u.changes - 1}
		} else {
			delete(o.changed, c.Key)
		}
	}
}
