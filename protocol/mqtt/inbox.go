package mqtt

import "sync"

// Bounds of what waits between the library and the handler.
const (
	maxInboxMessages = 256
	maxInboxBytes    = 512 << 10
)

// delivery is one received message and who wants it.
type delivery struct {
	topic    string
	payload  []byte
	retained bool
	handler  func(topic string, payload []byte, retained bool)
}

// inbox decouples the library's receive path, which must never block, from the
// handlers. Its memory is bounded.
type inbox struct {
	wake chan struct{} // capacity 1: something was put

	mu    sync.Mutex
	queue []delivery // guarded by mu
	bytes int        // guarded by mu: of topics and payloads in queue
	lost  int64      // guarded by mu
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put never blocks; without room the message is dropped and counted.
func (b *inbox) put(d delivery) {
	size := len(d.topic) + len(d.payload)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) >= maxInboxMessages || b.bytes+size > maxInboxBytes {
		b.lost++
		return
	}
	b.queue = append(b.queue, d)
	b.bytes += size
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() (delivery, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.queue = nil
		return delivery{}, false
	}
	d := b.queue[0]
	b.queue[0] = delivery{}
	b.queue = b.queue[1:]
	b.bytes -= len(d.topic) + len(d.payload)
	return d, true
}

func (b *inbox) dropped() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// run calls the handlers until done is closed.
func (b *inbox) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-b.wake:
		}
		for d, ok := b.take(); ok; d, ok = b.take() {
			select {
			case <-done:
				return
			default:
				d.handler(d.topic, d.payload, d.retained)
			}
		}
	}
}
