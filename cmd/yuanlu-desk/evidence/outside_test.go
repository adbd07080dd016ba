package evidence_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	desk "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/cmd/yuanlu-desk/tsa"
	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
	"yuanlu/protocol/evidence/seal"
)

func command(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

const authorityConfig = `
[ req ]
distinguished_name = dn
prompt = no
[ dn ]
CN = Outside Clock
[ ca ]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[ stamper ]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ other ]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,timeStamping,serverAuth
[ tsa ]
default_tsa = clock
[ clock ]
serial = serial
crypto_device = builtin
signer_cert = stamper.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384
ordering = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`

// authority is a TSA made of openssl ts behind HTTP.
func authority(t testing.TB) (dir, url string) {
	t.Helper()
	dir = t.TempDir()
	fatal(t, os.WriteFile(filepath.Join(dir, "tsa.cnf"), []byte(authorityConfig), 0o600))
	fatal(t, os.WriteFile(filepath.Join(dir, "serial"), []byte("01\n"), 0o600))
	command(t, dir, "openssl", "req", "-x509", "-config", "tsa.cnf", "-extensions", "ca", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=Outside Root")
	command(t, dir, "openssl", "req", "-config", "tsa.cnf", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Outside Clock")
	for _, usage := range []string{"stamper", "other"} {
		command(t, dir, "openssl", "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "tsa.cnf", "-extensions", usage, "-days", "3650", "-out", usage+".pem")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != seal.QueryType {
			http.Error(w, "query", http.StatusBadRequest)
			return
		}
		file := filepath.Join(dir, "query")
		if err := os.WriteFile(file, query, 0o600); err != nil {
			http.Error(w, "file", http.StatusInternalServerError)
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

func stamperAt(t testing.TB, url string) desk.Stamper {
	return func(content []byte) ([]byte, error) { return tsa.Stamp(t.Context(), http.DefaultClient, url, content) }
}

func hashOfPEM(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	fatal(t, err)
	block, _ := pem.Decode(text)
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// TestWithoutOurProgram: in the unpacked folder of a signed and stamped pack, the commands
// of README.txt hold, and so does the verifier.
func TestWithoutOurProgram(t *testing.T) {
	dir, url := authority(t)
	s := story(t, forgery{}, stamperAt(t, url))
	s.in.Signer = certified(t, p256(t), true)
	text := s.build()
	if exit, wrong := check(t, text, s.trust(hashOfPEM(t, filepath.Join(dir, "ca.pem")))); exit != verify.ExitHolds {
		t.Fatalf("exit %d, %v", exit, wrong)
	}
	if exit, _ := check(t, text, s.trust()); exit != verify.ExitUntrusted {
		t.Errorf("with an unknown stamper: exit %d", exit)
	}
	unsigned := *s
	unsigned.in.Signer = nil
	if exit, wrong := check(t, unsigned.build(), s.trust(hashOfPEM(t, filepath.Join(dir, "ca.pem")))); exit != verify.ExitUntrusted || wrong != nil {
		t.Errorf("stamped and unsigned: exit %d, %v", exit, wrong)
	}
	out := filepath.Join(t.TempDir(), "pack")
	fatal(t, os.WriteFile(out+".zip", text, 0o600))
	command(t, "", "python3", "-m", "zipfile", "-e", out+".zip", out)
	fatal(t, os.WriteFile(filepath.Join(out, "..", "ROOT.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.in.Signer.Chain[1].Raw}), 0o600))
	readme, err := os.ReadFile(filepath.Join(out, pack.Readme))
	fatal(t, err)
	ran := 0
	for line := range strings.Lines(string(readme)) {
		line = strings.TrimSpace(line)
		if len(line) > 3 && line[1:3] == ". " {
			line = line[3:]
		}
		if strings.HasPrefix(line, "sha256sum ") || strings.HasPrefix(line, "openssl ") {
			line = strings.NewReplacer("ROOT.pem", "../ROOT.pem", "TSA.pem", filepath.Join(dir, "ca.pem")).Replace(line)
			command(t, out, "sh", "-c", line)
			ran++
		}
	}
	if ran != 6 {
		t.Errorf("%d commands of README.txt were run, want three in each language", ran)
	}
	_, script, _ := strings.Cut(string(readme), "# oneleaf.sh\n")
	oneLeaf(t, out, script)
	cms := "openssl cms -verify -binary -cades -purpose any -inform DER -in META-INF/signature.p7s -content manifest-sha256.txt -CAfile ../ROOT.pem -out /dev/null"
	if c := exec.Command("sh", "-c", cms); runIn(c, out) == nil {
		t.Error("openssl takes the signature for another file")
	}
}

func runIn(c *exec.Cmd, dir string) error {
	c.Dir = dir
	return c.Run()
}

// oneLeaf runs the script of README.txt for some leaves, and compares the root with the note.
func oneLeaf(t *testing.T, dir, script string) {
	t.Helper()
	leaves, err := os.ReadFile(filepath.Join(dir, pack.Leaves))
	fatal(t, err)
	points, err := os.ReadFile(filepath.Join(dir, pack.Checkpoints))
	fatal(t, err)
	work := t.TempDir()
	fatal(t, os.WriteFile(filepath.Join(work, "oneleaf.sh"), []byte(script), 0o600))
	for i, line := range strings.Split(strings.TrimSpace(string(leaves)), "\n") {
		if i%5 != 1 {
			continue
		}
		var l struct {
			N, Size int64
			Leaf    string
			Proof   []string
		}
		fatal(t, json.Unmarshal([]byte(line), &l))
		fatal(t, os.WriteFile(filepath.Join(work, "leaf.bin"), []byte(l.Leaf), 0o600))
		fatal(t, os.WriteFile(filepath.Join(work, "proof.txt"), []byte(strings.Join(l.Proof, "\n")+"\n"), 0o600))
		root := strings.TrimSpace(command(t, work, "sh", "oneleaf.sh", strconv.FormatInt(l.N, 10), strconv.FormatInt(l.Size, 10)))
		if !strings.Contains(string(points), `\n`+strconv.FormatInt(l.Size, 10)+`\n`+root+`\n`) {
			t.Errorf("leaf %d of %d: root %s is in no note", l.N, l.Size, root)
		}
	}
}

// otherSigners signs what a token states with other certificates, by openssl cms: one for
// stamps is taken, one that may do more is not.
func otherSigners(t *testing.T, dir string, token []byte) {
	t.Helper()
	fatal(t, os.WriteFile(filepath.Join(dir, "token"), token, 0o600))
	command(t, dir, "openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", "token", "-out", "info", "-binary")
	for usage, taken := range map[string]bool{"stamper": true, "other": false} {
		command(t, dir, "openssl", "cms", "-sign", "-binary", "-nodetach", "-cades", "-nosmimecap", "-md", "sha256", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-in", "info", "-signer", usage+".pem", "-inkey", "tsa.key",
			"-certfile", "ca.pem", "-outform", "DER", "-out", "signed")
		der, err := os.ReadFile(filepath.Join(dir, "signed"))
		fatal(t, err)
		if _, err := seal.CheckStamp(der, []byte("content")); (err == nil) != taken || !taken && !errors.Is(err, evidence.ErrProof) {
			t.Errorf("signed with the certificate %s: %v", usage, err)
		}
	}
}

// TestStampsThatAreRefused: a signer that may do more than stamp, a stamp over other bytes, an
// answer that is none, and every byte of a good token changed.
func TestStampsThatAreRefused(t *testing.T) {
	dir, url := authority(t)
	token, err := stamperAt(t, url)([]byte("content"))
	fatal(t, err)
	otherSigners(t, dir, token)
	if _, err := seal.CheckStamp(token, []byte("other")); !errors.Is(err, evidence.ErrProof) {
		t.Errorf("over other bytes: %v", err)
	}
	for i := range token {
		changed := bytes.Clone(token)
		changed[i] ^= 1 << (i % 8)
		if s, err := seal.CheckStamp(changed, []byte("content")); err == nil {
			if seal.Closed(s.Chain) { // else only a hash of the last certificate, which its reader has, can hold it
				t.Errorf("byte %d of the token changed: %s", i, base64.StdEncoding.EncodeToString(changed))
			}
		} else if !errors.Is(err, evidence.ErrForm) && !errors.Is(err, evidence.ErrProof) {
			t.Errorf("byte %d: %v has no class", i, err)
		}
	}
	bad := httptest.NewServer(http.NotFoundHandler())
	defer bad.Close()
	if _, err := tsa.Stamp(context.Background(), http.DefaultClient, bad.URL, []byte("content")); !errors.Is(err, tsa.ErrAnswer) {
		t.Error(err)
	}
}
