package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// listenOn listens on an address of this machine; serve gets every connection.
func listenOn(t *testing.T, ip string, port int, serve func(net.Conn)) (int, func() int) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	taken := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken <- struct{}{}
			go serve(conn)
		}
	}()
	addr, _ := l.Addr().(*net.TCPAddr)
	return addr.Port, func() int { return len(taken) }
}

// silent takes the connection, and sends nothing for as long as the test runs.
func silent(t *testing.T) func(net.Conn) {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	return func(conn net.Conn) {
		<-end
		_ = conn.Close()
	}
}

// pipeTo joins a connection to a broker that listens elsewhere.
func pipeTo(t *testing.T, url string) func(net.Conn) {
	return func(near net.Conn) {
		far, err := net.Dial("tcp", strings.TrimPrefix(url, "tcp://"))
		if err != nil {
			_ = near.Close()
			return
		}
		join := func(to, from net.Conn) {
			buf := make([]byte, 4096)
			for {
				n, err := from.Read(buf)
				if n > 0 {
					if _, err := to.Write(buf[:n]); err != nil {
						break
					}
				}
				if err != nil {
					break
				}
			}
			_, _ = to.Close(), from.Close()
		}
		go join(far, near)
		join(near, far)
	}
}

// names is a resolver that knows these names, and counts what it is asked.
type names struct {
	of    map[string][]string
	asked int
}

func (n *names) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	n.asked++
	var all []netip.Addr
	for _, ip := range n.of[host] {
		all = append(all, netip.MustParseAddr(ip))
	}
	if len(all) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return all, nil
}

// TestSilentAddressIsNotTriedForEver: a name with two addresses of which the first
// accepts and sends nothing. Once every attempt went to the first.
func TestSilentAddressIsNotTriedForEver(t *testing.T) {
	good := (&brokertest.Fake{}).Listen(t)
	port, atFirst := listenOn(t, "127.0.0.1", 0, silent(t))
	_, atSecond := listenOn(t, "127.0.0.2", port, pipeTo(t, good))
	n := &names{of: map[string][]string{"localhost": {"127.0.0.1", "127.0.0.2"}}}
	r := NewRoute([]string{fmt.Sprintf("tcp://localhost:%d", port)})
	r.lookup = n.lookup
	o := Options{ClientID: "t1", ConnectTimeout: time.Second}
	_, err := r.Dial(t.Context(), o)
	why, ok := errors.AsType[*DialError](err)
	if !ok || why.Code != "timeout" || !strings.Contains(why.What, fmt.Sprintf("localhost:%d (127.0.0.1)", port)) {
		t.Fatalf("the first: %v", err)
	}
	c, err := r.Dial(t.Context(), o)
	if err != nil {
		t.Fatalf("the second: %v", err)
	}
	if got, want := c.Address(), fmt.Sprintf("localhost:%d (127.0.0.2)", port); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
	closeConn(t, c)
	if atFirst() != 1 || atSecond() != 1 || n.asked != 1 {
		t.Errorf("%d and %d connections, %d look-ups", atFirst(), atSecond(), n.asked)
	}
	n.of["localhost"] = []string{"127.0.0.2"} // by the next round the name has another address
	if c, err = r.Dial(t.Context(), o); err != nil || n.asked != 2 {
		t.Fatalf("the next round: %v, %d look-ups", err, n.asked)
	}
	closeConn(t, c)
}

func closeConn(t *testing.T, c *Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestWhatCannotBeReachedCostsNoAttempt: refused addresses, names without one, and a
// second URL that works.
func TestWhatCannotBeReachedCostsNoAttempt(t *testing.T) {
	good := (&brokertest.Fake{}).Listen(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n := &names{of: map[string][]string{}}
	r := NewRoute([]string{"tls://nowhere.example:1", "tcp://" + dead, good})
	r.lookup = n.lookup
	o := Options{ClientID: "t1", ConnectTimeout: 5 * time.Second}
	for range 3 {
		c, err := r.Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimPrefix(good, "tcp://"); c.Address() != want {
			t.Errorf("connected to %s, want %s", c.Address(), want)
		}
		closeConn(t, c)
	}
	all := NewRoute([]string{"tcp://" + dead, "tls://nowhere.example:1"})
	all.lookup = n.lookup
	if _, err := all.Dial(t.Context(), o); !hasDialCode(err, "dns") {
		t.Errorf("none works: %v", err)
	}
}

func hasDialCode(err error, code string) bool {
	why, ok := errors.AsType[*DialError](err)
	return ok && why.Code == code
}

// TestServerNameStaysTheHost: whatever address is used, the certificate must bear the
// name that stands in the URL.
func TestServerNameStaysTheHost(t *testing.T) {
	ours := brokertest.NewAuthority(t)
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true, Authority: ours, Server: ours.Server(time.Time{}, time.Time{}, "broker.example", "127.0.0.1")})
	n := &names{of: map[string][]string{"broker.example": {"127.0.0.1"}, "other.example": {"127.0.0.1"}}}
	for host, code := range map[string]string{"broker.example": "", "other.example": "wrong_host"} {
		t.Run(host, func(t *testing.T) {
			r := NewRoute([]string{fmt.Sprintf("tls://%s:%d", host, broker.Port)})
			r.lookup = n.lookup
			c, err := r.Dial(t.Context(), Options{ClientID: "t1", CAFile: ours.CAFile})
			switch {
			case code != "" && !hasDialCode(err, code):
				t.Errorf("%s: %v, want code %s", host, err, code)
			case code == "" && err != nil:
				t.Errorf("%s: %v", host, err)
			case code == "":
				closeConn(t, c)
			}
		})
	}
}

// TestADialErrorNamesItsStageOnce: in one line the stage, what is wrong and what to do.
func TestADialErrorNamesItsStageOnce(t *testing.T) {
	for stage, want := range map[string]string{"mqtt": "mqtt: it is so; do that", "tls": "mqtt: tls: it is so; do that"} {
		if got := (&DialError{Stage: stage, What: "it is so", Remedy: "do that"}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
