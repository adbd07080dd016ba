package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/protocol/mqtt/brokertest"
)

// mqtt puts lines into the table mqtt.
func (p *patient) mqtt(format string, args ...any) {
	p.edit("[mqtt]\n", "[mqtt]\n"+fmt.Sprintf(format, args...)+"\n")
}

// url replaces the broker's address.
func (p *patient) url(url string) { p.edit(p.broker.URL(), url) }

// wrongRefunds has the terminal make cases until the daemon has opened some.
func (p *patient) wrongRefunds() {
	eventually(p.t, 60*time.Second, "cases", func() bool { return p.said("case.opened") > 2 })
}

// secure is a broker with TLS and what a terminal needs for it.
type secure struct {
	*brokertest.Broker
	ours *brokertest.Authority
}

func newSecure(p *patient, from, until time.Time, name string, clients bool) secure {
	ours := brokertest.NewAuthority(p.t)
	return secure{brokertest.Start(p.t, brokertest.Options{Authority: ours, Server: ours.Server(from, until, name), RequireClientCert: clients, Unchecked: true}), ours}
}

// TestE2EDoctorOfBrokers: the rows about the way to the broker, without a daemon.
func TestE2EDoctorOfBrokers(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	usual := func(p *patient) secure {
		s := newSecure(p, time.Time{}, time.Time{}, "127.0.0.1", false)
		p.url(s.URL())
		return s
	}
	client := func(p *patient, change func(s secure) (cert, key string)) {
		s := newSecure(p, time.Time{}, time.Time{}, "127.0.0.1", true)
		p.url(s.URL())
		cert, key := change(s)
		p.mqtt("ca_file = %q\ncert_file = %q\nkey_file = %q", s.ours.CAFile, cert, key)
	}
	passwords := func(p *patient, file string) {
		b := brokertest.Start(p.t, brokertest.Options{Passwords: map[string]string{p.id: "right"}, Unchecked: true})
		p.url(b.URL())
		path := filepath.Join(p.dir, "password")
		if file != "" {
			p.must(os.WriteFile(path, []byte(file), 0o600))
		}
		p.mqtt("password_file = %q", path)
	}
	var rows []ill
	add := func(no, name string, setUp func(p *patient), want ...string) {
		rows = append(rows, ill{no: no, name: name, code: 5, setUp: setUp, want: append(want, "× broker", "→ ")})
	}
	add("36", "absent", func(p *patient) { p.url("tcp://127.0.0.1:1") }, "127.0.0.1:1 refuses the connection")
	add("37", "wrong password", func(p *patient) { passwords(p, "wrong") }, "does not let this terminal in")
	add("38", "password file missing", func(p *patient) { passwords(p, "") }, "password", "no such file")
	add("39", "unknown authority", func(p *patient) { usual(p) }, "is not signed by")
	add("40", "expired", func(p *patient) {
		s := newSecure(p, now.Add(-9*day), now.Add(-2*day), "127.0.0.1", false)
		p.url(s.URL())
		p.mqtt("ca_file = %q", s.ours.CAFile)
	}, "was valid until")
	add("40N", "not valid yet", func(p *patient) {
		s := newSecure(p, now.Add(2*day), now.Add(9*day), "127.0.0.1", false)
		p.url(s.URL())
		p.mqtt("ca_file = %q", s.ours.CAFile)
	}, "is valid from ", "set the clock")
	add("41", "another host", func(p *patient) {
		s := newSecure(p, time.Time{}, time.Time{}, "broker.example", false)
		p.url(s.URL())
		p.mqtt("ca_file = %q", s.ours.CAFile)
	}, "broker.example")
	add("42", "plaintext to TLS", func(p *patient) { s := usual(p); p.edit(s.URL(), strings.Replace(s.URL(), "tls://", "tcp://", 1)) }, "tls://")
	add("42T", "TLS to plaintext", func(p *patient) { p.url(strings.Replace(p.broker.URL(), "tcp://", "tls://", 1)) }, "TLS")
	add("43", "no client certificate", func(p *patient) {
		s := newSecure(p, time.Time{}, time.Time{}, "127.0.0.1", true)
		p.url(s.URL())
		p.mqtt("ca_file = %q", s.ours.CAFile)
	}, "certificate")
	add("43E", "client certificate expired", func(p *patient) {
		client(p, func(s secure) (string, string) {
			c := s.ours.Client(p.id, now.Add(-9*day), now.Add(-2*day))
			return c.CertFile, c.KeyFile
		})
	}, "certificate", "it expired on")
	add("43K", "key of another certificate", func(p *patient) {
		client(p, func(s secure) (string, string) {
			a, b := s.ours.Client(p.id, time.Time{}, time.Time{}), s.ours.Client("other", time.Time{}, time.Time{})
			return a.CertFile, b.KeyFile
		})
	}, "is not that of the certificate")
	add("43A", "client certificate of another authority", func(p *patient) {
		client(p, func(secure) (string, string) {
			c := brokertest.NewAuthority(p.t).Client(p.id, time.Time{}, time.Time{})
			return c.CertFile, c.KeyFile
		})
	}, "certificate")
	add("43F", "client certificate missing", func(p *patient) {
		client(p, func(s secure) (string, string) {
			return filepath.Join(p.dir, "none.pem"), s.ours.Client(p.id, time.Time{}, time.Time{}).KeyFile
		})
	}, "none.pem", "no such file")
	add("43C", "an authority's file without a certificate", func(p *patient) {
		s := newSecure(p, time.Time{}, time.Time{}, "127.0.0.1", false)
		p.url(s.URL())
		p.must(os.WriteFile(filepath.Join(p.dir, "ca.pem"), []byte("no certificate\n"), 0o600))
		p.mqtt("ca_file = %q", filepath.Join(p.dir, "ca.pem"))
	}, "ca.pem", "certificate")
	add("45", "a name that is none", func(p *patient) { p.url("tls://nowhere.invalid:8883") }, "nowhere.invalid")
	rows = append(rows, ill{no: "44", name: "certificate ends in 4 days", code: 4, setUp: func(p *patient) {
		client(p, func(s secure) (string, string) {
			c := s.ours.Client(p.id, now.Add(-9*day), now.Add(4*day+time.Hour))
			return c.CertFile, c.KeyFile
		})
		p.startOnline()
		eventually(p.t, 30*time.Second, "the broker", func() bool { return p.said("mqtt.connected") > 0 })
	}, want: []string{"(cert_expiring)", "ends in 4 days", "renew mqtt.cert_file"}})
	examine(t, rows)
}

