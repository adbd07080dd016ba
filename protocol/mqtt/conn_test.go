package mqtt_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// pipeOptions connect to f through memory.
func pipeOptions(f *brokertest.Fake) mqtt.Options {
	return mqtt.Options{URL: "tcp://localhost", ClientID: "t1",
		DialContext: func(context.Context, string, string) (net.Conn, error) { return f.Pipe(), nil }}
}

func mustDial(t *testing.T, o mqtt.Options) *mqtt.Conn {
	t.Helper()
	c, err := mqtt.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, c) })
	return c
}

// send sends one message and returns where its result comes.
func send(ctx context.Context, c *mqtt.Conn, topic string, qos byte, retain bool, payload []byte) (<-chan error, error) {
	result := make(chan error, 1)
	return result, c.Send(ctx, mqtt.Outgoing{Topic: topic, QoS: qos, Retain: retain, Payload: payload, Result: result})
}

func mustClose(t *testing.T, c *mqtt.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// dropOnPublish closes the connection at every PUBLISH and never sends PUBACK.
func dropOnPublish(c *brokertest.FakeConn, p *brokertest.Packet) bool {
	if p.Kind == brokertest.Publish {
		c.Close()
		return true
	}
	return false
}

func TestRule03_NoFalseSuccessWhenTheConnectionDrops(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true, Handler: dropOnPublish}
	u := f.Listen(t)
	for range 20 {
		c := mustDial(t, mqtt.Options{URL: u, ClientID: "t1"})
		if err := c.Publish(t.Context(), "a/b", 1, false, []byte("x")); !errors.Is(err, mqtt.ErrLost) {
			t.Fatalf("Publish = %v, want ErrLost", err)
		}
		<-c.Done()
		if !errors.Is(c.Err(), io.EOF) && !errors.Is(c.Err(), syscall.ECONNRESET) {
			t.Errorf("lost because of %v, want the peer", c.Err())
		}
		if err := c.Publish(t.Context(), "a/b", 1, false, []byte("x")); err == nil {
			t.Error("a lost connection took a message")
		}
	}
	if n := f.Pubacks(); n != 0 {
		t.Errorf("the fake wrote %d PUBACKs", n)
	}
}

// This is the trap that topics.md rule 3 is about: with the library's own reconnecting, a
// QoS 1 publish is reported as done although no PUBACK was ever written. If it
// fails, the library has changed, and doc.go must be looked at again.
func TestTrap_PahoReconnectingReportsSuccessWithoutPuback(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true, Handler: dropOnPublish}
	u := f.Listen(t)
	o := paho.NewClientOptions().AddBroker(u).SetClientID("t1").SetAutoReconnect(true).SetMaxReconnectInterval(time.Second)
	client := paho.NewClient(o)
	if token := client.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer client.Disconnect(0)
	token := client.Publish("a/b", 1, false, "x")
	if !token.WaitTimeout(20 * time.Second) {
		t.Fatal("the token never completed")
	}
	if err := token.Error(); err != nil || f.Pubacks() != 0 {
		t.Errorf("token returned %v with %d PUBACKs; the trap was: nil with 0", err, f.Pubacks())
	}
}

func TestRule03_PublishBelievedOnlyWithPuback(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true}
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1", WillTopic: "w", WillPayload: []byte("gone")})
	if err := c.Publish(t.Context(), "a/b", 1, true, []byte("x")); err != nil {
		t.Fatal(err)
	}
	got := f.Published()
	if len(got) != 1 || got[0].Topic != "a/b" || got[0].QoS != 1 || !got[0].Retain || f.Pubacks() != 1 {
		t.Errorf("published %+v, %d PUBACKs", got, f.Pubacks())
	}
	cp := f.Conns()[0].Connect
	if !cp.CleanSession || cp.Protocol != "MQTT" || cp.Level != 4 || cp.KeepAlive != 30 || cp.ClientID != "t1" ||
		!cp.Will || !cp.WillRetain || cp.WillQoS != 1 || cp.WillTopic != "w" || string(cp.WillPayload) != "gone" {
		t.Errorf("CONNECT %+v", cp)
	}
}

