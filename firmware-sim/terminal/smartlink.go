package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// Times of the smart terminal's side (wires.md § smart).
const (
	tries          = 3
	betweenTries   = time.Second
	handshakeEvery = 2 * time.Second
)

// smartLink is the smart terminal's side of its link: it sends one message at a time and keeps sending it until the
// agent confirms it, and shakes hands when it has nothing to send.
type smartLink struct {
	p       *Player
	acks    chan byte
	done    chan struct{}
	wg      sync.WaitGroup
	writing sync.Mutex // of the faulty line
	spoke   time.Time
	said    chan wire.GuardAnswer // what the agent said to the guard's questions
	deaf    atomic.Bool           // answers are lost
}

func newSmartLink(p *Player) *smartLink {
	return &smartLink{p: p, acks: make(chan byte, 512), said: make(chan wire.GuardAnswer, 64), done: make(chan struct{})}
}

// start begins to listen and to shake hands.
func (l *smartLink) start() {
	l.listen()
	l.wg.Go(func() {
		tick := time.NewTicker(handshakeEvery / 4)
		defer tick.Stop()
		for {
			select {
			case <-l.done:
				return
			case <-tick.C:
				l.writing.Lock()
				idle := time.Since(l.spoke) >= handshakeEvery
				l.writing.Unlock()
				if idle {
					l.shake()
				}
			}
		}
	})
}

// stop ends both; the line is closed by then, or is closed here, which ends the listener.
func (l *smartLink) stop() {
	close(l.done)
	_ = l.p.o.Socket.Close()
	l.wg.Wait()
}

// listen reads what comes on the line as it is now, until it goes away.
func (l *smartLink) listen() {
	line := l.p.o.Socket.Line()
	l.wg.Go(func() {
		var in wire.Incoming
		buf := make([]byte, 4096)
		for {
			n, err := line.Read(buf)
			if err != nil {
				return
			}
			for _, f := range in.Push(buf[:n]) {
				if f.Kind == wire.SmartData {
					l.took(f)
				}
				if f.Kind != wire.SmartConfirm {
					continue
				}
				select {
				case l.acks <- f.Ack:
				default: // so many are never waited for
				}
			}
		}
	})
}

// shake sends a handshake, whole: it is no message that faults are counted for.
func (l *smartLink) shake() {
	b, err := wire.AppendSmart(nil, wire.SmartHandshake, 0, 0, nil)
	if err != nil {
		return
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.spoke = time.Now()
	if l.p.faulty.Flush() == nil {
		_, _ = l.p.o.Socket.Line().Write(b)
	}
}

// deliver sends an entry until it is confirmed, and notes that in the journal.
func (l *smartLink) deliver(ctx context.Context, e *scenario.Entry) error {
	frames, err := l.p.speak.Frames(e)
	if err != nil {
		return err
	}
	var out Outcome
	for _, f := range frames {
		whole, err := l.until(ctx, f)
		if err != nil {
			return err
		}
		out.Whole, out.Confirmed = whole, true
	}
	if j := l.p.o.Journal; j != nil && !printedAgain(e) {
		if err := j.Confirm(e.Seq); err != nil {
			return err
		}
	}
	l.p.o.Sent(e, out)
	return l.p.rest(ctx, l.p.o.Every)
}

// until sends a frame three times a second apart, then waits for the answer to a handshake, and so on until its
// confirm comes. It returns how often the frame stood whole on the line.
func (l *smartLink) until(ctx context.Context, f wire.Frame) (whole int, err error) {
	id := f.Bytes[4]
	for {
		for range tries {
			n, err := l.send(ctx, f)
			if err != nil {
				return whole, err
			}
			whole += n
			ok, err := l.confirmed(ctx, id, betweenTries)
			if err != nil || ok {
				return whole, err
			}
		}
		if err := l.hands(ctx); err != nil {
			return whole, err
		}
	}
}

// send puts the frame on the line once, with what happens to the line in that moment.
func (l *smartLink) send(ctx context.Context, f wire.Frame) (int, error) {
	if l.p.o.Hold {
		if err := l.p.reader(ctx); err != nil {
			return 0, err
		}
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.spoke = time.Now()
	switch l.p.faulty.Moment() {
	case wire.MomentBaud:
		_, err := l.p.o.Socket.Line().Write(wire.Garble(f.Bytes))
		return 0, err
	case wire.MomentUnplug, wire.MomentPower:
		if err := l.p.unplug(ctx, f); err != nil {
			return 0, err
		}
		l.listen()
		return 0, nil
	}
	sent, err := l.p.faulty.Send(f.Bytes)
	if err == nil && sent.Waits {
		err = l.p.faulty.Flush() // it would wait for its confirm, and the next one for it
	}
	return sent.Whole, err
}

// confirmed waits for the confirm of an id; other confirms are of frames that were sent again.
func (l *smartLink) confirmed(ctx context.Context, id byte, limit time.Duration) (bool, error) {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-end.C:
			return false, nil
		case ack := <-l.acks:
			if ack == id {
				return true, nil
			}
		}
	}
}

// hands shakes hands until somebody answers.
func (l *smartLink) hands(ctx context.Context) error {
	for {
		l.shake()
		ok, err := l.confirmed(ctx, 0, handshakeEvery)
		if err != nil || ok {
			return err
		}
	}
}

// resend returns what the journal holds without a confirm.
func (l *smartLink) resend(ctx context.Context) error {
	j := l.p.o.Journal
	if j == nil {
		return nil
	}
	for _, e := range j.Had() {
		if j.Confirmed(e.Seq) {
			continue
		}
		if err := l.deliver(ctx, &e); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	return nil
}

// frames sends the frames, each until it is confirmed.
func (l *smartLink) frames(ctx context.Context, list []wire.Frame) error {
	for _, f := range list {
		if _, err := l.until(ctx, f); err != nil {
			if errors.Is(err, os.ErrClosed) {
				return context.Cause(ctx)
			}
			return err
		}
		if err := l.p.rest(ctx, l.p.o.Every); err != nil {
			return err
		}
	}
	return nil
}