// TestE2EDoctorOfBackOffices: the rows about what is behind the broker.
func TestE2EDoctorOfBackOffices(t *testing.T) {
	mute := func(p *patient) {
		p.healthy()
		p.wrongRefunds()
		eventually(p.t, 60*time.Second, "unacknowledged", func() bool { return p.said("delivery.unacknowledged") > 0 })
	}
	examine(t, []ill{
		{no: "46", name: "nothing pending, nobody known", code: 0, setUp: (*patient).startOnlineBroker,
			want: []string{"the broker answers within", "· back office", "has acknowledged nothing yet", "doctor --echo"}, never: []string{"round trip", "√ back office"}},
		{no: "47", name: "cases pending", code: 4, setUp: mute, want: []string{"(unacknowledged)", "doctor --echo", "dn/ack"}, never: []string{"√ back office"}},
		{no: "48", name: "delivery.ack = broker", set: settings{ack: "broker"}, code: 4, setUp: (*patient).startOnlineBroker,
			want: []string{"delivery.ack", "may be lost without a trace", `delivery.ack = "backoffice"`}},
		{no: "49", name: "echo, and no back office", args: []string{"--echo"}, code: 5, setUp: func(p *patient) { p.alone(); p.startOnlineBroker() },
			want: []string{"√ broker", "× back office", "it does not answer within 10s"}},
		{no: "49D", name: "echo, and a desk that signs", args: []string{"--echo"}, code: 0, setUp: func(p *patient) { p.desk(); p.startOnlineBroker() },
			want: []string{"√ broker", "√ back office", "it answers, within"}},
		{no: "49S", name: "echo without a daemon", args: []string{"--echo"}, code: 0, setUp: func(p *patient) { p.desk() },
			want: []string{"√ broker", "√ back office", "it answers, within"}},
		{no: "50", name: "two terminals of one name", code: 4, setUp: func(p *patient) {
			p.startOnlineBroker()
			for range 20 {
				if strings.Contains(p.log.String(), "duplicate_client_id") {
					break
				}
				online := p.said("mqtt.connected")
				other := paho.NewClient(paho.NewClientOptions().AddBroker(p.broker.URL()).SetClientID(p.id).SetAutoReconnect(false))
				if token := other.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
					p.t.Fatal(token.Error())
				}
				waitFor(5*time.Second, func() bool { return p.said("mqtt.connected") > online })
				other.Disconnect(0)
				pace(300 * time.Millisecond) // a connection that has hardly begun is not counted as good
			}
			eventually(p.t, 30*time.Second, "duplicate", func() bool { return strings.Contains(p.log.String(), "duplicate_client_id") })
		}, want: []string{"(duplicate_client_id)", "terminal.id", "its own id"}},
		{no: "54", name: "outbox full", set: settings{broker: "tcp://127.0.0.1:1", extra: "[delivery]\nmax_bytes = \"64KiB\"\n"}, code: 5, setUp: func(p *patient) {
			p.edit("[delivery]\nmax_bytes = \"64KiB\"\n", "")
			p.edit("ack_timeout = \"2s\"", "ack_timeout = \"2s\"\nmax_bytes = \"64KiB\"")
			fw := newFirmware(p.t, "e-sign", 54)
			p.edit(p.line.Place(), fw.link)
			p.startOnline()
			for range 40 {
				fw.day(20, time.Millisecond)
				if strings.Contains(p.log.String(), "code=outbox_full") {
					break
				}
				pace(300 * time.Millisecond)
			}
			eventually(p.t, 60*time.Second, "its line in the log", func() bool { p.status(); return strings.Contains(p.log.String(), "code=outbox_full") })
		}, want: []string{"(outbox_full)", "let the back office acknowledge"}},
		{no: "55", name: "cases refused", code: 4, setUp: func(p *patient) {
			refuser := brokertest.NewClient(p.t, p.broker.URL(), "refuser-"+p.id, nil, "yuanlu/v1/"+p.id+"/up/case")
			p.healthy()
			eventually(p.t, 60*time.Second, "a case", func() bool { return len(refuser.Received()) > 0 })
			var e struct{ Stream, Sequence string }
			p.must(json.Unmarshal(refuser.Received()[0].Payload, &e))
			p.must(refuser.Publish("yuanlu/v1/"+p.id+"/dn/ack", false, fmt.Appendf(nil, `{"stream":%q,"nack":[{"seq":%s,"code":"schema","message":"no"}]}`, e.Stream, strings.TrimLeft(e.Sequence, "0"))))
			eventually(p.t, 60*time.Second, "quarantined", func() bool { return strings.Contains(p.status().codes(), "outbox_quarantine") })
		}, want: []string{"(outbox_quarantine)", "requeue"}},
		{no: "58", name: "a back office that was never here", set: settings{extra: "[backoffice]\nhost = \"desk58\"\n"}, code: 4, setUp: (*patient).startOnlineBroker,
			want: []string{"‼ back office", "desk58", "check backoffice.host"}, never: []string{"√ back office"}},
	})
}

