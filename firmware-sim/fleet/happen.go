package fleet

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// happen does what has its time.
func (t *terminal) happen(ctx context.Context, now time.Time) {
	for len(t.ahead) > 0 && !now.Before(t.f.began.Add(t.ahead[0].at)) {
		m := t.ahead[0]
		t.ahead = t.ahead[1:]
		t.one(ctx, &m, now)
	}
	if t.renewing && len(t.cases) == 0 {
		t.renewing = false
		t.newStream()
		t.changed(now)
	}
}

func (t *terminal) one(ctx context.Context, m *moment, now time.Time) {
	switch m.what {
	case opens:
		m.of.state, m.of.rev = []string{"critical", "high", "medium"}[t.rng.IntN(3)], 1
		t.open, t.opened = append(t.open, m.of), t.opened+1
		t.queueCase("opened", m, t.verdictOf(m.of, false, m.sim), now)
	case revises:
		m.of.rev++
		m.of.state = "high"
		t.queueCase("revised", m, t.verdictOf(m.of, false, m.sim), now)
	case undone:
		m.of.rev++
		m.of.state = ""
		t.queueCase("cleared", m, t.verdictOf(m.of, true, m.sim), now)
		t.queueCase("followed", m, t.follow(m.of, undone, m.sim), now)
	case paidAgain, settles, payerSeen:
		t.queueCase("followed", m, t.follow(m.of, m.what, m.sim), now)
	case tallies:
		date := m.sim.Format(time.DateOnly)
		t.queue(&entry{kind: "yuanlu.case.tally.v1", subject: "tally/" + t.merchant + "/" + t.number + "/" + date, data: encode(t.sums(m.day, date))}, now)
	case linkLost, linkBack:
		t.unplugged = m.what == linkLost
		kind, data := "link.restored", object{"link": "pos", "port": "/dev/ttyS1"}
		if t.unplugged {
			kind, data = "link.lost", object{"link": "pos", "reason": "read /dev/ttyS1: serial port gone"}
		}
		t.queue(&entry{kind: kind, subject: "link/pos", data: encode(data)}, now)
		t.nextHealth = now
	case cutOff:
		t.ended(now)
		t.dialAt = now.Add(m.last)
	case restarts:
		t.leave(ctx)
		t.pace = jitter{first: t.f.o.JitterFirst, most: t.f.o.JitterMost}
		t.reason, t.dialAt = "start", now.Add(min(time.Second, t.f.o.Day/100))
		for _, e := range t.cases { // counted in memory: topics.md rule 5
			e.attempt = 0
		}
	case renewed:
		t.renewing = true
	}
}

// queueCase queues an event about a case.
func (t *terminal) queueCase(what string, m *moment, data object, now time.Time) {
	t.queue(&entry{kind: "yuanlu.case." + what + ".v1", subject: "case/" + m.of.id, data: encode(data)}, now)
}

// queue adds an event to those that wait, and to the truth.
func (t *terminal) queue(e *entry, now time.Time) {
	e.stream, e.made, e.at = t.stream, now, now
	if e.kind[0] == 'y' { // of up/case
		t.seq++
		e.seq = t.seq
		t.cases = append(t.cases, e)
	} else {
		t.events = append(t.events, e)
	}
	t.count.Made++
	e.id = idOf("event", t.f.o.Seed, t.id, t.stream, t.count.Made)
	t.truth.Events = append(t.truth.Events, Event{ID: e.id, Stream: e.stream, Seq: e.seq, Type: e.kind, Sum: sum(e.data)})
	t.changed(now)
}

// sum names the data of an event.
func sum(data []byte) string {
	d := sha256.Sum256(data)
	return fmt.Sprintf("%x", d[:8])
}
