package mqtt_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestTLSClientChain: everything that can be wrong with the terminal's own certificate,
// against a mosquitto that demands one. Each is one line that names the cause and the
// remedy, also where the broker closes without an alert or its reset overtakes its alert.
func TestTLSClientChain(t *testing.T) {
	now := time.Now()
	date := func(t time.Time) string { return t.UTC().Format("2006-01-02") }
	ours, other := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("-----BEGIN CERTIFICATE-----\nnothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good, second := ours.Client("t1", time.Time{}, time.Time{}), ours.Client("t1", time.Time{}, time.Time{})
	expired := ours.Client("t1", now.Add(-20*day), now.Add(-10*day))
	future := ours.Client("t1", now.Add(10*day), now.Add(20*day))
	foreign := other.Client("t1", time.Time{}, time.Time{})
	at1970 := func() time.Time { return time.Unix(3600, 0) }
	unset := func() bool { return false }
	for _, version := range []string{"tlsv1.2", "tlsv1.3"} {
		b := brokertest.Start(t, brokertest.Options{Authority: ours, Server: ours.Server(time.Time{}, time.Time{}, "127.0.0.1"),
			RequireClientCert: true, Config: []string{"tls_version " + version}})
		with := func(c brokertest.Certificate) mqtt.Options {
			return mqtt.Options{URL: b.URL(), ClientID: "t1", CAFile: ours.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile}
		}
		clock := with(good)
		clock.Now, clock.ClockSynced = at1970, unset
		noCA := with(good)
		noCA.CAFile = garbage
		for _, tc := range []struct {
			name, code string
			o          mqtt.Options
			want       []string
		}{
			{"good", "", with(good), nil},
			{"none", "client_cert_required", with(brokertest.Certificate{}), []string{"no client certificate is configured", "set cert_file and key_file"}},
			{"expired", "client_cert_refused", with(expired), []string{expired.CertFile, "it expired on " + date(now.Add(-10*day)), "renew it"}},
			{"not yet valid", "client_cert_refused", with(future), []string{"it is valid from " + date(now.Add(10*day)) + " only", "set the clock"}},
			{"of another authority", "client_cert_refused", with(foreign), []string{foreign.CertFile, "have it signed by an authority the broker trusts"}},
			{"key of another one", "key_mismatch", with(brokertest.Certificate{CertFile: good.CertFile, KeyFile: second.KeyFile}), []string{second.KeyFile, "is not that of the certificate " + good.CertFile}},
			{"certificate is none", "cert_file", with(brokertest.Certificate{CertFile: garbage, KeyFile: good.KeyFile}), []string{garbage, "must be PEM"}},
			{"key is not there", "file", with(brokertest.Certificate{CertFile: good.CertFile, KeyFile: dir + "/no.key"}), []string{"cannot read " + dir + "/no.key", "permissions"}},
			{"authority is none", "ca_file", noCA, []string{"no certificate in " + garbage, "must hold PEM"}},
			{"clock not set", "cert_not_yet_valid", clock, []string{"the clock of this terminal is not set (it says 1970-01-01", "which is why TLS fails", "time synchronisation"}},
		} {
			t.Run(version+" "+tc.name, func(t *testing.T) {
				c, err := mqtt.Dial(t.Context(), tc.o)
				if tc.code == "" {
					if err != nil {
						t.Fatal(err)
					}
					mustClose(t, c)
					return
				}
				// Mosquitto does not send whom it trusts, and in TLS 1.3 its reset may overtake
				// the alert: then the line has what is known, and the same remedy.
				if overtaken := tc.name == "of another authority" && hasCode(err, "closed"); !hasCode(err, tc.code) && !overtaken {
					t.Fatalf("%v, want code %s", err, tc.code)
				}
				if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "; ") {
					t.Errorf("%q is not one line with a remedy", err)
				}
				for _, s := range tc.want {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q does not contain %q", err, s)
					}
				}
			})
		}
	}
}

