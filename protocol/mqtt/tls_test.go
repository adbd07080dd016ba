package mqtt_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

const day = 24 * time.Hour

// TestTLS is the matrix against mosquitto: each failure is one line that names
// the cause and the remedy.
func TestTLS(t *testing.T) {
	now := time.Now()
	ours, other := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	good := brokertest.Start(t, brokertest.Options{Unchecked: true, Authority: ours, Server: ours.Server(time.Time{}, time.Time{}, "127.0.0.1", "localhost")})
	elsewhere := brokertest.Start(t, brokertest.Options{Unchecked: true, Authority: ours, Server: ours.Server(time.Time{}, time.Time{}, "other.example")})
	expired := brokertest.Start(t, brokertest.Options{Unchecked: true, Authority: ours, Server: ours.Server(now.Add(-20*day), now.Add(-10*day), "127.0.0.1")})
	future := brokertest.Start(t, brokertest.Options{Unchecked: true, Authority: ours, Server: ours.Server(now.Add(10*day), now.Add(20*day), "127.0.0.1")})
	plain := brokertest.Start(t, brokertest.Options{Unchecked: true})
	at1970 := func() time.Time { return time.Unix(3600, 0) }
	unset := func() bool { return false }
	for _, tc := range []struct {
		name, code string
		o          mqtt.Options
		want       []string
	}{
		{"good", "", mqtt.Options{URL: good.URL(), CAFile: ours.CAFile}, nil},
		{"name given", "", mqtt.Options{URL: elsewhere.URL(), CAFile: ours.CAFile, ServerName: "other.example"}, nil},
		{"other authority", "unknown_authority", mqtt.Options{URL: good.URL(), CAFile: other.CAFile}, []string{other.CAFile, "ca_file"}},
		{"system authorities", "unknown_authority", mqtt.Options{URL: good.URL()}, []string{"system"}},
		{"wrong name", "wrong_host", mqtt.Options{URL: elsewhere.URL(), CAFile: ours.CAFile}, []string{"other.example", "mqtt.url"}},
		{"expired", "cert_expired", mqtt.Options{URL: expired.URL(), CAFile: ours.CAFile}, []string{"renew", now.Add(-10 * day).UTC().Format("2006-01-02")}},
		{"not yet valid", "cert_not_yet_valid", mqtt.Options{URL: future.URL(), CAFile: ours.CAFile}, []string{"clock"}},
		{"clock at 1970", "cert_not_yet_valid", mqtt.Options{URL: good.URL(), CAFile: ours.CAFile, Now: at1970, ClockSynced: unset},
			[]string{"not set", "1970-01-01", "which is why TLS fails"}},
		{"plaintext port", "closed", mqtt.Options{URL: strings.Replace(plain.URL(), "tcp", "tls", 1), CAFile: ours.CAFile}, []string{"not speak TLS"}},
		{"TLS port as plaintext", "closed", mqtt.Options{URL: strings.Replace(good.URL(), "tls", "tcp", 1)}, []string{"tls://"}},
		{"no name server", "dns", mqtt.Options{URL: "tls://no-such-host.invalid", CAFile: ours.CAFile}, []string{"mqtt.url"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.o.ClientID = "t1"
			c, err := mqtt.Dial(t.Context(), tc.o)
			if tc.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				mustClose(t, c)
				return
			}
			if !hasCode(err, tc.code) {
				t.Fatalf("%v, want code %s", err, tc.code)
			}
			for _, s := range tc.want {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not contain %q", err, s)
				}
			}
		})
	}
}

func TestTLSOlderThan12IsRefused(t *testing.T) {
	ours := brokertest.NewAuthority(t)
	server := ours.Server(time.Time{}, time.Time{}, "127.0.0.1")
	cert, err := tls.LoadX509KeyPair(server.CertFile, server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1))
			c.Close()
		}
	}()
	_, err = mqtt.Dial(t.Context(), mqtt.Options{URL: "tls://" + l.Addr().String(), ClientID: "t1", CAFile: ours.CAFile})
	if !hasCode(err, "tls_version") {
		t.Errorf("%v, want tls_version", err)
	}
}

// TestClientCertificateIsReadAgain: renewal needs no restart, and an expired
// one is named.
func TestClientCertificateIsReadAgain(t *testing.T) {
	now := time.Now()
	ours, other := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	b := brokertest.Start(t, brokertest.Options{Unchecked: true, Authority: ours, Server: ours.Server(time.Time{}, time.Time{}, "127.0.0.1"), RequireClientCert: true})
	dir := t.TempDir()
	o := mqtt.Options{URL: b.URL(), ClientID: "t1", CAFile: ours.CAFile}
	// The broker's reset may overtake its alert: then the code is "closed", and what is
	// known to be wrong here is reported all the same.
	if _, err := mqtt.Dial(t.Context(), o); !hasCode(err, "client_cert_required") && !hasCode(err, "closed") || !strings.Contains(err.Error(), "no client certificate is configured") {
		t.Errorf("without a certificate: %v", err)
	}
	o.CertFile, o.KeyFile = dir+"/cert.pem", dir+"/key.pem"
	install := func(c brokertest.Certificate) {
		t.Helper()
		for from, to := range map[string]string{c.CertFile: o.CertFile, c.KeyFile: o.KeyFile} {
			b, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(to, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	install(ours.Client("t1", now.Add(-20*day), now.Add(-10*day)))
	_, err := mqtt.Dial(t.Context(), o)
	if !hasCode(err, "client_cert_refused") && !hasCode(err, "closed") || !strings.Contains(err.Error(), "it expired on "+now.Add(-10*day).UTC().Format("2006-01-02")) {
		t.Errorf("expired: %v", err)
	}
	install(other.Client("t1", time.Time{}, time.Time{}))
	if _, err := mqtt.Dial(t.Context(), o); !hasCode(err, "client_cert_refused") && !hasCode(err, "closed") || !strings.Contains(err.Error(), "client certificate") {
		t.Errorf("of another authority: %v", err)
	}
	install(ours.Client("t1", now.Add(-day), now.Add(41*day)))
	c, err := mqtt.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, c)
	if !b.Logs("u't1'") {
		t.Errorf("the broker knows the terminal under another name:\n%s", b.Log())
	}
	until, err := mqtt.CertificateExpiry(o.CertFile)
	if d := until.Sub(now); err != nil || d < 40*day || d > 42*day {
		t.Errorf("expiry in %s, %v", d, err)
	}
}

// TestWillIsPublished: the broker publishes it when the connection ends without a
// DISCONNECT, and does not when it ends with one.
func TestWillIsPublished(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	watch := mustDial(t, mqtt.Options{URL: b.URL(), ClientID: "watch"})
	got := make(chan string, 4)
	if err := watch.Subscribe(t.Context(), "will/#", func(topic string, p []byte, _ bool) { got <- topic + " " + string(p) }); err != nil {
		t.Fatal(err)
	}
	o := mqtt.Options{URL: b.URL(), ClientID: "t1", WillTopic: "will/t1", WillPayload: []byte("s1")}
	mustClose(t, mustDial(t, o)) // clean: nothing is published
	o.WillPayload = []byte("s2")
	var raw net.Conn
	o.DialContext = func(ctx context.Context, network, address string) (c net.Conn, err error) {
		raw, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return raw, err
	}
	c := mustDial(t, o)
	raw.Close()
	<-c.Done()
	select {
	case first := <-got:
		if first != "will/t1 s2" {
			t.Errorf("got %q first, want the will of the second connection", first)
		}
	case <-time.After(5 * time.Second):
		t.Error("no will")
	}
}