func TestRule03_SendKeepsOrderAndDoesNotWait(t *testing.T) {
	hold := make(chan struct{})
	var ids []uint16
	f := &brokertest.Fake{Unchecked: true}
	f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind != brokertest.Publish {
			return false
		}
		if ids = append(ids, p.ID); len(ids) == 16 {
			close(hold)
			for _, id := range ids {
				c.Puback(id)
			}
		}
		return true
	}
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
	var results []<-chan error
	for i := range 16 {
		r, err := send(t.Context(), c, "a", 1, false, []byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	<-hold
	for i, r := range results {
		if err := <-r; err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	for i, p := range f.Published() {
		if p.Payload[0] != byte(i) || p.InFlight != i+1 {
			t.Errorf("message %d: payload %d, in flight %d", i, p.Payload[0], p.InFlight)
		}
	}
}

func TestRule03_SilentBrokerEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{Unchecked: true, Handler: func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			return p.Kind == brokertest.Publish // PUBLISH is never answered, pings are
		}}
		c, err := mqtt.Dial(t.Context(), pipeOptions(f))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := c.Publish(t.Context(), "a", 1, false, nil); !errors.Is(err, mqtt.ErrAckTimeout) {
			t.Errorf("Publish = %v, want ErrAckTimeout", err)
		}
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("gave up after %s, want 20 s", d)
		}
		<-c.Done()
		mustClose(t, c)
		f.Wait()
	})
}

func TestRule03_HalfOpenConnectionIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{Unchecked: true, Handler: func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			return p.Kind == brokertest.Pingreq
		}}
		c, err := mqtt.Dial(t.Context(), pipeOptions(f))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		<-c.Done()
		if d := time.Since(start); d > 50*time.Second || d < 30*time.Second {
			t.Errorf("noticed after %s, want within keep-alive and ping time", d)
		}
		if !errors.Is(c.Err(), mqtt.ErrSilent) {
			t.Errorf("ended with %v, want ErrSilent", c.Err())
		}
		mustClose(t, c)
		f.Wait()
	})
}

func TestRule03_WriteWithoutProgressEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stall := make(chan struct{})
		f := &brokertest.Fake{Unchecked: true, Handler: func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish {
				<-stall // reads no more
			}
			return false
		}}
		c, err := mqtt.Dial(t.Context(), pipeOptions(f))
		if err != nil {
			t.Fatal(err)
		}
		first, err := send(t.Context(), c, "a", 1, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := send(t.Context(), c, "a", 1, false, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		if err := <-first; !errors.Is(err, mqtt.ErrStalled) {
			t.Errorf("got %v, want ErrStalled", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("after %s, want the write timeout of 10 s", d)
		}
		mustClose(t, c)
		close(stall)
		f.Wait()
	})
}

func TestRule03_RefusedSubscriptionIsAValue(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		refuse := p.Kind == brokertest.Subscribe && p.Filters[0] == "no/#"
		if refuse {
			c.Raw([]byte{0x90, 3, byte(p.ID >> 8), byte(p.ID), 0x80})
		}
		return refuse
	}}
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
	nothing := func(string, []byte, bool) {}
	if err := c.Subscribe(t.Context(), "no/#", nothing); !errors.Is(err, mqtt.ErrRefused) {
		t.Errorf("Subscribe = %v, want ErrRefused", err)
	}
	got := make(chan string, 10)
	if err := c.Subscribe(t.Context(), "yes/#", func(topic string, p []byte, retained bool) {
		if retained {
			topic += " retained"
		}
		got <- topic + " " + string(p)
	}); err != nil {
		t.Fatal(err)
	}
	f.Push("yes/a", []byte("1"), false)
	f.Push("yes/b", []byte("2"), true)
	if a, b := <-got, <-got; a != "yes/a 1" || b != "yes/b retained 2" {
		t.Errorf("received %q, %q", a, b)
	}
	if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil {
		t.Errorf("after a refused subscription: %v", err)
	}
}

func TestRule03_FloodDoesNotBlockNorBloat(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true}
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
	block := make(chan struct{})
	var handled atomic.Int64
	if err := c.Subscribe(t.Context(), "dn/#", func(string, []byte, bool) { handled.Add(1); <-block }); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		f.Push("dn/x", make([]byte, 4<<10), false)
	}
	if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil { // the receive path still moves
		t.Fatal(err)
	}
	if d := c.Dropped(); d < 2000-256-1 || handled.Load() != 1 {
		t.Errorf("dropped %d, handled %d; want all but 512 KiB dropped", d, handled.Load())
	}
	close(block)
}

