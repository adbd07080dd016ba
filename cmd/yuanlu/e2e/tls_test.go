package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// TestE2ETLS: a terminal whose certificate ends soon reports it; certificate, key and
// authority are renewed under its feet and used by the next connection; a chain that
// does not hold is named with its remedy where a technician looks.
func TestE2ETLS(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Now()
	ours, other := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	broker := brokertest.Start(t, brokertest.Options{Authority: ours, Server: ours.Server(time.Time{}, time.Time{}, "127.0.0.1"), RequireClientCert: true})
	fw := newFirmware(t, "e-sign", 91)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), id: "t-tls"})
	files := map[string]string{"ca_file": "ca.pem", "cert_file": "cert.pem", "key_file": "key.pem"}
	toml := "[mqtt]\n"
	for name, file := range files {
		files[name] = filepath.Join(st.dir, file)
		toml += name + " = \"" + files[name] + "\"\n"
	}
	if err := os.WriteFile(st.config, []byte(strings.Replace(st.file(), "[mqtt]\n", toml, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	install := func(from, name string) {
		t.Helper()
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(files[name], b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	old := ours.Client(st.id, now.Add(-345*day), now.Add(20*day+time.Hour))
	install(ours.CAFile, "ca_file")
	install(old.CertFile, "cert_file")
	install(old.KeyFile, "key_file")
	h := newHeadquartersTLS(t, broker.URL(), st.id, clientConfig(t, ours))
	st.startOnline()
	eventually(t, 20*time.Second, "cert.expiring", func() bool { return h.heard("cert.expiring", `"days":20`) == 1 })
	if s := st.status(); s.CertDays != 20 || !strings.Contains(s.codes(), "cert_expiring") {
		t.Errorf("before the renewal: %+v", s)
	}

	renewed := ours.Client(st.id, now, now.Add(365*day+time.Hour))
	install(renewed.CertFile, "cert_file")
	install(renewed.KeyFile, "key_file")
	restart := func() { broker.Kill(); broker.Run() }
	restart()
	connected := func() bool { s := st.status(); return s.MQTT.Connected && s.MQTT.Reconnects > 0 }
	eventually(t, 40*time.Second, "connected with the new certificate", connected)
	if s := st.status(); s.CertDays != 365 || strings.Contains(s.codes(), "cert_expiring") {
		t.Errorf("after the renewal: %+v", s)
	}
	install(other.CAFile, "ca_file")
	restart()
	eventually(t, 40*time.Second, "the chain named", func() bool {
		return strings.Contains(st.status().MQTT.LastError, "is not signed by ca_file "+files["ca_file"]+"; put the certificate of the broker's authority into ca_file")
	})
	if out := st.out("status"); !strings.Contains(out, "offline") || !strings.Contains(out, "put the certificate of the broker's authority into ca_file") {
		t.Errorf("status: %s", out)
	}
	install(ours.CAFile, "ca_file")
	eventually(t, 70*time.Second, "connected again", func() bool { return st.status().MQTT.Connected })
	if st.said("agent.ready") != 1 {
		t.Error("a renewal needs no restart")
	}
	st.stop()
	// Without the daemon the doctor tries for himself.
	install(old.KeyFile, "key_file")
	out, err := st.command("doctor").CombinedOutput()
	if exitOf(err) != 5 || !strings.Contains(string(out), "is not that of the certificate "+files["cert_file"]) || !strings.Contains(string(out), "put both files of one renewal there") {
		t.Errorf("doctor: %v: %s", err, out)
	}
}

// glimpse is what these tests need of status --json.
type glimpse struct {
	CertDays int `json:"certificate_days"`
	Problems []struct {
		Code string `json:"code"`
	} `json:"problems"`
	MQTT struct {
		Connected  bool   `json:"connected"`
		Reconnects int    `json:"reconnects"`
		LastError  string `json:"last_error"`
	} `json:"mqtt"`
}

func (g glimpse) codes() string {
	var all []string
	for _, p := range g.Problems {
		all = append(all, p.Code)
	}
	return strings.Join(all, " ")
}

func (st *station) status() glimpse {
	st.t.Helper()
	var g glimpse
	if err := json.Unmarshal([]byte(st.out("status", "--json")), &g); err != nil {
		st.t.Fatal(err)
	}
	return g
}

// clientConfig is that of a back office with a certificate of the authority.
func clientConfig(t *testing.T, a *brokertest.Authority) *tls.Config {
	t.Helper()
	c := a.Client("backoffice", time.Time{}, time.Time{})
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(a.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}
}
