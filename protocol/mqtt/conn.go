package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Classes of errors of a connection.
var (
	ErrLost       = errors.New("mqtt: connection lost")
	ErrSilent     = errors.New("mqtt: broker answers no ping")
	ErrClosed     = errors.New("mqtt: connection closed by us")
	ErrAckTimeout = errors.New("mqtt: broker did not acknowledge in time")
	ErrRefused    = errors.New("mqtt: broker refused the subscription")
	ErrTopic      = errors.New("mqtt: bad topic")
)

// Conn is one connection to a broker, from CONNECT to its end; it is never
// used again. All methods are safe for concurrent use.
type Conn struct {
	guard      *guard
	client     paho.Client
	address    string // of the broker, as people read it
	ackTimeout time.Duration
	inbox      *inbox
	done       chan struct{} // closed by end

	mu       sync.Mutex
	closing  bool           // guarded by mu: no more waiters may start
	err      error          // guarded by mu: why done is closed
	waiters  sync.WaitGroup // goroutines of Subscribe and Send; Add only under mu while not closing
	overdue  *time.Timer    // guarded by mu: runs lookOverdue
	watching bool           // guarded by mu: overdue is set
}

// Address names the broker that was reached: host:port, and the IP address in brackets
// where the host is a name that was looked up.
func (c *Conn) Address() string { return c.address }

func newConn(conn net.Conn, o *Options) *Conn {
	c := &Conn{ackTimeout: o.AckTimeout, done: make(chan struct{}), inbox: newInbox()}
	c.guard = newGuard(conn, o.WriteTimeout, c.lost)
	c.overdue = time.AfterFunc(time.Hour, c.lookOverdue)
	c.overdue.Stop()
	c.waiters.Go(func() { c.inbox.run(c.done) })
	return c
}

// lost ends the connection for err; only the first reason counts. The library
// closes a connection that has not ended otherwise for one reason: a ping was not
// answered.
func (c *Conn) lost(err error) {
	if errors.Is(err, net.ErrClosed) {
		err = ErrSilent
	}
	c.end(fmt.Errorf("%w: %w", ErrLost, err))
}

func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if c.closing { // what happens now happens because we close
		err = ErrClosed
	}
	c.err = err
	c.overdue.Stop()
	close(c.done)
	c.guard.end(err)
}

// Done is closed when the connection has ended, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended: ErrLost with its cause, or ErrClosed.
// It is nil while the connection is good.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Outgoing is one message to a broker.
type Outgoing struct {
	Topic   string
	QoS     byte // 0 or 1
	Retain  bool
	Payload []byte // not to be changed until Result has its value
	// Result, a channel with room for it, gets exactly one value: nil once the broker has
	// acknowledged on this very connection (QoS 0: once written), else the reason. It may be
	// used again for another message then.
	Result chan<- error
}

