package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

func options(o mqtt.Options) Options { return Options{Options: o} }

func TestOptionsThatAreWrong(t *testing.T) {
	for _, o := range []mqtt.Options{
		{}, {URL: "x"}, {URL: "http://x"}, {URL: "tls://u:p@x"}, {URL: "tls://x/path"}, {URL: "tcp://broker.example"}, {URL: "tcp://192.0.2.1:1883"},
		{URL: "tls://x", CertFile: "a"}, {URL: "tls://x", KeyFile: "a"},
	} {
		if err := options(o).Check(); !errors.Is(err, mqtt.ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []mqtt.Options{{URL: "tls://x"}, {URL: "tcp://localhost"}, {URL: "tcp://[::1]:1"}, {URL: "tcp://192.0.2.1", AllowPlaintext: true}, {URL: "mqtts://x", CertFile: "a", KeyFile: "b"}} {
		if err := options(o).Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestDialSaysWhy(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ca := brokertest.NewAuthority(t)
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	b := brokertest.Start(t, brokertest.Options{Authority: ca, Server: ca.Server(from, until, "localhost"), RequireClientCert: true})
	cert := ca.Client("backoffice", from, until)
	local := strings.Replace(b.URL(), "127.0.0.1", "localhost", 1)
	for what, o := range map[string]Options{
		"refused":            {Options: mqtt.Options{URL: "tcp://127.0.0.1:1"}},
		"password":           {Options: mqtt.Options{URL: b.URL()}, PasswordFile: empty},
		"no certificate":     {Options: mqtt.Options{URL: local, CAFile: empty}},
		"unknown authority":  {Options: mqtt.Options{URL: local}},
		"127.0.0.1":          {Options: mqtt.Options{URL: b.URL(), CAFile: ca.CAFile}},
		"localhost":          {Options: mqtt.Options{URL: local, CAFile: ca.CAFile}}, // no client certificate: an alert, or a reset
		"client certificate": {Options: mqtt.Options{URL: local, CAFile: ca.CAFile, CertFile: empty, KeyFile: empty}},
	} {
		t.Run(what, func(t *testing.T) {
			o.ClientID, o.ConnectTimeout = "x", 5*time.Second
			if c, err := Dial(t.Context(), o); !errors.Is(err, ErrDial) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v %v", what, c, err)
			}
		})
	}
	c, err := Dial(t.Context(), options(mqtt.Options{URL: local, ClientID: "x", CAFile: ca.CAFile, CertFile: cert.CertFile, KeyFile: cert.KeyFile}))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := c.Next(t.Context(), 1); err == nil {
		t.Error("a closed connection returns messages")
	}
}

// A broker that breaks the protocol ends the connection, not the process.
func TestHostileBroker(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"SUBACK with two codes":      {0x90, 4, 0, 1, 0, 0},
		"SUBACK nobody waits for":    {0x90, 3, 0, 9, 0},
		"256 MiB":                    {0x30, 0xff, 0xff, 0xff, 0x7f},
		"endless length":             {0x30, 0xff, 0xff, 0xff, 0xff, 0xff},
		"PUBLISH without a topic":    {0x30, 2, 0, 0},
		"PUBLISH with a wildcard":    {0x30, 3, 0, 1, '#'},
		"PUBLISH with QoS 2":         {0x34, 5, 0, 1, 'a', 0, 1},
		"second CONNACK":             {0x20, 2, 0, 0},
		"CONNECT":                    {0x10, 0},
		"PUBACK of another length":   {0x40, 3, 0, 1, 0},
		"PUBLISH that ends too soon": {0x32, 3, 0, 9, 'a'},
	} {
		t.Run(name, func(t *testing.T) {
			f := &brokertest.Fake{Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
				if p.Kind != brokertest.Subscribe {
					return false
				}
				_ = c.Raw(bytes)
				return true
			}}
			c, err := Dial(t.Context(), options(mqtt.Options{URL: f.Listen(t), ClientID: "x", ConnectTimeout: 5 * time.Second}))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Subscribe(t.Context(), "a/#", 1); err == nil {
				t.Errorf("%s: subscribed", name)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := c.Next(ctx, 1); !errors.Is(err, mqtt.ErrLost) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			c.Close()
		})
	}
}

func TestRefusedSubscriptionIsAnError(t *testing.T) {
	f := &brokertest.Fake{Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind == brokertest.Subscribe {
			_ = c.Raw([]byte{0x90, 3, byte(p.ID >> 8), byte(p.ID), 0x80})
		}
		return p.Kind == brokertest.Subscribe
	}}
	c, err := Dial(t.Context(), options(mqtt.Options{URL: f.Listen(t), ClientID: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), "a", 1); !errors.Is(err, mqtt.ErrRefused) {
		t.Error(err)
	}
}

// What is taken is acknowledged only when it is done with.
func TestPubackOnlyByHand(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	dial := func() *Conn {
		c, err := Dial(t.Context(), options(mqtt.Options{URL: b.URL(), ClientID: "x", Persistent: true}))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := dial()
	if err := c.Subscribe(t.Context(), "a", 1); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		t.Run(text, func(t *testing.T) {
			if err := c.Publish(t.Context(), "a", false, []byte(text)); err != nil {
				t.Fatal(err)
			}
		})
	}
	var got []string
	next := func(n int) (list []Message) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for len(list) < n {
			more, err := c.Next(ctx, 10)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, more...)
		}
		return list
	}
	list := next(2)
	list[0].Ack()
	if err := c.Publish(t.Context(), "b", false, nil); err != nil { // behind the PUBACK
		t.Fatal(err)
	}
	c.Close()
	c = dial()
	defer c.Close()
	for _, m := range next(1) {
		got = append(got, string(m.Payload))
	}
	if strings.Join(got, " ") != "two" {
		t.Errorf("came again: %v", got)
	}
}
