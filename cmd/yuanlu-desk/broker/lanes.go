package broker

import "slices"

// Bounds of what waits here for the store.
const (
	laneMessages = 4096      // of one lane
	laneBytes    = 16 << 20  // of one lane
	allBytes     = 48 << 20  // of all lanes; beyond it the fullest lane makes room
	batchBytes   = 256 << 10 // a batch is full with it

	// A broker sends only so many messages with QoS 1 ahead of their PUBACK (mosquitto:
	// 20). If the messages of one lane could fill that window, those of the others would
	// wait at the broker behind all that this lane still has there.
	laneUnacked = 4
	allUnacked  = 16
)

// lanes keep what was received and not yet taken: a queue for each lane (a terminal),
// each with room of its own, and taken from in turn. They are not safe for concurrent
// use.
type lanes struct {
	lossless bool // PUBACK only after Ack, whatever it costs the others
	all      map[string]*lane
	turn     []*lane // those that have something waiting, the next first
	bytes    int     // waiting in all lanes
	unacked  int     // messages of QoS 1 without their PUBACK, of all lanes
	shed     map[string]int64
}

// lane is one queue, in order of arrival.
type lane struct {
	name    string
	waiting []Message
	bytes   int // of waiting
	unacked int // of waiting and of what was taken, without PUBACK
}

func newLanes(lossless bool) *lanes {
	return &lanes{lossless: lossless, all: map[string]*lane{}, shed: map[string]int64{}}
}

// put queues a message. It returns the messages whose PUBACK is due now: this one, when
// the window must stay open for others, and those that found no room, which are counted
// as shed. ok is false when a lossless queue is full: then nothing was done.
//
// A terminal keeps an event until dn/ack covers it, so a PUBACK before the commit, or
// of what was shed, costs a repetition and never an event.
func (q *lanes) put(name string, m Message) (due []func(), ok bool) {
	size := m.size()
	l := q.all[name]
	if l == nil {
		l = &lane{name: name}
	}
	full := len(l.waiting) >= laneMessages || l.bytes+size > laneBytes
	if q.lossless && (full || q.bytes+size > allBytes) {
		return nil, false
	}
	for !full && q.bytes+size > allBytes {
		other := q.fullest(l, size)
		if full = other == l; !full {
			q.shed[other.name]++
			due = append(due, q.drop(other))
		}
	}
	if full {
		q.shed[name]++
		return append(due, m.Ack), true
	}
	if m.late = m.QoS > 0 && (q.lossless || l.unacked < laneUnacked && q.unacked < allUnacked); m.late {
		l.unacked++
		q.unacked++
	} else if m.QoS > 0 {
		due = append(due, m.Ack)
		m.Ack = func() {}
	}
	if len(l.waiting) == 0 {
		q.turn = append(q.turn, l)
	}
	q.all[name] = l
	l.waiting, l.bytes, q.bytes = append(l.waiting, m), l.bytes+size, q.bytes+size
	return due, true
}

// fullest returns the lane with the most bytes, if l had size more.
func (q *lanes) fullest(l *lane, size int) *lane {
	most := l
	for _, one := range q.turn {
		if one != l && one.bytes > max(most.bytes, l.bytes+size) {
			most = one
		}
	}
	return most
}

// drop takes the newest message of a lane away and returns what acknowledges it.
func (q *lanes) drop(l *lane) (ack func()) {
	last := len(l.waiting) - 1
	m := l.waiting[last]
	l.waiting[last] = Message{}
	l.waiting = l.waiting[:last]
	l.bytes -= m.size()
	q.bytes -= m.size()
	if m.late {
		q.acked(l)
	}
	if len(l.waiting) == 0 {
		q.turn = slices.DeleteFunc(q.turn, func(one *lane) bool { return one == l })
		q.forget(l)
	}
	return m.Ack
}

// take returns up to most messages and about batchBytes, one of each lane in turn.
func (q *lanes) take(most int) (list []Message) {
	for size := 0; len(list) < most && size < batchBytes && len(q.turn) > 0; {
		l := q.turn[0]
		q.turn = q.turn[1:]
		m := l.waiting[0]
		l.waiting[0] = Message{} // its payload is not kept
		l.waiting = l.waiting[1:]
		l.bytes -= m.size()
		q.bytes -= m.size()
		size += m.size()
		m.lane = l
		list = append(list, m)
		if len(l.waiting) > 0 {
			q.turn = append(q.turn, l)
		} else {
			l.waiting = nil
			q.forget(l)
		}
	}
	return list
}

// acked notes that a late PUBACK of a lane has gone.
func (q *lanes) acked(l *lane) {
	l.unacked--
	q.unacked--
	q.forget(l)
}

func (q *lanes) forget(l *lane) {
	if len(l.waiting) == 0 && l.unacked == 0 {
		delete(q.all, l.name)
	}
}

// size is what a message takes up, about.
func (m *Message) size() int { return len(m.Topic) + len(m.Payload) + 128 }
