package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence/seal"
	"yuanlu/protocol/mqtt/brokertest"
)

const clockConfig = `
[ req ]
distinguished_name = dn
prompt = no
[ dn ]
CN = Outside Clock
[ stamper ]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ tsa ]
default_tsa = clock
[ clock ]
serial = serial
crypto_device = builtin
signer_cert = stamper.pem
signer_key = stamper.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ordering = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`

// outsideClock is a time stamping authority made of openssl ts. It returns its folder and its address.
func outsideClock(t *testing.T) (dir, url string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"tsa.cnf": clockConfig, "serial": "01\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made := exec.Command("openssl", "req", "-x509", "-config", "tsa.cnf", "-extensions", "stamper", "-newkey", "rsa:2048", "-nodes", "-keyout", "stamper.key", "-out", "stamper.pem", "-days", "3650")
	made.Dir = dir
	if out, err := made.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := io.ReadAll(r.Body)
		file := filepath.Join(dir, "query")
		if err = errors.Join(err, os.WriteFile(file, query, 0o600)); err != nil {
			http.Error(w, "query", http.StatusInternalServerError)
			return
		}
		c := exec.Command("openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query")
		c.Dir = dir
		reply, err := c.Output()
		if err != nil {
			http.Error(w, "openssl", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", seal.ReplyType)
		_, _ = w.Write(reply) // the client finds out
	}))
	t.Cleanup(server.Close)
	return dir, server.URL
}

// TestE2EStamps: the desk has its log stamped by itself; a pack of it is signed and stamped, and holds for who
// trusts desk, signer and authority. With an authority that is away a pack goes out unstamped.
func TestE2EStamps(t *testing.T) {
	clock, url := outsideClock(t)
	l := &logged{t: t, place: filepath.Join(t.TempDir(), "desk.db"), key: filepath.Join(t.TempDir(), "cosign")}
	if out, err := exec.Command(binary(t, "yuanlu-desk"), "keygen", "--cosign", "shop", "--out", l.key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := brokertest.Start(t, brokertest.Options{})
	l.desk = newDesk(t, "--broker", b.URL(), "--allow-plaintext", "--store", l.place, "--cosign-key", l.key, "--tsa", url)
	desks := &address{}
	analyst := hiredClerks(t, l.place, desks, "analyst-1")[0]
	hasCase(t, l.place)
	l.desk.startDesk()
	var status struct {
		Evidence store.LogState
	}
	desktest.Eventually(t, time.Minute, "the desk's log is stamped", func() bool {
		return l.desk.get("/v1/status", &status) == nil && status.Evidence.StampedSize > 0
	})
	if e := status.Evidence; e.StampedSize != e.Size || e.StampedAt == nil || !strings.HasPrefix(e.Note, e.Origin+"\n") || e.Alarms != 0 {
		t.Errorf("%+v", e)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at("seal.key"), "-out", at("seal.pem"), "-days", "3650", "-subj", "/CN=Shop").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	keys := []string{"--cosign-key", l.key, "--seal-cert", at("seal.pem"), "--seal-key", at("seal.key")}
	for name, more := range map[string][]string{"without": nil, "with": {"--stamper-cert", filepath.Join(clock, "stamper.pem")}} {
		code, trust := l.office(append(append([]string{"keys"}, keys...), more...)...)
		if err := os.WriteFile(at(name), []byte(trust), 0o600); code != exitOK || err != nil {
			t.Fatal(code, trust, err)
		}
	}
	no := caseNo(1)
	verify := func(pack, trust string) (int, string) {
		cmd := exec.Command(binary(t, "yuanlu-verify"), pack, "--trust", at(trust))
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := l.office(append([]string{"export", no, "--for", "court", "--wait", "0s", "--tsa", url, "--out", at("stamped")}, keys...)...)
	if code != exitOK || !strings.Contains(out, "; signed, stamped\n") || !strings.Contains(out, "terminal t-1 may be missing: no_log") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := verify(at("stamped"), "with"); code != 0 {
		t.Errorf("the stamped pack: %d\n%s", code, out)
	}
	if code, out := verify(at("stamped"), "without"); code != 3 {
		t.Errorf("an authority that is not known: %d\n%s", code, out)
	}
	code, out = l.office(append([]string{"export", no, "--for", "bank", "--wait", "0s", "--tsa", "http://127.0.0.1:1/", "--out", at("away")}, keys...)...)
	if code != exitOK || !strings.Contains(out, "; signed, not stamped\n") || !strings.Contains(out, "export again when --tsa answers") {
		t.Errorf("the authority is away: %d %s", code, out)
	}
	if code, out := verify(at("away"), "with"); code != 0 {
		t.Errorf("the pack without a stamp of its own: %d\n%s", code, out)
	}
	if code, out := l.office(append([]string{"export", no, "--for", "bank", "--tsa", "clock.example"}, keys...)...); code != exitUsage || !strings.Contains(out, "--tsa wants") {
		t.Errorf("an authority without an address: %d %s", code, out)
	}
	desks.set(l.desk.api)
	got, text, err := analyst.post(t.Context(), "/v1/work/export", "once", `{"case":"`+no+`","for":"court","reader":"","expect":2}`)
	if err != nil || got != http.StatusOK || !strings.Contains(string(text), `"stamped":true,"lacks":[{"terminal":"t-1","why":"no_log"}]`) {
		t.Errorf("by the desk that serves: %v %d %s", err, got, text)
	}
	if code := l.desk.stop(); code != exitOK {
		t.Errorf("the desk ended with %d", code)
	}
}

// caseNo is the number of the n-th case of this year.
func caseNo(n int) string {
	return fmt.Sprintf("C-%s-%06d", time.Now().UTC().Add(8*time.Hour).Format("2006"), n)
}

// hasCase stores a case of a terminal.
func hasCase(t *testing.T, place string) {
	t.Helper()
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	decode, err := consumer.NewDecoder("yuanlu")
	if err != nil {
		t.Fatal(err)
	}
	m, ok := decode.Decode("yuanlu/v1/t-1/up/case", desktest.Case{Seq: 1}.JSON(), false, time.Now())
	if !ok {
		t.Fatal("nothing to store")
	}
	_, err = db.Apply(t.Context(), []store.Message{m})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
