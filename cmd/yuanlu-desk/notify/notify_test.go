package notify

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

var noon = time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC)

const secret = "0123456789abcdef0123456789abcdef"

// office is a store with a case of which a step is overdue, and one that waits for approval.
func office(t *testing.T, channels ...string) (*store.Store, []*store.Channel) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var list []*store.Channel
	for _, name := range channels {
		c, err := s.Channel(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	if err := s.SetUp(t.Context(), []byte(`{"stores":[{"store":"s1","merchant_id":"M1","terminals":[],"cutoff":""}]}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.Hire(t.Context(), noon, []byte(`{"id":"wang","staff":"7","roles":["analyst"],"stores":["*"],"operators":[],"active":true}`)); err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{
		`"do":"open","store":"s1","text":"Li Si called","refund":{"channel":"card","amount":31415,"currency":"CNY","at":"2026-08-24T08:00:00Z","number":"N1"}`,
		`"do":"open","store":"s1","text":"y","refund":{"channel":"card","amount":1,"currency":"CNY","at":"2026-08-24T08:00:00Z","number":"N2"}`,
		`"do":"propose","case":"C-2026-000002","expect":2,"commands":[{"do":"close","outcome":"test"}],"text":"z"`,
	} {
		if a, _, err := s.Work(t.Context(), noon, "wang", `"by":"wang",`+line); err != nil || a.Refused != "" {
			t.Fatal(i, a.Refused, err)
		}
	}
	if _, err := s.Tick(t.Context(), noon.Add(20*time.Hour)); err != nil {
		t.Fatal(err)
	}
	return s, list
}

// verified checks a delivery as a receiver that knows Standard Webhooks does.
func verified(r *http.Request, body []byte) error {
	w := &Webhook{secret: []byte(secret)}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	if sec, err := strconv.ParseInt(at, 10, 64); err != nil || time.Unix(sec, 0).Sub(noon).Abs() > 5*time.Minute {
		return errors.New("an old delivery")
	}
	if got := r.Header.Get("webhook-signature"); got != "v1,"+w.sign(id, at, body) {
		return errors.New("another signature")
	}
	return nil
}

// A webhook gets each notice, signed, in order, again until it is taken; none is lost when the
// receiver fails or the desk is started again, and it learns nothing about people or money.
func TestWebhook(t *testing.T) {
	s, channels := office(t, "webhook")
	var got []string
	fail := 2
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, verified(r, body)); err != nil {
			t.Error(err)
		}
		if fail--; fail >= 0 {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect) // never followed
			return
		}
		got = append(got, string(body))
	}))
	defer receiver.Close()
	now := noon
	hook, err := NewWebhook(receiver.URL+"/hidden", secret, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "webhook", Queue: channels[0], Sender: hook, Link: "https://desk.example/", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	for i, wait := range []time.Duration{0, 14 * time.Second, time.Second, 29 * time.Second, time.Second} {
		now = now.Add(wait)
		if err := turn(t.Context(), &o); err != nil {
			t.Fatal(err)
		}
		if tried := 2 - fail; tried != []int{1, 1, 2, 2, 2 + len(got)}[i] || i < 4 && len(got) > 0 {
			t.Errorf("after %v: %d tries, taken %q", now.Sub(noon), tried, got)
		}
		if n, since, why, err := s.Unsent(t.Context()); i == 1 && (err != nil || n != 3 || !since.Equal(noon) || why != "the webhook answers 307") {
			t.Errorf("waits: %d since %v: %s, %v", n, since, why, err)
		}
	}
	if len(got) != 3 {
		t.Fatalf("%q", got)
	}
	for i, want := range []Message{
		{ID: "C-2026-000002/4", What: "approve", Case: "C-2026-000002", Step: "approve", Due: "2026-08-25T13:00:00+08:00"},
		{ID: "C-2026-000001/3", What: "overdue", Case: "C-2026-000001", Step: "claim", Due: "2026-08-25T13:00:00+08:00"},
		{ID: "C-2026-000002/5", What: "overdue", Case: "C-2026-000002", Step: "approve", Due: "2026-08-25T13:00:00+08:00"},
	} {
		var m Message
		if err := json.Unmarshal([]byte(got[i]), &m); err != nil || m.ID != want.ID || m.What != want.What || m.Case != want.Case || m.Step != want.Step ||
			m.Link != "https://desk.example/case/"+want.Case || !strings.Contains(m.Text.ZH, "案件 "+want.Case) {
			t.Errorf("%v %s, want %+v", err, got[i], want)
		}
		for _, never := range []string{"wang", "31415", "Li Si", "N1", "M1"} {
			if strings.Contains(got[i], never) {
				t.Errorf("%s is sent: %s", never, got[i])
			}
		}
	}
	if err := turn(t.Context(), &o); err != nil || len(got) != 3 {
		t.Errorf("sent twice: %q %v", got, err)
	}
	if n, _, _, err := s.Unsent(t.Context()); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

// What one desk sends no other does meanwhile; after its lease another takes over.
func TestOneDeskSends(t *testing.T) {
	s, channels := office(t, "webhook")
	other, err := s.Channel(t.Context(), "webhook")
	if err != nil {
		t.Fatal(err)
	}
	take := func(c *store.Channel, now time.Time) int {
		t.Helper()
		list, err := c.Take(t.Context(), now, now.Add(lease))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if a, b, c := take(channels[0], noon), take(other, noon), take(other, noon.Add(lease)); a != 3 || b != 0 || c != 3 {
		t.Errorf("took %d, %d, and after the lease %d", a, b, c)
	}
}

func TestSettings(t *testing.T) {
	for _, one := range []struct{ url, secret string }{
		{"ftp://x/", secret}, {"http://example.org/", secret}, {"https://u:p@example.org/", secret}, {"https:///x", secret}, {"https://example.org/", "short"}, {"https://example.org/", "whsec_!"},
	} {
		if _, err := NewWebhook(one.url, one.secret, time.Now); !errors.Is(err, ErrOptions) {
			t.Errorf("%v: %v", one, err)
		}
	}
	for _, o := range []MailOptions{{Server: "x", From: "a@b", To: "a@b"}, {Server: "x:25", From: "a", To: "a@b"}, {Server: "x:25", From: "a@b"}, {Server: "x:25", From: "a@b", To: "a@b", User: "u"}} {
		if _, err := NewMail(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// mailServer is aiosmtpd, with STARTTLS and a password where there is a certificate; each mail
// is a file of its folder.
const mailServer = `
import asyncio, ssl, sys, os
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
port, folder, cert, key = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
class Handler:
    n = 0
    async def handle_DATA(self, server, session, envelope):
        Handler.n += 1
        with open(os.path.join(folder, "part"), "wb") as f:
            f.write((",".join(envelope.rcpt_tos) + "\n").encode() + envelope.content)
        os.rename(os.path.join(folder, "part"), os.path.join(folder, "mail%d" % Handler.n))
        return "250 OK"
def login(server, session, envelope, mechanism, data):
    return AuthResult(success=isinstance(data, LoginPassword) and data.login == b"desk" and data.password == b"secret")
more = {}
if cert:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    more = dict(tls_context=tls, require_starttls=True, auth_required=True, authenticator=login)
c = Controller(Handler(), hostname="127.0.0.1", port=port, **more)
c.start()
print("ready", flush=True)
sys.stdin.read()
c.stop()
`

func startMail(t *testing.T, cert, key string) (server, folder string) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import aiosmtpd").Run(); err != nil {
		if os.Getenv("YUANLU_SOAK") != "" {
			t.Fatal("aiosmtpd is not installed (Debian: python3-aiosmtpd)")
		}
		t.Skip("aiosmtpd is not installed (Debian: python3-aiosmtpd)")
	}
	folder = t.TempDir()
	port := brokertest.FreePort(t)
	cmd := exec.Command("python3", "-c", mailServer, strconv.Itoa(port), folder, cert, key)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // it ends with its input
	})
	if _, err := io.ReadFull(out, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("localhost", strconv.Itoa(port)), folder
}

// Mails go by STARTTLS and with a password to a real server, in both languages; a wrong
// password and a certificate of an unknown authority are errors, and nothing is sent in the clear.
func TestMail(t *testing.T) {
	authority := brokertest.NewAuthority(t)
	pair := authority.Server(time.Time{}, time.Time{}, "localhost")
	server, folder := startMail(t, pair.CertFile, pair.KeyFile)
	pem, err := os.ReadFile(authority.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	send := func(change func(*MailOptions)) error {
		o := MailOptions{Server: server, From: "desk@shop.example", To: "boss@shop.example, Zhang <zhang@shop.example>", User: "desk", Roots: roots,
			Password: func() (string, error) { return "secret", nil }, Now: func() time.Time { return noon }}
		change(&o)
		m, err := NewMail(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return m.Send(ctx, message(&store.Notice{ID: "C-2026-000001/3", Case: "C-2026-000001", Step: "claim", Due: "2026-08-24T18:00:00+08:00", Late: true}, "https://desk.example"))
	}
	if err := send(func(o *MailOptions) { o.Roots = nil }); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	if err := send(func(o *MailOptions) { o.Password = func() (string, error) { return "guess", nil } }); err == nil || strings.Contains(err.Error(), "guess") {
		t.Errorf("a wrong password: %v", err)
	}
	if err := send(func(o *MailOptions) { o.User, o.Password = "", nil }); err == nil {
		t.Error("without a password")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("mails were taken: %v %v", left, err)
	}
	if err := send(func(*MailOptions) {}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(folder, "mail1"))
	if err != nil {
		t.Fatal(err)
	}
	// Python's own reader of mail is the other side.
	read := exec.Command("python3", "-c", `import sys,email,email.policy
m=email.message_from_bytes(sys.stdin.buffer.read(),policy=email.policy.default)
print(m["subject"]); print(m["message-id"]); print(m.get_content())`)
	to, text, _ := strings.Cut(string(b), "\n")
	read.Stdin, read.Env = strings.NewReader(text), append(os.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := read.Output()
	if err != nil || to != "boss@shop.example,zhang@shop.example" {
		t.Fatal(err, to)
	}
	for _, want := range []string{"C-2026-000001 overdue 已逾期: claim\n", "<C-2026-000001.3@shop.example>", "Case C-2026-000001 is overdue", "案件 C-2026-000001 已逾期", "https://desk.example/case/C-2026-000001"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	plain, folder2 := startMail(t, "", "")
	if err := send(func(o *MailOptions) { o.Server, o.User, o.Password = plain, "", nil }); err != nil {
		t.Errorf("on this machine: %v", err)
	}
	if left, err := os.ReadDir(folder2); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
	m, err := NewMail(MailOptions{Server: plain, From: "a@b", To: "a@b", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	m.host = "mail.example" // elsewhere nothing goes without STARTTLS
	if err := m.Send(t.Context(), &Message{ID: "x"}); !errors.Is(err, errPlain) {
		t.Errorf("without STARTTLS: %v", err)
	}
}
