package houserules

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetupInstallsWhatIsMissing: a package that is there for several architectures is one that
// is there; one of another architecture alone is none of this machine.
func TestSetupInstallsWhatIsMissing(t *testing.T) {
	out, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		t.Skipf("no dpkg here: %v", err)
	}
	host := strings.TrimSpace(string(out))
	const libusb = "libusb-1.0-0-dev"
	for _, c := range []struct {
		name  string
		there [][2]string // package, architecture
		goal  string
		want  bool // libusb is missing
	}{
		{"none", nil, "build", true},
		{"this machine's", [][2]string{{libusb, host}}, "build", false},
		{"this and others'", [][2]string{{libusb, host}, {libusb, "arm64"}, {libusb, "armhf"}}, "build", false},
		{"another's alone", [][2]string{{libusb, "s390x"}}, "build", true},
		{"others' for others", [][2]string{{libusb, "arm64"}, {libusb, "armhf"}}, "deb", false},
		{"one of two others", [][2]string{{libusb, "arm64"}, {libusb, host}}, "deb", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var status strings.Builder
			for _, p := range c.there {
				fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: same\nMaintainer: m <m@example.org>\nVersion: 1\nDescription: d\n\n", p[0], p[1])
			}
			if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "arch"), []byte(host+"\narm64\narmhf\ns390x\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("../../.ci/setup", "missing", c.goal)
			cmd.Env = append(os.Environ(), "DPKG_ADMINDIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := strings.Contains(string(out), libusb); got != c.want {
				t.Errorf("missing: %v, want %v:\n%s", got, c.want, out)
			}
		})
	}
}