// TestTLSRotationAtTheNextConnection: the same Options, the files renewed between two
// connections: the broker sees the new certificate, by its serial number's name.
func TestTLSRotationAtTheNextConnection(t *testing.T) {
	ours, next := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	dir := t.TempDir()
	o := mqtt.Options{ClientID: "t1", CAFile: dir + "/ca.pem", CertFile: dir + "/cert.pem", KeyFile: dir + "/key.pem"}
	install := func(ca string, c brokertest.Certificate) {
		t.Helper()
		for from, to := range map[string]string{ca: o.CAFile, c.CertFile: o.CertFile, c.KeyFile: o.KeyFile} {
			b, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(to, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, authority := range []*brokertest.Authority{ours, next} {
		b := brokertest.Start(t, brokertest.Options{Authority: authority, Server: authority.Server(time.Time{}, time.Time{}, "127.0.0.1"), RequireClientCert: true})
		o.URL = b.URL()
		for _, name := range []string{"old-name", "new-name"} {
			install(authority.CAFile, authority.Client(name, time.Time{}, time.Time{}))
			c, err := mqtt.Dial(t.Context(), o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			mustClose(t, c)
			if !b.Logs("u'" + name + "'") {
				t.Errorf("the broker did not see %s:\n%s", name, b.Log())
			}
		}
	}
}

// TestTLSNamesTheAuthorityThatIsWanted: a broker that sends whom it trusts makes it
// certain what is wrong.
func TestTLSNamesTheAuthorityThatIsWanted(t *testing.T) {
	ours, other := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	server := ours.Server(time.Time{}, time.Time{}, "127.0.0.1")
	cert, err := tls.LoadX509KeyPair(server.CertFile, server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ours.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	})
	defer served.Wait()
	defer l.Close()
	foreign := other.Client("t1", time.Time{}, time.Time{})
	_, err = mqtt.Dial(t.Context(), mqtt.Options{URL: "tls://" + l.Addr().String(), ClientID: "t1", CAFile: ours.CAFile, CertFile: foreign.CertFile, KeyFile: foreign.KeyFile})
	if !hasCode(err, "client_cert_refused") || !strings.Contains(err.Error(), `it is not signed by "authority `) || !strings.Contains(err.Error(), "which the broker asks for; have it signed by that authority") {
		t.Errorf("%v", err)
	}
}

// elsewhere is a connection that claims to go to another machine.
type elsewhere struct{ net.Conn }

// RemoteAddr returns an address that is not this machine's.
func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1883} }

// TestPlaintextOnlyToThisMachine: by name and by where the connection really goes,
// unless it is allowed.
func TestPlaintextOnlyToThisMachine(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	address := strings.TrimPrefix(b.URL(), "tcp://")
	dialled := 0
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		dialled++
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return elsewhere{c}, err
	}
	for _, tc := range []struct {
		url     string
		allowed bool
		code    string
		dials   int
	}{
		{b.URL(), false, "", 0},
		{"tcp://broker.example:1883", false, "plaintext", 0},
		{"tcp://192.0.2.1:1883", false, "plaintext", 0},
		{"tcp://localhost:1883", false, "plaintext", 1}, // a name that lies
		{"tcp://broker.example:1883", true, "", 1},
	} {
		t.Run(tc.url, func(t *testing.T) {
			o := mqtt.Options{URL: tc.url, ClientID: "t1", AllowPlaintext: tc.allowed}
			if tc.url != b.URL() {
				o.DialContext = dial
			}
			dialled = 0
			c, err := mqtt.Dial(t.Context(), o)
			if tc.code == "" && err == nil {
				mustClose(t, c)
			}
			if tc.code == "" && err != nil || tc.code != "" && !hasCode(err, tc.code) || dialled != tc.dials {
				t.Errorf("%s, allowed %v: %v, dialled %d times; want %q, %d", tc.url, tc.allowed, err, dialled, tc.code, tc.dials)
			}
		})
	}
}
