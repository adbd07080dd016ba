package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Message is one received message. Done tells the broker that it need not keep it
// (QoS 1); the taker of the message calls it once.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool
	Done     func()

	qos1 bool
	late bool  // its PUBACK goes with Done
	lane *lane // set when it is taken
}

// Conn is one connection to a broker. Its methods are safe for concurrent use.
type Conn struct {
	client  paho.Client
	timeout time.Duration
	lost    chan struct{} // closed by end
	arrived chan struct{} // capacity 1: something waits

	laneOf func(topic string) string

	mu      sync.Mutex
	err     error  // guarded by mu: why lost is closed
	waiting *lanes // guarded by mu
}

// Dial makes one connection: network, TLS, CONNECT. ErrOptions or ErrDial. The
// caller must Close it.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if o.KeepAlive <= 0 {
		o.KeepAlive = 30 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	e, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	password, err := o.password()
	if err != nil {
		return nil, fmt.Errorf("%w: password: %w", ErrDial, err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	conn, err := open(ctx, e, &o)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDial, e.address, err)
	}
	c := &Conn{timeout: o.Timeout, lost: make(chan struct{}), arrived: make(chan struct{}, 1), laneOf: o.Lane, waiting: newLanes(o.Lossless)}
	if c.laneOf == nil {
		c.laneOf = func(string) string { return "" }
	}
	c.client = paho.NewClient(c.settings(&o, password, newGuard(conn)))
	token := c.client.Connect()
	select {
	case <-token.Done():
		err = token.Error()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		<-token.Done() // bounded by the closed connection
		return nil, fmt.Errorf("%w: %s: %w", ErrDial, e.address, err)
	}
	return c, nil
}

func open(ctx context.Context, e endpoint, o *Options) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", e.address)
	if err != nil {
		return nil, err
	}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && e.loopback && !a.IP.IsLoopback() {
		_ = conn.Close()
		return nil, fmt.Errorf("%w: %s is not this machine; use tls://, or allow plaintext", ErrOptions, e.host)
	}
	if !e.tls {
		return conn, nil
	}
	config, err := o.tlsConfig(e)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// settings make the library do one thing: speak MQTT on a connection of ours.
func (c *Conn) settings(o *Options, password string, conn net.Conn) *paho.ClientOptions {
	p := paho.NewClientOptions()
	p.Servers = []*url.URL{{Scheme: "tcp", Host: "guarded"}} // never dialled
	p.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return conn, nil })
	p.SetClientID(o.ClientID)
	p.SetUsername(o.Username)
	if p.Username == "" && password != "" {
		p.SetUsername(o.ClientID)
	}
	p.SetPassword(password)
	p.SetProtocolVersion(4)
	p.SetCleanSession(!o.Persistent)
	p.SetAutoReconnect(false)
	p.SetConnectRetry(false)
	p.SetResumeSubs(false)
	p.SetStore(noStore{})
	p.SetAutoAckDisabled(true)
	p.SetOrderMatters(true) // take only queues, so it never blocks the receive path
	p.SetKeepAlive(o.KeepAlive)
	p.SetPingTimeout(min(o.KeepAlive, 10*time.Second))
	p.SetConnectTimeout(o.Timeout)
	p.SetWriteTimeout(writeTime)
	p.SetDefaultPublishHandler(c.take)
	p.SetConnectionLostHandler(func(_ paho.Client, err error) { c.end(fmt.Errorf("%w: %w", ErrLost, err)) })
	if o.WillTopic != "" {
		p.SetBinaryWill(o.WillTopic, o.WillPayload, 1, true)
	}
	return p
}

func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.lost)
	}
}

// errNoRoom ends a lossless connection whose broker sends very much ahead of the
// PUBACKs; it sends all of it again at the next one.
var errNoRoom = errors.New("no room for what the broker sends without waiting for PUBACKs")

// take queues a received message in its lane.
func (c *Conn) take(_ paho.Client, m paho.Message) {
	one := Message{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained(), Done: m.Ack, qos1: m.Qos() > 0}
	c.mu.Lock()
	due, ok := c.waiting.put(c.laneOf(one.Topic), one)
	c.mu.Unlock()
	if !ok {
		c.end(fmt.Errorf("%w: %w", ErrLost, errNoRoom))
		return
	}
	for _, puback := range due {
		puback()
	}
	c.wake()
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
		case <-c.lost:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// pop takes waiting messages. What still waits when the connection has ended is
// given up: its terminal, or the broker, sends it again.
func (c *Conn) pop(most int) ([]Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	list := c.waiting.take(most)
	for i := range list {
		if m := &list[i]; m.late {
			puback, lane := m.Done, m.lane
			m.Done = func() {
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

// Subscribe asks for a filter and waits for the answer. ErrRefused: the broker
// will not have it, and the connection goes on.
func (c *Conn) Subscribe(ctx context.Context, filter string, qos byte) error {
	token := c.client.Subscribe(filter, qos, nil)
	if err := c.await(ctx, token); err != nil {
		return err
	}
	if st, ok := token.(*paho.SubscribeToken); !ok || st.Result()[filter] == 0x80 {
		return fmt.Errorf("%w: %s", ErrRefused, filter)
	}
	return nil
}

// Send hands a message with QoS 1 to the connection and does not wait for the
// broker. Messages leave in the order of the calls.
func (c *Conn) Send(topic string, retain bool, payload []byte) error {
	token := c.client.Publish(topic, 1, retain, payload)
	select {
	case <-token.Done():
		if err := token.Error(); err != nil {
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
	default:
	}
	return nil
}

// Publish is Send and waiting for the broker's PUBACK.
func (c *Conn) Publish(ctx context.Context, topic string, retain bool, payload []byte) error {
	return c.await(ctx, c.client.Publish(topic, 1, retain, payload))
}

func (c *Conn) await(ctx context.Context, token paho.Token) error {
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-token.Done():
		if err := token.Error(); err != nil {
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
		return nil
	case <-c.lost:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	case <-timer.C:
		return fmt.Errorf("%w: no answer in %s", ErrLost, c.timeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errClosed is the end that we made.
var errClosed = errors.New("broker: connection closed by us")

// Close ends the connection with a DISCONNECT, so that the broker forgets the
// will, within 250 ms.
func (c *Conn) Close() {
	c.client.Disconnect(250)
	c.end(errClosed)
}

// noStore keeps nothing: what was not acknowledged is somebody's to send again.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
