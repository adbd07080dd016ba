package localhttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// How long a connection keeps its place for certain, though others want one: a client that
// means well has sent its request, or its answer has left, long before that.
const (
	askGrace    = 10 * time.Millisecond
	answerGrace = 50 * time.Millisecond
)

// stage is how far a connection has come.
type stage int

const (
	asking    stage = iota // no whole request has come
	working                // its request is whole, its answer has not begun
	waiting                // as working, and its handler can answer at any moment
	leaving                // as working; its handler has to answer now
	answering              // its answer has begun
)

// room is a listener with so many places. When all are taken, a stuck client makes
// room for the next one.
type room struct {
	net.Listener
	most    int
	stuck   func() // called for each connection that was closed to make room; may be nil
	changed chan struct{}
	done    chan struct{} // closed by Close
	closing sync.Once

	mu     sync.Mutex // guards the rest, and of every place all but Conn and room
	places []*place   // the oldest first
}

func newRoom(l net.Listener, most int, stuck func()) *room {
	return &room{Listener: l, most: most, stuck: stuck, changed: make(chan struct{}, 1), done: make(chan struct{})}
}

// Accept returns the next connection once there is a place for it.
func (r *room) Accept() (net.Conn, error) {
	conn, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p := &place{Conn: conn, room: r}
	for {
		now := time.Now()
		old, wait, seated := r.seat(p, now)
		switch {
		case seated:
			return p, nil
		case old != nil:
			_ = old.Close() // its client sees it; nothing can be done about an error
			if r.stuck != nil {
				r.stuck()
			}
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-r.changed:
		case <-t.C:
		case <-r.done:
			t.Stop()
			_ = conn.Close() // never served
			return nil, net.ErrClosed
		}
		t.Stop()
	}
}

// Close closes the listener; the connections stay.
func (r *room) Close() error {
	r.closing.Do(func() { close(r.done) })
	return r.Listener.Close()
}

// seat takes a place for p, if one is free. Else it returns which connection is stuck and must go:
// the oldest of those that have sent no whole request, then of those that do not read their
// answer. If none is stuck for certain, a handler that waits has to answer now, and wait
// is how long the caller has to wait for a change before it tries again.
func (r *room) seat(p *place, now time.Time) (old *place, wait time.Duration, seated bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.places) < r.most {
		p.since = now
		r.places = append(r.places, p)
		return nil, 0, true
	}
	wait = time.Second
	var slow, patient *place
	young := false // a place may be free at once
	for _, one := range r.places {
		switch one.stage {
		case asking:
			if left := askGrace - now.Sub(one.since); left > 0 {
				wait, young = min(wait, left), true
			} else {
				return one, 0, false
			}
		case answering:
			if left := answerGrace - now.Sub(one.since); left > 0 {
				wait, young = min(wait, left), true
			} else if slow == nil {
				slow = one
			}
		case leaving:
			young = true
		case waiting:
			if patient == nil {
				patient = one
			}
		}
	}
	if slow == nil && !young && patient != nil {
		patient.stage = leaving
		patient.giveUp()
	}
	return slow, wait, false
}

// place is a connection that has one.
type place struct {
	net.Conn
	room   *room
	stage  stage
	since  time.Time          // of this stage
	giveUp context.CancelFunc // of stage waiting
	ended  context.CancelFunc // ends the context of its request; nil before it is served
}

// Write notes that the answer has begun. What is written before the request is whole (a
// refusal, "100 Continue") is none.
func (p *place) Write(b []byte) (int, error) {
	p.move(working, answering)
	p.move(waiting, answering)
	p.move(leaving, answering)
	return p.Conn.Write(b)
}

// Close frees the place, and ends the context of its request: the handler of a client that
// was cut off does not go on.
func (p *place) Close() error {
	r := p.room
	r.mu.Lock()
	for i, one := range r.places {
		if one == p {
			r.places = append(r.places[:i:i], r.places[i+1:]...)
			break
		}
	}
	ended := p.ended
	r.mu.Unlock()
	if ended != nil {
		ended()
	}
	r.tell()
	return p.Conn.Close()
}

// move goes from one stage to another; it does nothing in any other stage.
func (p *place) move(from, to stage) {
	p.room.mu.Lock()
	moved := p.stage == from
	if moved {
		p.stage, p.since = to, time.Now()
	}
	p.room.mu.Unlock()
	if moved {
		p.room.tell()
	}
}

// tell wakes up who waits for a place.
func (r *room) tell() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// placeKey is the key of a request's place in its context.
type placeKey struct{}

func withPlace(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(*place); ok {
		served, ended := context.WithCancel(ctx)
		p.room.mu.Lock()
		p.ended = ended
		p.room.mu.Unlock()
		ctx = served
	}
	return context.WithValue(ctx, placeKey{}, c)
}

// begun notes of a request what is known when its head has come: without a body it is whole.
func begun(r *http.Request) {
	p, ok := r.Context().Value(placeKey{}).(*place)
	switch {
	case !ok:
	case r.Body == nil || r.Body == http.NoBody:
		p.move(asking, working)
	default:
		r.Body = &body{ReadCloser: r.Body, place: p}
	}
}

// body is the body of a request, which is whole when it has been read to its end.
type body struct {
	io.ReadCloser
	place *place
}

// Read implements io.Reader.
func (b *body) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	if err == io.EOF {
		b.place.move(asking, working)
	}
	return n, err
}

// Patient returns a context for a handler that waits before it answers, with the context of
// its request. It ends when another client needs the place: the handler then answers at once
// with what it knows. done must be called when the handler waits no longer.
func Patient(ctx context.Context) (patient context.Context, done context.CancelFunc) {
	patient, cancel := context.WithCancel(ctx)
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok {
		return patient, cancel
	}
	p.room.mu.Lock()
	p.giveUp = cancel
	p.room.mu.Unlock()
	p.move(working, waiting)
	return patient, func() {
		p.move(waiting, working)
		cancel()
	}
}