// Send hands messages to the connection; they leave in their order, together in as few
// writes as 64 KiB a piece allow, and in the order of the calls. It returns when the library
// has taken them, within the write timeout. A message that is not acknowledged in time ends
// the connection.
//
// An error means that each message may or may not arrive, and that some of the Results get
// no value.
func (c *Conn) Send(ctx context.Context, messages ...Outgoing) error {
	ahead := 0 // messages with QoS 1 that the library does not have yet
	for i := range messages {
		m := &messages[i]
		if err := checkMessage(m.Topic, m.QoS, m.Payload); err != nil {
			return err
		}
		ahead += int(m.QoS)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	c.guard.expect(ahead)
	for i := range messages {
		if err := c.send(&messages[i]); err != nil {
			c.guard.withdraw(ahead)
			return err
		}
		ahead -= int(messages[i].QoS)
	}
	return nil
}

// send hands the library one message.
func (c *Conn) send(m *Outgoing) error {
	token := c.handOver(func() paho.Token { return c.client.Publish(m.Topic, m.QoS, m.Retain, m.Payload) })
	if m.QoS == 0 {
		return c.start(func() { m.Result <- c.await(token, "write") })
	}
	if publish, ok := token.(*paho.PublishToken); ok && taken(token) && c.guard.follow(publish.MessageID(), m.Result) {
		c.watch()
		return nil
	}
	if err := token.Error(); err != nil && c.Err() == nil { // it is being closed
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	<-c.done // the guard has failed, or the library noticed first
	return c.Err()
}

// watch sees to it that there is a look at the time when the oldest message must have been
// acknowledged.
func (c *Conn) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.watching {
		c.watching = true
		c.overdue.Reset(c.ackTimeout)
	}
}

// lookOverdue ends the connection if a message was not acknowledged in time.
func (c *Conn) lookOverdue() {
	c.mu.Lock()
	oldest := c.guard.oldest()
	left := c.ackTimeout - time.Since(oldest)
	if c.watching = !oldest.IsZero() && c.err == nil; c.watching {
		c.overdue.Reset(max(left, 0))
	}
	late := c.watching && left <= 0
	c.mu.Unlock()
	if late {
		c.guard.fail(fmt.Errorf("%w: no PUBACK in %s", ErrAckTimeout, c.ackTimeout))
	}
}

// handOverTime is how long the library waits for its writer to take a packet.
const handOverTime = time.Second

// handOver returns the library a packet. It waits while an earlier one is being
// written, which the guard bounds. If the connection ends just then, no one
// takes the packet any more and the library holds on to it for handOverTime;
// that is why the time is short and the packet is offered again.
func (c *Conn) handOver(offer func() paho.Token) paho.Token {
	for {
		token := offer()
		if taken(token) {
			return token
		}
		err := token.Error()
		if err == nil || !strings.Contains(err.Error(), "broken by timeout") || c.Err() != nil {
			return token
		}
	}
}

// taken reports whether the library has a message: the token of another is done at once.
func taken(token paho.Token) bool {
	select {
	case <-token.Done():
		return token.Error() == nil // acknowledged already
	default:
		return true
	}
}

// start runs f in a goroutine that Close waits for. f must end soon after done
// is closed.
func (c *Conn) start(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.closing {
		return ErrClosed
	}
	c.waiters.Go(f)
	return nil
}

// Publish is Send and waiting for the broker, or ctx.
func (c *Conn) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	result := make(chan error, 1)
	if err := c.Send(ctx, Outgoing{topic, qos, retain, payload, result}); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for a token. It counts only while the connection is good.
func (c *Conn) await(token paho.Token, what string) error {
	timer := time.NewTimer(c.ackTimeout)
	defer timer.Stop()
	select {
	case <-token.Done():
	case <-c.done:
	case <-timer.C:
		c.guard.fail(fmt.Errorf("%w: no %s in %s", ErrAckTimeout, what, c.ackTimeout))
	}
	select {
	case <-c.done:
		return c.Err()
	default:
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// checkMessage refuses what no broker may be sent.
func checkMessage(topic string, qos byte, payload []byte) error {
	if topic == "" || len(topic) > 1024 || strings.ContainsAny(topic, "+#\x00") {
		return fmt.Errorf("%w: empty, too long or with a wildcard", ErrTopic)
	}
	if qos > 1 {
		return fmt.Errorf("%w: QoS %d, want 0 or 1", ErrTopic, qos)
	}
	if len(payload) > MaxPacket {
		return fmt.Errorf("%w: payload of %d bytes, want at most %d", ErrTopic, len(payload), MaxPacket)
	}
	return nil
}

// Subscribe asks for a filter at QoS 1 and waits for the answer. ErrRefused
// means that the broker will not have it; the connection goes on.
//
// handler is called in one goroutine for all subscriptions, in the order of
// arrival; it may keep payload. While it is busy messages wait, at most 256 and
// 512 KiB of them; beyond that they are dropped and counted (Dropped).
func (c *Conn) Subscribe(ctx context.Context, filter string, handler func(topic string, payload []byte, retained bool)) error {
	return c.subscribe(ctx, filter, 1, func(_ paho.Client, m paho.Message) {
		c.inbox.put(delivery{m.Topic(), m.Payload(), m.Retained(), handler})
	})
}

// SubscribeByHand asks for a filter at QoS 0 or 1, for a Conn with Options.Receive, and
// waits for the answer, as Subscribe does.
func (c *Conn) SubscribeByHand(ctx context.Context, filter string, qos byte) error {
	return c.subscribe(ctx, filter, qos, nil)
}

// Message is one message for Options.Receive.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
	// Ack sends the PUBACK of a message with QoS 1: the broker need not keep it. It is
	// called at most once, from any goroutine; on an ended connection it does nothing.
	Ack func()
}

// receive is the library's handler of messages that are acknowledged by hand.
func (c *Conn) receive(take func(Message) error) paho.MessageHandler {
	return func(_ paho.Client, m paho.Message) {
		if err := take(Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained(), Ack: m.Ack}); err != nil {
			c.guard.fail(err)
		}
	}
}

func (c *Conn) subscribe(ctx context.Context, filter string, qos byte, handler paho.MessageHandler) error {
	if filter == "" || len(filter) > 1024 {
		return fmt.Errorf("%w: filter empty or too long", ErrTopic)
	}
	var token paho.Token
	answered := make(chan error, 1)
	if err := c.start(func() {
		token = c.handOver(func() paho.Token { return c.client.Subscribe(filter, qos, handler) })
		answered <- c.await(token, "SUBACK")
	}); err != nil {
		return err
	}
	select {
	case err := <-answered:
		if err != nil {
			return err
		}
	case <-c.done:
		return c.Err()
	case <-ctx.Done(): // the answer may still come; a half known subscription is not kept
		c.guard.fail(ctx.Err())
		return ctx.Err()
	}
	st, ok := token.(*paho.SubscribeToken)
	if !ok {
		return fmt.Errorf("%w: the library gave no subscribe token", ErrLost)
	}
	if st.Result()[filter] == 0x80 {
		return fmt.Errorf("%w: %s", ErrRefused, filter)
	}
	return nil
}

// Dropped is the number of received messages that found no room.
func (c *Conn) Dropped() int64 { return c.inbox.dropped() }

// Close ends the connection: with a DISCONNECT if it still stands, so that the
// broker forgets the will. Messages not acknowledged yet fail. It waits for
// what this Conn started, at most until ctx ends; it may be called repeatedly.
func (c *Conn) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.client.Disconnect(250) // at most 250 ms; at once if the connection is gone
	c.abandon()
	finished := make(chan struct{})
	go func() { // ends with the waiters, which end with done
		c.waiters.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abandon ends the connection without DISCONNECT.
func (c *Conn) abandon() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	_ = c.guard.Close()
	c.end(ErrClosed)
}
