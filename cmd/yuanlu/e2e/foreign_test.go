package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2EForeignStatic: the static program of other machines runs under emulation, and
// judges as the one of this machine does, byte for byte.
func TestE2EForeignStatic(t *testing.T) {
	here, err := program()
	if err != nil {
		t.Fatal(err)
	}
	records := filepath.Join("testdata", "check.jsonl")
	want, err := exec.Command(here, "check", records).Output()
	if err != nil || bytes.Count(want, []byte("\n")) < 1 {
		t.Fatalf("check: %v: %s", err, want)
	}
	for arch, qemu := range map[string]string{"arm64": "qemu-aarch64-static", "arm": "qemu-arm-static"} {
		t.Run(arch, func(t *testing.T) {
			if _, err := exec.LookPath(qemu); err != nil {
				t.Skipf("no %s here", qemu)
			}
			bin := filepath.Join(t.TempDir(), "yuanlu")
			build := exec.Command("go", "build", "-tags", "nousb", "-ldflags", "-s -w", "-o", bin, "yuanlu/cmd/yuanlu")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch, "GOARM=6")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if out, err := exec.Command(qemu, bin, "version").Output(); err != nil || !strings.Contains(string(out), "linux/"+arch) {
				t.Errorf("version: %v: %s", err, out)
			}
			if got, err := exec.Command(qemu, bin, "check", records).Output(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("check: %v\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}