func TestRule03_StrayPubacksAreDropped(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind == brokertest.Publish {
			c.Puback(p.ID + 1)
			c.Puback(9999)
			c.Puback(p.ID)
			c.Puback(p.ID)
			return true
		}
		return false
	}}
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
	for range 100 {
		if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseSaysDisconnectAndDialFailuresAreClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bye := false
		f := &brokertest.Fake{Unchecked: true, Handler: func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Disconnect {
				bye = true
			}
			return false
		}}
		c, err := mqtt.Dial(t.Context(), pipeOptions(f))
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, c)
		mustClose(t, c)
		f.Wait()
		if !bye || !errors.Is(c.Err(), mqtt.ErrClosed) {
			t.Errorf("DISCONNECT %v, Err %v", bye, c.Err())
		}
		silent := &brokertest.Fake{Unchecked: true, Handler: func(*brokertest.FakeConn, *brokertest.Packet) bool { return true }}
		start := time.Now()
		if _, err := mqtt.Dial(t.Context(), pipeOptions(silent)); !hasCode(err, "timeout") || time.Since(start) != 15*time.Second {
			t.Errorf("silent broker: %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		if _, err := mqtt.Dial(ctx, pipeOptions(silent)); !hasCode(err, "cancelled") || time.Since(start) != time.Second {
			t.Errorf("cancelled: %v after %s", err, time.Since(start))
		}
		silent.Wait()
	})
}

func hasCode(err error, code string) bool {
	de, ok := errors.AsType[*mqtt.DialError](err)
	return ok && de.Code == code && de.Remedy != "" && !strings.Contains(de.Error(), "\n")
}

// TestRule03_KilledAtAnyMoment kills the broker's side after any number of
// publishes: no token may hang, none may claim more than was acknowledged.
func TestRule03_KilledAtAnyMoment(t *testing.T) {
	cycles := 150
	if testing.Short() {
		cycles = 50
	}
	var ok int
	f := &brokertest.Fake{Unchecked: true}
	f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind == brokertest.Publish && int(p.Payload[0]) == c.Number%20 {
			c.Close()
			return true
		}
		return false
	}
	u := f.Listen(t)
	for range cycles {
		c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: u, ClientID: "t1"})
		if err != nil {
			t.Fatal(err)
		}
		var results []<-chan error
		for i := range 16 {
			if r, err := send(t.Context(), c, "a", 1, false, []byte{byte(i)}); err == nil {
				results = append(results, r)
			}
		}
		for _, r := range results {
			select {
			case err := <-r:
				if err == nil {
					ok++
				}
			case <-time.After(10 * time.Second):
				t.Fatal("a token hangs")
			}
		}
		mustClose(t, c)
	}
	if n := f.Pubacks(); ok > n || ok == 0 {
		t.Errorf("%d tokens were done, %d PUBACKs were written", ok, n)
	}
}

func TestDialRefusesOptions(t *testing.T) {
	for _, tc := range []struct {
		o    mqtt.Options
		code string
	}{
		{mqtt.Options{URL: "tcp://broker.example:1883"}, "plaintext"},
		{mqtt.Options{URL: "broker.example:1883"}, "url"},
		{mqtt.Options{URL: "ws://localhost"}, "url"},
		{mqtt.Options{URL: "tls://user:secret@broker.example"}, "url"},
		{mqtt.Options{URL: "tls://"}, "url"},
		{mqtt.Options{URL: "tls://broker.example/path"}, "url"},
		{mqtt.Options{URL: "tls://broker.example", CertFile: "x"}, "certificate"},
		{mqtt.Options{URL: "tls://broker.example", CAFile: "/nowhere/ca.pem"}, "file"},
		{mqtt.Options{URL: "tls://127.0.0.1", CertFile: "/nowhere/c.pem", KeyFile: "/nowhere/k.pem"}, "file"},
		{mqtt.Options{URL: "tls://127.0.0.1", CAFile: "conn_test.go"}, "ca_file"},
		{mqtt.Options{URL: "tls://127.0.0.1", CertFile: "conn_test.go", KeyFile: "conn_test.go"}, "cert_file"},
		{mqtt.Options{URL: "tcp://127.0.0.1:1"}, "refused"},
	} {
		t.Run(tc.code, func(t *testing.T) {
			_, err := mqtt.Dial(t.Context(), tc.o)
			if !hasCode(err, tc.code) {
				t.Errorf("%s: %v, want code %s", tc.o.URL, err, tc.code)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	for _, v := range []string{"all_proxy", "ALL_PROXY", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(v, "socks5://127.0.0.1:1")
	}
	f := &brokertest.Fake{Unchecked: true}
	mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
}

func TestConnackRefusals(t *testing.T) {
	for code, want := range map[byte]string{1: "mqtt_version", 2: "client_id", 3: "unavailable", 4: "credentials", 5: "not_authorised", 6: "protocol", 254: "protocol"} {
		f := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, _ *brokertest.Packet) bool {
			c.Raw([]byte{0x20, 2, 0, code})
			return true
		}}
		if _, err := mqtt.Dial(t.Context(), mqtt.Options{URL: f.Listen(t), ClientID: "t1"}); !hasCode(err, want) {
			t.Errorf("code %d: %v, want %s", code, err, want)
		}
	}
}