func (p *patient) startOnlineBroker() {
	p.startOnline()
	eventually(p.t, 30*time.Second, "the broker", func() bool { return p.said("mqtt.connected") > 0 })
}

// alone starts a broker for this terminal only.
func (p *patient) alone() {
	own := brokertest.Start(p.t, brokertest.Options{Unchecked: true})
	p.url(own.URL())
	p.broker = own
}

// desk starts a back office that signs, and has the terminal believe its key alone.
func (p *patient) desk() {
	p.alone()
	bin, err := deskProgram()
	p.must(err)
	key := filepath.Join(p.dir, "desk.pem")
	out, err := exec.Command(bin, "keygen", "--out", key).CombinedOutput()
	if err != nil {
		p.t.Fatalf("keygen: %v: %s", err, out)
	}
	begin := strings.Index(string(out), "[[backoffice.key]]")
	if begin < 0 {
		p.t.Fatalf("keygen prints no key: %s", out)
	}
	p.must(os.WriteFile(p.config, []byte(p.file()+"\n"+string(out[begin:])), 0o600))
	serve := exec.Command(bin, "serve", "--broker", p.broker.URL(), "--client-id", "desk-"+p.id, "--host", "desk-"+p.id, "--store", filepath.Join(p.dir, "desk.db"), "--listen", "-", "--sign-key", key)
	log := &capture{}
	serve.Stdout, serve.Stderr = log, log
	p.must(serve.Start())
	p.t.Cleanup(func() { serve.Process.Kill(); _ = serve.Wait() })
	eventually(p.t, 60*time.Second, "the desk", func() bool { return strings.Contains(log.String(), "connected") })
}
