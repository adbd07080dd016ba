package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Dial makes one connection: network, TLS, CONNECT, CONNACK, all within
// Options.ConnectTimeout and ctx. Any error is a *DialError. The caller must
// Close the Conn, also after it was lost.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	o = o.withDefaults()
	o.asked = &asked{}
	if err := o.Check(); err != nil {
		return nil, err
	}
	e, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	conn, err := open(ctx, e, &o)
	if err != nil {
		return nil, explain(err, e, &o)
	}
	c, err := handshake(ctx, conn, &o)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, ErrProtocol) {
			err = ctx.Err()
		}
		return nil, explain(err, e, &o)
	}
	c.address = e.address
	return c, nil
}

// open makes the network connection and, with TLS, its handshake.
func open(ctx context.Context, e endpoint, o *Options) (net.Conn, error) {
	var config *tls.Config
	if e.tls {
		var err error
		if config, err = tlsConfig(e, o); err != nil {
			return nil, err
		}
	}
	dial := o.DialContext
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	conn, err := reach(ctx, dial, e.dial, o.reach)
	if err != nil {
		return nil, &unreached{err}
	}
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok && e.loopback && !addr.IP.IsLoopback() {
		_ = conn.Close()
		return nil, optionError("plaintext", e.host+" is not this machine", "use tls://, or set allow_plaintext = true")
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		conn = &promptConn{TCPConn: tcp}
	}
	if config == nil {
		return conn, nil
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// reach makes the network connection, within limit if there is one.
func reach(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), address string, limit time.Duration) (net.Conn, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return dial(ctx, "tcp", address)
}

// asked is what the broker wants to know of us in the handshake.
type asked struct {
	certificate bool   // it wants a certificate
	unfit       string // why ours is none that it wants, "" if it may be
}

// note notes what the broker asks for, and hands it our certificate whatever it is:
// left to itself the library sends none if it thinks that it will not do, and the
// broker's complaint would be a wrong one.
func (a *asked) note(cert *tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		a.certificate = true
		if len(cert.Certificate) > 0 && r.SupportsCertificate(cert) != nil {
			a.unfit = "it is not signed by " + authorities(r.AcceptableCAs) + ", which the broker asks for"
		}
		return cert, nil
	}
}

// authorities names those of a broker's request, by common name where they have one.
func authorities(raw [][]byte) string {
	var names []string
	for _, one := range raw {
		var seq pkix.RDNSequence
		if _, err := asn1.Unmarshal(one, &seq); err != nil {
			continue
		}
		var n pkix.Name
		n.FillFromRDNSequence(&seq)
		text := n.CommonName
		if text == "" {
			text = n.String()
		}
		names = append(names, fmt.Sprintf("%.80q", text))
	}
	switch {
	case len(names) == 0:
		return "an authority"
	case len(names) > 3:
		names = append(names[:3:3], "…")
	}
	return strings.Join(names, " or ")
}

// tlsConfig reads authority and client certificate, every time again.
func tlsConfig(e endpoint, o *Options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName, Time: o.Now}
	config.GetClientCertificate = o.asked.note(&tls.Certificate{})
	if config.ServerName == "" {
		config.ServerName = e.host
	}
	if o.CAFile != "" {
		b, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(b) {
			return nil, &DialError{Stage: "files", Code: "ca_file", What: "no certificate in " + o.CAFile, Remedy: "it must hold PEM, BEGIN CERTIFICATE"}
		}
	}
	if o.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			var pe *os.PathError
			if errors.As(err, &pe) {
				return nil, err
			}
			return nil, explainPair(o, err)
		}
		config.GetClientCertificate = o.asked.note(&cert)
	}
	return config, nil
}

// CertificateExpiry is the end of the validity of the first certificate in a
// PEM file.
func CertificateExpiry(file string) (time.Time, error) {
	cert, err := firstCertificate(file)
	if err != nil {
		return time.Time{}, err
	}
	return cert.NotAfter, nil
}

func firstCertificate(file string) (*x509.Certificate, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("mqtt: %s: no PEM certificate", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("mqtt: %s: %w", file, err)
	}
	return cert, nil
}

// handshake sends CONNECT on conn and returns the Conn when CONNACK accepts it.
// It takes over conn: on an error it is closed.
func handshake(ctx context.Context, conn net.Conn, o *Options) (*Conn, error) {
	c := newConn(conn, o)
	stop := context.AfterFunc(ctx, func() { c.guard.fail(ctx.Err()) })
	defer stop()
	c.client = paho.NewClient(clientOptions(o, c))
	token := c.client.Connect()
	select {
	case <-token.Done():
	case <-c.done: // the guard has ended the connection; the library follows
		<-token.Done() // bounded by the closed connection
	}
	err := token.Error()
	if reason := c.guard.reason(); reason != nil && !errors.Is(reason, net.ErrClosed) {
		err = reason
	} else if err == nil && reason != nil {
		err = reason
	}
	if err != nil {
		c.guard.fail(err)
		c.abandon()
		return nil, err
	}
	return c, nil
}

// clientOptions are the settings of the library with which its results are true.
func clientOptions(o *Options, c *Conn) *paho.ClientOptions {
	p := paho.NewClientOptions()
	p.Servers = []*url.URL{{Scheme: "tcp", Host: "guarded"}} // never dialled: see below
	p.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c.guard, nil })
	p.SetClientID(o.ClientID)
	p.SetUsername(o.Username)
	p.SetPassword(o.Password)
	p.SetProtocolVersion(4)          // never falls back to 3.1
	p.SetCleanSession(!o.Persistent) // persistent, a token of a lost connection never completes: await does not wait for it
	p.SetAutoReconnect(false)
	p.SetConnectRetry(false)
	p.SetResumeSubs(false)
	p.SetStore(noStore{})
	p.SetOrderMatters(true) // handlers only queue, so they cannot block the receive path
	p.SetKeepAlive(o.KeepAlive)
	p.SetPingTimeout(o.PingTimeout)
	p.SetConnectTimeout(o.ConnectTimeout)
	p.SetWriteTimeout(handOverTime)                                // of handing over only; the guard times writes
	p.SetDefaultPublishHandler(func(paho.Client, paho.Message) {}) // acknowledged and ignored
	if o.Receive != nil {
		p.SetAutoAckDisabled(true)
		p.SetDefaultPublishHandler(c.receive(o.Receive))
	}
	p.SetConnectionLostHandler(func(_ paho.Client, err error) { c.lost(err) })
	if o.WillTopic != "" {
		p.SetBinaryWill(o.WillTopic, o.WillPayload, 1, true)
	}
	return p
}

// noStore keeps nothing: what was not acknowledged on this connection is the
// outbox's to send again.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
