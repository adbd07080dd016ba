package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// Classes of errors.
var (
	ErrOptions = errors.New("broker: bad options")
	ErrDial    = errors.New("broker: no connection")
	ErrLost    = errors.New("broker: connection lost")
	ErrRefused = errors.New("broker: subscription refused")
)

// Options say where the broker is and who we are.
type Options struct {
	URL            string // tls://host:8883, or tcp://host:1883 to this machine
	ClientID       string
	Username       string
	PasswordFile   string // its first line; read at every connection
	CAFile         string // PEM; "": the system's authorities
	CertFile       string // PEM, with KeyFile; read at every connection
	KeyFile        string
	ServerName     string // "": the host of URL
	AllowPlaintext bool   // tcp:// also to other machines
	// Persistent lets the broker keep what comes while we are away (clean session
	// off). Not for shared subscriptions: messages would wait for one who is away.
	Persistent bool
	// Lane says which lane a topic belongs to: each has room of its own, and its turn. It
	// must not block. nil: all are in one lane.
	Lane func(topic string) string
	// Lossless makes every PUBACK wait for Done, so that the broker keeps what was not
	// stored, where no terminal sends it again (an observer). One lane may then delay
	// the others.
	Lossless    bool
	WillTopic   string
	WillPayload []byte
	KeepAlive   time.Duration // 1 s to 10 min; 0: 30 s
	Timeout     time.Duration // of connecting and of every answer; 0: 15 s
}

// endpoint is what a URL says.
type endpoint struct {
	address, host string
	tls, loopback bool // loopback: plaintext, to this machine only
}

// Check reports what is wrong that can be known without connecting: ErrOptions.
func (o *Options) Check() error {
	_, err := o.endpoint()
	if err != nil {
		return err
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return fmt.Errorf("%w: certificate and key belong together: give both or none", ErrOptions)
	}
	if k := o.KeepAlive; k != 0 && (k < time.Second || k > 10*time.Minute) {
		return fmt.Errorf("%w: keep-alive %s; it must be 1s to 10m", ErrOptions, k)
	}
	return nil
}

func (o *Options) endpoint() (endpoint, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return endpoint{}, fmt.Errorf("%w: the broker is written as tls://broker.example:8883", ErrOptions)
	}
	e, port := endpoint{host: u.Hostname()}, u.Port()
	switch u.Scheme {
	case "tls", "ssl", "mqtts":
		e.tls = true
		if port == "" {
			port = "8883"
		}
	case "tcp", "mqtt":
		if port == "" {
			port = "1883"
		}
		ip := net.ParseIP(e.host)
		if local := e.host == "localhost" || ip != nil && ip.IsLoopback(); !local && !o.AllowPlaintext {
			return endpoint{}, fmt.Errorf("%w: %s would be reached without encryption; use tls://, or allow plaintext", ErrOptions, e.host)
		}
		e.loopback = !o.AllowPlaintext
	default:
		return endpoint{}, fmt.Errorf("%w: scheme %q; use tls:// (or tcp:// to this machine)", ErrOptions, u.Scheme)
	}
	e.address = net.JoinHostPort(e.host, port)
	return e, nil
}

// tlsConfig reads authority and certificate, every time again.
func (o *Options) tlsConfig(e endpoint) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if c.ServerName == "" {
		c.ServerName = e.host
	}
	if o.CAFile != "" {
		b, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("no certificate in %s; it must hold PEM", o.CAFile)
		}
	}
	if o.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s: %w", o.CertFile, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// password is the first line of the password file. No error holds any of it.
func (o *Options) password() (string, error) {
	if o.PasswordFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("the first line of %s is empty", o.PasswordFile)
	}
	return line, nil
}
