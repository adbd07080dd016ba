package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestE2ERelease: a release of this machine's architecture is what the README's line verifies,
// and no longer is with one bit changed; a second one has the same bytes. YUANLU_SOAK=1: with
// the packages of every kind and the second one; else with the smallest package.
func TestE2ERelease(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "release.key")
	if out, err := exec.Command("openssl", "genpkey", "-algorithm", "ed25519", "-out", key).CombinedOutput(); err != nil {
		t.Skipf("no openssl here: %v: %s", err, out)
	}
	soak := os.Getenv("YUANLU_SOAK") != ""
	flavours := "verify"
	if soak {
		flavours = "usb static desk verify"
	}
	make := func(name string) string {
		t.Helper()
		folder := filepath.Join(dir, name, "release")
		cmd := exec.Command("../../../.ci/release", folder)
		cmd.Env = append(os.Environ(), "SIGNING_KEY="+key, "VERSION=1.0.0", "COMMIT=0123456789ab", "DATE=2026-11-25T02:52:23Z", "LDFLAGS=-s -w -X main.version=1.0.0",
			"ARCHES=amd64", "FLAVOURS="+flavours, "GOFLAGS=-trimpath")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return folder
	}
	release := make("first")
	for _, name := range []string{"yuanlu-verify_1.0.0_amd64.deb", "yuanlu-static-linux-amd64", "yuanlu-desk-linux-amd64", "yuanlu-verify-linux-amd64", "yuanlu.cdx.json", "yuanlu-desk.cdx.json", "yuanlu-verify.cdx.json",
		"yuanlu.THIRD_PARTY.txt", "LICENSE", "CHANGELOG.md", "yuanlu.sysv", "yuanlu.openrc", "yuanlu.service", "release.pub", "SHA256SUMS", "SHA256SUMS.sig"} {
		if info, err := os.Stat(filepath.Join(release, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ +(openssl pkeyutl -verify .* && sha256sum -c SHA256SUMS)$`).FindStringSubmatch(string(readme))
	if line == nil {
		t.Fatal("the README has no line that verifies a release")
	}
	verify := func(folder string) (string, error) {
		cmd := exec.Command("sh", "-c", line[1])
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := verify(release); err != nil || !strings.Contains(out, "Signature Verified Successfully") || strings.Count(out, ": OK\n") < 15 {
		t.Errorf("the README's line: %v: %s", err, out)
	}
	if soak {
		one, err := os.ReadFile(filepath.Join(release, "SHA256SUMS"))
		two, err2 := os.ReadFile(filepath.Join(make("second"), "SHA256SUMS"))
		if err != nil || err2 != nil || string(one) != string(two) {
			t.Errorf("a second release differs: %v, %v:\n%s\n%s", err, err2, one, two)
		}
	}
	for _, name := range []string{"SHA256SUMS", "yuanlu-static-linux-amd64"} {
		path := filepath.Join(release, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := verify(release); err == nil {
			t.Errorf("with one bit of %s changed: %s", name, out)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
