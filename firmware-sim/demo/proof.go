package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"yuanlu/firmware-sim/office"
)

// sealing is what the desk of the demo proves with: a key that co-signs, and a certificate that signs packs.
type sealing struct {
	bin, verify, store string
	dir                string // of keys and packs
}

func (s *sealing) at(name string) string { return filepath.Join(s.dir, name) }

// prepare makes the keys.
func (s *sealing) prepare(ctx context.Context) error {
	if out, err := exec.CommandContext(ctx, s.bin, "keygen", "--cosign", "demo", "--out", s.at("cosign")).CombinedOutput(); err != nil {
		return fmt.Errorf("%s keygen: %w: %s", s.bin, err, out)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Demo shop"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(s.at("seal.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(s.at("seal.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// evidence runs the verb of the desk with its keys.
func (s *sealing) evidence(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"evidence", "--store", s.store, "--cosign-key", s.at("cosign"), "--seal-cert", s.at("seal.pem"), "--seal-key", s.at("seal.key")}, args...)
	out, err := exec.CommandContext(ctx, s.bin, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w: %s", s.bin, strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

// prove exports the first case that the office closed as an evidence pack, and has it verified against the keys that a
// reader would have been given. It returns what the verifier printed; nothing without one. An error means that the pack
// does not hold, or could not be made.
func (d *outsideDesk) prove(ctx context.Context, day *office.Day) (lines []string, err error) {
	if d == nil || d.seal == nil || day == nil || len(day.Closed) == 0 {
		return nil, nil
	}
	s, pack := d.seal, d.seal.at("case.asice")
	// The terminals are switched off by now: the desk has had their leaves since each case came.
	if _, err := s.evidence(ctx, "--for", "court", "--reader", "court", "--wait", "0s", "--out", pack, "export", day.Closed[0].Case); err != nil {
		return nil, err
	}
	trust, err := s.evidence(ctx, "keys")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.at("trust.json"), trust, 0o600); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, s.verify, pack, "--trust", s.at("trust.json"), "--lang", "en").CombinedOutput()
	lines = strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if err != nil {
		return lines, fmt.Errorf("the evidence pack of %s: %s: %w", day.Closed[0].Case, s.verify, err)
	}
	if !strings.Contains(string(out), "record") { // a pack without the terminal's leaves proves nothing of its side
		return lines, fmt.Errorf("the evidence pack of %s has no leaf of a terminal", day.Closed[0].Case)
	}
	return lines, nil
}

// proof prints what the verifier printed.
func (s *output) proof(day *office.Day, lines []string) {
	if len(lines) == 0 {
		return
	}
	if s.o.JSON {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.json(map[string]any{"verified": day.Closed[0].Case, "lines": lines})
		return
	}
	s.line("\nthe evidence of %s, exported for a court and verified by yuanlu-verify:", day.Closed[0].Case)
	s.line("  %s", strings.Join(lines, "\n  "))
}
