package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"yuanlu/protocol/mqtt"
)

// ErrDial is the class of errors of Dial but for bad options, which are mqtt.ErrOptions.
var ErrDial = errors.New("broker: no connection")

// Options are the settings of a connection, its password and its lanes.
type Options struct {
	mqtt.Options        // without Password and Receive, which are set by Dial
	PasswordFile string // its first line; read at every connection
	// Lane returns the lane that a topic belongs to: each has room of its own, and its
	// turn. It must not block. nil: all are in one lane.
	Lane func(topic string) string
	// Lossless makes every PUBACK wait for Message.Ack, so that the broker keeps what was
	// not stored, where no terminal sends it again (an observer). One lane may then delay
	// the others.
	Lossless bool
}

// Check reports what is wrong with the options that can be known without connecting:
// mqtt.ErrOptions.
func (o Options) Check() error {
	if k := o.KeepAlive; k != 0 && (k < time.Second || k > 10*time.Minute) {
		return fmt.Errorf("%w: keep-alive %s; it must be 1s to 10m", mqtt.ErrOptions, k)
	}
	return o.Options.Check()
}

// Message is one received message. Its taker calls Ack once.
type Message struct {
	mqtt.Message
	late bool  // its PUBACK goes with Ack
	lane *lane // set when it is taken
}

// Conn is one connection to a broker. Its methods are safe for concurrent use.
type Conn struct {
	conn    *mqtt.Conn
	arrived chan struct{} // capacity 1: something waits
	laneOf  func(topic string) string

	mu      sync.Mutex
	waiting *lanes // guarded by mu
}

// Dial makes one connection: network, TLS, CONNECT. mqtt.ErrOptions or ErrDial. The
// caller must Close it.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.PasswordFile != "" {
		var err error
		if o.Password, err = mqtt.ReadPassword(o.PasswordFile); err != nil {
			return nil, fmt.Errorf("%w: password: %w", ErrDial, err)
		}
	}
	c := &Conn{arrived: make(chan struct{}, 1), laneOf: o.Lane, waiting: newLanes(o.Lossless)}
	if c.laneOf == nil {
		c.laneOf = func(string) string { return "" }
	}
	o.Receive = c.receive
	if o.KeepAlive > 0 {
		o.PingTimeout = min(o.KeepAlive, 10*time.Second)
	}
	o.AckTimeout = o.ConnectTimeout
	var err error
	if c.conn, err = mqtt.Dial(ctx, o.Options); err != nil {
		return nil, cause(err)
	}
	return c, nil
}

// cause returns the cause of a failed Dial as the desk reports it: the remedy is
// the consumer's, which knows the names of the desk's flags.
func cause(err error) error {
	failed, ok := errors.AsType[*mqtt.DialError](err)
	switch {
	case !ok || errors.Is(err, mqtt.ErrOptions):
		return err
	case failed.Err == nil:
		return fmt.Errorf("%w: %s: %s", ErrDial, failed.Address, failed.What)
	}
	return fmt.Errorf("%w: %s: %w", ErrDial, failed.Address, failed.Err)
}

// errNoRoom ends a lossless connection whose broker sends very much ahead of the
// PUBACKs; it sends all of it again at the next one.
var errNoRoom = errors.New("no room for what the broker sends without waiting for PUBACKs")

// receive queues a received message in its lane.
func (c *Conn) receive(m mqtt.Message) error {
	c.mu.Lock()
	due, ok := c.waiting.put(c.laneOf(m.Topic), Message{Message: m})
	c.mu.Unlock()
	if !ok {
		return errNoRoom
	}
	for _, puback := range due {
		puback()
	}
	c.wake()
	return nil
}

func (c *Conn) wake() {
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

// Next waits for messages and returns up to most of them, one of each lane in turn; those
// of one lane are in the order of arrival.
// It fails when the connection has ended, with the reason, or with ctx.
func (c *Conn) Next(ctx context.Context, most int) ([]Message, error) {
	for {
		if list, err := c.pop(most); len(list) > 0 || err != nil {
			return list, err
		}
		select {
		case <-c.arrived:
		case <-c.conn.Done():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// pop takes waiting messages. What still waits when the connection has ended is
// given up: its terminal, or the broker, sends it again.
func (c *Conn) pop(most int) ([]Message, error) {
	if err := c.conn.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.waiting.take(most)
	for i := range list {
		if m := &list[i]; m.late {
			puback, lane := m.Ack, m.lane
			m.Ack = func() {
				puback()
				c.mu.Lock()
				defer c.mu.Unlock()
				c.waiting.acked(lane)
			}
		}
	}
	if len(c.waiting.turn) > 0 {
		c.wake()
	}
	return list, nil
}

// Shed returns how many messages of each lane found no room since it was last asked;
// nil: none.
func (c *Conn) Shed() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting.shed) == 0 {
		return nil
	}
	shed := c.waiting.shed
	c.waiting.shed = map[string]int64{}
	return shed
}

// Subscribe asks for a filter and waits for the answer. mqtt.ErrRefused: the broker
// does not allow it, and the connection goes on.
func (c *Conn) Subscribe(ctx context.Context, filter string, qos byte) error {
	return c.conn.SubscribeByHand(ctx, filter, qos)
}

// Send hands a message with QoS 1 to the connection and does not wait for the broker; one
// that is not acknowledged in time ends the connection. Messages leave in the order of the
// calls.
func (c *Conn) Send(topic string, retain bool, payload []byte) error {
	return c.conn.Send(context.Background(), mqtt.Outgoing{Topic: topic, QoS: 1, Retain: retain, Payload: payload, Result: make(chan error, 1)})
}

// Publish is Send and waiting for the broker's PUBACK.
func (c *Conn) Publish(ctx context.Context, topic string, retain bool, payload []byte) error {
	return c.conn.Publish(ctx, topic, 1, retain, payload)
}

// closeTime is how long Close takes at most: the DISCONNECT has 250 ms.
const closeTime = time.Second

// Close ends the connection with a DISCONNECT, so that the broker forgets the will.
func (c *Conn) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = c.conn.Close(ctx) // the wait alone can fail; the connection has ended
}
