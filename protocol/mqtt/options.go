package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Options are the settings of a connection. Files are read again at each Dial,
// so a renewed certificate needs no restart.
type Options struct {
	URL      string // tls://host[:8883], or tcp://host[:1883] to loopback
	URLName  string // what the settings call URL, for errors about it; "": mqtt.url
	ClientID string // of a terminal: its id; 1 to 64 of [a-z0-9-]
	Username string // "": ClientID if there is a Password, else none
	Password string

	CAFile     string // PEM; "": the system's authorities
	CertFile   string // PEM, client certificate with its chain; "" with KeyFile "": none
	KeyFile    string // PEM
	ServerName string // name the broker's certificate must bear; "": the host of URL

	AllowPlaintext bool // tcp:// to other than loopback

	WillTopic   string // "": no will; else QoS 1, retained
	WillPayload []byte

	// Persistent lets the broker keep what comes while this client is away (clean session
	// off). Not for shared subscriptions: messages would wait for a client that is away.
	Persistent bool
	// Receive takes every received message and acknowledges it by hand, with Message.Ack.
	// It runs in the receive path, so it must not block; an error ends the connection, as
	// ErrLost. nil: messages go to the handlers of Subscribe and are acknowledged at once.
	Receive func(Message) error

	KeepAlive      time.Duration // whole seconds, default 30 s
	PingTimeout    time.Duration // from a ping to its answer, default 10 s
	ConnectTimeout time.Duration // network, TLS and CONNACK together, default 15 s
	WriteTimeout   time.Duration // of one packet, default 10 s
	AckTimeout     time.Duration // from Send to PUBACK or SUBACK, default 20 s

	// Now is the clock that certificates are checked with; nil: time.Now.
	Now func() time.Time
	// ClockSynced reports whether that clock is trusted; nil: it is. It only
	// changes what an error about a certificate advises.
	ClockSynced func() bool
	// DialContext opens the network connection; nil: a net.Dialer. There is no
	// proxy, whatever the environment has.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	asked   *asked        // of one Dial
	address string        // ip:port to connect to; "": that of URL
	reach   time.Duration // limit of the network connection; 0: ConnectTimeout
}

// endpoint is where and how to connect.
type endpoint struct {
	address  string // host:port, as people read it
	dial     string // what is dialled
	host     string
	tls      bool
	loopback bool // the connection must stay on this machine
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.KeepAlive, 30*time.Second)
	def(&o.PingTimeout, 10*time.Second)
	def(&o.ConnectTimeout, 15*time.Second)
	def(&o.WriteTimeout, 10*time.Second)
	def(&o.AckTimeout, 20*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ClockSynced == nil {
		o.ClockSynced = func() bool { return true }
	}
	if o.Username == "" && o.Password != "" {
		o.Username = o.ClientID
	}
	return o
}

// ErrOptions is the class of the errors of Check.
var ErrOptions = errors.New("mqtt: bad options")

// Check reports what is wrong with the options that can be known without
// connecting: a *DialError of stage "options" and class ErrOptions, or nil.
func (o Options) Check() error {
	_, err := o.endpoint()
	if err == nil && (o.CertFile == "") != (o.KeyFile == "") {
		err = optionError("certificate", "cert_file and key_file belong together", "set both or none")
	}
	return err
}

func optionError(code, what, remedy string) error {
	return &DialError{Stage: "options", Code: code, What: what, Remedy: remedy, Err: ErrOptions}
}

func (o *Options) urlName() string {
	if o.URLName == "" {
		return "mqtt.url"
	}
	return o.URLName
}

func (o Options) endpoint() (endpoint, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return endpoint{}, optionError("url", o.urlName()+" is not a URL with a host", "write it as tls://broker.example:8883")
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return endpoint{}, optionError("url", o.urlName()+" holds more than scheme, host and port", "write it as tls://broker.example:8883")
	}
	e := endpoint{host: u.Hostname()}
	port := u.Port()
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
		e.loopback = !o.AllowPlaintext
		if e.loopback && !isLoopback(e.host) {
			return endpoint{}, optionError("plaintext", fmt.Sprintf("%s would be reached without encryption", e.host),
				"use tls://, or set allow_plaintext = true")
		}
	default:
		return endpoint{}, optionError("url", fmt.Sprintf("%s has scheme %q", o.urlName(), u.Scheme), "use tls:// (or tcp:// to this machine)")
	}
	e.address = net.JoinHostPort(e.host, port)
	if e.dial = e.address; o.address != "" {
		e = e.withAddress(o.address)
	}
	return e, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
